import json

import numpy as np
import pandas as pd
import picture_inputs as made_up
import pytest
import tifffile
from test_compute_foreground import KEYS, SETTINGS, external

import choose_threshold
import compute_foreground
import plot_foreground
from densecell import files

ENSEMBLE = {"name": "hybrid", "kind": "ensemble", "n_background": 1, "predictors": ["top1", "top2"]}


def inputs(tmp_path, role="eval"):
    """Arguments of the picture of an ensemble, a probability map and a label map of others."""
    reference = made_up.labels()
    reference[:, :2] = 255
    image = np.random.default_rng(0).normal(size=(8, *reference.shape[1:])).astype(np.float32)
    inner = [[1, 7], [0, 30], [0, 40]]
    paths = [made_up.write_volume(tmp_path / "b.ome.zarr", np.where(reference == 0, 180, 60).astype(np.uint8))]
    paths += [made_up.write_volume(tmp_path / f"{k}.ome.zarr", made_up.labels(wrong=0.1, seed=k)) for k in (1, 2)]
    files.write_json(tmp_path / "chosen.json", {"k": 2}, {})
    smooth = np.where(made_up.labels(wrong=0.3) > 0, 0.8, 0.1).astype(np.float32)
    tifffile.imwrite(tmp_path / "p.tif", smooth)
    tifffile.imwrite(tmp_path / "l.tif", made_up.labels(wrong=0.2))
    truth = made_up.write_volume(tmp_path / "reference.ome.zarr", reference)
    sources = [(ENSEMBLE, paths), (external("cdeep3m"), [str(tmp_path / "p.tif")])]
    sources.append((external("nnunet", "labels"), [str(tmp_path / "l.tif")]))
    parts = []
    for record, files_of in sources:
        parts.append(str(tmp_path / f"{record['name']}.csv"))
        given = ["--reference", truth, "--files", *files_of, "--source", json.dumps(record)]
        given += ["--keys", json.dumps({**KEYS, "role": role}), "--settings", json.dumps(SETTINGS)]
        given += ["--chosen", str(tmp_path / "chosen.json")] if record is ENSEMBLE else []
        compute_foreground.main([*given, "--classes", made_up.CLASSES, "--output", parts[-1]])
    choose_threshold.main(["--scores", *parts, "--output", str(tmp_path / "scores.csv")])
    arguments = ["--scores", str(tmp_path / "scores.csv"), "--reference", truth, "--region", "eval"]
    arguments += ["--image", made_up.write_volume(tmp_path / "i.ome.zarr", image, attributes={"inner": inner})]
    arguments += ["--files", *[path for _, files_of in sources for path in files_of]]
    arguments += ["--sources", json.dumps([record for record, _ in sources]), "--chosen", str(tmp_path / "chosen.json")]
    return [*arguments, "--colors", made_up.COLORS, "--classes", made_up.CLASSES]


@pytest.mark.parametrize("role", ["eval", "test"])
def test_draws_every_kind_of_source(tmp_path, role):
    made_up.check_picture(plot_foreground.main, inputs(tmp_path, role), tmp_path / "x.png")


def test_shows_the_threshold_of_eval_then_one_half():
    rows = pd.DataFrame({"threshold": [0.3, 0.5, 0.7], "choice": ["", "fixed", "eval"]})
    assert plot_foreground.threshold_to_show(rows) == (0.7, "chosen on eval")
    assert plot_foreground.threshold_to_show(rows[:2]) == (0.5, "fixed")
    assert plot_foreground.threshold_to_show(rows[:1]) == (0.3, "first of the sweep")
