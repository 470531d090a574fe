"""The table of what is in a tumor phantom: one row per object with its cell, place, size, holes and islands."""

import numpy as np
from scipy import ndimage

from densecell.tumor_phantom_geometry import FILOPODIUM, KINDS, NUCLEOLUS
from densecell.tumor_phantom_sections import object_table

EIGHT = np.ones((3, 3), bool)  # profiles that touch at a corner are one


class Objects:
    """Counts the objects of a world over its sections, added one by one.

    Cells have the numbers of the volume of cells; everything else those of the volume of organelles, and filopodia
    numbers of their own after these.
    """

    def __init__(self, world, voxel_size_nm, shape):
        self.world, self.voxel_size_nm, self.shape = world, voxel_size_nm, shape
        self.kind, self.home = object_table(world)
        self.n_cells = len(world.cells) + 1
        n = self.n_cells + len(self.kind)  # cells first, then objects
        self.voxels, self.border = np.zeros(n), np.zeros(n, bool)
        self.sums_nm = np.zeros((n, 3))
        self.islands, self.island_slices = np.zeros(n, int), np.zeros(n, int)

    def add(self, z, place, cells, objects):
        """Add slice z at place (z_nm, y_nm (Y,), x_nm (X,)) with its cells and objects, (Y, X)."""
        for ids, before, n in ((cells, 0, self.n_cells), (objects, self.n_cells, len(self.kind))):
            rows = np.bincount((ids + np.arange(len(ids))[:, None] * n).ravel(), minlength=n * len(ids)).reshape(-1, n)
            columns = np.bincount((ids + np.arange(ids.shape[1]) * n).ravel(), minlength=n * ids.shape[1]).reshape(
                -1, n
            )
            count = rows.sum(axis=0)
            own = slice(before, before + n)
            self.voxels[own] += count
            self.sums_nm[own] += np.stack([place[0] * count, place[1] @ rows, place[2] @ columns], axis=1)
            ends = np.unique(np.concatenate([ids[0], ids[-1], ids[:, 0], ids[:, -1]]))
            self.border[before + ends] = True
            if z in (0, self.shape[0] - 1):
                self.border[before + np.unique(ids)] = True
        self._add_islands(cells, objects)

    def _add_islands(self, cells, objects):
        """Count profiles of filopodia that hang together with nothing else of their cell in this slice."""
        is_thread = self.kind[objects] == FILOPODIUM
        for cell in np.unique(cells[is_thread]):
            parts, n = ndimage.label(cells == cell, EIGHT)
            is_island = np.ones(n + 1, bool)
            is_island[parts[~is_thread & (cells == cell)]] = False
            island = is_thread & (cells == cell) & is_island[parts]
            pairs = np.unique(np.stack([objects[island], parts[island]]), axis=1)
            here, counts = np.unique(pairs[0], return_counts=True)
            self.islands[self.n_cells + here.astype(int)] += counts
            self.island_slices[self.n_cells + here.astype(int)] += 1
            n_own = len(np.unique(pairs[1]))
            self.islands[cell] += n_own
            self.island_slices[cell] += n_own > 0

    def _designs(self):
        """(parent, closed, open, length_nm) per object: what was drawn, whether or not it is in view."""
        world, n = self.world, len(self.kind)
        parent, closed, opened, length = np.zeros(n, int), np.zeros(n, int), np.zeros(n, int), np.zeros(n)
        first = 1 + len(world.nuclei)
        for i, nucleolus in enumerate(world.nucleoli, first):
            parent[i], closed[i], opened[i] = nucleolus.nucleus, len(nucleolus.closed), len(nucleolus.open)
        for i, chain in enumerate(world.organelles + world.filopodia, first + len(world.nucleoli)):
            length[i] = np.linalg.norm(np.diff(chain.nodes_nm, axis=0), axis=1).sum()
        return parent, closed, opened, length

    def table(self):
        """Columns of the table, one entry per object in view: cells by number, then objects by id."""
        n = len(self.kind)
        number = np.concatenate([np.arange(self.n_cells), np.arange(n)])
        kind = np.concatenate([np.ones(self.n_cells, int), self.kind])
        cell = np.concatenate([np.arange(self.n_cells), self.home])
        designs = [np.concatenate([np.zeros(self.n_cells, d.dtype), d]) for d in self._designs()]
        seen = (self.voxels > 0) & (number > 0)
        parent = np.where(kind == NUCLEOLUS, designs[0], 0)
        center = self.sums_nm[seen] / self.voxels[seen, None]
        return {
            "id": number[seen],
            "kind": np.array(KINDS)[kind[seen]],
            "cell": cell[seen],
            "nucleus": parent[seen],
            "z_nm": center[:, 0],
            "y_nm": center[:, 1],
            "x_nm": center[:, 2],
            "voxels": self.voxels[seen].astype(int),
            "volume_um3": self.voxels[seen] * np.prod(self.voxel_size_nm) * 1e-9,
            "touches_border": (self.border & seen)[seen].astype(int),
            "closed_holes": designs[1][seen],
            "open_holes": designs[2][seen],
            "length_nm": designs[3][seen],
            "islands": self.islands[seen],
            "island_slices": self.island_slices[seen],
        }
