"""Comparing two groups of runs: does one setting give better networks than another, or do the seeds explain it?

The unit is a run (a seed), never a voxel. Mann and Whitney 1947, doi 10.1214/aoms/1177730491: the sum of one group's ranks
against its distribution over all ways to split the runs in two.
"""

from math import comb
from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata


class RankTest(NamedTuple):
    """p_value of a two-sided test; smallest_p_value that groups of these sizes can give at all."""

    p_value: float
    smallest_p_value: float


def rank_test(first, second):
    """Exact two-sided permutation test of the rank sum of two groups of scores; ties share their mean rank.

    first, second: sequences of numbers, at least one each, no NaN. The p-value is the share of all splits into groups
    of these sizes whose rank sum lies at least as far from its mean. Raises ValueError for an empty group or NaN.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if not (first.size and second.size) or np.isnan(first).any() or np.isnan(second).any():
        raise ValueError(f"expected two groups of at least one score without NaN, found {first} and {second}")
    n, n_first = first.size + second.size, first.size
    doubled = np.rint(2 * rankdata(np.concatenate([first, second]))).astype(int)  # ties give halves: double them
    n_splits = np.zeros((n_first + 1, doubled.sum() + 1))  # by size of the first group and its doubled rank sum
    n_splits[0, 0] = 1
    for value in doubled:
        for size in range(n_first, 0, -1):
            n_splits[size, value:] += n_splits[size - 1, :-value]
    distance = np.abs(np.arange(n_splits.shape[1]) - doubled.sum() * n_first / n)
    observed = distance[doubled[:n_first].sum()]
    p_value = n_splits[n_first, distance >= observed - 1e-9].sum() / comb(n, n_first)
    return RankTest(float(p_value), min(1.0, 2 / comb(n, n_first)))


def ranges_overlap(first, second):
    """Whether the ranges of two groups of scores share a value."""
    return bool(min(first) <= max(second) and min(second) <= max(first))
