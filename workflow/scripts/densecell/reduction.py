"""How a volume or an object of it is made small enough to be held in memory: factors of blocks, and one object's mask.

Arrays are (Z, Y, X), sizes and positions (z, y, x).
"""

from typing import NamedTuple

import numpy as np

from densecell.binning import binned_shape
from densecell.objects import BOX

SLAB_VOXELS = 2**25  # of a box that are read at a time


def reduction_factors(shape, voxel_size_nm, max_voxels):
    """Integer factors (z, y, x) that bring a volume to at most `max_voxels`, the finest axis first.

    Axes of equal voxel size are reduced together. So voxels become isotropic before all axes get coarser.
    """
    factors = np.ones(3, int)
    while np.prod(binned_shape(shape, factors), dtype=float) > max_voxels:
        sizes = np.where(factors < shape, factors * np.array(voxel_size_nm, float), np.inf)
        factors[np.isclose(sizes, sizes.min())] += 1
    return tuple(int(f) for f in factors)


class ObjectMask(NamedTuple):
    """One object: `mask` (Z, Y, X) bool of its box, in voxels of `voxel_size_nm` (z, y, x).

    first_nm: (z, y, x) of the center of the mask's first voxel, with the volume's origin; at_border: ((before, after) of z, of y, of
    x), whether the box ends at a face of the volume; is_reduced: whether voxels are larger than the volume's.
    """

    mask: np.ndarray
    voxel_size_nm: tuple
    first_nm: tuple
    at_border: tuple
    is_reduced: bool


def read_object(volume, row, max_voxels):
    """The `ObjectMask` of a row of an object table, of at most `max_voxels` voxels; read some slices at a time.

    A block is the object's where at least half of it is, voxels beyond the box counted as others.
    """
    start, stop = (tuple(int(getattr(row, name)) for name in BOX[i::2]) for i in (0, 1))
    shape = [b - a for a, b in zip(start, stop)]
    factors = reduction_factors(shape, volume.voxel_size_nm, max_voxels)
    mask = np.zeros(binned_shape(shape, factors), bool)
    across = tuple(slice(a, b) for a, b in zip(start[1:], stop[1:]))
    depth = factors[0] * max(1, SLAB_VOXELS // (shape[1] * shape[2] * factors[0]))
    for z in range(0, shape[0], depth):
        found = volume[(slice(start[0] + z, min(start[0] + z + depth, stop[0])), *across)] == row.instance
        counts = found if factors == (1, 1, 1) else found.astype(np.int64)
        for axis, factor in enumerate(factors):
            if factor > 1:
                counts = np.add.reduceat(counts, np.arange(0, counts.shape[axis], factor), axis)
        mask[z // factors[0] : z // factors[0] + len(counts)] = 2 * counts >= np.prod(factors)
    sizes = np.array(volume.voxel_size_nm, float)
    voxel_nm = sizes * factors
    first_nm = np.array(volume.origin_nm) + np.array(start) * sizes + (voxel_nm - sizes) / 2
    at_border = tuple((a == 0, b == n) for a, b, n in zip(start, stop, volume.shape))
    return ObjectMask(mask, tuple(voxel_nm), tuple(first_nm), at_border, factors != (1, 1, 1))
