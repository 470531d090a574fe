import io

import numpy as np
import pandas as pd
import pytest

from densecell.metrics import (
    METRICS,
    confusion_counts,
    confusion_table,
    find_metric,
    iou,
    key_columns,
    metrics_table,
    pool,
)

NAMES = ["background", "cell", "mitochondrion", "alpha granule", "canalicular", "dense granule", "dense core"]
GROUPS = np.array([0, 1, 2, 2, 2, 2, 2])
KEYS = {"volume": "v", "region": "eval", "reference": "expert", "experiment": "main", "predictor": "top2"}
REFERENCE = np.array([0, 0, 0, 1, 1, 1, 2, 2, 3, 4, 5, 6, 6, 1], np.uint8).reshape(2, 1, 7)
PREDICTED = np.array([0, 2, 1, 1, 1, 2, 2, 2, 4, 4, 5, 6, 5, 0], np.uint8).reshape(2, 1, 7)


def measured(reference, predicted, valid=None, **keys):
    """{(class, measure): value} of one comparison."""
    counts = confusion_counts(reference, predicted, len(NAMES), valid)
    table = metrics_table(confusion_table(counts, NAMES, **(KEYS | keys)), NAMES, GROUPS)
    return table.set_index(["class", "measure"])["value"]


def random_pair(seed, shape=(3, 8, 9), n_classes=7):
    rng = np.random.default_rng(seed)
    reference = rng.integers(0, n_classes, shape).astype(np.uint8)
    predicted = np.where(rng.random(shape) < 0.6, reference, rng.integers(0, n_classes, shape)).astype(np.uint8)
    return reference, predicted


# By hand


def test_rows_are_the_reference_and_columns_the_prediction():
    counts = confusion_counts(np.array([[[0, 0, 1]], [[1, 1, 1]]]), np.array([[[0, 1, 1]], [[0, 0, 1]]]), 2)
    assert counts.dtype == np.int64
    assert counts.tolist() == [[[1, 1], [0, 1]], [[0, 0], [2, 1]]]


def test_worked_example_of_all_measures_of_overlap():
    values = measured(REFERENCE, PREDICTED)
    found = [values[name, "iou"] for name in NAMES]
    np.testing.assert_allclose(found, [0.25, 0.4, 0.5, 0, 0.5, 0.5, 0.5])
    assert values["all", "miou_all"] == pytest.approx(0.378571, abs=1e-6)
    assert values["organelles", "miou_org"] == pytest.approx(0.4)


def test_worked_example_scored_inside_the_reference_cell_only():
    values = measured(REFERENCE, PREDICTED, valid=REFERENCE > 0)
    assert values["organelles", "miou_org"] == pytest.approx(0.433333, abs=1e-6)


def test_measures_of_a_two_by_two_matrix():
    confusion, groups = np.array([[6, 2], [1, 3]]), [0, 2]
    np.testing.assert_allclose(METRICS["iou"](confusion, groups), [6 / 9, 3 / 6])
    np.testing.assert_allclose(METRICS["dice"](confusion, groups), [12 / 15, 6 / 9])
    np.testing.assert_allclose(METRICS["precision"](confusion, groups), [6 / 7, 3 / 5])
    np.testing.assert_allclose(METRICS["recall"](confusion, groups), [6 / 8, 3 / 4])
    assert METRICS["miou_all"](confusion, groups) == pytest.approx((6 / 9 + 3 / 6) / 2)
    assert METRICS["miou_org"](confusion, groups) == pytest.approx(3 / 6)
    assert METRICS["frequency_weighted_iou"](confusion, groups) == pytest.approx((8 * 6 / 9 + 4 * 3 / 6) / 12)
    assert METRICS["mean_organelle_accuracy"](confusion, groups) == pytest.approx(3 / 4)
    assert METRICS["pixel_accuracy"](confusion, groups) == pytest.approx(9 / 12)


def test_class_absent_from_both_is_nan_left_out_of_the_mean_and_counted():
    labels = np.array([[[0, 1, 2, 2]]], np.uint8)  # classes 3 to 6 in neither
    values = measured(labels, labels)
    assert np.isnan(values["alpha granule", "iou"]) and np.isnan(values["alpha granule", "dice"])
    assert values["all", "miou_all"] == 1.0
    assert values["organelles", "miou_org"] == 1.0
    assert values["all", "n_classes_left_out"] == 4
    assert values["organelles", "n_classes_left_out"] == 4


def test_class_absent_from_the_reference_but_predicted_has_iou_0_and_no_recall():
    values = measured(np.array([[[1, 1, 2]]]), np.array([[[1, 3, 2]]]))
    assert values["alpha granule", "iou"] == 0
    assert np.isnan(values["alpha granule", "recall"])
    assert values["organelles", "miou_org"] == 0.5
    assert values["organelles", "mean_organelle_accuracy"] == 1.0
    assert values["organelles", "n_classes_left_out"] == 3
    assert values["organelles", "n_classes_left_out_of_accuracy"] == 4


def test_class_never_predicted_has_no_precision():
    values = measured(np.array([[[1, 2]]]), np.array([[[1, 1]]]))
    assert np.isnan(values["mitochondrion", "precision"])
    assert values["mitochondrion", "recall"] == 0


def test_unlabelled_and_invalid_voxels_are_not_counted():
    reference = np.array([[[0, 255, 1, 1]]], np.uint8)
    predicted = np.array([[[0, 1, 1, 0]]], np.uint8)
    valid = np.array([[[True, True, True, False]]])
    assert confusion_counts(reference, predicted, 2, valid).tolist() == [[[1, 0], [0, 1]]]


def test_a_predicted_class_that_does_not_exist_is_refused_unless_it_is_not_read():
    reference, predicted = np.zeros((1, 1, 2), np.uint8), np.array([[[0, 2]]], np.uint8)
    with pytest.raises(ValueError, match=r"predicted.*0 to 1.*\[2\]"):
        confusion_counts(reference, predicted, 2)
    valid = np.array([[[True, False]]])
    assert confusion_counts(reference, predicted, 2, valid).sum() == 1


def test_a_reference_class_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match=r"reference.*\[7\]"):
        confusion_counts(np.array([[[7]]]), np.array([[[0]]]), 7)


def test_an_unknown_reference_class_shows_among_unlabelled_voxels_and_not_under_an_invalid_one():
    reference = np.array([[[255, 255, 9, 1]]], np.uint8)
    predicted = np.zeros_like(reference)
    with pytest.raises(ValueError, match=r"reference: expected classes 0 to 1, found \[9\]"):
        confusion_counts(reference, predicted, 2)
    assert confusion_counts(reference, predicted, 2, reference != 9).tolist() == [[[0, 0], [1, 0]]]


def test_255_is_no_prediction():
    labels = np.array([[[0, 255]]], np.uint8)
    with pytest.raises(ValueError, match=r"predicted: expected classes 0 to 1, found \[255\]"):
        confusion_counts(np.zeros_like(labels), labels, 2)
    assert confusion_counts(labels, labels, 2).sum() == 1


def test_negative_labels_and_labels_beyond_a_byte_are_refused_by_value():
    zeros = np.zeros((1, 1, 2), np.int64)
    for value in (-1, 256, 300):
        labels = np.array([[[0, value]]])
        with pytest.raises(ValueError, match=rf"reference.*\[{value}\]"):
            confusion_counts(labels, zeros, 2)
        with pytest.raises(ValueError, match=rf"predicted.*\[{value}\]"):
            confusion_counts(zeros, labels, 2)


def test_classes_that_are_not_counted_are_not_read():
    reference = np.array([[[0, 0, 1, 2]]], np.uint8)
    predicted = np.array([[[1, 9, 0, 2]]], np.uint8)
    counts = confusion_counts(reference, predicted, 3, counted=[False, True, True])
    assert counts.tolist() == [[[0, 0, 0], [1, 0, 0], [0, 0, 1]]]
    np.testing.assert_array_equal(counts, confusion_counts(reference, predicted, 3, valid=reference > 0))
    with pytest.raises(ValueError, match=r"predicted.*\[9\]"):
        confusion_counts(reference, predicted, 3, counted=[True, False, True])


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="valid"):
        confusion_counts(np.zeros((1, 2, 2), int), np.zeros((1, 2, 2), int), 2, np.ones((1, 2, 1), bool))


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match="same region"):
        confusion_counts(np.zeros((1, 2, 2)), np.zeros((1, 2, 3)), 2)


def test_table_columns_and_slice_numbers():
    counts = np.array([[[1, 2], [3, 4]]])
    table = confusion_table(counts, ["a", "b"], z_start=5, **KEYS)
    assert list(table.columns) == [*KEYS, "class", "predicted_class", "z", "measure", "value", "unit"]
    assert table["z"].tolist() == [5] * 4
    assert table[["class", "predicted_class", "value"]].values.tolist() == [
        ["a", "a", 1],
        ["a", "b", 2],
        ["b", "a", 3],
        ["b", "b", 4],
    ]
    assert set(table["measure"]) == {"voxels"} and set(table["unit"]) == {"voxel"}


def test_a_missing_key_column_is_named():
    with pytest.raises(ValueError, match="'predictor'"):
        confusion_table(np.zeros((1, 1, 1)), ["a"], volume="v", region="r", reference="x", experiment="e")


def test_a_slice_that_is_there_twice_is_refused():
    table = confusion_table(np.ones((1, 2, 2), int), ["a", "b"], **KEYS)
    with pytest.raises(ValueError, match="repeated"):
        pool(pd.concat([table, table]))


def test_a_class_without_a_name_is_refused():
    table = confusion_table(np.ones((1, 2, 2), int), ["a", "b"], **KEYS)
    with pytest.raises(ValueError, match=r"found also \['b'\]"):
        pool(table, ["a", "c"])


def test_an_unknown_metric_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"iou, dice.*found 'miou'"):
        find_metric("miou")
    with pytest.raises(ValueError, match="found 'jaccard'"):
        metrics_table(confusion_table(np.ones((1, 1, 1)), ["a"], **KEYS), ["a"], [0], metrics=["jaccard"])


# Properties


@pytest.mark.parametrize("dtype", [np.uint8, np.int64])
@pytest.mark.parametrize("n_classes", [2, 15, 16, 255])
def test_counts_equal_one_comparison_for_each_pair_of_classes(n_classes, dtype):
    rng = np.random.default_rng(n_classes)
    reference, predicted = random_pair(n_classes, (2, 300, 7), n_classes)
    reference[rng.random(reference.shape) < 0.2] = 255
    valid = rng.random(reference.shape) < 0.8
    counts = confusion_counts(reference.astype(dtype), predicted.astype(dtype), n_classes, valid)
    for z in range(2):
        for i, j in [(0, 0), (0, 1), (n_classes - 1, 0), *rng.integers(0, n_classes, (20, 2))]:
            expected = np.count_nonzero((reference[z] == i) & (predicted[z] == j) & valid[z])
            assert counts[z, i, j] == expected
    assert counts.sum() == np.count_nonzero(valid & (reference != 255))


@pytest.mark.parametrize("seed", range(3))
def test_slabs_concatenate_to_the_whole_and_pooling_is_the_sum_over_slices(seed):
    reference, predicted = random_pair(seed)
    counts = confusion_counts(reference, predicted, 7)
    slabs = [confusion_counts(reference[s], predicted[s], 7) for s in (slice(0, 2), slice(2, 3))]
    np.testing.assert_array_equal(np.concatenate(slabs), counts)
    assert counts.sum() == reference.size
    (pooled,) = pool(confusion_table(counts, NAMES, **KEYS)).values()
    np.testing.assert_array_equal(pooled, counts.sum(axis=0))


def test_pooling_keeps_comparisons_apart_by_every_key_column_and_survives_a_csv_file_with_an_empty_key():
    counts = np.stack([np.full((2, 2), i) for i in range(4)])
    parts = [
        confusion_table(counts[i : i + 1], ["a", "b"], **(KEYS | {"reference": "", "predictor": predictor}), mask=mask)
        for i, (predictor, mask) in enumerate([(0, "cell"), (0, "none"), (1, "cell"), (1, "none")])
    ]
    table = pd.concat(parts, ignore_index=True).sample(frac=1, random_state=0)
    table = pd.read_csv(io.StringIO(table.to_csv(index=False)))
    pooled = pool(table, ["a", "b"])
    assert key_columns(table) == [*KEYS, "mask"]
    assert len(pooled) == 4
    for (*_, predictor, mask), matrix in pooled.items():
        assert (matrix == 2 * predictor + (mask == "none")).all()


@pytest.mark.parametrize("seed", range(3))
def test_iou_is_symmetric_and_follows_from_dice(seed):
    reference, predicted = random_pair(seed)
    confusion = confusion_counts(reference, predicted, 7).sum(axis=0)
    np.testing.assert_allclose(iou(confusion), iou(confusion.T))
    d = METRICS["dice"](confusion, GROUPS)
    np.testing.assert_allclose(iou(confusion), d / (2 - d))


# Every metric


@pytest.mark.parametrize("name", METRICS)
def test_metric_contract(name):
    metric, n = METRICS[name], len(NAMES)
    assert metric.scope in ("class", "all", "organelles")
    shape = (n,) if metric.scope == "class" else ()
    confusion = confusion_counts(*random_pair(0), n).sum(axis=0)
    before = confusion.copy()
    values = np.asarray(metric(confusion, GROUPS))
    assert values.shape == shape
    assert ((values > 0) & (values < 1)).all()
    np.testing.assert_array_equal(confusion, before)
    np.testing.assert_allclose(metric(np.diag([5] * n), GROUPS), np.ones(shape))  # a perfect prediction
    np.testing.assert_allclose(metric(confusion * 3, GROUPS), values)  # a share, not a count
    assert np.isnan(metric(np.zeros((n, n), int), GROUPS)).all()  # nothing was counted
    order = [0, 1, 4, 2, 6, 3, 5]  # organelles renumbered
    renumbered = np.asarray(metric(confusion[np.ix_(order, order)], GROUPS))
    np.testing.assert_allclose(renumbered, values[order] if shape else values)


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_has_its_rows_in_the_table(name):
    confusion = confusion_table(confusion_counts(*random_pair(1), 7), NAMES, **KEYS)
    table = metrics_table(confusion, NAMES, GROUPS, metrics=[name])
    assert list(table.columns) == [*KEYS, "class", "measure", "value", "unit"]
    rows = table[table["measure"] == name]
    assert rows["class"].tolist() == (NAMES if METRICS[name].scope == "class" else [METRICS[name].scope])
    assert set(rows["unit"]) == {"1"} and rows["value"].notna().all()
