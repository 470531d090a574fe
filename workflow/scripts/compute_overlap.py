"""Overlap of the targets in a region: class maps of one or more predictions against the maps of the targets, slice by slice.

Writes the sums that `score_held_out.py` writes for held-out slices (voxels), with empty n_slices, draw, distance and threshold: a voxel
is of a target where its predicted class is the target's or lies in it. Unknown voxels (255) are not read; in incomplete slices
only voxels of drawn objects.
"""

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io, overlap
from densecell.classes import Classes
from densecell.parallel import in_order

NOT_OF_A_DRAW = {"n_slices": np.nan, "draw": np.nan, "distance": np.nan, "threshold": np.nan}


def slab_sums(slab, prediction, maps, members, n_classes):
    """[(z, target, sums)] of the slices of a slab. maps: {target: volume}; members: {target: its class numbers}."""
    labels, found = prediction[slice(*slab)], []
    if labels.max(initial=0) >= n_classes:
        raise ValueError(
            f"{prediction.path}: expected classes 0 to {n_classes - 1}, found {labels.max()}; delete it, it is made again"
        )
    for name, volume in maps.items():
        inside = np.isin(np.arange(256), members[name])[labels]
        incomplete = set(volume.attributes.get("incomplete_slices", []))
        for i, target in enumerate(volume[slice(*slab)]):
            q = np.where(inside[i], np.uint8(255), np.uint8(0))
            sums = overlap.slice_sums(target, q, inside[i], slab[0] + i not in incomplete)
            if sums["n_valid"]:
                found.append((slab[0] + i, name, sums))
    return found


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("targets", "maps of the targets (OME-Zarr, uint8 0, 1, 255)", several=True)
    arguments.input("predictions", "predicted class maps of the region", several=True)
    arguments.parameter("names", "JSON list of the targets, in the same order", json_argument, required=True)
    arguments.parameter("predictors", "JSON list of the predictors, in the same order", json_argument, required=True)
    arguments.parameter("keys", "JSON record of volume, region, reference, experiment", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "overlap table (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    classes = Classes.from_records(args.classes)
    maps = dict(zip(args.names, map(io.open_volume, args.targets), strict=True))
    members = {name: classes.members_of(classes.index(name)) for name in maps}
    predictions = dict(zip(args.predictors, map(io.open_volume, args.predictions), strict=True))
    shape = next(iter(maps.values())).shape
    for volume in [*maps.values(), *predictions.values()]:
        if volume.shape != shape:
            raise ValueError(
                f"{volume.path}: expected the size of {args.targets[0]}, {shape}, found {volume.shape}; delete it, it is made again"
            )
    tables = []
    for predictor, prediction in predictions.items():

        def count(slab, prediction=prediction):
            return slab_sums(slab, prediction, maps, members, len(classes))

        for found in in_order(count, prediction.slabs(), args.threads):
            for z, name, sums in found:
                keys = {**args.keys, "predictor": predictor, **NOT_OF_A_DRAW, "z": z, "class": name}
                tables.append(overlap.overlap_table(sums, **keys))
    if not tables:
        raise ValueError(
            f"{args.targets[0]}: expected a voxel that is known, found none in the region {args.keys['region']}. Check "
            "its labels, or set the region's role to another one."
        )
    io.write_table(args.output, pd.concat(tables, ignore_index=True), args.record)


if __name__ == "__main__":
    run(main)
