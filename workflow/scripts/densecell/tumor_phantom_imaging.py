"""How a FIB-SEM would see a section of the tumor phantom: gray values, textures, curtains and noise.

Sections are a few nm thin, so surfaces have sharp edges and no slope matters. Stained matter is dark: membranes,
chromatin, nucleoli, lysosomes; resin and the lumen of endosomes are bright. No class has a gray range of its own:
chromatin is as dark as mitochondria, nucleoplasm as bright as cytoplasm, and vesicles, reticulum and collagen that
belong to no class lie between. The membrane between two cells has contrast only in places.
"""

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from densecell.phantom_geometry import Field, random_field
from densecell.tumor_phantom_geometry import (
    BACKGROUND,
    ENDOSOME,
    LYSOSOME,
    MITOCHONDRION,
    NUCLEOLUS,
    NUCLEUS,
)

STROMA_GRAY, NUCLEOPLASM_GRAY, NUCLEOLUS_GRAY = 188.0, 151.0, 92.0
MEMBRANE_NM = 7.0  # standard deviation of a membrane's profile
GRAIN_PX = 0.5  # of the noise: neighbors of a raster scan are a little alike
CURTAIN_PX = (3.0, 14.0)  # widths of the stripes
# wavelengths in nm of the textures, chromatin's in life over miniature
WAVELENGTHS_NM = {"grain": 38.0, "mottle": 150.0, "reticulum": 240.0, "presence": 430.0, "cristae": 62.0, "seal": 420.0}
CHROMATIN_NM = {"clumps": 1700.0, "strands": 620.0, "specks": 210.0}


@dataclass(frozen=True)
class Appearance:
    """Gray values: cytoplasm by cell number, lumen or matrix by organelle number, chromatin (0..1, how condensed) by
    nucleus number (entry 0 = none), kind by organelle number, and the fields that texture them, by name.
    """

    cell_gray: np.ndarray
    organelle_gray: np.ndarray
    organelle_kind: np.ndarray
    condensed: np.ndarray
    fields: dict[str, Field]


def draw_appearance(rng, world):
    """Draw the Appearance of a world."""
    kinds = np.array([BACKGROUND] + [o.kind for o in world.organelles])
    mean = {BACKGROUND: 0, MITOCHONDRION: 112, ENDOSOME: 178, LYSOSOME: 74}
    spread = {BACKGROUND: 0, MITOCHONDRION: 8, ENDOSOME: 12, LYSOSOME: 13}
    noise = rng.normal(size=len(kinds))
    gray = np.array([mean[k] + spread[k] * n for k, n in zip(kinds.tolist(), noise)])
    cell_gray = rng.normal(143, 6, len(world.cells) + 1)
    condensed = rng.uniform(0.55, 1.1, len(world.nuclei) + 1)
    lengths = WAVELENGTHS_NM | {name: nm / world.miniature for name, nm in CHROMATIN_NM.items()}
    return Appearance(cell_gray, gray, kinds, condensed, {n: random_field(rng, nm, 100) for n, nm in lengths.items()})


def _inside(distance_nm):
    """Share of a pixel inside a surface, an edge of about 8 nm."""
    return np.clip(0.5 - distance_nm / 8, 0, 1)


def _line(distance_nm, width_nm=MEMBRANE_NM):
    """Darkness 0..1 of a membrane around distance 0."""
    return np.exp(-0.5 * (distance_nm / width_nm) ** 2)


def _cytoplasm(section, appearance, texture):
    """Gray values of cytoplasm: ribosomes, mottle, thin sheets of reticulum and small vesicles."""
    gray = appearance.cell_gray[section.cell] + 5 * texture["mottle"] + 8 * texture["grain"]
    crowded = np.clip(0.6 + 0.5 * texture["presence"], 0, 1)
    gray -= 42 * crowded * _line(texture["reticulum"], 0.11)
    vesicle = np.clip((texture["cristae"] - 1.9) / 0.3, 0, 1) * np.clip(0.4 - texture["presence"], 0, 1)
    return gray - 30 * vesicle


def _nucleoplasm(section, appearance, texture):
    """Gray values of a nucleus: chromatin in clumps at three scales, denser along the envelope."""
    depth = np.clip(-section.nucleus_nm, 0, None)
    scales = 0.75 * texture["clumps"] + 0.5 * texture["strands"] + 0.25 * texture["specks"]
    condensed = appearance.condensed[section.nucleus]
    shell = 1.5 * np.exp(-depth / 45) * np.clip(0.7 + 0.5 * texture["strands"], 0, 1.4)
    clumped = np.clip((scales + shell - 0.45) / 1.0, 0, 1)
    return NUCLEOPLASM_GRAY - 58 * condensed * clumped + 5 * texture["specks"] + 5 * texture["grain"]


def _nucleolus(section, texture):
    """Gray values of a nucleolus: dense, granular."""
    return NUCLEOLUS_GRAY + 9 * texture["specks"] + 9 * texture["grain"] + 5 * texture["strands"]


def _organelles(section, appearance, texture):
    """Gray values within organelles: cristae, the content of lysosomes, small vesicles in endosomes."""
    kind = appearance.organelle_kind[section.organelle]
    gray = appearance.organelle_gray[section.organelle] + 4 * texture["grain"]
    gray += (kind == MITOCHONDRION) * 26 * (np.abs(texture["cristae"]) < 0.45)
    gray += (kind == LYSOSOME) * (24 * np.clip(texture["cristae"], -1, 2.5) + 8 * texture["grain"])
    gray -= (kind == ENDOSOME) * 75 * np.clip((texture["cristae"] - 1.2) / 0.5, 0, 1)
    lining = np.array([0, 0, 0, 0, 46, 60, 30, 0])[kind]
    return gray - lining * _line(section.organelle_nm + 5)


def _stroma(texture):
    """Gray values outside cells: resin, ground substance and collagen cut across and along."""
    collagen = np.clip(0.5 - texture["presence"], 0, 1) * np.clip((texture["cristae"] - 0.6) / 0.8, 0, 1)
    return STROMA_GRAY + 5 * texture["mottle"] + 3 * texture["grain"] - 45 * collagen


def _membrane(section, texture):
    """Darkness 0..1 of the membranes of cells: full where a cell meets stroma, in places none where it meets another."""
    meets_cell = np.clip(1 - (section.cell_nm - section.contact_nm) / 20, 0, 1) * (np.abs(section.contact_nm) < 60)
    seen = np.clip(0.35 + 0.75 * texture["seal"], 0, 1)
    return _line(section.cell_nm + 4) * (1 - meets_cell * (1 - seen))


def paint_section(section, appearance, labels, z_nm, y_nm, x_nm):
    """Noise-free gray values (Y, X) float, about 30-210, of one section with its labels (Y, X)."""
    texture = {name: field.on_slice(z_nm, y_nm, x_nm) for name, field in appearance.fields.items()}
    gray = _cytoplasm(section, appearance, texture)
    share = _inside(section.organelle_nm) * np.isin(labels, (MITOCHONDRION, ENDOSOME, LYSOSOME))
    gray += share * (_organelles(section, appearance, texture) - gray)
    gray += _inside(section.nucleus_nm) * (_nucleoplasm(section, appearance, texture) - gray)
    gray -= 48 * _line(section.nucleus_nm - 3)
    share = _inside(section.nucleolus_nm) * np.isin(labels, (NUCLEUS, NUCLEOLUS))
    gray += share * (_nucleolus(section, texture) - gray)
    outside = _stroma(texture)
    thread = _inside(section.filopodium_nm)
    outside += thread * (appearance.cell_gray[0] - 8 + 6 * texture["grain"] - outside)
    outside -= 60 * _line(section.filopodium_nm + 3)
    gray = outside + _inside(section.cell_nm) * (gray - outside)
    return gray - 55 * _membrane(section, texture)


def draw_curtains(rng, shape, n_stripes=5):
    """Stripes fixed to the screen, as milling leaves them: a list of (profile along x (X,), profile along y (Y,),
    period in slices, phase).
    """
    curtains = []
    for _ in range(n_stripes):
        width = rng.uniform(*CURTAIN_PX)
        along_x = ndimage.gaussian_filter1d(rng.normal(size=shape[2]), width, mode="wrap")
        along_x = np.sign(along_x) * np.clip(np.abs(along_x) / along_x.std() - 0.8, 0, None)  # apart, not everywhere
        start = rng.uniform(-0.2, 0.8) * shape[1]  # stripes begin below what is hard to mill
        along_y = np.clip((np.arange(shape[1]) - start) / (0.15 * shape[1]), 0, 1)
        curtains.append((along_x, along_y, rng.uniform(15, 60), rng.uniform(0, 2 * np.pi)))
    return curtains


def expose(painted, settings, gain, offset, curtains, z, rng):
    """Record a painted section (Y, X) as uint8: blur, gain and offset, curtains, shot and readout noise."""
    sigma_px = [settings.psf_nm / size for size in settings.voxel_size_nm[1:]]
    gray = gain * ndimage.gaussian_filter(painted, sigma_px, mode="nearest") + offset
    for along_x, along_y, period, phase in curtains:
        strength = settings.curtains * (1 + np.sin(2 * np.pi * z / period + phase)) / 2
        gray += strength * along_y[:, None] * along_x[None]
    electrons = rng.poisson(np.clip(gray, 0, None) / 255 * settings.shot_electrons)
    gray = electrons * (255 / settings.shot_electrons) + rng.normal(0, settings.readout_sd, gray.shape)
    return np.clip(np.rint(ndimage.gaussian_filter(gray, GRAIN_PX, mode="nearest")), 0, 255).astype(np.uint8)
