"""Complete training steps in PyTorch on random data: forward, loss, backward, SGD with momentum. Compare with benchmarks/step on a
CPU and with benchmarks/gpu/benchmark_gpu_step on a GPU.

    python step_torch.py --model alexnet --batch 128 --threads 2 --precision bf16 --layout channels_last --steps 5
    python step_torch.py --device cuda --model alexnet --batch 256 --precision bf16 --modes eager,graphs

Modes: eager; graphs (the whole eager step, update included, recorded as one CUDA graph); compile (torch.compile,
max-autotune-no-cudagraphs); compile-graphs (torch.compile, reduce-overhead). The batch is on the device before the first step.

Prints one JSON object for each mode. With --turns, for benchmark_gpu_step's --peer, it prints one object when all modes are ready and
then, for each line that it reads, measures --steps steps in each mode and prints {"seconds": {mode: seconds of a step}}.
"""

import argparse
import json
import statistics
import sys
import time


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="alexnet")
    parser.add_argument("--batch", type=int, default=128)
    parser.add_argument("--threads", type=int, default=0, help="CPU threads (default: 2, with --device cuda PyTorch's own)")
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--precision", choices=["fp32", "tf32", "bf16", "fp16"], default="fp32")
    parser.add_argument("--layout", choices=["contiguous", "channels_last"],
                        help="default: contiguous; with --device cuda channels_last except in fp32")
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--modes", default="eager", help="eager,graphs,compile,compile-graphs")
    parser.add_argument("--turns", action="store_true")
    return parser.parse_args()


class Steps:
    """The step of one network, as a function for each mode."""

    def __init__(self, options):
        import networks
        import torch

        self.torch, self.options = torch, options
        self.cuda = options.device == "cuda"
        if self.cuda and not torch.cuda.is_available():
            raise RuntimeError(f"PyTorch {torch.__version__} sees no GPU")
        if options.precision == "fp16" or (options.precision == "tf32" and not self.cuda):
            raise RuntimeError(f"there is no step in {options.precision} here")
        if options.threads or not self.cuda:
            torch.set_num_threads(options.threads or 2)
        torch.manual_seed(1)
        torch.backends.cudnn.benchmark = True
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
        network, side = networks.make(options.model)
        last = options.layout == "channels_last" or (
            options.layout is None and self.cuda and options.precision != "fp32")
        self.layout = "channels_last" if last else "contiguous"
        layout = torch.channels_last if last else torch.contiguous_format
        self.network = network.to(options.device, memory_format=layout)
        self.optimizer = torch.optim.SGD(network.parameters(), lr=0.0001, momentum=0.9, weight_decay=5e-4, fused=True)
        classes = 10 if options.model in ("alexnet-cifar", "alexnet-mini") else 1000
        self.pixels = torch.randn(options.batch, 3, side, side).to(options.device, memory_format=layout)
        self.labels = torch.randint(0, classes, (options.batch,)).to(options.device)

    def what(self):
        return f"PyTorch {self.torch.__version__}"

    def loss(self):
        # Each weight is cast once a step anyway, and a recorded graph must not hold casts of an earlier step.
        with self.torch.autocast(self.options.device, dtype=self.torch.bfloat16, enabled=self.options.precision == "bf16",
                                 cache_enabled=False):
            scores = self.network(self.pixels)
        return self.torch.nn.functional.cross_entropy(scores.float(), self.labels)

    def step_of(self, loss):
        def step():
            self.optimizer.zero_grad(set_to_none=True)
            loss().backward()
            self.optimizer.step()
        return step

    def recorded(self):
        torch, step = self.torch, self.step_of(self.loss)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(3):
                step()
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        self.optimizer.zero_grad(set_to_none=True)
        with torch.cuda.graph(graph):
            step()
        return graph.replay

    def make(self, mode):
        torch = self.torch
        if mode == "eager":
            return self.step_of(self.loss)
        if mode == "graphs" and self.cuda:
            return self.recorded()
        if mode == "compile":
            return self.step_of(torch.compile(self.loss, mode="max-autotune-no-cudagraphs" if self.cuda else "default"))
        if mode == "compile-graphs" and self.cuda:
            step = self.step_of(torch.compile(self.loss, mode="reduce-overhead"))

            def marked():
                torch.compiler.cudagraph_mark_step_begin()
                step()
            return marked
        raise RuntimeError(f"there is no mode {mode} on {self.options.device}")

    def wait(self):
        if self.cuda:
            self.torch.cuda.synchronize()

    def seconds(self, step, count):
        self.wait()
        start = time.monotonic()
        for _ in range(count):
            step()
        self.wait()
        return (time.monotonic() - start) / count


def prepared(steps, options):
    """Warm steps by mode, and for modes that failed the reason."""
    ready, refused = {}, {}
    for mode in options.modes.split(","):
        try:
            ready[mode] = steps.make(mode)
            steps.seconds(ready[mode], 8 if steps.cuda else 1)
        except Exception as error:  # a mode that is not served here does not take the others with it
            ready.pop(mode, None)
            refused[mode] = " ".join(str(error).split())[:200]
    return ready, refused


def say(record):
    print(json.dumps(record), flush=True)


def main():
    options = arguments()
    begin = time.monotonic()
    try:
        steps = Steps(options)
        ready, refused = prepared(steps, options)
        if not ready:
            raise RuntimeError("; ".join(f"{mode}: {why}" for mode, why in refused.items()))
    except Exception as error:
        if not options.turns:
            raise
        say({"error": f"{type(error).__name__}: {error}"})
        return 1
    if options.turns:
        say({"ready": True, "what": steps.what(), "refused": refused, "set_up_seconds": time.monotonic() - begin})
        for _ in sys.stdin:
            say({"seconds": {mode: steps.seconds(step, options.steps) for mode, step in ready.items()}})
        return 0
    for mode, why in refused.items():
        print(f"{mode}: {why}", file=sys.stderr)
    for mode, step in ready.items():
        count = 10 if steps.cuda else 1
        median = statistics.median(steps.seconds(step, count) for _ in range(options.steps))
        say({"what": steps.what(), "model": options.model, "batch": options.batch, "precision": options.precision,
             "layout": steps.layout, "device": options.device, "mode": mode, "threads": steps.torch.get_num_threads(),
             "step_seconds": median, "images_per_second": options.batch / median})
    return 0


if __name__ == "__main__":
    sys.exit(main())
