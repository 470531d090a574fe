"""Synthetic SBF-SEM of human platelets with known truth: classes, cells, organelles, drift, flicker, destroyed
slices.

Everything is a closed-form surface in nm (z, y, x), in a world larger than the field of view, evaluated
section by section at the drifted position: image and labels agree to the sub-pixel, nothing is resampled
and nothing wraps around. Cells are bent discs that compete for space, so they touch, overlap along z and
are cut obliquely; organelles and canalicular channels are chains of rounded cones. Sizes, shapes and class
shares follow the published platelet data (Guay et al. 2021, doi 10.1038/s41598-021-81590-0). Two deliberate
differences: dense granules and cores are about twice as frequent, and rare organelles are spread over
opposite corners, so that any half of a small volume holds every class; in fields of view under 4 um cells
and organelles shrink (to a half and 0.7 at the least) so that gaps remain in view.
"""

from dataclasses import dataclass

import numpy as np

from densecell.phantom_geometry import BACKGROUND, cut_section, label_section
from densecell.phantom_imaging import annotate, draw_appearance, expose, paint_section
from densecell.phantom_world import build_world

DESTROYED_GAIN = 0.08
BORDER_SD_PX = (0.9, 1.3)  # how far the two annotators stray from the true borders


@dataclass(frozen=True)
class SubjectSettings:
    """One subject: its geometry (shape, voxel size, seed) and the state of its microscope.

    shape: (z, y, x) voxels; voxel_size_nm: (z, y, x). contrast multiplies gray values, brightness (gray
    levels) is added. shot_electrons: electrons at gray 255; readout_sd: gray levels. drift_sd_px: standard
    deviation of the step from one slice to the next, in y and in x; jump: (slice, dy_px, dx_px), a
    displacement from that slice on, or None. flicker_sd: relative brightness change per slice; charging:
    gray levels; bad_slices: destroyed slices; psf_nm: Gaussian sigma of the beam.
    """

    name: str = "subject_1"
    shape: tuple[int, int, int] = (40, 448, 448)
    voxel_size_nm: tuple[float, float, float] = (50.0, 10.0, 10.0)
    seed: int = 1
    contrast: float = 1.0
    brightness: float = 0.0
    shot_electrons: float = 130.0
    readout_sd: float = 5.0
    drift_sd_px: float = 1.2
    jump: tuple[int, float, float] | None = None
    flicker_sd: float = 0.03
    charging: float = 8.0
    bad_slices: tuple[int, ...] = ()
    psf_nm: float = 12.0

    def __post_init__(self):
        for key, least in (("shape", 8), ("voxel_size_nm", 1)):
            value = getattr(self, key)
            if len(value) != 3 or min(value) < least:
                raise ValueError(f"phantom {key}: expected three values (z, y, x) of at least {least}, found {value}")
        extent_nm = [n * size for n, size in zip(self.shape, self.voxel_size_nm)]
        if extent_nm[0] < 500 or min(extent_nm[1:]) < 1200:
            raise ValueError(
                f"phantom shape: expected at least 500 x 1200 x 1200 nm (z, y, x), found {extent_nm}; "
                "ask for more voxels"
            )
        for key in ("contrast", "shot_electrons"):
            if not getattr(self, key) > 0:
                raise ValueError(f"phantom {key}: expected a value above 0, found {getattr(self, key)}")
        for key in ("seed", "readout_sd", "drift_sd_px", "flicker_sd", "charging", "psf_nm"):
            if not getattr(self, key) >= 0:
                raise ValueError(f"phantom {key}: expected 0 or more, found {getattr(self, key)}")
        slices = list(self.bad_slices) + ([self.jump[0]] if self.jump else [])
        if any(not 0 < z < self.shape[0] for z in slices):
            raise ValueError(
                f"phantom bad_slices and jump: expected slices 1 to {self.shape[0] - 1}, found {slices}; "
                "slice 0 is the reference of the drift"
            )


@dataclass(frozen=True)
class Subject:
    """A rendered subject, all volumes (Z, Y, X) in the raw (drifting) frame.

    image uint8; labels uint8 (0 background, 1 cell, 2 mitochondrion, 3 alpha granule, 4 canalicular
    channel, 5 dense granule, 6 dense core); cells uint32: every voxel with label > 0, channels and
    organelles included (the channel lumen is open to the outside and is counted with the cell whose surface
    it folds from); organelles uint32: one id per organelle, per connected channel tree and per dense core;
    annotator_1, annotator_2 uint8. truth: per-slice arrays z, dy_px, dx_px (where the content of the slice
    lies relative to slice 0: +dy_px is further down), gain, offset (recorded gray = gain * painted gray +
    offset), flag ('' or 'destroyed').
    """

    image: np.ndarray
    labels: np.ndarray
    cells: np.ndarray
    organelles: np.ndarray
    annotator_1: np.ndarray
    annotator_2: np.ndarray
    truth: dict[str, np.ndarray]


def two_subjects(shape=(40, 448, 448), seed=1):
    """Settings of two subjects that differ in contrast, noise and drift; the second has a jump and a destroyed
    slice.
    """
    middle = shape[0] // 2
    first = SubjectSettings("subject_1", shape, seed=seed)
    second = SubjectSettings(
        "subject_2",
        shape,
        seed=seed + 1000,
        contrast=0.8,
        brightness=30.0,
        shot_electrons=80.0,
        readout_sd=7.0,
        drift_sd_px=1.8,
        jump=(middle, 3.6, -4.3),
        flicker_sd=0.06,
        charging=14.0,
        bad_slices=(shape[0] // 3,),
        psf_nm=15.0,
    )
    return first, second


def _drift(settings):
    """Position (Z, 2) in px (y, x) of each slice's content relative to slice 0: random walk and jump."""
    rng = np.random.default_rng([settings.seed, 2])
    steps = settings.drift_sd_px * rng.normal(size=(settings.shape[0], 2))
    steps[0] = 0
    if settings.jump is not None:
        steps[settings.jump[0]] += settings.jump[1:]
    return np.cumsum(steps, axis=0)


def _truth(settings):
    """Per-slice table of what alignment and normalization should find."""
    n = settings.shape[0]
    position = _drift(settings)
    rng = np.random.default_rng([settings.seed, 3])
    gain = settings.contrast * np.exp(settings.flicker_sd * rng.normal(size=n))
    offset = settings.brightness + 60 * settings.flicker_sd * rng.normal(size=n)
    flag = np.array(["destroyed" if z in settings.bad_slices else "" for z in range(n)])
    destroyed = flag == "destroyed"
    gain[destroyed] = DESTROYED_GAIN
    offset[destroyed] = 105.0
    return {
        "z": np.arange(n),
        "dy_px": position[:, 0],
        "dx_px": position[:, 1],
        "gain": gain,
        "offset": offset,
        "flag": flag,
    }


def make_subject(settings):
    """Render one Subject from SubjectSettings; equal settings give equal bits.

    Geometry, drift, flicker, noise and annotators draw from separate streams of the seed: changing the
    drift leaves the tissue as it is.
    """
    size_nm = np.array(settings.voxel_size_nm, float)
    world = build_world(np.random.default_rng([settings.seed, 0]), np.array(settings.shape) * size_nm)
    organelle_class = np.array([BACKGROUND] + [o.kind for o in world.organelles])
    host = np.array([0] + [o.host for o in world.organelles])
    look = draw_appearance(np.random.default_rng([settings.seed, 1]), len(world.cells), organelle_class)
    truth = _truth(settings)
    image, labels = (np.empty(settings.shape, np.uint8) for _ in range(2))
    cells, organelles = (np.empty(settings.shape, np.uint32) for _ in range(2))
    for z in range(settings.shape[0]):
        place = (
            z * size_nm[0],
            (np.arange(settings.shape[1]) - truth["dy_px"][z]) * size_nm[1],
            (np.arange(settings.shape[2]) - truth["dx_px"][z]) * size_nm[2],
        )
        section = cut_section(world, *place)
        labels[z], cells[z], organelles[z] = label_section(world, section)
        painted = paint_section(section, look, *place, thickness_nm=size_nm[0])
        noise = np.random.default_rng([settings.seed, 4, z])
        image[z] = expose(painted, settings, truth["gain"][z], truth["offset"][z], bool(truth["flag"][z]), noise)
    drawn = [
        annotate(
            labels,
            organelles,
            organelle_class,
            host,
            truth,
            size_nm,
            sd,
            np.random.default_rng([settings.seed, 5, i]),
        )
        for i, sd in enumerate(BORDER_SD_PX)
    ]
    return Subject(image, labels, cells, organelles, *drawn, truth)
