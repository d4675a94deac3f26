#!/usr/bin/env python3
"""Training of small heads: lenticular and PyTorch in turns, on the same machine, with the same threads.

    venv/bin/python benchmarks/training/heads.py            # set up as pretrain_step.py says

dense: 512 -> 256 -> 5 with GELU on cached vectors, batch 256. unet: 3 x 3 convolutions of 16 to 64 channels on 16 images of 128
pixels (PyTorch in channels-last). A step is forward, backward, clipping and (fused) AdamW, in float32 and in bfloat16 by
autocast. Samples a second from the median step of each; medians over the rounds.
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


class UNet(nn.Module):
    shapes = [(3, 16, 3), (16, 16, 3), (16, 32, 3), (32, 32, 3), (32, 64, 3), (64, 64, 3), (96, 32, 3), (48, 16, 3), (16, 1, 1)]

    def __init__(self):
        super().__init__()
        self.conv = nn.ModuleList([nn.Conv2d(i, o, k, padding=k // 2) for i, o, k in self.shapes])

    def forward(self, x):
        c = self.conv
        fine = F.relu(c[1](F.relu(c[0](x))))
        middle = F.relu(c[3](F.relu(c[2](F.max_pool2d(fine, 2)))))
        coarse = F.relu(c[5](F.relu(c[4](F.max_pool2d(middle, 2)))))
        up = F.relu(c[6](torch.cat([F.interpolate(coarse, scale_factor=2), middle], 1)))
        return c[8](F.relu(c[7](torch.cat([F.interpolate(up, scale_factor=2), fine], 1))))


def step(subject, precision):
    if subject == "dense":
        net, x, target = nn.Sequential(nn.Linear(512, 256), nn.GELU(), nn.Linear(256, 5)), torch.randn(256, 512), torch.arange(256) % 5
        loss = F.cross_entropy
    else:
        net = UNet().to(memory_format=torch.channels_last)
        x = torch.randn(16, 3, 128, 128).to(memory_format=torch.channels_last)
        target, loss = torch.randn(16, 1, 128, 128), F.mse_loss
    optimizer = torch.optim.AdamW(net.parameters(), 1e-4, fused=True)

    def run():
        optimizer.zero_grad()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
            y = net(x)
        loss(y.float(), target).backward()
        torch.nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
    return run, len(x)


def rate(run, batch, seconds):
    run()
    times = []
    while len(times) < 3 or sum(times) < seconds:
        start = time.perf_counter()
        run()
        times.append(time.perf_counter() - start)
    return batch / statistics.median(times)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", default=".build/release/lenticular")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=2.0, help="for each measurement")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    rows = [(s, p) for s in ("dense", "unet") for p in ("float32", "bfloat16")]
    peers = {row: step(*row) for row in rows}
    rates = {row: ([], []) for row in rows}
    for _ in range(options.rounds):
        with tempfile.NamedTemporaryFile(suffix=".json") as file:
            subprocess.run([options.program, "bench", "heads", "--workers", str(options.threads), "--seconds",
                            str(options.seconds), "--json", file.name], check=True, stdout=subprocess.DEVNULL)
            for row in json.load(open(file.name)):
                rates[row["subject"], row["precision"]][0].append(row["samples_per_second"])
        for row, (run, batch) in peers.items():
            rates[row][1].append(rate(run, batch, options.seconds))
    print(f"PyTorch {torch.__version__}, {options.threads} threads, {options.rounds} rounds; samples a second")
    for (subject, precision), (ours, theirs) in rates.items():
        a, b = statistics.median(ours), statistics.median(theirs)
        print(f"{subject:6} {precision:9} lenticular {a:9.4g}  PyTorch {b:9.4g}  ratio {a / b:.2f}")


if __name__ == "__main__":
    main()
