"""Inference tiles: where they lie, which voxels each of them settles, and what a network must read for it.

Three ways to stitch. `depth` (Guay et al. 2021; the authors' released code): tiles overlap by a third, corners are regular with
a last one flush with the end, and a voxel takes the tile in which it lies deepest, min(4 (z + 1), 4 (Z - z), y + 1, Y - y,
x + 1, X - x), the first tile on ties. `halo`: the box is cut into cores; each is predicted with a margin of what the
network sees around a voxel, and the margin is thrown away. Nothing is averaged in either. `blend` (Machireddy et al. 2023): tiles
overlap in y and x, and a voxel takes the mean over its tiles, weighted by a tapered cosine; in z as with halo.
"""

import itertools
from dataclasses import dataclass, field

import numpy as np
from scipy.signal.windows import tukey

Z_DEPTH = 4.0  # a step in z counts as four pixels (the authors' segment.py)
STITCHES = ("depth", "halo", "blend")


@dataclass
class Tile:
    """corner: the first voxel (z, y, x) of the tile; box: three slices of the array that it may settle; owned: mask over
    the box of those that it settles, None for all of them; closes: with blend, the box that no later tile touches, of the last
    tile of a row."""

    corner: tuple
    box: tuple
    owned: np.ndarray | None = None
    closes: tuple | None = None

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


def taper(length, alpha):
    """(length,) float32 weights of a tile along an axis: the Tukey window of scipy without its zeros at both ends.

    alpha: share of the length that is tapered, 0 (all ones) to 1 (a raised cosine). With the zeros the first row and column of a
    volume, which only one tile covers, would be 0/0.
    """
    return tukey(length + 2, alpha)[1:-1].astype(np.float32)


class BlendTiling:
    """Overlapping tiles of an array `shape` (Z, Y, X), weighted by a tapered cosine in y and x and added; cores side by side in z.

    inner: three (start, stop) of the part that is asked for; core: (Z, Y, X) of a tile; spacing: between tiles in y and x: they
    start at 0, spacing, ..., and one is flush with the end; step: in z cores begin at multiples of it; alpha: of `taper`.
    """

    def __init__(self, shape, inner, core, spacing, step, alpha):
        self.shape, self.inner, self.core = tuple(shape), [tuple(pair) for pair in inner], tuple(core)
        first, stop = self.inner[0][0] // step * step, self.inner[0][1]
        plane = [corners(n, t, s) for n, t, s in zip(self.shape[1:], self.core[1:], spacing)]
        self.corners = [list(range(first, stop, self.core[0])), *plane]
        self.weights = [taper(n, alpha) for n in self.core[1:]]
        self.sums = [self._sum(axis) for axis in (0, 1)]

    def _sum(self, axis):
        """(size,) float32: the sum of the weights of all tiles at each position of y (0) or x (1). It is positive everywhere."""
        size, weights = self.shape[1 + axis], self.weights[axis].astype(np.float64)
        total = np.zeros(size)
        for corner in self.corners[1 + axis]:
            total[corner : corner + len(weights)] += weights[: size - corner]
        return total.astype(np.float32)

    def __len__(self):
        return int(np.prod([len(c) for c in self.corners]))

    def weight(self, tile):
        """(y, x) float32 weights of the box of a tile."""
        y, x = (w[b.start - c : b.stop - c] for w, b, c in zip(self.weights, tile.box[1:], tile.corner[1:]))
        return y[:, None] * x

    def total_weight(self, box):
        """(y, x) float32 sums of the weights of all tiles over a box."""
        return self.sums[0][box[1], None] * self.sums[1][box[2]]

    def layers(self):
        """(first slice, slice below which all is final afterwards, its tiles) of each z-corner in order; tiles row by row."""
        for corner in self.corners[0]:
            yield corner, min(corner + self.core[0], self.inner[0][1]), self._tiles(corner)

    def _tiles(self, z):
        """The tiles of a layer that meet the part asked for; the last of a row with the box that the row closes."""
        depth = self._span(0, z)
        columns = [(x, slice(*span)) for x in self.corners[2] if (span := self._span(2, x))[0] < span[1]]
        for i, y in enumerate(self.corners[1]):
            rows = self._span(1, y)
            if rows[0] >= rows[1]:
                continue
            following = self.corners[1][i + 1] if i + 1 < len(self.corners[1]) else self.inner[1][1]
            closed = slice(rows[0], min(max(following, rows[0]), rows[1]))
            for j, (x, column) in enumerate(columns):
                box = (slice(*depth), slice(*rows), column)
                last = j + 1 == len(columns)
                yield Tile((z, y, x), box, None, (box[0], closed, slice(*self.inner[2])) if last else None)

    def _span(self, axis, corner):
        start, stop = self.inner[axis]
        return max(corner, start), min(corner + self.core[axis], stop)


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
