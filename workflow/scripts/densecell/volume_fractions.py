"""Volume fractions: what share of a cell each class fills.

The fraction of class j is n(label j) / n(labels other than background) inside one cell (Guay et al. 2021, doi
10.1038/s41598-021-81590-0, Methods and Fig. 3). For a prediction the cell is what was predicted as such,
within a physical margin around the reference cell, so that organelles of neighboring cells are not counted.
"""

from collections import deque
from itertools import islice, tee

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt

from densecell.classes import BACKGROUND, UNLABELLED
from densecell.histograms import joint_counts, value_counts
from densecell.metrics import KEY_COLUMNS, read_labels, refuse_unknown_labels, refuse_values
from densecell.parallel import in_order

REFERENCE_CELL = "reference cell"
PREDICTED_CELL = "predicted cell within margin"
LABELLED_TISSUE = "labelled tissue"
DENOMINATORS = (REFERENCE_CELL, PREDICTED_CELL, LABELLED_TISSUE)
MARGINS_NM = (50.0, 100.0, 200.0)


def dilate_mask(mask, margin_nm, voxel_size_nm):
    """All voxels whose center lies at most `margin_nm` from the center of a voxel of the mask.

    mask: (Z, Y, X) bool. voxel_size_nm: (z, y, x). Returns (Z, Y, X) bool.
    """
    mask = np.asarray(mask, dtype=bool)
    if mask.ndim != 3:
        raise ValueError(f"expected a (Z, Y, X) mask, found shape {mask.shape}")
    return np.stack([shells == 0 for shells in margin_shells(mask, [margin_nm], voxel_size_nm, depth=len(mask))])


def margin_shells(planes, margins_nm, voxel_size_nm, threads=1, depth=None):
    """The narrowest margin around a mask that reaches each voxel, plane by plane.

    planes: iterable of (Y, X) bool, the mask from its first plane to its last. margins_nm: increasing distances >= 0
    between centers of voxels. voxel_size_nm: (z, y, x). Yields for each plane (Y, X) uint8: i where margins_nm[i] is the
    first that reaches the voxel, len(margins_nm) where none does.

    Distances are taken inside each plane; a plane dz away reaches sqrt(margin^2 - dz^2) in (y, x), which is the
    three-dimensional distance. Held are the shells of the planes within the widest margin in z, before and behind, and
    for each plane in work (`threads` and one more) as many boxes around its mask. depth: number of planes, no more of
    which are held then; None where it isn't known, when a margin wider than the mask is deep is held in full.
    """
    margins_nm = [float(margin) for margin in margins_nm]
    if len(voxel_size_nm) != 3 or not min(voxel_size_nm) > 0:
        raise ValueError(f"expected three voxel sizes > 0, found {voxel_size_nm}")
    if not margins_nm or not margins_nm[0] >= 0 or not (np.diff(margins_nm) > 0).all():
        raise ValueError(f"margin_nm: expected increasing distances >= 0 nm, found {margins_nm}")
    margins_nm = [margin * (1 + 1e-9) for margin in margins_nm]  # a voxel exactly at the margin is inside
    last = np.inf if depth is None else depth - 1
    reach, n_planes = int(min(margins_nm[-1] // voxel_size_nm[0], max(last, 0))), 0
    distances_nm = np.arange(reach + 1) * voxel_size_nm[0]
    window = deque()  # shells of plane n_planes - reach and the following ones
    reached = in_order(lambda plane: _reached(plane, margins_nm, distances_nm, voxel_size_nm[1:]), planes, threads)
    for plane, box, steps in reached:
        first = max(n_planes - reach, 0)
        while first + len(window) <= min(n_planes + reach, last):
            window.append(np.full(plane.shape, len(margins_nm), np.uint8))
        for i, shells in enumerate(window):
            part = shells[box]
            np.minimum(part, steps[abs(first + i - n_planes)], out=part)
        n_planes += 1
        if n_planes > reach:
            yield window.popleft()
    yield from islice(window, min(n_planes, reach))


def _reached(plane, margins_nm, distances_nm, pixel_nm):
    """What one plane of a mask reaches: (plane, box, shells inside the box of planes at `distances_nm` along z)."""
    if not plane.any():
        return plane, (slice(0, 0), slice(0, 0)), [np.uint8(len(margins_nm))] * len(distances_nm)
    box = _padded_box(plane, [int(margins_nm[-1] // size) for size in pixel_nm])
    in_plane_nm = distance_transform_edt(~plane[box], sampling=pixel_nm)
    steps = []
    for distance_nm in distances_nm:
        shells = np.full(in_plane_nm.shape, len(margins_nm), np.uint8)
        for margin in margins_nm:
            if distance_nm <= margin:
                shells -= in_plane_nm <= np.sqrt(margin**2 - distance_nm**2)
        steps.append(shells)
    return plane, box, steps


def _padded_box(plane, padding):
    """Slices of the bounding box of a (Y, X) mask, padded and clipped to the plane."""
    box = []
    for axis, pad in enumerate(padding):
        inside = np.flatnonzero(plane.any(axis=1 - axis))
        box.append(slice(max(inside[0] - pad, 0), min(inside[-1] + pad + 1, plane.shape[axis])))
    return tuple(box)


def count_labels(slab, n_classes, valid=None, name="labels"):
    """Voxels of each class in a slab: (n_classes,) int64. Counts of slabs add up to those of the volume.

    slab: class map of any shape, 255 = unlabelled, left out. valid: bool of that shape or None (everywhere).
    Raises ValueError for a label on a valid voxel that no class has; `name` says in the message whose it is.
    """
    slab = np.asarray(slab)
    counts = value_counts(read_labels(slab, n_classes, valid))[:n_classes]
    refuse_unknown_labels(slab, n_classes, counts.sum(), valid, name)
    return counts


def fractions_of_counts(counts, groups):
    """Share of each class in all voxels that are not background: (n_classes,) float64.

    counts: (n_classes,) voxels. groups: (n_classes,) 0 background, 1 cell, 2 organelle. NaN for the
    background, and for every class where there is nothing but background. The other values add up to 1.
    """
    counts, inside = np.asarray(counts), np.asarray(groups) != BACKGROUND
    if counts.shape != inside.shape:
        raise ValueError(f"groups: expected one for each of {counts.size} classes, found {inside.size}")
    fractions = np.full(counts.shape, np.nan)
    total = counts[inside].sum()
    if total > 0:
        fractions[inside] = counts[inside] / total
    return fractions


def volume_fractions(labels, groups, cell_mask=None, valid=None):
    """Counts and volume fractions of the classes inside a mask.

    labels: (Z, Y, X) class map, 255 = unlabelled. valid: (Z, Y, X) bool or None (everywhere).
    cell_mask: (Z, Y, X) bool or None (all labelled tissue). Background voxels in it do not count, so a
    reference needs no mask and a prediction gets the dilated reference cell.
    Returns (counts (n_classes,) int64, fractions (n_classes,) float64, see `fractions_of_counts`).
    """
    for mask, name in ((cell_mask, "cell_mask"), (valid, "valid")):
        if mask is not None and np.shape(mask) != np.shape(labels):
            raise ValueError(f"{name}: expected the shape of the labels {np.shape(labels)}, found {np.shape(mask)}")
    if cell_mask is not None:
        valid = cell_mask if valid is None else np.asarray(valid, dtype=bool) & cell_mask
    counts = count_labels(labels, len(groups), valid)
    return counts, fractions_of_counts(counts, groups)


def shells_of_reference(planes, groups, voxel_size_nm, margins_nm=MARGINS_NM, threads=1, depth=None):
    """Margin around the reference cell that reaches each voxel, streamed over the planes of a reference.

    planes: iterable of (Y, X) uint8 class maps, 255 = unlabelled. margins_nm: increasing. The reference cell is every
    labelled voxel that is not background. Yields (Y, X) uint8 for each plane, see `margin_shells`; unlabelled voxels are in
    no margin. A few planes are held: as many as the widest margin spans, and no more than `depth`, the number of planes,
    where that is given.
    """
    is_cell = np.append(np.asarray(groups) != BACKGROUND, np.zeros(256 - len(groups), dtype=bool))
    ahead, now = tee(planes)  # the margins of a plane are known once the planes within reach were read
    shells = margin_shells((is_cell[plane] for plane in ahead), margins_nm, voxel_size_nm, threads, depth)
    for plane, plane_shells in zip(now, shells, strict=True):
        plane_shells[plane == UNLABELLED] = len(margins_nm)
        yield plane_shells


def counts_in_shells(shells, predicted, n_margins, n_classes):
    """Predicted voxels of each class within each margin: (n_margins, n_classes) int64.

    shells: uint8 of any shape, see `margin_shells`. predicted: class map of that shape, 255 = unlabelled (another
    annotator as the prediction), left out. Counts of slabs add up.
    Raises ValueError for a predicted label within a margin that no class has.
    """
    table = joint_counts(shells, n_margins + 1, read_labels(predicted, n_classes), n_classes + 1)[:n_margins]
    if table[:, n_classes].any():
        within = predicted[shells < n_margins]
        refuse_values(within[within != UNLABELLED], n_classes, "predicted")
    return np.cumsum(table[:, :n_classes], axis=0)  # a wider margin holds the narrower ones


def counts_near_reference(reference, predicted, groups, voxel_size_nm, margins_nm=MARGINS_NM, valid=None):
    """Predicted voxels of each class near the reference cell: {margin_nm: (n_classes,) int64}.

    reference, predicted: (Z, Y, X) class maps of one region. The reference cell is every labelled voxel that
    is not background. Voxels the reference leaves unlabelled are not counted.
    """
    reference, increasing = np.asarray(reference), sorted(set(margins_nm))
    if np.shape(predicted) != reference.shape:
        raise ValueError(
            f"predicted: expected the shape of the reference {reference.shape}, found {np.shape(predicted)}"
        )
    count_labels(reference, len(groups), valid, "reference")  # refuses unknown labels
    planes = reference if valid is None else np.where(valid, reference, UNLABELLED)
    shells = np.stack(list(shells_of_reference(planes, groups, voxel_size_nm, increasing, depth=len(planes))))
    counts = counts_in_shells(shells, np.asarray(predicted), len(increasing), len(groups))
    return {margin_nm: counts[increasing.index(margin_nm)] for margin_nm in margins_nm}


def fractions_table(counts, class_names, groups, voxel_size_nm, denominator, margin_nm=np.nan, **keys):
    """Tidy rows of the volume fraction and the volume of every class but the background.

    counts: (n_classes,) voxels. voxel_size_nm: (z, y, x). denominator: one of DENOMINATORS.
    margin_nm: the margin of a prediction's mask, NaN where there is none.
    keys: the value of each of KEY_COLUMNS.
    Columns: the keys, margin_nm, denominator, class (a name, or "all" for the whole denominator), measure
    (volume_fraction, volume_um3), value, unit ("1", "um3").
    """
    if denominator not in DENOMINATORS:
        raise ValueError(f"denominator: expected one of {', '.join(DENOMINATORS)}, found '{denominator}'")
    if (denominator == PREDICTED_CELL) == bool(np.isnan(margin_nm)):
        raise ValueError(f"margin_nm: expected a number for '{PREDICTED_CELL}' and only there, found {margin_nm}")
    missing = [key for key in KEY_COLUMNS if key not in keys]
    if missing:
        raise ValueError(f"fractions table: expected the key columns {KEY_COLUMNS}, found none for {missing}")
    voxel_um3 = float(np.prod(np.asarray(voxel_size_nm, dtype=np.float64))) * 1e-9
    fractions = fractions_of_counts(counts, groups)
    inside = np.flatnonzero(np.asarray(groups) != BACKGROUND)
    rows = []
    for j in inside:
        rows.append((class_names[j], "volume_fraction", fractions[j], "1"))
        rows.append((class_names[j], "volume_um3", counts[j] * voxel_um3, "um3"))
    rows.append(("all", "volume_um3", np.asarray(counts)[inside].sum() * voxel_um3, "um3"))
    table = pd.DataFrame(rows, columns=["class", "measure", "value", "unit"])
    leading = {**keys, "margin_nm": float(margin_nm), "denominator": denominator}
    for position, (column, value) in enumerate(leading.items()):
        table.insert(position, column, value)
    return table
