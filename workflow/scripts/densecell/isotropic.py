"""Voxels as long as wide and high, by averages: what texture is measured on where slices are thicker than pixels."""

import numpy as np


def shares(n, factor):
    """How much of each of n voxels lies in each of the larger ones, in parts of a larger one: (m, n), factor >= 1 voxels long.

    The larger voxels begin where the first one does; the last may reach beyond the end.
    """
    m = max(int(np.ceil(n / factor - 1e-9)), 1)
    low, high = np.arange(m)[:, None] * factor, (np.arange(m)[:, None] + 1) * factor
    at = np.arange(n)
    return np.clip(np.minimum(high, at + 1) - np.maximum(low, at), 0, None) / factor


def averaged(values, factors):
    """Means of (Z, Y, X) values over boxes of `factors` voxels (z, y, x), which need not be whole numbers; float64."""
    values = np.asarray(values, np.float64)
    for axis, factor in enumerate(factors):
        if factor > 1:
            values = np.moveaxis(np.tensordot(shares(values.shape[axis], factor), values, (1, axis)), 0, axis)
    return values


def block_means(image, mask, factors):
    """(image, mask) in voxels that are `factors` of the given ones (z, y, x), which need not be whole numbers.

    image, mask: (Z, Y, X). A mean is over voxels of the object alone, so that nothing of its surroundings enters (float64, 0 outside); a
    voxel belongs to the object where half of it does, counted with what lies beyond the end of the array.
    """
    if all(factor == 1 for factor in factors):
        return image, mask
    inside = averaged(mask, factors)
    of_object = inside >= 0.5 - 1e-9
    sums = averaged(np.where(mask, image, 0), factors)
    return np.divide(sums, inside, out=np.zeros_like(sums), where=of_object), of_object


def isotropic(image, mask, voxel_size_nm, resample_above):
    """(image, mask, voxel in nm) with voxels as long in all directions as the longest side of the given ones.

    image, mask: (Z, Y, X) of an object's box; voxel_size_nm: (z, y, x). Left as they are, voxel_nm the geometric mean, where the longest
    side is at most `resample_above` times the shortest, or that is None. Means (`block_means`), as interpolated slices would count as
    texture.
    """
    longest = max(voxel_size_nm)
    if resample_above is None or longest <= resample_above * min(voxel_size_nm):
        equal = longest == min(voxel_size_nm)
        return image, mask, float(longest if equal else np.prod(voxel_size_nm) ** (1 / 3))
    return *block_means(image, mask, [longest / size for size in voxel_size_nm]), float(longest)
