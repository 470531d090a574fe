"""The tissue of the tumor phantom: packs cells, places organelles and grows filopodia.

Cells, nuclei and nucleoli are `miniature` times smaller than life, organelles and filopodia by its square root only, so
that they stay several pixels wide. Axes (z, y, x), nm.
"""

import numpy as np

from densecell.phantom_geometry import Organelle, random_field
from densecell.tumor_phantom_geometry import (
    ENDOSOME,
    FILOPODIUM,
    LYSOSOME,
    MITOCHONDRION,
    Ellipsoid,
    World,
    locate,
)
from densecell.tumor_phantom_nuclei import add_nucleoli, draw_nuclei, has_nucleoli, random_rotation

CELL_NM = 11000.0  # diameter of a tumor cell in life, of 8 to 15 um
PER_UM3 = {MITOCHONDRION: 9.0, ENDOSOME: 7.0, LYSOSOME: 5.0}  # of the world
MARGIN_NM = 400.0  # organelles are also placed this far outside the field of view
MOST_LAYOUTS = 400  # that are drawn until one is like a tumor
NUCLEAR_SHARE, STROMA_SHARE = (0.17, 0.34), (0.05, 0.2)  # of the field of view


def _pack_cells(rng, extent_nm, diameter_nm):
    """Ellipsoids on a jittered, staggered lattice a little denser than their size, so that neighbors compete."""
    frame, pitch = random_rotation(rng), diameter_nm * np.array([0.86, 0.8, 0.78])
    reach = diameter_nm * 0.75
    count = np.ceil((np.linalg.norm(extent_nm) / 2 + reach) / pitch).astype(int)
    origin, cells = rng.uniform(-0.5, 0.5, 3), []
    for steps in np.ndindex(*(2 * count + 1)):
        site = np.array(steps) - count + origin + rng.uniform(-0.16, 0.16, 3)
        site[:2] += 0.5 * (steps[2] % 2)
        center_nm = extent_nm / 2 + (site * pitch) @ frame
        axes_nm = diameter_nm / 2 * rng.uniform(0.86, 1.16, 3)
        rotation, is_there = random_rotation(rng), rng.random() > 0.04
        if is_there and (center_nm > -reach).all() and (center_nm < extent_nm + reach).all():
            cells.append(Ellipsoid(center_nm, rotation, axes_nm))
    return cells


def _chain(rng, kind, miniature):
    """Random chain (offsets (n, 3) nm, radii (n,) nm) of one organelle, in life over the root of miniature."""
    size = 1 / np.sqrt(miniature)
    if kind == MITOCHONDRION:
        length, bow, along = rng.uniform(500, 1700), rng.uniform(-0.3, 0.3), np.linspace(-0.5, 0.5, 5)
        offsets = np.stack([along * length, bow * length * (4 * along**2 - 0.5), np.zeros(5)], axis=1)
        return size * offsets, size * rng.uniform(150, 230) * rng.uniform(0.88, 1.1, 5)
    radius = rng.uniform(130, 330) if kind == ENDOSOME else rng.uniform(110, 260)
    length = radius * rng.uniform(0.1, 0.9)
    return size * np.array([[0, 0, 0], [length, 0, 0]]), size * radius * rng.uniform(0.8, 1.1, 2)


def _is_free(spheres, points_nm, radius_nm, clearance_nm):
    """(N,) whether spheres around points_nm (N, 3) keep clear of `spheres` (n, 4: center, radius)."""
    distance = np.linalg.norm(points_nm[:, None] - spheres[None, :, :3], axis=2)
    return (distance > radius_nm + spheres[None, :, 3] + clearance_nm).all(axis=1)


def _spheres(chains):
    return np.array([(*p, r) for o in chains for p, r in zip(o.nodes_nm, o.radii_nm)]).reshape(-1, 4)


def _edges(n_nodes):
    return tuple((i, i + 1) for i in range(n_nodes - 1))


def _add_organelles(rng, world):
    """Fill the cytoplasm, one kind after the other; one that finds no place in 40 tries is left out."""
    low, high = np.full(3, -MARGIN_NM), world.extent_nm + MARGIN_NM
    for kind, per_um3 in PER_UM3.items():
        for _ in range(round(per_um3 * np.prod(high - low) * 1e-9)):
            offsets, radii = _chain(rng, kind, world.miniature)
            nodes = rng.uniform(low, high, (40, 1, 3)) + offsets @ random_rotation(rng)  # (40, n, 3)
            border, cell, inner = (a.reshape(40, -1) for a in locate(world, nodes.reshape(-1, 3)))
            ok = (
                (border < -(radii + 14)).all(axis=1)
                & (inner > radii + 14).all(axis=1)
                & (cell == cell[:, :1]).all(axis=1)
            )
            spheres = _spheres(world.organelles)
            for j, radius in enumerate(radii):
                ok &= _is_free(spheres, nodes[:, j], radius, 8.0)
            if ok.any():
                best = np.argmax(ok)
                world.organelles.append(Organelle(kind, int(cell[best, 0]), nodes[best], radii, _edges(len(radii))))


def _grow_filopodium(rng, world, spheres):
    """A thin tube from a cell out into the stroma, or None where it finds no way of at least five steps."""
    size = 1 / np.sqrt(world.miniature)
    inner = rng.uniform(0, 1, (150, 3)) * world.extent_nm
    border, cell, _ = locate(world, inner)
    for i in np.flatnonzero((border < -10) & (border > -60)):
        outer = inner[i] + rng.normal(size=(16, 3)) * 70
        outside, nearest, _ = locate(world, outer)
        good = np.flatnonzero((outside > 15) & (nearest == cell[i]))
        if not len(good):
            continue
        base = size * rng.uniform(55, 110)
        nodes, wander = [inner[i], outer[good[0]]], rng.uniform(0.25, 0.7)
        for _ in range(int(rng.integers(6, 26))):
            heading = nodes[-1] - nodes[-2]
            ahead = heading / np.linalg.norm(heading) + wander * rng.normal(size=(16, 3))
            points = nodes[-1] + ahead / np.linalg.norm(ahead, axis=1, keepdims=True) * rng.uniform(50, 80)
            clear = (locate(world, points)[0] > base + 4) & _is_free(spheres, points, base, 8.0)
            if not clear.any():
                break
            nodes.append(points[np.argmax(clear)])
        if len(nodes) >= 6:
            radii = base * np.linspace(1.2, 0.75, len(nodes)) * rng.uniform(0.9, 1.1, len(nodes))
            return Organelle(FILOPODIUM, int(cell[i]), np.array(nodes), radii, _edges(len(nodes)))
    return None


def _add_filopodia(rng, world, wanted):
    """Grow this many filopodia; False where the stroma has no room for them."""
    for _ in range(12 * wanted):
        if len(world.filopodia) == wanted:
            break
        grown = _grow_filopodium(rng, world, _spheres(world.filopodia))
        if grown is not None:
            world.filopodia.append(grown)
    return len(world.filopodia) == wanted


def _is_usable(rng, world):
    """Whether a layout looks like a tumor: the shares of nuclei and stroma, both in each half along y and x."""
    points = rng.uniform(0, 1, (4000, 3)) * world.extent_nm
    border, _, inner = locate(world, points)
    nuclear, stroma = inner < 0, border > 0
    for values, (low, high) in ((nuclear, NUCLEAR_SHARE), (stroma, STROMA_SHARE)):
        if not low < values.mean() < high:
            return False
    halves = [points[:, axis] > world.extent_nm[axis] / 2 for axis in (1, 2)]
    return all(nuclear[half == side].mean() > 0.5 * NUCLEAR_SHARE[0] for half in halves for side in (False, True))


def build_world(rng, extent_nm, miniature, tissue):
    """Draw a World around a field of view of extent_nm (z, y, x), corner at 0. ValueError where none is found."""
    extent_nm = np.asarray(extent_nm, float)
    for _ in range(MOST_LAYOUTS):
        fields = [random_field(rng, length / miniature, 120) for length in (5200, 800, 1500, 3600)]
        warp = tuple(random_field(rng, 2400 / miniature, 120) for _ in range(3))
        cells = _pack_cells(rng, extent_nm, CELL_NM / miniature)
        nuclei = draw_nuclei(rng, cells, tissue, miniature)
        world = World(extent_nm, miniature, tissue.gap_nm, cells, nuclei, [], [], [], *fields, warp)
        if not _is_usable(rng, world):
            continue
        add_nucleoli(rng, world, tissue)
        if has_nucleoli(rng, world) and _add_filopodia(rng, world, tissue.filopodia):
            _add_organelles(rng, world)
            return world
    raise ValueError(
        f"phantom shape: no layout of cells for a field of view of {extent_nm} nm (z, y, x) at miniature {miniature}; "
        "make it larger, or the cells smaller (miniature)"
    )
