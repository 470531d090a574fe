import numpy as np
import pytest
from scipy import ndimage
from skimage.morphology import local_maxima, reconstruction

from densecell.watershed import (
    Neighborhood,
    coarsening,
    cut,
    distance_to_border,
    forward_offsets,
    is_too_thin,
    merge_shallow,
    passes,
    smoothed,
    structure_of,
)

CORNERS = structure_of(26)


def balls(shape, centers, radius, spacing=(1, 1, 1)):
    grid = np.indices(shape).reshape(3, -1).T * np.array(spacing)
    near = [np.linalg.norm(grid - np.array(c) * spacing, axis=1) <= radius for c in centers]
    return np.any(near, axis=0).reshape(shape)


# By hand


@pytest.mark.parametrize("connectivity", [6, 18, 26])
def test_structures_have_so_many_neighbors_and_half_of_them_lie_ahead(connectivity):
    assert structure_of(connectivity).sum() == connectivity + 1
    assert len(forward_offsets(structure_of(connectivity))) == connectivity // 2


def test_two_peaks_stay_one_where_the_way_falls_by_less_than_the_depth():
    heights = np.array([[[1, 5, 3, 4, 1]]], np.float32)  # from 4 the way to 5 falls by 1
    mask = np.ones(heights.shape, bool)
    assert cut(mask, heights, 1.5, CORNERS).max() == 1
    assert cut(mask, heights, 1.0, CORNERS).max() == 2
    assert cut(mask, heights, 0.5, CORNERS)[0, 0, [0, 1, 3, 4]].tolist() == [1, 1, 2, 2]


def test_a_small_peak_joins_over_its_highest_pass():
    basins = np.array([[[1, 2, 3]]], np.int32)
    pairs, heights = np.array([[1, 2], [2, 3]]), np.array([4.0, 5.0])
    merged = merge_shallow(basins, np.array([9.0, 6.0, 8.0]), pairs, heights, min_depth=2)
    assert merged.ravel().tolist() == [1, 2, 2]


def test_passes_are_the_highest_way_between_two_basins():
    basins = np.array([[[1, 1, 2], [1, 3, 2]]], np.int32)
    height = np.array([[[9, 4, 7], [5, 6, 8]]], np.float32)
    pairs, heights = passes(basins, height, Neighborhood(basins > 0, CORNERS))
    assert pairs.tolist() == [[1, 2], [1, 3], [2, 3]] and heights.tolist() == [4, 6, 6]


def test_a_plateau_is_one_object_even_with_depth_zero():
    heights = np.array([[[1, 3, 3, 2, 2, 1, 2]]], np.float32)
    assert cut(np.ones(heights.shape, bool), heights, 0, CORNERS).max() == 2


def test_distance_is_in_nm_and_the_end_of_the_volume_is_no_border():
    mask = np.zeros((3, 1, 5), bool)
    mask[:2, 0, :4] = True  # begins with the volume in z and x, ends inside it
    distance = distance_to_border(mask, (50, 10, 10))
    assert distance[0, 0, :5].tolist() == [40, 30, 20, 10, 0]
    assert np.isinf(distance_to_border(np.ones((2, 2, 2), bool), (1, 1, 1))).all()
    assert cut(np.ones((2, 2, 2), bool), np.full((2, 2, 2), np.inf), 1, CORNERS).max() == 1


def test_smoothing_is_in_nm():
    height = np.zeros((9, 9, 41), np.float32)
    height[4, 4, 20] = 1
    wide = smoothed(height, 20, (50, 50, 10))
    np.testing.assert_allclose(wide[4, 4, 22] / wide[4, 4, 20], np.exp(-0.5), rtol=1e-5)
    assert smoothed(height, 0, (50, 50, 10)) is height


def test_too_thin_counts_the_ends_of_the_volume():
    assert is_too_thin((3, 50, 50), (50, 10, 10), (0, 0, 0), 101)  # at most 2 slices of 50 nm from the border
    assert not is_too_thin((3, 50, 50), (50, 10, 10), (0, 0, 0), 100)
    assert is_too_thin((3, 50, 50), (50, 10, 10), (1, 0, 0), 151) and not is_too_thin(
        (3, 50, 50), (50, 10, 10), (1, 0, 0), 150
    )
    assert not is_too_thin((3, 50, 50), (50, 10, 10), (2, 0, 0), 200)


def test_coarsening_doubles_the_finest_axis_and_fits():
    assert coarsening((10, 100, 100), (50, 10, 10), 2**25) == (1, 1, 1)
    factors = coarsening((1000, 4000, 6000), (50, 10, 10), 2**25)
    assert factors == (4, 16, 16) or factors[0] < factors[2]
    assert np.prod([n // f for n, f in zip((1000, 4000, 6000), factors)]) <= 2**25
    assert coarsening((2, 2, 2), (1, 1, 1), 1) == (2, 2, 2)  # no smaller box than blocks of all of it


# Properties


@pytest.mark.parametrize("spacing", [(1, 1, 1), (5, 1, 1)])
def test_two_balls_that_touch_are_cut_in_the_plane_between_them(spacing):
    shape = tuple(int(n / s) for n, s in zip((25, 25, 41), spacing))
    centers = [(12 / spacing[0], 12, 12), (12 / spacing[0], 12, 28)]
    mask = balls(shape, centers, 9, spacing)
    assert ndimage.label(mask, CORNERS)[1] == 1
    pieces = cut(mask, distance_to_border(np.pad(mask, 1), spacing)[1:-1, 1:-1, 1:-1], 2, CORNERS)
    assert pieces.max() == 2 and ((pieces > 0) == mask).all()
    assert set(pieces[..., :20][mask[..., :20]]) == {1} and set(pieces[..., 21:][mask[..., 21:]]) == {2}


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("depth", [1, 3, 8])
def test_as_many_objects_as_maxima_of_that_dynamic(seed, depth):
    rng = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(rng.normal(size=(12, 16, 16)), 1.2)
    heights = np.round(np.interp(field, (field.min(), field.max()), (1, 40))).astype(np.int32)
    lowered = reconstruction(
        heights - depth + 0.5, heights, "dilation", footprint=CORNERS
    )  # 0.5: heights are whole numbers
    known = ndimage.label(local_maxima(lowered, footprint=CORNERS), CORNERS)[1]
    mask = np.ones(heights.shape, bool)
    assert cut(mask, heights.astype(np.float32), depth, CORNERS).max() == known
    assert cut(mask, heights.astype(np.float32), 40, CORNERS).max() == 1


def test_objects_are_connected_and_fill_the_mask():
    rng = np.random.default_rng(3)
    mask = ndimage.gaussian_filter(rng.normal(size=(20, 40, 40)), 2) > 0
    mask = ndimage.label(mask, CORNERS)[0] == 1
    pieces = cut(mask, distance_to_border(mask, (2, 1, 1)), 0.5, CORNERS)
    assert ((pieces > 0) == mask).all() and pieces.max() > 3
    for number in range(1, pieces.max() + 1):
        assert ndimage.label(pieces == number, CORNERS)[1] == 1
