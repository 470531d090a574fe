"""Compute what share of the cell volume each class fills, for a reference and its predictions or for whole volumes.

With --reference: the reference's own shares (experiment "annotation", predictor = the reference's name) and those of each
prediction within each margin (nm) around the reference's cells. Without: the shares in all predicted tissue of a volume.
Every volume is read once, slab by slab. Writes volume, region, reference, experiment, predictor, margin_nm, denominator,
class, measure (volume_fraction, volume_um3), value, unit. The fraction of class j is n(j) / n(all but the background
group) (Guay et al. 2021, doi 10.1038/s41598-021-81590-0, Methods and Fig. 3).
"""

from functools import partial
from itertools import islice

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import Classes
from densecell.parallel import in_order
from densecell.volume_fractions import (
    LABELLED_TISSUE,
    MARGINS_NM,
    PREDICTED_CELL,
    REFERENCE_CELL,
    count_labels,
    counts_in_shells,
    fractions_table,
    shells_of_reference,
)


def open_of_shape(path, reference, reference_path):
    """The volume at `path`. Raises ValueError when its shape is not the reference's."""
    volume = io.open_volume(path)
    if volume.shape != reference.shape:
        raise ValueError(
            f"{path}: expected the shape of the reference {reference_path}, {reference.shape}, found {volume.shape}"
        )
    return volume


def count_volume(volume, n_classes, threads=1):
    """Voxels of each class in a whole volume, read slab by slab: (n_classes,) int64."""
    return sum(in_order(lambda slab: count_labels(volume[slice(*slab)], n_classes), volume.slabs(), threads))


def count_near(reference, predictions, groups, margins_nm, threads=1):
    """Voxels of the predictions within each margin of the reference cell, and the reference's own, in one pass.

    margins_nm: increasing. Returns ((n_classes,), (n_predictions, n_margins, n_classes)) int64. Held are a slab of each
    volume in work, the reference's planes within the widest margin in z with the margins around them, and a few more for each thread.
    """
    own = np.zeros(len(groups), np.int64)
    near = np.zeros((len(predictions), len(margins_nm), len(groups)), np.int64)

    def planes():
        for start, stop in reference.slabs():
            slab = reference[start:stop]
            own[:] += count_labels(slab, len(groups))
            yield from slab

    def count(shells, start, predicted):
        return counts_in_shells(shells, predicted[start : start + len(shells)], len(margins_nm), len(groups))

    depth = reference.shape[0]
    shells = shells_of_reference(planes(), groups, reference.voxel_size_nm, margins_nm, threads, depth)
    for start, stop in reference.slabs():
        slab = np.stack(list(islice(shells, stop - start)))
        for i, counts in enumerate(in_order(partial(count, slab, start), predictions, threads)):
            near[i] += counts
    return own, near


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("reference", "reference labels of a region (OME-Zarr); absent: whole volumes", required=False)
    arguments.input("predictions", "predicted labels (OME-Zarr)", several=True, required=False)
    arguments.parameter("predictors", "JSON list of their names, in the same order", json_argument, [])
    arguments.parameter("keys", "JSON record of volume, region, reference, experiment", json_argument, required=True)
    arguments.parameter("settings", "JSON record of margins_nm", json_argument, {"margins_nm": list(MARGINS_NM)})
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "volume fractions (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    classes = Classes.from_records(args.classes)
    pairs = list(zip(args.predictions, args.predictors, strict=True))
    if not (pairs or args.reference):
        raise ValueError("expected --reference or --predictions, found neither")
    names, groups = classes.names, classes.group_ids
    tables = []
    if args.reference:
        reference = io.open_volume(args.reference)
        voxel_nm, margins_nm = reference.voxel_size_nm, args.settings["margins_nm"]
        increasing = sorted(set(margins_nm))
        predictions = [open_of_shape(path, reference, args.reference) for path, _ in pairs]
        counts, near = count_near(reference, predictions, groups, increasing, args.threads)
        own = {**args.keys, "experiment": "annotation", "predictor": args.keys["reference"]}
        tables.append(fractions_table(counts, names, groups, voxel_nm, REFERENCE_CELL, **own))
        for (_, predictor), counts_of_margins in zip(pairs, near):
            keys = {**args.keys, "predictor": predictor}
            for margin_nm in margins_nm:
                counts = counts_of_margins[increasing.index(margin_nm)]
                tables.append(fractions_table(counts, names, groups, voxel_nm, PREDICTED_CELL, margin_nm, **keys))
    else:
        for path, predictor in pairs:
            volume = io.open_volume(path)
            counts = count_volume(volume, len(classes), args.threads)
            keys = {**args.keys, "predictor": predictor}
            tables.append(fractions_table(counts, names, groups, volume.voxel_size_nm, LABELLED_TISSUE, **keys))
    io.write_table(args.output, pd.concat(tables, ignore_index=True), args.record)


if __name__ == "__main__":
    run(main)
