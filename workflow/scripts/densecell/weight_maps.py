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
    return _edge_terms(_group_slice(labels_slice, groups, valid), sigma_px, amplitude)


def _edge_terms(group_slice, sigma_px, amplitude):
    """`edge_terms` of a (Y, X) slice of groups, -1 where invalid.

    Blurring is linear and keeps a constant, so the blurs of background and organelle are one blur of both, and where no
    voxel is invalid that one is 1 minus the blur of the cell: one blur in place of three.
    """
    is_cell, is_valid = group_slice == CELL, group_slice >= 0

    def blurred(indicator):
        blur = gaussian_filter(indicator.view(np.uint8), sigma_px, mode="reflect", truncate=4.0, output=np.float64)
        blur *= amplitude
        return blur

    is_other = is_valid & ~is_cell
    if not is_cell.any() or not is_other.any():
        return np.zeros(group_slice.shape)
    total = blurred(is_cell)
    if is_valid.all():
        np.subtract(amplitude, total, out=total, where=is_cell)
        return np.maximum(total, 0.0, out=total)  # rounding can leave -1e-16
    np.copyto(total, blurred(is_other), where=is_cell)
    total[~is_valid] = 0.0
    return total


def rectify(total, threshold=0.25):
    """Cut a slice's edge terms below `threshold` and stretch the rest so that the maximum stays what it was.

    total: (Y, X) the summed terms (the sum is rectified once, not each term). Returns (Y, X) float64; all
    zeros where nothing exceeds the threshold, as in a slice of a single class.
    """
    total = np.asarray(total, dtype=np.float64)
    maximum = total.max(initial=0.0)
    if maximum <= threshold:
        return np.zeros_like(total)
    rectified = total - threshold
    np.maximum(rectified, 0.0, out=rectified)
    rectified *= maximum / (maximum - threshold)
    return rectified


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
    group_slice = _group_slice(labels_slice, groups, valid)
    weights = rectify(_edge_terms(group_slice, sigma_px, amplitude), threshold)
    weights *= edge_scale
    weights += _of_labels(floor + balance, labels_slice, 0.0)
    weights[group_slice < 0] = 0.0
    return weights.astype(np.float32)


def _group_slice(labels_slice, groups, valid):
    """Group of each voxel, (Y, X) int8, -1 on invalid voxels."""
    labels_slice, groups = np.asarray(labels_slice), np.asarray(groups)
    if labels_slice.ndim != 2:
        raise ValueError(f"labels_slice: expected one (Y, X) slice, found shape {labels_slice.shape}")
    if not np.isin(groups, (BACKGROUND, CELL, ORGANELLE)).all():
        raise ValueError(f"groups: expected 0 background, 1 cell or 2 organelle for each class, found {groups}")
    group_slice = _of_labels(groups.astype(np.int8), labels_slice, np.int8(-1))
    if valid is not None:
        if np.shape(valid) != labels_slice.shape:
            raise ValueError(f"valid: expected the shape of the labels {labels_slice.shape}, found {np.shape(valid)}")
        valid = np.asarray(valid, dtype=bool)
        group_slice[~valid] = -1
    unread = labels_slice[group_slice < 0] if valid is None else labels_slice[(group_slice < 0) & valid]
    if (unread != UNLABELLED).any():
        found = np.unique(unread[unread != UNLABELLED]).tolist()
        raise ValueError(
            f"labels: expected classes 0 to {len(groups) - 1} or 255 for unlabelled, found {found}; "
            "add the missing classes to the config or map these values to classes"
        )
    return group_slice


def _of_labels(values, labels_slice, otherwise):
    """`values` (n_classes,) looked up by label, `otherwise` for 255 and every label that no class has."""
    table = np.full(257, otherwise, values.dtype)
    table[: len(values)] = values
    labels_slice = np.asarray(labels_slice)
    if labels_slice.dtype != np.uint8:
        labels_slice = np.where((labels_slice < 0) | (labels_slice > 255), 256, labels_slice).astype(np.intp)
    return table[labels_slice]
