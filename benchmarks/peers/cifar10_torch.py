"""The recipe of configs/cifar10.cfg in PyTorch: alexnet-cifar, Adam with one epoch of warm-up, rotation, shift and mirror,
on the same images.

    python cifar10_torch.py --train train.tar --val val.tar --epochs 5 --seeds 1 2 3 --output curves.jsonl

Reads tars of <class>/<name>.jpg; prints one JSON object per epoch.
"""

import argparse
import io
import json
import math
import tarfile
import time

import numpy
import torch
from PIL import Image
from torch.nn import functional

import networks


def read_tar(path, classes=None):
    images, labels = [], []
    with tarfile.open(path) as tar:
        members = [m for m in tar if m.isfile() and m.name.lower().endswith((".jpg", ".png"))]
        folders = [m.name.split("/")[-2] for m in members]
        classes = classes or sorted(set(folders))
        for member, folder in zip(members, folders):
            images.append(numpy.asarray(Image.open(io.BytesIO(tar.extractfile(member).read())).convert("RGB")))
            labels.append(classes.index(folder))
    pixels = torch.from_numpy(numpy.stack(images)).permute(0, 3, 1, 2).contiguous()
    return pixels, torch.tensor(labels), classes


def augment(batch, generator):
    """Rotation ±15°, shift ±10 %, mirror; one inverse warp about the centre, nearest fill, bilinear."""
    count, side = batch.shape[0], batch.shape[-1]
    centre = (side - 1) / 2

    def uniform(limit):
        return (torch.rand(count, generator=generator) * 2 - 1) * limit

    angle, shift_x, shift_y = uniform(math.radians(15)), uniform(0.1 * side), uniform(0.1 * side)
    flip = torch.rand(count, generator=generator) < 0.5
    axis = torch.arange(side, dtype=torch.float32) - centre
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    x = torch.where(flip[:, None, None], -x, x.expand(count, -1, -1)) - shift_x[:, None, None]
    y = y.expand(count, -1, -1) - shift_y[:, None, None]
    cosine, sine = angle.cos()[:, None, None], angle.sin()[:, None, None]
    grid = torch.stack((cosine * x + sine * y, -sine * x + cosine * y), dim=-1) / centre
    return functional.grid_sample(batch, grid, mode="bilinear", padding_mode="border", align_corners=True)


def evaluate(network, pixels, labels):
    network.eval()
    correct, loss = 0, 0.0
    with torch.no_grad():
        for begin in range(0, len(labels), 500):
            scores = network(pixels[begin:begin + 500].float() / 255)
            target = labels[begin:begin + 500]
            correct += int((scores.argmax(1) == target).sum())
            loss += float(functional.cross_entropy(scores, target, reduction="sum"))
    network.train()
    return correct / len(labels), loss / len(labels)


def train(seed, train_set, val_set, options, output):
    torch.manual_seed(seed)
    generator = torch.Generator().manual_seed(seed)
    network, _ = networks.make("alexnet-cifar")
    networks.initialise_glorot(network)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3, eps=1e-7, fused=True)
    pixels, labels = train_set
    steps_per_epoch, step = math.ceil(len(labels) / 64), 0
    for epoch in range(1, options.epochs + 1):
        start, order, loss_sum = time.monotonic(), torch.randperm(len(labels), generator=generator), 0.0
        for begin in range(0, len(order), 64):
            chosen = order[begin:begin + 64]
            optimizer.param_groups[0]["lr"] = 1e-3 * min(1.0, step / steps_per_epoch)
            step += 1
            scores = network(augment(pixels[chosen].float() / 255, generator))
            loss = functional.cross_entropy(scores, labels[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            loss_sum += float(loss.detach()) * len(chosen)
        seconds = time.monotonic() - start
        top1, val_loss = evaluate(network, *val_set)
        record = {"seed": seed, "epoch": epoch, "loss": loss_sum / len(labels), "top1": top1, "validation_loss": val_loss,
                  "images_per_second": len(labels) / seconds}
        print(json.dumps(record), file=output, flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--train", required=True)
    parser.add_argument("--val", required=True)
    parser.add_argument("--epochs", type=int, default=5)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--output", type=argparse.FileType("w"), default="-")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    pixels, labels, classes = read_tar(options.train)
    val_pixels, val_labels, _ = read_tar(options.val, classes)
    for seed in options.seeds:
        train(seed, (pixels, labels), (val_pixels, val_labels), options, options.output)


if __name__ == "__main__":
    main()
