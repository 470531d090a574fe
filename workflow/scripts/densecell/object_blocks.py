"""The masks of all objects of a volume, each small enough to be held, in one pass over the volume.

Arrays are (Z, Y, X), sizes (z, y, x).
"""

from typing import NamedTuple

import numpy as np

from densecell.binning import binned_shape
from densecell.objects import BOX
from densecell.reduction import block_voxels, reduction_factors


class ObjectBlocks(NamedTuple):
    """One object: `mask` (Z', Y', X') bool of the blocks of its box that it fills to at least one half.

    start: (z, y, x) of its first voxel in the volume; factors: voxels of a block (z, y, x), (1, 1, 1) where nothing was reduced.
    """

    instance: int
    mask: np.ndarray
    start: tuple
    factors: tuple


def object_blocks(volume, table, max_voxels):
    """Each object of a volume as `ObjectBlocks` of at most `max_voxels` blocks, when its last slice was read.

    volume: of object numbers; has shape, voxel_size_nm and slabs() and gives slices by volume[start:stop]. table: its objects
    (`objects.ObjectTable`). The volume is read once, slab by slab; memory: a slab and the blocks of the objects whose boxes it
    cuts. Objects come in the order of their last slices. Blocks are counted in integers, so the slabs don't matter.
    """
    waiting = sorted(table.itertuples(), key=lambda row: (row.z0, row.instance), reverse=True)
    open_ones = []
    for start, stop in volume.slabs():
        while waiting and waiting[-1].z0 < stop:
            open_ones.append(_Counts(waiting.pop(), volume, max_voxels))
        if not open_ones:
            continue
        slab = volume[start:stop]
        for counts in open_ones:
            counts.add(start, slab)
        done = sorted((c for c in open_ones if c.stop[0] <= stop), key=lambda c: (c.stop[0], c.instance))
        open_ones = [c for c in open_ones if c.stop[0] > stop]
        for counts in done:
            yield counts.blocks()


class _Counts:
    """Voxels of one object in each block of its box."""

    def __init__(self, row, volume, max_voxels):
        self.instance = int(row.instance)
        self.start, self.stop = (tuple(int(getattr(row, name)) for name in BOX[i::2]) for i in (0, 1))
        shape = [b - a for a, b in zip(self.start, self.stop)]
        self.factors = reduction_factors(shape, volume.voxel_size_nm, max_voxels)
        self.shape = volume.shape
        self.counts = np.zeros(binned_shape(shape, self.factors), np.min_scalar_type(int(np.prod(self.factors))))

    def add(self, z0, slab):
        """Count the part of the box that lies in a slab (Z', Y, X) that begins at slice z0."""
        first, last = (min(max(z - self.start[0], 0), self.stop[0] - self.start[0]) for z in (z0, z0 + len(slab)))
        across = tuple(slice(a, b) for a, b in zip(self.start[1:], self.stop[1:]))
        begin = self.start[0] + first - z0
        mask = slab[(slice(begin, begin + last - first), *across)] == self.instance
        if self.factors == (1, 1, 1):
            self.counts[first:last] = mask
            return
        counts = mask.astype(self.counts.dtype)
        for axis in (2, 1):
            counts = np.add.reduceat(counts, np.arange(0, counts.shape[axis], self.factors[axis]), axis)
        block = first // self.factors[0]
        begins = np.maximum(np.arange(block * self.factors[0], last, self.factors[0]) - first, 0)
        counts = np.add.reduceat(counts, begins, 0)
        self.counts[block : block + len(counts)] += counts.astype(self.counts.dtype)

    def blocks(self):
        mask = 2 * self.counts.astype(np.int64) >= block_voxels(self.start, self.stop, self.factors, self.shape)
        return ObjectBlocks(self.instance, mask, self.start, self.factors)
