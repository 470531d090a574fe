"""Label sources of single slices, of some classes and of drawn objects only: mistakes are told at the dry run, by key."""

import copy

import numpy as np
import pytest
import tifffile
import workflow_runs as runs

import configuration
import label_checks
import label_places

PRESETS = configuration.load_presets(runs.REPO / "config" / "presets.yaml")
CLASSES = [
    {"name": "background", "group": "background", "inside": None},
    {"name": "cell", "group": "cell", "inside": None},
    {"name": "nucleus", "group": "organelle", "inside": "cell"},
    {"name": "nucleolus", "group": "organelle", "inside": "nucleus"},
]
SLICES = (3, 10, 20)


@pytest.fixture
def sparse(tmp_path):
    """The phantom with labels[0] a folder of three slices of mitochondria, and one experiment that is trained on it."""
    for z in SLICES:
        tifffile.imwrite(tmp_path / f"p1_z{z:04d}.tif", np.zeros((416, 416), np.uint8), compression="zlib")
    config = runs.read_config()
    config["labels"][0] |= {"path": str(tmp_path), "slices": "by_name", "annotates": ["mitochondrion"]}
    config["labels"].append({**config["labels"][1], "name": "eval_truth", "volume": "subject1"})
    config["labels"][-1]["path"] = "{results_dir}/phantom/subject1/labels.tif"
    config["regions"][1]["labels"]["reference"] = "eval_truth"
    binary = {"activation": "sigmoid", "decision": "compose", "targets": ["mitochondrion"], "weight_map": "none"}
    config["experiments"] = [
        {**config["experiments"][0], **binary, "options": {"base_width": 8, "predictor_relu": False}}
    ]
    config["ensembles"] = [{**config["ensembles"][0], "top_k": [3]}]
    config["prediction"]["full_volumes"], config["instances"] = [], []
    return config


def findings(config, **labels):
    """{key: (found, expected, hint)} about a configuration whose labels[0] has these keys."""
    config = copy.deepcopy(config)
    config["labels"][0] |= labels
    found = configuration.check(config, PRESETS, runs.REPO / "workflow" / "schemas")
    return {f.path: f"{f.found} | {f.expected} | {f.hint}" for f in found}


# ------------------------------------------------------------------------------------------------------- by hand
def test_what_sources_tell_together():
    def told(*annotated):
        return label_checks.told_targets(CLASSES, [{"annotates": a} for a in annotated])

    assert told(None) == ["background", "cell", "nucleus", "nucleolus"]
    assert told(["nucleus"]) == ["nucleus"]
    assert told(["cell"]) == ["background", "cell"]  # what isn't a cell can only be background
    assert told(["nucleus"], ["nucleolus"]) == ["nucleus", "nucleolus"]
    assert told(["cell"], ["nucleus"], ["nucleolus"]) == ["background", "cell", "nucleus", "nucleolus"]
    assert told() == []


def test_blocks_of_slices_that_are_all_labelled():
    assert label_places.blocks([2, 3, 5, 8], 2, 9) == [1, 4]  # the last block has one slice
    assert label_places.blocks([2, 3, 5, 8], 2, None) == [1]
    assert label_places.blocks([4, 7], 1, None) == [4, 7]


# ------------------------------------------------------------------------------------------------------- sound
def test_single_slices_by_name_are_sound(sparse):
    assert findings(sparse) == {}
    assert findings(sparse, slices=[3, 10, 20]) == {}
    assert findings(sparse, boxes=[{"z": [0, 12], "y": [5, 50]}, {"x": [0, 416]}]) == {}
    assert findings(sparse, kind="instance", values=[{"class": "unlabelled", "values": [9]}]) == {}


# ------------------------------------------------------------------------------------------------------- mistakes
MISTAKES = [
    ({"slices": [3, 10]}, "labels[0].slices", "2 slices | 3, as many as the source has slices"),
    ({"slices": [3, 10, 36]}, "labels[0].slices", "[36] | slices within 0 to 35 of volume 'subject1'"),
    ({"slices": [3, 10, 10]}, "labels[0].slices", "10 more than once"),
    ({"slices": "by_nam"}, "labels[0].slices", "Did you mean 'by_name'?"),
    ({"slices": None}, "labels[0].path", "set slices: by_name where only these are labelled"),
    ({"origin": [3, 0, 0]}, "labels[0].origin", "0 in z, where slices are given"),
    ({"boxes": [{"y": [400, 500]}]}, "labels[0].boxes[0].y", "within 0 to 416, the size of volume 'subject1'"),
    ({"boxes": [{"y": [9, 9]}]}, "labels[0].boxes[0].y", "the second larger"),
    ({"incomplete_slices": [10, 11]}, "labels[0].incomplete_slices", "[11] | slices that the source has"),
    ({"incomplete_slices": [10]}, "regions[0].labels.reference", "slices [10], of which only some objects are drawn"),
    ({"complete": False}, "regions[0].labels.reference", "complete slices, since 'hybrid' trains on all"),
    ({"annotates": ["mitochondria"]}, "labels[0].annotates[0]", "Did you mean 'mitochondrion'?"),
    ({"annotates": ["alpha_granule"]}, "experiments[0].targets", "mitochondrion, which the label sources"),
    ({"kind": "instance", "annotates": None}, "regions[0].labels.reference", "Add annotates: [CLASS]"),
    ({"kind": "instance", "annotates": ["mitochondrion", "cell"]}, "labels[0].annotates", "one class, with kind: instance"),
    ({"kind": "instance", "values": [{"class": "cell", "values": [1]}]}, "labels[0].values[0].class", "unlabelled, with kind"),
    ({"values": [{"class": "cell", "values": [1]}]}, "labels[0].values[0].class", "a class that the source annotates"),
    ({"annotates": None, "values": [{"class": "other", "values": [0]}]}, "labels[0].values[0].class", "no other, where"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "key", "text"), MISTAKES)
def test_a_mistake_is_told_by_its_key(sparse, change, key, text):
    found = findings(sparse, **change)
    assert key in found, found
    assert text in found[key]


def test_names_that_tell_no_number(sparse, tmp_path):
    tifffile.imwrite(tmp_path / "p2_z0005.tif", np.zeros((416, 416), np.uint8))
    assert "2 numbers that differ in the names" in findings(sparse)["labels[0].slices"]


def test_a_slice_in_two_files(sparse, tmp_path):
    tifffile.imwrite(tmp_path / "p1_z03.tif", np.zeros((416, 416), np.uint8))
    assert "[3] more than once" in findings(sparse)["labels[0].slices"]


def test_a_draw_takes_complete_slices_so_that_incomplete_ones_may_be_there(sparse):
    sparse["experiments"][0] |= {"draw": {"n_slices": 1}, "evaluate": "eval"}
    assert findings(sparse, incomplete_slices=[10]) == {}


def test_incomplete_slices_beside_the_region_stop_nothing(sparse):
    sparse["regions"][0]["z"] = [0, 10]
    assert findings(sparse, incomplete_slices=[10]) == {}


def test_binning_in_z_needs_whole_blocks(sparse):
    sparse["volumes"][0]["binning"] = [2, 1, 1]
    sparse["regions"][1]["z"] = None
    found = findings(sparse)
    assert "none of which fill a block" in found["labels[0].slices"]
    assert "labels[0].slices" not in findings(sparse, slices=[10, 11, 20])
    assert "labels[0].slices" not in findings(sparse, frame="aligned", slices=[3, 10, 17])
    assert "0 to 17 of volume 'subject1' after binning" in findings(sparse, frame="aligned")["labels[0].slices"]


def test_a_region_between_the_labelled_slices_has_no_labels(sparse):
    sparse["regions"][0]["z"] = [11, 20]
    assert "between its slices" in findings(sparse)["regions[0].labels.reference"]
    sparse["regions"][0]["labels"]["reference"] = ["subject1_truth", "eval_truth"]  # the other source reaches it
    assert findings(sparse) == {}


def test_combined_sources_are_names_in_labels(sparse):
    sparse["regions"][0]["labels"]["reference"] = ["subject1_truth", "eval_trut"]
    assert "'eval_trut'" in findings(sparse)["regions[0].labels.reference"]
    sparse["regions"][0]["labels"]["reference"] = []
    assert "regions[0].labels.reference" in findings(sparse)


@pytest.mark.parametrize(
    ("inside", "text"), [("cells", "Did you mean 'cell'?"), ("dense_core", "dense_core in dense_core")]
)
def test_containers_exist_and_end(sparse, inside, text):
    sparse["classes"][6]["inside"] = inside
    assert text in findings(sparse)["classes[6].inside"]


def test_a_softmax_over_classes_that_nobody_annotates_is_refused(sparse):
    for key in ("activation", "decision", "targets"):
        del sparse["experiments"][0][key]
    found = findings(sparse)["experiments[0].targets"]
    assert "background, cell, alpha_granule" in found
    assert "activation: sigmoid" in found


def test_error_weights_need_a_class_map(sparse):
    sparse["experiments"][0]["weight_map"] = "paper"
    assert "Set weight_map: none" in findings(sparse)["experiments[0].weight_map"]
    sparse["regions"][0]["labels"]["reference"] = "eval_truth"
    assert findings(sparse) == {}


@pytest.mark.parametrize("second", [None, "others", ["cell"]])
def test_error_weights_with_sigmoid_need_one_source_of_all_classes(sparse, second):
    """Sources of some classes together tell all of them, yet where one of them isn't known the class map has no weight."""
    names = [c["name"] for c in sparse["classes"]]
    annotated = [n for n in names if n not in ("background", "mitochondrion")] if second == "others" else second
    sparse["labels"][-1]["annotates"] = annotated
    sparse["experiments"][0]["weight_map"] = "paper"
    sparse["regions"][0]["labels"]["reference"] = ["subject1_truth", "eval_truth"]
    sparse["regions"][1]["labels"]["reference"] = "eval_truth"
    assert "Set weight_map: none" in findings(sparse)["experiments[0].weight_map"]
    sparse["experiments"][0]["weight_map"] = "none"
    assert "experiments[0].weight_map" not in findings(sparse)
