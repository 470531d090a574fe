import json

import numpy as np
import pytest

import compute_metrics
from densecell import io
from densecell.metrics import confusion_table

CLASSES = [
    {"name": "background", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "granule", "group": "organelle"},
]
NAMES = [record["name"] for record in CLASSES]


def measure(tmp_path, comparisons, roles):
    """comparisons: {region: (Z, 3, 3) counts}."""
    paths = []
    for region, counts in comparisons.items():
        keys = {"volume": "v", "region": region, "reference": "reference", "experiment": "main", "predictor": "top1"}
        paths.append(str(tmp_path / f"{region}.csv"))
        io.write_table(paths[-1], confusion_table(counts, NAMES, **keys), {})
    arguments = ["--confusion", *paths, "--roles", json.dumps(roles), "--classes", json.dumps(CLASSES)]
    arguments += ["--confusion-output", str(tmp_path / "all.csv"), "--output", str(tmp_path / "metrics.csv")]
    compute_metrics.main(arguments)
    return io.read_table(tmp_path / "metrics.csv"), io.read_table(tmp_path / "all.csv")


def test_measures_are_pooled_over_slices_and_carry_the_role(tmp_path):
    first = np.array([[[4, 0, 0], [0, 2, 1], [0, 0, 1]], [[0, 0, 0], [0, 1, 0], [0, 1, 1]]])
    metrics, confusion = measure(tmp_path, {"eval": first, "test": 2 * first}, {"eval": "eval", "test": "test"})
    assert confusion["value"].sum() == 3 * first.sum()
    assert dict(zip(confusion["region"], confusion["role"])) == {"eval": "eval", "test": "test"}
    at = metrics[(metrics["region"] == "test") & (metrics["measure"] == "iou")].set_index("class")
    assert at["value"].to_dict() == pytest.approx({"background": 1, "cell": 3 / 5, "granule": 2 / 4})
    assert set(at["role"]) == {"test"}
    mean = metrics[(metrics["region"] == "eval") & (metrics["measure"] == "miou_all")]["value"].item()
    assert mean == pytest.approx((1 + 3 / 5 + 1 / 2) / 3)


def test_refuses_a_region_without_a_role(tmp_path):
    with pytest.raises(ValueError, match=r"test.csv: expected the regions eval, found also test"):
        measure(tmp_path, {"test": np.ones((1, 3, 3), int)}, {"eval": "eval"})


def test_refuses_a_comparison_that_is_in_two_files(tmp_path):
    keys = {"volume": "v", "region": "test", "reference": "reference", "experiment": "main", "predictor": "top1"}
    io.write_table(tmp_path / "a.csv", confusion_table(np.ones((1, 3, 3), int), NAMES, **keys), {})
    arguments = ["--confusion", *[str(tmp_path / "a.csv")] * 2, "--roles", '{"test": "test"}']
    with pytest.raises(ValueError, match="expected all slices of a comparison in one file, found parts of 'top1'"):
        compute_metrics.main([*arguments, "--classes", json.dumps(CLASSES), "--output", str(tmp_path / "m.csv")])
    assert not (tmp_path / "m.csv").exists()
