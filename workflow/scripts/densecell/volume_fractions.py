"""Volume fractions: what share of a cell each class fills.

The fraction of class j is n(label j) / n(labels other than background) inside one cell (Guay et al. 2021, doi
10.1038/s41598-021-81590-0, Methods and Fig. 3). For a prediction the cell is what was predicted as such,
within a physical margin around the reference cell, so that organelles of neighboring cells are not counted.
"""

import numpy as np
import pandas as pd
from scipy.ndimage import distance_transform_edt

from densecell.classes import BACKGROUND
from densecell.metrics import KEY_COLUMNS, labelled_voxels

REFERENCE_CELL = "reference cell"
PREDICTED_CELL = "predicted cell within margin"
LABELLED_TISSUE = "labelled tissue"
DENOMINATORS = (REFERENCE_CELL, PREDICTED_CELL, LABELLED_TISSUE)
MARGINS_NM = (50.0, 100.0, 200.0)


def dilate_mask(mask, margin_nm, voxel_size_nm):
    """All voxels whose center lies at most `margin_nm` from the center of a voxel of the mask.

    mask: (Z, Y, X) bool. voxel_size_nm: (z, y, x). Returns (Z, Y, X) bool.
    Distances are taken plane by plane inside the padded bounding box of the mask: a plane dz away reaches
    sqrt(margin^2 - dz^2) in (y, x), which is the three-dimensional distance at the memory of one plane.
    """
    mask = np.asarray(mask, dtype=bool)
    if mask.ndim != 3 or len(voxel_size_nm) != 3 or not min(voxel_size_nm) > 0:
        raise ValueError(f"expected a (Z, Y, X) mask and three voxel sizes > 0, found {mask.shape} and {voxel_size_nm}")
    if not margin_nm >= 0:
        raise ValueError(f"margin_nm: expected a distance >= 0 nm, found {margin_nm}")
    dilated = mask.copy()
    if margin_nm == 0 or not mask.any():
        return dilated
    margin_nm = margin_nm * (1 + 1e-9)  # a voxel exactly at the margin is inside, whatever the rounding
    step_nm, *pixel_nm = voxel_size_nm
    box = _padded_box(mask.any(axis=0), [int(margin_nm // size) for size in pixel_nm])
    reach = int(margin_nm // step_nm)
    for z in np.flatnonzero(mask.any(axis=(1, 2))):
        distance_nm = distance_transform_edt(~mask[z][box], sampling=pixel_nm)
        for target in range(max(z - reach, 0), min(z + reach + 1, len(mask))):
            radius_nm = np.sqrt(margin_nm**2 - ((target - z) * step_nm) ** 2)
            dilated[target][box] |= distance_nm <= radius_nm
    return dilated


def _padded_box(plane, padding):
    """Slices of the bounding box of a (Y, X) mask, padded and clipped to the plane."""
    box = []
    for axis, pad in enumerate(padding):
        inside = np.flatnonzero(plane.any(axis=1 - axis))
        box.append(slice(max(inside[0] - pad, 0), min(inside[-1] + pad + 1, plane.shape[axis])))
    return tuple(box)


def count_labels(slab, n_classes, valid=None):
    """Voxels of each class in a slab: (n_classes,) int64. Counts of slabs add up to those of the volume.

    slab: class map of any shape, 255 = unlabelled, left out. valid: bool of that shape or None (everywhere).
    Raises ValueError for a label on a valid voxel that no class has.
    """
    slab = np.asarray(slab)
    keep = labelled_voxels(slab, n_classes, valid)
    return np.bincount(slab[keep].astype(np.int64), minlength=n_classes)


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


def counts_near_reference(reference, predicted, groups, voxel_size_nm, margins_nm=MARGINS_NM, valid=None):
    """Predicted voxels of each class near the reference cell: {margin_nm: (n_classes,) int64}.

    reference, predicted: (Z, Y, X) class maps of one region. The reference cell is every labelled voxel that
    is not background. Voxels the reference leaves unlabelled are not counted.
    """
    reference = np.asarray(reference)
    labelled = labelled_voxels(reference, len(groups), valid, "reference")
    inside = np.append(np.asarray(groups) != BACKGROUND, False)
    cell = inside[np.where(labelled, reference, len(groups))]
    counts = {}
    for margin_nm in margins_nm:
        near_cell = dilate_mask(cell, margin_nm, voxel_size_nm)
        counts[margin_nm], _ = volume_fractions(predicted, groups, near_cell, labelled)
    return counts


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
