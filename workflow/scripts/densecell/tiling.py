"""Inference tiles: where they lie, which voxels each of them settles, and what a network must read for it.

Two ways to stitch. `depth` (Guay et al. 2021; the authors' released code): tiles overlap by a third, corners are regular with
a last one flush with the end, and a voxel takes the tile in which it lies deepest, min(4 (z + 1), 4 (Z - z), y + 1, Y - y,
x + 1, X - x), the first tile on ties. `halo`: the box is cut into cores; each is predicted with a margin of what the
network sees around a voxel, and the margin is thrown away. Nothing is averaged in either.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np

Z_DEPTH = 4.0  # a step in z counts as four pixels (the authors' segment.py)
STITCHES = ("depth", "halo")


@dataclass
class Tile:
    """corner: the first voxel (z, y, x) of the tile; box: three slices of the array that it may settle; owned: mask over
    the box of those that it settles, None for all of them."""

    corner: tuple
    box: tuple
    owned: np.ndarray | None = None

    def shape(self):
        return tuple(b.stop - b.start for b in self.box)

    def count(self):
        """Voxels that it settles."""
        return int(np.prod(self.shape()) if self.owned is None else self.owned.sum())


def corners(size, tile, spacing):
    """Corners on one axis: 0, spacing, ... and one flush with the end; [0] when the tile covers the axis."""
    if tile >= size:
        return [0]
    regular = list(range(0, size - tile, spacing))
    return [*regular, size - tile]


def paper_spacing(tile, overlapping=True):
    """Spacing of the paper's tiles: an overlap of a third for networks with same padding, (5, 296, 296) -> (4, 198, 198)."""
    return tuple(n - n // 3 if overlapping else n for n in tile)


class DepthTiling:
    """The paper's tiles of a box `shape` (Z, Y, X).

    tile: output shape of a tile; spacing: between corners, default the paper's; inner: three (start, stop) of the part
    that is asked for, default all.
    """

    def __init__(self, shape, tile, spacing=None, inner=None):
        self.shape, self.tile = tuple(shape), tuple(tile)
        self.spacing = tuple(spacing or paper_spacing(tile))
        self.inner = inner or [(0, n) for n in shape]
        self.corners = [corners(n, t, s) for n, t, s in zip(self.shape, self.tile, self.spacing)]
        axes = [self._axis(axis, step) for axis, step in enumerate((Z_DEPTH, 1.0, 1.0))]
        self._depths, self._before, self._best = zip(*axes)

    def _axis(self, axis, step):
        """Along one axis: of each tile the depth of its positions, the largest depth that any earlier tile reaches there (on
        ties the first tile owns the voxel), and the largest of all tiles at each position."""
        size, tile = self.shape[axis], self.tile[axis]
        depths, before, best = [], [], np.zeros(size, dtype=np.float32)
        for corner in self.corners[axis]:
            inside = np.arange(min(tile, size - corner))
            depths.append((step * np.minimum(inside + 1, tile - inside)).astype(np.float32))
            reached = best[corner : corner + tile]
            before.append(reached.copy())
            np.maximum(reached, depths[-1], out=reached)
        return depths, before, best

    def __len__(self):
        return int(np.prod([len(c) for c in self.corners]))

    def layers(self):
        """(first slice, slice below which all is final afterwards, its tiles) of each z-corner in order."""
        plane = list(itertools.product(*(range(len(c)) for c in self.corners[1:])))
        for iz, corner in enumerate(self.corners[0]):
            last = iz + 1 == len(self.corners[0])
            final = self.shape[0] if last else self.corners[0][iz + 1]
            yield corner, final, (tile for iy, ix in plane if (tile := self._tile((iz, iy, ix))) is not None)

    def _tile(self, index):
        """The tile `index` (iz, iy, ix) with the mask of the voxels it owns; None where that is nothing asked for."""
        corner = tuple(c[i] for c, i in zip(self.corners, index))
        spans = [(max(c, a), min(c + t, b)) for c, t, (a, b) in zip(corner, self.tile, self.inner)]
        if any(start >= stop for start, stop in spans):
            return None
        box = tuple(slice(*span) for span in spans)
        return Tile(corner, box, self._owned(index, box))

    def _owned(self, index, box):
        z, y, x = np.ix_(*(b[s] for b, s in zip(self._best, box)))
        best = np.minimum(np.minimum(z, y), x)
        mask = np.ones(best.shape, dtype=bool)
        for axis in range(3):
            view = [1, 1, 1]
            view[axis] = -1
            corner = self.corners[axis][index[axis]]
            inside = slice(box[axis].start - corner, box[axis].stop - corner)
            own = self._depths[axis][index[axis]][inside].reshape(view)
            before = self._before[axis][index[axis]][inside].reshape(view)
            mask &= (own >= best) & (before < best)
        return mask


class HaloTiling:
    """Cores side by side that cover `inner` (three (start, stop)) of an array.

    core: their shape (Z, Y, X); step: corners are multiples of it (z, y, x), so that the networks' pools fall on the same
    voxels in every tile.
    """

    def __init__(self, inner, core, step):
        self.inner, self.core = [tuple(pair) for pair in inner], tuple(core)
        firsts = [a // s * s for (a, _), s in zip(self.inner, step)]
        self.corners = [list(range(f, b, c)) for f, (_, b), c in zip(firsts, self.inner, self.core)]

    def __len__(self):
        return int(np.prod([len(c) for c in self.corners]))

    def layers(self):
        """(first slice, slice below which all is final afterwards, its tiles) of each z-corner in order."""
        for corner in self.corners[0]:
            tiles = (self._tile((corner, *plane)) for plane in itertools.product(*self.corners[1:]))
            yield corner, min(corner + self.core[0], self.inner[0][1]), tiles

    def _tile(self, corner):
        spans = ((max(c, a), min(c + n, b)) for c, n, (a, b) in zip(corner, self.core, self.inner))
        return Tile(corner, tuple(slice(*span) for span in spans))


@dataclass
class Placement:
    """How a network is laid over a tile: the input it reads and the part of its output that is the tile's.

    input_shape, output_shape: (Z, Y, X); before: how far ahead of the tile's corner the input starts; bounds: three
    (lowest, highest) starts, so that tiles at the border of the volume end where it ends; None: no bounds.
    """

    input_shape: tuple
    output_shape: tuple
    before: tuple
    bounds: list | None = field(default=None)

    def start(self, corner):
        """The first voxel (z, y, x) of the input; negative or beyond the volume where it is mirrored."""
        starts = [c - b for c, b in zip(corner, self.before)]
        if self.bounds:
            starts = [min(max(s, low), high) for s, (low, high) in zip(starts, self.bounds)]
        return tuple(starts)

    def crop(self, corner, box):
        """Three slices of the output: the voxels of `box`."""
        start = self.start(corner)
        firsts = [b.start - s - (i - o) // 2 for b, s, i, o in zip(box, start, self.input_shape, self.output_shape)]
        return tuple(slice(f, f + b.stop - b.start) for f, b in zip(firsts, box))
