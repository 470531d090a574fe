"""How the way of stitching changes the score: the same checkpoints over the same regions, tile by tile in several ways.

Reads a finished run (its regions, labels and checkpoints); prints mean IoU over all classes and over organelles, the mean over
the seeds and their range, next to the voxels that each way computes per voxel of the region and the seconds it took.

    python benchmarks/stitching.py --results results --experiments hybrid unet --regions eval test
"""

import json
import time
from pathlib import Path

import measuring
import numpy as np
import torch

from densecell import checkpoints, io, prediction
from densecell.classes import Classes
from densecell.devices import Computation, tune_cpu
from densecell.metrics import METRICS, confusion_counts
from densecell.outputs import ArraySink

WAYS = {
    "depth": {"stitch": "depth"},
    "halo, whole depth": {"stitch": "halo", "halo": "auto"},
    "halo, depth of the window": {"stitch": "halo", "tile": ["window", "auto", "auto"], "halo": [0, "auto", "auto"]},
    "halo, depth of the window, 1 slice of margin": {
        "stitch": "halo",
        "tile": ["window", "auto", "auto"],
        "halo": [1, "auto", "auto"],
    },
    "halo, depth of the window, 2 slices of margin": {
        "stitch": "halo",
        "tile": ["window", "auto", "auto"],
        "halo": [2, "auto", "auto"],
    },
}


def score(member, image, labels, classes, computation, settings):
    """(mean IoU over all classes, over organelles, computed voxels per voxel, seconds) of a region."""
    inner = [tuple(pair) for pair in image.attributes["inner"]]
    sink = ArraySink(tuple(b - a for a, b in inner))
    plan = prediction.make_plan([member], image.shape, settings, computation, inner=inner)
    started = time.perf_counter()
    prediction.predict([member], image, computation, plan, sink, inner=inner)
    seconds = time.perf_counter() - started
    counts = confusion_counts(labels[:], sink.labels, len(classes)).sum(axis=0)
    miou = [float(METRICS[name].function(counts, classes.group_ids)) for name in ("miou_all", "miou_org")]
    return *miou, plan.computed_voxels() / sink.labels.size, seconds


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--results", default="results", help="folder of a finished run")
    parser.add_argument("--experiments", nargs="+", required=True)
    parser.add_argument("--regions", nargs="+", default=["eval"])
    parser.add_argument("--classes", help="JSON list of name and group; default: that of the checkpoints' run")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--name", default="stitching", help="of the report")
    args = parser.parse_args(argv)
    torch.set_num_threads(args.threads)
    tune_cpu()
    computation = Computation(args.device, args.precision, inference=True)
    classes, rows = Classes.from_records(json.loads(args.classes)), []
    for experiment in args.experiments:
        paths = sorted((Path(args.results) / "models" / experiment).glob("seed*/best.safetensors"))
        members = []
        for path in paths:
            network, spec = checkpoints.load_network(path, classes.names)
            members.append(prediction.Member(computation.place(network), tuple(spec.get("tile") or spec["window"])))
        for region in args.regions:
            folder = Path(args.results) / "regions" / region
            image, labels = (
                io.open_volume(folder / "image.ome.zarr"),
                io.open_volume(folder / "labels_reference.ome.zarr"),
            )
            for way, settings in WAYS.items():
                if members[0].window[0] == 1 and "depth of the window" in way:
                    continue  # a network of single slices
                try:
                    found = np.array([score(m, image, labels, classes, computation, settings) for m in members])
                except ValueError as error:
                    print(f"{experiment}, {way}: left out ({error})")
                    continue
                all_, org, voxels, seconds = found.T
                spread = f"{all_.min():.3f}-{all_.max():.3f}"
                rows.append(
                    [
                        experiment,
                        region,
                        way,
                        len(members),
                        f"{all_.mean():.3f}",
                        spread,
                        f"{org.mean():.3f}",
                        f"{voxels[0]:.2f}",
                        seconds.mean(),
                    ]
                )
                print(rows[-1], flush=True)
    columns = (
        "experiment",
        "region",
        "stitching",
        "seeds",
        "mean IoU, all",
        "range",
        "organelles",
        "voxels computed",
        "s",
    )
    measuring.report(args.name, columns, rows, args, device=computation.device)


if __name__ == "__main__":
    main()
