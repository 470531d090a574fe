"""Sparse labels as people draw them: one mask per class and slice, or the numbers of its objects; of all, or, where the time ran
out, of some."""

import numpy as np
from scipy import ndimage


def draw_mask(labels, values, complete=True):
    """Mask (Y, X) uint8, 255 where labels (Y, X) has one of `values`, else 0.

    complete: all objects; otherwise every other one, the largest first, so that what is 0 may be an object too.
    """
    mask = np.isin(labels, values)
    if not complete:
        objects, n = ndimage.label(mask)
        sizes = np.bincount(objects.ravel(), minlength=n + 1)[1:]
        drawn = 1 + np.argsort(-sizes, kind="stable")[::2]
        mask = np.isin(objects, drawn)
    return np.where(mask, 255, 0).astype(np.uint8)


def draw_numbers(numbers, complete=True):
    """Object numbers (Y, X) of a slice as they are drawn, in their type; 0 is none.

    complete: all objects; otherwise every other one, the largest in the slice first.
    """
    if complete:
        return numbers
    values, sizes = np.unique(numbers[numbers > 0], return_counts=True)
    return np.where(np.isin(numbers, values[np.argsort(-sizes, kind="stable")[::2]]), numbers, numbers.dtype.type(0))
