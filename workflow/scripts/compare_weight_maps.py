"""Compare imported error weights with computed ones on train regions: correlation and the scale of the edges.

For each region, per slice and over all slices: `pearson`, the correlation of the weights, and `edge_scale`, the
least-squares factor from the computed edge term to the imported one after the floors and the class balance are taken
away. Unlabelled voxels do not count. Guay et al. 2021 (doi 10.1038/s41598-021-81590-0) give the formula; the weights that
they released have stronger edges.
"""

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.weight_map_comparison import MEASURES, N_SUMS, slice_sums
from densecell.weight_maps import class_balance_weights
from progress import Progress

COLUMNS = ["volume", "region", "reference", "experiment", "predictor", "class", "weight_map", "compared_with", "z"]
COLUMNS += ["measure", "value", "unit"]


def region_sums(imported, computed, labels, balance, floors, progress):
    """(Z, N_SUMS) sums of every slice of a region. Volumes are read slab by slab."""
    for volume in (imported, computed):
        if volume.shape != labels.shape:
            raise ValueError(f"{volume.path}: expected the shape of the labels, {labels.shape}, found {volume.shape}")
    sums = np.zeros((labels.shape[0], N_SUMS))
    for start, stop in labels.slabs():
        slabs = zip(computed[start:stop], imported[start:stop], labels[start:stop])
        sums[start:stop] = [slice_sums(ours, theirs, plane, balance, *floors) for ours, theirs, plane in slabs]
        progress.step(stop - start)
    return sums


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("imported", "imported weights of each region (OME-Zarr)", several=True)
    arguments.input("computed", "computed weights, in the same order", several=True)
    arguments.input("labels", "labels of the regions, in the same order", several=True)
    arguments.input("all_labels", "labels of all train regions, for the class balance", several=True)
    arguments.parameter(
        "imported_settings", "JSON list: weight-map record of each imported", json_argument, required=True
    )
    arguments.parameter("computed_settings", "JSON list: record of each computed", json_argument, required=True)
    arguments.parameter("regions", "JSON list: name and volume of each region", json_argument, required=True)
    arguments.output("output", "table (csv)")
    args = arguments.parse(argv)

    counts = np.sum([io.open_volume(path).attributes["class_counts"] for path in args.all_labels], axis=0)
    labels = [io.open_volume(path) for path in args.labels]
    progress = Progress(sum(volume.shape[0] for volume in labels), "slices")
    rows = []
    for i, region in enumerate(args.regions):
        theirs, ours = args.imported_settings[i], args.computed_settings[i]
        balance = class_balance_weights(counts, ours["class_weight_power"])
        imported, computed = io.open_volume(args.imported[i]), io.open_volume(args.computed[i])
        sums = region_sums(imported, computed, labels[i], balance, (ours["floor"], theirs["floor"]), progress)
        keys = (region["volume"], region["name"], "reference", "", "", "all", theirs["name"], ours["name"])
        for z, row in [*enumerate(sums), ("", sums.sum(axis=0))]:
            rows += [(*keys, z, name, measure(row), "1") for name, measure in MEASURES.items()]
        print(f"compare_weight_maps: {region['name']}, {theirs['name']} against {ours['name']}:", end=" ")
        print(", ".join(f"{name} {measure(sums.sum(axis=0)):.4f}" for name, measure in MEASURES.items()))
    io.write_table(args.output, pd.DataFrame(rows, columns=COLUMNS), args.record)


if __name__ == "__main__":
    run(main)
