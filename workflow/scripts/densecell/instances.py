"""Objects of a class in a volume larger than memory: connected components, and these cut by a watershed.

A mask is read in slabs, in order. The components of each slab are joined across its faces, so that they are those of the
whole volume, and a component is cut in its own box: nothing depends on where the slabs end. Objects are numbered from 1 in the
order of their first voxels in a scan (x fastest). Slabs are labelled again wherever they are needed, which costs seconds; a
copy of the volume with 4 bytes a voxel would cost disk.
"""

import numpy as np
from scipy import ndimage
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from densecell.classes import UNLABELLED_INSTANCE
from densecell.objects import ObjectTable
from densecell.parallel import in_order
from densecell.watershed import structure_of

LARGEST_NUMBER = UNLABELLED_INSTANCE - 1


def no_step():
    """Tells nobody how far a long loop is."""


class ClassMask:
    """Where a class map holds one of some classes, read lazily: cut by slices like an array, gives bool.

    volume: (Z, Y, X) uint8, 255 (unlabelled) belongs to no class; members: numbers of the classes.
    """

    def __init__(self, volume, members):
        self.shape, self._volume = volume.shape, volume
        self._is_member = np.isin(np.arange(256), members) & (np.arange(256) < 255)

    def __getitem__(self, index):
        return self._is_member[self._volume[index]]


def links(above, below, structure):
    """Pairs of numbers that touch between two neighboring planes (Y, X), without repeats: (n, 2) int64.

    structure: (3, 3, 3) neighbors of a voxel.
    """
    found = []
    for dy, dx in (np.argwhere(structure[2]) - 1).tolist():
        here = tuple(slice(max(-d, 0), size - max(d, 0)) for d, size in zip((dy, dx), above.shape))
        there = tuple(slice(max(d, 0), size - max(-d, 0)) for d, size in zip((dy, dx), above.shape))
        a, b = above[here].ravel(), below[there].ravel()
        touching = (a > 0) & (b > 0)
        touching[1:] &= (a[1:] != a[:-1]) | (b[1:] != b[:-1]) | ~touching[:-1]  # once for each stretch along x
        found.append(np.stack([a[touching], b[touching]], axis=1).astype(np.int64))
    return np.unique(np.concatenate(found), axis=0)


class Components:
    """The connected components of a mask, numbered from 1.

    mask: (Z, Y, X), cut by slices into bool; slabs: the (start, stop) of its slabs, in order; connectivity: 6, 18 or 26.
    step: called after each slab. objects: their `ObjectTable`; n: how many. Memory: a slab of each thread, some 13 bytes a voxel, and
    0.1 kB for each component of a slab.
    """

    def __init__(self, mask, slabs, connectivity, voxel_size_nm, origin_nm=(0, 0, 0), threads=1, step=no_step):
        self.mask, self.slabs, self.structure = mask, list(slabs), structure_of(connectivity)
        self.objects = ObjectTable(mask.shape, voxel_size_nm, origin_nm)
        self._ends, pairs, last = [0], [np.zeros((0, 2), np.int64)], None
        for (start, _), (labels, n) in zip(self.slabs, in_order(self._label, self.slabs, threads)):
            known = self._ends[-1]
            self.objects.add(start, labels, offset=known)
            first, end = (np.where(plane > 0, plane.astype(np.int64) + known, 0) for plane in (labels[0], labels[-1]))
            if last is not None:
                pairs.append(links(last, first, self.structure))
            last = end
            self._ends.append(known + n)
            step()
        self._numbers = self._join(np.concatenate(pairs))
        self.objects.renumber(self._numbers)
        self.n = int(self._numbers.max(initial=0))

    def _label(self, slab):
        return ndimage.label(self.mask[slab[0] : slab[1]], self.structure)

    def _join(self, pairs):
        """The final number of each component of a slab, which are numbered on from slab to slab: (n,) int64."""
        n = self._ends[-1]
        graph = coo_array((np.ones(len(pairs), bool), tuple(pairs.T - 1)), shape=(n, n))
        n_joined, joined = connected_components(graph, directed=False)
        check_number(n_joined)
        first = np.full(n_joined, np.iinfo(np.int64).max)
        np.minimum.at(first, joined, self.objects.column("first"))
        numbers = np.empty(n_joined, np.int64)
        numbers[np.argsort(first)] = np.arange(1, n_joined + 1)
        return numbers[joined]

    def labels(self, i):
        """The numbers of slab i: (Z', Y, X) uint32."""
        found = self._numbers[self._ends[i] : self._ends[i + 1]]
        return np.append(0, found).astype(np.uint32)[self._label(self.slabs[i])[0]]


class Drawn:
    """Objects that somebody drew, with their numbers, to be used like `Components`; what nobody labelled stays unlabelled.

    volume: (Z, Y, X) uint32, read lazily.
    """

    def __init__(self, volume, slabs, voxel_size_nm, origin_nm=(0, 0, 0)):
        self.slabs, self._volume = list(slabs), volume
        self.objects = ObjectTable(volume.shape, voxel_size_nm, origin_nm)
        for i, (start, _) in enumerate(self.slabs):
            self.objects.add(start, self.labels(i))

    def labels(self, i):
        """The numbers of slab i: (Z', Y, X) uint32."""
        return self._volume[self.slabs[i][0] : self.slabs[i][1]].astype(np.uint32, copy=False)


def check_number(n):
    """Raise ValueError for more objects than uint32 tells apart."""
    if n > LARGEST_NUMBER:
        raise ValueError(
            f"instances: expected at most {LARGEST_NUMBER:,} objects, found {n:,}; the class map is mostly noise. Remove what is "
            "small from it, or use connectivity 26."
        )


class Numbered:
    """Objects without those that are too small, numbered from 1 by their first voxels; keep: with the numbers they have.
    What nobody labelled (`classes.UNLABELLED_INSTANCE`) stays so.

    parts: what has slabs, labels(i) and objects. min_volume_um3: smaller objects are left out. objects: the `ObjectTable` of
    what stays; n_removed, removed_um3: what does not.
    """

    def __init__(self, parts, min_volume_um3=0, keep=False):
        self.slabs, self._parts = parts.slabs, parts
        self.objects = parts.objects
        self._old, volume_um3 = self.objects.column("instance"), self.objects.table().volume_um3.to_numpy()
        stays = volume_um3 >= min_volume_um3 * (1 - 1e-9)  # rounding must not decide about an object of just this size
        self._new = np.where(stays, self._old, 0)
        if not keep:
            first = self.objects.column("first")[stays]
            numbers = np.empty(len(first), np.int64)
            numbers[np.argsort(first)] = np.arange(1, len(first) + 1)
            self._new[stays] = numbers
        self.n_removed, self.removed_um3 = int((~stays).sum()), float(volume_um3[~stays].sum())
        self._is_same = np.array_equal(self._old, self._new)
        self.objects.renumber(self._new)

    def labels(self, i):
        """The numbers of slab i: (Z', Y, X) uint32."""
        slab = self._parts.labels(i)
        if self._is_same:
            return slab
        if self._old.max() < 2**26:
            table = np.zeros(int(self._old.max()) + 2, np.uint32)
            table[self._old], table[-1] = self._new, UNLABELLED_INSTANCE
            return table.take(slab, mode="clip")  # only what nobody labelled is above all numbers
        known, places = np.unique(slab, return_inverse=True)  # drawn numbers may be anything; there are few in a slab
        old, new = (np.append(numbers, UNLABELLED_INSTANCE) for numbers in (self._old, self._new))
        at = np.searchsorted(old, known)
        return np.where(old[at] == known, new[at], 0).astype(np.uint32)[places.reshape(slab.shape)]
