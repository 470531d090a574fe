"""Error-weight maps: how much each voxel counts in the training loss.

W = floor + class balance + edge term (Guay et al. 2021, doi 10.1038/s41598-021-81590-0, Methods, "Network
training"). The class balance comes from the whole training volume, the edge term from each (y, x) slice by
itself, so a volume is weighted one slice at a time.
"""

import numpy as np
from scipy.ndimage import gaussian_filter

from densecell.classes import BACKGROUND, CELL, ORGANELLE, UNLABELLED


def class_balance_weights(class_counts, power=1.0):
    """Weight of each class, inverse to its number of voxels; the rarest class present weighs 1.

    class_counts: (n_classes,) valid voxels of each class in the whole training volume.
    power: 1 is the paper; 0.5 takes the square root, which is gentler where classes are very uneven.
    Returns (n_classes,) float64 in [0, 1]; a class without voxels weighs 0.
    Raises ValueError for negative counts, for no voxels at all and for a power that is not positive.
    """
    counts = np.asarray(class_counts, dtype=np.float64)
    if counts.ndim != 1 or (counts < 0).any() or not (counts > 0).any():
        raise ValueError(
            f"class_counts: expected counts >= 0 with at least one voxel, found {class_counts}; "
            "check that the training region holds labelled voxels"
        )
    if not power > 0:
        raise ValueError(f"class_weight_power: expected a number > 0, found {power}; 1 is the paper, 0.5 the root")
    present = counts > 0
    weights = np.zeros_like(counts)
    weights[present] = (counts[present].min() / counts[present]) ** power
    return weights


def edge_terms(labels_slice, groups, sigma_px=6.0, amplitude=0.882, valid=None):
    """Sum of the four edge terms of one slice, before rectification.

    A term S->T is `amplitude` times the Gaussian-blurred indicator of the source group S, kept on the voxels
    of the target group T. The four are background->cell, cell->background, cell->organelle and
    organelle->cell.

    labels_slice: (Y, X) class map, 255 = unlabelled. groups: (n_classes,) 0 background, 1 cell, 2 organelle.
    sigma_px: standard deviation of the Gaussian in pixels, cut at 4 sigma, borders mirrored.
    valid: (Y, X) bool or None (everywhere); an invalid or unlabelled voxel is neither source nor target.
    Returns (Y, X) float64 in [0, amplitude], 0 on invalid voxels.
    """
    group_slice = _group_slice(labels_slice, groups, valid)

    def blurred(group):
        indicator = (group_slice == group).astype(np.float64)
        return amplitude * gaussian_filter(indicator, sigma_px, mode="reflect", truncate=4.0)

    near_cell = blurred(CELL)
    total = np.where(group_slice == CELL, blurred(BACKGROUND) + blurred(ORGANELLE), 0.0)
    return np.where((group_slice == BACKGROUND) | (group_slice == ORGANELLE), near_cell, total)


def rectify(total, threshold=0.25):
    """Cut a slice's edge terms below `threshold` and stretch the rest so that the maximum stays what it was.

    total: (Y, X) the summed terms (the sum is rectified once, not each term). Returns (Y, X) float64; all
    zeros where nothing exceeds the threshold, as in a slice of a single class.
    """
    total = np.asarray(total, dtype=np.float64)
    maximum = total.max(initial=0.0)
    if maximum <= threshold:
        return np.zeros_like(total)
    return np.maximum(total - threshold, 0.0) * (maximum / (maximum - threshold))


def weight_slice(
    labels_slice,
    balance,
    groups,
    sigma_px=6.0,
    amplitude=0.882,
    threshold=0.25,
    floor=0.01,
    edge_scale=1.0,
    valid=None,
):
    """Error weights of one slice: floor + class balance + edge_scale * rectified edge terms.

    labels_slice: (Y, X) class map, 255 = unlabelled. balance: (n_classes,) from `class_balance_weights`.
    groups, sigma_px, amplitude, valid: see `edge_terms`. threshold: see `rectify`.
    Returns (Y, X) float32, 0 on invalid or unlabelled voxels and between floor and floor + 1 + edge_scale *
    amplitude elsewhere. Raises ValueError for a label that no class has.
    """
    balance = np.asarray(balance, dtype=np.float64)
    if len(balance) != len(groups):
        raise ValueError(f"balance: expected one weight for each of {len(groups)} classes, found {len(balance)}")
    labels_slice = np.asarray(labels_slice)
    valid = _labelled(labels_slice, valid)
    edges = edge_terms(labels_slice, groups, sigma_px, amplitude, valid)
    weights = floor + balance[np.where(valid, labels_slice, 0)] + edge_scale * rectify(edges, threshold)
    return np.where(valid, weights, 0.0).astype(np.float32)


def _labelled(labels_slice, valid):
    labelled = labels_slice != UNLABELLED
    if valid is None:
        return labelled
    if np.shape(valid) != labels_slice.shape:
        raise ValueError(f"valid: expected the shape of the labels {labels_slice.shape}, found {np.shape(valid)}")
    return labelled & np.asarray(valid, dtype=bool)


def _group_slice(labels_slice, groups, valid):
    """Group of each voxel, (Y, X) int16, -1 on invalid voxels."""
    labels_slice, groups = np.asarray(labels_slice), np.asarray(groups, dtype=np.int16)
    if labels_slice.ndim != 2:
        raise ValueError(f"labels_slice: expected one (Y, X) slice, found shape {labels_slice.shape}")
    if not np.isin(groups, (BACKGROUND, CELL, ORGANELLE)).all():
        raise ValueError(f"groups: expected 0 background, 1 cell or 2 organelle for each class, found {groups}")
    valid = _labelled(labels_slice, valid)
    known = (labels_slice >= 0) & (labels_slice < len(groups))
    if (valid & ~known).any():
        found = np.unique(labels_slice[valid & ~known]).tolist()
        raise ValueError(
            f"labels: expected classes 0 to {len(groups) - 1} or 255 for unlabelled, found {found}; "
            "add the missing classes to the config or map these values to classes"
        )
    return np.where(valid, groups[np.where(valid, labels_slice, 0)], np.int16(-1))
