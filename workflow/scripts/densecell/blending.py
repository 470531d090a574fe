"""Tiles added up with a tapered window, row of tiles by row of tiles, on the device; only the rows that are open are held.

Machireddy et al. 2023 multiply the probabilities of overlapping tiles by a two-dimensional tapered cosine and add them. Here the sum is
divided by the sum of the windows, which is not 1 where the overlap does not fit the window, and at the borders.
"""

import torch

from densecell.outputs import on_host
from densecell.tiling import Tile


class Blender:
    """The open rows of one layer of a `tiling.BlendTiling`.

    sizes: of how many members, one after another, sums are kept (`outputs.Wanted.sizes`). Each layer begins with empty rows.
    """

    def __init__(self, tiling, sizes, device):
        self.tiling, self.sizes, self.device = tiling, sizes, device
        self.part_of = [part for part, n in enumerate(sizes) for _ in range(n)]
        self._rows, self._first, self._touched = None, 0, 0

    def add(self, tile, probabilities):
        """Add a tile. probabilities: of each member in order, (n_classes, z, y, x) of the tile's box, float32 on the device; they are
        overwritten. None: nothing of it is predicted."""
        if probabilities is None:
            return
        weight = torch.from_numpy(self.tiling.weight(tile)).to(self.device)
        z, y, x = tile.box
        left = self.tiling.inner[2][0]
        for part, found in zip(self.part_of, probabilities):
            self._open(tile, len(found))
            rows = self._rows[part][:, : z.stop - z.start, y.start - self._first : y.stop - self._first]
            rows[..., x.start - left : x.stop - left].add_(found.mul_(weight))
        self._touched = y.stop

    def _open(self, tile, n_classes):
        """Have rows from the tile's first one on."""
        if self._rows is None:
            _, height, _ = self.tiling.core
            shape = (len(self.sizes), n_classes, self.tiling.core[0], height, self._width())
            self._rows = torch.zeros(shape, device=self.device)
        if self._touched == 0:
            self._first = tile.box[1].start

    def _width(self):
        start, stop = self.tiling.inner[2]
        return stop - start

    def close(self, box):
        """Sums over members (n_classes, z, y, x), one for each of `sizes`, of a box that no later tile touches, and None where no tile
        was added to it. The rows move on behind it."""
        n = box[1].stop - box[1].start
        if box[1].start >= self._touched:
            return None
        offset = box[1].start - self._first
        total = torch.from_numpy(self.tiling.total_weight(box)).to(self.device)
        depth = box[0].stop - box[0].start
        return [part[:, :depth, offset : offset + n] / total for part in self._rows]

    def move(self, stop):
        """Forget the rows below `stop`; None: all, as at the end of a layer."""
        if not self._touched:
            return
        if stop is None or stop >= self._touched:
            self._rows.zero_()
            self._first = self._touched = 0
            return
        n = stop - self._first
        if n <= 0:
            return
        held = self._rows.shape[3] - n
        for plane in self._rows.flatten(0, 2):  # one at a time: a copy of all would take the memory twice
            plane[:held] = plane[n:].clone()
            plane[held:] = 0
        self._first = stop


def blended(tiling, wanted, n_members, device):
    """A function of a tile and the members' probabilities (None: nothing of it is predicted) that gives the row of tiles that it
    finishes, as a tile, and {key: tensor} of it on the host (None: nothing of it is predicted); None where it finishes none."""
    sizes = wanted.sizes(n_members)
    blender = Blender(tiling, sizes, device)

    def results(tile, found):
        blender.add(tile, found)
        if not tile.closes:
            return None
        row, values = Tile(tile.corner, tile.closes), None
        if row.count():
            sums = blender.close(row.box)
            values = None if sums is None else on_host(wanted.compute(sums, sizes))
        is_last = row.box[1].stop == tiling.inner[1][1]
        blender.move(None if is_last else row.box[1].stop)
        return (row, values) if row.count() else None

    return results
