"""Applying an alignment: moving slices, cropping, and mapping points between the raw and the aligned stack.

A shift table holds the content positions p_z as `y_px` and `x_px`; the shift applied to slice z is -p_z, rounded to
whole pixels for order 0. No slice is resampled twice.
"""

import numpy as np
from scipy import ndimage


def overlap(shift, size):
    """(target, source) slices along one axis for an integer shift without wrap-around."""
    shift = max(-size, min(size, shift))
    return slice(max(shift, 0), size + min(shift, 0)), slice(max(-shift, 0), size - max(shift, 0))


def applied_shifts(table, order=0):
    """Shift (n_slices, 2) to apply to each slice, in px (y, x): -p, in whole pixels for `order` 0."""
    shifts = -np.stack([np.asarray(table["y_px"], float), np.asarray(table["x_px"], float)], axis=1)
    return np.rint(shifts) + 0.0 if order == 0 else shifts  # + 0.0 turns -0.0 into 0.0


def crop_box(table, shape_yx, order=0):
    """Largest box ((y0, y1), (x0, x1)), half-open, in which no aligned slice (Y, X) has a fill pixel.

    Flagged slices count too, since they are predicted. Raises ValueError where the drift leaves nothing.
    """
    shifts = applied_shifts(table, order)
    box = tuple(
        (max(int(np.ceil(s.max())), 0), size + min(int(np.floor(s.min())), 0))
        for s, size in zip(shifts.T, shape_yx, strict=True)
    )
    if any(start >= stop for start, stop in box):
        drift_y, drift_x = np.ptp(shifts, axis=0)
        raise ValueError(
            f"slices of {tuple(shape_yx)} px (y, x) are expected to overlap after alignment, found a drift "
            f"of {drift_y:g} px in y and {drift_x:g} px in x; set alignment.detrend_window or lower "
            "alignment.max_shift_fraction, or align parts of the stack"
        )
    return box


def apply_shift(slice_2d, shift_yx, order=0, fill=0):
    """Slice (Y, X) moved by `shift_yx`, in the same size and dtype, with `fill` where nothing arrives.

    `order` 0 moves by whole pixels, for images and labels alike, and keeps every value; 1 and 3 interpolate
    (images only). Raises ValueError for a fractional shift with order 0.
    """
    slice_2d = np.asarray(slice_2d)
    if order not in (0, 1, 3):
        raise ValueError(f"interpolation order (alignment.order) is expected as 0, 1 or 3, found {order}")
    if order:
        moved = ndimage.shift(slice_2d.astype(np.float32), shift_yx, order=order, cval=fill, prefilter=order > 1)
        if slice_2d.dtype.kind in "iu":
            limits = np.iinfo(slice_2d.dtype)
            moved = np.clip(np.rint(moved), limits.min, limits.max)
        return moved.astype(slice_2d.dtype)
    if any(float(s) != round(s) for s in shift_yx):
        raise ValueError(f"whole pixels are expected with order 0, found a shift of {tuple(shift_yx)}; round it")
    (to_y, from_y), (to_x, from_x) = (overlap(round(s), n) for s, n in zip(shift_yx, slice_2d.shape, strict=True))
    moved = np.full_like(slice_2d, fill)
    moved[to_y, to_x] = slice_2d[from_y, from_x]
    return moved


def raw_to_aligned(zyx, table, crop_origin_yx=(0, 0), order=0):
    """Points (..., 3) in voxels of the unaligned stack -> voxels of the aligned, cropped one.

    `crop_origin_yx` is where the crop starts, (y0, x0) of `crop_box`.
    A slice moves as a whole, so z stays and selects the nearest slice's shift. Raises ValueError outside
    the stack.
    """
    return _move_points(zyx, table, crop_origin_yx, order, direction=1)


def aligned_to_raw(zyx, table, crop_origin_yx=(0, 0), order=0):
    """The inverse of `raw_to_aligned`."""
    return _move_points(zyx, table, crop_origin_yx, order, direction=-1)


def _move_points(zyx, table, crop_origin_yx, order, direction):
    points = np.array(zyx, float)
    shifts = applied_shifts(table, order) - np.asarray(crop_origin_yx)
    z = np.rint(points[..., 0]).astype(int)
    if np.any((z < 0) | (z >= len(shifts))):
        raise ValueError(f"points in slices 0 to {len(shifts) - 1} are expected, found z from {z.min()} to {z.max()}")
    points[..., 1:] += direction * shifts[z]
    return points
