import json

import numpy as np
import pytest
import tifffile

import make_tumor_phantom
from densecell import files, io

RECORD = {
    "name": "s",
    "seed": 1,
    "shape": [8, 288, 288],
    "voxel_size_nm": [5, 5, 5],
    "preset": "biopsy2",
    "miniature": 14,
    "filopodia": 2,
}


def test_writes_every_volume_the_objects_and_the_truth(tmp_path):
    make_tumor_phantom.main(["--settings", json.dumps(RECORD), "--output-folder", str(tmp_path / "s")])
    volumes = {name: tifffile.imread(tmp_path / "s" / f"{name}.tif") for name in make_tumor_phantom.VOLUMES}
    assert {v.shape for v in volumes.values()} == {(8, 288, 288)}
    assert [str(volumes[name].dtype) for name in ("image", "labels", "cells", "organelles")] == [
        "uint8",
        "uint8",
        "uint32",
        "uint32",
    ]
    np.testing.assert_array_equal(volumes["labels"] > 0, volumes["cells"] > 0)
    features = io.read_table(tmp_path / "s" / "features.csv")
    assert list(features)[:4] == ["id", "kind", "cell", "nucleus"]
    assert set(features["kind"]) >= {"cell", "nucleus", "nucleolus"}
    truth = io.read_table(tmp_path / "s" / "truth.csv")
    assert list(truth) == ["z", "dy_px", "dx_px", "gain", "offset", "flag"]
    assert (truth.loc[0, ["dy_px", "dx_px"]] == 0).all()
    assert files.read_sidecar(tmp_path / "s" / "image.tif")["params"] == {"settings": RECORD}


def test_presets_differ_and_keep_what_the_record_says():
    first, second = (make_tumor_phantom.sample_settings({**RECORD, "preset": p}) for p in ("biopsy1", "biopsy2"))
    for settings in (first, second):
        assert (settings.name, settings.seed, settings.shape, settings.voxel_size_nm) == (
            "s",
            1,
            (8, 288, 288),
            (5, 5, 5),
        )
        assert (settings.miniature, settings.tissue.filopodia) == (14, 2)
    assert (first.contrast, first.shot_electrons, first.tissue) != (
        second.contrast,
        second.shot_electrons,
        second.tissue,
    )
    kept = make_tumor_phantom.sample_settings({**RECORD, "filopodia": None})
    assert kept.tissue.filopodia == 14
    with pytest.raises(ValueError, match=r"phantom\.s\.preset: expected one of biopsy1, biopsy2, found 'x'"):
        make_tumor_phantom.sample_settings({**RECORD, "preset": "x"})
