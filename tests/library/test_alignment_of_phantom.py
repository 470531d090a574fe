"""Alignment against the phantom's known truth: the estimator's own error, and what changing tissue adds to it."""

import numpy as np

from densecell.alignment import estimate_shifts
from densecell.phantom import SubjectSettings, make_subject
from densecell.phantom_geometry import BACKGROUND, cut_section
from densecell.phantom_imaging import draw_appearance, expose, paint_section
from densecell.phantom_world import build_world

SIZE_NM = np.array([50.0, 10.0, 10.0])


def one_section_again_and_again(settings, positions_px, flicker_sd=0.0):
    """The same physical section imaged once per row of `positions_px` (y, x), each time with fresh noise."""
    world = build_world(np.random.default_rng([settings.seed, 0]), np.array(settings.shape) * SIZE_NM)
    kinds = np.array([BACKGROUND] + [o.kind for o in world.organelles])
    look = draw_appearance(np.random.default_rng([settings.seed, 1]), len(world.cells), kinds)
    rng = np.random.default_rng(0)
    images = []
    for dy, dx in positions_px:
        pixels = [(np.arange(n) - d) * 10.0 for n, d in zip(settings.shape[1:], (dy, dx))]
        painted = paint_section(cut_section(world, 250.0, *pixels), look, 250.0, *pixels, thickness_nm=50.0)
        gain, offset = np.exp(flicker_sd * rng.normal()), 60 * flicker_sd * rng.normal()
        images.append(expose(painted, settings, gain, offset, False, rng))
    return np.stack(images)


def pair_errors(images, positions):
    found = estimate_shifts(lambda z: images[z], len(images))
    pairs = np.stack([found["dy_px"], found["dx_px"]], axis=1)[1:]
    return np.linalg.norm(pairs - np.diff(positions, axis=0), axis=1)


def test_clean_case_is_found_to_a_tenth_of_a_pixel():
    """Median below 0.1 px where the tissue stays the same: sub-pixel drift, shot and readout noise, flicker, charging."""
    settings = SubjectSettings(name="clean", shape=(10, 256, 256), seed=3)
    positions = np.cumsum(np.random.default_rng(1).normal(0, 2, (8, 2)), axis=0)
    for flicker_sd in (0.0, 0.05):
        errors = pair_errors(one_section_again_and_again(settings, positions, flicker_sd), positions)
        assert np.median(errors) < 0.1
        assert errors.max() < 0.5


def test_tissue_that_changes_between_sections_costs_about_a_pixel():
    """Sections 50 nm apart differ: what remains is the tissue's own motion, which no aligner can tell from drift."""
    subject = make_subject(SubjectSettings(name="real", shape=(10, 256, 256), seed=3))
    positions = np.stack([subject.truth["dy_px"], subject.truth["dx_px"]], axis=1)
    errors = pair_errors(subject.image, positions)
    assert 0.1 < np.median(errors) < 2.5
