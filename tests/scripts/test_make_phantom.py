import json

import numpy as np
import pytest
import tifffile

import make_phantom
from densecell import files, io

RECORD = {"name": "s", "seed": 3, "shape": [10, 120, 130], "voxel_size_nm": [50, 10, 10], "preset": "subject2"}


def test_writes_every_volume_and_the_truth(tmp_path):
    make_phantom.main(["--settings", json.dumps(RECORD), "--output-folder", str(tmp_path / "s")])
    volumes = {name: tifffile.imread(tmp_path / "s" / f"{name}.tif") for name in make_phantom.VOLUMES}
    assert {v.shape for v in volumes.values()} == {(10, 120, 130)}
    assert {name: str(v.dtype) for name, v in volumes.items()} == {
        **dict.fromkeys(("image", "labels", "annotator_1", "annotator_2"), "uint8"),
        **dict.fromkeys(("cells", "organelles"), "uint32"),
    }
    np.testing.assert_array_equal(volumes["labels"] > 0, volumes["cells"] > 0)
    truth = io.read_table(tmp_path / "s" / "truth.csv")
    assert list(truth) == ["z", "dy_px", "dx_px", "gain", "offset", "flag"]
    assert truth["flag"].tolist().index("destroyed") == 3  # preset subject2: a third of the way
    assert (truth.loc[0, ["dy_px", "dx_px"]] == 0).all()
    assert files.read_sidecar(tmp_path / "s" / "image.tif")["params"] == {"settings": RECORD}


def test_presets_differ_and_keep_name_seed_and_size():
    first, second = (make_phantom.subject_settings({**RECORD, "preset": p}) for p in ("subject1", "subject2"))
    for settings in (first, second):
        assert (settings.name, settings.seed, settings.shape, settings.voxel_size_nm) == (
            "s",
            3,
            (10, 120, 130),
            (50, 10, 10),
        )
    assert (first.contrast, first.shot_electrons, first.drift_sd_px) != (
        second.contrast,
        second.shot_electrons,
        second.drift_sd_px,
    )
    with pytest.raises(ValueError, match=r"phantom\.s\.preset: expected one of subject1, subject2, found 'x'"):
        make_phantom.subject_settings({**RECORD, "preset": "x"})
