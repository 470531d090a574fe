"""Predict a region or a whole volume with an ensemble, tile by tile, streaming to OME-Zarr.

The members of --members run over every tile once, in ranking order. From that one pass come the labels of any top-k mean
(--ensembles), of single members (--member-labels), of given sets of members (--sets), and 8-bit probabilities per class. A region stored with context around
it is predicted with it and written without it. GPU when there is one.
"""

import contextlib
import sys
from pathlib import Path

import numpy as np
import torch

from command_line import Arguments, json_argument, run
from densecell import checkpoints, files, io, prediction
from densecell.classes import Classes
from densecell.devices import Computation
from densecell.normalization import normalize
from progress import Progress


class Inner:
    """A store writer that keeps only the region of a box with context: slices and pixels outside it are dropped."""

    def __init__(self, writer, inner, shape):
        self.writer, self.inner, self.shape = writer, inner, shape
        self.slab_depth = writer.slab_depth
        (self.first, self.last), self.y, self.x = inner[0], slice(*inner[1]), slice(*inner[2])
        self.held, self.next = [], 0

    def write(self, start, slab):
        """Take a slab of the whole box; write whole slabs of the region as they fill."""
        low, high = max(self.first - start, 0), min(self.last - start, slab.shape[0])
        self.held.extend(np.array(slab[low:high, self.y, self.x]) if high > low else [])
        while len(self.held) >= self.slab_depth or (self.held and self.next + len(self.held) == self.writer.shape[0]):
            n = min(self.slab_depth, len(self.held))
            self.writer.write(self.next, np.stack(self.held[:n]))
            self.next += n
            del self.held[:n]


def load_members(path, classes, computation):
    """The networks of a member list, in ranking order, with their windows; and their names (experiment, seed)."""
    members, names = [], []
    for entry in files.read_json(path)["members"]:
        checkpoint = Path(path).parent / entry["checkpoint"]
        network, spec = checkpoints.load_network(checkpoint, classes.names)
        if spec["activation"] != "softmax" or spec["decision"] != "argmax":
            raise ValueError(
                f"{checkpoint}: activation {spec['activation']!r} with decision {spec['decision']!r} is not known here."
            )
        members.append(prediction.Member(computation.place(network), tuple(spec.get("tile") or spec["window"])))
        names.append((entry["experiment"], entry["seed"]))
    return members, names


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("members", "member list (json)")
    arguments.input("checkpoints", "the checkpoints it names (for the record)", several=True, required=False)
    arguments.input("image", "volume or normalized region (OME-Zarr)")
    arguments.input(
        "intensity", "statistics to normalize a volume with (json); absent: it is normalized", required=False
    )
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("settings", "stitch, halo, tile", json_argument, {"stitch": "depth"})
    arguments.parameter("ensembles", "JSON list of k, one for each of --ensemble-labels", json_argument, [])
    arguments.output("ensemble_labels", "labels of the mean over the first k members", several=True, required=False)
    arguments.parameter(
        "member_names", "JSON list of [experiment, seed], one for each of --member-labels", json_argument, []
    )
    arguments.output("member_labels", "labels of single members", several=True, required=False)
    arguments.parameter(
        "sets", "JSON list of lists of [experiment, seed], one for each of --set-labels", json_argument, []
    )
    arguments.output("set_labels", "labels of the mean over these members", several=True, required=False)
    arguments.output("probabilities", "folder for one volume of 8-bit probabilities per class", required=False)
    arguments.output("keep_members", "folder for one volume of labels per member", required=False)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.setting("device", "auto, cpu or cuda", str, "auto")
    arguments.setting("precision", "float32, bfloat16 or auto", str, "auto")
    args = arguments.parse(argv)

    if args.keep_members and args.member_labels:
        raise ValueError("--keep-members and --member-labels name the same outputs; give one of them.")
    torch.set_num_threads(args.threads)
    classes = Classes.from_records(args.classes)
    computation = Computation(args.device, args.precision)
    members, names = load_members(args.members, classes, computation)
    image = io.open_volume(args.image)
    inner = [tuple(pair) for pair in image.attributes.get("inner", [[0, n] for n in image.shape])]
    intensity = files.read_json(args.intensity) if args.intensity else None
    options = {
        "stitch": args.settings.get("stitch", "depth"),
        "halo": tuple(args.settings.get("halo") or (0, 0, 0)),
        "window": tuple(args.settings["tile"]) if args.settings.get("tile") else None,
    }
    shape = tuple(b - a for a, b in inner)
    origin = tuple(o + a * v for o, (a, _), v in zip(image.origin_nm, inner, image.voxel_size_nm))
    attributes = {
        "normalization": intensity or image.attributes.get("normalization"),
        "members": [list(n) for n in names],
    }
    print(
        f"predict_volume: {len(members)} networks, (z, y, x) = {image.shape}, {computation}",
        file=sys.stderr,
        flush=True,
    )

    with contextlib.ExitStack() as stack:

        def store(path):
            writer = stack.enter_context(
                io.new_volume(path, shape, np.uint8, image.voxel_size_nm, origin, args.record, attributes=attributes)
            )
            return Inner(writer, inner, image.shape)

        def ks(k):
            return len(members) if k is None else k

        ensembles = {ks(k): store(path) for k, path in zip(args.ensembles, args.ensemble_labels, strict=True)}
        wanted = zip(args.member_names, args.member_labels, strict=True)
        singles = {names.index(tuple(name)): store(path) for name, path in wanted}
        sets = zip(args.sets, args.set_labels, strict=True)
        subsets = [([names.index(tuple(name)) for name in chosen], store(path)) for chosen, path in sets]
        if args.keep_members:
            for i, (experiment, seed) in enumerate(names):
                singles[i] = store(Path(args.keep_members) / f"{experiment}_seed{seed}.ome.zarr")
        probabilities = {}
        if args.probabilities:
            probabilities = {
                c: store(Path(args.probabilities) / f"{name}.ome.zarr") for c, name in enumerate(classes.names)
            }
        depth = prediction.tile_shapes(members, image.shape, options["window"])[0][0]
        sink = prediction.StoreSink(depth, ensembles, singles, probabilities, subsets)
        progress = Progress(int(np.prod(image.shape)), "voxels")
        scale = (lambda block: normalize(block, intensity)) if intensity else None
        prediction.predict(members, image, computation, sink, normalize=scale, progress=progress.step, **options)


if __name__ == "__main__":
    run(main)
