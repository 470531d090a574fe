"""Intervals for numbers of a handful of runs: the bootstrap for means and medians, exact ones for shares.

Efron 1979, doi 10.1214/aos/1176344552: the statistic of samples drawn with replacement from the runs. Percentile intervals
of few runs are too narrow, so their tails are moved out as far as Student's t asks ("expanded percentile", Hesterberg
2015, doi 10.1080/00031305.2015.1089789). In simulations with 8 runs, normal and bimodal, the plain percentile and the
BCa interval of the mean held the truth in 88 to 92 %, the expanded one in 91 to 95 %. With 3 runs none exceeds 77 %.
"""

import numpy as np
from scipy.stats import binomtest, norm, t

LARGEST_BLOCK = 5_000_000  # numbers drawn at once


def resampled(values, statistic, n_bootstrap, generator):
    """`statistic` of n_bootstrap samples of the values, drawn with replacement: (n_bootstrap,) float64.

    values: (n,) without NaN. statistic: a function of (samples, n) and `axis`, as np.mean. generator: numpy's.
    """
    values = np.asarray(values, np.float64)
    results, per_block = [], max(1, LARGEST_BLOCK // values.size)
    for start in range(0, n_bootstrap, per_block):
        n_samples = min(per_block, n_bootstrap - start)
        results.append(statistic(values[generator.integers(0, values.size, (n_samples, values.size))], axis=1))
    return np.concatenate(results)


def expanded_tail(confidence, smallest_n, degrees_of_freedom):
    """The share to cut from each side of a bootstrap distribution: below (1 - confidence) / 2 for few runs."""
    widened = np.sqrt(smallest_n / (smallest_n - 1)) * t.ppf((1 + confidence) / 2, degrees_of_freedom)
    return norm.cdf(-widened)


def bootstrap_interval(values, statistic, confidence, n_bootstrap, generator):
    """(low, high) of a statistic of the values; (nan, nan) for fewer than two, whose scatter is not known."""
    n = len(values)
    if n < 2:
        return float("nan"), float("nan")
    return _interval(resampled(values, statistic, n_bootstrap, generator), expanded_tail(confidence, n, n - 1))


def difference_interval(first, second, statistic, confidence, n_bootstrap, generator):
    """(low, high) of statistic(first) - statistic(second), each group resampled by itself.

    (nan, nan) where a group has fewer than two values.
    """
    sizes = len(first), len(second)
    if min(sizes) < 2:
        return float("nan"), float("nan")
    ours, theirs = (resampled(group, statistic, n_bootstrap, generator) for group in (first, second))
    return _interval(ours - theirs, expanded_tail(confidence, min(sizes), sum(sizes) - 2))


def _interval(results, tail):
    low, high = np.quantile(results, (tail, 1 - tail))
    return float(low), float(high)


def share_interval(n_hits, n, confidence):
    """(low, high) of a share of which n_hits of n were found: Clopper and Pearson 1934, doi 10.1093/biomet/26.4.404."""
    if n == 0:
        return float("nan"), float("nan")
    interval = binomtest(int(n_hits), int(n)).proportion_ci(confidence, method="exact")
    return float(interval.low), float(interval.high)
