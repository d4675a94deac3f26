#!/usr/bin/env python3
"""The auto-encoders that find outliers: lenticular and PyTorch in turns, on the same machine, with the same threads.

    python3 -m venv venv && venv/bin/pip install torch==2.13.0+cpu --index-url https://download.pytorch.org/whl/cpu
    venv/bin/pip install safetensors numpy
    swift build -c release --product lenticular
    venv/bin/python benchmarks/outliers/cae_step.py

First it loads the weights that `lenticular bench autoencoder --export` wrote into the same networks and compares their answers.
Then it measures a training step on random stamps of 3 x 64 x 64 in batches of 64: forward, mean squared error, backward, clipping
of the gradient's norm and AdamW; in float32 and in bfloat16 (PyTorch: autocast, fused AdamW; eager, channels_last, and
torch.compile, of which the fastest counts). Each round measures each once; the table has the medians over the rounds.
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
from safetensors.torch import load_file

CHANNELS, SIZE, LATENT = 3, 64, 64
KINDS, WIDTHS = ("cae", "attcae"), [16, 32, 64, 128]


class Attention(nn.Module):
    """Channel, then spatial attention (arXiv 1807.06521)."""

    def __init__(self, width):
        super().__init__()
        inner = max(4, width // 8)
        self.squeeze = nn.Linear(width, inner)
        self.excite = nn.Linear(inner, width)
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x):
        def answer(pooled):
            return self.excite(F.relu(self.squeeze(pooled)))
        channels = torch.sigmoid(answer(x.mean((2, 3))) + answer(x.amax((2, 3))))
        x = x * channels[:, :, None, None]
        places = self.spatial(torch.cat([x.mean(1, keepdim=True), x.amax(1, keepdim=True)], 1))
        return x * torch.sigmoid(places)


class Autoencoder(nn.Module):
    def __init__(self, kind):
        super().__init__()
        widths = WIDTHS
        self.side = SIZE >> len(widths)
        count = self.side**2 * widths[-1]
        self.encoder = nn.ModuleList(
            nn.Conv2d(a, b, 3, stride=2, padding=1) for a, b in zip([CHANNELS, *widths], widths))
        self.attention = nn.ModuleDict(
            {str(i): Attention(widths[i]) for i in range(1, len(widths))} if kind == "attcae" else {})
        self.to_latent = nn.Linear(count, LATENT)
        self.from_latent = nn.Linear(LATENT, count)
        falling = widths[::-1]
        self.decoder = nn.ModuleList(
            nn.ConvTranspose2d(a, b, 4, stride=2, padding=1) for a, b in zip(falling, falling[1:]))
        self.head = nn.Conv2d(widths[0], 4 * CHANNELS, 3, padding=1)

    def latent(self, x):
        for i, convolution in enumerate(self.encoder):
            x = F.relu(convolution(x))
            if str(i) in self.attention:
                x = self.attention[str(i)](x)
        return self.to_latent(x.flatten(1))

    def forward(self, x):
        x = F.relu(self.from_latent(self.latent(x))).view(-1, WIDTHS[-1], self.side, self.side)
        for layer in self.decoder:
            x = F.relu(layer(x))
        return F.pixel_shuffle(self.head(x), 2)


def agreement(folder, kind):
    net = Autoencoder(kind)
    net.load_state_dict(load_file(f"{folder}/{kind}.safetensors"))
    answers = load_file(f"{folder}/{kind}-answers.safetensors")
    with torch.no_grad():
        latent, reconstruction = net.latent(answers["images"]), net(answers["images"])

    def difference(a, b):
        return ((a - b).abs().max() / b.abs().max()).item()
    print(f"{kind}: {sum(p.numel() for p in net.parameters())} parameters; largest difference over largest value: latent "
          f"{difference(answers['latent'], latent):.1e}, reconstruction "
          f"{difference(answers['reconstruction'], reconstruction):.1e}")


def trainer(kind, precision, mode, batch):
    net = Autoencoder(kind)
    images = torch.randn(batch, CHANNELS, SIZE, SIZE)
    if mode == "channels_last":
        net, images = net.to(memory_format=torch.channels_last), images.to(memory_format=torch.channels_last)
    forward = torch.compile(net) if mode == "compile" else net
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            answer = forward(images)
        F.mse_loss(answer.float(), images).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return step


def rate(step, batch, seconds):
    step()
    times = []
    while len(times) < 3 or sum(times) < seconds:
        start = time.perf_counter()
        step()
        times.append(time.perf_counter() - start)
    return batch / statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=".build/release/lenticular")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    parser.add_argument("--no-compile", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    modes = ["eager", "channels_last"] + ([] if options.no_compile else ["compile"])
    steps = {(kind, precision, mode): trainer(kind, precision, mode, options.batch)
             for kind in KINDS for precision in ("float32", "bfloat16") for mode in modes}
    rates = {}
    with tempfile.TemporaryDirectory() as folder:
        for number in range(options.rounds):
            subprocess.run(
                [options.program, "bench", "autoencoder", "--workers", str(options.threads), "--batch", str(options.batch),
                 "--seconds", str(options.seconds), "--json", f"{folder}/rows.json", "--export", folder],
                check=True, stdout=subprocess.DEVNULL)
            for row in json.load(open(f"{folder}/rows.json")):
                rates.setdefault((row["kind"], row["precision"], "lenticular"), []).append(row["stamps_per_second"])
            for key, step in steps.items():
                rates.setdefault(key, []).append(rate(step, options.batch, options.seconds))
            if number == 0:
                for kind in KINDS:
                    agreement(folder, kind)
    print(f"PyTorch {torch.__version__}, {options.threads} threads, batch {options.batch}, {options.rounds} rounds; "
          "stamps a second, median (lowest to highest)")
    for kind in KINDS:
        for precision in ("float32", "bfloat16"):
            medians = {}
            for mode in ["lenticular", *modes]:
                values = rates[(kind, precision, mode)]
                medians[mode] = statistics.median(values)
                print(f"{kind:7} {precision:9} {mode:14} {medians[mode]:8.0f} ({min(values):.0f} to {max(values):.0f})")
            fastest = max(value for mode, value in medians.items() if mode != "lenticular")
            print(f"{kind:7} {precision:9} lenticular against the fastest: {medians['lenticular'] / fastest:.2f} times")


if __name__ == "__main__":
    main()
