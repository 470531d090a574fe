"""How far the gray values of each slice are from those of all slices: Kolmogorov-Smirnov distances, and which of them stand out.

Two distances, both between 0 and 1. Of the gray values as they are, it grows with flicker, which a correction takes out. With brightness
and contrast taken out (`standardized`), it grows where a slice shows something else: a hole, resin, a fold. There a correction of each slice
by itself exaggerates, because it makes the histogram of a slice that truly differs equal to the others'.
"""

import numpy as np

N_GROUPS = 2048
GRID = np.linspace(-5, 5, 201)  # interquartile ranges around the median
OUTLIER_SDS, LEAST_DISTANCE, FEWEST = 5.0, 0.1, 5


def value_groups(counts):
    """(L,) int: a group for each gray value, rising, at most N_GROUPS + 2, of about equally many of the voxels in `counts`.

    256 values have a group each. 65536 are grouped by the reference: few numbers a slice are then kept, whatever part of the
    range an image uses. Values outside the reference have the first and the last group.
    """
    if len(counts) <= N_GROUPS:
        return np.arange(len(counts))
    present, below = np.flatnonzero(counts), np.cumsum(counts) - counts
    groups = 1 + below * N_GROUPS // counts.sum()
    groups[: present[0]], groups[present[-1] + 1 :] = 0, N_GROUPS + 1
    return groups


def grouped(counts, groups):
    """Voxels of each group: (groups[-1] + 1,) int64."""
    return np.bincount(groups, counts, groups[-1] + 1).astype(np.int64)


def moments(counts):
    """(voxels, mean, population standard deviation) of the gray values; nan without voxels."""
    n = int(counts.sum())
    if not n:
        return 0, float("nan"), float("nan")
    values = np.arange(len(counts), dtype=float)
    mean = float(counts @ values / n)
    return n, mean, float(np.sqrt(counts @ (values - mean) ** 2 / n))


def standardized(counts):
    """(201,) share of the voxels up to each point of GRID, where the median is 0 and the interquartile range 1.

    The voxels of a gray value are spread evenly over its width, so that a gain that merges values changes little. nan for a slice
    of fewer than two gray values.
    """
    present = np.flatnonzero(counts)
    if len(present) < 2:
        return np.full(len(GRID), np.nan)
    edges = np.arange(len(counts) + 1) - 0.5
    up_to = np.concatenate([[0], np.cumsum(counts)]) / counts.sum()
    own = slice(present[0], present[-1] + 2)  # from the lower edge of the lowest value to the upper one of the highest
    low, middle, high = np.interp([0.25, 0.5, 0.75], up_to[own], edges[own])
    return np.interp(middle + GRID * (high - low), edges, up_to)


def ks_to_pooled(histograms, counts_for_pool):
    """(n,) distance of each row of `histograms` (n, groups) to the sum of the rows where `counts_for_pool` (n, bool) is true.

    nan for rows without voxels.
    """
    pooled = np.cumsum(histograms[counts_for_pool].sum(axis=0))
    return np.array([_largest_gap(np.cumsum(row), pooled) for row in histograms])


def _largest_gap(a, b):
    return float(np.abs(a / a[-1] - b / b[-1]).max()) if a[-1] and b[-1] else float("nan")


def shape_distances(curves, n_voxels, counts_for_pool):
    """(n,) distance of each row of `curves` (n, 201), of `standardized`, to the mean of those in the pool, by their voxels."""
    kept = counts_for_pool & np.isfinite(curves).all(axis=1)
    if not kept.any():
        return np.full(len(curves), np.nan)
    pooled = np.average(curves[kept], axis=0, weights=n_voxels[kept])
    return np.abs(curves - pooled).max(axis=1)


def outliers(distances, counts_for_pool):
    """(n,) bool: more than 5 robust standard deviations (1.4826 x median absolute deviation) above the median, and above 0.1.

    Median and deviation are of the slices in the pool; with fewer than five of them nothing stands out. Other slices never do.
    """
    kept = counts_for_pool & np.isfinite(distances)
    if kept.sum() < FEWEST:
        return np.zeros(len(distances), bool)
    median = np.median(distances[kept])
    spread = 1.4826 * np.median(np.abs(distances[kept] - median))
    return kept & (distances > max(median + OUTLIER_SDS * spread, LEAST_DISTANCE))
