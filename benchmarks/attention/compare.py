#!/usr/bin/env python3
"""Attention: lenticular and PyTorch's scaled_dot_product_attention in turns, same shapes, same number of threads.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0+cpu --index-url https://download.pytorch.org/whl/cpu
    swift build -c release --product lenticular
    venv/bin/python benchmarks/attention/compare.py --json attention.json

lenticular reads queries, keys and values in place from a fused (batch, tokens, 3, heads, width) array, as its backbone does;
PyTorch gets them as (batch, heads, tokens, width), which is what it is fastest with. PyTorch has no 8-bit attention on CPUs:
those rows are compared with its bfloat16. Rates are medians over rounds, in GFLOP/s of both products (4 N^2 d a head).
"""
import argparse
import json
import statistics
import subprocess
import tempfile
import time

import torch
import torch.nn.functional as F

MODES = {"float32": "C32V32", "bfloat16": "C16V32", "int8": "C8V32", "int8BFloat16": "C8/16V32"}


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


def ours(program, tokens, width, precisions, threads, seconds):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(
            [program, "bench", "attention", "--tokens", str(tokens), "--widths", str(width), "--precisions",
             ",".join(precisions), "--algorithms", "fa2,vfa", "--workers", str(threads), "--seconds", str(seconds),
             "--json", file.name],
            check=True, stdout=subprocess.DEVNULL)
        return json.load(open(file.name))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=".build/release/lenticular")
    parser.add_argument("--tokens", default="65,197,257,1024,4096,16384")
    parser.add_argument("--widths", default="64")
    parser.add_argument("--precisions", default=",".join(MODES))
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=0.3, help="for each measurement")
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    precisions = options.precisions.split(",")
    rows = []
    print(f"PyTorch {torch.__version__}, {options.threads} threads, {options.rounds} rounds; GFLOP/s")
    print(f"{'N':>6} {'d':>4} {'batch':>5} {'mode':9} {'vfa':>6} {'fa2':>6} {'of limit':>8} {'vfa/fa2':>7} {'/C16 fa2':>8} "
          f"{'PyTorch':>8} {'vfa/PyTorch':>11} {'fa2/PyTorch':>11} {'error vfa':>10} {'error fa2':>10}")
    for width in map(int, options.widths.split(",")):
        for tokens in map(int, options.tokens.split(",")):
            measured = {}
            peers = {"float32": [], "bfloat16": []}
            for _ in range(options.rounds):
                report = ours(options.program, tokens, width, precisions, options.threads, options.seconds)
                for row in report["rows"]:
                    measured.setdefault((row["precision"], row["algorithm"]), []).append(row)
                shape = report["rows"][0]["shape"]
                for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
                    peers[name].append(peer(shape["batch"], shape["heads"], tokens, width, dtype, options.seconds))

            def median(precision, algorithm, key):
                return statistics.median(row[key] for row in measured[precision, algorithm])

            for precision in precisions:
                other = "float32" if precision == "float32" else "bfloat16"
                pytorch = statistics.median(peers[other])
                vfa, fa2 = (median(precision, name, "gigaflops") for name in ("vfa", "fa2"))
                row = {
                    "tokens": tokens, "width": width, "batch": shape["batch"], "heads": shape["heads"],
                    "precision": precision, "vfa": vfa, "fa2": fa2, "pytorch": pytorch, "pytorch_precision": other,
                    "share_of_limit": max(median(precision, name, "share_of_limit") for name in ("vfa", "fa2")),
                    "vfa_to_fa2": median(precision, "vfa", "ratio_to_fa2"),
                    "best_to_c16_fa2": max((median(precision, name, "ratio_to_c16fa2") for name in ("vfa", "fa2")), default=None)
                    if "bfloat16" in precisions else None,
                    "vfa_to_pytorch": vfa / pytorch, "fa2_to_pytorch": fa2 / pytorch,
                    "error_vfa": median(precision, "vfa", "relative_error"),
                    "error_fa2": median(precision, "fa2", "relative_error"), "rounds": {
                        "lenticular": {name: [r["gigaflops"] for r in measured[precision, name]] for name in ("vfa", "fa2")},
                        "pytorch": peers[other]},
                }
                rows.append(row)
                to_c16 = f"{row['best_to_c16_fa2']:8.2f}" if row["best_to_c16_fa2"] else f"{'':8}"
                print(f"{tokens:6} {width:4} {shape['batch']:5} {MODES[precision]:9} {vfa:6.0f} {fa2:6.0f} "
                      f"{100 * row['share_of_limit']:7.1f}% {row['vfa_to_fa2']:7.3f} {to_c16} {pytorch:8.0f} "
                      f"{row['vfa_to_pytorch']:11.2f} {row['fa2_to_pytorch']:11.2f} {row['error_vfa']:10.1e} {row['error_fa2']:10.1e}",
                      flush=True)
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"torch": torch.__version__, "threads": options.threads, "rows": rows}, file, indent=1)


if __name__ == "__main__":
    main()
