"""Sections of the tumor phantom: distances to all surfaces, and the true labels that follow from them."""

from dataclasses import dataclass

import numpy as np

from densecell.phantom_geometry import FAR_NM, cut_chain, window_of
from densecell.tumor_phantom_geometry import (
    BACKGROUND,
    CELL,
    FILOPODIUM,
    NUCLEOLUS,
    NUCLEUS,
    RIM_NM,
    borders,
    enter,
    nothing_near,
    roughness,
    warp_nm,
)


@dataclass(frozen=True)
class Section:
    """Geometry of one section, all (Y, X): signed distances in nm, numbers of what is nearest (0 = nothing near), and
    `contact_nm`, how far the middle between the two nearest cells is.
    """

    cell_nm: np.ndarray
    cell: np.ndarray
    contact_nm: np.ndarray
    nucleus_nm: np.ndarray
    nucleus: np.ndarray
    nucleolus_nm: np.ndarray
    nucleolus: np.ndarray
    organelle_nm: np.ndarray
    organelle: np.ndarray
    filopodium_nm: np.ndarray
    filopodium: np.ndarray


def _cut(objects, distance_of, center_of, shape, z_nm, y_nm, x_nm):
    """[first, second, number] (Y, X) of objects with a reach: distance_of(object, window, z, y, x)."""
    nearest = nothing_near(shape)
    for number, item in enumerate(objects, 1):
        body = center_of(item)
        if abs(z_nm - body.center_nm[0]) < body.reach_nm:
            where = window_of(body.center_nm[1:], body.reach_nm, y_nm, x_nm)
            if 0 not in nearest[0][where].shape:
                distance = distance_of(item, where, z_nm, y_nm[where[0], None], x_nm[None, where[1]])
                enter(nearest, where, distance, number)
    return nearest


def _cut_chains(chains, shape, z_nm, y_nm, x_nm):
    nearest = [np.full(shape, FAR_NM), np.zeros(shape), np.zeros(shape, np.uint32)]
    for number, chain in enumerate(chains, 1):
        cut_chain(chain, number, nearest, z_nm, y_nm, x_nm)
    return nearest[0], nearest[2]


def cut_section(world, z_nm, y_nm, x_nm):
    """Section of the world at z_nm on the grid y_nm (Y,), x_nm (X,): distances and nearest numbers."""
    shape, place = (len(y_nm), len(x_nm)), (z_nm, y_nm, x_nm)
    rough, lumps = world.rough.on_slice(*place), world.lumps.on_slice(*place)
    swell, gap = world.swell.on_slice(*place), world.gap.on_slice(*place)
    grid = (z_nm, y_nm[:, None], x_nm[None])
    warped = [at + warp_nm(world) * f.on_slice(*place) for at, f in zip(grid, world.warp)]  # 3 x (Y, X)
    cells = _cut(world.cells, lambda c, at, *_: c.distance(*(w[at] for w in warped)), lambda c: c, shape, *place)
    border, contact = borders(world, cells, swell, rough, gap)
    nuclei = _cut(world.nuclei, lambda n, at, *p: n.distance(lumps[at], *p), lambda n: n.body, shape, *place)
    moved = roughness(world, rough)
    nucleoli = _cut(world.nucleoli, lambda n, at, *p: n.distance(moved[at], *p), lambda n: n, shape, *place)
    organelle_nm, organelle = _cut_chains(world.organelles, shape, *place)
    filopodium_nm, filopodium = _cut_chains(world.filopodia, shape, *place)
    return Section(
        border,
        cells[2],
        contact,
        np.maximum(nuclei[0], border + RIM_NM),
        nuclei[2],
        nucleoli[0],
        nucleoli[2],
        organelle_nm + 4 * rough,
        organelle,
        filopodium_nm + 2 * rough,
        filopodium,
    )


def object_table(world):
    """(kind, cell) of every object beside the cells, arrays by object id, entry 0 = none: nuclei first, then nucleoli,
    organelles and filopodia.
    """
    nuclei = [(NUCLEUS, n.cell) for n in world.nuclei]
    nucleoli = [(NUCLEOLUS, world.nuclei[n.nucleus - 1].cell) for n in world.nucleoli]
    chains = [(o.kind, o.cell) for o in world.organelles + world.filopodia]
    table = np.array([(BACKGROUND, 0), *nuclei, *nucleoli, *chains], np.uint32)
    return table[:, 0].astype(np.uint8), table[:, 1]


def label_section(world, section):
    """(labels uint8, cells uint32, objects uint32) of a section, all (Y, X); ids as in `object_table`, a filopodium's
    too. Nothing leaves its cell, and filopodia fill only what no cell fills.
    """
    kind, home = object_table(world)
    inside = section.cell_nm < 0
    cells = np.where(inside, section.cell, 0)
    objects = np.zeros(inside.shape, np.uint32)
    offset = len(world.nuclei) + len(world.nucleoli)
    groups = [(section.organelle_nm, section.organelle, offset), (section.nucleus_nm, section.nucleus, 0)]
    groups.append((section.nucleolus_nm, section.nucleolus, len(world.nuclei)))
    for distance, number, before in groups:
        ids = np.where(number > 0, number + before, 0)
        hit = inside & (distance < 0) & (home[ids] == cells)
        if before == len(world.nuclei):
            hit &= (objects > 0) & (kind[objects] == NUCLEUS)
        objects = np.where(hit, ids, objects).astype(np.uint32)
    thread = ~inside & (section.filopodium_nm < 0)
    ids = np.where(thread, section.filopodium + offset + len(world.organelles), 0)
    objects = np.where(thread, ids, objects).astype(np.uint32)
    cells = np.where(thread, home[ids], cells).astype(np.uint32)
    labels = np.where(kind[objects] == FILOPODIUM, CELL, np.where(objects > 0, kind[objects], cells > 0))
    return labels.astype(np.uint8), cells, objects
