import numpy as np
import pytest

from densecell import boundaries
from densecell.boundaries import SUMS, border_of, boundary_rows, compare, narrow_gaps, pieces

PIXEL_NM = (10, 10)


def line(text):
    """One row of voxels: # is foreground, . background."""
    return np.array([[c == "#" for c in text]])


def measures(reference, predicted, tolerance_nm=0, gap_nm=20, valid=None):
    """{measure: value} of slices given as lists of (Y, X) bool arrays."""
    total = np.zeros(len(SUMS))
    for known, seen in zip(reference, predicted):
        ok = np.ones(known.shape, bool) if valid is None else valid
        maps = [pieces(plane, ok, gap_nm, PIXEL_NM) for plane in (known, seen)]
        total += compare(*maps, tolerance_nm)
    return {measure: value for _, measure, value, _ in boundary_rows(total)}


def test_equal_maps_agree_in_everything():
    plane = line("##..###..#")
    found = measures([plane], [plane])
    assert found == {
        "vi_split": 0,
        "vi_merge": 0,
        "boundary_precision": 1,
        "boundary_recall": 1,
        "boundary_f1": 1,
        "gap_precision": 1,
        "gap_recall": 1,
        "gap_voxels": 4,
    }


def test_an_object_cut_in_two_has_split_and_no_merge():
    found = measures([line("#####")], [line("##.##")])
    # five voxels: two left, two right, and the missed one as an object of its own
    assert found["vi_split"] == pytest.approx(2 * 0.4 * np.log2(2.5) + 0.2 * np.log2(5))
    assert found["vi_merge"] == 0


def test_two_objects_that_grow_together_are_one_bit_of_merge():
    found = measures([line("##.##")], [line("#####")])
    assert (found["vi_split"], found["vi_merge"]) == (0, 1)
    assert found["gap_recall"] == 0 and found["gap_voxels"] == 1
    assert np.isnan(found["gap_precision"])


def test_nothing_predicted_is_the_worst_merge_and_not_perfect():
    found = measures([line("##.##")], [line(".....")])
    assert (found["vi_split"], found["vi_merge"]) == (0, 1)
    assert found["boundary_f1"] == 0 and found["gap_recall"] == 1


def test_slices_are_weighted_with_their_foreground_and_objects_do_not_cross_them():
    merged, whole = measures([line("##.##")], [line("#####")]), measures([line("#####")], [line("#####")])
    both = measures([line("##.##"), line("#####")], [line("#####"), line("#####")])
    assert both["vi_merge"] == pytest.approx((4 * merged["vi_merge"] + 5 * whole["vi_merge"]) / 9)


def test_pooling_equals_the_information_of_all_slices_with_objects_of_their_own():
    from skimage.metrics import variation_of_information

    rng = np.random.default_rng(0)
    known, seen = rng.random((2, 4, 12, 9)) < 0.6
    found = measures(known, seen)
    apart = []
    for volume in (known, seen):
        offset, labels = 0, []
        for plane in volume:
            components = pieces(plane, np.ones_like(plane), 20, PIXEL_NM).components
            labels.append(components + offset)
            offset += components.max() + 1
        apart.append(np.stack(labels))
    split, merge = variation_of_information(apart[0][known], apart[1][known])
    assert (found["vi_split"], found["vi_merge"]) == pytest.approx((split, merge))


def test_border_lies_in_the_foreground_and_not_at_the_edge_nor_beside_unlabelled_voxels():
    plane, valid = line("##..##"), np.array([[1, 1, 1, 0, 1, 1]], bool)
    assert border_of(plane, np.ones_like(valid)).tolist() == [[False, True, False, False, True, False]]
    assert border_of(plane, valid).tolist() == [[False, True, False, False, False, False]]
    assert not border_of(np.ones((3, 3), bool), np.ones((3, 3), bool)).any()


def test_a_border_exactly_at_the_tolerance_agrees():
    reference, predicted = line("####......"), line("#######...")
    assert measures([reference], [predicted], tolerance_nm=30)["boundary_f1"] == 1
    assert measures([reference], [predicted], tolerance_nm=29.9)["boundary_f1"] == 0


def test_boundary_f1_is_the_harmonic_mean_of_precision_and_recall():
    reference, predicted = line("##......##"), line("##........")
    found = measures([reference], [predicted], tolerance_nm=10)
    assert (found["boundary_precision"], found["boundary_recall"]) == (1, 0.5)
    assert found["boundary_f1"] == pytest.approx(2 / 3)


def test_gaps_are_background_near_two_different_components_only():
    components = np.array([[1, 1, 0, 2, 0, 0, 0, 0, 0, 0, 0, 3]])
    valid = np.ones(components.shape, bool)
    assert np.flatnonzero(narrow_gaps(components, valid, 20, PIXEL_NM)).tolist() == [2]
    assert np.flatnonzero(narrow_gaps(components, valid, 40, PIXEL_NM)).tolist() == [2, 4, 5, 7]  # 4 and 5 near 1 and 2
    notch = np.array([[1, 0, 1], [1, 1, 1]])
    assert not narrow_gaps(notch, np.ones(notch.shape, bool), 50, PIXEL_NM).any()
    valid[0, 2] = False
    assert not narrow_gaps(components, valid, 20, PIXEL_NM).any()


def test_gap_distances_are_in_nanometers_of_each_axis():
    components = np.zeros((5, 1), int)
    components[0], components[4] = 1, 2
    valid = np.ones(components.shape, bool)
    assert narrow_gaps(components, valid, 20, (10, 10)).sum() == 1
    assert narrow_gaps(components, valid, 20, (20, 10)).sum() == 0


def test_gap_precision_counts_gaps_that_cut_through_a_cell():
    found = measures([line("##.####")], [line("##.##.#")])
    assert found["gap_recall"] == 1 and found["gap_precision"] == 0.5


def test_unlabelled_voxels_count_nowhere():
    valid = np.array([[1, 1, 1, 1, 1, 0, 0]], bool)
    found = measures([line("##.##..")], [line("##.####")], valid=valid)
    assert found["boundary_f1"] == found["gap_recall"] == 1 and found["vi_split"] == found["vi_merge"] == 0


def test_empty_maps_have_no_scores():
    found = measures([line("....")], [line("....")])
    assert found.pop("gap_voxels") == 0
    assert all(np.isnan(value) for value in found.values())


def test_names_of_the_sums_are_those_of_the_vector():
    one = pieces(line("#.#"), np.ones((1, 3), bool), 10, PIXEL_NM)
    assert boundaries.compare(one, one, 0).tolist() == [2, 0, 0, 2, 2, 2, 2, 1, 1, 1, 1]
