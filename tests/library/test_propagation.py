import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from densecell import propagation
from densecell.propagation import Plan, Slice, Walk, drawn_slice, nearest_labelled, split_walk, walks
from densecell.splitting import SplitSettings, contours, near

UNLABELLED = 2**32 - 1
SETTINGS = SplitSettings(min_cell_px=50, min_body_px=50, border_px=5, snap_px=20)
IDS = np.array([30, 70], np.uint32)  # of the left and the right cell
HEIGHT, WIDTH, DRIFT = 200, 240, 3  # px; the line between the cells moves by so much in each slice


# -------------------------------------------------------------------------------------------------------------------- walks
def test_each_slice_has_the_nearest_labelled_one_and_of_two_the_lower():
    np.testing.assert_array_equal(nearest_labelled(9, [6, 2]), [2, 2, 2, 2, 2, 6, 6, 6, 6])
    np.testing.assert_array_equal(nearest_labelled(3, [1]), [1, 1, 1])
    np.testing.assert_array_equal(nearest_labelled(2, [0, 1]), [0, 1])


def test_walks_go_outward_in_both_directions():
    assert walks(9, [2, 6]) == [Walk(2, (1, 0)), Walk(2, (2, 3, 4)), Walk(6, (5,)), Walk(6, (6, 7, 8))]


@pytest.mark.parametrize("longest", [None, 1, 3, 100])
@pytest.mark.parametrize("labelled", [[0], [11], [5], [0, 11], [3, 4, 9], range(12)])
def test_walks_hold_each_slice_once_and_ascend(labelled, longest):
    found = [sorted(walk.slices) for walk in walks(12, labelled, longest)]
    assert [z for some in found for z in some] == list(range(12))
    assert longest is None or max(map(len, found)) <= longest
    served = nearest_labelled(12, labelled)
    assert all(served[z] == walk.labelled for walk in walks(12, labelled, longest) for z in walk.slices)


# ------------------------------------------------------------------------------------------------------------------ numbers
def test_ids_become_numbers_and_come_back():
    ids = np.array([[0, 30, 70, UNLABELLED]], np.uint32)
    numbers = propagation.to_numbers(ids, IDS, UNLABELLED)
    np.testing.assert_array_equal(numbers, [[0, 1, 2, 3]])
    np.testing.assert_array_equal(propagation.to_ids(numbers, IDS), [[0, 30, 70, 0]])


# ------------------------------------------------------------------------------------------------------------- combinations
def texture(width, shift):
    noise = gaussian_filter(np.random.default_rng(0).normal(size=(HEIGHT, width)), 4, mode="wrap")
    return np.clip(128 + 40 * np.roll(noise, shift, 1) / noise.std(), 0, 255).astype(np.uint8)


def line_at(z):
    """x of the line between the two cells: it moves with the texture."""
    return 100 + DRIFT * z


def stack_slice(z, boundary=True, is_left_out=False):
    """A bar of two cells without any narrow place, so that only lines tell where one ends; its texture moves with z."""
    image = texture(WIDTH, DRIFT * z)
    mask = np.zeros((HEIGHT, WIDTH), bool)
    mask[20:-20, 20:220] = True
    lines = np.zeros_like(mask)
    if boundary:
        lines[:, line_at(z) - 2 : line_at(z) + 3] = True
    return Slice(np.zeros_like(image) if is_left_out else image, mask, lines, is_left_out)


def truth(z):
    mask = stack_slice(z).mask
    return np.where(mask, np.where(np.arange(WIDTH) < line_at(z), 1, 2), 0)


def result(combination, walk=None, read=stack_slice, seeds="labelled"):
    """{z: Split} of a walk from slice 0."""
    walk = walk or Walk(0, (0, 1, 2, 3, 4, 5))
    ids = propagation.to_ids(truth(walk.labelled), IDS)
    slice_ = read(walk.labelled)
    drawn = drawn_slice(slice_.image, ids, IDS, UNLABELLED, SETTINGS, slice_.is_left_out)
    plan = Plan(combination, len(IDS) + 1, SETTINGS, seeds=seeds)
    return dict(split_walk(walk, drawn, read, plan))


def accuracy(found, z):
    """Share of the pixels around the line, of those of both cells, that have the right cell."""
    inside = (slice(20, -20), slice(60, 180))
    return (found[z].cells == truth(z))[inside].mean()


@pytest.mark.parametrize(
    ("combination", "least"),
    [("border", 0.98), ("flow", 0.97), ("overlay", 0.97), ("selective", 0.97), ("frames", 0.97)],
)
def test_every_combination_with_lines_follows_a_line_that_moves(combination, least):
    found = result(combination)
    assert [round(accuracy(found, z), 3) >= least for z in found] == [True] * 6, [accuracy(found, z) for z in found]
    assert accuracy(found, 5) > accuracy(result("mask"), 5)


def test_combinations_with_flow_need_no_boundary_to_follow():
    for combination in ("selective", "frames"):
        found = result(combination, read=lambda z: stack_slice(z, boundary=False))
        assert accuracy(found, 5) > 0.97


def test_a_walk_downward_is_the_mirror_of_one_upward():
    found = result("frames", Walk(5, (4, 3, 2, 1, 0)))
    assert list(found) == [4, 3, 2, 1, 0] and accuracy(found, 0) > 0.97


def test_overlay_and_selective_differ_where_moved_contours_run_along_a_boundary():
    # the moved contour lies 4 px beside the network's line: overlay keeps both sides of it, selective takes the network's
    def read(z):
        return stack_slice(z)._replace(image=stack_slice(0).image)

    overlay, selective = (result(name, Walk(0, (1, 2)), read) for name in ("overlay", "selective"))
    assert not np.array_equal(overlay[1].cells, selective[1].cells)
    assert accuracy(selective, 1) > accuracy(overlay, 1)


def test_selective_cuts_what_the_border_leaves_whole():
    found = result("selective", read=lambda z: stack_slice(z, boundary=False))
    border = result("border", read=lambda z: stack_slice(z, boundary=False))
    assert accuracy(found, 5) > accuracy(border, 5)


def test_flow_alone_knows_no_mask():
    def read(z):
        slice_ = stack_slice(z)
        return slice_._replace(mask=np.zeros_like(slice_.mask))

    found = result("flow", read=read)[3]
    assert (found.cells > 0).sum() > 15_000 and not found.islands.any()
    assert (found.counts["cells"], found.counts["mask_px"], found.counts["seeds"]) == (2, 0, 0)


def test_the_labelled_slice_is_split_like_any_other_without_flow():
    for combination in propagation.COMBINATIONS[1:]:
        found = result(combination)[0]
        assert found.counts["flow_px"] == 0 and accuracy({0: found}, 0) > 0.98


def test_islands_and_what_was_counted_follow_each_slice():
    def read(z):
        slice_ = stack_slice(z)
        slice_.mask[:5, :5] = z == 2
        return slice_

    found = result("overlay", read=read)
    assert [found[z].counts["islands"] for z in found] == [0, 0, 1, 0, 0, 0]
    assert found[2].islands[:5, :5].all()
    assert [round(found[z].counts["flow_px"]) for z in found] == [0, 3, 6, 9, 12, 15]
    assert [round(split.counts["flow_px"]) for split in result("frames").values()] == [0, 3, 3, 3, 3, 3]


def test_a_slice_that_is_left_out_gets_cells_unmoved_and_serves_no_other():
    def read(z):
        return stack_slice(z, boundary=False, is_left_out=z == 2)

    found, whole = result("frames", read=read), result("frames", read=lambda z: stack_slice(z, boundary=False))
    assert found[2].counts["flow_px"] == 0 and round(found[3].counts["flow_px"]) == 2 * DRIFT
    assert accuracy(found, 5) > accuracy(whole, 5) - 0.01
    assert (found[2].cells != found[1].cells).mean() < 0.01


def test_a_labelled_slice_that_is_left_out_lends_its_cells_unmoved():
    found = result("flow", Walk(0, (0, 1)), read=lambda z: stack_slice(z, is_left_out=z == 0))
    np.testing.assert_array_equal(found[1].cells, truth(0))


def test_seeds_may_follow_the_cells():
    # a cell that wanders out of reach of the seed it had in the labelled slice
    def read(z):
        slice_ = stack_slice(z, boundary=False)
        mask = np.roll(np.pad(np.ones((160, 60), bool), ((20, 20), (20, 160))), 20 * z, 1)
        return slice_._replace(image=texture(WIDTH, 20 * z), mask=mask)

    drawn = drawn_slice(read(0).image, read(0).mask.astype(np.uint32) * 30, IDS, UNLABELLED, SETTINGS)
    for seeds, expected in (("labelled", 0), ("warped", 1)):
        plan = Plan("frames", 3, SETTINGS, seeds=seeds)
        found = dict(split_walk(Walk(0, (1, 2, 3, 4, 5)), drawn, read, plan))
        assert found[5].counts["cells"] == expected


def test_what_nobody_labelled_has_no_seed_and_makes_no_line():
    ids = propagation.to_ids(truth(0), IDS)
    ids[:, 150:] = UNLABELLED
    drawn = drawn_slice(stack_slice(0).image, ids, IDS, UNLABELLED, SETTINGS)
    assert [seed.cell for seed in drawn.seeds] == [1, 2]
    lines = contours(drawn.cells, unknown=3)
    assert not lines[25:95, 149:].any() and near(lines, 0)[60, line_at(0)]
    found = dict(split_walk(Walk(0, (1,)), drawn, stack_slice, Plan("flow", 3, SETTINGS)))
    assert set(np.unique(found[1].cells)) == {0, 1, 2}


def test_a_line_does_not_wander_from_slice_to_slice():
    def read(z):
        return stack_slice(0, boundary=False)._replace(image=texture(WIDTH, 0))

    found = result("frames", Walk(0, tuple(range(12))), read)
    assert accuracy({0: found[11]}, 0) == accuracy({0: found[0]}, 0) > 0.99


@pytest.mark.parametrize("combination", ["frames", "selective"])
def test_upward_and_downward_begin_with_what_was_drawn_not_with_its_split(combination):
    def read(z):
        slice_ = stack_slice(z)
        slice_.mask[:, 110:] &= z != 2  # the right cell is missing in the mask of the labelled slice
        return slice_

    upward = result(combination, Walk(2, (2, 3, 4)), read)
    downward = result(combination, Walk(2, (1, 0)), read)
    assert min(accuracy(found, z) for found, z in [(upward, 3), (upward, 4), (downward, 1), (downward, 0)]) > 0.97
