"""Nuclei of the tumor phantom, their folds, and nucleoli with their holes. Axes (z, y, x), nm."""

from dataclasses import dataclass

import numpy as np

from densecell.tumor_phantom_geometry import RIM_NM, Ellipsoid, Nucleolus, Nucleus, locate

HOLE_WALL_NM = 16.0  # between a closed hole and the surface, or another hole


@dataclass(frozen=True)
class Tissue:
    """What tells two tumors apart: irregular, share of nuclei with deep folds and large lumps; nucleoli, how many a
    nucleus has at most; closed and open, how many holes a nucleolus has at most; gap_nm, (mean, standard deviation) of
    half the gap between cells; filopodia, how many in the field of view.
    """

    irregular: float = 0.3
    nucleoli: int = 3
    closed: int = 4
    open: int = 1
    gap_nm: tuple[float, float] = (1.0, 8.0)
    filopodia: int = 14


def random_rotation(rng):
    """Rotation (3, 3), all equally likely."""
    first = rng.normal(size=3)
    first /= np.linalg.norm(first)
    second = np.cross(first, rng.normal(size=3))
    second /= np.linalg.norm(second)
    return np.stack([first, second, np.cross(first, second)])


def _folds(rng, body, n_folds, miniature):
    """Flat, bowed ellipsoids centered near the surface of a nucleus, pointing inwards."""
    folds = []
    for _ in range(n_folds):
        outward = rng.normal(size=3)
        outward /= np.linalg.norm(outward)
        radius = 1 / np.linalg.norm(
            (body.rotation @ outward) / body.half_axes_nm
        )  # of the ellipsoid, in this direction
        side = np.cross(outward, rng.normal(size=3))
        side /= np.linalg.norm(side)
        axes_nm = radius * np.array([rng.uniform(0.4, 0.85), rng.uniform(0.35, 0.8), 0])
        axes_nm[2] = rng.uniform(110, 240) / miniature
        rotation = np.stack([-outward, side, np.cross(-outward, side)])
        bend = rng.uniform(-0.5, 0.5) / radius
        folds.append(Ellipsoid(body.center_nm + 1.02 * radius * outward, rotation, axes_nm, bend))
    return tuple(folds)


def draw_nuclei(rng, cells, tissue, miniature):
    """One nucleus in each cell, a little off center; some with deep folds and large lumps."""
    nuclei = []
    for number, cell in enumerate(cells, 1):
        axes_nm = cell.half_axes_nm * rng.uniform(0.66, 0.76) * rng.uniform(0.92, 1.06, 3)
        center_nm = cell.center_nm + rng.normal(0, 0.06, 3) * cell.half_axes_nm
        body = Ellipsoid(center_nm, cell.rotation, axes_nm)
        if rng.random() < tissue.irregular:
            lump_nm, n_folds = rng.uniform(230, 340) / miniature, int(rng.integers(2, 5))
        else:
            lump_nm, n_folds = rng.uniform(60, 150) / miniature, int(rng.integers(0, 3))
        nuclei.append(Nucleus(number, body, lump_nm, _folds(rng, body, n_folds, miniature)))
    return nuclei


def _lobes(rng, miniature):
    """Spheres (n, 4) around 0 that make up a nucleolus."""
    radius = rng.uniform(800, 1250) / miniature
    lobes = [(0, 0, 0, radius)]
    for _ in range(int(rng.integers(0, 3))):
        step = rng.normal(size=3)
        step *= radius * rng.uniform(0.6, 0.9) / np.linalg.norm(step)
        lobes.append((*step, radius * rng.uniform(0.5, 0.8)))
    return np.array(lobes)


def _holes(rng, nucleolus, tissue, miniature):
    """(closed (m, 4), open (k, 2, 4)): holes that keep a wall to the surface and to each other, and holes that don't."""
    middle, reach = nucleolus.center_nm, nucleolus.lobes[:, 3].max()
    closed, opened = [], []

    def is_apart(points, radius):
        spheres = np.array(closed + [s for pair in opened for s in pair]).reshape(-1, 4)
        distance = np.linalg.norm(points[:, None] - spheres[None, :, :3], axis=2) - spheres[None, :, 3]
        return (distance > radius + HOLE_WALL_NM).all()

    for _ in range(int(rng.integers(0, tissue.open + 1))):
        radius, outward = rng.uniform(120, 240) / miniature, rng.normal(size=3)
        outward /= np.linalg.norm(outward)
        inner = middle + outward * reach * rng.uniform(0.05, 0.35)
        line = inner + outward * np.linspace(0, 4 * reach, 200)[:, None]
        depth = nucleolus.solid(*line.T)
        if depth[0] < -radius and is_apart(line[:60], radius):
            outer = line[np.argmax(depth > 30)]
            opened.append(((*inner, radius * rng.uniform(0.9, 1.6)), (*outer, radius)))
    wanted, tries = int(rng.integers(1, tissue.closed + 1)), 0
    while len(closed) < wanted and tries < 200:
        tries += 1
        radius = rng.uniform(120, 290) / miniature
        point = middle + rng.uniform(-1, 1, 3) * reach
        is_inside = nucleolus.solid(*point) < -radius - HOLE_WALL_NM - 12
        if is_inside and is_apart(point[None], radius) and _is_apart_of_cones(point, radius, opened):
            closed.append((*point, radius))
    return np.array(closed).reshape(-1, 4), np.array(opened).reshape(-1, 2, 4)


def _is_apart_of_cones(point, radius, cones):
    """Whether a sphere keeps a wall to the middle lines of rounded cones."""
    for a, b in cones:
        steps = np.linspace(a, b, 40)
        away = np.linalg.norm(steps[:, :3] - point, axis=1) - steps[:, 3]
        if away.min() < radius + HOLE_WALL_NM:
            return False
    return True


def _is_in_view(world, body):
    """Whether an ellipsoid can reach into the field of view."""
    reach = body.half_axes_nm.max()
    return bool((body.center_nm > -reach).all() and (body.center_nm < world.extent_nm + reach).all())


def _place_lobes(rng, world, nucleus, placed):
    """Lobes (n, 4) of a nucleolus at the first of 60 places that keeps clear of all surfaces, or None."""
    shape, spread = _lobes(rng, world.miniature), 0.7 * nucleus.body.half_axes_nm.min()
    points = nucleus.body.center_nm + rng.uniform(-spread, spread, (60, 3))
    lobes = shape + np.pad(points, ((0, 0), (0, 1)))[:, None]  # (60, n, 4)
    centers = lobes[..., :3].reshape(-1, 3)
    border, _, _ = locate(world, centers)
    surface = np.maximum(nucleus.distance(world.lumps.at(centers), *centers.T), border + RIM_NM)
    clear = surface.reshape(lobes.shape[:2]) < -lobes[..., 3] - 18
    for other in placed:
        apart = np.linalg.norm(lobes[:, :, None, :3] - other[:, :3], axis=3)
        clear &= (apart > lobes[:, :, None, 3] + other[:, 3] + 60).all(axis=2)
    fits = np.flatnonzero(clear.all(axis=1))
    return lobes[fits[0]] if len(fits) else None


def add_nucleoli(rng, world, tissue):
    """One to a few nucleoli in each nucleus that may be seen."""
    for number, nucleus in enumerate(world.nuclei, 1):
        placed = []
        wanted = int(rng.integers(1, tissue.nucleoli + 1)) if _is_in_view(world, nucleus.body) else 0
        for _ in range(wanted):
            lobes = _place_lobes(rng, world, nucleus, placed)
            if lobes is not None:
                placed.append(lobes)
                solid = Nucleolus(number, lobes, np.zeros((0, 4)), np.zeros((0, 2, 4)))
                closed, opened = _holes(rng, solid, tissue, world.miniature)
                world.nucleoli.append(Nucleolus(number, lobes, closed, opened))


def has_nucleoli(rng, world):
    """Whether nucleoli, four at least, fill 0.6 to 4 % of the field of view, and a little of each third of its depth."""
    points = rng.uniform(0, 1, (9000, 3)) * world.extent_nm
    inside, n_seen = np.zeros(len(points), bool), 0
    for nucleolus in world.nucleoli:
        near = np.flatnonzero(np.linalg.norm(points - nucleolus.center_nm, axis=1) < nucleolus.reach_nm)
        hit = nucleolus.solid(*points[near].T) < 0
        inside[near] |= hit
        n_seen += hit.sum() > 4
    third = np.minimum(3 * points[:, 0] / world.extent_nm[0], 2).astype(int)
    return n_seen >= 4 and 0.006 < inside.mean() < 0.04 and all(inside[third == i].mean() > 0.004 for i in range(3))
