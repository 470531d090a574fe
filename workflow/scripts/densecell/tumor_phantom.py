"""Synthetic FIB-SEM of a tumor with known truth: classes, cells, organelles, drift, flicker, curtains.

Like the phantom of platelets, everything is a closed-form surface in nm (z, y, x), evaluated section by section at the
drifted position: image and labels agree to the sub-pixel and nothing is resampled. Large cells touch, in places without
gap or membrane contrast; nuclei are folded, nucleoli pierced by closed and open holes, filopodia leave their cells and
show up as islands. After the tumor biopsies of Machireddy et al. 2023. Cells of 8 to 15 um are thousands of pixels wide at
5 nm, so cells, nuclei and nucleoli are drawn `miniature` times smaller, organelles and filopodia by its root.
"""

from dataclasses import dataclass, field

import numpy as np

from densecell.tumor_phantom_features import Objects
from densecell.tumor_phantom_geometry import FILOPODIUM
from densecell.tumor_phantom_imaging import draw_appearance, draw_curtains, expose, paint_section
from densecell.tumor_phantom_nuclei import Tissue
from densecell.tumor_phantom_sections import cut_section, label_section, object_table
from densecell.tumor_phantom_world import build_world


@dataclass(frozen=True)
class SampleSettings:
    """One sample: its geometry (shape, voxel size, seed, miniature, tissue) and the state of its microscope.

    shape: (z, y, x) voxels; voxel_size_nm: (z, y, x). miniature: times cells are smaller than life. contrast multiplies
    gray values, brightness (gray levels) is added. shot_electrons: electrons at gray 255; readout_sd: gray levels.
    drift_sd_px: standard deviation of the step from one slice to the next, in y and in x; jump: (slice, dy_px, dx_px),
    a displacement from that slice on, or None. flicker_sd: relative brightness change per slice; curtains: gray levels;
    psf_nm: Gaussian sigma of the beam.
    """

    name: str = "biopsy_1"
    shape: tuple[int, int, int] = (64, 640, 640)
    voxel_size_nm: tuple[float, float, float] = (5.0, 5.0, 5.0)
    seed: int = 1
    miniature: float = 6.0
    tissue: Tissue = field(default_factory=Tissue)
    contrast: float = 1.0
    brightness: float = 0.0
    shot_electrons: float = 170.0
    readout_sd: float = 4.0
    drift_sd_px: float = 0.8
    jump: tuple[int, float, float] | None = None
    flicker_sd: float = 0.03
    curtains: float = 7.0
    psf_nm: float = 5.0

    def __post_init__(self):
        for key, least in (("shape", 8), ("voxel_size_nm", 1)):
            value = getattr(self, key)
            if len(value) != 3 or min(value) < least:
                raise ValueError(f"phantom {key}: expected three values (z, y, x) of at least {least}, found {value}")
        for key in ("miniature", "contrast", "shot_electrons"):
            if not getattr(self, key) > 0:
                raise ValueError(f"phantom {key}: expected a value above 0, found {getattr(self, key)}")
        for key in ("seed", "readout_sd", "drift_sd_px", "flicker_sd", "curtains", "psf_nm"):
            if not getattr(self, key) >= 0:
                raise ValueError(f"phantom {key}: expected 0 or more, found {getattr(self, key)}")
        if self.jump is not None and not 0 < self.jump[0] < self.shape[0]:
            raise ValueError(f"phantom jump: expected a slice of 1 to {self.shape[0] - 1}, found {self.jump[0]}")


@dataclass(frozen=True)
class Sample:
    """A rendered sample, all volumes (Z, Y, X) in the raw (drifting) frame.

    image uint8; labels uint8 (numbers of tumor_phantom_geometry.CLASSES; a nucleus without its nucleoli); cells uint32,
    every voxel of a cell, its nucleus, organelles and filopodia; organelles uint32, one id per nucleus, nucleolus (which
    covers its nucleus), mitochondrion, endosome and lysosome. features: columns of the table of objects
    (tumor_phantom_features.Objects). truth: per-slice arrays z, dy_px, dx_px (where the content of the slice lies
    relative to slice 0: +dy_px is further down), gain, offset (recorded gray = gain * painted gray + offset, before
    curtains), flag ('').
    """

    image: np.ndarray
    labels: np.ndarray
    cells: np.ndarray
    organelles: np.ndarray
    features: dict[str, np.ndarray]
    truth: dict[str, np.ndarray]


def two_samples(shape=(64, 640, 640), seed=1):
    """Settings of two samples: the first with round nuclei and mostly closed holes, the second of less contrast and more
    noise, with irregular nuclei, open holes, tighter borders and a jump.
    """
    second = SampleSettings(
        "biopsy_2",
        shape,
        seed=seed + 1000,
        tissue=Tissue(irregular=0.7, nucleoli=3, closed=2, open=3, gap_nm=(-2.0, 7.0), filopodia=14),
        contrast=0.8,
        brightness=24.0,
        shot_electrons=120.0,
        readout_sd=5.0,
        drift_sd_px=1.1,
        jump=(shape[0] // 2, 4.6, -3.3),
        flicker_sd=0.05,
        curtains=10.0,
        psf_nm=6.0,
    )
    return SampleSettings("biopsy_1", shape, seed=seed), second


def _truth(settings):
    """Per-slice table of what alignment and normalization should find."""
    n = settings.shape[0]
    rng = np.random.default_rng([settings.seed, 2])
    steps = settings.drift_sd_px * rng.normal(size=(n, 2))
    steps[0] = 0
    if settings.jump is not None:
        steps[settings.jump[0]] += settings.jump[1:]
    position = np.cumsum(steps, axis=0)
    rng = np.random.default_rng([settings.seed, 3])
    gain = settings.contrast * np.exp(settings.flicker_sd * rng.normal(size=n))
    offset = settings.brightness + 60 * settings.flicker_sd * rng.normal(size=n)
    columns = {"z": np.arange(n), "dy_px": position[:, 0], "dx_px": position[:, 1]}
    return columns | {"gain": gain, "offset": offset, "flag": np.full(n, "")}


def world_of(settings):
    """The World of a sample; its own stream of the seed, so that drift and noise leave it as it is."""
    rng = np.random.default_rng([settings.seed, 0])
    return build_world(rng, np.array(settings.shape) * settings.voxel_size_nm, settings.miniature, settings.tissue)


def section_place(settings, truth, z):
    """(z_nm, y_nm (Y,), x_nm (X,)) of the pixels of slice z in the frame of slice 0."""
    size_nm, shape = settings.voxel_size_nm, settings.shape
    y_nm = (np.arange(shape[1]) - truth["dy_px"][z]) * size_nm[1]
    return z * size_nm[0], y_nm, (np.arange(shape[2]) - truth["dx_px"][z]) * size_nm[2]


def make_sample(settings, world=None):
    """Render one Sample from SampleSettings; equal settings give equal bits. world: that of `world_of`, if it is at hand."""
    world, truth = world or world_of(settings), _truth(settings)
    look = draw_appearance(np.random.default_rng([settings.seed, 1]), world)
    curtains = draw_curtains(np.random.default_rng([settings.seed, 5]), settings.shape)
    kind, _ = object_table(world)
    found = Objects(world, settings.voxel_size_nm, settings.shape)
    image, labels = (np.empty(settings.shape, np.uint8) for _ in range(2))
    cells, organelles = (np.empty(settings.shape, np.uint32) for _ in range(2))
    for z in range(settings.shape[0]):
        place = section_place(settings, truth, z)
        section = cut_section(world, *place)
        labels[z], cells[z], objects = label_section(world, section)
        organelles[z] = np.where(kind[objects] == FILOPODIUM, 0, objects)
        found.add(z, place, cells[z], objects)
        painted = paint_section(section, look, labels[z], *place)
        noise = np.random.default_rng([settings.seed, 4, z])
        image[z] = expose(painted, settings, truth["gain"][z], truth["offset"][z], curtains, z, noise)
    return Sample(image, labels, cells, organelles, found.table(), truth)
