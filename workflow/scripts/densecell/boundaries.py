"""Borders of a two-class map, slice by slice: are touching cells kept apart, and do the borders lie where they should?

Overlap scores hardly see the thin gaps between touching cells. Here the connected pieces of the foreground in each z-slice
(4 neighbors) are compared as objects: split and merge parts of the variation of information (Meila 2007, doi
10.1016/j.jmva.2006.11.013; Nunez-Iglesias et al. 2013, doi 10.1371/journal.pone.0071715; for EM Arganda-Carreras et al.
2015, doi 10.3389/fnana.2015.00142), the boundary F1 (Csurka et al. 2013, doi 10.5244/C.27.32), and the voxels of narrow
gaps. All are sums over slices, so slabs add up.
"""

from typing import NamedTuple

import numpy as np
from scipy.ndimage import distance_transform_edt, find_objects, label
from skimage.metrics import variation_of_information

ROUNDING = 1 + 1e-9  # a voxel exactly at a distance is inside, whatever the rounding
SUMS = (
    "foreground",  # reference foreground voxels
    "split",  # false-split entropy times these voxels, bit
    "merge",  # false-merge entropy times these voxels, bit
    "border_found",  # reference border voxels near a predicted one
    "border",  # reference border voxels
    "predicted_border_right",  # predicted border voxels near a reference one
    "predicted_border",  # predicted border voxels
    "gap_kept",  # voxels of the reference's narrow gaps that are predicted background
    "gap",  # voxels of the reference's narrow gaps
    "predicted_gap_right",  # voxels of the prediction's narrow gaps that are background in the reference
    "predicted_gap",  # voxels of the prediction's narrow gaps
)


class Pieces(NamedTuple):
    """What is derived from one map of one slice, each (Y, X)."""

    foreground: np.ndarray  # bool
    components: np.ndarray  # int, 0 is background
    border: np.ndarray  # bool: foreground next to labelled background
    distance_nm: np.ndarray  # to the nearest border voxel, infinite where there is none
    gaps: np.ndarray  # bool


def border_of(foreground, valid):
    """Foreground voxels with a background voxel among their 4 neighbors: (Y, X) bool.

    Neither the picture's edge nor a voxel that is not valid (unlabelled) makes a border.
    """
    background = np.pad(~foreground & valid, 1)
    beside = background[:-2, 1:-1] | background[2:, 1:-1] | background[1:-1, :-2] | background[1:-1, 2:]
    return foreground & beside


def narrow_gaps(components, valid, gap_nm, pixel_nm):
    """Background voxels within `gap_nm` of two or more different components: (Y, X) bool.

    components: (Y, X) int, 0 is background. pixel_nm: (y, x). Each component is looked at in its box, padded by the gap.
    """
    near = np.zeros(components.shape, dtype=np.int32)
    pad = [int(gap_nm * ROUNDING // size) for size in pixel_nm]
    for number, box in enumerate(find_objects(components), start=1):
        box = tuple(
            slice(max(b.start - p, 0), min(b.stop + p, n)) for b, p, n in zip(box, pad, components.shape, strict=True)
        )
        distance_nm = distance_transform_edt(components[box] != number, sampling=pixel_nm)
        near[box] += distance_nm <= gap_nm * ROUNDING
    return (near >= 2) & (components == 0) & valid


def pieces(foreground, valid, gap_nm, pixel_nm):
    """The `Pieces` of a slice. foreground, valid: (Y, X) bool; what is not valid is cut out of the foreground."""
    foreground = foreground & valid
    components, _ = label(foreground)
    border = border_of(foreground, valid)
    distance_nm = np.full(border.shape, np.inf)
    if border.any():
        distance_nm = distance_transform_edt(~border, sampling=pixel_nm)
    return Pieces(foreground, components, border, distance_nm, narrow_gaps(components, valid, gap_nm, pixel_nm))


def compare(reference, predicted, tolerance_nm):
    """(len(SUMS),) float64: what one slice adds to the sums. reference, predicted: `Pieces` of the slice.

    The entropies are taken over the reference's foreground; what is missed there counts as one object of the slice.
    """
    inside = reference.foreground
    split = merge = 0.0
    if inside.any():
        entropies = variation_of_information(reference.components[inside], predicted.components[inside])
        split, merge = np.maximum(entropies, 0)  # rounding leaves -1e-17
    near = tolerance_nm * ROUNDING
    sums = {
        "foreground": inside.sum(),
        "split": split * inside.sum(),
        "merge": merge * inside.sum(),
        "border_found": (predicted.distance_nm[reference.border] <= near).sum(),
        "border": reference.border.sum(),
        "predicted_border_right": (reference.distance_nm[predicted.border] <= near).sum(),
        "predicted_border": predicted.border.sum(),
        "gap_kept": (~predicted.foreground[reference.gaps]).sum(),
        "gap": reference.gaps.sum(),
        "predicted_gap_right": (~reference.foreground[predicted.gaps]).sum(),
        "predicted_gap": predicted.gaps.sum(),
    }
    return np.array([sums[name] for name in SUMS], dtype=np.float64)


def boundary_rows(sums):
    """[(class, measure, value, unit)] from the sums of a region; NaN where there is nothing to divide by.

    The entropies are means over the slices weighted with their foreground voxels, which is the variation of information
    of all slices together with the pieces of each slice as objects of their own. A precision without predicted voxels is
    NaN; F1 is 0 where one of the two maps has no border, and NaN where both have none.
    """
    of = dict(zip(SUMS, np.asarray(sums, dtype=np.float64), strict=True))

    def share(part, whole):
        return of[part] / of[whole] if of[whole] else float("nan")

    both = of["border"] + of["predicted_border"]
    precision, recall = share("predicted_border_right", "predicted_border"), share("border_found", "border")
    found = precision + recall if of["border"] and of["predicted_border"] else 0.0
    f1 = (2 * precision * recall / found if found else 0.0) if both else float("nan")
    return [
        ("foreground", "vi_split", share("split", "foreground"), "bit"),
        ("foreground", "vi_merge", share("merge", "foreground"), "bit"),
        ("foreground", "boundary_precision", precision, "1"),
        ("foreground", "boundary_recall", recall, "1"),
        ("foreground", "boundary_f1", f1, "1"),
        ("background", "gap_precision", share("predicted_gap_right", "predicted_gap"), "1"),
        ("background", "gap_recall", share("gap_kept", "gap"), "1"),
        ("background", "gap_voxels", of["gap"], "voxel"),
    ]
