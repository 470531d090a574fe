"""Compare the ways to split cells by the scores of their tracked cells: a row per way, as in table 2 of Machireddy et al. 2023.

mean_dice and sd_dice (of a sample) are over the known cells, each with the cell of the same number; the same by_overlap: each with
the cell it shares most voxels with. Slices that the cells were drawn in are not counted.
"""

import pandas as pd

from command_line import Arguments, run
from densecell import io

WAYS = {  # combination -> its row in the paper's table
    "mask": "mask",
    "border": "mask + border",
    "flow": "optical flow alone",
    "overlay": "mask + optical flow",
    "selective": "mask + border + optical flow, selective",
    "frames": "mask + border + optical flow, through frames",
}
KEYS = ["volume", "objects", "class", "reference", "combination"]
MEASURES = {
    "n_reference": "n_cells",
    "mean_dice_by_id": "mean_dice",
    "sd_dice_by_id": "sd_dice",
    "mean_dice_by_overlap": "mean_dice_by_overlap",
    "sd_dice_by_overlap": "sd_dice_by_overlap",
    "foreground_dice": "foreground_dice",
    "n_predicted": "n_predicted",
}


def row_of(table):
    """The row of one table of scores."""
    whole = table[(table["instance"] == 0) & table["threshold"].isna()].set_index("measure")["value"]
    keys = {key: table[key].iloc[0] for key in KEYS}
    return {**keys, "way": WAYS[keys["combination"]], **{name: whole[m] for m, name in MEASURES.items()}}


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("scores", "tables of scores of split cells (csv)", several=True)
    arguments.output("output", "table of the ways (csv)")
    args = arguments.parse(argv)

    table = pd.DataFrame([row_of(io.read_table(path)) for path in args.scores])
    order = table["combination"].map(list(WAYS).index)
    table = table.assign(order=order).sort_values(["volume", "objects", "order"], kind="stable").drop(columns="order")
    io.write_table(args.output, table.astype({"n_cells": int, "n_predicted": int}), args.record)


if __name__ == "__main__":
    run(main)
