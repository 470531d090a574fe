"""Where the objects of a volume lie and how large they are, collected slab by slab, and one object cut out of a volume.

An object is all voxels of one number (uint32) of an instance volume; 0 is none, and so is what nobody labelled
(`classes.UNLABELLED_INSTANCE`). Boxes are half open, in voxels; positions are the means of the voxels' centers, in nm, with
the volume's origin.
"""

from typing import NamedTuple

import numpy as np
import pandas as pd

from densecell.classes import UNLABELLED_INSTANCE

BOX = ("z0", "z1", "y0", "y1", "x0", "x1")
COLUMNS = ("instance", "voxels", "volume_um3", *BOX, "z_nm", "y_nm", "x_nm", "touches_border", "orphan")
# what is held of an object; z, y, x: sums of twice the positions of its voxels; first: its first voxel in a scan
NUMBERS = ("instance", "voxels", "z", "y", "x", *BOX, "first")
ADD, MINIMUM, MAXIMUM = np.add.reduceat, np.minimum.reduceat, np.maximum.reduceat
JOINED_BY = (ADD, ADD, ADD, ADD, *(MINIMUM, MAXIMUM) * 3, MINIMUM)  # of NUMBERS but the number of the object


class Runs(NamedTuple):
    """Stretches of voxels of one object along x: number, slice z, row y, first x and one after the last; (n_runs,) each."""

    instance: np.ndarray
    z: np.ndarray
    y: np.ndarray
    start: np.ndarray
    stop: np.ndarray


def runs_of(slab, z0=0):
    """The runs of a slab (Z', Y, X) that begins at slice z0, in the order of a scan (x fastest)."""
    depth, height, width = slab.shape
    flat = np.ascontiguousarray(slab).reshape(depth * height, width)
    begins = np.ones((depth * height, width), bool)
    np.not_equal(flat[:, 1:], flat[:, :-1], out=begins[:, 1:])
    start = np.flatnonzero(begins)
    stop = np.append(start[1:], flat.size)  # each row begins a run, so none goes over its end
    instance = flat.reshape(-1)[start]
    kept = (instance != 0) & (instance != UNLABELLED_INSTANCE)
    start, stop, instance = start[kept], stop[kept], instance[kept]
    row = start // width
    return Runs(instance.astype(np.int64), z0 + row // height, row % height, start - row * width, stop - row * width)


def _joined(numbers):
    """Rows (n, len(NUMBERS)) with repeated objects joined, ascending by object."""
    numbers = numbers[np.argsort(numbers[:, 0], kind="stable")]
    first = np.flatnonzero(np.diff(numbers[:, 0], prepend=-1))
    if not len(first):
        return numbers
    columns = [numbers[first, 0]] + [join(numbers[:, i], first) for i, join in enumerate(JOINED_BY, start=1)]
    return np.stack(columns, axis=1)


class ObjectTable:
    """Collects the objects of a volume from its slabs, in any order and cut anywhere; each voxel is given once.

    shape: (Z, Y, X) of the whole volume; voxel_size_nm, origin_nm: (z, y, x). All is counted in integers, so the table
    doesn't depend on the slabs. Memory: a slab, and 12 numbers of 8 bytes for each object.
    """

    def __init__(self, shape, voxel_size_nm, origin_nm=(0, 0, 0)):
        self.shape, self.voxel_size_nm, self.origin_nm = tuple(shape), tuple(voxel_size_nm), tuple(origin_nm)
        self._numbers = np.zeros((0, len(NUMBERS)), np.int64)
        self._waiting, self._n_waiting = [], 0

    def add(self, z0, slab, offset=0):
        """Add a slab (Z', Y, X) of object numbers that begins at slice z0; offset: added to all but 0.

        Raises ValueError for a slab that is not of this volume.
        """
        slab = np.asarray(slab)
        if slab.ndim != 3 or slab.shape[1:] != self.shape[1:] or not 0 <= z0 <= self.shape[0] - len(slab):
            raise ValueError(f"objects: expected slabs of a volume {self.shape}, found {slab.shape} at slice {z0}.")
        runs = runs_of(slab, z0)
        self.add_runs(runs._replace(instance=runs.instance + offset))

    def add_runs(self, runs):
        """Add the voxels of `Runs` of objects, of any slices and in any order."""
        length, one = runs.stop - runs.start, np.int64(1)
        sums = [length, 2 * runs.z * length, 2 * runs.y * length, (runs.start + runs.stop - 1) * length]
        box = [runs.z, runs.z + one, runs.y, runs.y + one, runs.start, runs.stop]
        first = (runs.z * self.shape[1] + runs.y) * self.shape[2] + runs.start
        found = _joined(np.stack([runs.instance, *sums, *box, first], axis=1))
        self._waiting.append(found)
        self._n_waiting += len(found)
        if self._n_waiting > len(self._numbers):  # when they have doubled, so that each is sorted a few times only
            self._join()

    def _join(self):
        self._numbers = _joined(np.concatenate([self._numbers, *self._waiting]))
        self._waiting, self._n_waiting = [], 0

    def column(self, name):
        """One of NUMBERS of all objects, ascending by object: (n_objects,) int64; first: the first voxel in the order of a scan,
        counted from that of the volume."""
        self._join()
        return self._numbers[:, NUMBERS.index(name)]

    def renumber(self, new):
        """Give each object, ascending, the number in `new` (n_objects,); equal ones become one object, 0 is left out."""
        self._join()
        numbers = self._numbers.copy()
        numbers[:, 0] = new
        self._numbers = _joined(numbers[numbers[:, 0] > 0])

    def table(self, first_orphan=None):
        """A row for each object, ascending (COLUMNS; docs/outputs.md). first_orphan: numbers from it on are orphans."""
        self._join()
        of = dict(zip(NUMBERS, self._numbers.T))
        lower, upper = self._numbers[:, 5:11:2], self._numbers[:, 6:11:2]
        touches = ((lower == 0) | (upper == np.array(self.shape))).any(axis=1)
        orphan = np.zeros(len(touches), bool) if first_orphan is None else of["instance"] >= first_orphan
        columns = {"instance": of["instance"], "voxels": of["voxels"]}
        columns["volume_um3"] = of["voxels"] * (np.prod(np.array(self.voxel_size_nm, float)) * 1e-9)
        columns |= {name: of[name] for name in BOX}
        for axis, origin, size in zip("zyx", self.origin_nm, self.voxel_size_nm):
            columns[f"{axis}_nm"] = origin + of[axis] / (2 * np.maximum(of["voxels"], 1)) * size
        return pd.DataFrame(columns | {"touches_border": touches.astype(int), "orphan": orphan.astype(int)})[[*COLUMNS]]


def count_objects(volume, first_orphan=None):
    """The table of a whole stored volume, read slab by slab."""
    objects = ObjectTable(volume.shape, volume.voxel_size_nm, volume.origin_nm)
    for start, stop in volume.slabs():
        objects.add(start, volume[start:stop])
    return objects.table(first_orphan)


class Crop(NamedTuple):
    """A box cut out of a volume.

    array: what the volume holds there; start: (z, y, x) of its first voxel in the volume; clipped: ((before, after) of z, of y, of x),
    the planes that were asked for and lie outside the volume.
    """

    array: np.ndarray
    start: tuple
    clipped: tuple

    def mask_of(self, instance):
        """The voxels of an object as (Z, Y, X) bool, all planes that were asked for; False outside the volume."""
        return np.pad(self.array == instance, self.clipped)

    @property
    def padded_start(self):
        """(z, y, x) of the first voxel of `mask_of` in the volume; negative where it lies before it."""
        return tuple(s - before for s, (before, _) in zip(self.start, self.clipped))


def crop(store, row, pad=0):
    """The box of one object with `pad` voxels more on each side, as far as the volume goes, as a `Crop`.

    store: what has a shape and is cut by three slices: the instance volume, the EM image, an array. row: of an object table,
    with z0 to x1 as attributes. pad: a number, or one for each of (z, y, x).
    """
    pads = np.broadcast_to(pad, 3)
    low = [int(getattr(row, name)) - int(p) for name, p in zip(BOX[::2], pads)]
    high = [int(getattr(row, name)) + int(p) for name, p in zip(BOX[1::2], pads)]
    start = tuple(max(n, 0) for n in low)
    stop = tuple(min(n, size) for n, size in zip(high, store.shape))
    clipped = tuple((s - a, b - e) for a, s, e, b in zip(low, start, stop, high))
    return Crop(store[tuple(slice(a, b) for a, b in zip(start, stop))], start, clipped)
