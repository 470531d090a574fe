"""Do N jobs on N slabs of a volume take as long as one job on all of it, and is the result the same?

On a cluster each slab is a job on a machine of its own. Here the cores are shared out: one job with all threads against N
jobs at once with a share of them each, in turns, the start of the processes included. Efficiency is the time of one job
over the time of N: 1 where slabs cost nothing. Every voxel of the N stores is compared with that of the one.

    python benchmarks/scaling.py --threads 2
"""

import json
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

import measuring
import torch
from synthetic import CLASSES, CLASSES_JSON, write_members, write_stack

from densecell import io
from densecell.networks import build_network

NETWORK = "hybrid_2d3d_333"
SCRIPT = measuring.ROOT / "workflow" / "scripts" / "predict_volume.py"
# given, so that the tiles don't depend on the memory at hand
SETTINGS = {"stitch": "halo", "halo": [2, 16, 16], "tile": [12, 224, 224]}


def slab_range(index, count, depth, slab_depth):
    """(start, stop) in slices of slab `index` (from 1) of `count`: whole shards of `slab_depth` slices."""
    n_shards = -(-depth // slab_depth)
    return tuple(min(depth, i * n_shards // count * slab_depth) for i in (index - 1, index))


def command(folder, index, count, args):
    """predict_volume.py for one slab."""
    arguments = {
        "members": folder / "members.json",
        "image": folder / "image.ome.zarr",
        "intensity": folder / "intensity.json",
        "classes": CLASSES_JSON,
        "settings": json.dumps(SETTINGS),
        "ensembles": "[1]",
        "ensemble-labels": labels_path(folder, index, count),
        "slab": f"{index}-of-{count}",
        "threads": max(1, args.threads // count),
        "device": args.device,
    }
    return [sys.executable, str(SCRIPT), *(word for k, v in arguments.items() for word in (f"--{k}", str(v)))]


def labels_path(folder, index, count):
    return folder / f"labels_{index}-of-{count}.ome.zarr"


def predict_slabs(folder, count, args):
    """All slabs at once, a process each. Raises RuntimeError with the output of one that failed."""
    commands = [command(folder, i, count, args) for i in range(1, count + 1)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    jobs = [subprocess.Popen(words, **streams) for words in commands]
    for job in jobs:
        output = job.communicate()[0]
        if job.returncode:
            raise RuntimeError(f"{SCRIPT.name} failed:\n{output}")


def equal_share(folder, count):
    """Share of the voxels of `count` slabs that are equal to those of the one job."""
    one, equal = io.open_volume(labels_path(folder, 1, 1)), 0
    for index in range(1, count + 1):
        slab = io.open_volume(labels_path(folder, index, count))
        start, stop = slab_range(index, count, one.shape[0], one.slab_depth)
        equal += int((slab[start:stop] == one[start:stop]).sum()) if stop > start else 0
    return equal / (one.shape[0] * one.shape[1] * one.shape[2])


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--slabs", type=int, nargs="+", default=[2], help="numbers of slabs beside one")
    parser.add_argument("--depth", type=int, default=48, help="slices of the volume")
    parser.add_argument("--side", type=int, default=384, help="pixels of a slice in y and x")
    parser.add_argument("--base-width", type=int, default=16)
    parser.add_argument("--threads", type=int, default=2, help="of all jobs together")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="a small volume: does it run")
    args = parser.parse_args(argv)
    depth, side, width, repeats = args.depth, args.side, args.base_width, args.repeats
    if args.quick:
        depth, side, width, repeats = 24, 48, 2, 1
    counts = [1, *args.slabs]
    torch.manual_seed(0)
    network = build_network(NETWORK, n_classes=len(CLASSES), base_width=width)
    with tempfile.TemporaryDirectory() as work:
        folder = Path(work)
        write_stack(folder, depth, side)
        write_members(folder, [network], NETWORK, {"base_width": width}, [5, 96, 96])
        jobs = {count: partial(predict_slabs, folder, count, args) for count in counts}
        started = time.perf_counter()
        seconds = measuring.paired(jobs, repeats, 0)
        print(f"measured in {time.perf_counter() - started:.0f} s", file=sys.stderr)
        shares = {count: equal_share(folder, count) for count in counts}
    middle = measuring.median(seconds)
    rows = [
        [str(n), measuring.ratio(seconds, 1, n), middle[n], depth * side**2 / middle[n], 100 * shares[n]]
        for n in counts
    ]
    columns = ("jobs at once", "efficiency", "seconds", "voxels/s, all jobs", "voxels as of one job, %")
    note = f"{depth} x {side} x {side} voxels, base width {width}, {args.threads} threads in all, {repeats} turns."
    measuring.report("scaling", columns, rows, args, notes=[note], seconds=seconds)


if __name__ == "__main__":
    main()
