"""renderings and videos: names that do not exist and files that would collide are told at the dry run."""

import pytest

import rendering_checks


@pytest.fixture
def config():
    labels = {"reference": "a", "annotator_1": "b"}
    volume = {"name": "stack", "binning": [2, 1, 1]}
    training = {"steps": 100}
    return {
        "volumes": [volume],
        "regions": [
            {"name": "eval", "volume": "stack", "z": [4, 10], "frame": "aligned", "labels": {"reference": "a"}},
            {"name": "all", "volume": "stack", "z": None, "frame": "aligned", "labels": labels},
            {"name": "raw", "volume": "stack", "z": [3, 9], "frame": "raw", "labels": {"annotator_1": "b"}},
        ],
        "experiments": [{"name": "hybrid", "training": training}, {"name": "unet", "training": {"steps": None}}],
        "ensembles": [{"name": "hybrid"}, {"name": "unet"}],
        "renderings": [{"region": "all", "ensembles": ["hybrid"], "annotators": True}],
        "videos": {
            "rotations": [{"region": "eval", "ensembles": ["hybrid", "unet"]}],
            "training": [{"experiment": "hybrid", "seed": 1, "region": "eval", "slice": 5, "every_steps": 100}],
        },
    }


def findings(config, shapes=None):
    shapes = {("volumes", "stack"): (41, 50, 50)} if shapes is None else shapes
    return {f.path: f"{f.found} | {f.expected} | {f.hint}" for f in rendering_checks.check_renderings(config, shapes)}


def test_sound_records_have_no_findings(config):
    assert findings(config) == {}


@pytest.mark.parametrize(
    "record, path, text",
    [
        ({"region": "evla"}, "renderings[0].region", "Did you mean 'eval'?"),
        ({"region": "all", "ensembles": ["hybird"]}, "renderings[0].ensembles[0]", "Did you mean 'hybrid'?"),
        ({"region": "eval", "annotators": True}, "renderings[0].annotators", "'eval' has no annotators"),
    ],
)
def test_renderings_name_what_exists(config, record, path, text):
    config["renderings"] = [{"ensembles": [], "annotators": False, **record}]
    assert list(findings(config)) == [path] and text in findings(config)[path]


@pytest.mark.parametrize(
    "change, path, text",
    [
        ({"experiment": "hybird"}, "experiment", "Did you mean 'hybrid'?"),
        ({"region": "al"}, "region", "Did you mean 'all'?"),
        ({"region": "raw", "slice": 3}, "region", "reference labels"),
        ({"slice": 6}, "slice", "0 to 5,"),
        ({"region": "all", "slice": 21}, "slice", "0 to 20,"),
        ({"every_steps": 101}, "every_steps", "at most 100"),
    ],
)
def test_filmed_trainings_fit_their_region_and_length(config, change, path, text):
    config["videos"]["training"][0].update(change)
    found = findings(config)
    assert list(found) == [f"videos.training[0].{path}"] and text in "".join(found.values())


def test_depth_of_a_raw_region_counts_binned_slices_and_unknown_ones_are_left_to_the_run(config):
    region = config["regions"][2]
    assert rendering_checks._depth(region, config, {}) == 4  # raw 3 to 8 lie in binned 1 to 4
    assert rendering_checks._depth(config["regions"][1], config, {}) is None
    assert rendering_checks._depth({**region, "volume": "other"}, config, {}) is None


def test_what_the_schema_refused_is_passed_over(config):
    config["renderings"] = [{"region": None, "ensembles": None, "annotators": None}]
    nothing = dict.fromkeys(("experiment", "seed", "region", "slice", "every_steps"))
    config["videos"] = {"rotations": [{"region": None, "ensembles": None}], "training": [nothing, dict(nothing)]}
    assert findings(config) == {}


def test_files_that_would_have_one_name_are_refused(config):
    config["regions"] += [{**config["regions"][0], "name": "a"}, {**config["regions"][0], "name": "a_b"}]
    config["ensembles"] = [{"name": "b_c"}, {"name": "c"}]
    config["renderings"] = []
    config["videos"]["rotations"] = [{"region": "a", "ensembles": ["b_c"]}, {"region": "a_b", "ensembles": ["c"]}]
    assert "a_b_c.mp4" in findings(config)["videos.rotations[1]"]
    config["videos"]["rotations"] = []
    config["videos"]["training"] *= 2
    assert "each experiment once" in findings(config)["videos.training[1].experiment"]


def test_ensemble_with_the_name_of_labels_is_refused(config):
    config["ensembles"] = [{"name": "annotator_1"}]
    config["videos"]["rotations"] = []
    config["renderings"] = [{"region": "all", "ensembles": ["annotator_1"], "annotators": False}]
    assert "Rename the ensemble" in findings(config)["renderings[0].ensembles[0]"]
