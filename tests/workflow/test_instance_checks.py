"""What a configuration may say about objects, and what is told about what it may not."""

import pytest
import workflow_runs as runs

import configuration
import instance_checks

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")
CELLS = {"name": "cells", "class": "cell", "ensemble": "hybrid"}
MITOCHONDRIA = {"name": "mitochondria", "class": "mitochondrion", "ensemble": "hybrid", "within": "cells"}
SPLIT = {**CELLS, "method": "split", "split": {"ids": "drawn", "combinations": ["mask", "flow"], "main": "flow"}}
BY_PROBABILITY = {"method": "watershed", "watershed": {"from": "probability"}}
DRAWN = {"name": "drawn", "volume": "subject2", "path": "{results_dir}/phantom/subject2/cells.tif", "axes": "zyx"}


def with_objects(*records, **labels):
    """The tiny configuration with these objects and, of kind instance, numbered cells of its predicted volume."""
    config = runs.read_config("tests/workflow/tiny.yaml")
    default = runs.read_config("config.yaml")
    config["labels"] = [*default["labels"], {**DRAWN, "kind": "instance", "annotates": ["cell"], **labels}]
    config["instances"] = list(records)
    return {**default, **config}


def found(*records, **labels):
    return [f for f in configuration.check(with_objects(*records, **labels), PRESETS) if "instances" in f.path]


def test_cells_with_mitochondria_in_them_are_sound():
    assert found(CELLS, MITOCHONDRIA) == []


def test_split_cells_are_sound():
    assert found(SPLIT) == []


def test_drawn_objects_are_sound():
    assert found({"name": "drawn_cells", "class": "cell", "labels": "drawn"}) == []


@pytest.mark.parametrize(
    ("record", "path", "words"),
    [
        ({**CELLS, "ensemble": None}, "instances[0]", "neither"),
        ({**CELLS, "labels": "drawn"}, "instances[0]", "ensemble and labels"),
        ({**CELLS, "ensemble": "hybird"}, "instances[0].ensemble", "hybird"),
        ({**CELLS, "ensemble": "unet"}, "instances[0].ensemble", "unet"),  # predicts no whole volume
        ({**CELLS, "class": "cells"}, "instances[0].class", "cells"),
        ({**CELLS, "volumes": ["subject1"]}, "instances[0].volumes[0]", "subject1"),
        ({**CELLS, "reference": "subject2_truth"}, "instances[0].reference", "semantic"),
        ({**SPLIT, "reference": "drawn"}, "instances[0].reference", "as split.ids"),
        ({**SPLIT, "method": "components"}, "instances[0].split", "method: components"),
        ({**CELLS, "name": "all"}, "instances[0].name", "all"),
        ({**CELLS, "connectivity": 8}, "instances[0].connectivity", "8"),
        ({**CELLS, "class": "mitochondrion", "reference": "drawn"}, "instances[0].reference", "annotates cell"),
        ({**CELLS, "within": "nuclei"}, "instances[0].within", "nuclei"),
        ({**CELLS, "within": "cells"}, "instances[0].within", "cells in cells"),
        ({**SPLIT, "split": {"combinations": ["mask"], "main": "mask"}}, "instances[0].split.ids", "nothing"),
        ({**CELLS, **BY_PROBABILITY}, "instances[0].watershed.from", "low where cell holds mitochondrion"),
        ({**MITOCHONDRIA, "within": None, **BY_PROBABILITY}, "instances[0].watershed.from", "does not keep"),
        (
            {"name": "drawn", "class": "cell", "labels": "drawn", "method": "watershed"},
            "instances[0].method",
            "watershed",
        ),
    ],
)
def test_what_is_wrong_is_told_with_its_key(record, path, words):
    (finding,) = found(record)
    assert finding.path == path and words in finding.found


@pytest.mark.parametrize(
    ("name", "activation", "n"), [("cell", "softmax", 1), ("mitochondrion", "softmax", 0), ("cell", "sigmoid", 0)]
)
def test_a_probability_that_is_kept_serves_what_has_no_holes_in_it(name, activation, n):
    config = with_objects({**CELLS, "class": name, **BY_PROBABILITY})
    config["prediction"]["full_volumes"] = [{"volume": "subject2", "ensemble": "hybrid", "probabilities": True}]
    decision = {"softmax": "argmax", "sigmoid": "compose"}[activation]
    for experiment in config["experiments"]:
        experiment |= {"activation": activation, "decision": decision}
    paths = [f.path for f in configuration.check(config, PRESETS) if "instances" in f.path]
    assert paths == ["instances[0].watershed.from"] * n


def test_two_records_of_the_same_objects_in_the_same_containers_are_told():
    (finding,) = found(CELLS, MITOCHONDRIA, {**MITOCHONDRIA, "name": "cut", "method": "watershed"})
    assert finding.path == "instances[2].within" and "cut or mitochondria" in finding.hint
    assert found(CELLS, MITOCHONDRIA, {**MITOCHONDRIA, "name": "cut", "within": None}) == []
    drawn = {"class": "cell", "labels": "drawn", "within": "cells"}
    assert found(CELLS, {**drawn, "name": "one"}, {**drawn, "name": "two"}) == []  # not counted


def test_a_combination_with_a_border_needs_one():
    record = {**SPLIT, "split": {**SPLIT["split"], "combinations": ["flow", "selective"]}}
    (finding,) = found(record)
    assert finding.path == "instances[0].split.combinations[1]" and "boundary" in finding.hint


def test_the_main_combination_is_computed():
    (finding,) = found({**SPLIT, "split": {**SPLIT["split"], "main": "overlay"}})
    assert finding.path == "instances[0].split.main"


def test_cells_that_are_split_have_numbers_in_their_own_volume():
    (finding,) = found(SPLIT, volume="subject1")
    assert finding.path == "instances[0].split.ids" and "subject1" in finding.found


def test_containers_in_a_circle_are_told():
    circle = [{**CELLS, "within": "mitochondria"}, MITOCHONDRIA]
    assert [f.path for f in found(*circle)] == ["instances[0].within", "instances[1].within"]


def test_volumes_of_objects():
    config = configuration.resolve(with_objects(CELLS, {"name": "d", "class": "cell", "labels": "drawn"}), PRESETS)
    assert [instance_checks.volumes_of(r, config) for r in config["instances"]] == [["subject2"], ["subject2"]]
