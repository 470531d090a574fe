"""Overlap of targets: sums of slices and the measures that follow from them."""

import numpy as np
import pandas as pd
import pytest

from densecell import overlap
from densecell.overlap import MEASURES, by_slice, overlap_table, sums_of, target_counts

KEYS = {
    "volume": "v",
    "region": "r",
    "reference": "reference",
    "experiment": "nuclei_n7",
    "predictor": "seed1",
    "n_slices": 7,
    "draw": 1,
}
KEYS |= {"class": "nucleus", "z": 4, "distance": 2, "threshold": 0.5}


def sums(target, q, level=128, complete=True):
    target, q = np.array([target], np.uint8), np.array([q], np.uint8)
    return sums_of(target_counts(target, q, complete), level, complete)


def measure(name, *args, **options):
    return float(MEASURES[name].function(pd.DataFrame([sums(*args, **options)]))[0])


def test_six_voxels_in_the_head():
    found = sums([1, 1, 1, 0, 0, 255], [255, 255, 0, 255, 0, 255])
    assert found == {"tp": 2, "fp": 1, "fn": 1, "tn": 1, "sum_pg": 2, "sum_pp": 3, "sum_gg": 3, "n_valid": 5}
    args = ([1, 1, 1, 0, 0, 255], [255, 255, 0, 255, 0, 255])
    assert measure("dice", *args) == measure("precision", *args) == measure("recall", *args) == pytest.approx(2 / 3)


def test_soft_dice_of_binary_probabilities_is_the_hard_one():
    generator = np.random.default_rng(0)
    target, q = generator.integers(0, 2, 500), 255 * generator.integers(0, 2, 500)
    assert measure("soft_dice", target, q) == pytest.approx(measure("dice", target, q), abs=1e-12)


def test_vector_of_the_specification():
    q = np.rint(255 * np.array([0.8, 0.6, 0.2, 0]))  # 204, 153, 51, 0: exact
    assert measure("soft_dice", [1, 1, 0, 0], q) == pytest.approx(2.8 / 3.04, abs=1e-12)
    assert measure("dice", [1, 1, 0, 0], q) == 1


def test_the_level_itself_passes():
    assert sums([1, 0], [128, 127])["tp"] == 1 and sums([1, 0], [128, 127])["fp"] == 0
    assert sums([1, 0], [51, 50], level=51)["tp"] == 1


def test_both_empty_is_dice_1_and_precision_and_recall_are_not_defined():
    assert measure("dice", [0, 0], [0, 0]) == measure("soft_dice", [0, 0], [0, 0]) == 1
    assert np.isnan(measure("precision", [0, 0], [0, 0])) and np.isnan(measure("recall", [0, 0], [0, 0]))
    frame = pd.DataFrame([sums([0, 0], [0, 0]), sums([1, 0], [0, 0]), sums([0, 0], [100, 0])])
    assert overlap.is_empty(frame, "dice").tolist() == [True, False, True]
    assert overlap.is_empty(frame, "soft_dice").tolist() == [True, False, False]
    assert not overlap.is_empty(frame, "recall").any()


def test_nothing_predicted_and_nothing_there():
    assert measure("dice", [1, 0], [0, 0]) == measure("recall", [1, 0], [0, 0]) == 0
    assert np.isnan(measure("precision", [1, 0], [0, 0]))
    assert measure("dice", [0, 0], [255, 0]) == measure("precision", [0, 0], [255, 0]) == 0
    assert np.isnan(measure("recall", [0, 0], [255, 0]))


@pytest.mark.parametrize("complete", [True, False])
def test_what_is_predicted_on_unknown_voxels_changes_no_bit(complete):
    generator = np.random.default_rng(1)
    target = generator.choice(np.array([0, 1, 255], np.uint8), (40, 50))
    q = generator.integers(0, 256, (40, 50)).astype(np.uint8)
    other = np.where(target == 255, generator.integers(0, 256, q.shape), q).astype(np.uint8)
    assert (q != other).any()
    first, second = (sums_of(target_counts(target, some, complete), 128, complete) for some in (q, other))
    assert np.array(list(first.values())).tobytes() == np.array(list(second.values())).tobytes()


def test_of_incomplete_slices_only_drawn_objects_are_read():
    target, q = [1, 1, 0, 0, 255], [255, 0, 255, 0, 255]
    found = sums(target, q, complete=False)
    assert (found["tp"], found["fn"], found["n_valid"], found["sum_pg"], found["sum_gg"]) == (1, 1, 2, 1, 2)
    assert all(np.isnan(found[name]) for name in ("fp", "tn", "sum_pp"))
    assert found == pytest.approx(sums(target, [255, 0, 0, 200, 3], complete=False), nan_ok=True)
    assert measure("recall", target, q, complete=False) == 0.5
    for name in ("dice", "soft_dice", "precision"):
        assert np.isnan(measure(name, target, q, complete=False))


def test_the_histogram_gives_what_voxels_give():
    generator = np.random.default_rng(2)
    target, q = generator.choice([0, 1, 255], (300, 301)), generator.integers(0, 256, (300, 301))
    known, g, p = target != 255, target == 1, q / 255
    found = sums_of(target_counts(target.astype(np.uint8), q.astype(np.uint8)), 100)
    assert found["fp"] == (known & ~g & (q >= 100)).sum() and found["tn"] == (known & ~g & (q < 100)).sum()
    assert found["sum_pg"] == pytest.approx(p[g].sum()) and found["sum_pp"] == pytest.approx((p[known] ** 2).sum())


@pytest.mark.parametrize("complete", [True, False])
def test_what_passes_may_also_be_given(complete):
    generator = np.random.default_rng(3)
    target = generator.choice(np.array([0, 1, 255], np.uint8), (30, 31))
    q = generator.integers(0, 256, (30, 31)).astype(np.uint8)
    found = overlap.slice_sums(target, q, q >= 77, complete)
    assert found == pytest.approx(sums_of(target_counts(target, q, complete), 77, complete), nan_ok=True, abs=0)


def test_other_values_shapes_and_types_are_refused():
    with pytest.raises(ValueError, match=r"expected 0, 1 or 255, found also \[7\]"):
        target_counts(np.array([[0, 7]], np.uint8), np.zeros((1, 2), np.uint8))
    with pytest.raises(ValueError, match="of one shape, uint8, found"):
        target_counts(np.zeros((1, 2), np.uint8), np.zeros((1, 3), np.uint8))
    with pytest.raises(ValueError, match="float64"):
        target_counts(np.zeros((1, 2), np.uint8), np.zeros((1, 2)))


def test_table_and_back():
    first, second = sums([1, 0], [255, 0]), sums([1, 0], [0, 255], complete=False)
    table = pd.concat([overlap_table(first, **KEYS), overlap_table(second, **{**KEYS, "z": 9})], ignore_index=True)
    assert list(table.columns) == overlap.COLUMNS and set(table["unit"]) == {"voxel"}
    slices = by_slice(table.sample(frac=1, random_state=0).sort_values("z", kind="stable"))
    assert slices["z"].tolist() == [4, 9] and slices["complete"].tolist() == [True, False]
    assert slices[list(overlap.SUMS)].to_dict("records")[0] == first
    nothing = overlap_table(first, **{**KEYS, "n_slices": np.nan, "draw": np.nan, "distance": np.nan})
    assert len(by_slice(nothing)) == 1


def test_repeated_missing_and_unknown_rows_are_refused():
    table = overlap_table(sums([1, 0], [255, 0]), **KEYS)
    with pytest.raises(ValueError, match="repeated rows"):
        by_slice(pd.concat([table, table]))
    with pytest.raises(ValueError, match="found fewer"):
        by_slice(table.iloc[1:])
    with pytest.raises(ValueError, match="found others"):
        by_slice(table.assign(measure=["voxels", *table["measure"][1:]]))
    with pytest.raises(ValueError, match="found none for"):
        overlap_table(sums([1], [1]), volume="v")
