"""Remove small connected regions from the predicted labels of a region, for several sizes, and score what is left.

For each smallest size (0: nothing removed) the labels of the ensemble's chosen k are cleaned and scored against the
reference as everywhere, with the region's mask. Writes volume, region, reference, experiment, predictor, role,
min_size_voxels, class, measure, value, unit: every measure of densecell.metrics, volume_fraction and volume_um3 within the
margin around the reference's cells, n_regions_removed and share_changed (of all voxels). The region is read whole.
"""

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.classes import BACKGROUND, Classes
from densecell.metrics import confusion_counts, confusion_table, metrics_table
from densecell.postprocessing import connected_regions, remove_small_regions
from densecell.volume_fractions import PREDICTED_CELL, counts_near_reference, fractions_table
from progress import Progress


def overlap_scores(reference, predicted, classes, mask, keys):
    """Every measure of `densecell.metrics` of one pair of volumes (Z, Y, X), as a tidy table."""
    valid = np.append(classes.group_ids != BACKGROUND, np.zeros(256 - len(classes), bool))[reference]
    counts = confusion_counts(reference, predicted, len(classes), valid if mask == "reference" else None)
    pooled = confusion_table(counts.sum(axis=0, keepdims=True), classes.names, **keys)
    return metrics_table(pooled, classes.names, classes.group_ids)


def fractions(reference, predicted, classes, voxel_nm, margin_nm, keys):
    """Volume fractions and volumes near the reference's cells, as a tidy table."""
    groups = classes.group_ids
    counts = counts_near_reference(reference, predicted, groups, voxel_nm, [margin_nm])[margin_nm]
    table = fractions_table(counts, classes.names, groups, voxel_nm, PREDICTED_CELL, margin_nm, **keys)
    return table.drop(columns=["margin_nm", "denominator"])


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("reference", "reference labels of the region (OME-Zarr, uint8, 255 = unlabelled)")
    arguments.input("predictions", "predicted labels of the region, one for each k", several=True)
    arguments.input("chosen", "member list of the chosen k (json)")
    arguments.parameter("predictors", "JSON list of their names, in the same order", json_argument, required=True)
    arguments.parameter("keys", "JSON: volume, region, reference, experiment, role", json_argument, required=True)
    arguments.parameter("mask", "none or reference (not the reference's background)", str, "none")
    arguments.parameter("min_sizes_voxels", "JSON list of smallest sizes", json_argument, required=True)
    arguments.parameter("margin_nm", "margin around the reference's cells for volume fractions", float, 100.0)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("output", "scores (csv)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    predictor = f"top{files.read_json(args.chosen)['k']}"
    path = dict(zip(args.predictors, args.predictions, strict=True))[predictor]
    reference, prediction = io.open_volume(args.reference), io.open_volume(path)
    if prediction.shape != reference.shape:
        raise ValueError(
            f"{path}: expected the shape of the reference {args.reference}, {reference.shape}, found "
            f"{prediction.shape}; delete the prediction, it is made again"
        )
    truth, predicted = reference[:], prediction[:]
    found = connected_regions(predicted, classes.group_ids)
    sizes = [0, *sorted(args.min_sizes_voxels)]
    progress, tables = Progress(len(sizes), "sizes"), []
    for min_size in sizes:
        cleaned, n_removed = remove_small_regions(predicted, classes.group_ids, min_size, found)
        keys = {**args.keys, "predictor": predictor, "min_size_voxels": min_size}
        counted = [
            (*keys.values(), "all", "n_regions_removed", n_removed, "region"),
            (*keys.values(), "all", "share_changed", (cleaned != predicted).mean(), "1"),
        ]
        tables += [
            overlap_scores(truth, cleaned, classes, args.mask, keys),
            fractions(truth, cleaned, classes, reference.voxel_size_nm, args.margin_nm, keys),
            pd.DataFrame(counted, columns=[*keys, "class", "measure", "value", "unit"]),
        ]
        progress.step()
    columns = ["volume", "region", "reference", "experiment", "predictor", "role", "min_size_voxels"]
    columns += ["class", "measure", "value", "unit"]
    io.write_table(args.output, pd.concat(tables, ignore_index=True)[columns], args.record)


if __name__ == "__main__":
    run(main)
