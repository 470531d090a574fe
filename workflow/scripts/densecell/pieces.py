"""Components of a volume cut into objects, one after another in their own boxes, and put together again slab by slab.

A component is cut in its box (watershed.py). Where the box has more than a given number of voxels, it is cut on a coarser grid that
begins with the volume: blocks of 2, 4, ... voxels, the finest axis first. A block belongs to the component where it holds any
of its voxels, and is inside for the distances where most of it does; each voxel gets the number of its block. So memory has
a bound whatever touches, contacts of very large objects are cut to the accuracy of a block, and neither depends on slabs.
"""

import threading
import zlib
from bisect import bisect_left, bisect_right
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from densecell.instances import check_number, no_step
from densecell.objects import BOX, ObjectTable, crop
from densecell.parallel import in_order
from densecell.watershed import coarsening, cut, distance_to_border, is_too_thin, smoothed

MAX_VOXELS = 2**25


@dataclass(frozen=True)
class Cut:
    """How components are cut.

    min_depth: how far the way from a peak to a higher one must fall for two objects, in nm, or 0 to 1 of a probability;
    smoothing_nm: standard deviation of a Gaussian before; max_voxels: of the box of a component that is cut at full resolution.
    """

    min_depth: float
    smoothing_nm: float = 0.0
    max_voxels: int = MAX_VOXELS


class Pieces:
    """The components of a volume where some are cut into pieces: slabs, labels(i) and objects like `Components`.

    components: `Components`; settings: `Cut`; scratch: a binary file, open to be written and read, for what was cut, compressed;
    probability: (Z, Y, X) uint8 read lazily, which is then cut instead of the distance to the border. coarse: {component:
    (z, y, x) voxels of a block} of those that were too large. step: called after each component.
    """

    def __init__(self, components, settings, scratch, probability=None, threads=1, step=no_step):
        self.slabs, self.structure = components.slabs, components.structure
        self._components, self._settings, self._scratch = components, settings, scratch
        self._probability, self.voxel_size_nm = probability, np.array(components.objects.voxel_size_nm, float)
        self._lock = threading.Lock()  # the scratch file has one place to read from
        self._cuts, self.coarse, self._next = [[] for _ in self.slabs], {}, components.n + 1
        fine, coarse = self._to_cut()
        for item, labels in zip(fine, in_order(self._cut_fine, fine, threads)):
            self._keep(*item, labels)
            step()
        for row, factors in coarse:
            self.coarse[row.instance] = factors
            self._keep(row, factors, self._cut_coarse(row, factors))
            step()
        check_number(self._next)
        self.objects = components.objects
        if any(self._cuts):
            self.objects = ObjectTable(self.objects.shape, self.objects.voxel_size_nm, self.objects.origin_nm)
            for i, (start, _) in enumerate(self.slabs):
                self.objects.add(start, self.labels(i))

    def _to_cut(self):
        """(rows of the components that may fall into pieces, with factors of 1; those that are too large, with theirs)."""
        table = self._components.objects.table()
        table["first"] = self._components.objects.column("first")
        fine, coarse = [], []
        for row in table.itertuples():
            if not self._stays_whole(row):
                factors = coarsening(_box_shape(row), self.voxel_size_nm, self._settings.max_voxels)
                (fine if factors == (1, 1, 1) else coarse).append((row, factors))
        return fine, coarse

    def _stays_whole(self, row):
        if self._probability is not None:
            return row.voxels == 1
        ends = [(low == 0) + (high == n) for low, high, n in zip(*_box(row), self._components.mask.shape)]
        return is_too_thin(_box_shape(row), self.voxel_size_nm, ends, self._settings.min_depth)

    # -------------------------------------------------------------------------------------------------------- cutting
    def _cut(self, mask, inside, probability, spacing_nm):
        height = distance_to_border(inside, spacing_nm) if probability is None else probability
        height = smoothed(height, self._settings.smoothing_nm, spacing_nm)
        return cut(mask, height, self._settings.min_depth, self.structure)

    def _cut_fine(self, item):
        """The pieces of a component in its box, with a voxel more at each side as far as the volume goes."""
        row, _ = item
        found = crop(self._components.mask, row, pad=1)
        numbers = ndimage.label(found.array, self.structure)[0]
        first = np.unravel_index(row.first, self._components.mask.shape)
        mask = numbers == numbers[tuple(f - s for f, s in zip(first, found.start))]
        probability = None
        if self._probability is not None:
            probability = crop(self._probability, row, pad=1).array.astype(np.float32) / 255
        return self._cut(mask, mask, probability, self.voxel_size_nm)

    def _cut_coarse(self, row, factors):
        """The same on blocks of `factors` voxels."""
        inside, sums = self._block_sums(row, factors)
        start, stop = _blocks(row, factors, self._components.mask.shape)
        sizes = [
            np.minimum((np.arange(a, b) + 1) * f, n) - np.arange(a, b) * f
            for a, b, f, n in zip(start, stop, factors, self._components.mask.shape)
        ]
        voxels = sizes[0][:, None, None] * sizes[1][:, None] * sizes[2]
        probability = None if sums is None else (sums / (255 * voxels)).astype(np.float32)
        return self._cut(inside > 0, 2 * inside > voxels, probability, self.voxel_size_nm * factors)

    def _block_sums(self, row, factors):
        """(voxels of a component in each block around its box, sum of the probability there or None), slab by slab."""
        start, stop = _blocks(row, factors, self._components.mask.shape)
        low = [a * f for a, f in zip(start, factors)]
        high = [min(b * f, n) for b, f, n in zip(stop, factors, self._components.mask.shape)]
        inside = np.zeros([b - a for a, b in zip(start, stop)], np.int64)
        sums = None if self._probability is None else np.zeros(inside.shape, np.int64)
        window = (slice(low[1], high[1]), slice(low[2], high[2]))
        for i, (z0, z1) in enumerate(self.slabs):
            planes = range(max(z0, low[0]), min(z1, high[0]))
            if not planes:
                continue
            labels = self._components.labels(i)
            for z in planes:
                at = z // factors[0] - start[0]
                inside[at] += _sum_blocks(labels[(z - z0, *window)] == row.instance, factors)
                if sums is not None:
                    sums[at] += _sum_blocks(self._probability[(slice(z, z + 1), *window)][0], factors)
        return inside, sums

    # -------------------------------------------------------------------------------------------------------- keeping
    def _keep(self, row, factors, labels):
        """Remember the pieces of a component in the scratch file, unless it stayed whole."""
        n = int(labels.max())
        if n < 2:
            return
        labels = labels.astype(np.min_scalar_type(n))
        places = []
        self._scratch.seek(0, 2)
        for plane in labels:
            packed = zlib.compress(plane.tobytes(), 1)
            places.append((self._scratch.tell(), len(packed)))
            self._scratch.write(packed)
        start, _ = _blocks(row, factors, self._components.mask.shape)
        first = bisect_right(self.slabs, row.z0, key=lambda slab: slab[0]) - 1
        for i in range(first, bisect_left(self.slabs, row.z1, key=lambda slab: slab[0])):
            self._cuts[i].append((row, factors, start, labels.shape[1:], labels.dtype, places, self._next))
        self._next += n

    def labels(self, i):
        """The numbers of slab i: (Z', Y, X) uint32; those of pieces begin above those of all components."""
        z0, z1 = self.slabs[i]
        slab = self._components.labels(i)
        for row, factors, start, shape, dtype, places, base in self._cuts[i]:
            y, x = (
                np.arange(a, b) // f - s
                for a, b, f, s in zip((row.y0, row.x0), (row.y1, row.x1), factors[1:], start[1:])
            )
            for z in range(max(z0, row.z0), min(z1, row.z1)):
                at, n_bytes = places[z // factors[0] - start[0]]
                with self._lock:
                    self._scratch.seek(at)
                    packed = self._scratch.read(n_bytes)
                pieces = np.frombuffer(zlib.decompress(packed), dtype).reshape(shape)[np.ix_(y, x)]
                window = slab[z - z0, row.y0 : row.y1, row.x0 : row.x1]
                mine = window == row.instance
                window[mine] = base - 1 + pieces[mine].astype(np.uint32)
        return slab


def _box(row):
    """((z0, y0, x0), (z1, y1, x1)) of a row of an object table."""
    return tuple(tuple(getattr(row, name) for name in BOX[i::2]) for i in (0, 1))


def _box_shape(row):
    return tuple(high - low for low, high in zip(*_box(row)))


def _blocks(row, factors, shape):
    """The (first, one after the last) block (z, y, x) of the box of an object, with one more at each side within the volume."""
    low, high = _box(row)
    start = tuple(max(a // f - 1, 0) for a, f in zip(low, factors))
    return start, tuple(min(-(-b // f) + 1, -(-n // f)) for b, f, n in zip(high, factors, shape))


def _sum_blocks(plane, factors):
    """Sums over blocks of (y, x) voxels of a plane that begins with a block: (Y', X') int64."""
    rows = np.add.reduceat(plane, np.arange(0, plane.shape[0], factors[1]), axis=0, dtype=np.int64)
    return np.add.reduceat(rows, np.arange(0, plane.shape[1], factors[2]), axis=1)
