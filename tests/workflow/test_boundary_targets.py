"""Boundaries of numbered objects as targets: who draws them, who predicts them, what reads them, and mistakes told."""

import copy
import json

import pytest
import workflow_runs as runs
import yaml

import configuration
import labelled_slices
import methods_settings

CONFIG = "config/fibsem_cells.yaml"
PRESETS = yaml.safe_load((runs.REPO / "config" / "presets.yaml").read_text())


@pytest.fixture(scope="module")
def cells():
    return runs.read_config(CONFIG)


@pytest.fixture
def config(cells):
    return copy.deepcopy(cells)


def findings(config):
    found = configuration.check(config, PRESETS, runs.REPO / "workflow" / "schemas")
    return {f.path: f"{f.found} | {f.expected} | {f.hint}" for f in found}


# ------------------------------------------------------------------------------------------------------- sound
def test_the_configuration_of_cells_is_sound(config):
    assert findings(config) == {}


def test_only_networks_with_a_boundary_are_told_of_it(config):
    """So that another width, or another boundary, trains no network again that has none."""
    resolved = configuration.resolve(config, PRESETS)
    plain = configuration.class_records(resolved)
    assert configuration.class_records(resolved, ["nucleus"]) == plain
    told = configuration.class_records(resolved, ["cell", "cell_boundary"])
    assert [r.get("boundaries") for r in told] == [None, ["cell_boundary"], None, None]
    assert "width_px" not in json.dumps(told)


def test_labelled_slices_of_a_boundary_are_those_of_the_numbers(config):
    config["labels"][0] |= {"slices": [6, 20, 33], "path": "cells.tif"}
    resolved = configuration.resolve(config, PRESETS)
    experiment = resolved["experiments"][0]
    assert labelled_slices.n_labelled(resolved, experiment) == 3
    resolved["labels"][0]["kind"] = "semantic"  # a mask tells the cells, and not where they touch
    assert labelled_slices.n_labelled(resolved, experiment) == 0
    assert labelled_slices.n_labelled(resolved, {**experiment, "targets": ["cell"]}) == 3


def test_the_methods_tell_a_boundary_that_is_predicted(config):
    told = methods_settings.decisions(configuration.resolve(config, PRESETS))
    assert told["boundaries"] == [{"name": "cell_boundary", "class": "cell", "width_px": 3}]
    config["experiments"][0]["targets"] = ["cell"]
    assert "boundaries" not in methods_settings.decisions(configuration.resolve(config, PRESETS))


# ------------------------------------------------------------------------------------------------------- mistakes
CELL_TARGETS = "experiments[0].targets"
MISTAKES = [
    ("boundaries[0].class", "cells", "boundaries[0].class", "Did you mean 'cell'?"),
    ("boundaries[0].name", "cell", "boundaries[0].name", "a name that no class has"),
    ("boundaries[0].width_px", 0, "boundaries[0].width_px", "1 or more, at most 101"),
    (CELL_TARGETS, ["cell", "cell_border"], f"{CELL_TARGETS}[1]", "Did you mean 'cell_boundary'?"),
    ("boundaries[0].class", "nucleus", CELL_TARGETS, "annotates: [nucleus] in the reference of a train region"),
    ("labels[0].annotates", None, "regions[0].labels.reference", "Add annotates: [CLASS] to 'cell_ids'"),
    ("labels[0].kind", "semantic", CELL_TARGETS, "cell_boundary, of which no train region numbers the objects"),
    ("experiments[0].activation", "softmax", CELL_TARGETS, "sigmoid for boundaries, which lie in classes"),
    ("experiments[0].compose", {"order": ["cell", "cell_boundary"]}, "experiments[0].compose.order", "each target once: cell"),
    ("figures.colors.cell_boundary", None, "figures.colors.cell_boundary", ""),
    ("phantom[0].sparse[0].values", "cell", "phantom[0].sparse[0].values", "Did you mean 'cells'?"),
]  # fmt: skip


@pytest.mark.parametrize(("path", "value", "where", "phrase"), MISTAKES, ids=[f"{m[0]} {m[1]}" for m in MISTAKES])
def test_mistake_is_told_at_its_key(config, path, value, where, phrase):
    runs.edit(config, path, value)
    found = findings(config)
    assert where in found, found
    assert phrase in found[where]


def test_a_boundary_has_a_color_as_classes_have(config):
    del config["figures"]["colors"]["cell_boundary"]
    assert "no color" in findings(config)["figures.colors.cell_boundary"]


# ------------------------------------------------------------------------------------------------------- rules
@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    project = runs.copy_project(tmp_path_factory.mktemp("project"))
    return runs.dry_run(project, "--configfile", CONFIG)


def test_numbers_become_targets_of_their_experiment_alone(jobs):
    targets = {job for job in jobs if job.startswith("extract_targets/")}
    names = ("cell", "cell_boundary", "nucleus", "nucleolus")
    assert targets == {f"extract_targets/labelled_reference_{name}" for name in names}
    assert {"draw_sparse_labels/tumor_cells", "bin_labels/tumor_cell_ids", "align_labels/tumor_true_cells"} <= jobs
    assert {"train_network/cells_seed1", "score_held_out/cells_seed1", "compose_classes/tumor_tumor"} <= jobs


def test_the_cells_are_split_tracked_and_compared(jobs):
    combinations = ("mask", "border", "flow", "overlay", "selective", "frames")
    for rule in ("split_cells", "track_cells"):
        assert len([job for job in jobs if job.startswith(f"{rule}/")]) == len(combinations)
