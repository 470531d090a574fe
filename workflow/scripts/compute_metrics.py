"""Gather confusion tables and compute the measures of every comparison, pooled over its slices.

Writes the gathered confusion table and a table with volume, region, reference, experiment, predictor, role, class (a
name, "all" or "organelles"), measure, value, unit: IoU, Dice, precision and recall per class, mean IoU over all classes
and over the organelles, frequency-weighted IoU, accuracies (Guay et al. 2021, doi 10.1038/s41598-021-81590-0). A class
absent from reference and prediction is left out of the means and counted in n_classes_left_out.
"""

from collections import deque

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import Classes
from densecell.metrics import metrics_table


def read_confusion(path, roles):
    """A confusion table with the column `role` (train, eval, test, compare) of its region after the other keys."""
    table = io.read_table(path, numbers=("z", "value"))
    unknown = sorted(set(table["region"]) - set(roles))
    if unknown:
        raise ValueError(f"{path}: expected the regions {', '.join(roles)}, found also {', '.join(unknown)}")
    table.insert(table.columns.get_loc("predictor") + 1, "role", table["region"].map(roles))
    return table


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("confusion", "confusion tables (csv)", several=True)
    arguments.parameter("roles", "JSON record of region: role", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("confusion_output", "all confusion tables in one (csv)", required=False)
    arguments.output("output", "measures (csv)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    measured = []

    def tables():
        """The confusion tables, one in memory at a time; measures them as they pass."""
        for path in args.confusion:
            confusion = read_confusion(path, args.roles)
            measured.append(metrics_table(confusion, classes.names, classes.group_ids))
            yield confusion

    if args.confusion_output:
        io.write_table(args.confusion_output, tables(), args.record)
    else:
        deque(tables(), maxlen=0)
    metrics = pd.concat(measured, ignore_index=True)
    repeated = metrics.duplicated(metrics.columns.drop("value"))
    if repeated.any():
        raise ValueError(
            f"confusion tables: expected all slices of a comparison in one file, found parts of "
            f"{metrics.loc[repeated, 'predictor'].iloc[0]!r} in several; give each file once"
        )
    io.write_table(args.output, metrics, args.record)


if __name__ == "__main__":
    run(main)
