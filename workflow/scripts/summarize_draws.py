"""Scores of every draw from overlap tables, their mean and spread over draws, and scores by distance to the training slices.

--output: hard Dice, soft Dice (squares in the denominator), precision and recall (0 to 1) of each draw and target, pooled over all voxels
and as the mean over slices (column `pooling`). --budget: mean, standard deviation (n - 1), smallest and largest over the draws of
an experiment, the numbers of slices of one name below each other (column `series`). --by-distance: each draw's scores at
each distance (slices) to the nearest training slice.
"""

import pandas as pd

from command_line import Arguments, run
from densecell import draw_summary, io


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("overlap", "overlap tables (csv)", several=True)
    arguments.output("output", "scores of every draw (csv)")
    arguments.output("budget", "scores over draws (csv)", required=False)
    arguments.output("by_distance", "scores by distance (csv)", required=False)
    args = arguments.parse(argv)

    metrics, distances = [], []
    for path in args.overlap:  # one in memory at a time
        table = io.read_table(path)
        metrics.append(draw_summary.draw_metrics(table))
        if args.by_distance:
            distances.append(draw_summary.metrics_by_distance(table))
    metrics = pd.concat(metrics, ignore_index=True)
    repeated = metrics.duplicated([*draw_summary.METRIC_COLUMNS[: draw_summary.METRIC_COLUMNS.index("value")]])
    if repeated.any():
        raise ValueError(
            f"overlap tables: expected all slices of {metrics.loc[repeated, 'predictor'].iloc[0]!r} of "
            f"{metrics.loc[repeated, 'experiment'].iloc[0]!r} in one file, found parts in several; give each file once"
        )
    io.write_table(args.output, metrics, args.record)
    if args.budget:
        io.write_table(args.budget, draw_summary.label_budget(metrics), args.record)
    if args.by_distance:
        io.write_table(args.by_distance, pd.concat(distances, ignore_index=True), args.record)


if __name__ == "__main__":
    run(main)
