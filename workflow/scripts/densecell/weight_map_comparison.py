"""How two error-weight maps of one labelled region agree: correlation, and the scale between their edge terms.

Both are floor + class balance + edges (see `weight_maps`). With the floors and the class balance of the labels taken away,
what is left of each is its edge term, and the scale s of "theirs = s x ours" is the least-squares one. All of it follows
from a few sums per slice, so volumes are compared slab by slab.
"""

import numpy as np

from densecell.classes import UNLABELLED

N_SUMS = 8


def slice_sums(ours, theirs, labels, balance, our_floor, their_floor):
    """The sums of one slice from which every measure follows, (N_SUMS,) float64.

    ours, theirs: (Y, X) weights with their floors. labels: (Y, X) class map, 255 = unlabelled, left out of all sums.
    balance: (n_classes,) class-balance weights, taken away from both. Order: voxels; sums of ours, theirs, ours^2,
    theirs^2, ours x theirs; and of the edge terms, ours^2 and ours x theirs.
    """
    valid = labels != UNLABELLED
    a, b = np.asarray(ours, np.float64)[valid], np.asarray(theirs, np.float64)[valid]
    of_class = np.asarray(balance, np.float64)[labels[valid]]
    our_edges, their_edges = a - our_floor - of_class, b - their_floor - of_class
    sums = (a.size, a.sum(), b.sum(), a @ a, b @ b, a @ b, our_edges @ our_edges, our_edges @ their_edges)
    return np.array(sums, np.float64)


def pearson(sums):
    """Pearson correlation of the weights, -1 to 1, from added-up `slice_sums`; nan where one of them is constant."""
    n, a, b, aa, bb, ab = sums[:6]
    if not n:
        return np.nan
    spread = np.array([aa - a * a / n, bb - b * b / n])
    if (spread <= 1e-12 * np.array([aa, bb])).any():
        return np.nan
    return float(np.clip((ab - a * b / n) / np.sqrt(spread.prod()), -1, 1))


def edge_scale(sums):
    """Least-squares factor from our edge term to theirs; nan where we have no edges. From added-up `slice_sums`."""
    ours, both = sums[6:8]
    return float(both / ours) if ours > 1e-9 * max(sums[0], 1) else np.nan


MEASURES = {"pearson": pearson, "edge_scale": edge_scale}
