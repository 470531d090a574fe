"""One store that viewers open with an image and all that was found in it: the metadata of labels in OME-Zarr (NGFF) 0.5.

An image may hold a group ``labels`` with volumes of integers on the same grid, each of which says what its image is
(https://ngff.openmicroscopy.org/0.5/#labels-md). Volumes keep their bytes; only metadata is added.
"""

import json

GROUP = {"zarr_format": 3, "node_type": "group"}
CLASSES = "classes"  # the name of the class map among the labels


def group_text(attributes):
    """The text of the zarr.json of a group."""
    return json.dumps({**GROUP, "attributes": attributes}, indent=2, sort_keys=True) + "\n"


def labels_group(names):
    """The text of the zarr.json of the group that holds labels of these names."""
    return group_text({"ome": {"version": "0.5", "labels": list(names)}})


def label_attributes(attributes, properties=(), colors=None):
    """The attributes of a volume of ours as labels of the image two groups above.

    properties: records that begin with ``label-value``; colors: {value: "#rrggbb"}, None: left to the viewer.
    """
    found = {"source": {"image": "../../"}}
    if properties:
        found["properties"] = list(properties)
    if colors:
        found["colors"] = [{"label-value": value, "rgba": rgba(text)} for value, text in sorted(colors.items())]
    return {**attributes, "ome": {**attributes["ome"], "image-label": found}}


def rgba(text):
    """[red, green, blue, alpha], 0 to 255, of "#rrggbb"; black, which is the background, is transparent."""
    color = [int(text[i : i + 2], 16) for i in (1, 3, 5)]
    return [*color, 255 if any(color) else 0]


def class_labels(names, colors):
    """(properties, colors) of a class map. names: of the classes, in order; colors: {name: "#rrggbb"}."""
    properties = [{"label-value": i, "class": name} for i, name in enumerate(names)]
    return properties, {i: colors[name] for i, name in enumerate(names) if name in colors}
