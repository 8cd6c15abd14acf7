#!/usr/bin/env python3
"""Reference values of every network in PyTorch, for tests/engine/test_pytorch_parity.cpp.

Builds each network of the family from torch.nn alone, gives it weights and images computed by formulas (the C++ test
uses the same formulas), and writes logits, loss and gradients, computed in double precision, as JSON. The tests read
the committed file; PyTorch is needed only to generate it again:

    python3 -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python benchmarks/peers/parity.py tests/engine/pytorch_figures.json
"""

import json
import math
import sys

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

ROWS = 2
LABELS = [3, 7]
MEAN = [123.5, 117.25, 104.75]
SCALE = 9 / 512  # exact in float32
SAMPLES = 8


def hash_words(ordinal, count):
    """32 pseudo-random bits for each of `count` elements (the finaliser of MurmurHash3)."""
    x = np.arange(count, dtype=np.uint64) * 0x9E3779B1 + (ordinal + 1) * 0x85EBCA6B
    x = (x & 0xFFFFFFFF).astype(np.uint32)
    with np.errstate(over="ignore"):
        x ^= x >> np.uint32(16)
        x *= np.uint32(0x85EBCA6B)
        x ^= x >> np.uint32(13)
        x *= np.uint32(0xC2B2AE35)
        x ^= x >> np.uint32(16)
    return x


def formula_values(ordinal, count, bound):
    """float32 values in [-bound, bound): 24 bits of hash, exact in float32, times float32(bound)."""
    unit = (hash_words(ordinal, count) >> np.uint32(8)).astype(np.float32) * np.float32(2.0**-23) - np.float32(1)
    return unit * np.float32(bound)


def fill(module, ordinal):
    """Weights uniform with gain 1.4, biases in [-0.1, 0.1)."""
    fan_in = module.weight[0].numel()
    weight = formula_values(2 * ordinal, module.weight.numel(), 1.4 * math.sqrt(3.0 / fan_in))
    bias = formula_values(2 * ordinal + 1, module.bias.numel(), 0.1)
    with torch.no_grad():
        module.weight.copy_(torch.from_numpy(weight).reshape(module.weight.shape))
        module.bias.copy_(torch.from_numpy(bias))


def images(side):
    """Network inputs: hashed pixels 0..255, minus the mean, scaled, in float32 as in the engines."""
    pixels = (hash_words(1000, ROWS * side * side * 3) >> np.uint32(24)).astype(np.float32)
    pixels = pixels.reshape(ROWS, side, side, 3)
    values = (pixels - np.array(MEAN, dtype=np.float32)) * np.float32(SCALE)
    return torch.from_numpy(values.transpose(0, 3, 1, 2).copy()).double()


class Pad(nn.Module):
    """Constant padding (before, after) in both axes."""

    def __init__(self, before, after, value):
        super().__init__()
        self.sides, self.value = (before, after, before, after), value

    def forward(self, x):
        return F.pad(x, self.sides, value=self.value)


def network(convolutions, side, groups=(1, 1, 1), lrn_k=None, pool_first=False, hidden=4096, classes=1000,
            pool_pad=(0, 0), adaptive=False):
    """convolutions: (filters, kernel, stride, pad before, pad after) of conv1 ... conv5; groups of conv2, 4, 5."""
    layers, channels = [], 3
    group_of = {1: groups[0], 3: groups[1], 4: groups[2]}
    pool = [Pad(*pool_pad, -math.inf), nn.MaxPool2d(3, 2)]
    for i, (filters, kernel, stride, before, after) in enumerate(convolutions):
        layers += [Pad(before, after, 0.0), nn.Conv2d(channels, filters, kernel, stride, groups=group_of.get(i, 1)),
                   nn.ReLU()]
        channels = filters
        if i < 2:
            norm = [] if lrn_k is None else [nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=lrn_k)]
            layers += pool + norm if pool_first else norm + pool
    layers += pool
    if adaptive:
        layers.append(nn.AdaptiveAvgPool2d(6))
    layers.append(nn.Flatten())
    with torch.no_grad():
        flat = nn.Sequential(*layers)(torch.zeros(1, 3, side, side)).numel()
    layers += [nn.Linear(flat, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU(), nn.Linear(hidden, classes)]
    return nn.Sequential(*layers), side


def rest(conv2=256, conv4=384):
    return [(conv2, 5, 1, 2, 2), (384, 3, 1, 1, 1), (conv4, 3, 1, 1, 1), (256, 3, 1, 1, 1)]


PLAIN = [(96, 11, 4, 0, 0)] + rest()
NETWORKS = {
    "alexnet": lambda: network(PLAIN, 227, (2, 2, 2), lrn_k=2.0),
    "alexnet-ungrouped": lambda: network(PLAIN, 227),
    "alexnet-ungrouped-lrn": lambda: network(PLAIN, 227, lrn_k=1.0),
    "alexnet-padded": lambda: network([(96, 11, 4, 2, 2)] + rest(), 224),
    "alexnet-owt": lambda: network([(64, 11, 4, 2, 2)] + rest(192, 256), 224, adaptive=True),
    "alexnet-owt@250": lambda: network([(64, 11, 4, 2, 2)] + rest(192, 256), 250, adaptive=True),
    "caffe-alexnet": lambda: network(PLAIN, 227, (2, 2, 2), lrn_k=1.0),
    "caffenet": lambda: network(PLAIN, 227, (2, 2, 2), lrn_k=1.0, pool_first=True),
    "alexnet-cifar": lambda: network([(96, 11, 4, 3, 4)] + rest(), 32, classes=10, pool_pad=(0, 1)),
    "alexnet-mini": lambda: network([(48, 5, 2, 2, 2), (96, 5, 1, 2, 2), (128, 3, 1, 1, 1), (128, 3, 1, 1, 1),
                                     (96, 3, 1, 1, 1)], 64, hidden=512, classes=10),
}
LAYERS = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]


def rounded(values):
    return [float(f"{v:.9g}") for v in values]


def sample_places(count):
    """Places spread over a tensor by a stride that shares no factor with its sides."""
    return [(i * (count // SAMPLES | 1) + 11 * i) % count for i in range(SAMPLES)]


def figures(name):
    model, side = NETWORKS[name]()
    weighted = [m for m in model if isinstance(m, (nn.Conv2d, nn.Linear))]
    for ordinal, module in enumerate(weighted):
        fill(module, ordinal)
    model.double()
    scores = model(images(side))
    loss = F.cross_entropy(scores, torch.tensor(LABELS), reduction="sum")
    (loss / ROWS).backward()
    gradients = {}
    for layer, module in zip(LAYERS, weighted):
        for kind in ("weight", "bias"):
            gradient = getattr(module, kind).grad.reshape(-1)
            gradients[f"{layer}/{kind}"] = rounded(
                [gradient.norm().item()] + [gradient[i].item() for i in sample_places(gradient.numel())])
    return {
        "input_side": side,
        "parameters": sum(p.numel() for p in model.parameters()),
        "loss": rounded([loss.item()])[0],
        "score_norm": rounded([scores.norm().item()])[0],
        "scores": [rounded(row[:10].tolist()) for row in scores],
        "gradients": gradients,
    }


def main():
    torch.set_num_threads(2)
    result = {"torch": torch.__version__, "networks": {}}
    for name in NETWORKS:
        print(name, file=sys.stderr)
        result["networks"][name] = figures(name)
    with open(sys.argv[1], "w", encoding="utf-8") as file:
        json.dump(result, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
