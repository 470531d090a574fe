"""How a microscope and two annotators would see a phantom section: gray values, noise, charging, hand-drawn
labels.

Gray values follow human platelets by SBF-SEM (Guay et al. 2021, doi 10.1038/s41598-021-81590-0): resin and
canalicular lumen bright, cytoplasm in between and different from cell to cell, alpha granules a little
darker than their cytoplasm, mitochondria darker with hints of cristae, dense granules pale with a dark
core, and dark specks and short tubules that belong to no class. No class has a gray range of its own.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage, signal

from densecell.phantom_geometry import (
    ALPHA_GRANULE,
    CANALICULAR,
    CELL,
    DENSE_CORE,
    DENSE_GRANULE,
    MITOCHONDRION,
    Field,
    random_field,
)

RESIN_GRAY = 222.0
BANDWIDTH_PX = (0.55, 0.64)  # (y, x) noise correlation measured in a real slice: 0.24 and 0.58 at 1 px
MIN_EDGE_NM = 12.0  # width of an edge that stands upright in the section
MISSED_SHARE = 0.25  # probability that an annotator misses a vanishingly small organelle
CONFUSED_SHARE = 0.03  # probability that an annotator gives an organelle a neighboring class
CONFUSED_WITH = {
    MITOCHONDRION: (ALPHA_GRANULE,),
    ALPHA_GRANULE: (MITOCHONDRION, DENSE_GRANULE),
    DENSE_GRANULE: (ALPHA_GRANULE,),
}


@dataclass(frozen=True)
class Appearance:
    """Gray values of one subject: cytoplasm per cell id, lumen or matrix per organelle id, class per organelle
    id (entry 0 = none), and the random fields that texture them.
    """

    cell_gray: np.ndarray
    organelle_gray: np.ndarray
    organelle_class: np.ndarray
    mottle: Field
    specks: Field
    tubules: Field
    cristae: Field


def draw_appearance(rng, n_cells, organelle_class):
    """Draw an Appearance: platelets differ in cytoplasm density, and so do the organelles of one class.

    organelle_class: (n_organelles + 1,) class per id, entry 0 unused.
    """
    cell_gray = rng.normal(127, 9, n_cells + 1) - 28 * (rng.random(n_cells + 1) < 0.25)
    mean = np.array([0, 0, 46, 95, RESIN_GRAY - 4, 142, 34])[organelle_class]
    spread = np.array([0, 0, 9, 9, 5, 28, 12])[organelle_class]
    gray = mean + spread * rng.normal(size=len(organelle_class))
    fields = (random_field(rng, wavelength_nm) for wavelength_nm in (600, 185, 250, 65))
    return Appearance(cell_gray, gray, organelle_class, *fields)


def _inside(distance_nm, slope, thickness_nm):
    """Share of a section of thickness_nm that lies inside a surface: tilted surfaces have soft edges."""
    return np.clip(0.5 - distance_nm / (MIN_EDGE_NM + thickness_nm * slope), 0, 1)


def _line(distance_nm, slope, thickness_nm, width_nm):
    """Darkness 0..1 of a membrane around distance 0: wider and weaker where it runs obliquely through the
    section.
    """
    width = width_nm + 0.35 * thickness_nm * slope
    return width_nm / width * np.exp(-0.5 * (distance_nm / width) ** 2)


def _clutter(appearance, place, mottle):
    """Darkness 0..1 of glycogen-like specks and short tubules, crowded where `mottle` is high. They stay
    'cell'.
    """
    crowding = 0.8 * mottle
    specks = appearance.specks.on_slice(*place)
    tubules = appearance.tubules.on_slice(*place)
    spots = np.clip((specks - 1.3 + crowding) / 0.5, 0, 1)
    strands = np.clip((0.36 - np.abs(tubules)) / 0.15, 0, 1) * np.clip((specks - 0.55 + crowding) / 0.4, 0, 1)
    return np.maximum(spots, strands)


def paint_section(section, appearance, z_nm, y_nm, x_nm, thickness_nm):
    """Noise-free gray values (Y, X) float, about 20-230, of one section of thickness_nm."""
    place = (z_nm, y_nm, x_nm)
    mottle = appearance.mottle.on_slice(*place)
    cristae = appearance.cristae.on_slice(*place)
    kind = appearance.organelle_class[section.organelle]
    open_space = np.clip((section.organelle_nm - 5) / 25, 0, 1) * np.clip((-section.cell_nm - 35) / 30, 0, 1)
    cytoplasm = appearance.cell_gray[section.cell] - 6 * mottle + 11 * cristae
    cytoplasm -= 80 * _clutter(appearance, place, mottle) * open_space
    cytoplasm -= 52 * _line(section.cell_nm + 18, section.cell_slope, thickness_nm, 13)
    lining = np.array([0, 0, 30, 14, 42, 40, 0])[kind]
    cytoplasm -= lining * _line(section.organelle_nm - 8, section.organelle_slope, thickness_nm, 12)

    matrix = appearance.organelle_gray[section.organelle]
    matrix = matrix + np.array([0, 0, 16, 6, 2, 12, 0])[kind] * cristae
    matrix -= np.array([0, 0, 14, 7, 0, 45, 0])[kind] * _line(
        section.organelle_nm + 8, section.organelle_slope, thickness_nm, 10
    )
    # a granule keeps part of its cell's density: dark cells have dark granules
    matrix += np.where(kind == ALPHA_GRANULE, 0.55 * (appearance.cell_gray[section.cell] - 122), 0)
    share = _inside(section.organelle_nm, section.organelle_slope, thickness_nm)
    gray = cytoplasm + share * (matrix - cytoplasm)
    share = _inside(section.core_nm, section.core_slope, thickness_nm)
    gray += share * (appearance.organelle_gray[section.core] - gray)
    share = _inside(section.cell_nm, section.cell_slope, thickness_nm)
    return RESIN_GRAY + share * (gray - RESIN_GRAY)


def expose(painted, settings, gain, offset, destroyed, rng):
    """Record a painted section (Y, X) as uint8: blur, charging, gain and offset, shot and read-out noise.

    Charging brightens what follows resin along the scan line (x) and gives each line a small offset of its
    own. A destroyed section is debris: its structure keeps the given (tiny) gain and is drowned in bands
    and heavy noise.
    """
    sigma_px = [settings.psf_nm / size for size in settings.voxel_size_nm[1:]]
    gray = ndimage.gaussian_filter(painted, sigma_px, mode="nearest")
    resin = np.clip((gray - 150) / (RESIN_GRAY - 150), 0, 1)
    charge = signal.lfilter([0.04], [1, -0.96], resin - resin.mean(), axis=1)
    lines = ndimage.gaussian_filter1d(rng.normal(size=(len(gray), 1)), 1.0, axis=0)
    gray = gain * gray + offset + settings.charging * (charge + 0.25 * lines)
    if destroyed:
        bands = ndimage.gaussian_filter1d(rng.normal(size=(len(gray), 1)), 6.0, axis=0)
        gray += 160 * bands + 280 * ndimage.gaussian_filter(rng.normal(size=gray.shape), 4.0)
    electrons = rng.poisson(np.clip(gray, 0, None) / 255 * settings.shot_electrons)
    noise = rng.normal(0, settings.readout_sd, gray.shape)
    gray = electrons * (255 / settings.shot_electrons) + noise + np.minimum(gray, 0)
    gray = ndimage.gaussian_filter(gray, BANDWIDTH_PX, mode="nearest")
    return np.clip(np.rint(gray), 0, 255).astype(np.uint8)


def _habits(rng, voxel_count, organelle_class, host, voxel_volume_um3):
    """Class that one annotator gives to each organelle id: missed (cell), confused with a neighbor, or its
    own.
    """
    given = organelle_class.astype(np.uint8).copy()
    volume_um3 = voxel_count * voxel_volume_um3
    missed = rng.random(len(given)) < MISSED_SHARE * np.exp(-volume_um3 / 0.003)
    confused = rng.random(len(given)) < CONFUSED_SHARE
    pick = rng.random(len(given))
    for i, kind in enumerate(organelle_class):
        choices = CONFUSED_WITH.get(int(kind), ())
        if missed[i] and kind in CONFUSED_WITH:
            given[i] = CELL
        elif confused[i] and choices:
            given[i] = choices[int(pick[i] * len(choices))]
    for i in np.flatnonzero(host):  # a core is drawn only in a granule that was seen as one
        if given[host[i]] != DENSE_GRANULE:
            given[i] = given[host[i]]
        elif missed[i]:
            given[i] = DENSE_GRANULE
    return given


def annotate(labels, organelles, organelle_class, host, truth, voxel_size_nm, border_sd_px, rng):
    """Labels (Z, Y, X) uint8 as one simulated annotator would draw them.

    labels, organelles: (Z, Y, X) truth; organelle_class, host: per organelle id (host = granule of a core,
    else 0); truth: the per-slice table, for the drift. Borders move by a smooth random field of
    border_sd_px; small organelles and small profiles are missed (they become cell), a few are confused with
    a similar class, and stretches of channel go unseen.
    """
    voxel_um3 = float(np.prod(voxel_size_nm)) * 1e-9
    count = np.bincount(organelles.ravel(), minlength=len(organelle_class))
    given = _habits(rng, count, organelle_class, host, voxel_um3)
    move_y, move_x, unseen = (random_field(rng, wavelength_nm, 96) for wavelength_nm in (330, 330, 420))
    rows, columns = (np.arange(n) for n in labels.shape[1:])
    drawn = np.empty_like(labels)
    for k in range(len(labels)):
        place = (
            k * voxel_size_nm[0],
            (rows - truth["dy_px"][k]) * voxel_size_nm[1],
            (columns - truth["dx_px"][k]) * voxel_size_nm[2],
        )
        from_row = np.rint(rows[:, None] + border_sd_px * move_y.on_slice(*place)).astype(int)
        from_column = np.rint(columns[None] + border_sd_px * move_x.on_slice(*place)).astype(int)
        moved = np.clip(from_row, 0, rows[-1]), np.clip(from_column, 0, columns[-1])
        area_um2 = np.bincount(organelles[k].ravel(), minlength=len(given)) * voxel_um3 / voxel_size_nm[0] * 1e3
        overlooked = (area_um2 < 0.008) & (rng.random(len(given)) < 0.4) & (organelle_class != DENSE_CORE)
        seen = np.where(overlooked | overlooked[host], CELL, given).astype(np.uint8)
        ids = organelles[k][moved]
        drawn[k] = np.where(ids > 0, seen[ids], labels[k][moved])
        drawn[k][(drawn[k] == CANALICULAR) & (unseen.on_slice(*place) > 1.5)] = CELL
    return drawn
