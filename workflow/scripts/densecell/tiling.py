"""Inference tiles and which tile each voxel's prediction comes from (Guay et al. 2021; the authors' released code).

Tiles are boxes of the networks' output shape; corners are regular with a last one flush with the end. No averaging:
with `depth`, a voxel takes the tile in which it lies deepest, min(4 (z + 1), 4 (Z - z), y + 1, Y - y, x + 1, X - x),
the first tile on ties; with `halo`, the tile whose core (the tile without its margin) holds it.
"""

import itertools

import numpy as np

Z_DEPTH = 4.0  # a step in z counts as four pixels (the authors' segment.py)
STITCHES = ("depth", "halo")


def corners(size, tile, spacing):
    """Corners on one axis: 0, spacing, ... and one flush with the end; [0] when the tile covers the axis."""
    if tile >= size:
        return [0]
    regular = list(range(0, size - tile, spacing))
    return [*regular, size - tile]


def paper_spacing(tile, overlapping=True):
    """Spacing of the paper's tiles: an overlap of a third for networks with same padding, (5, 296, 296) -> (4, 198, 198)."""
    return tuple(n - n // 3 if overlapping else n for n in tile)


class Tiling:
    """The tiles of a box `shape`, and the voxels each of them owns.

    tile: output shape of a tile (Z, Y, X). stitch: depth or halo. spacing: between corners (depth), default the
    paper's; halo: margin cut off each side of a tile but at the border of the box.
    """

    def __init__(self, shape, tile, stitch="depth", spacing=None, halo=(0, 0, 0)):
        if stitch not in STITCHES:
            raise ValueError(f"prediction.stitch: unknown {stitch!r}; known: {', '.join(STITCHES)}.")
        self.shape, self.tile = tuple(shape), tuple(tile)
        if stitch == "halo":
            spacing = tuple(t - 2 * h if t < n else t for t, h, n in zip(tile, halo, shape))
            if min(spacing) < 1:
                raise ValueError(f"prediction.halo: {tuple(halo)} leaves nothing of a tile of {self.tile}.")
        self.spacing = tuple(spacing or paper_spacing(tile))
        self.corners = [corners(n, t, s) for n, t, s in zip(self.shape, self.tile, self.spacing)]
        steps = (Z_DEPTH, 1.0, 1.0)
        self._depths = [self._axis(axis, steps[axis], stitch, halo[axis]) for axis in range(3)]
        self._best = [d.max(axis=0) for d in self._depths]
        # the largest depth any earlier tile reaches: on ties the first tile owns the voxel
        self._before = [np.vstack([np.zeros_like(d[:1]), np.maximum.accumulate(d, axis=0)[:-1]]) for d in self._depths]

    def _axis(self, axis, step, stitch, halo):
        """(n_tiles, size) depth of each position in each tile of one axis; 0 outside the tile (or its core)."""
        size, tile = self.shape[axis], self.tile[axis]
        depth = np.zeros((len(self.corners[axis]), size), dtype=np.float32)
        for row, corner in zip(depth, self.corners[axis]):
            inside = np.arange(max(0, size - corner))[:tile]
            if stitch == "depth":
                row[corner : corner + tile] = step * np.minimum(inside + 1, tile - inside)
            else:
                low = 0 if corner == 0 else halo
                high = tile if corner + tile >= size else tile - halo
                row[corner : corner + tile] = (inside >= low) & (inside < high)
        return depth

    def __len__(self):
        return int(np.prod([len(c) for c in self.corners]))

    def layers(self):
        """For each z-corner in order: the indices (iz, iy, ix) of its tiles."""
        plane = list(itertools.product(*(range(len(c)) for c in self.corners[1:])))
        for iz in range(len(self.corners[0])):
            yield [(iz, iy, ix) for iy, ix in plane]

    def box(self, index):
        """Three slices: where the tile `index` lies in the box, cut off at its end."""
        starts = [c[i] for c, i in zip(self.corners, index)]
        return tuple(slice(s, min(s + t, n)) for s, t, n in zip(starts, self.tile, self.shape))

    def owned(self, index):
        """Mask over `box(index)`: the voxels whose prediction comes from this tile."""
        box = self.box(index)
        z, y, x = np.ix_(*(b[s] for b, s in zip(self._best, box)))
        best = np.minimum(np.minimum(z, y), x)
        mask = np.ones(best.shape, dtype=bool)
        for axis in range(3):
            view = [1, 1, 1]
            view[axis] = -1
            own = self._depths[axis][index[axis], box[axis]].reshape(view)
            before = self._before[axis][index[axis], box[axis]].reshape(view)
            mask &= (own >= best) & (before < best)
        return mask
