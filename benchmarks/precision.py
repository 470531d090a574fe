"""Which precision and memory layout train fastest on this machine, and how far is that from what it could do?

For each network: seconds per training step and windows per second in float32 and bfloat16, contiguous and channels
last, next to the floor: the step's floating point operations (counted by torch) over the rate of a large matrix product
measured in the same run. The defaults `precision: auto` and `channels_last: auto` follow from this table.

    python benchmarks/precision.py --threads 2 --base-width 16
"""

import itertools

import measuring
import torch
from torch.utils.flop_counter import FlopCounterMode

from densecell.devices import Computation, choose_device
from densecell.networks import build_network

WINDOWS = {"hybrid_2d3d_333": (5, 160, 160), "unet_2d": (1, 252, 252)}


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--base-width", type=int, default=16)
    parser.add_argument("--norm", default="instance")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a small network, once: does it run")
    args = parser.parse_args(argv)
    if args.quick:
        args.base_width, args.repeats = 2, 1
    torch.set_num_threads(args.threads)
    device = choose_device(args.device)
    peak = {p: measuring.matrix_rate(p, device) for p in ("float32", "bfloat16")}
    rows = []
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
        seconds = measuring.median(measuring.paired({"step": step}, args.repeats, 1, device))["step"]
        flops = counter.get_total_flops()
        layout = "channels last" if last else "contiguous"
        rows.append([name, precision, layout, seconds, 1 / seconds, flops / 1e9, flops / seconds / peak[precision]])
    columns = ("network", "precision", "layout", "s/step", "windows/s", "GFLOP/step", "share of the matrix rate")
    products = ", ".join(f"{k} {v / 1e9:.0f} GFLOP/s" for k, v in peak.items())
    notes = [f"Base width {args.base_width}. Matrix product: {products}."]
    measuring.report("precision", columns, rows, args, notes=notes, device=device)


if __name__ == "__main__":
    main()
