"""Tissue against background: label maps and probability maps as two classes, over a sweep of thresholds.

The comparison with another tool of Guay et al. 2021 (doi 10.1038/s41598-021-81590-0, Fig. 4): everything is reduced to
foreground and background, and a probability map p is foreground where p > t, strictly, so that t = 1 leaves nothing but
background. Voxels are counted once into a histogram of the stored values; each threshold is a sum over it.
"""

import numpy as np

from densecell.classes import BACKGROUND, UNLABELLED
from densecell.metrics import iou, miou_all

NAMES = ("background", "foreground")
GROUPS = (0, 1)
FIXED_THRESHOLD = 0.5
LARGEST_HISTOGRAM = 2**16  # stored values of 8 and 16 bits are counted, others are compared with each threshold


def is_foreground(labels, groups):
    """Where a class map is not of the background group: bool, of the shape of `labels`; 255 (unlabelled) is False.

    groups: (n_classes,) 0 background, 1 cell, 2 organelle.
    """
    inside = np.zeros(256, dtype=bool)
    inside[: len(groups)] = np.asarray(groups) != BACKGROUND
    return inside[np.asarray(labels)] & (np.asarray(labels) != UNLABELLED)


def foreground_of_background(planes):
    """1 - the sum of the background group's probabilities, 8-bit (255 = 1): uint8, of the shape of each plane.

    planes: uint8 arrays, one for each class of the background group. Rounding can lift their sum above 255; it counts as 1.
    """
    total = sum(np.asarray(plane, dtype=np.int32) for plane in planes)
    return (255 - np.minimum(total, 255)).astype(np.uint8)


def default_maximum(dtype):
    """The stored value that means probability 1 by convention: 255 and 65535 for 8 and 16 bits, 1 for floats."""
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return 1
    if dtype in (np.uint8, np.uint16):
        return int(np.iinfo(dtype).max)
    raise ValueError(f"maximum: expected a number for values of type {dtype}, found none; say which value means 1")


def as_probabilities(values, maximum):
    """Stored values as probabilities: value / maximum, floats in their own precision, integers in float64.

    Raises ValueError for a value below 0, above `maximum`, or not a number.
    """
    values = np.asarray(values)
    if values.size and not (values.min() >= 0 and values.max() <= maximum):
        raise ValueError(
            f"expected probabilities stored as 0 to {maximum:g}, found {values.min():g} to {values.max():g}; "
            "correct `maximum`, the value that means probability 1"
        )
    return values / np.asarray(maximum, dtype=values.dtype if values.dtype.kind == "f" else np.float64)


def above(values, maximum, threshold):
    """Foreground: probability > threshold, strictly. The threshold is taken in the precision of the probabilities.

    A quotient of two whole numbers is rounded as the decimal threshold is, so 51 of 255 is not above 0.2.
    """
    probabilities = as_probabilities(values, maximum)
    return probabilities > np.asarray(threshold, dtype=probabilities.dtype)


class ThresholdCounts:
    """Voxels by reference (background, foreground) and prediction at every threshold, added up slice by slice.

    thresholds: in [0, 1]; maximum: the stored value that means 1; dtype: of the stored values.
    """

    def __init__(self, thresholds, maximum, dtype):
        self.thresholds, self.maximum, dtype = tuple(thresholds), maximum, np.dtype(dtype)
        n_values = np.iinfo(dtype).max + 1 if dtype.kind == "u" else LARGEST_HISTOGRAM + 1
        self.histogram = np.zeros((2, n_values), np.int64) if n_values <= LARGEST_HISTOGRAM else None
        self.counts = np.zeros((len(self.thresholds), 2, 2), np.int64)

    def add(self, reference, valid, values):
        """Count the valid voxels: reference bool, valid bool and stored values of one shape."""
        reference, values = np.asarray(reference)[valid], np.asarray(values)[valid]
        if self.histogram is None:
            for counts, threshold in zip(self.counts, self.thresholds):
                counts += count_two(reference, above(values, self.maximum, threshold))
            return
        as_probabilities(values, self.maximum)
        n = self.histogram.shape[1]
        self.histogram += np.bincount(reference * n + values.astype(np.int64), minlength=2 * n).reshape(2, n)

    def confusions(self):
        """(n_thresholds, 2, 2) voxels; rows are the reference, columns the prediction, background first."""
        if self.histogram is None:
            return self.counts
        found = np.arange(self.histogram.shape[1]) / np.float64(self.maximum) > np.array(self.thresholds)[:, None]
        foreground = found.astype(np.int64) @ self.histogram.T  # (n_thresholds, 2)
        return np.stack([self.histogram.sum(axis=1) - foreground, foreground], axis=-1)


def count_two(reference, predicted):
    """2 x 2 voxels of two bool arrays of one shape; rows are the reference, background first."""
    index = 2 * np.asarray(reference, np.int64) + np.asarray(predicted)
    return np.bincount(index.ravel(), minlength=4).reshape(2, 2)


def overlap_rows(confusion):
    """[(class, measure, value, unit)] of a 2 x 2 confusion: IoU of both classes and their mean.

    A class absent from both has no IoU (NaN) and is left out of the mean, as everywhere.
    """
    rows = [(name, "iou", float(value), "1") for name, value in zip(NAMES, iou(np.asarray(confusion)))]
    return [*rows, ("all", "miou", miou_all(np.asarray(confusion), GROUPS), "1")]


def choose_threshold(table):
    """The threshold with the highest mean IoU on the eval regions; None without an eval region or a sweep.

    table: rows of one source with `role`, `threshold`, `measure`, `value`. With several eval regions the mean over
    them counts. Of equals the one nearest 0.5 is taken, then the smaller. No other role is ever looked at.
    """
    seen = table[(table["role"] == "eval") & (table["measure"] == "miou") & table["threshold"].notna()]
    scores = seen.groupby("threshold")["value"].mean().dropna()
    if scores.empty:
        return None
    best = scores.index[scores == scores.max()]
    return float(min(best, key=lambda t: (round(abs(t - FIXED_THRESHOLD), 9), t)))
