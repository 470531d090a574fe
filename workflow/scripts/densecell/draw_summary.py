"""From overlap tables to scores: of a draw, over draws, and by the distance to the nearest training slice.

A draw is one training (seed): its slices, and the held-out slices that score it. Scores of draws are the sample of an experiment;
slices and voxels are not. Mean and standard deviation (n - 1) over draws as in Machireddy et al. 2023 (doi 10.3389/fbinf.2023.1308708).
"""

import numpy as np
import pandas as pd

from densecell.overlap import KEY_COLUMNS, MEASURES, SUMS, by_slice, is_empty

POOLINGS = ("pooled", "slice_mean")
METRIC_COLUMNS = [*KEY_COLUMNS, "threshold", "pooling", "measure", "value", "unit", "n", "n_empty", "n_left_out"]
SERIES_COLUMNS = ["volume", "region", "reference", "experiment", "class", "n_slices", "threshold", "pooling", "measure"]
STATISTICS = ["mean", "sd", "min", "max", "n", "n_left_out", "n_empty", "unit"]
ALL_REGIONS = ""  # region and volume of sums over all regions of an experiment


def series_of(experiment, n_slices):
    """The name that an experiment shares with those of other numbers of slices: `nuclei_n7` with 7 slices is of nuclei."""
    return str(experiment) if pd.isna(n_slices) else str(experiment).removesuffix(f"_n{int(n_slices)}")


def measures_of(slices, keys):
    """Measures of the groups of `keys`, pooled over their slices and as means over them: keys and METRIC_COLUMNS from `pooling` on.

    slices: of `overlap.by_slice`. n: slices behind the value. n_empty: of these, slices where reference and prediction are both
    empty, whose Dice is 1. n_left_out: slices where the measure is not defined, which the mean leaves out; the pooled value
    has none but where it is itself undefined. Groups without slices of the kind a measure reads are not listed.
    """
    parts = []
    for measure, about in MEASURES.items():
        mine = slices[slices["complete"] == about.complete].reset_index(drop=True)
        if mine.empty:
            continue
        mine["value_"], mine["empty_"] = about.function(mine), is_empty(mine, measure)
        groups = mine.groupby(keys, sort=False, dropna=False)
        counts = groups.size().to_numpy()
        n_empty = groups["empty_"].sum().to_numpy()
        sums = groups[list(SUMS)].sum(min_count=1).reset_index()
        pooled = about.function(sums)
        n_defined = groups["value_"].count().to_numpy()
        for pooling, values, n in (
            ("pooled", pooled, np.where(np.isnan(pooled), 0, counts)),
            ("slice_mean", groups["value_"].mean().to_numpy(), n_defined),
        ):
            facts = {"pooling": pooling, "measure": measure, "value": values, "unit": "1"}
            counted = {"n": n, "n_empty": n_empty, "n_left_out": counts - n}
            parts.append(sums[keys].assign(**facts, **counted))
    columns = [*keys, *METRIC_COLUMNS[len(KEY_COLUMNS) + 1 :]]
    return pd.concat(parts, ignore_index=True)[columns] if parts else pd.DataFrame(columns=columns)


def with_all_regions(slices):
    """The slices, and for each experiment of several regions all of them once more as ALL_REGIONS."""
    places = slices.groupby(["experiment", "predictor"], sort=False)["region"].transform("nunique")
    several = slices[places > 1]
    return pd.concat([slices, several.assign(volume=ALL_REGIONS, region=ALL_REGIONS)], ignore_index=True)


def draw_metrics(table):
    """Scores (METRIC_COLUMNS) of every draw and target from an overlap table; z and distance are pooled."""
    slices = with_all_regions(by_slice(table))
    return measures_of(slices, [*KEY_COLUMNS, "threshold"])[METRIC_COLUMNS]


def over_draws(metrics, keys=tuple(SERIES_COLUMNS)):
    """Mean, standard deviation (n - 1; NaN of one draw), smallest and largest value over draws: keys and STATISTICS.

    n: draws behind them; n_left_out: draws whose value is undefined; n_empty: draws in which reference and prediction are
    empty in all slices.
    """
    keys = list(keys)
    whole = metrics.assign(empty_=(metrics["n"] > 0) & (metrics["n_empty"] == metrics["n"]))
    groups = whole.groupby(keys, sort=False, dropna=False)
    values = groups["value"]
    found = values.agg(mean="mean", sd=lambda v: v.std(ddof=1), min="min", max="max", n="count")
    found["n_left_out"] = values.size() - found["n"]
    found["n_empty"], found["unit"] = groups["empty_"].sum(), "1"
    return found.reset_index()[[*keys, *STATISTICS]]


def label_budget(metrics):
    """The curve of scores against the number of training slices: `over_draws` with the column `series` first."""
    table = over_draws(metrics)
    table.insert(0, "series", [series_of(e, n) for e, n in zip(table["experiment"], table["n_slices"])])
    return in_order(in_order(table, ["n_slices"]), ["series"], by_appearance=True)


def metrics_by_distance(table):
    """Scores of every draw and target at each distance (slices) to the nearest training slice, pooled over its slices there."""
    keys = [*KEY_COLUMNS, "threshold", "distance"]
    found = measures_of(with_all_regions(by_slice(table)), keys)
    return in_order(in_order(found, ["distance"]), ["experiment", "class", "draw", "region"], by_appearance=True)


def headline(table, measures=("dice",)):
    """Rows of these measures, pooled over voxels, with `series`; of experiments of several regions those over all of them."""
    rows = table[(table["pooling"] == "pooled") & table["measure"].isin(measures)]
    together = rows.loc[rows["region"] == ALL_REGIONS, "experiment"].unique()
    rows = rows[(rows["region"] == ALL_REGIONS) | ~rows["experiment"].isin(together)]
    return rows.assign(series=[series_of(e, n) for e, n in zip(rows["experiment"], rows["n_slices"])])


def in_order(table, columns, by_appearance=False):
    """The rows sorted by these columns, equal ones as they were; by_appearance: texts in the order in which they first appear."""
    ranks = {c: {v: i for i, v in enumerate(dict.fromkeys(table[c]))} for c in columns}
    key = (lambda column: column.map(ranks[column.name])) if by_appearance else None
    return table.sort_values(columns, kind="stable", key=key).reset_index(drop=True)
