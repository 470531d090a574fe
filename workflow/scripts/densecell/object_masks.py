"""One object of a volume as a mask in memory, in coarser voxels where its box is too large for that.

Arrays are (Z, Y, X), sizes and positions (z, y, x). Which reduced blocks belong to the object is said in `reduction.py`.
"""

from typing import NamedTuple

import numpy as np

from densecell.binning import binned_origin_nm, binned_shape, binned_voxel_size_nm
from densecell.objects import BOX, crop
from densecell.reduction import block_voxels, reduction_factors

SLAB_VOXELS = 2**26  # read at a time from boxes that are too large


class ObjectMask(NamedTuple):
    """The voxels of one object in its box.

    mask: (Z, Y, X) bool; voxel_size_nm: (z, y, x) of these voxels; first_nm: position (z, y, x) of the center of the first, with the
    volume's origin; factors: voxels of the volume in one of these (z, y, x); at_border: ((z0, z1), (y0, y1), (x0, x1)), on
    which sides the box ends because the volume does.
    """

    mask: np.ndarray
    voxel_size_nm: tuple
    first_nm: np.ndarray
    factors: tuple = (1, 1, 1)
    at_border: tuple = ((False, False),) * 3

    @property
    def is_reduced(self):
        """Whether voxels were joined."""
        return self.factors != (1, 1, 1)


def read_object(volume, row, max_voxels):
    """An object of an instance volume as an `ObjectMask` of at most about `max_voxels` voxels.

    volume: has shape, voxel_size_nm and origin_nm and gives boxes by three slices; row: of an object table, with instance and z0 to
    x1 as attributes. Never more than its box is in memory, and of a larger box SLAB_VOXELS at a time.
    """
    low, high = (np.array([int(getattr(row, name)) for name in BOX[i::2]]) for i in (0, 1))
    factors = reduction_factors(high - low, volume.voxel_size_nm, max_voxels)
    if factors == (1, 1, 1):
        mask = crop(volume, row).array == row.instance
    else:
        mask = _read_reduced(volume, row.instance, low, high, factors)
    first_nm = np.array(binned_origin_nm(volume.origin_nm, volume.voxel_size_nm, factors)) + low * volume.voxel_size_nm
    at_border = tuple((int(a) == 0, int(b) == n) for a, b, n in zip(low, high, volume.shape))
    return ObjectMask(mask, binned_voxel_size_nm(volume.voxel_size_nm, factors), first_nm, factors, at_border)


def _read_reduced(volume, instance, low, high, factors):
    """(Z', Y', X') bool: blocks of which at least half is of the object."""
    shape = binned_shape(high - low, factors)
    inside = np.empty(shape, bool)
    layers = max(1, SLAB_VOXELS // int(np.prod((high - low)[1:]) * factors[0]))
    for first in range(0, shape[0], layers):
        last = min(first + layers, shape[0])
        z0, z1 = low[0] + first * factors[0], min(low[0] + last * factors[0], high[0])
        counts = (volume[z0:z1, low[1] : high[1], low[2] : high[2]] == instance).astype(np.uint8)
        for axis in (2, 1, 0):
            starts = np.arange(0, counts.shape[axis], factors[axis])
            counts = np.add.reduceat(counts, starts, axis=axis, dtype=np.int32)
        inside[first:last] = 2 * counts >= block_voxels((z0, *low[1:]), (z1, *high[1:]), factors, volume.shape)
    return inside
