"""Comparing two groups of runs: does one setting give better networks than another, or do the seeds explain it?

The unit is a run (a seed), never a voxel. Mann and Whitney 1947, doi 10.1214/aoms/1177730491: the sum of one group's ranks
against its distribution over all ways to split the runs in two.
"""

from math import comb
from typing import NamedTuple

import numpy as np
from scipy.optimize import brentq
from scipy.stats import mannwhitneyu, norm, rankdata

LARGEST_EXACT = 2e9  # smaller group x all runs^3, the additions of the exact test: about two seconds


class RankTest(NamedTuple):
    """p_value of a two-sided test; smallest_p_value that groups of these sizes can give at all."""

    p_value: float
    smallest_p_value: float


def rank_test(first, second):
    """Exact two-sided permutation test of the rank sum of two groups of scores; ties share their mean rank.

    first, second: sequences of numbers, at least one each, no NaN. The p-value is the share of all splits into groups
    of these sizes whose rank sum lies at least as far from its mean. Where `is_exact` says no (above 125 runs in each
    group, or 26 and 399), it is the normal approximation with corrections for ties and continuity. Raises ValueError
    for an empty group or NaN.
    """
    first, second = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if not (first.size and second.size) or np.isnan(first).any() or np.isnan(second).any():
        raise ValueError(f"expected two groups of at least one score without NaN, found {first} and {second}")
    n, n_first = first.size + second.size, min(first.size, second.size)
    smallest = min(1.0, 2 / comb(n, n_first))
    if not is_exact(first.size, second.size):
        p_value = mannwhitneyu(first, second, method="asymptotic").pvalue
        return RankTest(1.0 if np.isnan(p_value) else float(p_value), smallest)  # NaN: all scores are equal
    smaller_first = np.concatenate([first, second] if first.size == n_first else [second, first])
    doubled = np.rint(2 * rankdata(smaller_first)).astype(int)  # ties give halves: double them
    n_splits = np.zeros((n_first + 1, doubled.sum() + 1))  # by size of the first group and its doubled rank sum
    n_splits[0, 0] = 1
    for value in doubled:
        for size in range(n_first, 0, -1):
            n_splits[size, value:] += n_splits[size - 1, :-value]
    distance = np.abs(np.arange(n_splits.shape[1]) - doubled.sum() * n_first / n)
    observed = distance[doubled[:n_first].sum()]
    p_value = n_splits[n_first, distance >= observed - 1e-9].sum() / comb(n, n_first)
    return RankTest(float(p_value), smallest)


def is_exact(n_first, n_second):
    """Whether `rank_test` counts all splits of groups of these sizes."""
    return min(n_first, n_second) * (n_first + n_second) ** 3 <= LARGEST_EXACT


def holm(p_values):
    """p-values (n,) corrected for testing n hypotheses at once: Holm 1979, www.jstor.org/stable/4615733. (n,) up to 1."""
    p_values = np.asarray(p_values, np.float64)
    order = np.argsort(p_values, kind="stable")
    stepped = np.maximum.accumulate(p_values[order] * np.arange(len(p_values), 0, -1))
    corrected = np.empty(len(p_values))
    corrected[order] = np.minimum(stepped, 1.0)
    return corrected


def superiority(first, second):
    """Probability of superiority, P(X > Y) + P(X = Y) / 2, of a score of `first` over one of `second`: 0 to 1.

    Vargha and Delaney 2000, doi 10.3102/10769986025002101; McGraw and Wong 1992, doi 10.1037/0033-2909.111.2.361.
    """
    first, ordered = np.asarray(first, np.float64), np.sort(np.asarray(second, np.float64))
    below, not_above = (np.searchsorted(ordered, first, side) for side in ("left", "right"))
    return float((below + not_above).mean() / (2 * ordered.size))


def superiority_interval(probability, n_first, n_second, confidence):
    """(low, high) of a probability of superiority that was found with groups of these sizes.

    Newcombe 2006, doi 10.1002/sim.2324, method 5: the values whose distance from the one found is what their own
    standard error allows. Taken in place of a bootstrap, whose interval shrinks to a point where the groups don't
    overlap; in simulations with 3 and 8 runs this one held the truth in 95 % or more, the bootstrap in 78 to 93 %.
    """
    z_squared, size = norm.ppf((1 + confidence) / 2) ** 2, (n_first + n_second) / 2 - 1

    def excess(value):
        spread = 1 + size * (1 - value) / (2 - value) + size * value / (1 + value)
        return (value - probability) ** 2 - z_squared * value * (1 - value) * spread / (n_first * n_second)

    # 0 and 1 have no standard error and so are solutions themselves where they are what was found: step beside them
    low = 0.0 if probability <= 0 else brentq(excess, 0, min(probability, 1 - 1e-12))
    high = 1.0 if probability >= 1 else brentq(excess, max(probability, 1e-12), 1)
    return low, high


def ranges_overlap(first, second):
    """Whether the ranges of two groups of scores share a value."""
    return bool(min(first) <= max(second) and min(second) <= max(first))
