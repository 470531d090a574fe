"""From the voxels of one volume to the finer ones of another of the same stack: slices by their place, pixels by interpolation."""

import numpy as np

SLACK = 0.01  # voxels: origins are sums of floating-point numbers


def matching_slice(z, source, target):
    """The slice of `target` that lies where slice z of `source` lies.

    source, target: anything with shape (Z, Y, X), voxel_size_nm and origin_nm, (z, y, x). Raises ValueError where none does.
    """
    place = (source.origin_nm[0] + z * source.voxel_size_nm[0] - target.origin_nm[0]) / target.voxel_size_nm[0]
    nearest = round(place)
    if abs(place - nearest) > SLACK or not 0 <= nearest < target.shape[0]:
        raise ValueError(
            f"experiments.scored_on: expected a slice of the scored region where slice {z} of the predicted one lies, found none "
            f"(it would be {place:.3g} of 0 to {target.shape[0] - 1}). Both need the same binning in z, and the scored region must "
            "hold the slices of the other."
        )
    return nearest


def interpolation(axis, source, target):
    """(lower index, upper index, share of the upper) of each position of `target` along an axis (1: y, 2: x) of `source`.

    Positions between the outermost centers and the borders of `source` take the outermost voxel. Raises ValueError beyond.
    """
    size, n = source.voxel_size_nm[axis], source.shape[axis]
    step = target.voxel_size_nm[axis] / size
    first = (target.origin_nm[axis] - source.origin_nm[axis]) / size
    at = first + step * np.arange(target.shape[axis])
    if at[0] - step / 2 < -0.5 - SLACK or at[-1] + step / 2 > n - 0.5 + SLACK:
        raise ValueError(
            f"experiments.scored_on: expected a scored region that lies in the predicted one, found it from {at[0] - step / 2:.3g} "
            f"to {at[-1] + step / 2:.3g} of -0.5 to {n - 0.5:g} along {'zyx'[axis]} (voxels of the predicted region). "
            "Choose the box of the scored region so that it lies inside."
        )
    at = np.clip(at, 0, n - 1)
    lower = np.minimum(np.floor(at).astype(int), max(n - 2, 0))
    return lower, np.minimum(lower + 1, n - 1), (at - lower).astype(np.float32)


def to_finer(values, source, target):
    """Values (..., Y, X) of a slice of `source` at the pixels of `target`: bilinear, float32, at the centers of pixels."""
    y0, y1, y_share = interpolation(1, source, target)
    x0, x1, x_share = interpolation(2, source, target)
    values = np.asarray(values, np.float32)
    columns = values[..., x0] * (1 - x_share) + values[..., x1] * x_share
    return columns[..., y0, :] * (1 - y_share[:, None]) + columns[..., y1, :] * y_share[:, None]
