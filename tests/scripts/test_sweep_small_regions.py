import json

import numpy as np
import picture_inputs as made_up
import pytest

import sweep_small_regions
from densecell import files, io
from densecell.metrics import METRICS

KEYS = {"volume": "v", "region": "eval", "reference": "reference", "experiment": "hybrid", "role": "eval"}


def swept(tmp_path, reference, predicted, sizes, mask="none"):
    paths = [made_up.write_volume(tmp_path / f"{n}.ome.zarr", v) for n, v in (("top1", reference), ("top2", predicted))]
    files.write_json(tmp_path / "chosen.json", {"k": 2}, {})
    arguments = ["--reference", made_up.write_volume(tmp_path / "reference.ome.zarr", reference)]
    arguments += ["--predictions", *paths, "--predictors", '["top1", "top2"]', "--keys", json.dumps(KEYS)]
    arguments += ["--chosen", str(tmp_path / "chosen.json"), "--mask", mask, "--margin-nm", "0"]
    arguments += ["--min-sizes-voxels", json.dumps(sizes), "--classes", made_up.CLASSES]
    sweep_small_regions.main([*arguments, "--output", str(tmp_path / "scores.csv")])
    return io.read_table(tmp_path / "scores.csv")


def value(table, size, measure, name="all"):
    at = (table["min_size_voxels"] == size) & (table["measure"] == measure) & (table["class"] == name)
    return table.loc[at, "value"].item()


def test_specks_go_and_the_score_rises(tmp_path):
    reference = np.ones((2, 6, 6), np.uint8)
    reference[:, :, :1] = 0
    predicted = reference.copy()
    predicted[0, 2, 3] = 2  # a speck
    predicted[1, 1:4, 3] = 3  # three voxels
    table = swept(tmp_path, reference, predicted, [4, 2])
    assert [value(table, size, "n_regions_removed") for size in (0, 2, 4)] == [0, 1, 2]
    assert [value(table, size, "iou", "cell") for size in (0, 2, 4)] == pytest.approx([56 / 60, 57 / 60, 1])
    assert [value(table, size, "share_changed") for size in (0, 2, 4)] == pytest.approx([0, 1 / 72, 4 / 72])
    assert [value(table, size, "volume_fraction", "granule") for size in (0, 2, 4)] == pytest.approx([1 / 60, 0, 0])
    assert set(table["measure"]) >= set(METRICS) | {"volume_um3"}
    assert set(table["predictor"]) == {"top2"}


def test_size_zero_is_the_score_without_removal_and_the_mask_counts(tmp_path):
    reference, predicted = made_up.labels(), made_up.labels(wrong=0.2, seed=1)
    table = swept(tmp_path, reference, predicted, [20])
    masked = swept(tmp_path, reference, predicted, [20], mask="reference")
    inside = reference > 0
    assert value(table, 0, "pixel_accuracy") == pytest.approx((reference == predicted).mean())
    assert value(masked, 0, "pixel_accuracy") == pytest.approx((reference == predicted)[inside].mean())
    assert value(table, 20, "pixel_accuracy") > value(table, 0, "pixel_accuracy")


def test_refuses_a_prediction_of_another_shape(tmp_path):
    with pytest.raises(ValueError, match=r"top2.*expected the shape of the reference"):
        swept(tmp_path, np.ones((1, 3, 3), np.uint8), np.ones((1, 3, 4), np.uint8), [2])
