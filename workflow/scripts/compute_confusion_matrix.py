"""Count a region's voxels by reference and predicted class, slice by slice, for one or more predictions.

Writes a table with volume, region, reference, experiment, predictor, class (the reference's), predicted_class, z (slice
of the region, from 0), measure, value, unit. Unlabelled reference voxels (255) are left out; with --mask reference so
are those of the background group.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import BACKGROUND, Classes
from densecell.metrics import confusion_counts, confusion_table
from densecell.parallel import in_order

MASKS = ("none", "reference")


def count(reference, predictions, classes, mask, threads=1):
    """Confusion counts (Z, n, n) of each prediction, read slab by slab: the reference once, each prediction once."""
    is_counted = classes.group_ids != BACKGROUND if mask == "reference" else None

    def count_slab(slab):
        labels = reference[slice(*slab)]
        return [confusion_counts(labels, p[slice(*slab)], len(classes), counted=is_counted) for p in predictions]

    counts = zip(*in_order(count_slab, reference.slabs(), threads))
    return [np.concatenate(slabs) for slabs in counts]


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("reference", "reference labels of the region (OME-Zarr, uint8, 255 = unlabelled)")
    arguments.input("predictions", "predicted labels of the region", several=True)
    arguments.parameter("predictors", "JSON list of their names, in the same order", json_argument, required=True)
    arguments.parameter("keys", "JSON record of volume, region, reference, experiment", json_argument, required=True)
    arguments.parameter("mask", "none or reference (not the reference's background)", str, "none")
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "confusion table (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    if args.mask not in MASKS:
        raise ValueError(f"regions.{args.keys.get('region')}.mask: expected one of {MASKS}, found {args.mask!r}")
    if len(args.predictors) != len(args.predictions):
        raise ValueError(f"predictors: expected {len(args.predictions)} names, found {len(args.predictors)}")
    classes = Classes.from_records(args.classes)
    reference = io.open_volume(args.reference)
    predictions = [io.open_volume(path) for path in args.predictions]
    for path, predicted in zip(args.predictions, predictions):
        if predicted.shape != reference.shape:
            raise ValueError(
                f"{path}: expected the shape of the reference {args.reference}, {reference.shape}, found "
                f"{predicted.shape}; delete the prediction, it is made again"
            )
    counts = count(reference, predictions, classes, args.mask, args.threads)
    tables = (
        confusion_table(slices, classes.names, **args.keys, predictor=predictor)
        for slices, predictor in zip(counts, args.predictors)
    )
    io.write_table(args.output, tables, args.record)


if __name__ == "__main__":
    run(main)
