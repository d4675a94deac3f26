#!/usr/bin/env python3
"""Attention: lenticular and PyTorch's scaled_dot_product_attention in turns, same shapes, same number of threads.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0+cpu --index-url https://download.pytorch.org/whl/cpu
    swift build -c release --product lenticular
    venv/bin/python benchmarks/attention/compare.py --json attention.json

lenticular reads queries, keys and values in place from a fused (batch, tokens, 3, heads, width) array, as its backbone does;
PyTorch gets them as (batch, heads, tokens, width), which is what it is fastest with.
"""
import argparse
import json
import statistics
import subprocess
import tempfile
import time

import torch
import torch.nn.functional as F


def peer(batch, heads, tokens, width, dtype, seconds):
    q, k, v = (torch.randn(batch, heads, tokens, width).to(dtype) for _ in range(3))
    times = []
    with torch.inference_mode():
        F.scaled_dot_product_attention(q, k, v)
        while len(times) < 3 or sum(times) < seconds:
            start = time.perf_counter()
            F.scaled_dot_product_attention(q, k, v)
            times.append(time.perf_counter() - start)
    return 4e-9 * batch * heads * tokens**2 * width / statistics.median(times)


def ours(program, tokens, width, precision, threads, seconds):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(
            [program, "bench", "attention", "--tokens", str(tokens), "--widths", str(width), "--precisions", precision,
             "--workers", str(threads), "--seconds", str(seconds), "--json", file.name],
            check=True, stdout=subprocess.DEVNULL)
        return {row["algorithm"]: row for row in json.load(open(file.name))["rows"]}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=".build/release/lenticular")
    parser.add_argument("--tokens", default="65,197,257,1024,4096")
    parser.add_argument("--widths", default="64")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.5)
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = []
    print(f"PyTorch {torch.__version__}, {options.threads} threads, {options.rounds} rounds; GFLOP/s")
    print(f"{'N':>6} {'d':>4} {'batch':>5} {'precision':9} {'vfa':>7} {'fa2':>7} {'PyTorch':>8} {'vfa/PyTorch':>11} {'error vfa':>10} {'error fa2':>10}")
    for width in map(int, options.widths.split(",")):
        for tokens in map(int, options.tokens.split(",")):
            for precision, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
                rates = {"vfa": [], "fa2": [], "pytorch": []}
                for _ in range(options.rounds):
                    measured = ours(options.program, tokens, width, precision, options.threads, options.seconds)
                    shape = measured["vfa"]["shape"]
                    for name in ("vfa", "fa2"):
                        rates[name].append(measured[name]["gigaflops"])
                    rates["pytorch"].append(peer(shape["batch"], shape["heads"], tokens, width, dtype, options.seconds))
                median = {name: statistics.median(values) for name, values in rates.items()}
                rows.append({"tokens": tokens, "width": width, "batch": shape["batch"], "heads": shape["heads"],
                             "precision": precision, "rates": rates, "ratio": median["vfa"] / median["pytorch"],
                             "error_vfa": measured["vfa"]["relative_error"], "error_fa2": measured["fa2"]["relative_error"]})
                print(f"{tokens:6} {width:4} {shape['batch']:5} {precision:9} {median['vfa']:7.0f} {median['fa2']:7.0f} "
                      f"{median['pytorch']:8.0f} {rows[-1]['ratio']:11.2f} {rows[-1]['error_vfa']:10.1e} {rows[-1]['error_fa2']:10.1e}", flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"torch": torch.__version__, "threads": options.threads, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
