"""Complete training steps in PyTorch on random data: forward, loss, backward, SGD with momentum. Compare with benchmarks/step.

    python step_torch.py --model alexnet --batch 128 --threads 2 --precision bf16 --layout channels_last --steps 5
"""

import argparse
import json
import statistics
import time

import torch
from torch.nn import functional

import networks


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="alexnet", choices=sorted(networks.NETWORKS))
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--precision", choices=["fp32", "bf16"], default="fp32")
    parser.add_argument("--layout", choices=["contiguous", "channels_last"], default="contiguous")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(1)
    network, side = networks.make(options.model)
    layout = torch.channels_last if options.layout == "channels_last" else torch.contiguous_format
    network = network.to(memory_format=layout)
    optimizer = torch.optim.SGD(network.parameters(), lr=0.01, momentum=0.9, weight_decay=5e-4, fused=True)
    classes = 10 if options.model == "alexnet-cifar" else 1000
    pixels = torch.randn(options.batch, 3, side, side).to(memory_format=layout)
    labels = torch.randint(0, classes, (options.batch,))

    def step():
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=options.precision == "bf16"):
            scores = network(pixels)
        loss = functional.cross_entropy(scores.float(), labels)
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    step()
    seconds = []
    for _ in range(options.steps):
        start = time.monotonic()
        step()
        seconds.append(time.monotonic() - start)
    median = statistics.median(seconds)
    print(json.dumps({"what": "PyTorch " + torch.__version__, "model": options.model, "batch": options.batch,
                      "precision": options.precision, "layout": options.layout, "threads": options.threads,
                      "step_seconds": median, "images_per_second": options.batch / median}))


if __name__ == "__main__":
    main()
