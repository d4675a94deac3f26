#!/usr/bin/env python3
"""A step of masked-autoencoder pre-training: lenticular and PyTorch in turns, on the same machine, with the same threads.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0+cpu --index-url https://download.pytorch.org/whl/cpu
    swift build -c release --product lenticular
    venv/bin/python benchmarks/training/pretrain_step.py --json pretrain.json

The model: images of 128 pixels and 3 channels in patches of 8, three quarters of them hidden; an encoder of width 256, 7 blocks
and 4 heads on 1 + 64 tokens; a decoder of width 128, 2 blocks and 4 heads on 257 tokens; mean squared error of the hidden
patches, each normalised. A step is forward, backward, clipping of the gradient's norm and AdamW, in bfloat16 with float32
weights (PyTorch: autocast, fused AdamW, scaled_dot_product_attention; eager and torch.compile, of which the faster counts).
lenticular is `lenticular bench backbone --models stamp128 --tasks pretraining`. Each round measures each once; the table has the
medians over the rounds.

The share of the product rate: operations of the products and attention by formula (three times those of the forward pass),
against the rate of one large bfloat16 product by PyTorch in the same run.
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import time

os.environ.pop("OPENBLAS_CORETYPE", None)

import torch
import torch.nn as nn
import torch.nn.functional as F

SIZE, PATCH, CHANNELS, WIDTH, DEPTH, HEADS = 128, 8, 3, 256, 7, 4
DECODER_WIDTH, DECODER_DEPTH, DECODER_HEADS = 128, 2, 4
PATCHES, PIXELS = (SIZE // PATCH) ** 2, CHANNELS * PATCH * PATCH
VISIBLE = PATCHES // 4


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


class MaskedAutoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embed = nn.Linear(PIXELS, WIDTH)
        self.cls = nn.Parameter(torch.zeros(1, 1, WIDTH))
        self.positions = nn.Parameter(torch.randn(1, PATCHES, WIDTH) * 0.02)
        self.blocks = nn.ModuleList([Block(WIDTH, HEADS) for _ in range(DEPTH)])
        self.norm = nn.LayerNorm(WIDTH, eps=1e-6)
        self.decoder_embed = nn.Linear(WIDTH, DECODER_WIDTH)
        self.mask_token = nn.Parameter(torch.zeros(1, 1, DECODER_WIDTH))
        self.decoder_positions = nn.Parameter(torch.randn(1, PATCHES, DECODER_WIDTH) * 0.02)
        self.decoder_blocks = nn.ModuleList([Block(DECODER_WIDTH, DECODER_HEADS) for _ in range(DECODER_DEPTH)])
        self.decoder_norm = nn.LayerNorm(DECODER_WIDTH, eps=1e-6)
        self.prediction = nn.Linear(DECODER_WIDTH, PIXELS)

    def forward(self, images, visible, hidden):
        """The loss; visible (B, 64) indices, hidden (B, 256) ones and zeros."""
        b, grid = len(images), SIZE // PATCH
        patches = images.view(b, CHANNELS, grid, PATCH, grid, PATCH).permute(0, 2, 4, 1, 3, 5).reshape(b, PATCHES, PIXELS)
        seen = torch.gather(patches, 1, visible.unsqueeze(-1).expand(-1, -1, PIXELS))
        x = self.embed(seen) + self.positions[0][visible]
        x = torch.cat([self.cls.expand(b, -1, -1), x], 1)
        for block in self.blocks:
            x = block(x)
        narrow = self.decoder_embed(self.norm(x))
        filled = self.mask_token.to(narrow.dtype).repeat(b, PATCHES, 1)
        filled = filled.scatter(1, visible.unsqueeze(-1).expand(-1, -1, DECODER_WIDTH), narrow[:, 1:])
        x = torch.cat([narrow[:, :1], filled + self.decoder_positions], 1)
        for block in self.decoder_blocks:
            x = block(x)
        predicted = self.prediction(self.decoder_norm(x[:, 1:]))
        mean = patches.mean(-1, keepdim=True)
        deviation = (patches.var(-1, keepdim=True) + 1e-6).sqrt()
        error = ((predicted.float() - (patches - mean) / deviation) ** 2).mean(-1)
        return (error * hidden).sum() / hidden.sum()


def forward_operations():
    """Of products and attention, for one image."""
    def block(tokens, width):
        return 2 * tokens * 12 * width * width + 4 * tokens * tokens * width
    encoder = DEPTH * block(1 + VISIBLE, WIDTH) + 2 * VISIBLE * PIXELS * WIDTH
    decoder = DECODER_DEPTH * block(1 + PATCHES, DECODER_WIDTH) + 2 * PATCHES * DECODER_WIDTH * PIXELS
    return encoder + decoder + 2 * (1 + VISIBLE) * WIDTH * DECODER_WIDTH


def trainer(net, compiled, batch):
    forward = torch.compile(net) if compiled else net
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)
    images = torch.randn(batch, CHANNELS, SIZE, SIZE)

    def step():
        optimizer.zero_grad()
        order = torch.rand(batch, PATCHES).argsort(1)
        visible = order[:, :VISIBLE].sort(1).values
        hidden = torch.ones(batch, PATCHES).scatter_(1, visible, 0)
        with torch.autocast("cpu", torch.bfloat16):
            loss = forward(images, visible, hidden)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return step


def rate(step, work, seconds):
    """Work a second: from the median of the steps."""
    step()
    times = []
    while len(times) < 3 or sum(times) < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return work / statistics.median(times)


def ours(options):
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        subprocess.run(
            [options.program, "bench", "backbone", "--models", "stamp128", "--tasks", "pretraining", "--precisions", "bfloat16",
             "--batch", str(options.batch), "--workers", str(options.threads), "--seconds", str(options.seconds), "--json",
             file.name],
            check=True, stdout=subprocess.DEVNULL)
        return json.load(open(file.name))["rows"][0]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=".build/release/lenticular")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=5.0, help="for each measurement")
    parser.add_argument("--no-compile", action="store_true")
    parser.add_argument("--json")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)

    a, b = (torch.randn(2048, 2048).bfloat16() for _ in range(2))
    steps = {"eager": trainer(MaskedAutoencoder(), False, options.batch)}
    if not options.no_compile:
        steps["compile"] = trainer(MaskedAutoencoder(), True, options.batch)
    rates = {name: [] for name in ["lenticular", *steps]}
    limits, outside = [], []
    for _ in range(options.rounds):
        row = ours(options)
        rates["lenticular"].append(row["median_images_per_second"])
        outside.append(row["share_outside_products_and_attention"])
        for name, step in steps.items():
            rates[name].append(rate(step, options.batch, options.seconds))
        limits.append(rate(lambda: a @ b, 2 * 2048**3, 1.0))
    limit, operations = statistics.median(limits), 3 * forward_operations()
    print(f"PyTorch {torch.__version__}, {options.threads} threads, batch {options.batch}, {options.rounds} rounds; "
          f"{operations * 1e-9:.2f} GFLOP an image; a large bfloat16 product runs at {limit * 1e-9:.0f} GFLOP/s")
    medians = {name: statistics.median(values) for name, values in rates.items()}
    for name, value in medians.items():
        spread = f"{min(rates[name]):.1f} to {max(rates[name]):.1f}"
        print(f"{name:12} {value:8.1f} images/s ({spread})  {100 * value * operations / limit:5.1f} % of the product rate")
    fastest = max(value for name, value in medians.items() if name != "lenticular")
    print(f"lenticular against the faster: {medians['lenticular'] / fastest:.2f} times; "
          f"{100 * statistics.median(outside):.1f} % of its time is outside products and attention")
    if options.json:
        with open(options.json, "w") as file:
            json.dump({"torch": torch.__version__, "threads": options.threads, "batch": options.batch, "rates": rates,
                       "product_rate": limit, "operations_an_image": operations,
                       "ratio": medians["lenticular"] / fastest}, file, indent=1)


if __name__ == "__main__":
    main()
