"""Seeds as a list or a number, and fewer of them with seeds_scale."""

import copy

import pytest
import workflow_runs as runs

import config_schema
import configuration
import seeds

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")


def test_a_number_means_one_to_that_number():
    assert seeds.expanded(3) == [1, 2, 3]
    assert seeds.expanded([7, 2]) == [7, 2]
    assert seeds.expanded(None) is None


@pytest.mark.parametrize(("n", "scale", "kept"), [(26, 0.1, 3), (500, 0.1, 50), (26, 1, 26), (1, 0.1, 1), (3, 0.5, 2)])
def test_the_first_seeds_are_kept_and_one_at_least(n, scale, kept):
    assert seeds.first(list(range(n)), scale) == list(range(kept))


def with_seeds(number, top_k, **more):
    config = runs.read_config("tests/workflow/tiny.yaml")
    config["experiments"][0]["seeds"] = number
    config["ensembles"][0] |= {"top_k": top_k, **more.pop("ensemble", {})}
    return {**config, **more}


def test_sizes_of_ensembles_that_scaling_made_impossible_are_dropped():
    config = with_seeds(20, [1, 2, 3, 8], seeds_scale=0.1, ensemble={"n_singles": 5})
    result = configuration.resolve(config, PRESETS)
    assert configuration.check(config, PRESETS) == []
    assert [e["seeds"] for e in result["experiments"]] == [[1, 2], [1]]
    assert [e["top_k"] for e in result["ensembles"]] == [[1, 2], [1]]
    assert result["ensembles"][0]["n_singles"] == 2


def test_an_ensemble_whose_sizes_are_all_dropped_keeps_one():
    result = configuration.resolve(with_seeds(20, [4, 8], seeds_scale=0.1), PRESETS)
    assert result["ensembles"][0]["top_k"] == [1]


@pytest.mark.parametrize("scale", [1, 0.5])
def test_sizes_that_never_were_possible_are_told(scale):
    config = with_seeds(4, [1, 5], seeds_scale=scale, ensemble={"n_singles": 6})
    found = {finding.path: finding for finding in configuration.check(config, PRESETS)}
    assert set(found) == {"ensembles[0].top_k", "ensembles[0].n_singles"}


def test_scaling_twice_is_scaling_once():
    config = with_seeds(20, [1, 2], seeds_scale=0.3)
    before = copy.deepcopy(config)
    once = configuration.resolve(config, PRESETS)
    assert config == before and configuration.resolve(once, PRESETS) == once


@pytest.mark.parametrize("wrong", [0, -1, True, "3", [], [1, 1], [0.5], None, 2.5])
def test_wrong_seeds_are_one_finding(wrong):
    found = configuration.check(with_seeds(wrong, [1]), PRESETS)
    assert [finding.path.split(".")[1][:5] for finding in found] == ["seeds"]


@pytest.mark.parametrize("wrong", [0, 1.5, "half"])
def test_wrong_scale_is_one_finding(wrong):
    assert [f.path for f in configuration.check(with_seeds(2, [1], seeds_scale=wrong), PRESETS)] == ["seeds_scale"]


def test_the_schema_says_what_seeds_may_be():
    schema = config_schema.load(str(configuration.SCHEMA_DIR / "config.schema.yaml"))
    seeds_schema = schema["properties"]["experiments"]["items"]["properties"]["seeds"]
    text = config_schema.describe(seeds_schema)
    assert text == "a whole number, 1 or more, at most 10000; or a list of whole numbers, each 0 or more"


def test_an_ensemble_that_nothing_ranks_keeps_as_many_members_as_there_are():
    config = with_seeds(20, [20], seeds_scale=0.1)
    config["experiments"][0] |= {"evaluate": "none"}
    assert configuration.resolve(config, PRESETS)["ensembles"][0]["top_k"] == [2]
    assert configuration.resolve({**config, "seeds_scale": 1}, PRESETS)["ensembles"][0]["top_k"] == [20]
