"""Training windows: where they lie and how they are cut (Guay et al. 2021, Methods; the authors' released code).

Corners are those of the output (label) window, one drawn uniformly in every bin of the spacing on each axis, anew each
epoch; the window set is the Cartesian product over the axes. The input window starts (input - output) // 2 earlier.
Positions beyond the array are mirrored without repeating the edge.
"""

import itertools

import numpy as np


def bins(size, output, spacing):
    """Half-open ranges of corners on one axis: [d * i, min(d * (i + 1), size - output + 1))."""
    usable = size - output + 1
    if usable < 1:
        raise ValueError(f"a training window of {output} voxels does not fit into a region of {size}.")
    return [(start, min(start + spacing, usable)) for start in range(0, usable, spacing)]


def count_windows(shape, output_shape, spacing):
    """Windows per epoch for a region of `shape`: 828 for (50, 800, 800), (5, 296, 296), (2, 100, 100)."""
    return int(np.prod([len(bins(*axis)) for axis in zip(shape, output_shape, spacing)]))


def draw_corners(shape, output_shape, spacing, generator):
    """(n, 3) integer corners of one epoch's windows, shuffled; `generator` is a numpy Generator."""
    per_axis = [[int(generator.integers(a, b)) for a, b in bins(*axis)] for axis in zip(shape, output_shape, spacing)]
    corners = np.array(list(itertools.product(*per_axis)))
    return corners[generator.permutation(len(corners))]


def mirror(start, length, size):
    """Indices start .. start + length - 1 on an axis of `size`, reflected at both ends without repeating the edge."""
    index = np.arange(start, start + length)
    if size == 1:
        return np.zeros(length, dtype=np.int64)
    period = 2 * (size - 1)
    index = np.abs(index) % period
    return np.where(index >= size, period - index, index)


def input_start(corner, input_shape, output_shape):
    """Where the input window of an output window at `corner` starts, per axis."""
    return tuple(int(c) - (i - o) // 2 for c, i, o in zip(corner, input_shape, output_shape))


def margins(inner, size, input_size, output_size):
    """Positions (before, after) that input windows reach beyond an axis of `size`; `inner`: (start, stop) of the region."""
    before = (input_size - output_size) // 2
    after = input_size - output_size - before
    return max(0, before - inner[0]), max(0, inner[1] + after - size)


def cut(array, start, shape):
    """The window of `shape` at `start` from the last three axes of a numpy array, mirrored at the borders."""
    z, y, x = (mirror(s, n, size) for s, n, size in zip(start, shape, array.shape[-3:]))
    return array[..., z[:, None, None], y[:, None], x]
