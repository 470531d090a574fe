"""Binning: images by block mean, semantic labels by block majority. Axes (z, y, x) throughout.

Every function works on a slab of the volume. Slabs cut at multiples of the z factor give the same result as
the whole volume at once. The last block along an axis may be incomplete; it is reduced over the voxels it
has, never padded.
"""

from itertools import product

import numpy as np

from densecell.classes import UNLABELLED


def binned_shape(shape, factors):
    """Number of blocks (Z, Y, X) that `factors` (z, y, x) make of a shape, incomplete blocks included."""
    return tuple(-(-n // f) for n, f in zip(shape, _checked(factors), strict=True))


def binned_voxel_size_nm(voxel_size_nm, factors):
    """Voxel size in nm (z, y, x) after binning."""
    return tuple(float(size) * f for size, f in zip(voxel_size_nm, _checked(factors), strict=True))


def binned_origin_nm(origin_nm, voxel_size_nm, factors):
    """Origin in nm (z, y, x) after binning.

    The origin is the center of voxel 0. A block of f voxels has its center (f - 1) / 2 voxels further on,
    so binning moves the origin by that much. `voxel_size_nm` is the size before binning.
    """
    return tuple(
        float(origin) + (f - 1) / 2 * float(size)
        for origin, size, f in zip(origin_nm, voxel_size_nm, _checked(factors), strict=True)
    )


def bin_image(slab, factors):
    """Block mean of an image slab (Z, Y, X) over integer `factors` (z, y, x), in the dtype of the slab.

    Integer images: exact integer sums, the mean rounded half to even. Float images: sums in float64; a
    block that holds a NaN is NaN. Raises ValueError for integers wider than 32 bits, whose sums could
    overflow.
    """
    slab = np.asarray(slab)
    is_integer = slab.dtype.kind in "iu"
    if not (is_integer and slab.dtype.itemsize <= 4) and slab.dtype.kind != "f":
        raise ValueError(f"bin_image expects integers of at most 32 bits or floats, found {slab.dtype}; convert first")
    sums = _block_sums(slab, factors, np.int64 if is_integer else np.float64)
    means = sums / _block_sizes(slab.shape, factors)
    return (np.rint(means) if is_integer else means).astype(slab.dtype)


def count_classes(slab, n_classes):
    """Voxels per class in a semantic label slab (uint8), int64 (n_classes,).

    Unlabelled voxels are not counted. The counts of slabs add up to the counts of the volume. Raises
    ValueError for a label that is no class.
    """
    slab = np.asarray(slab)
    if slab.dtype != np.uint8:
        raise ValueError(f"semantic labels are expected as uint8, found {slab.dtype}; convert them before binning")
    counts = np.zeros(256, np.int64)
    for plane in slab:  # bincount widens its input to int64, so one plane at a time
        counts += np.bincount(plane.ravel(), minlength=256)
    unknown = [int(v) for v in np.flatnonzero(counts) if v >= n_classes and v != UNLABELLED]
    if unknown:
        raise ValueError(
            f"labels 0 to {n_classes - 1} or {UNLABELLED} (unlabelled) are expected, found {unknown}; "
            "list every class under classes, or map these values to one"
        )
    return counts[:n_classes]


def bin_labels(slab, factors, class_counts):
    """Majority class of each block of a semantic label slab (Z, Y, X), uint8, over `factors` (z, y, x).

    `class_counts` (n_classes,) are the voxels per class in the whole volume (the summed `count_classes` of
    its slabs): a tie goes to the class rarer there (equally rare: the lower class). A block that holds an
    unlabelled voxel is unlabelled. Classes are counted one after another, so memory is a few binned slabs
    and one boolean slab.
    """
    slab = np.asarray(slab)
    count_classes(slab, len(class_counts))  # refuses unknown labels
    winner = np.full(binned_shape(slab.shape, factors), UNLABELLED, np.uint8)
    most_votes = np.zeros(winner.shape, np.uint32)
    for label in np.argsort(class_counts, kind="stable"):  # rare first, and only strictly more votes take over
        votes = _block_sums(slab == label, factors, np.uint32)
        wins = votes > most_votes
        winner[wins] = label
        most_votes[wins] = votes[wins]
    winner[_block_sums(slab == UNLABELLED, factors, np.uint32) > 0] = UNLABELLED
    return winner


def _block_sums(slab, factors, dtype):
    """Sum of each block: one strided view per position inside the block, so no full-size copy is made."""
    sums = np.zeros(binned_shape(slab.shape, factors), dtype)
    for dz, dy, dx in product(*map(range, factors)):
        view = slab[dz :: factors[0], dy :: factors[1], dx :: factors[2]]
        sums[: view.shape[0], : view.shape[1], : view.shape[2]] += view
    return sums


def _block_sizes(shape, factors):
    """Voxels in each block; only the last block along an axis can have fewer than the others."""
    nz, ny, nx = (np.minimum(f, n - np.arange(0, n, f)) for n, f in zip(shape, factors, strict=True))
    return nz[:, None, None] * ny[:, None] * nx


def _checked(factors):
    if len(factors) != 3 or any(int(f) != f or f < 1 for f in factors):
        raise ValueError(f"binning factors are expected as three integers of at least 1 (z, y, x), found {factors}")
    return tuple(int(f) for f in factors)
