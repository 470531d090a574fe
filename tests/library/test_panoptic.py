import json

import pytest
from ome_zarr_models.v05.image_label import ImageLabelAttrs
from ome_zarr_models.v05.labels import LabelsAttrs

from densecell.panoptic import class_labels, group_text, label_attributes, labels_group, rgba

SCALE = {"type": "scale", "scale": [50.0, 10.0, 10.0]}
IMAGE = {
    "ome": {
        "version": "0.5",
        "multiscales": [
            {
                "name": "labels",
                "axes": [{"name": name, "type": "space", "unit": "nanometer"} for name in "zyx"],
                "datasets": [{"path": "0", "coordinateTransformations": [SCALE]}],
            }
        ],
    },
    "densecell": {"kind": "instance"},
}


@pytest.mark.parametrize(("text", "color"), [("#ff0080", [255, 0, 128, 255]), ("#000000", [0, 0, 0, 0])])
def test_colors_are_four_numbers_and_black_is_transparent(text, color):
    assert rgba(text) == color


def test_a_class_map_tells_the_names_and_colors_of_its_values():
    properties, colors = class_labels(("resin", "cell"), {"resin": "#000000", "cell": "#006400"})
    found = label_attributes(IMAGE, properties, colors)["ome"]["image-label"]
    assert found["properties"] == [{"label-value": 0, "class": "resin"}, {"label-value": 1, "class": "cell"}]
    assert found["colors"][1] == {"label-value": 1, "rgba": [0, 100, 0, 255]}


def test_labels_point_to_their_image_and_keep_what_they_were():
    found = label_attributes(IMAGE)
    assert found["ome"]["image-label"] == {"source": {"image": "../../"}}
    assert found["densecell"] == IMAGE["densecell"] and "image-label" not in IMAGE["ome"]


def test_metadata_fits_the_models_of_the_format():
    properties, colors = class_labels(("resin", "cell"), {"resin": "#000000", "cell": "#006400"})
    label = json.loads(group_text(label_attributes(IMAGE, properties, colors)))
    group = json.loads(labels_group(["classes", "cells"]))
    assert (group["zarr_format"], group["node_type"]) == (3, "group")
    assert LabelsAttrs.model_validate(group["attributes"]["ome"]).labels == ["classes", "cells"]
    model = ImageLabelAttrs.model_validate(label["attributes"]["ome"])
    assert model.image_label.source.image == "../../" and len(model.image_label.colors) == 2
