"""Exact nearest neighbours beside FAISS's IndexFlatL2: the same vectors, queries and threads, in turns.

    pip install faiss-cpu numpy && python benchmarks/outliers/knn.py .build/release/lenticular

Prints seconds of each turn, the ratio of the medians, and how many neighbours agree: equal row numbers, or, where they
differ, distances in float64 that are equal to 1e-6 (ties). Both programs return each query as its own first neighbour.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile

for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE"):  # settings that slow OpenBLAS down
    if os.environ.pop(name, None) is not None:
        os.execv(sys.executable, [sys.executable] + sys.argv)

import time

import faiss
import numpy as np

parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
parser.add_argument("program")
parser.add_argument("--vectors", type=int, default=1_000_000)
parser.add_argument("--width", type=int, default=64)
parser.add_argument("--queries", type=int, default=10_000)
parser.add_argument("--neighbours", default="10,50")
parser.add_argument("--products", default="float32,bfloat16")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--turns", type=int, default=3)
parser.add_argument("--json", help="also write the figures to this file")
arguments = parser.parse_args()

# Clusters with a falling spectrum, as embeddings have them.
rng = np.random.default_rng(1)
scales = 1 / np.sqrt(np.arange(1, arguments.width + 1))
centres = rng.normal(size=(1000, arguments.width)) * scales
vectors = np.empty((arguments.vectors, arguments.width), np.float32)
for start in range(0, arguments.vectors, 100_000):
    part = vectors[start : start + 100_000]
    part[:] = centres[rng.integers(0, 1000, len(part))] + 0.5 * rng.normal(size=part.shape) * scales
queries = vectors[: arguments.queries]

faiss.omp_set_num_threads(arguments.threads)
index = faiss.IndexFlatL2(arguments.width)
index.add(vectors)
print(
    f"{arguments.queries} queries among {arguments.vectors} × {arguments.width} float32, {arguments.threads} threads, "
    f"faiss {faiss.__version__} ({faiss.get_compile_options().strip()})"
)


def agreement(ours, theirs):
    """Shares of neighbours with the same row number, and with the same number or the same distance."""
    same = tied = 0
    for query, (a, b) in enumerate(zip(ours, theirs)):
        common = np.intersect1d(a, b)
        same += len(common)
        tied += len(common)
        if len(common) < len(a):
            point = queries[query].astype(np.float64)
            rest = [np.sort(np.linalg.norm(vectors[np.setdiff1d(x, common)] - point, axis=1)) for x in (a, b)]
            tied += int(np.sum(np.abs(rest[0] - rest[1]) <= 1e-6 * rest[1]))
    return same / ours.size, tied / ours.size


report = []
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "vectors.f32")
    vectors.tofile(path)
    for k in map(int, arguments.neighbours.split(",")):
        times = {"faiss": []}
        found, memory, rates = {}, {}, {}
        for turn in range(arguments.turns):
            for products in arguments.products.split(","):
                figures, indices = os.path.join(folder, "figures.json"), os.path.join(folder, "indices")
                command = [arguments.program, "bench", "search", "--vectors", path, "--width", str(arguments.width)]
                command += ["--queries", str(arguments.queries), "--neighbours", str(k), "--products", products]
                command += ["--workers", str(arguments.threads), "--json", figures, "--indices", indices]
                subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
                result = json.load(open(figures))
                row = result["rows"][0]
                times.setdefault(products, []).append(row["seconds"][0])
                rates[products] = (result["limits"][products], row["repeated"], row["undecided"])
                memory[products] = result["peak_memory_megabytes"]
                found[products] = np.fromfile(indices, np.int32).reshape(-1, k)
            start = time.perf_counter()
            _, theirs = index.search(queries, k)
            times["faiss"].append(time.perf_counter() - start)
        work = 2 * arguments.queries * arguments.vectors * arguments.width / 1e9
        for name, seconds in times.items():
            median = float(np.median(seconds))
            line = f"k = {k:3}  {name:9} {median:7.2f} s median of {[round(s, 2) for s in seconds]}"
            line += f"  {arguments.queries / median:7.0f} queries/s  {work / median:6.1f} GFLOP/s"
            entry = {"k": k, "method": name, "seconds": seconds}
            if name in found:
                same, tied = agreement(found[name], theirs)
                limit, repeated, undecided = rates[name]
                ratio = float(np.median(times["faiss"]) / median)
                line += f" of {limit:.0f}  {ratio:5.2f} × faiss  same {100 * same:.4f} %, or tied {100 * tied:.4f} %"
                line += f"  repeated {repeated} undecided {undecided}  {memory[name]:.0f} MB"
                entry |= {"ratio": ratio, "same": same, "tied": tied, "repeated": repeated, "undecided": undecided}
                entry |= {"limit": limit, "peak_memory_megabytes": memory[name]}
            print(line, flush=True)
            report.append(entry)
if arguments.json:
    json.dump(report, open(arguments.json, "w"), indent=2)
