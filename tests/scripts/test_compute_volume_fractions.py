import json

import numpy as np
import pytest

import compute_volume_fractions
from densecell import io

CLASSES = [
    {"name": "background", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "granule", "group": "organelle"},
]
VOXEL_NM = (50, 10, 10)
KEYS = {"volume": "v", "region": "test", "reference": "reference", "experiment": "main"}


def computed(tmp_path, predicted, reference=None, margins_nm=(0, 10)):
    io.write_volume(tmp_path / "predicted.ome.zarr", predicted, VOXEL_NM, record={})
    arguments = ["--predictions", str(tmp_path / "predicted.ome.zarr"), "--predictors", '["top1"]']
    if reference is not None:
        io.write_volume(tmp_path / "reference.ome.zarr", reference, VOXEL_NM, record={})
        arguments += ["--reference", str(tmp_path / "reference.ome.zarr")]
    arguments += ["--keys", json.dumps(KEYS), "--settings", json.dumps({"margins_nm": list(margins_nm)})]
    arguments += ["--classes", json.dumps(CLASSES), "--output", str(tmp_path / "fractions.csv")]
    compute_volume_fractions.main(arguments)
    return io.read_table(tmp_path / "fractions.csv")


def granule_share(table, **at):
    table = table[(table["class"] == "granule") & (table["measure"] == "volume_fraction")]
    for column, value in at.items():
        table = table[table[column] == value]
    return table["value"].item()


def test_reference_and_predictions_within_margins(tmp_path):
    reference = np.array([[[1, 2, 0, 0, 0]]], np.uint8)
    predicted = np.array([[[1, 1, 2, 0, 2]]], np.uint8)
    table = computed(tmp_path, predicted, reference)
    own = {"experiment": "annotation", "predictor": "reference"}
    assert granule_share(table, **own) == 1 / 2
    assert granule_share(table, predictor="top1", margin_nm=0) == 0
    assert granule_share(table, predictor="top1", margin_nm=10) == pytest.approx(1 / 3)
    assert set(table.loc[table["experiment"] == "annotation", "denominator"]) == {"reference cell"}


def test_whole_volume_over_several_slabs(tmp_path):
    predicted = np.ones((20, 4, 4), np.uint8)
    predicted[:, 0] = 0
    predicted[18:, 1] = 2
    table = computed(tmp_path, predicted)
    assert set(table["denominator"]) == {"labelled tissue"}
    assert granule_share(table) == pytest.approx(8 / 240)
    volume_um3 = table[(table["class"] == "all") & (table["measure"] == "volume_um3")]["value"].item()
    assert volume_um3 == pytest.approx(240 * 50 * 10 * 10 * 1e-9)


def test_refuses_other_shapes_and_nothing_to_do(tmp_path):
    with pytest.raises(ValueError, match=r"predicted.ome.zarr: expected the shape of the reference"):
        computed(tmp_path, np.ones((1, 2, 2), np.uint8), np.ones((1, 2, 3), np.uint8))
    with pytest.raises(ValueError, match="found neither"):
        compute_volume_fractions.main(["--keys", "{}", "--classes", json.dumps(CLASSES), "--output", "x.csv"])
