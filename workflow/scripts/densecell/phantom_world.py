"""The tissue of the phantom: packs cells and fills them with organelles and channels, axes (z, y, x), nm."""

import numpy as np

from densecell.phantom_geometry import (
    ALPHA_GRANULE,
    CANALICULAR,
    DENSE_CORE,
    DENSE_GRANULE,
    MITOCHONDRION,
    Cell,
    Organelle,
    World,
    locate,
    random_field,
)

# Pairs of opposite corners: octants 2i and 2i + 1 together reach both halves along every axis.
OCTANTS = ((0, 0, 0), (1, 1, 1), (0, 1, 1), (1, 0, 0), (1, 0, 1), (0, 1, 0), (1, 1, 0), (0, 0, 1))
PER_UM3 = {DENSE_GRANULE: 0.35, MITOCHONDRION: 0.30, ALPHA_GRANULE: 1.5, CANALICULAR: 1.6}
MARGIN_NM = np.array([300.0, 600.0, 600.0])  # organelles are also placed this far outside the field of view


def _rotation(rng, director, spread):
    """Rotation (3, 3) whose last row is near `director` (z, y, x), the other two at random."""
    short = director + spread * rng.normal(size=3)
    short /= np.linalg.norm(short)
    long = np.cross(short, rng.normal(size=3))
    long /= np.linalg.norm(long)
    return np.stack([long, np.cross(short, long), short])


def _stack_cells(rng, extent_nm, scale):
    """Cells on a jittered, staggered lattice: discs stacked face to face, as in pelleted platelets."""
    tilt, turn = rng.uniform(0.2, 0.6) * rng.choice([-1, 1]), rng.uniform(0, 2 * np.pi)
    director = np.array([np.sin(tilt), np.cos(tilt) * np.cos(turn), np.cos(tilt) * np.sin(turn)])
    frame = _rotation(rng, director, 0.0)
    mean_axes_nm = scale * np.array([1700.0, 1400.0, 610.0])
    pitch_nm = 2 * mean_axes_nm * np.array([0.95, 0.95, 1.0]) * rng.uniform(0.82, 1.02)
    reach = 1.1 * mean_axes_nm[0]
    count = np.ceil((np.linalg.norm(extent_nm) / 2 + reach) / pitch_nm).astype(int)
    cells = []
    for steps in np.ndindex(*(2 * count + 1)):
        site = np.array(steps) - count + rng.uniform(-0.14, 0.14, 3)
        site[:2] += 0.5 * (steps[2] % 2)
        center_nm = extent_nm / 2 + (site * pitch_nm) @ frame
        if (center_nm > -reach).all() and (center_nm < extent_nm + reach).all():
            axes_nm = mean_axes_nm * rng.uniform(0.82, 1.14, 3)
            cells.append(Cell(center_nm, _rotation(rng, frame[2], 0.14), axes_nm, rng.normal(0, 0.35)))
    return cells


def _octant(extent_nm, index, rim=0.2):
    """Low and high corner (3,) of one octant of the field of view, kept `rim` (share of an octant) from its
    faces.
    """
    low = np.array(OCTANTS[index % 8]) * extent_nm / 2
    return low + rim * extent_nm / 2, low + (1 - rim) * extent_nm / 2


def _is_usable(rng, world):
    """Whether a layout looks like packed platelets: 23-35 % gaps, two cells or more, room in opposite corners."""
    border_nm, cell = locate(world, rng.uniform(0, 1, (1000, 3)) * world.extent_nm)
    shares = np.bincount(cell[border_nm < 0], minlength=2) / 1000
    if not 0.23 < np.mean(border_nm > 0) < 0.35 or np.sum(shares > 0.08) < 2:
        return False
    points = [rng.uniform(*_octant(world.extent_nm, i), (100, 3)) for i in range(8)]
    roomy = [np.mean(locate(world, p)[0] < -140) > 0.06 for p in points]
    return any(roomy[i] and roomy[i + 1] for i in range(0, 8, 2))


def _add_fragments(rng, world):
    """Small round or finger-like pieces of cell in the gaps, as in the real images."""
    span_nm = world.extent_nm + 2 * MARGIN_NM
    for _ in range(round(6 * np.prod(span_nm) * 1e-9)):
        axes_nm = np.sort(rng.uniform(50, 110, 3))[::-1] * np.array([rng.choice([1.0, 3.0], p=[0.7, 0.3]), 1, 1])
        center_nm = rng.uniform(0, 1, 3) * span_nm - MARGIN_NM
        rotation = _rotation(rng, rng.normal(size=3), 0.0)
        if locate(world, center_nm[None])[0][0] > axes_nm[0] + 30:
            world.cells.append(Cell(center_nm, rotation, axes_nm, 0.0))


def _is_free(spheres, points_nm, radius_nm, clearance_nm=25.0):
    """(N,) whether spheres around points_nm (N, 3) keep clear of `spheres` (n, 4: center, radius)."""
    if not len(spheres):
        return np.ones(len(points_nm), bool)
    distance = np.linalg.norm(points_nm[:, None] - spheres[None, :, :3], axis=2)
    return (distance > radius_nm + spheres[None, :, 3] + clearance_nm).all(axis=1)


def _settle(rng, world, spheres, low_nm, high_nm, offsets_nm, radii_nm):
    """Place a rigid chain of nodes between two corners: (nodes (n, 3), radii (n,), cell id), or None if
    nothing fits.

    Where it does not fit it is shrunk, to 0.6 at the least.
    """
    for shrink in (1.0, 1.0, 1.0, 0.9, 0.8, 0.7, 0.6):
        turned = shrink * offsets_nm @ _rotation(rng, rng.normal(size=3), 0.0)
        nodes = rng.uniform(low_nm, high_nm, (60, 1, 3)) + turned  # (60, n, 3)
        border_nm, cell = (a.reshape(60, -1) for a in locate(world, nodes.reshape(-1, 3)))
        ok = (border_nm < -(shrink * radii_nm + 30)).all(axis=1) & (cell == cell[:, :1]).all(axis=1)
        for j, radius in enumerate(shrink * radii_nm):
            ok &= _is_free(spheres, nodes[:, j], radius)
        if ok.any():
            best = np.argmax(ok)
            return nodes[best], shrink * radii_nm, int(cell[best, 0])
    return None


def _template(rng, kind, scale):
    """Random chain (offsets (n, 3) nm, radii (n,) nm) of one granule or mitochondrion."""
    if kind == DENSE_GRANULE:
        return np.zeros((1, 3)), scale * rng.uniform(115, 165, 1)
    if kind == ALPHA_GRANULE:
        radius = np.clip(rng.lognormal(np.log(178), 0.25), 100, 270)
        length = radius * rng.uniform(0.1, 0.7)
        return scale * np.array([[0, 0, 0], [length, 0, 0]]), scale * radius * rng.uniform(0.82, 1.05, 2)
    length, bow = rng.uniform(280, 720), rng.uniform(-0.25, 0.25)
    along = np.linspace(-0.5, 0.5, 4)
    offsets = np.stack([along * length, bow * length * (4 * along**2 - 0.5), np.zeros(4)], axis=1)
    return scale * offsets, scale * rng.uniform(95, 135) * rng.uniform(0.88, 1.1, 4)


def _mouth(rng, world, low_nm, high_nm):
    """A node in the gap outside a cell and one inside it: (nodes (2, 3), cell id), or None."""
    inner = rng.uniform(low_nm, high_nm, (200, 3))
    border_nm, cell = locate(world, inner)
    for i in np.flatnonzero((border_nm < -60) & (border_nm > -200)):
        outer = inner[i] + rng.normal(size=(24, 3)) * 150
        outside_nm, nearest = locate(world, outer)
        good = np.flatnonzero((outside_nm > 25) & (outside_nm < 120) & (nearest == cell[i]))
        if len(good):
            return np.stack([outer[good[0]], inner[i]]), int(cell[i])
    return None


def _grow_channel(rng, world, spheres, low_nm, high_nm, scale):
    """A branching tube from a mouth in the cell surface inwards, or None; with some wide vacuoles."""
    mouth = _mouth(rng, world, low_nm, high_nm)
    if mouth is None:
        return None
    nodes, cell = list(mouth[0]), mouth[1]
    base = scale * rng.uniform(38, 62)
    radii, edges, tips = [base, base], [(0, 1)], [1, 1]
    heading = {1: nodes[1] - nodes[0]}
    for _ in range(int(rng.integers(15, 55))):
        if not tips:
            break
        tip = tips[int(rng.integers(len(tips)))]
        radius = base * rng.lognormal(0, 0.25) * (rng.uniform(1.6, 2.4) if rng.random() < 0.13 else 1)
        ahead = heading[tip] / np.linalg.norm(heading[tip]) + 0.75 * rng.normal(size=(8, 3))
        points = nodes[tip] + ahead / np.linalg.norm(ahead, axis=1, keepdims=True) * rng.uniform(90, 170)
        border_nm, nearest = locate(world, points)
        ok = (border_nm < -(radius + 45)) & (nearest == cell) & _is_free(spheres, points, radius)
        if not ok.any():
            tips.remove(tip)
            continue
        point = points[np.argmax(ok)]
        nodes.append(point)
        radii.append(radius)
        edges.append((tip, len(nodes) - 1))
        heading[len(nodes) - 1] = point - nodes[tip]
        if rng.random() > 0.22:
            tips.remove(tip)
        tips.append(len(nodes) - 1)
    return Organelle(CANALICULAR, cell, np.array(nodes), np.array(radii), tuple(edges))


def _targets(rng, extent_nm, per_um3):
    """Corners (low, high) for one kind beyond its first pair: octants of the field of view, then the margin."""
    inside = round(per_um3 * np.prod(extent_nm) * 1e-9)
    corners = [_octant(extent_nm, i, rim=0.0) for i in range(2, inside)]
    outer_nm = extent_nm + 2 * MARGIN_NM
    for _ in range(round(per_um3 * (np.prod(outer_nm) - np.prod(extent_nm)) * 1e-9)):
        point = rng.uniform(0, 1, 3) * outer_nm - MARGIN_NM
        if (point < 0).any() or (point > extent_nm).any():
            corners.append((point - 120, point + 120))
    return corners


def _draw_organelle(rng, world, kind, corners):
    """One organelle (no core) with its middle or mouth between two corners, or None where none fits."""
    size = np.sqrt(world.scale)
    spheres = np.array([(*p, r) for o in world.organelles for p, r in zip(o.nodes_nm, o.radii_nm)]).reshape(-1, 4)
    if kind == CANALICULAR:
        return _grow_channel(rng, world, spheres, *corners, size)
    placed = _settle(rng, world, spheres, *corners, *_template(rng, kind, size))
    if placed is None:
        return None
    nodes, radii, cell = placed
    return Organelle(kind, cell, nodes, radii, tuple((i, i + 1) for i in range(len(nodes) - 1)) or ((0, 0),))


def _add_first_pair(rng, world, kind):
    """Put one organelle in each of two opposite octants, whichever pair has room; False where none has."""
    for i in range(0, 8, 2):
        kept = len(world.organelles)
        for octant in (i, i + 1):
            drawn = _draw_organelle(rng, world, kind, _octant(world.extent_nm, octant))
            if drawn is not None:
                world.organelles.append(drawn)
        if len(world.organelles) == kept + 2:
            return True
        del world.organelles[kept:]
    return False


def _add_cores(rng, world):
    """Give every dense granule its core, a little off center."""
    for host, granule in enumerate(list(world.organelles), 1):
        radius = np.maximum(granule.radii_nm * rng.uniform(0.42, 0.58), 45)
        shift = rng.normal(size=(1, 3)) * 0.12 * granule.radii_nm
        core = Organelle(DENSE_CORE, granule.cell, granule.nodes_nm + shift, radius, ((0, 0),), host)
        world.organelles.append(core)


def _add_organelles(rng, world):
    """Fill the cells, rarest kind first; False where some kind finds no place in two opposite octants."""
    for kind, per_um3 in PER_UM3.items():
        if not _add_first_pair(rng, world, kind):
            return False
        for corners in _targets(rng, world.extent_nm, per_um3 / world.scale**1.5):
            drawn = _draw_organelle(rng, world, kind, corners)
            if drawn is not None:
                world.organelles.append(drawn)
        if kind == DENSE_GRANULE:
            _add_cores(rng, world)
    return True


def build_world(rng, extent_nm):
    """Draw cells and organelles around a field of view of extent_nm (z, y, x), corner at 0."""
    extent_nm = np.asarray(extent_nm, float)
    scale = float(np.clip(extent_nm[1:].min() / 4000, 0.5, 1))
    for _ in range(1000):
        fields = (random_field(rng, wavelength_nm) for wavelength_nm in (900 * scale, 260, 700))
        world = World(extent_nm, scale, _stack_cells(rng, extent_nm, scale), [], *fields)
        if _is_usable(rng, world):
            _add_fragments(rng, world)
            if _add_organelles(rng, world):
                return world
    raise ValueError(f"phantom shape: no cell layout for a field of view of {extent_nm} nm (z, y, x); make it larger")
