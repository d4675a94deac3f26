#!/usr/bin/env python3
"""ResNet18 (He et al. 2016, arXiv 1512.03385) on the labels of `lenticular bench labels`.

    resnet18.py pack --splits OUT/splits.json -o data.npz          # image files and splits in one file
    resnet18.py run data.npz -o resnet18.json [--seeds 5] [--size 96]

Needs torch, numpy and Pillow. Each run trains on the first n labels of its seed's order, from random weights, with random
turns, mirrors, scale and shift; a GPU is used where there is one, with a process for each seed. The result is joined to ours by
`lenticular bench labels … --join resnet18.json`.
"""
import argparse
import io
import json
import multiprocessing
import time

import numpy as np


def pack(arguments):
    with open(arguments.splits) as file:
        splits = json.load(file)
    contents = []
    for path in splits["files"]:
        with open(path, "rb") as file:
            contents.append(file.read())
    splits["files"] = []
    np.savez(
        arguments.output, splits=np.array(json.dumps(splits)), bytes=np.frombuffer(b"".join(contents), np.uint8),
        lengths=np.array([len(c) for c in contents]))


def unpack(path, size):
    """Splits, and images as (N, 3, size, size) uint8."""
    from PIL import Image

    data = np.load(path)
    splits = json.loads(str(data["splits"]))
    everything, images, start = data["bytes"].tobytes(), [], 0
    for length in data["lengths"]:
        picture = Image.open(io.BytesIO(everything[start:start + length])).convert("RGB")
        images.append(np.asarray(picture.resize((size, size), Image.BOX if picture.width > size else Image.BICUBIC)))
        start += length
    return splits, np.stack(images).transpose(0, 3, 1, 2)


def network(classes):
    """The published network: a 7 × 7 convolution with stride 2, maximum, four stages of two blocks, mean, linear."""
    from torch import nn

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.first = nn.Conv2d(inputs, outputs, 3, stride, 1, bias=False)
            self.norm1 = nn.BatchNorm2d(outputs)
            self.second = nn.Conv2d(outputs, outputs, 3, 1, 1, bias=False)
            self.norm2 = nn.BatchNorm2d(outputs)
            self.short = nn.Identity() if stride == 1 and inputs == outputs else nn.Sequential(
                nn.Conv2d(inputs, outputs, 1, stride, bias=False), nn.BatchNorm2d(outputs))
            self.relu = nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.norm2(self.second(self.relu(self.norm1(self.first(x)))))
            return self.relu(y + self.short(x))

    widths, stages, inputs = [64, 128, 256, 512], [], 64
    for stage, width in enumerate(widths):
        stages += [Block(inputs, width, 1 if stage == 0 else 2), Block(width, width, 1)]
        inputs = width
    result = nn.Sequential(
        nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1), *stages,
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))
    for module in result.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return result


def area(scores, positive):
    """Area under the ROC curve by ranks, ties counting half."""
    _, inverse, counts = np.unique(scores, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[inverse]
    p, n = positive.sum(), (~positive).sum()
    return (ranks[positive].sum() - p * (p + 1) / 2) / (p * n)


def augment(images, generator):
    """Any turn, mirrors, scale 0.75 … 1.05, shift 6 %; outside the image its edge is mirrored."""
    import torch

    n, device = len(images), images.device

    def uniform(low, high):
        return low + (high - low) * torch.rand(n, device=device, generator=generator)

    angle, scale = uniform(0, 2 * np.pi), uniform(0.75, 1.05)
    mirror = torch.where(uniform(0, 1) < 0.5, -1.0, 1.0)
    cos, sin = torch.cos(angle) * scale, torch.sin(angle) * scale
    rows = [torch.stack([cos * mirror, -sin, uniform(-0.12, 0.12)], 1),
            torch.stack([sin * mirror, cos, uniform(-0.12, 0.12)], 1)]
    grid = torch.nn.functional.affine_grid(torch.stack(rows, 1), images.shape, align_corners=False)
    return torch.nn.functional.grid_sample(images, grid, padding_mode="reflection", align_corners=False)


def train(task, seed, count, images, arguments, device):
    import torch

    torch.manual_seed(seed * 1000 + count)
    generator = torch.Generator(device=device).manual_seed(seed * 1000 + count)
    places = np.array(task["images"])
    labels = torch.tensor(task["labels"], device=device)
    chosen = torch.tensor(task["orders"][seed][:count], device=device)
    pool = images[torch.tensor(places, device=device)]
    model = network(len(task["classes"])).to(device, memory_format=torch.channels_last)
    batch = min(64, max(8, count))
    # 60 epochs, but enough steps to learn from a few labels.
    steps = max(arguments.steps, int(np.ceil(60 * count / batch)))
    optimizer = torch.optim.AdamW(model.parameters(), lr=arguments.rate, weight_decay=0.05, fused=device != "cpu")
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, arguments.rate, total_steps=steps, pct_start=0.1)
    order = torch.cat([torch.randperm(count, device=device, generator=generator)
                       for _ in range(steps * batch // count + 1)])
    model.train()
    for step in range(steps):
        index = chosen[order[step * batch:(step + 1) * batch]]
        x = augment(pool[index].float().sub_(127.5).div_(64), generator).contiguous(memory_format=torch.channels_last)
        with torch.autocast(device.split(":")[0], torch.bfloat16, enabled=device != "cpu"):
            loss = torch.nn.functional.cross_entropy(model(x).float(), labels[index], label_smoothing=0.05)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        optimizer.step()
        schedule.step()
    model.eval()
    test = torch.tensor(task["test"], device=device)
    with torch.no_grad():
        logits = torch.cat([
            # Eight views, as the other methods may have them.
            sum(model(torch.rot90(x, turn, (2, 3)).contiguous(memory_format=torch.channels_last)).float()
                for x in (part, part.flip(3)) for turn in range(4)) / 8
            for part in (pool[test].float().sub_(127.5).div_(64)).split(256)])
    scores = torch.softmax(logits, 1).cpu().numpy()
    truth = labels[test].cpu().numpy()
    return float(np.mean([area(scores[:, k], truth == k) for k in range(scores.shape[1]) if (truth == k).any()]))


def worker(job):
    import torch

    seed, arguments = job
    torch.set_num_threads(max(1, multiprocessing.cpu_count() // arguments.seeds))
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.backends.cudnn.benchmark = True
    splits, pixels = unpack(arguments.data, arguments.size)
    images = torch.from_numpy(pixels).to(device)
    result, start = {}, time.time()
    for task in splits["tasks"]:
        for count in splits["counts"]:
            if arguments.counts and count not in arguments.counts:
                continue
            result[task["name"], count] = train(task, seed, count, images, arguments, device)
            print(f"seed {seed} {task['name']} {count} labels: AUC {result[task['name'], count]:.4f} "
                  f"({time.time() - start:.0f} s)", flush=True)
    return result


def run(arguments):
    splits = json.loads(str(np.load(arguments.data)["splits"]))
    arguments.seeds = min(arguments.seeds, len(splits["tasks"][0]["orders"]))
    jobs = [(seed, arguments) for seed in range(arguments.seeds)]
    with multiprocessing.get_context("spawn").Pool(arguments.seeds) as pool:
        parts = pool.map(worker, jobs, chunksize=1)
    curves = []
    for task in splits["tasks"]:
        counts = [c for c in splits["counts"] if (task["name"], c) in parts[0]]
        curves.append({
            "task": task["name"], "method": "ResNet18 (PyTorch)", "labels": counts,
            "auc": [[part[task["name"], count] for part in parts] for count in counts]})
    with open(arguments.output, "w") as file:
        json.dump({"program": f"resnet18.py, {arguments.size} pixels", "curves": curves}, file, indent=1)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("pack")
    command.add_argument("--splits", required=True)
    command.add_argument("-o", "--output", required=True)
    command.set_defaults(function=pack)
    command = commands.add_parser("run")
    command.add_argument("data")
    command.add_argument("-o", "--output", required=True)
    command.add_argument("--seeds", type=int, default=5)
    command.add_argument("--size", type=int, default=96)
    command.add_argument("--steps", type=int, default=300, help="the least number of steps of a run")
    command.add_argument("--rate", type=float, default=1e-3)
    command.add_argument("--counts", type=lambda text: [int(n) for n in text.split(",")], help="only these numbers of labels")
    command.set_defaults(function=run)
    arguments = parser.parse_args()
    arguments.function(arguments)


if __name__ == "__main__":
    main()
