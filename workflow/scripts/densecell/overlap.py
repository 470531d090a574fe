"""Overlap of predicted and reference targets: sums of a slice, and the measures that follow from them.

A target is a binary map: 1 where a voxel is of it, 0 where not, 255 where nobody said. Its prediction is a probability in 256
steps, q = round(255 p). Of a slice one needs how often each q occurs where the target is 1 and where it is 0; every sum of
Machireddy et al. 2023 (doi 10.3389/fbinf.2023.1308708, eq. 2) follows from these two histograms exactly, so that a table of sums gives
hard and soft Dice, precision and recall of a slice, of a draw, of all its slices together.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from densecell.classes import UNLABELLED
from densecell.histograms import joint_counts

KEY_COLUMNS = ["volume", "region", "reference", "experiment", "predictor", "class", "n_slices", "draw"]
SLICE_COLUMNS = ["z", "distance", "threshold"]
SUMS = ("tp", "fp", "fn", "tn", "sum_pg", "sum_pp", "sum_gg", "n_valid")
COLUMNS = [*KEY_COLUMNS, *SLICE_COLUMNS, "measure", "value", "unit"]
NO, YES, UNKNOWN = 0, 1, 2
LEVELS = np.arange(256)


# ------------------------------------------------------------------------------------------------------------ counting
def target_counts(target, q, complete=True):
    """How often each q occurs where the target is not and where it is: (2, 256) int64.

    target: (Y, X) uint8 0, 1 or 255 = unknown, which is not read. q: (Y, X) uint8. complete: False where only the drawn
    objects are known; then a voxel is read only where the target is 1. Raises ValueError for other shapes, types and values.
    """
    target, q = np.asarray(target), np.asarray(q)
    if target.shape != q.shape or target.dtype != np.uint8 or q.dtype != np.uint8:
        raise ValueError(
            f"expected target and q of one shape, uint8, found {target.shape} {target.dtype} and {q.shape} {q.dtype}; "
            "make both for the same region"
        )
    counts = joint_counts(np.minimum(target, UNKNOWN), 3, q, 256)
    if counts[UNKNOWN].sum() != np.count_nonzero(target == UNLABELLED):
        found = np.setdiff1d(target, [NO, YES, UNLABELLED]).tolist()
        raise ValueError(f"target: expected 0, 1 or {UNLABELLED}, found also {found}; it is no map of a target")
    counts = counts[:UNKNOWN].astype(np.int64)
    if not complete:
        counts[NO] = 0
    return counts


def sums_of(counts, level, complete=True):
    """{measure: value} of SUMS from the histograms of `target_counts`.

    level: the lowest q that passes (1 to 255). complete: as there; sums that would need what was not drawn are NaN.
    """
    no, yes = counts
    sums = {
        "tp": yes[level:].sum(),
        "fp": no[level:].sum(),
        "fn": yes[:level].sum(),
        "tn": no[:level].sum(),
        "sum_pg": (yes * LEVELS).sum() / 255,
        "sum_pp": ((no + yes) * LEVELS**2).sum() / 255**2,
        "sum_gg": yes.sum(),
        "n_valid": (no + yes).sum(),
    }
    unknown = () if complete else ("fp", "tn", "sum_pp")
    return {name: float("nan") if name in unknown else float(value) for name, value in sums.items()}


def slice_sums(target, q, passes, complete=True):
    """{measure: value} of SUMS of one slice from its target and q as in `target_counts` and `passes`, (Y, X) bool: what is predicted.

    Where q >= a level is what passes, `sums_of` gives the same.
    """
    soft = sums_of(target_counts(target, q, complete), 1, complete)
    hard = sums_of(target_counts(target, np.asarray(passes, np.uint8), complete), 1, complete)
    return soft | {name: hard[name] for name in ("tp", "fp", "fn", "tn")}


def overlap_table(sums, **keys):
    """Rows (COLUMNS) of one slice and target. sums: of `sums_of`; keys: a value for each of KEY_COLUMNS and SLICE_COLUMNS."""
    missing = [name for name in (*KEY_COLUMNS, *SLICE_COLUMNS) if name not in keys]
    if missing:
        raise ValueError(f"overlap table: expected the keys {KEY_COLUMNS + SLICE_COLUMNS}, found none for {missing}")
    table = pd.DataFrame({**keys, "measure": list(sums), "value": list(sums.values()), "unit": "voxel"})
    return table[COLUMNS]


def by_slice(table):
    """One row for each slice and target: KEY_COLUMNS, SLICE_COLUMNS, SUMS and `complete`, in the order of the table.

    Raises ValueError for a slice that is in the table twice, which would be counted twice, and for one without all sums.
    """
    keys = [*KEY_COLUMNS, *SLICE_COLUMNS]
    rows = table.groupby(keys, sort=False, dropna=False).ngroup().to_numpy()
    columns = table["measure"].map({name: i for i, name in enumerate(SUMS)})
    if columns.isna().any() or table.duplicated([*keys, "measure"]).any():
        raise ValueError(
            f"overlap table: expected each of {', '.join(SUMS)} once for each slice, found others or repeated rows"
        )
    if len(table) != len(SUMS) * (rows.max(initial=-1) + 1):
        raise ValueError(f"overlap table: expected {', '.join(SUMS)} for each slice, found fewer")
    sums = np.full((rows.max(initial=-1) + 1, len(SUMS)), np.nan)
    sums[rows, columns.to_numpy(int)] = table["value"].to_numpy(float)
    found = table.loc[~pd.Series(rows, index=table.index).duplicated(), keys].reset_index(drop=True)
    found[list(SUMS)] = sums
    found["complete"] = found["fp"].notna()
    return found


# ------------------------------------------------------------------------------------------------------------ measures
def ratio(numerator, denominator, undefined):
    """numerator / denominator, and `undefined` where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    return np.where(denominator == 0, undefined, numerator / np.where(denominator == 0, 1, denominator))


def dice(sums):
    """2 TP / (2 TP + FP + FN); 1 where reference and prediction are both empty."""
    return ratio(2 * sums["tp"], 2 * sums["tp"] + sums["fp"] + sums["fn"], 1)


def soft_dice(sums):
    """2 sum(p g) / (sum(p^2) + sum(g^2)), eq. 2 without smoothing; 1 where all p and g are 0."""
    return ratio(2 * sums["sum_pg"], sums["sum_pp"] + sums["sum_gg"], 1)


def precision(sums):
    """Share of the predicted voxels that are of the target; NaN where none is predicted."""
    return ratio(sums["tp"], sums["tp"] + sums["fp"], np.nan)


def recall(sums):
    """Share of the target's voxels that are predicted; NaN where there are none."""
    return ratio(sums["tp"], sums["tp"] + sums["fn"], np.nan)


class Measure(NamedTuple):
    """A function of the sums, whether it reads complete slices or the others, and which sums are all 0 where it is empty."""

    function: Callable
    complete: bool
    empty: tuple = ()


MEASURES = {
    "dice": Measure(dice, True, ("tp", "fp", "fn")),
    "soft_dice": Measure(soft_dice, True, ("sum_pp", "sum_gg")),
    "precision": Measure(precision, True),
    "recall": Measure(recall, True),
    "recall_of_drawn": Measure(recall, False),
}


def is_empty(sums, measure):
    """Where a Dice is 1 because reference and prediction are both empty: bool, False for other measures."""
    columns = MEASURES[measure].empty
    return sum(np.asarray(sums[c], np.float64) for c in columns) == 0 if columns else np.zeros(len(sums), bool)
