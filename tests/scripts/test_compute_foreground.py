import json

import numpy as np
import picture_inputs as made_up
import pytest
import tifffile

import compute_foreground
from densecell import files, io

KEYS = {"volume": "v", "region": "eval", "reference": "reference", "role": "eval"}
SETTINGS = {"thresholds": [0, 0.2, 0.5, 1], "boundary_tolerance_nm": 0, "gap_nm": 20}


def scored(tmp_path, reference, paths, source, chosen=(), settings=SETTINGS):
    arguments = ["--reference", made_up.write_volume(tmp_path / "reference.ome.zarr", reference), "--files", *paths]
    arguments += ["--source", json.dumps(source), "--keys", json.dumps(KEYS), "--settings", json.dumps(settings)]
    arguments += ["--classes", made_up.CLASSES, "--output", str(tmp_path / "scores.csv"), *chosen]
    compute_foreground.main(arguments)
    return io.read_table(tmp_path / "scores.csv")


def miou(table, threshold, predictor):
    at = table["threshold"].isna() if threshold is None else table["threshold"] == threshold
    at &= (table["measure"] == "miou") & (table["predictor"] == predictor)
    return table.loc[at, "value"].item()


def external(name="other", kind="probability", maximum=None):
    return {"name": name, "kind": kind, "axes": "zyx", "maximum": maximum, "n_files": 1}


def test_another_programs_probabilities_by_hand(tmp_path):
    reference = np.array([[[0, 0, 1, 2, 255]]], np.uint8)
    tifffile.imwrite(tmp_path / "p.tif", np.array([[[0, 51, 52, 255, 0]]], np.uint8), photometric="minisblack")
    table = scored(tmp_path, reference, [str(tmp_path / "p.tif")], external())
    assert miou(table, 0, "external") == pytest.approx((1 / 2 + 2 / 3) / 2)  # 51 of 255 is above 0
    assert miou(table, 0.2, "external") == 1  # and not above 0.2
    assert miou(table, 0.5, "external") == pytest.approx((2 / 3 + 1 / 2) / 2)
    assert miou(table, 1, "external") == pytest.approx((2 / 4 + 0) / 2)
    assert list(table.columns) == [
        *("volume", "region", "reference", "experiment", "predictor", "role"),
        *("threshold", "class", "measure", "value", "unit"),
    ]


def test_floating_point_and_declared_maximum(tmp_path):
    reference = np.array([[[0, 1]]], np.uint8)
    tifffile.imwrite(tmp_path / "p.tif", np.array([[[0.2, 0.21]]], np.float32), photometric="minisblack")
    assert miou(scored(tmp_path, reference, [str(tmp_path / "p.tif")], external()), 0.2, "external") == 1
    tifffile.imwrite(tmp_path / "q.tif", np.array([[[20, 21]]], np.uint8), photometric="minisblack")
    assert miou(scored(tmp_path, reference, [str(tmp_path / "q.tif")], external(maximum=100)), 0.2, "external") == 1


def test_another_programs_labels_are_one_point(tmp_path):
    reference = np.array([[[0, 1, 2, 3]]], np.uint8)
    tifffile.imwrite(tmp_path / "l.tif", np.array([[[0, 255, 7, 1]]], np.uint16), photometric="minisblack")
    table = scored(tmp_path, reference, [str(tmp_path / "l.tif")], external(kind="labels"))
    assert table["threshold"].isna().all() and miou(table, None, "external") == 1


def test_an_ensemble_gives_labels_of_its_chosen_k_and_a_sweep(tmp_path):
    reference = made_up.labels()
    background = np.where(reference == 0, 200, 20).astype(np.uint8)
    paths = [made_up.write_volume(tmp_path / "background.ome.zarr", background)]
    for name, labels in (("top1", made_up.labels(wrong=0.5)), ("top2", reference)):
        paths.append(made_up.write_volume(tmp_path / f"{name}.ome.zarr", labels))
    files.write_json(tmp_path / "chosen.json", {"k": 2}, {})
    source = {"name": "hybrid", "kind": "ensemble", "n_background": 1, "predictors": ["top1", "top2"]}
    table = scored(tmp_path, reference, paths, source, ["--chosen", str(tmp_path / "chosen.json")])
    assert set(table["predictor"]) == {"top2"} and set(table["experiment"]) == {"hybrid"}
    assert miou(table, None, "top2") == 1 and miou(table, 0.5, "top2") == 1
    assert miou(table, 0, "top2") < 0.5, "55 of 255 in the background is above 0"
    assert set(table["measure"]) >= {
        "iou",
        "miou",
        "vi_split",
        "vi_merge",
        "boundary_f1",
        "gap_recall",
        "gap_precision",
    }


def test_cells_that_grow_together_show_in_the_merge_and_the_gap_and_hardly_in_the_overlap(tmp_path):
    reference = np.ones((1, 20, 41), np.uint8)
    reference[:, :, 20] = 0
    tifffile.imwrite(tmp_path / "l.tif", np.ones(reference.shape, np.uint8), photometric="minisblack")
    table = scored(tmp_path, reference, [str(tmp_path / "l.tif")], external(kind="labels"))
    value = table.set_index(["class", "measure"])["value"]
    assert value["foreground", "iou"] > 0.97
    assert value["foreground", "vi_merge"] == pytest.approx(1) and value["background", "gap_recall"] == 0


def test_refuses_a_volume_of_another_size(tmp_path):
    tifffile.imwrite(tmp_path / "p.tif", np.zeros((2, 3, 4), np.uint8), photometric="minisblack")
    with pytest.raises(
        ValueError, match=r"p.tif: expected the shape of the region eval.*\(1, 2, 2\), found \(2, 3, 4\)"
    ):
        scored(tmp_path, np.zeros((1, 2, 2), np.uint8), [str(tmp_path / "p.tif")], external())
