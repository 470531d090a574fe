"""Scores of numbered objects: numbers to check in the head, then properties."""

import numpy as np
import pandas as pd
import pytest

from densecell.classes import UNLABELLED_INSTANCE
from densecell.instance_metrics import (
    COLUMNS,
    THRESHOLDS,
    PairCounts,
    dice_of_objects,
    foreground_dice,
    instance_table,
    matched,
    partition_measures,
)

REFERENCE = np.array([[1, 1, 1, 1, 0, 2, 2, 2, 2, 0]])
PREDICTED = np.array([[1, 1, 1, 0, 0, 3, 3, 5, 0, 5]])


def pairs_of(reference, predicted):
    counts = PairCounts()
    counts.add(reference, predicted)
    return counts.table()


def test_pairs_are_counted_once_for_each_two_numbers():
    assert pairs_of(REFERENCE, PREDICTED).to_numpy().tolist() == [
        [0, 0, 1], [0, 5, 1], [1, 0, 1], [1, 1, 3], [2, 0, 1], [2, 3, 2], [2, 5, 1],
    ]  # fmt: skip


def test_dice_of_each_object():
    found = dice_of_objects(pairs_of(REFERENCE, PREDICTED))
    assert found.index.tolist() == [1, 2]
    np.testing.assert_allclose(found["dice_by_id"], [2 * 3 / 7, 0])
    np.testing.assert_allclose(found["dice_by_overlap"], [2 * 3 / 7, 2 * 2 / 6])
    assert found["overlapping_instance"].tolist() == [1, 3]


def test_of_two_objects_that_share_as_much_the_smaller_number_is_taken():
    found = dice_of_objects(pairs_of(np.array([1, 1, 1, 1]), np.array([7, 7, 4, 4])))
    assert found["overlapping_instance"].tolist() == [4]


def test_an_object_that_nothing_overlaps_has_dice_0_and_counts_in_the_mean():
    table = instance_table(pairs_of(np.array([1, 1, 2]), np.array([1, 1, 0])))
    values = table.set_index(["instance", "measure"])["value"]
    assert values[2, "dice_by_overlap"] == 0 and values[2, "overlapping_instance"] == 0
    assert values[0, "mean_dice_by_id"] == 0.5
    np.testing.assert_allclose(values[0, "sd_dice_by_id"], np.sqrt(0.5))


def test_matched_objects():
    pairs = pairs_of(REFERENCE, PREDICTED)  # IoU 3/4 of 1 with 1, 2/4 of 2 with 3: not above 0.5
    found = matched(pairs, 0.5)
    assert found["n_matched"] == 1
    np.testing.assert_allclose([found[m] for m in ("precision", "recall", "f1", "average_precision")], [1 / 3, 1 / 2, 2 / 5, 1 / 4])  # fmt: skip
    np.testing.assert_allclose([found["segmentation_quality"], found["panoptic_quality"]], [0.75, 0.75 * 2 / 5])
    assert matched(pairs, 0.75)["n_matched"] == 0


def test_nothing_matched_has_quality_0_and_nothing_there_has_none():
    found = matched(pairs_of(np.array([1, 1, 0]), np.array([0, 0, 3])), 0.5)
    assert (found["panoptic_quality"], found["precision"], found["recall"]) == (0, 0, 0)
    assert np.isnan(found["segmentation_quality"])
    assert all(np.isnan(v) or v == 0 for v in matched(pairs_of(np.zeros(3, int), np.zeros(3, int)), 0.5).values())


def test_one_object_in_two_halves_is_a_split_of_one_bit():
    found = partition_measures(pairs_of(np.ones(8, int), np.repeat([1, 2], 4)))
    np.testing.assert_allclose([found["vi_split"], found["vi_merge"]], [1, 0])
    turned = partition_measures(pairs_of(np.repeat([1, 2], 4), np.ones(8, int)))
    np.testing.assert_allclose([turned["vi_split"], turned["vi_merge"]], [0, 1])


def test_adapted_rand_counts_pairs_of_voxels():
    """Of 28 pairs within one object, 12 stay together: recall 12 / 28, precision 1."""
    found = partition_measures(pairs_of(np.ones(8, int), np.repeat([1, 2], 4)))
    expected = [12 / 28, 1, 1 - 2 * (12 / 28) / (1 + 12 / 28)]
    names = ("adapted_rand_recall", "adapted_rand_precision", "adapted_rand_error")
    np.testing.assert_allclose([found[name] for name in names], expected)


def test_voxels_outside_of_known_objects_leave_the_partition_alone():
    a = partition_measures(pairs_of(np.array([1, 1, 2, 2]), np.array([1, 1, 1, 2])))
    b = partition_measures(pairs_of(np.array([1, 1, 2, 2, 0, 0, 0]), np.array([1, 1, 1, 2, 1, 3, 0])))
    assert a == b


def test_foreground_dice_knows_no_numbers():
    assert foreground_dice(pairs_of(REFERENCE, PREDICTED)) == 2 * 6 / (8 + 7)
    assert foreground_dice(pairs_of(np.zeros(3, int), np.zeros(3, int))) == 1


def test_equal_objects_under_other_numbers_are_perfect_but_by_id():
    reference = np.random.default_rng(0).integers(0, 5, (4, 6, 8))
    renumbered = np.array([0, 40, 30, 20, 10])[reference]
    table = instance_table(pairs_of(reference, renumbered)).set_index("measure")["value"]
    assert table["mean_dice_by_overlap"] == 1 and table["mean_dice_by_id"] == 0
    assert table["mean_average_precision"] == 1 and (table["panoptic_quality"] == 1).all()
    np.testing.assert_allclose([table["vi"], table["adapted_rand_error"]], 0, atol=1e-12)


def test_unlabelled_voxels_never_count():
    reference = np.where(np.arange(10) < 5, REFERENCE[0], UNLABELLED_INSTANCE).astype(np.uint32)
    first = pairs_of(REFERENCE[0, :5], PREDICTED[0, :5])
    pd.testing.assert_frame_equal(pairs_of(reference, PREDICTED[0]), first)
    predicted = np.where(np.arange(10) < 5, PREDICTED[0], UNLABELLED_INSTANCE).astype(np.uint32)
    pd.testing.assert_frame_equal(pairs_of(REFERENCE[0], predicted), first)


def test_slabs_in_any_order_give_the_same_table():
    generator = np.random.default_rng(1)
    reference, predicted = (generator.integers(0, 9, (7, 5, 6)).astype(np.uint32) for _ in range(2))
    slabs, joined = PairCounts(), PairCounts()
    for z in (5, 0, 3, 1, 6, 4, 2):
        slabs.add(reference[z], predicted[z])
        one = PairCounts()
        one.add(reference[z], predicted[z])
        joined.join(one)
    for counts in (slabs, joined):
        pd.testing.assert_frame_equal(counts.table(), pairs_of(reference, predicted))


def test_scores_do_not_change_when_both_sides_are_renumbered():
    generator = np.random.default_rng(2)
    reference, predicted = (generator.integers(0, 6, 500) for _ in range(2))
    order = np.concatenate([[0], 1 + generator.permutation(5)])
    a, b = (instance_table(pairs_of(*p)) for p in ((reference, predicted), (order[reference], order[predicted])))
    whole = [t[t["instance"] == 0].reset_index(drop=True) for t in (a, b)]
    pd.testing.assert_frame_equal(*whole)


def test_table_has_every_measure_once():
    table = instance_table(pairs_of(REFERENCE, PREDICTED))
    assert table.columns.tolist() == COLUMNS and len(THRESHOLDS) == 10
    assert not table.duplicated(["instance", "threshold", "measure"]).any()


def test_no_known_object_leaves_means_undefined():
    values = instance_table(pairs_of(np.zeros(4, int), np.array([0, 1, 1, 0]))).set_index("measure")["value"]
    assert np.isnan(values["mean_dice_by_id"]) and np.isnan(values["vi"]) and values["n_predicted"] == 1


def test_volumes_of_other_sizes_are_refused():
    with pytest.raises(ValueError, match=r"expected reference and objects of one size, found \(2,\) and \(3,\)"):
        PairCounts().add(np.zeros(2), np.zeros(3))


def test_an_orphan_is_never_the_known_object_with_its_number():
    pairs = pairs_of([[1, 1, 2, 2]], [[1, 1, 2, 2]])
    assert dice_of_objects(pairs)["dice_by_id"].tolist() == [1, 1]
    found = dice_of_objects(pairs, first_orphan=2)
    assert found["dice_by_id"].tolist() == [1, 0] and found["dice_by_overlap"].tolist() == [1, 1]
