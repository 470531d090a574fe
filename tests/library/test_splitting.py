import numpy as np
import pytest
from scipy.ndimage import binary_dilation, distance_transform_edt, gaussian_filter, label
from skimage.segmentation import watershed

from densecell.splitting import (
    Seed,
    SplitSettings,
    body_of,
    contours,
    cut_by_network,
    edge,
    find_seeds,
    flood,
    keep_contours,
    lines_of_overlap,
    near,
    place_seeds,
    split,
)

SMALL = SplitSettings(min_cell_px=20, min_body_px=30, border_px=5, snap_px=10)


def disc(shape, center, radius):
    y, x = np.indices(shape)
    return (y - center[0]) ** 2 + (x - center[1]) ** 2 <= radius**2


def two_discs(gap=0, radius=30):
    """Two discs side by side and their labels; gap below 0: they overlap, and the line between them is x = 100."""
    shape, half = (121, 200), radius + gap / 2
    left, right = (disc(shape, (60, 100 + sign * half), radius) for sign in (-1, 1))
    x = np.indices(shape)[1]
    labels = np.where(left & (x < 100), 1, np.where(right & (x >= 100), 2, 0)).astype(np.int32)
    return left | right, labels


# ----------------------------------------------------------------------------------------------------- edges and contours
def test_the_edge_lies_outside_and_touches_by_a_side():
    mask = np.zeros((5, 5), bool)
    mask[2, 2] = True
    np.testing.assert_array_equal(np.argwhere(edge(mask)), [[1, 2], [2, 1], [2, 3], [3, 2]])


def test_contours_lie_on_both_sides_of_a_border_and_not_at_the_edge_of_the_slice():
    labels = np.repeat([[1, 1, 1, 2, 2, 2, 0]], 3, axis=0)
    np.testing.assert_array_equal(contours(labels), np.repeat([[0, 0, 1, 1, 0, 1, 0]], 3, axis=0))
    assert not contours(np.ones((4, 4), int)).any()


def test_nothing_is_a_contour_beside_what_nobody_labelled():
    labels = np.array([[1, 1, 9, 9, 2, 3]])
    np.testing.assert_array_equal(contours(labels, unknown=9), [[0, 0, 0, 0, 1, 1]])


@pytest.mark.parametrize("distance", [0, 1, 2.5, 5])
def test_near_is_a_dilation_with_a_disc(distance):
    mask = np.random.default_rng(0).random((60, 70)) > 0.995
    reach = int(distance)
    y, x = np.mgrid[-reach : reach + 1, -reach : reach + 1]
    np.testing.assert_array_equal(near(mask, distance), binary_dilation(mask, y**2 + x**2 <= distance**2))
    assert not near(np.zeros((5, 5), bool), distance).any()


# ------------------------------------------------------------------------------------------------------------------- seeds
def test_a_disc_has_its_seed_in_the_middle():
    labels = np.where(disc((50, 60), (20, 30), 10), 7, 0)
    assert find_seeds(labels, 20) == [Seed(20, 30, 7, int((labels == 7).sum()))]


def test_a_bent_cell_has_its_seed_inside():
    labels = np.zeros((60, 60), int)
    labels[5:50, 5:15] = labels[40:50, 5:55] = labels[5:50, 45:55] = 3  # a U, whose centroid lies outside
    y, x = np.argwhere(labels == 3).mean(axis=0).round().astype(int)
    (seed,) = find_seeds(labels, 20)
    assert labels[y, x] == 0 and labels[seed.y, seed.x] == 3


def test_pieces_of_a_cell_have_seeds_of_their_own_if_they_are_large():
    labels = np.zeros((40, 80), int)
    labels[5:25, 5:25], labels[5:25, 40:50], labels[30:34, 60:64] = 1, 1, 1
    assert [(s.y, s.x, s.cell) for s in find_seeds(labels, 20)] == [(9, 44, 1), (14, 14, 1)]
    assert [s.x for s in find_seeds(labels, 10_000)] == [14], "the largest piece always counts"


def test_a_bridge_of_two_pixels_is_taken_off_first():
    labels = np.zeros((30, 60), int)
    labels[5:25, 5:25] = labels[5:25, 30:50] = labels[14:16, 25:30] = 4
    assert len(find_seeds(labels, 20)) == 2


def test_cells_that_touch_have_a_seed_each_and_what_nobody_labelled_has_none():
    _, labels = two_discs(-8)
    labels[:20] = 9
    seeds = find_seeds(labels, 20, unknown=9)
    assert [s.cell for s in seeds] == [1, 2] and all(labels[s.y, s.x] == s.cell for s in seeds)


def test_a_cell_of_a_line_has_no_seed_and_an_empty_slice_none_at_all():
    labels = np.zeros((20, 20), int)
    labels[5, 3:17] = 1
    assert find_seeds(labels, 1) == [] and find_seeds(np.zeros((20, 20), int), 1) == []


def placed(seeds, mask, body=None, snap_px=10):
    return place_seeds(seeds, mask, mask if body is None else body, snap_px)


def test_seeds_outside_of_the_mask_go_to_its_nearest_pixel_or_are_dropped():
    mask = np.zeros((40, 40), bool)
    mask[:, 20:] = True
    found, counts = placed([Seed(5, 10, 1, 50), Seed(7, 9, 2, 50), Seed(9, 30, 3, 50)], mask)
    assert {at: seed.cell for at, seed in found.items()} == {(5, 20): 1, (9, 30): 3}
    assert (counts["seeds_moved"], counts["seeds_outside"]) == (1, 1)


def test_of_two_seeds_at_one_pixel_that_of_the_larger_cell_stays():
    mask = np.zeros((20, 20), bool)
    mask[10, 10] = True
    seeds = [Seed(10, 8, 1, 50), Seed(10, 12, 2, 70), Seed(9, 10, 2, 70)]
    found, counts = placed(seeds, mask)
    assert {at: seed.cell for at, seed in found.items()} == {(10, 10): 2} and counts["seeds_covered"] == 1
    assert placed(seeds[::-1], mask)[0] == found


def test_a_seed_in_an_island_waits_for_tracking():
    mask = np.zeros((40, 40), bool)
    mask[2:30, 2:30], mask[34:38, 34:38] = True, True
    found, counts = placed([Seed(35, 35, 1, 50)], mask, body_of(mask, 30))
    assert found == {} and counts["seeds_in_islands"] == 1


# ------------------------------------------------------------------------------------------------------------------- splits
def test_two_touching_discs_are_split_within_two_pixels_of_the_true_line():
    mask, labels = two_discs(-6)
    found = split(mask, mask, find_seeds(labels, 20), SMALL)
    wrong = (found.cells != labels) & mask
    assert set(np.unique(found.cells[mask])) == {1, 2}
    assert np.abs(np.argwhere(wrong)[:, 1] - 99.5).max(initial=0) <= 2
    assert not found.islands.any()


def test_lines_decide_where_the_distance_alone_would_not():
    mask = np.zeros((40, 200), bool)
    mask[10:30, 10:190] = True  # one bar, in which nothing is narrow
    seeds = [Seed(20, 40, 1, 100), Seed(20, 160, 2, 100)]
    cut = mask.copy()
    cut[:, 60] = False
    found = split(mask, cut, seeds, SMALL)
    assert (found.cells[15:25, 10:60] == 1).all() and (found.cells[15:25, 61:190] == 2).all()
    assert (found.cells[mask] > 0).all(), "pixels of the line are shared out"


def test_small_pieces_and_pieces_without_a_seed_are_islands():
    mask, labels = two_discs(-6)
    mask[2:6, 2:6] = True  # 16 px
    mask[2:12, 180:190] = True  # 100 px, without a seed
    found = split(mask, mask, find_seeds(labels, 20), SMALL)
    np.testing.assert_array_equal(np.unique(label(found.islands)[0], return_counts=True)[1][1:], [16, 100])
    assert not (found.islands & (found.cells > 0)).any() and ((found.cells > 0) | found.islands)[mask].all()
    assert (found.counts["islands"], found.counts["island_px"]) == (2, 116)
    assert (found.counts["unseeded"], found.counts["unseeded_px"]) == (1, 100)
    assert (found.counts["cells"], found.counts["cell_px"]) == (2, int((labels > 0).sum()))


def test_several_seeds_of_a_cell_make_one_cell():
    mask = np.zeros((40, 120), bool)
    mask[10:30, 5:115] = True
    found = split(mask, mask, [Seed(20, 20, 5, 9), Seed(20, 100, 5, 9)], SMALL)
    assert (found.cells[mask] == 5).all() and found.counts["cells"] == 1


def test_without_seeds_or_without_a_mask_there_are_no_cells():
    mask, labels = two_discs(-6)
    found = split(mask, mask, [], SMALL)
    assert not found.cells.any() and (found.islands == mask).all() and found.counts["unseeded"] == 1
    empty = np.zeros_like(mask)
    found = split(empty, empty, find_seeds(labels, 20), SMALL)
    assert not found.cells.any() and not found.islands.any() and found.counts["seeds_outside"] == 2


def test_pieces_that_hang_together_by_a_corner_are_one():
    mask = np.zeros((40, 40), bool)
    mask[5:20, 5:20] = mask[20:35, 20:35] = True
    found = split(mask, mask, [Seed(10, 10, 1, 9)], SMALL)
    assert (found.cells[mask] == 1).all()


# -------------------------------------------------------------------------------------------------------------------- lines
def test_outer_contours_of_the_network_cut_nothing():
    mask, _ = two_discs(4)
    ring = near(edge(mask), 2)
    np.testing.assert_array_equal(cut_by_network(mask, ring, 5), mask)
    np.testing.assert_array_equal(cut_by_network(mask, np.zeros_like(mask), 5), mask)


def test_a_line_of_the_network_between_two_cells_cuts_by_its_middle():
    mask = np.zeros((60, 100), bool)
    mask[5:55, 5:95] = True
    boundary = np.zeros_like(mask)
    boundary[:, 38:43] = True
    removed = mask & ~cut_by_network(mask, boundary, 5)
    assert set(np.argwhere(removed)[:, 1]) == {40} and removed[20:40, 40].all()
    distance = distance_transform_edt(~edge(mask))
    assert (distance[removed] > 5).all()


@pytest.mark.parametrize("where", ["edges", "seeds"])
def test_separated_cells_are_left_as_they_are(where):
    mask, labels = two_discs(4)
    settings = SplitSettings(20, 30, 5, 10, where)
    assert not lines_of_overlap(mask, labels, find_seeds(labels, 20), settings).any()


@pytest.mark.parametrize("where", ["edges", "seeds"])
def test_contours_through_connected_foreground_cut(where):
    mask, labels = two_discs(-30, 40)
    lines = lines_of_overlap(mask, labels, find_seeds(labels, 20), SplitSettings(20, 30, 5, 10, where))
    at = np.argwhere(lines)
    assert lines[50:70, 98:102].any(axis=1).all()
    if where == "edges":
        assert np.abs(at[:, 1] - 99.5).max() <= 6


def test_a_moved_cell_that_only_grazes_another_makes_no_region_of_overlap():
    mask = np.zeros((60, 100), bool)
    mask[5:55, 5:95] = True
    moved = np.where(mask, 1, 0)
    moved[5:55, 93:95] = 2  # 2 of 90 columns
    settings = SplitSettings(20, 30, 5, 10, "seeds")
    seeds = [Seed(30, 40, 1, 99)]
    assert not lines_of_overlap(mask, moved, seeds, settings).any()
    assert lines_of_overlap(mask, moved, [*seeds, Seed(30, 94, 2, 99)], settings).any()


def test_contours_stay_with_their_cell_where_it_is_beside_them():
    moved = np.array([[1, 1, 1, 2, 2, 2]])
    lines = np.array([[0, 0, 1, 1, 0, 0]], bool)
    for reached in ([1, 1, 1, 1, 2, 2], [1, 1, 2, 2, 2, 2], [1, 1, 2, 1, 2, 2]):
        np.testing.assert_array_equal(keep_contours(np.array([reached]), lines, moved), moved)
    alone = np.array([[3, 3, 3, 3, 0, 0]])  # neither of the two cells is here
    np.testing.assert_array_equal(keep_contours(alone.copy(), lines, moved), alone)


# --------------------------------------------------------------------------------------------------------------------- floods
@pytest.mark.parametrize("seed", range(6))
def test_a_flood_is_a_watershed_but_for_pixels_of_equal_height(seed):
    rng = np.random.default_rng(seed)
    field = gaussian_filter(rng.normal(size=(300, 400)), 12)
    body = field > np.quantile(field, 0.35)
    height = distance_transform_edt(body).astype(np.float32)
    if seed % 2:  # no two pixels of one height: no exception
        height += gaussian_filter(rng.normal(size=height.shape), 1).astype(np.float32) * body
    at = rng.permutation(np.argwhere(body))[:12]
    seeds = {(int(y), int(x)): int(i % 9) + 1 for i, (y, x) in enumerate(at)}  # some cells have two seeds
    markers = np.zeros(body.shape, np.int32)
    for place, cell in seeds.items():
        markers[place] = cell
    expected = watershed(-height, markers, mask=body, connectivity=2)
    found = flood(height, seeds, body)
    assert ((found > 0) == (expected > 0)).all()
    assert (found == expected).all() if seed % 2 else (found == expected).mean() > 0.99


def test_seeds_on_a_line_or_beside_each_other_flood_too():
    body = np.ones((40, 60), bool)
    height = np.full(body.shape, 50, np.float32)
    height[:, 30] = 0
    found = flood(height, {(20, 30): 1, (20, 10): 2, (20, 50): 3, (20, 51): 4}, body)
    assert (found[20, [10, 30, 50, 51]] == [2, 1, 3, 4]).all() and (found[:, :30] == 2).all() and (found > 0).all()
