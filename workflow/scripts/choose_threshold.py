"""Gather the foreground scores and mark, for every source, the threshold that its eval regions choose.

Adds the column `choice` after `threshold`: "eval" on every region's rows at the threshold with the highest mean IoU on the
source's eval regions (of equals the one nearest 0.5), "fixed" at 0.5 where that is another, else empty. A test or compare
region is never looked at; a source without an eval region has no chosen threshold.
"""

import numpy as np
import pandas as pd

from command_line import Arguments, run
from densecell import io
from densecell.foreground import FIXED_THRESHOLD, choose_threshold


def mark_choice(table):
    """The table with its column `choice`."""
    table = table.copy()
    choice = np.where(table["threshold"] == FIXED_THRESHOLD, "fixed", "").astype(object)
    for name, rows in table.groupby("experiment", sort=False):
        best = choose_threshold(rows)
        if best is not None:
            choice[((table["experiment"] == name) & (table["threshold"] == best)).to_numpy()] = "eval"
    table.insert(table.columns.get_loc("threshold") + 1, "choice", choice)
    return table


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("scores", "foreground scores of each region and source (csv)", several=True)
    arguments.output("output", "all of them, with the chosen thresholds marked (csv)")
    args = arguments.parse(argv)

    tables = [io.read_table(path) for path in args.scores]
    io.write_table(args.output, mark_choice(pd.concat(tables, ignore_index=True)), args.record)


if __name__ == "__main__":
    run(main)
