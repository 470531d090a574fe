"""How well is a prediction's memory known beforehand? A process's growth in forward passes against the estimate of it.

Each case runs in a process of its own, as a prediction runs it (`devices.tune_cpu`, `command_line.few_arenas`): the network, three passes over one window,
VmHWM before and after. `live` are the bytes of tensors that exist at once (`networks/memory.py`), `estimate` is what
predictions count with (`tile_choice.resident_bytes`). The ratio is growth over estimate: above 1 a prediction would take
more than it said.

    python benchmarks/forward_memory.py
"""

import json
import subprocess
import sys

import measuring

# network, options, window
CASES = [
    ("hybrid_2d3d_333", {"base_width": 8}, (5, 256, 256)),
    ("hybrid_2d3d_333", {"base_width": 8}, (5, 512, 512)),
    ("hybrid_2d3d_333", {"base_width": 8}, (5, 1000, 1000)),
    ("hybrid_2d3d_333", {"base_width": 8, "norm": "instance"}, (5, 512, 512)),
    ("hybrid_2d3d_333", {"base_width": 32}, (5, 512, 512)),
    ("hybrid_2d3d_333", {"base_width": 64}, (5, 296, 296)),
    ("unet_2d", {"base_width": 8}, (1, 1212, 1212)),
    ("unet_2d", {"base_width": 32}, (1, 572, 572)),
    ("unet_3d_thin", {"base_width": 8}, (5, 512, 512)),
    ("deeplab_drn", {}, (1, 512, 512)),
]
QUICK = [("hybrid_2d3d_333", {"base_width": 4}, (5, 96, 96))]
PASSES = 3


def resident_peak():
    """VmHWM of this process: the most memory that it ever had, bytes."""
    with open("/proc/self/status") as status:
        return next(1024 * int(line.split()[1]) for line in status if line.startswith("VmHWM"))


def measure(name, options, window, precision, threads):
    """(live, estimate, growth) of one case in bytes; changes this process."""
    import torch

    from command_line import few_arenas
    from densecell import devices, tile_choice
    from densecell.networks import build_network
    from densecell.networks.memory import peak_bytes

    few_arenas()
    devices.tune_cpu()
    torch.set_num_threads(threads)
    torch.manual_seed(0)
    computation = devices.Computation("cpu", precision, inference=True)
    network = computation.place(build_network(name, n_classes=7, **options).eval())
    with torch.no_grad():
        computation.forward(network, torch.zeros(1, 1, *network_minimum(network, window)))  # libraries are loaded now
        live = peak_bytes(network, window, computation)
        before = resident_peak()
        x = torch.randn(1, 1, *window)
        for _ in range(PASSES):
            computation.forward(network, x)
    return live, tile_choice.resident_bytes(network, window, computation), resident_peak() - before


def network_minimum(network, window):
    """A small window that the network takes: a quarter of `window` or the nearest size above."""
    for side in range(window[1] // 4, window[1]):
        try:
            network.output_shape((window[0], side, side))
            return (window[0], side, side)
        except ValueError:
            pass
    return window


def in_process(case, precision, threads):
    """`measure` in a process of its own."""
    call = json.dumps([*case, precision, threads])
    done = subprocess.run([sys.executable, __file__, "--case", call], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return json.loads(done.stdout.splitlines()[-1])


def parse(argv):
    made = measuring.parser(__doc__)
    made.add_argument("--quick", action="store_true", help="one small case, only to see that it runs")
    made.add_argument("--threads", type=int, default=2, help="threads of torch")
    made.add_argument("--precisions", nargs="+", default=["bfloat16", "float32"])
    made.add_argument("--case", help="one case, as JSON; used by the program itself")
    return made.parse_args(argv)


def main(argv=None):
    args = parse(argv)
    if args.case:
        name, options, window, precision, threads = json.loads(args.case)
        print(json.dumps(measure(name, options, tuple(window), precision, threads)))
        return
    rows = []
    for precision in args.precisions:
        for name, options, window in QUICK if args.quick else CASES:
            live, estimate, growth = in_process((name, options, window), precision, args.threads)
            told = ", ".join([name, *(f"{k} {v}" for k, v in options.items())])
            voxels = window[0] * window[1] * window[2]
            row = [told, str(window), precision, growth / estimate, growth / live]
            rows.append([*row, growth / voxels, estimate / voxels, live / voxels])
            print(rows[-1], flush=True)
    columns = ["network", "window", "precision", "growth/estimate", "growth/live"]
    measuring.report(
        "forward_memory",
        [*columns, "growth, B/voxel", "estimate, B/voxel", "live, B/voxel"],
        rows,
        args,
        notes=[f"Growth: of the process's peak over {PASSES} forward passes."],
    )


if __name__ == "__main__":
    main()
