"""Count a region's voxels by reference and predicted class, slice by slice, for one or more predictions.

Writes a table with volume, region, reference, experiment, predictor, class (the reference's), predicted_class, z (slice
of the region, from 0), measure, value, unit. Unlabelled reference voxels (255) are left out; with --mask reference so
are those of the background group.
"""

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import BACKGROUND, Classes
from densecell.metrics import confusion_counts, confusion_table

MASKS = ("none", "reference")


def count(reference, predicted, classes, mask):
    """Confusion counts (Z, n, n) of two volumes of one shape, read slab by slab."""
    inside = np.append(classes.group_ids != BACKGROUND, np.zeros(256 - len(classes), dtype=bool))
    counts = []
    for start, stop in reference.slabs():
        labels = reference[start:stop]
        valid = inside[labels] if mask == "reference" else None
        counts.append(confusion_counts(labels, predicted[start:stop], len(classes), valid))
    return np.concatenate(counts)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("reference", "reference labels of the region (OME-Zarr, uint8, 255 = unlabelled)")
    arguments.input("predictions", "predicted labels of the region", several=True)
    arguments.parameter("predictors", "JSON list of their names, in the same order", json_argument, required=True)
    arguments.parameter("keys", "JSON record of volume, region, reference, experiment", json_argument, required=True)
    arguments.parameter("mask", "none or reference (not the reference's background)", str, "none")
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("output", "confusion table (csv)")
    args = arguments.parse(argv)

    if args.mask not in MASKS:
        raise ValueError(f"regions.{args.keys.get('region')}.mask: expected one of {MASKS}, found {args.mask!r}")
    if len(args.predictors) != len(args.predictions):
        raise ValueError(f"predictors: expected {len(args.predictions)} names, found {len(args.predictors)}")
    classes = Classes.from_records(args.classes)
    reference = io.open_volume(args.reference)
    tables = []
    for path, predictor in zip(args.predictions, args.predictors):
        predicted = io.open_volume(path)
        if predicted.shape != reference.shape:
            raise ValueError(
                f"{path}: expected the shape of the reference {args.reference}, {reference.shape}, found "
                f"{predicted.shape}; delete the prediction, it is made again"
            )
        counts = count(reference, predicted, classes, args.mask)
        tables.append(confusion_table(counts, classes.names, **args.keys, predictor=predictor))
    io.write_table(args.output, pd.concat(tables, ignore_index=True), args.record)


if __name__ == "__main__":
    run(main)
