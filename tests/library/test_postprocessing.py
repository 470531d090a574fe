import numpy as np
import pytest

from densecell.postprocessing import connected_regions, remove_small_regions

GROUPS = [0, 1, 2, 2]


def removed(rows, min_size, groups=GROUPS):
    """Clean one slice given as text rows of digits (u is unlabelled); returns the rows and the number removed."""
    slices = [rows] if isinstance(rows[0], str) else rows
    digits = [[[255 if c == "u" else int(c) for c in row] for row in plane] for plane in slices]
    cleaned, n = remove_small_regions(np.array(digits, np.uint8), groups, min_size)
    text = [["".join("u" if v == 255 else str(v) for v in row) for row in plane] for plane in cleaned]
    return (text[0] if isinstance(rows[0], str) else text), n


def test_a_speck_takes_the_label_around_it():
    assert removed(["1111", "1211", "1111"], 2) == (["1111", "1111", "1111"], 1)


def test_a_region_of_exactly_the_smallest_size_stays():
    rows = ["1111", "1221", "1111"]
    assert removed(rows, 2) == (rows, 0)
    assert removed(rows, 3) == (["1111", "1111", "1111"], 1)


def test_the_label_with_the_most_faces_wins():
    assert removed(["000", "121", "111"], 2, [0, 1, 2])[0] == ["000", "111", "111"]  # three faces of 1, one of 0
    assert removed(["000", "020", "111"], 2, [0, 1, 2])[0] == ["000", "000", "111"]


def test_of_equals_the_smaller_class_number_wins():
    assert removed(["1123333"], 2)[0] == ["1113333"]  # one face each
    assert removed(["1111", "1111", "3233", "3333"], 2)[0][2] == "3333"  # one of 1, three of 3
    assert removed(["11133", "11233", "11133"], 2)[0][1] == "11133"  # three of 1, one of 3


def test_diagonal_neighbors_are_not_connected_and_do_not_vote():
    _, sizes = connected_regions(np.array([[[2, 1], [1, 2]]], np.uint8), GROUPS)
    assert sizes.tolist() == [0, 1, 1, 1, 1]
    assert removed(["33333", "31233", "33333"], 2)[0][1] == "33333"


def test_regions_are_connected_along_z():
    plane = ["1111", "1211", "1111"]
    stack = [plane, plane, plane]
    assert removed(stack, 3) == (stack, 0)
    cleaned, n = removed(stack, 4)
    assert n == 1 and all("2" not in row for p in cleaned for row in p)


def test_small_regions_beside_each_other_are_decided_by_what_stays_and_in_no_order():
    # a core 3 inside a small granule 2: the granule takes the cell's label, then the core does
    assert removed(["11111", "12221", "12321", "12221", "11111"], 9) == (["11111"] * 5, 2)
    # two specks side by side do not vote for each other
    assert removed(["1111", "1231", "1111"], 2) == (["1111", "1111", "1111"], 2)


def test_background_is_never_removed_but_may_be_taken():
    rows = ["1111", "1011", "1111"]
    assert removed(rows, 5) == (rows, 0)
    assert removed(["0000", "0200", "0000"], 5) == (["0000", "0000", "0000"], 1)


def test_unlabelled_voxels_stay_and_do_not_vote():
    assert removed(["uuuu", "u2u1", "uuuu", "1111"], 2)[0][1] == "u2u1"
    assert removed(["uuu", "u21", "uu1", "111"], 2)[0][1] == "u11"


def test_nothing_to_hold_on_to_leaves_everything():
    assert removed(["22", "33"], 100) == (["22", "33"], 0)


def test_input_is_not_changed_and_size_zero_removes_nothing():
    labels = np.random.default_rng(0).integers(0, 4, (4, 9, 9)).astype(np.uint8)
    before = labels.copy()
    cleaned, n = remove_small_regions(labels, GROUPS, 0)
    assert n == 0 and (cleaned == labels).all()
    remove_small_regions(labels, GROUPS, 20)
    assert (labels == before).all()


@pytest.mark.parametrize("seed", range(3))
def test_regions_found_once_serve_every_size_and_large_ones_never_change(seed):
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 4, (3, 8, 8)).astype(np.uint8).repeat(2, 1).repeat(3, 2)
    found = connected_regions(labels, GROUPS)
    for min_size in (5, 20, 60):
        cleaned, _ = remove_small_regions(labels, GROUPS, min_size, found)
        assert (cleaned == remove_small_regions(labels, GROUPS, min_size)[0]).all()
        regions, sizes = found
        kept = (sizes[regions] >= min_size) | (regions == 0)
        assert (cleaned[kept] == labels[kept]).all()


def test_mirrored_labels_are_cleaned_alike():
    rng = np.random.default_rng(5)
    labels = rng.integers(0, 4, (4, 7, 9)).astype(np.uint8)
    cleaned, n = remove_small_regions(labels, GROUPS, 15)
    turned, n_turned = remove_small_regions(labels[::-1, :, ::-1], GROUPS, 15)
    assert n == n_turned and (turned[::-1, :, ::-1] == cleaned).all()
