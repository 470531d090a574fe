"""How a volume or an object of it is made small enough to be held in memory: factors of blocks. Sizes are (z, y, x).

A block belongs to an object if at least half of its voxels do. Those beyond the object's box count as others'; those
beyond the volume don't count, or else an object that the volume cuts would seem to end before it.
"""

import numpy as np

from densecell.binning import binned_shape


def reduction_factors(shape, voxel_size_nm, max_voxels):
    """Integer factors (z, y, x) that bring a volume to at most `max_voxels`, the finest axis first.

    Axes of equal voxel size are reduced together. So voxels become isotropic before all axes get coarser.
    """
    factors = np.ones(3, int)
    while np.prod(binned_shape(shape, factors), dtype=float) > max_voxels:
        sizes = np.where(factors < shape, factors * np.array(voxel_size_nm, float), np.inf)
        factors[np.isclose(sizes, sizes.min())] += 1
    return tuple(int(f) for f in factors)


def block_voxels(start, stop, factors, shape):
    """How many voxels of the volume each block of a box has: (Z', Y', X') int.

    start, stop: of the box, (z, y, x); shape: (Z, Y, X) of the volume, at whose end blocks are cut.
    """
    firsts = [np.arange(a, b, factor) for a, b, factor in zip(start, stop, factors)]
    z, y, x = np.ix_(*(np.minimum(first + factor, n) - first for first, factor, n in zip(firsts, factors, shape)))
    return z * y * x
