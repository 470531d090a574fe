import numpy as np
import pandas as pd
import pytest

from densecell import foreground
from densecell.foreground import ThresholdCounts, above, choose_threshold, count_two, is_foreground, overlap_rows

TENTHS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1]


def counted(values, reference, thresholds=TENTHS, maximum=None, valid=None):
    values, reference = np.asarray(values), np.asarray(reference, bool)
    maximum = foreground.default_maximum(values.dtype) if maximum is None else maximum
    counts = ThresholdCounts(thresholds, maximum, values.dtype)
    counts.add(reference, np.ones(values.shape, bool) if valid is None else valid, values)
    return counts.confusions()


# ---------------------------------------------------------------------------------------------- thresholds
@pytest.mark.parametrize(
    "dtype, stored", [(np.uint8, [0, 51, 52, 102, 204, 255]), (np.float32, [0, 0.2, 0.21, 0.4, 0.8, 1])]
)
def test_a_probability_equal_to_the_threshold_is_background(dtype, stored):
    values = np.array(stored, dtype)
    maximum = foreground.default_maximum(dtype)
    assert above(values, maximum, 0).tolist() == [False, True, True, True, True, True]
    assert above(values, maximum, 0.2).tolist() == [False, False, True, True, True, True]
    assert above(values, maximum, 0.4).tolist() == [False, False, False, False, True, True]
    assert above(values, maximum, 0.8).tolist() == [False, False, False, False, False, True]
    assert not above(values, maximum, 1).any()


def test_every_eighth_bit_value_at_a_tenth_is_on_the_background_side():
    for tenth in range(11):  # 255 / 10 is whole for even tenths
        if tenth % 2 == 0:
            value = np.array([25.5 * tenth], np.uint8)
            assert not above(value, 255, TENTHS[tenth])[0]
            assert tenth == 0 or above(value, 255, TENTHS[tenth] - 1e-9)[0]


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32, np.float64])
def test_counts_by_histogram_or_by_comparison_are_those_of_the_definition(dtype):
    rng = np.random.default_rng(0)
    p = np.concatenate([rng.random(500), np.repeat(TENTHS, 5)])
    maximum = foreground.default_maximum(dtype)
    values = (p * maximum).round().astype(dtype) if np.dtype(dtype).kind == "u" else p.astype(dtype)
    reference = rng.random(len(values)) < p
    found = counted(values, reference)
    for confusion, t in zip(found, TENTHS):
        assert (confusion == count_two(reference, above(values, maximum, t))).all()
    assert (found.sum(axis=(1, 2)) == len(values)).all()
    assert found[-1][:, 1].sum() == 0, "t = 1 leaves nothing but background"


def test_slices_add_up():
    rng = np.random.default_rng(1)
    values, reference = rng.integers(0, 256, (3, 40), dtype=np.uint8), rng.random((3, 40)) < 0.5
    counts = ThresholdCounts(TENTHS, 255, np.uint8)
    for plane, truth in zip(values, reference):
        counts.add(truth, np.ones(40, bool), plane)
    assert (counts.confusions() == counted(values, reference)).all()


def test_unlabelled_voxels_are_not_counted():
    found = counted(np.array([0, 255], np.uint8), [1, 1], [0.5], valid=np.array([True, False]))
    assert found.tolist() == [[[0, 0], [1, 0]]]


def test_another_maximum():
    assert counted(np.array([0, 50, 100], np.uint8), [0, 0, 1], [0.5], maximum=100).tolist() == [[[2, 0], [0, 1]]]


@pytest.mark.parametrize("values", [np.array([0.5, 1.5]), np.array([-0.1]), np.array([np.nan, 0.5])])
def test_refuses_what_is_no_probability(values):
    with pytest.raises(ValueError, match=r"expected probabilities stored as 0 to 1, found .*`maximum`"):
        above(values, 1, 0.5)
    with pytest.raises(ValueError, match="stored as 0 to 100"):
        counted(np.array([101], np.uint8), [1], maximum=100)


def test_refuses_a_type_without_a_usual_maximum():
    assert [foreground.default_maximum(t) for t in (np.uint8, np.uint16, np.float32)] == [255, 65535, 1]
    with pytest.raises(ValueError, match="maximum: expected a number for values of type int32"):
        foreground.default_maximum(np.int32)


# ------------------------------------------------------------------------------------------------- foreground
def test_foreground_is_every_class_outside_the_background_group():
    labels = np.array([0, 1, 2, 3, 255], np.uint8)
    assert is_foreground(labels, [0, 1, 2, 0]).tolist() == [False, True, True, False, False]


def test_probability_of_the_foreground_is_what_the_background_group_leaves():
    first, second = np.array([0, 100, 255, 130], np.uint8), np.array([0, 55, 0, 126], np.uint8)
    assert foreground.foreground_of_background([first]).tolist() == [255, 155, 0, 125]
    assert foreground.foreground_of_background([first, second]).tolist() == [255, 100, 0, 0]  # 256 of 255 by rounding


# ----------------------------------------------------------------------------------------------------- scores
def test_overlap_by_hand():
    rows = {(name, measure): value for name, measure, value, _ in overlap_rows([[2, 1], [1, 4]])}
    assert rows == {("background", "iou"): 2 / 4, ("foreground", "iou"): 4 / 6, ("all", "miou"): pytest.approx(7 / 12)}


def test_a_class_absent_from_both_is_left_out_of_the_mean():
    rows = {(name, measure): value for name, measure, value, _ in overlap_rows([[0, 0], [1, 3]])}
    assert rows["all", "miou"] == pytest.approx(np.mean([0, 3 / 4]))
    rows = {(name, measure): value for name, measure, value, _ in overlap_rows([[0, 0], [0, 3]])}
    assert np.isnan(rows["background", "iou"]) and rows["all", "miou"] == 1


def sweep(scores, role="eval", region="eval"):
    rows = [(region, role, t, "miou", value) for t, value in scores.items()]
    return pd.DataFrame(rows, columns=["region", "role", "threshold", "measure", "value"])


def test_the_best_threshold_is_that_of_eval_and_not_of_test():
    table = pd.concat([sweep({0.3: 0.8, 0.5: 0.7}), sweep({0.3: 0.1, 0.5: 0.9}, "test", "test")])
    assert choose_threshold(table) == 0.3
    assert choose_threshold(sweep({0.3: 0.8}, "test", "test")) is None
    assert choose_threshold(sweep({np.nan: 0.8})) is None, "labels have no threshold"


def test_of_equal_thresholds_the_one_nearest_one_half_then_the_smaller():
    assert choose_threshold(sweep({0.2: 0.9, 0.4: 0.9, 0.6: 0.9, 0.9: 0.9})) == 0.4
    assert choose_threshold(sweep({0.1: 0.9, 0.7: 0.9})) == 0.7


def test_several_eval_regions_count_equally():
    table = pd.concat([sweep({0.3: 0.9, 0.5: 0.6}), sweep({0.3: 0.2, 0.5: 0.6}, region="eval2")])
    assert choose_threshold(table) == 0.5
