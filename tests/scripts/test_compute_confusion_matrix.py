import json

import numpy as np
import pytest

import compute_confusion_matrix
from densecell import io

CLASSES = [
    {"name": "background", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "granule", "group": "organelle"},
]
KEYS = {"volume": "v", "region": "test", "reference": "reference", "experiment": "main"}


def counted(tmp_path, reference, predictions, mask="none", predictors=None):
    voxel_nm = (50, 10, 10)
    io.write_volume(tmp_path / "reference.ome.zarr", reference, voxel_nm, record={})
    paths = []
    for i, predicted in enumerate(predictions):
        paths.append(str(tmp_path / f"predicted_{i}.ome.zarr"))
        io.write_volume(paths[-1], predicted, voxel_nm, record={})
    names = predictors or [f"seed{i}" for i in range(len(paths))]
    arguments = ["--reference", str(tmp_path / "reference.ome.zarr"), "--predictions", *paths, "--mask", mask]
    arguments += ["--predictors", json.dumps(names), "--keys", json.dumps(KEYS), "--classes", json.dumps(CLASSES)]
    compute_confusion_matrix.main([*arguments, "--output", str(tmp_path / "confusion.csv")])
    return io.read_table(tmp_path / "confusion.csv")


def cell(table, z, reference, predicted, predictor="seed0"):
    at = (table["z"] == z) & (table["class"] == reference) & (table["predicted_class"] == predicted)
    return table.loc[at & (table["predictor"] == predictor), "value"].item()


def test_counts_by_hand(tmp_path):
    reference = np.array([[[0, 1, 2, 255]], [[1, 1, 2, 2]]], np.uint8)
    predicted = np.array([[[0, 2, 2, 1]], [[1, 1, 1, 2]]], np.uint8)
    table = counted(tmp_path, reference, [predicted, reference.clip(max=2)])
    assert table["value"].sum() == 2 * 7
    assert cell(table, 0, "cell", "granule") == 1 and cell(table, 0, "cell", "cell") == 0
    assert cell(table, 1, "granule", "cell") == 1 and cell(table, 1, "cell", "cell") == 2
    assert cell(table, 1, "granule", "granule", "seed1") == 2


def test_mask_leaves_out_the_background_of_the_reference(tmp_path):
    reference = np.array([[[0, 0, 1, 255]]], np.uint8)
    table = counted(tmp_path, reference, [np.array([[[0, 1, 0, 1]]], np.uint8)], mask="reference")
    assert table["value"].sum() == 1 and cell(table, 0, "cell", "background") == 1


def test_slabs_add_up_to_the_volume(tmp_path):
    rng = np.random.default_rng(1)
    reference, predicted = rng.integers(0, 3, (2, 21, 6, 5)).astype(np.uint8)
    table = counted(tmp_path, reference, [predicted])
    assert sorted(set(table["z"])) == list(range(21))
    expected = ((reference == 1) & (predicted == 2)).sum(axis=(1, 2))
    assert [cell(table, z, "cell", "granule") for z in range(21)] == expected.tolist()


def test_refuses_shapes_masks_and_names_that_do_not_fit(tmp_path):
    small, large = np.zeros((1, 2, 2), np.uint8), np.zeros((1, 2, 3), np.uint8)
    with pytest.raises(ValueError, match=r"predicted_0.*expected the shape .* found \(1, 2, 3\)"):
        counted(tmp_path, small, [large])
    with pytest.raises(ValueError, match=r"regions.test.mask: expected one of"):
        counted(tmp_path, small, [small], mask="cell")
    with pytest.raises(ValueError, match="predictors: expected 1 names, found 2"):
        counted(tmp_path, small, [small], predictors=["a", "b"])
