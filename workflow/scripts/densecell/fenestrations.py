"""Holes of an object: how much of it they take, closed ones and such as open to the outside.

Fenestrated percentage = 100 (filled - net) / filled, in voxels (Machireddy et al. 2023, doi 10.3389/fbinf.2023.1308708, Methods:
the text says fill-hole, drawn in 2D). What counts as filled is decided in three ways (FILLINGS). Arrays are (Z, Y, X) bool.
"""

import numpy as np
from scipy import ndimage

IN_PLANE = np.zeros((3, 3, 3), bool)
IN_PLANE[1] = ndimage.generate_binary_structure(2, 1)


def fill_3d(mask):
    """The object with its closed cavities: background that no way by faces leads to from outside the box.

    A cavity that reaches the face of the box, as where the volume ends, stays open.
    """
    outside, _ = ndimage.label(~np.pad(mask, 1))
    return (outside != outside[0, 0, 0])[1:-1, 1:-1, 1:-1]


def fill_2d_z(mask):
    """The object with the holes of each of its slices filled: also channels along z."""
    outside, _ = ndimage.label(~np.pad(mask, ((0, 0), (1, 1), (1, 1))), structure=IN_PLANE)
    return (outside != outside[:, :1, :1])[:, 1:-1, 1:-1]


def ball_rows(radius_nm, voxel_size_nm):
    """{half length along x in voxels: [(dz, dy), ...]}, the rows of a ball of voxels; (z, y, x), a voxel exactly at the radius is in."""
    steps = [int(radius_nm * (1 + 1e-9) // size) for size in voxel_size_nm]
    rows = {}
    for dz in range(-steps[0], steps[0] + 1):
        for dy in range(-steps[1], steps[1] + 1):
            left = (radius_nm * (1 + 1e-9)) ** 2 - (dz * voxel_size_nm[0]) ** 2 - (dy * voxel_size_nm[1]) ** 2
            if left >= 0:
                rows.setdefault(int(np.sqrt(left) // voxel_size_nm[2]), []).append((dz, dy))
    return rows


def _moved(n, step):
    """(to, from): slices of an axis of n voxels that move it by `step`."""
    return slice(max(step, 0), n + min(step, 0)), slice(max(-step, 0), n - max(step, 0))


def dilate_ball(mask, radius_nm, voxel_size_nm):
    """All voxels whose center lies at most `radius_nm` from that of a voxel of the mask, in the mask's box.

    Rows along x are widened step by step and moved in z and y: exact, and for radii of a few voxels several times faster than
    a distance transform, in two bytes a voxel.
    """
    depth, height, width = mask.shape
    dilated, row, reached = np.zeros_like(mask), mask.copy(), 0
    for length, places in sorted(ball_rows(radius_nm, voxel_size_nm).items()):
        for half in range(reached + 1, min(length, width - 1) + 1):
            row[..., half:] |= mask[..., :-half]
            row[..., :-half] |= mask[..., half:]
        reached = length
        for dz, dy in places:
            if abs(dz) < depth and abs(dy) < height:
                (to_z, of_z), (to_y, of_y) = _moved(depth, dz), _moved(height, dy)
                dilated[to_z, to_y] |= row[of_z, of_y]
    return dilated


def close_ball(mask, radius_nm, voxel_size_nm):
    """Closing with a ball, as if the box went on: gaps narrower than 2 `radius_nm` are filled, inside and between lobes."""
    pads = [(int(radius_nm // size) + 1,) * 2 for size in voxel_size_nm]
    dilated = dilate_ball(np.pad(mask, pads), radius_nm, voxel_size_nm)
    inner = tuple(slice(a, -a) for a, _ in pads)
    return ~dilate_ball(~dilated, radius_nm, voxel_size_nm)[inner]


FILLINGS = {
    "fill3d": lambda mask, radius_nm, voxel_size_nm: fill_3d(mask),
    "fill2d_z": lambda mask, radius_nm, voxel_size_nm: fill_2d_z(mask),
    "closing": lambda mask, radius_nm, voxel_size_nm: fill_3d(close_ball(mask, radius_nm, voxel_size_nm)),
}


def fenestrated_percent(mask, filled):
    """Share of the filled object that is no object, in percent; NaN for an empty one."""
    net, n_filled = np.count_nonzero(mask), np.count_nonzero(filled)
    return 100 * (n_filled - net) / n_filled if n_filled else np.nan
