"""Geometry of the tumor phantom: touching cells, folded nuclei and pierced nucleoli as surfaces in nm.

Surfaces are zero sets of first-order distances (negative inside), so they can be evaluated at any place.
"""

from dataclasses import dataclass

import numpy as np

from densecell.phantom_geometry import FAR_NM, Field, Organelle

BACKGROUND, CELL, NUCLEUS, NUCLEOLUS, MITOCHONDRION, ENDOSOME, LYSOSOME, FILOPODIUM = range(8)
KINDS = ("background", "cell", "nucleus", "nucleolus", "mitochondrion", "endosome", "lysosome", "filopodium")
CLASSES = KINDS[:FILOPODIUM]  # a filopodium is labelled cell
FOLD_ROUNDING_NM = 14.0  # of the lips of a fold, and of the waists between lobes of a nucleolus
RIM_NM = 45.0  # cytoplasm that is left between a nucleus and the border of its cell


@dataclass(frozen=True)
class Ellipsoid:
    """center_nm (3,); rotation (3, 3), rows are the axes; half_axes_nm (3,). bend (per nm): the first axis is bowed
    towards the third.
    """

    center_nm: np.ndarray
    rotation: np.ndarray
    half_axes_nm: np.ndarray
    bend: float = 0.0

    @property
    def reach_nm(self):
        return 1.05 * float(self.half_axes_nm.max()) + 230.0

    def distance(self, z_nm, y_nm, x_nm):
        """First-order signed distance in nm at positions that broadcast."""
        delta = z_nm - self.center_nm[0], y_nm - self.center_nm[1], x_nm - self.center_nm[2]
        along = [r[0] * delta[0] + r[1] * delta[1] + r[2] * delta[2] for r in self.rotation]
        if self.bend:
            along[2] = along[2] - self.bend * along[0] ** 2
        u, v, w = (a / half for a, half in zip(along, self.half_axes_nm))
        p, q, r = (a / half for a, half in zip((u, v, w), self.half_axes_nm))
        rho = np.sqrt(u * u + v * v + w * w) + 1e-9
        return (rho - 1) * rho / (np.sqrt(p * p + q * q + r * r) + 1e-12)


@dataclass(frozen=True)
class Nucleus:
    """The nucleus of cell `cell`: an ellipsoid with lumps of lump_nm (standard deviation), cut by `folds`, flat
    ellipsoids that begin outside.
    """

    cell: int
    body: Ellipsoid
    lump_nm: float
    folds: tuple[Ellipsoid, ...]

    def distance(self, lumps, z_nm, y_nm, x_nm):
        """Signed distance in nm; lumps: the world's field of lumps at these positions."""
        distance = self.body.distance(z_nm, y_nm, x_nm) + self.lump_nm * lumps
        for fold in self.folds:
            distance = -smooth_minimum(-distance, fold.distance(z_nm, y_nm, x_nm))
        return distance


@dataclass(frozen=True)
class Nucleolus:
    """A nucleolus in nucleus number `nucleus`: lobes (n, 4) spheres (center, radius in nm) with holes: `closed` (m, 4)
    spheres, and `open`, rounded cones (k, 2, 4) from inside to beyond its surface.
    """

    nucleus: int
    lobes: np.ndarray
    closed: np.ndarray
    open: np.ndarray

    @property
    def center_nm(self):
        return self.lobes[:, :3].mean(axis=0)

    @property
    def reach_nm(self):
        return float((np.linalg.norm(self.lobes[:, :3] - self.center_nm, axis=1) + self.lobes[:, 3]).max()) + 90.0

    def solid(self, z_nm, y_nm, x_nm):
        """Signed distance in nm to the nucleolus without its holes and roughness."""
        distance = None
        for lobe in self.lobes:
            sphere = _ball(lobe, z_nm, y_nm, x_nm)
            distance = sphere if distance is None else smooth_minimum(distance, sphere)
        return distance

    def distance(self, rough, z_nm, y_nm, x_nm):
        """Signed distance in nm; rough: displacement of its surface in nm at these positions."""
        distance = self.solid(z_nm, y_nm, x_nm) + rough
        for hole in self.closed:
            distance = np.maximum(distance, -_ball(hole, z_nm, y_nm, x_nm))
        for hole in self.open:
            distance = np.maximum(distance, -_cone(hole, z_nm, y_nm, x_nm))
        return distance


@dataclass(frozen=True)
class World:
    """Everything there is, in nm. Numbers are list positions + 1; the n-th nucleus need not be that of the n-th cell.

    swell and rough move the surfaces of cells, warp (three fields) bends them, gap parts cells, lumps moves nuclei;
    miniature: how many times smaller than life cells are; gap_nm: (mean, standard deviation) of half the gap between
    two cells, none where negative.
    """

    extent_nm: np.ndarray
    miniature: float
    gap_nm: tuple[float, float]
    cells: list[Ellipsoid]
    nuclei: list[Nucleus]
    nucleoli: list[Nucleolus]
    organelles: list[Organelle]  # mitochondria, endosomes, lysosomes
    filopodia: list[Organelle]
    swell: Field
    rough: Field
    gap: Field
    lumps: Field
    warp: tuple[Field, Field, Field]


def smooth_minimum(a, b, rounding_nm=FOLD_ROUNDING_NM):
    """Union of two distances with a rounded seam; never above the smaller one."""
    h = np.clip(rounding_nm - np.abs(a - b), 0, None)
    return np.minimum(a, b) - h * h / (4 * rounding_nm)


def _ball(sphere, z_nm, y_nm, x_nm):
    return np.sqrt((z_nm - sphere[0]) ** 2 + (y_nm - sphere[1]) ** 2 + (x_nm - sphere[2]) ** 2) - sphere[3]


def _cone(ends, z_nm, y_nm, x_nm):
    """Signed distance in nm to a rounded cone between two spheres, ends (2, 4)."""
    a, axis = ends[0, :3], ends[1, :3] - ends[0, :3]
    dz, dy, dx = z_nm - a[0], y_nm - a[1], x_nm - a[2]
    t = np.clip((dz * axis[0] + dy * axis[1] + dx * axis[2]) / (axis @ axis), 0, 1)
    away = np.sqrt((dz - t * axis[0]) ** 2 + (dy - t * axis[1]) ** 2 + (dx - t * axis[2]) ** 2)
    return away - (ends[0, 3] + t * (ends[1, 3] - ends[0, 3]))


def enter(nearest, where, distance, number):
    """Enter distances of object `number` into nearest = [first, second, number] at `where`."""
    first, second, numbers = (a[where] for a in nearest)
    closer = distance < first
    second[...] = np.where(closer, first, np.minimum(second, distance))
    first[...] = np.where(closer, distance, first)
    numbers[...] = np.where(closer, number, numbers)
    for array, values in zip(nearest, (first, second, numbers)):
        array[where] = values


def borders(world, nearest, swell, rough, gap):
    """(border, contact) in nm: the cell's own surface or the middle to the next cell less half a gap; that middle."""
    first, second, _ = nearest
    size = 1 / world.miniature
    own = first + 420 * size * swell + 6 * rough
    contact = (first - second) / 2
    return np.maximum(own, contact + np.clip(world.gap_nm[1] * gap + world.gap_nm[0], 0, 40)), contact


def warp_nm(world):
    """Standard deviation in nm of the displacement that bends the surfaces of cells."""
    return 150 / world.miniature


def roughness(world, rough):
    """Displacement in nm of the surfaces of nucleoli by the field `rough`."""
    return 40 / world.miniature * rough


def nothing_near(shape):
    """[first, second, number] before any object is entered: two nearest distances in nm and the number of the nearest."""
    return [np.full(shape, FAR_NM), np.full(shape, FAR_NM), np.zeros(shape, np.uint32)]


def locate(world, points_nm):
    """(border, cell, nucleus): signed distance (N,) nm to the border of the nearest cell, its number, and signed
    distance to the nearest nucleus, at points_nm (N, 3).
    """
    nearest, inner = nothing_near(len(points_nm)), nothing_near(len(points_nm))
    lumps = world.lumps.at(points_nm)
    warped = points_nm.T + warp_nm(world) * np.array([f.at(points_nm) for f in world.warp])
    for number, body in enumerate(world.cells, 1):
        near = _near(points_nm, body)
        enter(nearest, near, body.distance(*warped[:, near]), number)
    for number, nucleus in enumerate(world.nuclei, 1):
        near = _near(points_nm, nucleus.body)
        enter(inner, near, nucleus.distance(lumps[near], *points_nm[near].T), number)
    border, _ = borders(world, nearest, *(f.at(points_nm) for f in (world.swell, world.rough, world.gap)))
    return border, nearest[2], np.maximum(inner[0], border + RIM_NM)


def _near(points_nm, body):
    return np.flatnonzero(np.abs(points_nm - body.center_nm).max(axis=1) < body.reach_nm)
