"""What a configuration with draws, targets and held-out slices may not say, and what is told before anything runs."""

import numpy as np
import pytest
import tifffile
import workflow_runs as runs

import configuration
import draw_checks
import labelled_slices
from densecell import sparse_labels

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")
SPARSE = "tests/workflow/tiny_sparse.yaml"


def changed(changes):
    config = runs.read_config(SPARSE)
    for path, value in changes.items():
        runs.edit(config, path, value)
    return config


def findings(changes):
    return {f.path: f for f in configuration.check(changed(changes), PRESETS)}


def test_the_tiny_configuration_is_sound():
    assert findings({}) == {}


FINER = {"name": "binned", "binning": [1, 2, 2]}
MISTAKES = {
    # changes: (path of the finding, what it says)
    "a region that isn't there": ({"experiments[0].regions": ["sparse", "tset"]}, "experiments[0].regions[1]", "Did you mean 'test'"),
    "no train region": ({"experiments[0].regions": ["test"]}, "experiments[0].regions", "role train"),
    "no eval region": ({"experiments[1].evaluate": "eval"}, "experiments[1].regions", "evaluate: held_out or none"),
    "no eval region at all": ({"experiments[1].evaluate": "eval", "experiments[1].regions": None}, "regions", "Add a region with role: eval"),
    "an unknown target": ({"experiments[0].targets": ["cel"]}, "experiments[0].targets[0]", "Did you mean 'cell'"),
    "softmax of some classes": ({"experiments[1].targets": ["cell"]}, "experiments[1].targets", "activation: sigmoid"),
    "held out without a draw": ({"experiments[0].draw": None}, "experiments[0].evaluate", "evaluate: none"),
    "held out of all": ({"experiments[0].draw": {"n_slices": "all"}}, "experiments[0].evaluate", "n_slices: all"),
    "an unknown pick": ({"experiments[0].draw.pick": "evn"}, "experiments[0].draw.pick", "Did you mean 'even'"),
    "no number": ({"experiments[0].draw": {"pick": "even"}}, "experiments[0].draw.n_slices", "missing"),
    "held-out k": ({"ensembles[0].top_k": [1, 2]}, "ensembles[0].top_k", "one k, with evaluate"),
    "unranked class maps": ({"ensembles[1]": {"name": "mixed", "experiments": ["classes", "pair"], "top_k": [1]}, "prediction.full_volumes": []}, "ensembles[1].experiments", "equal activation"),
    "foreground of some classes": ({"analysis.small_regions.ensembles": ["pair"]}, "analysis.small_regions.ensembles[0]", "predicts all classes"),
    "the paper of what nothing ranks": ({"paper.main": "pair_n2"}, "paper.main", "evaluate: eval"),
    "the paper's rows of what nothing ranks": ({"paper.poster": ["classes"]}, "paper.poster[0]", "evaluate: eval"),
    "scored on nothing": ({"experiments[0].scored_on": "dens"}, "experiments[0].scored_on", "Did you mean 'dense'"),
    "scored on without held-out slices": ({"experiments[1].scored_on": "sparse"}, "experiments[1].scored_on", "held_out"),
    "scored on a region of another role": ({"experiments[0].scored_on": "test", "regions[2].volume": "subject1", "regions[2].labels": {"reference": "all"}}, "experiments[0].scored_on", "of role test"),
    "weights with a draw": ({"experiments[0].weight_map": "square_root"}, "experiments[0].weight_map", "Set weight_map: none"),
    "regions of one stack": ({"experiments[0].regions": None}, "experiments[0].regions", "'sparse' and 'dense' of one stack, which share slices 0 to 3"),
    "scored on another stack": ({"experiments[0].scored_on": "test"}, "experiments[0].scored_on", "volume 'subject2'"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "path", "told"), MISTAKES.values(), ids=MISTAKES)
def test_mistakes_are_told_with_their_key(changes, path, told):
    found = findings(changes)
    assert path in found, found
    finding = found[path]
    assert told in " ".join(finding), finding


def test_members_that_are_evaluated_and_others_make_no_ensemble():
    changes = {"ensembles": [{"name": "both", "experiments": ["classes", "other"], "top_k": [1]}]}
    changes |= {"prediction.full_volumes": [], "experiments[0].name": "other", "experiments[0].targets": None}
    changes |= {"experiments[0].activation": "softmax", "experiments[0].decision": "argmax"}
    changes |= {"experiments[0].draw": None, "experiments[0].evaluate": "eval", "experiments[0].regions": None}
    assert "classes (none), other (eval)" in findings(changes)["ensembles[0].experiments"].found


def test_no_ensembles_are_fine_unless_something_is_ranked():
    empty = {"ensembles": [], "prediction.full_volumes": []}
    assert findings(empty) == {}
    assert findings({**empty, "experiments[1].evaluate": "eval"})["ensembles"].found == "0 entries"


def test_other_binning_in_z_can_score_nothing():
    config = changed({})
    config["volumes"].append({**config["volumes"][0], "name": "deep", "binning": [2, 1, 1]})
    config["regions"].append({"name": "deep", "volume": "deep", "role": "train", "labels": {"reference": "deep"}})
    config["labels"].append({**config["labels"][0], "name": "deep", "volume": "deep"})
    config["experiments"][0] |= {"regions": ["deep"], "scored_on": "sparse", "targets": ["cell"]}
    config["ensembles"] = config["ensembles"][1:]
    config["prediction"]["full_volumes"] = []
    found = {f.path: f for f in configuration.check(config, PRESETS)}
    assert "[1, 1, 1] for a network trained at [2, 1, 1]" in found["experiments[0].scored_on"].found


def finer(method="none", binned=(1, 2, 2)):
    """Trained on a binned record of the stack, scored on another one."""
    config = changed({"volumes[0].alignment": {"method": method}})
    config["volumes"].append({**config["volumes"][0], "name": "binned", "binning": list(binned)})
    config["labels"].append({**config["labels"][0], "name": "binned", "volume": "binned"})
    config["regions"].append({"name": "coarse", "volume": "binned", "role": "train", "labels": {"reference": "binned"}})
    config["experiments"][0] |= {
        "regions": ["coarse"],
        "scored_on": "sparse",
        "targets": ["cell"],
        "window": [1, 32, 32],
    }
    config["ensembles"], config["prediction"]["full_volumes"] = config["ensembles"][1:], []
    return config


def test_records_that_are_aligned_each_by_itself_score_nothing():
    assert configuration.check(finer(), PRESETS) == []
    (finding,) = configuration.check(finer("global"), PRESETS)
    assert finding.path == "experiments[0].scored_on" and "'subject1' (global) and 'binned' (global)" in finding.found


def test_a_region_of_the_same_record_may_be_aligned():
    config = finer("global")
    config["regions"].append({**config["regions"][-1], "name": "part", "y": [8, 40]})
    config["experiments"][0]["scored_on"] = "part"
    assert configuration.check(config, PRESETS) == []


def test_regions_of_one_stack_are_separate_where_their_slices_are():
    config = changed({"regions[0].z": [4, 10], "experiments[0].regions": None, "experiments[0].targets": ["cell"]})
    assert not [f for f in configuration.check(config, PRESETS) if f.path == "experiments[0].regions"]


def test_slices_of_two_records_of_a_stack_are_compared_in_raw_slices():
    config = finer(binned=[2, 1, 1])
    config["experiments"][0] |= {"regions": ["sparse", "coarse"], "scored_on": None}
    config["regions"][0]["z"], config["regions"][-1]["z"] = [0, 6], [2, 5]
    assert "share slices 4 to 5" in next(
        f.found for f in configuration.check(config, PRESETS) if f.path == "experiments[0].regions"
    )
    config["regions"][-1]["z"] = [3, 5]
    assert not [f for f in configuration.check(config, PRESETS) if f.path == "experiments[0].regions"]


def test_a_window_has_to_fit_into_the_regions_of_its_experiment_only():
    changes = {"regions[1].y": [0, 40], "experiments[0].training.sampler": "grid"}
    found = [f.path for f in configuration.check(changed(changes), PRESETS)]
    assert "experiments[0].window" not in found and "experiments[1].window" in found


def test_the_name_of_a_grid_gets_a_hint_to_one_of_its_experiments():
    finding = findings({"videos": {"training": [{"experiment": "pair", "seed": 1, "region": "test", "slice": 1}]}})
    assert (
        "'pair' is a grid (n_slices is a list): name one of it, such as 'pair_n2'"
        in finding["videos.training[0].experiment"].hint
    )


# --------------------------------------------------------------------------------------- labelled slices that are known
def sliced(**more):
    """Two sources of single slices, of one class each: 0, 2, 4, 6 and 2, 4, 6, 8."""
    changes = {f"labels[{i}].{key}": value for i in (0, 1) for key, value in {"boxes": None, **more}.items()}
    changes |= {"labels[0].slices": [0, 2, 4, 6], "labels[1].slices": [2, 4, 6, 8]}
    return changes


def known(changes):
    config = configuration.resolve(changed(changes), PRESETS)
    return labelled_slices.n_labelled(config, config["experiments"][0])


def test_slices_count_where_all_targets_can_be_known():
    assert known(sliced()) == 3
    assert known({**sliced(), "experiments[0].targets": ["cell"]}) == 4
    assert known({**sliced(), "labels[0].incomplete_slices": [4]}) == 2
    assert known({**sliced(), "labels[1].complete": False}) == 0
    assert known({**sliced(), "regions[0].z": [0, 4]}) == 1
    assert known({}) is None  # whole stacks: only their voxels tell


def test_binned_slices_are_known_where_all_of_them_are():
    source = {"slices": [0, 1, 2, 4, 5], "frame": "raw", "complete": True, "incomplete_slices": [5]}
    assert labelled_slices.source_slices(source, 1) == {0, 1, 2, 4}
    assert labelled_slices.source_slices(source, 2) == {0}
    assert labelled_slices.source_slices({**source, "frame": "aligned"}, 2) == {0, 1, 2, 4}


def test_the_last_block_of_a_stack_may_be_shorter():
    source = {"slices": [0, 1, 3, 4, 5, 6], "frame": "raw", "complete": True, "incomplete_slices": []}
    for n_slices in (7, 8):
        told = sparse_labels.binned_slices({"slices": source["slices"]}, 2, n_slices)["slices"]
        assert labelled_slices.source_slices(source, 2, n_slices) == set(told)
    assert labelled_slices.source_slices(source, 2, 7) == {0, 2, 3}
    assert labelled_slices.source_slices(source, 2, 8) == {0, 2}
    assert labelled_slices.source_slices(source, 2) == {0, 2, 3}  # at most: it may be the last


def test_numbers_in_the_names_of_files_are_slices(tmp_path):
    for z in (3, 7, 11):
        tifffile.imwrite(tmp_path / f"s1_z{z:04d}.tif", np.zeros((4, 4), np.uint8))
    source = {"slices": "by_name", "path": str(tmp_path), "frame": "raw", "complete": True, "incomplete_slices": None}
    assert labelled_slices.source_slices(source, 1) == {3, 7, 11}
    assert labelled_slices.source_slices({**source, "path": str(tmp_path / "nowhere")}, 1) is None


@pytest.mark.parametrize(("n", "told"), [(4, "at most 3"), (3, "nothing is left to evaluate")])
def test_a_draw_of_more_slices_than_are_labelled_is_told_at_the_dry_run(n, told):
    config = configuration.resolve(changed({**sliced(), "experiments[0].draw": {"n_slices": n}}), PRESETS)
    (finding,) = draw_checks._check_n_slices("experiments[0]", config["experiments"][0], config, {})
    assert finding.path == "experiments[0].draw.n_slices" and told in finding.found + finding.expected


def test_all_labelled_slices_may_be_drawn_where_nothing_is_evaluated():
    changes = {**sliced(), "experiments[0].draw": {"n_slices": 3}, "experiments[0].evaluate": "none"}
    config = configuration.resolve(changed(changes), PRESETS)
    assert list(draw_checks._check_n_slices("experiments[0]", config["experiments"][0], config, {})) == []
