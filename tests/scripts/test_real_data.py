"""The real EM volumes beside the checkout can be imported; their places and codes as in config/vnc.yaml."""

import json
from pathlib import Path

import numpy as np
import pytest
import yaml

import import_labels
import import_volume
from densecell import io

REPO = Path(__file__).resolve().parents[2]
DATA = REPO.parent / "shared" / "data"
pytestmark = [
    pytest.mark.shared,
    pytest.mark.skipif(not DATA.exists(), reason=f"the real EM volumes are not there ({DATA})"),
]
PLATELET_COLORS = {
    "background": [0, 0, 0],
    "cell": [1, 1, 224],
    "mitochondrion": [1, 171, 254],
    "alpha_granule": [1, 254, 1],
    "canalicular": [255, 224, 0],
    "dense_granule": [250, 94, 0],
    "dense_core": [245, 0, 203],
}
PLATELET_SHARES = [29.6, 61.8, 0.7, 4.0, 3.8, 0.14, 0.02]  # % of the slice, published


def import_image(tmp_path, paths, voxel_size_nm):
    output = str(tmp_path / "image.ome.zarr")
    import_volume.main(
        ["--paths", *map(str, paths), "--axes", "zyx", "--voxel-size-nm", json.dumps(voxel_size_nm), "--output", output]
    )
    return io.open_volume(output)


def import_semantic(tmp_path, paths, classes, values):
    arguments = ["--paths", *map(str, paths), "--image", str(tmp_path / "image.ome.zarr"), "--axes", "zyx"]
    arguments += [
        "--classes",
        json.dumps(classes),
        "--values",
        json.dumps(values),
        "--output",
        str(tmp_path / "labels_x.ome.zarr"),
    ]
    import_labels.main(arguments)
    return io.open_volume(tmp_path / "labels_x.ome.zarr")


def test_nerve_cord(tmp_path):
    config = yaml.safe_load((REPO / "config" / "vnc.yaml").read_text())
    image = import_image(tmp_path, sorted((DATA / "vnc" / "raw").glob("*.tif")), config["volumes"][0]["voxel_size_nm"])
    assert (image.shape, image.dtype) == ((16, 1024, 1024), np.uint8)
    paths = sorted((DATA / "vnc" / "labels").glob("*.png"))
    labels = import_semantic(tmp_path, paths, config["classes"], config["labels"][0]["values"])
    shares = np.array(labels.attributes["class_counts"]) / np.prod(labels.shape)
    assert labels.shape == image.shape
    assert sum(labels.attributes["class_counts"]) == np.prod(labels.shape)
    assert (shares > 0.001).all()


def test_platelet_slice_of_16_bits_with_colored_labels(tmp_path):
    image = import_image(tmp_path, [DATA / "platelet-em" / "50-images.png"], [50, 10, 10])
    assert (image.shape, image.dtype) == ((1, 800, 800), np.uint16)
    classes = [
        {"name": name, "group": "background" if name == "background" else "organelle"} for name in PLATELET_COLORS
    ]
    values = [{"class": name, "colors": [color]} for name, color in PLATELET_COLORS.items()]
    labels = import_semantic(tmp_path, [DATA / "platelet-em" / "50-semantic.png"], classes, values)
    shares = 100 * np.array(labels.attributes["class_counts"]) / np.prod(labels.shape)
    np.testing.assert_allclose(shares, PLATELET_SHARES, atol=0.06)
