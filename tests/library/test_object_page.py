import json

import numpy as np
import pytest

from densecell import object_page
from densecell.meshes import Mesh
from densecell.object_page import Group, Shown

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
FACES = np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]])
GROUPS = {"cells": Group("cells", "#006400", 0.3), "cells fenestrations": Group("cells: fenestrations", "#00c8ff", 1.0)}


def shown(instance, size=1.0, part="surface", volume=1.5):
    return Shown("cells", str(instance), instance, part, Mesh(CORNERS * size, FACES), volume, "#123456")


def parts(text):
    """The figure and the records that a page holds."""
    figure = text.split("<script>const figure = ")[1].split("; const page = ")
    return json.loads(figure[0]), json.loads(figure[1].split(";</script>")[0])


def page(objects, **options):
    return object_page.object_page("a & b", objects, GROUPS, (0, 0, 0), (2, 3, 4), 0.5, ["note <1>"], **options)


def test_each_object_is_a_trace_of_its_own_with_its_switch():
    figure, data = parts(page([shown(3), shown(3, 0.1, "fenestrations", float("nan")), shown(12)]))
    assert [trace["type"] for trace in figure["data"]] == ["scatter3d", "scatter3d", "mesh3d", "mesh3d", "mesh3d"]
    assert [(o["group"], o["name"], o["trace"]) for o in data["objects"]] == [
        ("cells", "3", 2),
        ("cells fenestrations", "3", 3),
        ("cells", "12", 4),
    ]
    assert [o["volume"] for o in data["objects"]] == [1.5, None, 1.5]
    assert figure["data"][2]["color"] == "#006400" and figure["data"][2]["opacity"] == 0.3
    assert "1.5 µm³" in figure["data"][2]["hovertemplate"] and "µm³" not in figure["data"][3]["hovertemplate"]
    assert [g["key"] for g in data["groups"]] == list(GROUPS)


def test_axes_are_micrometers_at_one_scale_in_parallel_projection_with_slice_0_on_top():
    scene = parts(page([shown(3)]))[0]["layout"]["scene"]
    assert scene["aspectmode"] == "data" and scene["camera"]["projection"]["type"] == "orthographic"
    assert scene["camera"]["up"]["z"] == -1
    assert [scene[f"{axis}axis"]["title"]["text"] for axis in "xyz"] == ["x (µm)", "y (µm)", "z (µm)"]


def test_numbers_of_vertices_take_two_bytes_where_they_fit():
    trace = parts(page([shown(3)]))[0]["data"][2]
    assert trace["i"]["dtype"] == "u2" and trace["x"]["dtype"] == "f4"


def test_texts_can_not_end_the_script_or_the_title():
    text = page([shown(3)._replace(name="</script><b>")])
    assert "</script><b>" not in text and "a &amp; b" in text and "note &lt;1&gt;" in text


def test_the_smallest_objects_are_joined_where_there_are_very_many(monkeypatch):
    monkeypatch.setattr(object_page, "SINGLE_OBJECTS", 2)
    objects = [shown(n, size) for n, size in ((1, 1.0), (2, 3.0), (3, 2.0), (4, 0.5))] + [
        shown(2, part="fenestrations")
    ]
    found = object_page.together(objects)
    assert [(one.name, one.part) for one in found] == [
        ("2", "surface"),
        ("3", "surface"),
        ("2 smaller ones", "surface"),
        ("2", "fenestrations"),
    ]
    assert len(found[2].mesh.faces) == 8 and found[2].volume_um3 == 3.0 and found[2].instance == 0
    assert found[2].mesh.faces.max() == 7


def test_room_for_triangles_grows_with_the_page_and_too_little_is_refused():
    n = object_page.triangles_that_fit(12, 100)
    assert 300_000 < n < 450_000
    assert object_page.triangles_that_fit(13, 100) - n == pytest.approx(1e6 / object_page.BYTES_PER_TRIANGLE, abs=2)
    assert object_page.triangles_that_fit(12, 1000) < n
    with pytest.raises(ValueError, match=r"meshes\.page_mb: expected room for 100000 objects"):
        object_page.triangles_that_fit(12, 100_000)
