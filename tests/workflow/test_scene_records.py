"""Which pictures of objects are drawn, and what `scenes` may say."""

import pytest
import yaml
from workflow_runs import REPO

import configuration
import scene_records

RECORDS = {
    "cells": {"name": "cells", "within": None},
    "nuclei": {"name": "nuclei", "within": "cells"},
    "nucleoli": {"name": "nucleoli", "within": "nuclei"},
}
PRESETS = yaml.safe_load((REPO / "config/presets.yaml").read_text())


def test_without_scenes_there_are_all_each_and_each_container():
    scenes = scene_records.scenes_of({"scenes": []}, RECORDS)
    assert {name: scene["objects"] for name, scene in scenes.items()} == {
        "all": ["cells", "nuclei", "nucleoli"],
        "cells": ["cells"],
        "nuclei": ["nuclei"],
        "nucleoli": ["nucleoli"],
        "cells_with_contents": ["cells", "nuclei"],
        "nuclei_with_contents": ["nuclei", "nucleoli"],
    }
    assert scenes["cells"]["color"] == "object" and scenes["all"]["color"] == "class"


def test_a_picture_of_a_container_that_would_be_that_of_all_is_left_out():
    records = {name: RECORDS[name] for name in ("cells", "nuclei")}
    assert list(scene_records.scenes_of({"scenes": []}, records)) == ["all", "cells", "nuclei"]
    assert scene_records.scenes_of({"scenes": []}, {}) == {}


def test_scenes_are_drawn_where_a_volume_has_all_their_objects():
    scenes = [{"name": "a", "objects": ["cells", "nuclei"]}, {"name": "b", "objects": ["nucleoli"]}]
    records = {name: RECORDS[name] for name in ("cells", "nuclei")}
    assert list(scene_records.scenes_of({"scenes": scenes}, records)) == ["a"]


@pytest.fixture
def config():
    return yaml.safe_load((REPO / "config.yaml").read_text())


@pytest.mark.parametrize(
    ("scenes", "path", "expected"),
    [
        ([{"name": "a", "objects": ["cels"]}], "scenes[0].objects[0]", "a name in instances"),
        ([{"name": "a", "objects": ["cells"]}] * 2, "scenes[1].name", "a name of its own"),
        ([{"name": "a", "objects": ["plain"]}], "scenes[0].objects[0]", "a record with mesh: true"),
        ([{"name": "a", "objects": []}], "scenes[0].objects", "a list of names"),
        (
            [{"name": "a", "objects": ["mitochondria", "cells"], "instances": [1]}],
            "scenes[0].objects[0]",
            "its container",
        ),
        (
            [{"name": "a", "objects": ["mitochondria", "alpha_granules"], "instances": [1]}],
            "scenes[0].objects[1]",
            "Name 'cells' before it",
        ),
        ([{"name": "a", "objects": ["cells", "elsewhere"]}], "scenes[0].objects", "records that hold in one volume"),
    ],
)
def test_mistakes_are_told_with_their_key(config, scenes, path, expected):
    plain = {"name": "plain", "class": "cell", "ensemble": "hybrid", "mesh": False}
    elsewhere = {"name": "elsewhere", "class": "cell", "labels": "subject1_truth"}
    config["instances"], config["scenes"] = [*config["instances"], plain, elsewhere], scenes
    found = {f.path: f"{f.expected} {f.hint}" for f in configuration.check(config, PRESETS)}
    assert expected in found.get(path, ""), found


def test_a_sound_scene_is_accepted(config):
    config["scenes"] = [{"name": "one", "objects": ["cells", "mitochondria"], "instances": [1], "color": "object"}]
    assert [f for f in configuration.check(config, PRESETS) if f.path.startswith("scenes")] == []
