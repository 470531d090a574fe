"""Geometry of the phantom: bent, competing cells and their organelles as surfaces in nm, and sections of them."""

from dataclasses import dataclass

import numpy as np

BACKGROUND, CELL, MITOCHONDRION, ALPHA_GRANULE, CANALICULAR, DENSE_GRANULE, DENSE_CORE = range(7)
FAR_NM = 1e4  # a distance no structure reaches


@dataclass(frozen=True)
class Field:
    """Smooth random field of unit variance as a sum of plane waves, so that it has a value at any position.

    wave: (n, 3) wave vectors (z, y, x) in radians per nm; phase: (n,) radians.
    """

    wave: np.ndarray
    phase: np.ndarray

    def on_slice(self, z_nm, y_nm, x_nm):
        """Values (Y, X) on the grid of y_nm (Y,) and x_nm (X,) at one z_nm."""
        rows = np.outer(y_nm, self.wave[:, 1]) + self.wave[:, 0] * z_nm + self.phase  # (Y, n)
        columns = np.outer(self.wave[:, 2], x_nm)  # (n, X)
        waves = np.cos(rows) @ np.cos(columns) - np.sin(rows) @ np.sin(columns)
        return waves * np.sqrt(2 / len(self.phase))

    def at(self, points_nm):
        """Values (N,) at points_nm (N, 3)."""
        return np.cos(points_nm @ self.wave.T + self.phase).sum(axis=1) * np.sqrt(2 / len(self.phase))


def random_field(rng, wavelength_nm, n_waves=160):
    """Draw a Field with wavelengths spread (log-normally, 25 %) around wavelength_nm, the same in all
    directions.
    """
    direction = rng.normal(size=(n_waves, 3))
    direction /= np.linalg.norm(direction, axis=1, keepdims=True)
    wavelength = wavelength_nm * rng.lognormal(0, 0.25, size=(n_waves, 1))
    return Field(2 * np.pi * direction / wavelength, rng.uniform(0, 2 * np.pi, n_waves))


@dataclass(frozen=True)
class Section:
    """Geometry of one section, all (Y, X): signed distances in nm (negative inside), slopes = |z part| of the
    surface normal in 0..1, and the id of the nearest cell, organelle (not a core) and dense core (0 = none
    near).
    """

    cell_nm: np.ndarray
    cell_slope: np.ndarray
    cell: np.ndarray
    organelle_nm: np.ndarray
    organelle_slope: np.ndarray
    organelle: np.ndarray
    core_nm: np.ndarray
    core_slope: np.ndarray
    core: np.ndarray


@dataclass(frozen=True)
class Cell:
    """A bent disc: center_nm (3,), rotation (3, 3) rows = long, middle, short axis; half axes in nm; bend
    (unitless).
    """

    center_nm: np.ndarray
    rotation: np.ndarray
    half_axes_nm: np.ndarray
    bend: float

    @property
    def reach_nm(self):
        return 1.1 * self.half_axes_nm[0] + 150


@dataclass(frozen=True)
class Organelle:
    """Rounded cones between nodes: nodes_nm (n, 3), radii_nm (n,), edges pairs of nodes; cell and host are
    ids.
    """

    kind: int
    cell: int
    nodes_nm: np.ndarray
    radii_nm: np.ndarray
    edges: tuple[tuple[int, int], ...]
    host: int = 0


@dataclass(frozen=True)
class World:
    """Everything there is, in nm; ids are list positions + 1. `swell`, `rough` and `gap` shape the cell
    borders.
    """

    extent_nm: np.ndarray
    scale: float
    cells: list[Cell]
    organelles: list[Organelle]
    swell: Field
    rough: Field
    gap: Field


def _cell_distance(cell, z_nm, y_nm, x_nm):
    """Signed distance in nm (first order, negative inside) and slope to one cell; coordinates broadcast."""
    delta = z_nm - cell.center_nm[0], y_nm - cell.center_nm[1], x_nm - cell.center_nm[2]
    u, v, w = (sum(r * d for r, d in zip(row, delta)) / a for row, a in zip(cell.rotation, cell.half_axes_nm))
    w = w - cell.bend * (u * u - 0.3)
    disc, height = u * u + v * v, w * w
    q = disc * disc + height * height + 1.2 * disc * height + 1e-12  # between an ellipsoid and a flat disc
    rho = np.sqrt(np.sqrt(q))
    flat, steep = 4 * disc + 2.4 * height, 4 * height + 2.4 * disc
    slopes = [g / a for g, a in zip((flat * u, flat * v, steep * w), cell.half_axes_nm)]
    norm = np.sqrt(slopes[0] ** 2 + slopes[1] ** 2 + slopes[2] ** 2) + 1e-12
    along_z = sum(r * s for r, s in zip(cell.rotation[:, 0], slopes))
    return (rho - 1) * 4 * rho**3 / norm, np.abs(along_z) / norm


def window_of(center, reach, y_nm, x_nm):
    """Slices of the grid (y_nm (Y,), x_nm (X,)) within reach of center (y, x)."""
    low = np.searchsorted(y_nm, center[0] - reach), np.searchsorted(x_nm, center[1] - reach)
    high = np.searchsorted(y_nm, center[0] + reach), np.searchsorted(x_nm, center[1] + reach)
    return slice(low[0], high[0]), slice(low[1], high[1])


def _compete(nearest, window, distance, slope, number):
    """Enter one cell's distances into nearest = [first, second, slope, id] arrays."""
    first, second, slopes, ids = (a[window] for a in nearest)
    closer = distance < first
    np.copyto(second, np.where(closer, first, np.minimum(second, distance)))
    np.copyto(first, distance, where=closer)
    np.copyto(slopes, slope, where=closer)
    np.copyto(ids, number, where=closer)


def _border(nearest, swell, rough, gap):
    """Signed distance to the border of the nearest cell: its own surface, or half way to the next cell plus a
    gap.
    """
    first, second = nearest[0], nearest[1]
    own = first + 45 * swell + 15 * rough
    return np.maximum(own, (first - second) / 2 + np.clip(24 * gap + 4, 0, 45))


def locate(world, points_nm):
    """Border distance (N,) and nearest cell id (N,) at points_nm (N, 3); the surfaces of a section."""
    n = len(points_nm)
    nearest = [np.full(n, FAR_NM), np.full(n, FAR_NM), np.zeros(n), np.zeros(n, int)]
    for number, cell in enumerate(world.cells, 1):
        near = np.flatnonzero(np.abs(points_nm - cell.center_nm).max(axis=1) < cell.reach_nm)
        if len(near):
            entry = [a[near] for a in nearest]
            _compete(entry, slice(None), *_cell_distance(cell, *points_nm[near].T), number)
            for a, values in zip(nearest, entry):
                a[near] = values
    return _border(nearest, *(f.at(points_nm) for f in (world.swell, world.rough, world.gap))), nearest[3]


def _cut_cells(world, z_nm, y_nm, x_nm):
    """Border distance, slope and nearest cell id (Y, X) on one section."""
    shape = len(y_nm), len(x_nm)
    nearest = [np.full(shape, FAR_NM), np.full(shape, FAR_NM), np.zeros(shape), np.zeros(shape, np.uint32)]
    for number, cell in enumerate(world.cells, 1):
        if abs(z_nm - cell.center_nm[0]) < cell.reach_nm:
            window = window_of(cell.center_nm[1:], cell.reach_nm, y_nm, x_nm)
            grid = y_nm[window[0], None], x_nm[None, window[1]]
            _compete(nearest, window, *_cell_distance(cell, z_nm, *grid), number)
    border = _border(nearest, *(f.on_slice(z_nm, y_nm, x_nm) for f in (world.swell, world.rough, world.gap)))
    return border, nearest[2], nearest[3]


def cut_chain(organelle, number, nearest, z_nm, y_nm, x_nm):
    """Enter the rounded cones of one organelle into nearest = [distance, slope, id] (Y, X)."""
    for i, j in organelle.edges:
        a, b, ra, rb = (
            organelle.nodes_nm[i],
            organelle.nodes_nm[j],
            organelle.radii_nm[i],
            organelle.radii_nm[j],
        )
        middle, axis = (a + b) / 2, b - a
        reach = max(ra, rb) + np.linalg.norm(axis) / 2 + 60
        if abs(z_nm - middle[0]) >= reach:
            continue
        window = window_of(middle[1:], reach, y_nm, x_nm)
        dz, dy, dx = z_nm - a[0], y_nm[window[0], None] - a[1], x_nm[None, window[1]] - a[2]
        t = np.clip((dz * axis[0] + dy * axis[1] + dx * axis[2]) / max(axis @ axis, 1e-9), 0, 1)
        dz, dy, dx = dz - t * axis[0], dy - t * axis[1], dx - t * axis[2]
        length = np.sqrt(dz * dz + dy * dy + dx * dx) + 1e-9
        distance = length - (ra + t * (rb - ra))
        closer = distance < nearest[0][window]
        for array, value in zip(nearest, (distance, np.abs(dz) / length, number)):
            np.copyto(array[window], value, where=closer)


def cut_section(world, z_nm, y_nm, x_nm):
    """Section of the world at z_nm on the grid y_nm (Y,), x_nm (X,): distances, slopes and nearest ids."""
    shape = len(y_nm), len(x_nm)
    groups = [[np.full(shape, FAR_NM), np.zeros(shape), np.zeros(shape, np.uint32)] for _ in range(2)]
    for number, organelle in enumerate(world.organelles, 1):
        cut_chain(organelle, number, groups[organelle.kind == DENSE_CORE], z_nm, y_nm, x_nm)
    groups[0][0] += 9 * world.rough.on_slice(z_nm, y_nm, x_nm)  # granules are not perfectly round
    return Section(*_cut_cells(world, z_nm, y_nm, x_nm), *groups[0], *groups[1])


def label_section(world, section):
    """Semantic labels uint8, cell ids uint32 and organelle ids uint32, all (Y, X). An organelle never leaves
    its cell.
    """
    kind = np.array([0] + [o.kind for o in world.organelles], np.uint8)
    home = np.array([0] + [o.cell for o in world.organelles], np.uint32)
    host = np.array([0] + [o.host for o in world.organelles], np.uint32)
    in_cell = section.cell_nm < 0
    in_organelle = in_cell & (section.organelle_nm < 0) & (home[section.organelle] == section.cell)
    in_core = in_organelle & (section.core_nm < 0) & (host[section.core] == section.organelle)
    organelle = np.where(in_core, section.core, np.where(in_organelle, section.organelle, 0)).astype(np.uint32)
    labels = np.where(organelle > 0, kind[organelle], np.where(in_cell, CELL, BACKGROUND)).astype(np.uint8)
    return labels, np.where(in_cell, section.cell, 0).astype(np.uint32), organelle
