"""The tumor phantom: same seed, same bits; nested truth; folds, holes, islands and touching cells are what they are said to be."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import ndimage

from densecell import tumor_phantom_world
from densecell.tumor_phantom import SampleSettings, make_sample, section_place, two_samples, world_of
from densecell.tumor_phantom_geometry import (
    CELL,
    CLASSES,
    FILOPODIUM,
    NUCLEOLUS,
    NUCLEUS,
    Ellipsoid,
    Nucleolus,
    Nucleus,
    smooth_minimum,
)
from densecell.tumor_phantom_nuclei import HOLE_WALL_NM, Tissue
from densecell.tumor_phantom_sections import cut_section, label_section, object_table

SMALL = (16, 288, 288)  # at miniature 14 about as many cells as the shipped samples have
EIGHT = np.ones((3, 3), bool)


def small(settings):
    return replace(settings, miniature=14.0, tissue=replace(settings.tissue, filopodia=5))


@pytest.fixture(scope="module")
def worlds():
    return [world_of(small(settings)) for settings in two_samples(SMALL, seed=3)]


@pytest.fixture(scope="module")
def samples(worlds):
    return [make_sample(small(settings), world) for settings, world in zip(two_samples(SMALL, seed=3), worlds)]


def rows(sample, kind):
    """The rows of one kind, as {id: {column: value}}."""
    is_kind = sample.features["kind"] == kind
    columns = {name: values[is_kind] for name, values in sample.features.items()}
    return {int(i): {name: v[row] for name, v in columns.items()} for row, i in enumerate(columns["id"])}


# ------------------------------------------------------------------------------------------------------------- geometry
def test_ellipsoid_distance_is_exact_along_its_axes():
    body = Ellipsoid(np.zeros(3), np.eye(3), np.array([30.0, 20.0, 10.0]))
    for axis, half in enumerate((30.0, 20.0, 10.0)):
        point = np.zeros(3)
        point[axis] = half
        assert body.distance(*point) == pytest.approx(0, abs=1e-6)
        point[axis] = half + 3
        assert body.distance(*point) == pytest.approx(3, abs=0.5)
    assert body.distance(0.0, 0.0, 0.0) < 0


def test_a_fold_makes_its_place_cytoplasm_and_a_hole_makes_its_place_nucleoplasm():
    body = Ellipsoid(np.zeros(3), np.eye(3), np.full(3, 100.0))
    fold = Ellipsoid(np.array([0.0, 0.0, 100.0]), np.eye(3), np.array([5.0, 40.0, 60.0]))
    nucleus = Nucleus(1, body, 0.0, (fold,))
    assert nucleus.distance(0.0, 0.0, 0.0, 80.0) > 0 > nucleus.distance(0.0, 30.0, 0.0, 60.0)
    assert nucleus.distance(0.0, 0.0, 0.0, 20.0) < 0  # the fold ends before the middle
    lobes, hole = np.array([[0, 0, 0, 50.0]]), np.array([[0, 0, 20, 10.0]])
    pierced = Nucleolus(1, lobes, hole, np.array([[[0, -10, 0, 6], [0, -70, 0, 6]]], float))
    assert pierced.distance(0.0, 0.0, 0.0, 20.0) == 10
    assert pierced.distance(0.0, 0.0, -40.0, 0.0) == 6  # the open one, through the surface
    assert pierced.distance(0.0, 0.0, 20.0, 0.0) == -19.36068 or pierced.distance(0.0, 0.0, 20.0, 0.0) < -15


def test_smooth_minimum_is_a_union_that_fills_the_seam():
    a, b = np.array([0.0, 5.0, -3.0]), np.array([100.0, 5.0, -3.0])
    joined = smooth_minimum(a, b, 8)
    assert joined[0] == 0 and joined[1] == 3 and joined[2] == -5  # a quarter of the rounding where both are equal


# ------------------------------------------------------------------------------------------------------------- settings
def test_settings_refuse_what_can_not_be_rendered():
    with pytest.raises(ValueError, match=r"phantom shape: expected three values \(z, y, x\) of at least 8, found"):
        SampleSettings(shape=(4, 640, 640))
    with pytest.raises(ValueError, match="phantom miniature: expected a value above 0, found 0"):
        SampleSettings(miniature=0)
    with pytest.raises(ValueError, match="phantom curtains: expected 0 or more, found -1"):
        SampleSettings(curtains=-1)
    with pytest.raises(ValueError, match="phantom jump: expected a slice of 1 to 63, found 0"):
        SampleSettings(jump=(0, 1.0, 1.0))


def test_a_field_of_view_without_room_for_its_filopodia_is_refused_by_name(monkeypatch):
    monkeypatch.setattr(tumor_phantom_world, "MOST_LAYOUTS", 3)
    with pytest.raises(ValueError, match=r"phantom shape: no layout .* smaller \(miniature\)"):
        world_of(SampleSettings(shape=(8, 32, 32), tissue=Tissue(filopodia=60)))


# -------------------------------------------------------------------------------------------------------------- samples
def test_equal_settings_give_equal_bits(samples):
    again = make_sample(small(two_samples(SMALL, seed=3)[1]))
    for name in ("image", "labels", "cells", "organelles"):
        assert np.array_equal(getattr(samples[1], name), getattr(again, name)), name
    for name in ("features", "truth"):
        for column, values in getattr(samples[1], name).items():
            assert np.array_equal(values, getattr(again, name)[column]), column


def test_volumes_have_the_declared_types(samples):
    for sample in samples:
        assert sample.image.dtype == sample.labels.dtype == np.uint8
        assert sample.cells.dtype == sample.organelles.dtype == np.uint32
        assert {v.shape for v in (sample.image, sample.labels, sample.cells, sample.organelles)} == {SMALL}
        assert sample.labels.max() < len(CLASSES)
        assert {len(v) for v in sample.truth.values()} == {SMALL[0]}
        assert list(sample.truth) == ["z", "dy_px", "dx_px", "gain", "offset", "flag"]


def test_samples_differ_in_tissue_contrast_and_noise(samples):
    first, second = samples
    assert np.mean(first.labels != second.labels) > 0.2
    contrast = [np.subtract(*np.percentile(ndimage.uniform_filter(s.image.astype(float), 7), [95, 5])) for s in samples]
    noise = [np.std(np.diff(s.image.astype(float), axis=2)) for s in samples]
    assert contrast[1] < contrast[0] and noise[1] / contrast[1] > noise[0] / contrast[0]


def test_labels_cells_and_organelles_tell_the_same(samples):
    for sample in samples:
        assert np.array_equal(sample.labels > 0, sample.cells > 0)
        assert np.array_equal(sample.labels > CELL, sample.organelles > 0)
        for i, kind, cell in zip(*(sample.features[k] for k in ("id", "kind", "cell"))):
            if kind not in ("cell", "filopodium"):
                at = sample.organelles == i
                assert (sample.labels[at] == CLASSES.index(kind)).all() and (sample.cells[at] == cell).all()


def test_a_nucleolus_lies_in_its_nucleus(samples):
    """What touches it is its nucleus, but where a fold reaches it; sections are compared one by one, since they drift."""
    for sample in samples:
        around = ndimage.binary_dilation(sample.labels == NUCLEOLUS, np.ones((1, 3, 3), bool)) & (
            sample.labels != NUCLEOLUS
        )
        assert around.any() and np.mean(sample.labels[around] == NUCLEUS) > 0.97
        nuclei = rows(sample, "nucleus")
        for i, row in rows(sample, "nucleolus").items():
            at = sample.organelles == i
            ring = ndimage.binary_dilation(at) & ~at
            beside = set(np.unique(sample.organelles[ring]).tolist())
            assert row["nucleus"] in beside and nuclei[row["nucleus"]]["cell"] == row["cell"]


def test_shares_of_the_classes_are_near_the_papers(samples):
    for sample in samples:
        share = np.bincount(sample.labels.ravel(), minlength=len(CLASSES)) / sample.labels.size
        assert 0.1 < share[NUCLEUS] + share[NUCLEOLUS] < 0.45  # 15 to 35 % in the paper
        assert 0.003 < share[NUCLEOLUS] < 0.06
        assert 0.02 < share[0] < 0.35


def test_cells_touch_in_places_without_a_gap(samples):
    for sample in samples:
        left, right = sample.cells[:, :, :-1], sample.cells[:, :, 1:]
        assert np.sum((left > 0) & (right > 0) & (left != right)) > 100


def test_features_count_what_is_in_the_volumes(samples):
    for sample in samples:
        for kind, volume in (("cell", sample.cells), ("nucleus", sample.organelles), ("lysosome", sample.organelles)):
            for i, row in rows(sample, kind).items():
                at = volume == i
                assert at.sum() == row["voxels"]
                z = np.nonzero(at)[0]
                assert z.mean() * 5 == pytest.approx(row["z_nm"])
                edge = at[0].any() or at[-1].any() or at[:, [0, -1]].any() or at[:, :, [0, -1]].any()
                assert row["touches_border"] == edge
        listed = set(rows(sample, "cell"))
        assert listed == set(np.unique(sample.cells).tolist()) - {0}


def test_islands_are_profiles_of_filopodia_apart_from_the_rest_of_their_cell(samples, worlds):
    """Counted here in another way: per cell and slice, components that hold only filopodia."""
    sample, settings = samples[0], small(two_samples(SMALL, seed=3)[0])
    world = worlds[0]
    kind, _ = object_table(world)
    expected = dict.fromkeys(rows(sample, "cell"), 0)
    for z in range(SMALL[0]):
        _, cells, objects = label_section(world, cut_section(world, *section_place(settings, sample.truth, z)))
        assert np.array_equal(cells, sample.cells[z])
        for cell in np.unique(cells[kind[objects] == FILOPODIUM]).tolist():
            parts, n = ndimage.label(cells == cell, EIGHT)
            for part in range(1, n + 1):
                expected[cell] += bool((kind[objects[parts == part]] == FILOPODIUM).all())
    assert {i: row["islands"] for i, row in rows(sample, "cell").items()} == expected
    assert sum(expected.values()) > 0
    of_filopodia = sum(row["islands"] for row in rows(sample, "filopodium").values())
    assert of_filopodia >= sum(expected.values())  # a profile of two filopodia is one of each


def test_another_microscope_leaves_the_tissue_as_it_is(worlds):
    settings = replace(small(two_samples(SMALL, seed=3)[0]), drift_sd_px=3.0, readout_sd=0.0)
    for one, other in zip(worlds[0].cells, world_of(settings).cells, strict=True):
        assert np.array_equal(one.center_nm, other.center_nm)


def test_content_lies_where_the_truth_says(samples, worlds):
    """With the drift taken back, a slice's labels are those of the section without drift, but for half a pixel."""
    settings, sample = small(two_samples(SMALL, seed=3)[1]), samples[1]
    world, z = worlds[1], 12
    dy, dx = sample.truth["dy_px"][z], sample.truth["dx_px"][z]
    assert abs(dy) + abs(dx) > 1
    still = {"dy_px": np.zeros(SMALL[0]), "dx_px": np.zeros(SMALL[0])}
    expected, _, _ = label_section(world, cut_section(world, *section_place(settings, still, z)))
    moved = ndimage.shift(sample.labels[z], (-dy, -dx), order=0, mode="nearest")
    inner = (slice(16, -16), slice(16, -16))
    assert np.mean(moved[inner] == expected[inner]) > 0.985 > np.mean(sample.labels[z][inner] == expected[inner])


# ----------------------------------------------------------------------------------------------------------------- holes
def _cube_around(world, nucleolus, step_nm):
    """Mask of one nucleolus on a fine grid around it."""
    reach = nucleolus.reach_nm
    z, y, x = (np.arange(c - reach, c + reach, step_nm) for c in nucleolus.center_nm)
    rough = np.stack([world.rough.on_slice(at, y, x) for at in z]) * 40 / world.miniature
    return nucleolus.distance(rough, z[:, None, None], y[None, :, None], x[None, None]) < 0


@pytest.mark.parametrize("which", [0, 1])
def test_closed_holes_are_closed_and_open_ones_are_not(worlds, which):
    """Filling holes of the whole nucleolus in 3D fills as many places as it has closed holes."""
    world = worlds[which]
    drawn = [n for n in world.nucleoli if len(n.closed)][:3] + [n for n in world.nucleoli if len(n.open)][:3]
    assert any(len(n.closed) for n in drawn) and any(len(n.open) for n in drawn)
    for nucleolus in drawn:
        mask = np.pad(_cube_around(world, nucleolus, 4.0), 1)
        filled = ndimage.binary_fill_holes(mask)
        assert ndimage.label(filled & ~mask)[1] == len(nucleolus.closed)
        assert filled.sum() < np.pad(_solid_cube(world, nucleolus, 4.0), 1).sum() or not len(nucleolus.open)
        for hole in nucleolus.closed:
            assert nucleolus.solid(*hole[:3]) < -hole[3] - HOLE_WALL_NM


def _solid_cube(world, nucleolus, step_nm):
    return _cube_around(world, replace(nucleolus, closed=np.zeros((0, 4)), open=np.zeros((0, 2, 4))), step_nm)


# ------------------------------------------------------------------------------------------------------------- large one
@pytest.mark.slow
def test_a_large_sample_has_20_cells_and_60_filopodia_with_known_roots():
    """By geometry alone, every eighth section."""
    settings = replace(two_samples((160, 1100, 1100), seed=2)[0], tissue=Tissue(filopodia=60))
    world = world_of(settings)
    assert len(world.filopodia) == 60
    kind, home = object_table(world)
    still = {"dy_px": np.zeros(160), "dx_px": np.zeros(160)}
    cells, threads = set(), set()
    for z in range(0, 160, 8):
        _, ids, objects = label_section(world, cut_section(world, *section_place(settings, still, z)))
        cells |= set(np.unique(ids).tolist())
        seen = np.unique(objects[kind[objects] == FILOPODIUM])
        threads |= set(seen.tolist())
        for i in seen:
            assert (ids[objects == i] == home[i]).all()
    assert len(cells - {0}) >= 20 and len(threads) >= 50
