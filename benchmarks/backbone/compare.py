#!/usr/bin/env python3
"""ViT backbones: lenticular and PyTorch in turns, on the same machine, with the same number of threads.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0+cpu --index-url https://download.pytorch.org/whl/cpu
    swift build -c release --product lenticular
    venv/bin/python benchmarks/backbone/compare.py --json backbone.json

Each round measures a task with lenticular (`lenticular bench backbone`) and then with PyTorch (scaled_dot_product_attention,
inference_mode, bfloat16 by converting the model; eager and torch.compile). The peers of int8 are those of bfloat16 and
PyTorch's own int8: linear layers quantised dynamically, weights for each channel, eager. The table gives the medians over
rounds and the ratio of the medians to the fastest peer; the last line gives PyTorch's rate for one large matrix product, which
is the machine's limit for this kind of work.

small1024 is one image of 1024 pixels in patches of 8 (16 385 tokens), in inference; a step takes minutes, so ask for it alone:

    venv/bin/python benchmarks/backbone/compare.py --models small1024 --precisions bfloat16,int8 --rounds 1 --no-compile
"""
import argparse
import copy
import json
import statistics
import subprocess
import tempfile
import time
import warnings

import torch
import torch.ao.quantization
import torch.nn as nn
import torch.nn.functional as F

# Width, heads, patch, image size.
SIZES = {"tiny": (192, 3, 16, 224), "small": (384, 6, 16, 224), "base": (768, 12, 16, 224), "small1024": (384, 6, 8, 1024)}


class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.fc1 = nn.Linear(width, 4 * width)
        self.fc2 = nn.Linear(4 * width, width)

    def forward(self, x):
        b, n, d = x.shape
        q, k, v = self.qkv(self.norm1(x)).view(b, n, 3, self.heads, d // self.heads).permute(2, 0, 3, 1, 4).unbind(0)
        x = x + self.proj(F.scaled_dot_product_attention(q, k, v).transpose(1, 2).reshape(b, n, d))
        return x + self.fc2(F.gelu(self.fc1(self.norm2(x))))


class ViT(nn.Module):
    def __init__(self, width, heads, patch, size, depth=12):
        super().__init__()
        self.patch = nn.Conv2d(3, width, patch, patch)
        self.cls = nn.Parameter(torch.zeros(1, 1, width))
        self.pos = nn.Parameter(torch.randn(1, (size // patch) ** 2 + 1, width) * 0.02)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, x):
        x = self.patch(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls.expand(len(x), -1, -1), x], 1) + self.pos
        for block in self.blocks:
            x = block(x)
        return self.norm(x)[:, 0]


def rate(step, batch, seconds):
    """Images a second: the median of the steps, as lenticular reports it."""
    start = time.perf_counter()
    step()
    if time.perf_counter() - start < seconds:
        step()
    times = []
    while len(times) < 3 or sum(times) < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return batch / statistics.median(times)


def peers(model, task, precision, batch, with_compile):
    """Functions that run one batch, by name; compiled ones are compiled by their first call."""
    width, heads, patch, size = SIZES[model]
    dtype = torch.float32 if precision == "float32" else torch.bfloat16
    x = torch.randn(batch, 3, size, size)
    net = ViT(width, heads, patch, size)
    if task == "inference":
        if precision == "int8":
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # quantize_dynamic moves to another package
                quantized = torch.ao.quantization.quantize_dynamic(
                    copy.deepcopy(net).eval(), {nn.Linear: torch.ao.quantization.per_channel_dynamic_qconfig})
            pixels = x
        net = net.eval().to(dtype)
        x = x.to(dtype)

        def runner(f, x=x):
            def step():
                with torch.inference_mode():
                    f(x)
            return step

        result = {"eager": runner(net)}
        if precision == "int8":
            result["int8"] = runner(quantized, pixels)
        if with_compile:
            result["compile"] = runner(torch.compile(net))
        return result
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)

    def trainer(f):
        def step():
            optimizer.zero_grad()
            with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
                loss = f(x).float().square().mean()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
            optimizer.step()
        return step

    return {"eager": trainer(net)}


def ours(program, model, task, precision, batch, threads, seconds):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(
            [program, "bench", "backbone", "--models", model, "--tasks", task, "--precisions", precision, "--batch",
             str(batch), "--workers", str(threads), "--seconds", str(seconds), "--json", file.name],
            check=True, stdout=subprocess.DEVNULL)
        return json.load(open(file.name))["rows"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=".build/release/lenticular")
    parser.add_argument("--models", default="tiny,small,base")
    parser.add_argument("--tasks", default="inference,training")
    parser.add_argument("--precisions", default="float32,bfloat16,int8")
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    rows = []
    print(f"PyTorch {torch.__version__}, {options.threads} threads, batch {options.batch}, {options.rounds} rounds")
    print(f"{'model':9} {'task':10} {'precision':9} {'lenticular':>11} {'eager':>8} {'compile':>8} {'int8':>8} {'ratio':>6} {'outside':>8}")
    for model in options.models.split(","):
        for task in options.tasks.split(","):
            for precision in options.precisions.split(","):
                if task == "training" and (precision == "int8" or model == "small1024"):
                    continue
                batch = 1 if model == "small1024" else options.batch
                steps = peers(model, task, precision, batch, not options.no_compile)
                rates = {"lenticular": []} | {name: [] for name in steps}
                outside = []
                for _ in range(options.rounds):
                    row = ours(options.program, model, task, precision, batch, options.threads, options.seconds)
                    rates["lenticular"].append(row["median_images_per_second"])
                    outside.append(row["share_outside_products_and_attention"])
                    for name, step in steps.items():
                        rates[name].append(rate(step, batch, options.seconds))
                medians = {name: statistics.median(values) for name, values in rates.items()}
                best = max(value for name, value in medians.items() if name != "lenticular")
                ratio = medians["lenticular"] / best
                rows.append({"model": model, "task": task, "precision": precision, "batch": batch, "rates": rates,
                             "ratio_to_fastest_peer": ratio, "share_outside": statistics.median(outside)})
                others = " ".join(f"{medians[name]:8.3g}" if name in medians else f"{'':8}" for name in ("compile", "int8"))
                print(f"{model:9} {task:10} {precision:9} {medians['lenticular']:11.3g} {medians['eager']:8.3g} {others} "
                      f"{ratio:6.2f} {100 * statistics.median(outside):7.1f}%", flush=True)

    limits = {}
    for name, dtype in (("float32", torch.float32), ("bfloat16", torch.bfloat16)):
        a, b = torch.randn(2048, 2048).to(dtype), torch.randn(2048, 2048).to(dtype)
        limits[name] = rate(lambda: a @ b, 1, 1.0) * 2 * 2048**3 * 1e-9
    print("PyTorch's 2048 x 2048 products: " + ", ".join(f"{name} {value:.0f} GFLOP/s" for name, value in limits.items()))
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"torch": torch.__version__, "threads": options.threads, "rows": rows, "limits_gflops": limits}, file, indent=1)


if __name__ == "__main__":
    main()
