"""Training windows: where they lie and how they are cut (Guay et al. 2021, Methods; the authors' released code).

Corners are those of the output (label) window, one drawn uniformly in every bin of the spacing on each axis, anew each
epoch; the window set is the Cartesian product over the axes. The input window starts (input - output) // 2 earlier.
Positions beyond the array are mirrored without repeating the edge.

For sparse labels the windows that hold enough voxels of a class are found from sums over all windows at once, so that one of them is
drawn without trying (Machireddy et al. 2023 ask for at least 100 px in 4 of 5 windows).
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


def runs(numbers):
    """[(first, one after the last)] of each run of consecutive whole numbers in a sorted list."""
    numbers = list(numbers)
    firsts = [n for before, n in zip([None, *numbers], numbers) if before is None or n != before + 1]
    lasts = [n + 1 for n, after in zip(numbers, [*numbers[1:], None]) if after != n + 1]
    return list(zip(firsts, lasts))


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


def window_sums(mask, shape):
    """How many voxels of a (Z, Y, X) bool array each window of `shape` holds: int32, one number for each start."""
    sums = np.asarray(mask, np.int32)
    for axis, length in enumerate(shape):
        total = np.cumsum(np.insert(sums, 0, 0, axis), axis, dtype=np.int32)
        stop, start = (np.moveaxis(total, axis, 0)[part] for part in (slice(length, None), slice(None, -length)))
        sums = np.moveaxis(stop - start, 0, axis)
    return sums


def covered(starts, shape):
    """(Z, Y, X) bool: the voxels of windows of `shape` that begin where `starts`, one bool for each start, is true."""
    around = np.pad(starts, [(length - 1, length - 1) for length in shape])
    return window_sums(around, shape) > 0


def draw_start(starts, ranges, generator):
    """A start (z, y, x), each of those in `ranges`, three (first, one after the last), where `starts` is true equally likely."""
    box = starts[tuple(slice(*pair) for pair in ranges)]
    found = np.flatnonzero(box)
    place = np.unravel_index(found[generator.integers(len(found))], box.shape)
    return tuple(int(p) + first for p, (first, _) in zip(place, ranges))


def starts_around(position, length, size):
    """(first, one after the last) start on an axis of `size` of the windows of `length` that hold a position."""
    return max(int(position) - length + 1, 0), min(int(position), size - length) + 1


class ForegroundIndex:
    """The windows of a region that hold at least `least` voxels of a mask, and a draw among them without trying.

    mask: (Z, Y, X) bool, no smaller than a window; shape: of a window. Memory is a byte a start and 8 a voxel of the mask that
    can be drawn; while it is made, sums over the whole region take 20 to 32 bytes a voxel of it.
    """

    def __init__(self, mask, shape, least=1):
        self.shape, self.size = tuple(shape), mask.shape
        self.starts = window_sums(mask, shape) >= least
        self.voxels = np.flatnonzero(mask & covered(self.starts, shape))
        plane = mask.shape[1] * mask.shape[2]
        self.bounds = np.searchsorted(self.voxels, plane * np.arange(mask.shape[0] + 1))

    def has(self, z):
        """Whether a voxel of the mask in slice z lies in such a window."""
        return bool(self.bounds[z] < self.bounds[z + 1])

    def draw(self, z, generator):
        """The start (z, y, x) of a window around a voxel of the mask in slice z: each voxel is equally likely, and then each window
        that holds it and enough others."""
        voxel = np.unravel_index(self.voxels[generator.integers(*self.bounds[z : z + 2])], self.size)
        return draw_start(self.starts, list(map(starts_around, voxel, self.shape, self.size)), generator)


class LabelledIndex:
    """The windows of a region that hold a labelled voxel, and a draw among them. mask: (Z, Y, X) bool, where it is labelled."""

    def __init__(self, mask, shape):
        self.shape, self.size = tuple(shape), mask.shape
        self.starts = window_sums(mask, shape) > 0
        self.labelled = mask.any((1, 2))

    def has(self, z):
        """Whether slice z holds a labelled voxel."""
        return bool(self.labelled[z])

    def draw(self, z, generator):
        """The start (z, y, x) of a window that reaches slice z, each equally likely."""
        ranges = [starts_around(z, self.shape[0], self.size[0]), *((0, n) for n in self.starts.shape[1:])]
        return draw_start(self.starts, ranges, generator)
