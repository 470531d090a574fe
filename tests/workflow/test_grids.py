"""Lists in draw.n_slices: one experiment each, and all that names the ensembles follows."""

import copy

import pytest
import workflow_runs as runs

import configuration
import grids

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")


def with_grid(**changes):
    """The tiny configuration with a grid in its first experiment, and so no ensemble of that name that objects come from."""
    config = runs.read_config("tests/workflow/tiny.yaml")
    config["instances"] = []
    config["experiments"][0] |= {"draw": {"n_slices": [2, 4], "pick": "even"}, "weight_map": "none"}
    for path, value in changes.items():
        runs.edit(config, path.replace("__", "."), value)
    return config


def resolved(config):
    return configuration.resolve(config, PRESETS)


def names(config, section, key="name"):
    return [record[key] for record in config[section]]


def test_each_number_is_an_experiment_with_a_name_of_its_own():
    config = resolved(with_grid())
    assert names(config, "experiments") == ["hybrid_n2", "hybrid_n4", "unet"]
    assert [e["draw"] and e["draw"]["n_slices"] for e in config["experiments"]] == [2, 4, None]
    first, second, _ = config["experiments"]
    assert {**first, "name": "", "draw": 0} == {**second, "name": "", "draw": 0}


def test_ensembles_and_whole_volumes_follow():
    config = resolved(with_grid())
    assert [(e["name"], e["experiments"]) for e in config["ensembles"]] == [
        ("hybrid_n2", ["hybrid_n2"]),
        ("hybrid_n4", ["hybrid_n4"]),
        ("unet", ["unet"]),
    ]
    jobs = config["prediction"]["full_volumes"]
    assert [job["ensemble"] for job in jobs] == ["hybrid_n2", "hybrid_n4"]
    assert len({job["volume"] for job in jobs}) == 1


def test_an_ensemble_of_a_grid_and_another_experiment_keeps_the_other():
    config = with_grid(ensembles=[{"name": "both", "experiments": ["hybrid", "unet"], "top_k": [1]}])
    config["prediction"]["full_volumes"] = []
    assert [(e["name"], e["experiments"]) for e in resolved(config)["ensembles"]] == [
        ("both_n2", ["hybrid_n2", "unet"]),
        ("both_n4", ["hybrid_n4", "unet"]),
    ]


def test_lists_of_ensembles_name_each():
    config = with_grid(
        analysis={"small_regions": {"ensembles": ["unet", "hybrid"]}}, paper={"ensembles": ["hybrid"], "main": "unet"}
    )
    config["renderings"] = [{"region": "test", "ensembles": ["hybrid"]}]
    found = resolved(config)
    assert found["analysis"]["small_regions"]["ensembles"] == ["unet", "hybrid_n2", "hybrid_n4"]
    assert found["paper"]["ensembles"] == ["hybrid_n2", "hybrid_n4"] and found["paper"]["singles"] is None
    assert found["renderings"][0]["ensembles"] == ["hybrid_n2", "hybrid_n4"]
    assert configuration.check(config, PRESETS) == []


def test_without_a_list_nothing_changes():
    config = configuration.resolve(runs.read_config("tests/workflow/tiny.yaml"), PRESETS)
    assert grids.expanded(config) == (config, {})


def test_expanding_twice_is_expanding_once():
    config = with_grid()
    before = copy.deepcopy(config)
    once = resolved(config)
    assert config == before and resolved(once) == once


def test_findings_tell_the_record_of_the_file():
    config = with_grid()
    config["experiments"][1]["window"] = [1, 240, 236]  # the U-Net; the third record once the grid is expanded
    config["experiments"][0]["options"] = {"base_width": 5}  # an odd number
    found = [f.path for f in configuration.check(config, PRESETS)]
    assert found == ["experiments[0].options.base_width", "experiments[1].window"]


@pytest.mark.parametrize("wrong", [[], [0], [2, 2], [2, "all"], "some", 0, None, [1.5]])
def test_wrong_numbers_are_one_finding(wrong):
    config = with_grid(experiments__0__draw={"n_slices": wrong})
    found = configuration.check(config, PRESETS)
    assert len(found) == 1 and found[0].path.startswith("experiments[0].draw.n_slices")


def test_two_grids_with_other_numbers_in_one_ensemble_are_told():
    config = with_grid()
    config["experiments"][1] |= {"draw": {"n_slices": [2, 3]}, "weight_map": "none"}
    config["ensembles"] = [{"name": "both", "experiments": ["hybrid", "unet"], "top_k": [1]}]
    config["prediction"]["full_volumes"] = []
    found = {f.found for f in configuration.check(config, PRESETS)}
    assert found == {"'hybrid_n3'", "'unet_n4'"}
