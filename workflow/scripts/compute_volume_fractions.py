"""Compute what share of the cell volume each class fills, for a reference and its predictions or for whole volumes.

With --reference: the reference's own shares (experiment "annotation", predictor = the reference's name) and those of each
prediction within each margin (nm) around the reference's cells. Without: the shares in all predicted tissue of a volume,
read slab by slab. Writes volume, region, reference, experiment, predictor, margin_nm, denominator, class, measure
(volume_fraction, volume_um3), value, unit. The fraction of class j is n(j) / n(all but the background group)
(Guay et al. 2021, doi 10.1038/s41598-021-81590-0, Methods and Fig. 3).
"""

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import Classes
from densecell.volume_fractions import (
    LABELLED_TISSUE,
    MARGINS_NM,
    PREDICTED_CELL,
    REFERENCE_CELL,
    count_labels,
    counts_near_reference,
    fractions_table,
)


def count_volume(volume, n_classes):
    """Voxels of each class in a whole volume, read slab by slab: (n_classes,) int64."""
    total = np.zeros(n_classes, dtype=np.int64)
    for start, stop in volume.slabs():
        total += count_labels(volume[start:stop], n_classes)
    return total


def fractions_near_reference(reference_path, reference, labels, path, classes, margins_nm, keys):
    """Tables of one prediction, one for each margin around the cells of the labels (Z, Y, X) of `reference`."""
    predicted = io.open_volume(path)
    if predicted.shape != reference.shape:
        raise ValueError(
            f"{path}: expected the shape of the reference {reference_path}, {reference.shape}, found {predicted.shape}"
        )
    voxel_nm, groups = reference.voxel_size_nm, classes.group_ids
    counts = counts_near_reference(labels, predicted[:], groups, voxel_nm, margins_nm)
    return [
        fractions_table(near, classes.names, groups, voxel_nm, PREDICTED_CELL, margin_nm, **keys)
        for margin_nm, near in counts.items()
    ]


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("reference", "reference labels of a region (OME-Zarr); absent: whole volumes", required=False)
    arguments.input("predictions", "predicted labels (OME-Zarr)", several=True, required=False)
    arguments.parameter("predictors", "JSON list of their names, in the same order", json_argument, [])
    arguments.parameter("keys", "JSON record of volume, region, reference, experiment", json_argument, required=True)
    arguments.parameter("settings", "JSON record of margins_nm", json_argument, {"margins_nm": list(MARGINS_NM)})
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("output", "volume fractions (csv)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    pairs = list(zip(args.predictions, args.predictors, strict=True))
    if not (pairs or args.reference):
        raise ValueError("expected --reference or --predictions, found neither")
    tables = []
    if args.reference:
        reference = io.open_volume(args.reference)
        labels = reference[:]
        own = {**args.keys, "experiment": "annotation", "predictor": args.keys["reference"]}
        counts = count_labels(labels, len(classes))
        voxel_nm = reference.voxel_size_nm
        tables.append(fractions_table(counts, classes.names, classes.group_ids, voxel_nm, REFERENCE_CELL, **own))
        for path, predictor in pairs:
            keys = {**args.keys, "predictor": predictor}
            margins_nm = args.settings["margins_nm"]
            tables += fractions_near_reference(args.reference, reference, labels, path, classes, margins_nm, keys)
    else:
        for path, predictor in pairs:
            volume = io.open_volume(path)
            counts = count_volume(volume, len(classes))
            keys = {**args.keys, "predictor": predictor}
            size_nm = volume.voxel_size_nm
            tables.append(fractions_table(counts, classes.names, classes.group_ids, size_nm, LABELLED_TISSUE, **keys))
    io.write_table(args.output, pd.concat(tables, ignore_index=True), args.record)


if __name__ == "__main__":
    run(main)
