"""A stored volume of which the blocks read last stay in memory: for boxes of many small objects that share chunks of the store."""

import itertools
from collections import OrderedDict
from threading import Lock

import numpy as np

BLOCK_YX = 256  # of densecell's chunks
HELD_BYTES = 2**27
REACH = (64, 512, 512)  # voxels (z, y, x): objects that begin within one such box are read after each other


class BlockCache:
    """Gives boxes of a volume by three slices, as the volume itself does, and keeps blocks of (slab_depth, 256, 256) voxels.

    volume: has shape, dtype, voxel_size_nm, origin_nm and slab_depth. Boxes of more than a quarter of `held_bytes` are read past the
    cache. Threads may share it.
    """

    def __init__(self, volume, held_bytes=HELD_BYTES):
        self.volume, self.held_bytes = volume, held_bytes
        self.shape, self.dtype = volume.shape, volume.dtype
        self.voxel_size_nm, self.origin_nm = volume.voxel_size_nm, volume.origin_nm
        self.block = (volume.slab_depth, BLOCK_YX, BLOCK_YX)
        self._blocks, self._bytes, self._lock = OrderedDict(), 0, Lock()

    def __getitem__(self, index):
        ranges = [i.indices(n)[:2] for i, n in zip(index, self.shape, strict=True)]
        size = [max(stop - start, 0) for start, stop in ranges]
        if int(np.prod(size)) * self.dtype.itemsize > self.held_bytes // 4 or not all(size):
            return self.volume[index]
        box = np.empty(size, self.dtype)
        steps = [range(start // b, -(-stop // b)) for (start, stop), b in zip(ranges, self.block)]
        for at in itertools.product(*steps):
            to, of = [], []
            for i, b, (start, stop) in zip(at, self.block, ranges):
                low, high = max(start, i * b), min(stop, (i + 1) * b)
                to.append(slice(low - start, high - start))
                of.append(slice(low - i * b, high - i * b))
            box[tuple(to)] = self._block(at)[tuple(of)]
        return box

    def _block(self, at):
        with self._lock:
            if at in self._blocks:
                self._blocks.move_to_end(at)
                return self._blocks[at]
        block = self.volume[tuple(slice(i * b, min((i + 1) * b, n)) for i, b, n in zip(at, self.block, self.shape))]
        with self._lock:
            if at not in self._blocks:
                self._blocks[at] = block
                self._bytes += block.nbytes
            while self._bytes > self.held_bytes and len(self._blocks) > 1:
                self._bytes -= self._blocks.popitem(last=False)[1].nbytes
        return block


def reading_order(objects):
    """Places of the rows of an object table such that objects that share blocks follow each other: (n,) int64."""
    keys = [objects[name].to_numpy(np.int64) // reach for name, reach in zip(("z0", "y0", "x0"), REACH)]
    return np.lexsort((objects["instance"].to_numpy(np.int64), *keys[::-1]))
