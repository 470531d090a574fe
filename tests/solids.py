"""Balls, ellipsoids and the like as masks of voxels (Z, Y, X), of which tests know sizes and shapes."""

from types import SimpleNamespace

import numpy as np

from densecell.objects import count_objects


def ellipsoid(half_axes, voxel_size=(1, 1, 1)):
    """Voxels whose center is inside, in a box with a voxel of margin; all (z, y, x) in one unit."""
    n = [int(a // s) + 1 for a, s in zip(half_axes, voxel_size)]
    steps = np.meshgrid(*(np.arange(-k, k + 1) * s for k, s in zip(n, voxel_size)), indexing="ij")
    return sum((step / a) ** 2 for step, a in zip(steps, half_axes)) <= 1


def ball(radius, voxel_size=(1, 1, 1)):
    return ellipsoid((radius,) * 3, voxel_size)


def cut(mask, part):
    """The mask without another one in the middle of it."""
    start = [(a - b) // 2 for a, b in zip(mask.shape, part.shape)]
    rest = mask.copy()
    rest[tuple(slice(s, s + n) for s, n in zip(start, part.shape))] &= ~part
    return rest


class Stored:
    """An array that is read as a stored volume is; `boxes` tells what was read."""

    slab_depth = 8

    def __init__(self, array, voxel_size_nm=(10, 10, 10), origin_nm=(0, 0, 0)):
        self.array, self.shape, self.dtype = array, array.shape, array.dtype
        self.voxel_size_nm, self.origin_nm, self.boxes = voxel_size_nm, origin_nm, []

    def __getitem__(self, index):
        self.boxes.append(index)
        return self.array[index]

    def slabs(self):
        return [(z, min(z + self.slab_depth, len(self.array))) for z in range(0, len(self.array), self.slab_depth)]


def stored(array, voxel_size_nm=(10, 10, 10), origin_nm=(0, 0, 0)):
    """(`Stored`, table of its objects) of numbers."""
    volume = Stored(np.asarray(array, np.uint32), voxel_size_nm, origin_nm)
    return volume, count_objects(volume)


def row(**of_table):
    """A row of an object table with what a test cares for."""
    return SimpleNamespace(**{"instance": 1, "touches_border": 0, "orphan": 0, **of_table})
