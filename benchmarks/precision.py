"""Which precision and memory layout train fastest on this machine, and how far is that from what it could do?

For each network: seconds per training step and windows per second in float32 and bfloat16, contiguous and channels
last, next to the floor: the step's floating point operations (counted by torch) over the rate of a large matrix product
measured in the same run. The defaults `precision: auto` and `channels_last: auto` follow from this table.

    python benchmarks/precision.py --threads 2 --base-width 16
"""

import argparse
import itertools
import statistics
import sys
import time
from pathlib import Path

import torch
from torch.utils.flop_counter import FlopCounterMode

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "workflow" / "scripts"))

from densecell.devices import Computation, choose_device
from densecell.networks import build_network

WINDOWS = {"hybrid_2d3d_333": (5, 160, 160), "unet_2d": (1, 252, 252)}


def timed(function, device, n):
    """Median seconds of `function` over n calls after two warm-up calls."""
    seconds = []
    for _ in range(n + 2):
        if device.type == "cuda":
            torch.cuda.synchronize()
        started = time.perf_counter()
        function()
        if device.type == "cuda":
            torch.cuda.synchronize()
        seconds.append(time.perf_counter() - started)
    return statistics.median(seconds[2:])


def matrix_rate(dtype, device, n=2048):
    """Operations per second of an n x n matrix product."""
    a, b = (torch.randn(n, n, device=device, dtype=dtype) for _ in range(2))
    return 2 * n**3 / timed(lambda: a @ b, device, 5)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--base-width", type=int, default=16)
    parser.add_argument("--norm", default="instance")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=5)
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    peak = {p: matrix_rate(getattr(torch, p), device) for p in ("float32", "bfloat16")}
    print(
        f"{device}, {args.threads} threads; matrix product: "
        + ", ".join(f"{k} {v / 1e9:.0f} GFLOP/s" for k, v in peak.items())
    )
    print("| network | precision | layout | s/step | windows/s | GFLOP/step | share of the matrix rate |")
    print("|---|---|---|---|---|---|---|")
    for name, precision, last in itertools.product(WINDOWS, ("float32", "bfloat16"), (False, True)):
        computation = Computation(args.device, precision, last)
        torch.manual_seed(0)
        network = computation.place(build_network(name, base_width=args.base_width, norm=args.norm))
        x = torch.randn(1, 1, *WINDOWS[name])

        def step(network=network, computation=computation, x=x):
            loss = sum(o.float().logsumexp(1).mean() for o in computation.forward(network, x))
            network.zero_grad()
            loss.backward()

        with FlopCounterMode(display=False) as counter:
            step()
        seconds = timed(step, device, args.repeats)
        flops = counter.get_total_flops()
        layout = "channels last" if last else "contiguous"
        share = flops / seconds / peak[precision]
        print(
            f"| {name} | {precision} | {layout} | {seconds:.3f} | {1 / seconds:.2f} | {flops / 1e9:.1f} | {share:.2f} |",
            flush=True,
        )


if __name__ == "__main__":
    main()
