import tracemalloc

import numpy as np
import pytest

from densecell.volume_fractions import (
    LABELLED_TISSUE,
    PREDICTED_CELL,
    REFERENCE_CELL,
    count_labels,
    counts_in_shells,
    counts_near_reference,
    dilate_mask,
    fractions_of_counts,
    fractions_table,
    margin_shells,
    shells_of_reference,
    volume_fractions,
)

GROUPS = [0, 1, 2]
NAMES = ["background", "cell", "mitochondrion"]
VOXEL_NM = (50, 10, 10)
KEYS = {"volume": "v", "region": "test", "reference": "expert", "experiment": "main", "predictor": "top2"}


def point(shape, at):
    mask = np.zeros(shape, bool)
    mask[at] = True
    return mask


def value(table, class_name, measure):
    return table.set_index(["class", "measure"])["value"][class_name, measure]


# By hand


def test_100_nm_reach_two_planes_and_ten_pixels_inclusive():
    dilated = dilate_mask(point((7, 31, 31), (3, 15, 15)), 100, VOXEL_NM)
    assert np.flatnonzero(dilated[:, 15, 15]).tolist() == [1, 2, 3, 4, 5]
    assert np.flatnonzero(dilated[3, :, 15]).tolist() == list(range(5, 26))
    assert dilated[3, 21, 23] and not dilated[3, 21, 24]  # 60 and 80 nm are 100 nm apart; 60 and 90 are not
    assert dilated[1].sum() == 1  # two planes away is exactly 100 nm


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("margin_nm", [0, 49, 50, 75, 120])
def test_dilation_equals_the_distance_of_all_pairs(seed, margin_nm):
    shape = (5, 12, 14)
    rng = np.random.default_rng(seed)
    mask = np.zeros(shape, bool)
    mask[:, 3:9, 2:8] = rng.random((5, 6, 6)) < 0.03
    grid = np.indices(shape).reshape(3, -1).T * np.array(VOXEL_NM)
    distance_nm = np.linalg.norm(grid[:, None] - grid[mask.ravel()][None], axis=-1)
    expected = (distance_nm.min(axis=1) <= margin_nm + 1e-6).reshape(shape)
    np.testing.assert_array_equal(dilate_mask(mask, margin_nm, VOXEL_NM), expected)


def test_shells_tell_the_narrowest_margin():
    (shells,) = margin_shells([np.array([[True, False, False, False, False]])], [0, 10, 30], VOXEL_NM)
    assert shells.tolist() == [[0, 1, 2, 2, 3]]


@pytest.mark.parametrize("margins_nm", [[], [20, 10], [10, 10], [-1, 3]])
def test_margins_that_do_not_increase_are_refused(margins_nm):
    with pytest.raises(ValueError, match="margin_nm: expected increasing distances >= 0 nm"):
        list(margin_shells(np.zeros((1, 2, 2), bool), margins_nm, VOXEL_NM))


def test_a_mask_that_is_no_stack_is_refused():
    with pytest.raises(ValueError, match=r"\(Z, Y, X\) mask"):
        dilate_mask(np.zeros((2, 2), bool), 10, VOXEL_NM)


def test_an_empty_mask_stays_empty_and_the_input_is_left_alone():
    assert not dilate_mask(np.zeros((2, 3, 3), bool), 100, VOXEL_NM).any()
    mask = point((1, 5, 5), (0, 2, 2))
    dilate_mask(mask, 20, VOXEL_NM)
    assert mask.sum() == 1


@pytest.mark.parametrize("margin_nm, voxel_size_nm", [(-1, VOXEL_NM), (np.nan, VOXEL_NM), (10, (50, 0, 10))])
def test_margins_and_voxel_sizes_without_a_meaning_are_refused(margin_nm, voxel_size_nm):
    with pytest.raises(ValueError, match="expected"):
        dilate_mask(np.zeros((1, 2, 2), bool), margin_nm, voxel_size_nm)


def test_fraction_is_the_share_of_voxels_that_are_not_background():
    counts, fractions = volume_fractions(np.array([[[0, 0, 0, 1, 1, 1, 2, 255]]], np.uint8), GROUPS)
    assert counts.tolist() == [3, 3, 1]
    np.testing.assert_allclose(fractions, [np.nan, 0.75, 0.25])


def test_nothing_but_background_has_no_fraction():
    assert np.isnan(fractions_of_counts([5, 0, 0], GROUPS)).all()


def test_invalid_voxels_and_voxels_outside_the_mask_are_not_counted():
    labels = np.array([[[1, 2, 2, 2]]], np.uint8)
    mask, valid = np.array([[[1, 1, 1, 0]]], bool), np.array([[[1, 1, 0, 1]]], bool)
    assert volume_fractions(labels, GROUPS, mask, valid)[0].tolist() == [0, 1, 1]


def test_organelles_of_a_neighbor_count_only_once_the_margin_reaches_them():
    reference = np.zeros((1, 3, 30), np.uint8)
    reference[:, :, :5] = 1
    predicted = reference.copy()
    predicted[0, 1, 2] = 2
    predicted[0, 1, 8] = 2  # 40 nm from the reference cell
    predicted[0, 1, 14] = 2  # exactly 100 nm
    predicted[0, 1, 15] = 2
    counts = counts_near_reference(reference, predicted, GROUPS, VOXEL_NM)
    assert {margin: c[2] for margin, c in counts.items()} == {50: 2, 100: 3, 200: 4}
    assert all(c[1] == 14 for c in counts.values())


def test_voxels_the_reference_leaves_unlabelled_are_not_counted_in_the_prediction():
    reference = np.array([[[1, 1, 255, 0]]], np.uint8)
    predicted = np.array([[[1, 2, 2, 2]]], np.uint8)
    assert counts_near_reference(reference, predicted, GROUPS, VOXEL_NM, [50])[50].tolist() == [0, 1, 2]


def test_labels_without_a_class_are_refused_unless_they_are_not_read():
    slab = np.array([[[1, 3]]], np.uint8)
    with pytest.raises(ValueError, match=r"0 to 2, found \[3\]"):
        count_labels(slab, 3)
    assert count_labels(slab, 3, np.array([[[True, False]]])).tolist() == [0, 1, 0]


@pytest.mark.parametrize("argument", ["cell_mask", "valid"])
def test_a_mask_of_another_shape_is_refused(argument):
    with pytest.raises(ValueError, match=argument):
        volume_fractions(np.zeros((1, 2, 2), np.uint8), GROUPS, **{argument: np.ones((1, 2, 1), bool)})


def test_table_of_fractions_and_volumes():
    table = fractions_table(np.array([100, 30, 10]), NAMES, GROUPS, VOXEL_NM, PREDICTED_CELL, margin_nm=100, **KEYS)
    assert list(table.columns) == [*KEYS, "margin_nm", "denominator", "class", "measure", "value", "unit"]
    assert set(table["class"]) == {"cell", "mitochondrion", "all"}
    assert value(table, "mitochondrion", "volume_fraction") == 0.25
    assert value(table, "mitochondrion", "volume_um3") == pytest.approx(10 * 5000e-9)  # 50 * 10 * 10 nm3
    assert value(table, "all", "volume_um3") == pytest.approx(40 * 5000e-9)
    assert set(table["margin_nm"]) == {100.0} and set(table["denominator"]) == {PREDICTED_CELL}
    assert dict(zip(table["measure"], table["unit"])) == {"volume_fraction": "1", "volume_um3": "um3"}


def test_a_prediction_without_a_reference_is_marked_as_labelled_tissue():
    table = fractions_table([0, 1, 1], NAMES, GROUPS, VOXEL_NM, LABELLED_TISSUE, **(KEYS | {"reference": ""}))
    assert set(table["denominator"]) == {LABELLED_TISSUE} and table["margin_nm"].isna().all()


def test_a_margin_belongs_to_the_prediction_alone():
    with pytest.raises(ValueError, match="margin_nm"):
        fractions_table([0, 1, 1], NAMES, GROUPS, VOXEL_NM, PREDICTED_CELL, **KEYS)
    with pytest.raises(ValueError, match="margin_nm"):
        fractions_table([0, 1, 1], NAMES, GROUPS, VOXEL_NM, REFERENCE_CELL, margin_nm=50, **KEYS)
    with pytest.raises(ValueError, match="denominator"):
        fractions_table([0, 1, 1], NAMES, GROUPS, VOXEL_NM, "whole volume", **KEYS)


# Properties


@pytest.mark.parametrize("seed", range(3))
def test_counts_of_slabs_add_up_and_fractions_add_up_to_1(seed):
    rng = np.random.default_rng(seed)
    labels = rng.choice([0, 1, 2, 255], (6, 5, 7)).astype(np.uint8)
    counts, fractions = volume_fractions(labels, GROUPS)
    np.testing.assert_array_equal(count_labels(labels[:2], 3) + count_labels(labels[2:], 3), counts)
    assert counts.sum() == (labels != 255).sum()
    assert np.nansum(fractions) == pytest.approx(1)


@pytest.mark.parametrize("seed", range(3))
def test_a_wider_margin_never_counts_less_and_all_lie_between_cell_and_volume(seed):
    rng = np.random.default_rng(seed)
    reference = (rng.random((4, 9, 9)) < 0.02).astype(np.uint8)
    predicted = rng.integers(0, 3, reference.shape).astype(np.uint8)
    counts = counts_near_reference(reference, predicted, GROUPS, VOXEL_NM, [0, 20, 60, 1000])
    totals = np.array(list(counts.values()))
    assert (np.diff(totals, axis=0) >= 0).all()
    np.testing.assert_array_equal(totals[0], count_labels(predicted, 3, reference > 0))
    np.testing.assert_array_equal(totals[-1], count_labels(predicted, 3))


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("margins_nm", [[0], [30], [0, 12, 50, 75, 130]])
@pytest.mark.parametrize("voxel_size_nm", [(50, 10, 10), (8, 8, 8), (4.5, 11, 30)])
def test_streamed_shells_equal_the_dilation_by_each_margin(voxel_size_nm, margins_nm, threads):
    mask = np.random.default_rng(3).random((9, 11, 12)) < 0.01
    mask[4] = False  # an empty plane within reach of others
    shells = np.stack(list(margin_shells(iter(mask), margins_nm, voxel_size_nm, threads)))
    grid = np.indices(mask.shape).reshape(3, -1).T * np.array(voxel_size_nm)
    distance_nm = np.linalg.norm(grid[:, None] - grid[mask.ravel()][None], axis=-1).min(axis=1).reshape(mask.shape)
    for i, margin_nm in enumerate(margins_nm):
        np.testing.assert_array_equal(shells <= i, distance_nm <= margin_nm + 1e-6)
        np.testing.assert_array_equal(shells <= i, dilate_mask(mask, margin_nm, voxel_size_nm))


@pytest.mark.parametrize("depth", [1, 2, 5, 7])
@pytest.mark.parametrize("voxel_size_nm", [(50, 10, 10), (8, 8, 8)])
def test_counts_streamed_over_slabs_equal_those_of_the_whole(voxel_size_nm, depth):
    rng = np.random.default_rng(depth)
    reference = (rng.random((7, 20, 21)) < 0.01).astype(np.uint8) * 2
    reference[rng.random(reference.shape) < 0.1] = 255
    predicted = rng.integers(0, 3, reference.shape).astype(np.uint8)
    margins_nm = [10.0, 40.0, 110.0]
    shells = shells_of_reference(iter(reference), GROUPS, voxel_size_nm, margins_nm, threads=2)
    total = 0
    for start in range(0, 7, depth):
        part = predicted[start : start + depth]
        total += counts_in_shells(np.stack([next(shells) for _ in part]), part, 3, 3)
    whole = counts_near_reference(reference, predicted, GROUPS, voxel_size_nm, margins_nm)
    assert total.tolist() == [whole[margin].tolist() for margin in margins_nm]
    for margin, counts in whole.items():  # and those of a mask of the whole
        near = dilate_mask((reference == 2), margin, voxel_size_nm)
        assert counts.tolist() == count_labels(predicted, 3, near & (reference != 255)).tolist()


@pytest.mark.parametrize("threads", [1, 2])
def test_no_more_planes_are_held_than_the_widest_margin_spans(threads):
    n_read = 0

    def planes():
        nonlocal n_read
        for _ in range(60):
            n_read += 1
            yield np.eye(6, dtype=np.uint8)

    shells = shells_of_reference(planes(), GROUPS, VOXEL_NM, [100.0], threads)  # two planes up and two down
    for z, _ in enumerate(shells):
        assert n_read <= z + 1 + 2 + threads
    assert z == 59


def test_unknown_predictions_are_refused_only_within_a_margin():
    reference, predicted = np.array([[[1, 0, 0, 0]]], np.uint8), np.array([[[1, 1, 1, 9]]], np.uint8)
    assert counts_near_reference(reference, predicted, GROUPS, VOXEL_NM, [20])[20].tolist() == [0, 3, 0]
    with pytest.raises(ValueError, match=r"expected classes 0 to 2, found \[9\]"):
        counts_near_reference(reference, predicted, GROUPS, VOXEL_NM, [30])
    with pytest.raises(ValueError, match=r"reference: expected classes 0 to 2, found \[9\]"):
        counts_near_reference(predicted, reference, GROUPS, VOXEL_NM, [20])


def test_a_prediction_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="predicted: expected the shape of the reference"):
        counts_near_reference(np.ones((1, 2, 2), np.uint8), np.ones((1, 2, 3), np.uint8), GROUPS, VOXEL_NM)


def test_a_mask_without_planes_has_no_shells():
    assert list(margin_shells([], [100], VOXEL_NM)) == []


def test_voxels_the_prediction_leaves_unlabelled_are_left_out_within_a_margin():
    reference, predicted = np.array([[[1, 1, 0, 0]]], np.uint8), np.array([[[1, 255, 2, 255]]], np.uint8)
    assert counts_near_reference(reference, predicted, GROUPS, VOXEL_NM, [50])[50].tolist() == [0, 1, 1]
    predicted[0, 0, 2] = 9
    with pytest.raises(ValueError, match=r"predicted: expected classes 0 to 2, found \[9\];"):
        counts_near_reference(reference, predicted, GROUPS, VOXEL_NM, [50])


@pytest.mark.parametrize("n_planes", [1, 2, 4])
def test_a_margin_wider_than_the_volume_is_deep_holds_no_planes_beyond_it(n_planes):
    planes = np.random.default_rng(n_planes).random((n_planes, 200, 200)) < 1e-3
    arguments = ([300, 1000], (10, 10, 10))  # 100 planes up and down
    expected = np.stack(list(margin_shells(iter(planes), *arguments)))
    tracemalloc.start()
    found = np.stack(list(margin_shells(iter(planes), *arguments, depth=n_planes)))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    np.testing.assert_array_equal(found, expected)
    assert peak < (40 + 3 * n_planes**2) * planes[0].size  # 200 planes would be held else
