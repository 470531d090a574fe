"""Does memory grow with the number of slices? Peak resident memory of each stage on stacks of equal slices and several depths.

Every stage runs as the workflow runs it, in a process of its own (RUSAGE_CHILDREN of its starter); its input is written here
slab by slab: a drifting texture, two label volumes, an untrained network. The ratio is that of the deepest stack to the
shallowest; the project's bar is 1.05. The slope is that of a line through all depths.

    python benchmarks/memory.py --depths 32 128 512 --side 512
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

import measuring
import numpy as np
from synthetic import CLASSES, CLASSES_JSON, write_members, write_stack

SCRIPTS = measuring.ROOT / "workflow" / "scripts"
KEYS = json.dumps({"volume": "v", "region": "r", "reference": "reference", "experiment": "e"})
# the starter is small: a process starts with the peak of the one it was forked from
STARTER = """import resource, subprocess, sys
done = subprocess.run(sys.argv[1:], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss if done.returncode == 0 else done.stdout)
sys.exit(done.returncode)"""


def peak_bytes(command):
    """Peak resident memory of a command, bytes. Raises RuntimeError with its output when it fails."""
    done = subprocess.run([sys.executable, "-c", STARTER, *command], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[:2])} failed:\n{done.stdout}{done.stderr}")
    return int(done.stdout) * (1 if sys.platform == "darwin" else 1024)  # KiB on Linux


def write_network(folder, base_width, window):
    """An untrained main network and its member list."""
    import torch

    from densecell.networks import build_network

    torch.manual_seed(0)
    network = build_network("hybrid_2d3d_333", n_classes=len(CLASSES), base_width=base_width)
    write_members(folder, [network], "hybrid_2d3d_333", {"base_width": base_width}, window)


def preprocessing(folder):
    """{stage: arguments} of what runs before any network."""
    image = ["--image", folder / "image.ome.zarr"]
    settings = json.dumps({"method": "global", "detrend_window": 11})
    region = json.dumps({"name": "r", "frame": "aligned", "z": None, "y": None, "x": None})
    aligned = ["--shifts", folder / "shifts.csv", "--output", folder / "aligned.ome.zarr"]
    return {
        "bin_volume": [*image, "--binning", "[1, 2, 2]", "--output", folder / "binned.ome.zarr"],
        "align_volume": [*image, "--settings", settings, *aligned],
        "measure_intensity": [*image, "--output", folder / "measured.json"],
        "normalize_region": [*image, "--region", region, "--output", folder / "normalized.ome.zarr"],
    }


def predicting(folder, members, threads):
    """{stage: arguments} of prediction, in both ways of stitching."""
    given = ["--members", members / "members.json", "--image", folder / "image.ome.zarr"]
    given += ["--intensity", folder / "intensity.json", "--classes", CLASSES_JSON, "--threads", str(threads)]
    given += ["--device", "cpu", "--ensembles", "[1]"]
    halo = {
        "stitch": "halo",
        "halo": [2, 16, 16],
        "tile": [16, 256, 256],
    }  # given, so that all depths have the same tiles
    ways = {"depth": {"stitch": "depth"}, "halo": halo}
    return {
        f"predict_volume, {way}": [
            *given, "--settings", json.dumps(settings), "--ensemble-labels", folder / f"labels_{way}.ome.zarr"
        ]
        for way, settings in ways.items()
    }  # fmt: skip


def evaluating(folder):
    """{stage: arguments} of what compares and counts labels; compute_metrics reads what the first one writes."""
    predicted = ["--predictions", folder / "predicted.ome.zarr", "--predictors", '["top1"]']
    reference = ["--reference", folder / "reference.ome.zarr"]
    named = ["--keys", KEYS, "--classes", CLASSES_JSON, "--output"]
    confusion = folder / "confusion.csv"
    metrics = ["--confusion", confusion, "--roles", '{"r": "test"}', "--classes", CLASSES_JSON]
    return {
        "compute_confusion_matrix": [*reference, *predicted, *named, confusion],
        "compute_metrics": [*metrics, "--output", folder / "metrics.csv"],
        "compute_volume_fractions": [*predicted, *named, folder / "fractions.csv"],
        "compute_volume_fractions, near a reference": [*reference, *predicted, *named, folder / "near.csv"],
    }


def stages(folder, members, threads):
    """{stage: command} of everything that is measured, in an order in which each finds its input."""
    made = {**preprocessing(folder), **predicting(folder, members, threads), **evaluating(folder)}
    return {
        name: [sys.executable, str(SCRIPTS / f"{name.split(',')[0]}.py"), *map(str, arguments)]
        for name, arguments in made.items()
    }


def row(name, peaks, slice_voxels):
    """A line of the table from {depth: bytes}."""
    depths, values = list(peaks), list(peaks.values())
    slope = np.polyfit(depths, values, 1)[0]
    return [name, values[-1] / values[0], *(v / 1e6 for v in values), slope, slope / slice_voxels]


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--depths", type=int, nargs="+", default=[32, 128, 512], help="slices of the stacks, ascending")
    parser.add_argument("--side", type=int, default=512, help="pixels of a slice in y and x")
    parser.add_argument(
        "--base-width", type=int, default=2, help="of the network: memory of tiles, not their time, counts"
    )
    parser.add_argument("--window", type=int, nargs=3, default=[5, 128, 128], help="of the network")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument(
        "--stages",
        nargs="+",
        default=[],
        help="scripts to measure, default all (compute_metrics reads what compute_confusion_matrix wrote)",
    )
    parser.add_argument("--quick", action="store_true", help="small stacks: does it run")
    args = parser.parse_args(argv)
    known = sorted({name.split(",")[0] for name in stages(Path(), Path(), 1)})
    if unknown := set(args.stages) - set(known):
        raise SystemExit(f"--stages: {', '.join(sorted(unknown))} is not measured; known: {', '.join(known)}.")
    depths, side, window = args.depths, args.side, args.window
    if args.quick:
        depths, side, window = [16, 32], 64, [3, 32, 32]
    peaks = {}
    with tempfile.TemporaryDirectory() as work:
        work = Path(work)
        write_network(work, args.base_width, window)
        for depth in depths:
            folder = work / str(depth)
            folder.mkdir()
            write_stack(folder, depth, side)
            for name, command in stages(folder, work, args.threads).items():
                if not args.stages or name.split(",")[0] in args.stages:
                    peaks.setdefault(name, {})[depth] = peak_bytes(command)
                    print(f"{depth} slices, {name}: {peaks[name][depth] / 1e6:.0f} MB", file=sys.stderr, flush=True)
    rows = [row(name, found, side * side) for name, found in peaks.items()]
    sizes = [f"MB at {depth}" for depth in depths]
    columns = ("stage", f"{depths[-1]} / {depths[0]} slices", *sizes, "bytes/slice", "bytes/voxel")
    notes = [f"Slices of {side} x {side}, uint8; peak resident memory of one process, the imported packages included."]
    measuring.report("memory", columns, rows, args, notes=notes)


if __name__ == "__main__":
    main()
