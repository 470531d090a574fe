"""Targets that overlap, how they are composed into class maps, and what is told where that makes no sense."""

import pytest
import workflow_runs as runs

import configuration

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")


@pytest.fixture
def config():
    return runs.read_config("config.yaml")


def composed(config, **compose):
    """The phantom with both experiments of sigmoid targets, of which the first has two, and a composition of both."""
    classes = {c["name"]: c for c in config["classes"]}
    classes["dense_core"]["inside"] = "dense_granule"
    for experiment, targets in zip(config["experiments"], (["dense_core", "dense_granule"], ["mitochondrion"])):
        experiment |= {"activation": "sigmoid", "decision": "compose", "targets": targets}
        experiment["options"]["predictor_relu"] = False
    config["experiments"][1]["options"].pop("predictor_relu")
    config["experiments"][0]["compose"] = compose
    for ensemble in config["ensembles"]:
        ensemble["top_k"] = [3]
    jobs = [{"volume": "subject2", "ensemble": e["name"], "probabilities": True} for e in config["ensembles"]]
    config["prediction"]["full_volumes"], config["instances"] = jobs, []
    config["compositions"] = [{"name": "both", "ensembles": ["hybrid", "unet"]}]
    return config


def findings_of(config):
    return {f.path: f"{f.found} {f.expected} {f.hint}" for f in configuration.check(config, PRESETS)}


def test_targets_that_overlap_and_their_composition_are_sound(config):
    assert findings_of(composed(config)) == {}
    assert findings_of(composed(config, order=["dense_granule", "dense_core"], outside="cell")) == {}


@pytest.mark.parametrize(
    ("compose", "key", "words"),
    [
        ({"order": ["dense_core"]}, "order", "each target once: dense_core, dense_granule"),
        ({"order": ["dense_core", "dense_granule"]}, "order", "dense_granule after dense_core, which lies inside it"),
        ({"outside": "water"}, "outside", "a name in classes"),
        ({"ties": "coin"}, "ties", "one of order, probability"),
        ({"nested": "in"}, "nested", "one of within, anywhere"),
    ],
)
def test_compose_that_makes_no_sense_is_a_finding(config, compose, key, words):
    assert words in findings_of(composed(config, **compose))[f"experiments[0].compose.{key}"]


def test_compositions_of_what_is_not_there_or_twice_are_findings(config):
    config = composed(config)
    config["compositions"].append({"name": "hybrid", "ensembles": ["hybrid", "unett"], "order": ["cell"]})
    found = findings_of(config)
    assert "a name that no ensemble has" in found["compositions[1].name"]
    assert "Did you mean 'unet'?" in found["compositions[1].ensembles[1]"]
    assert "each target once" in found["compositions[1].order"]
    config["compositions"] = [{"name": "both", "ensembles": ["hybrid", "unet"]}]
    config["experiments"][1]["targets"] = ["dense_core"]
    assert "dense_core of hybrid and of unet" in findings_of(config)["compositions[0].ensembles"]
    config["experiments"][1] |= {"targets": None, "activation": "softmax", "decision": "argmax"}
    config["compositions"][0]["ensembles"] = ["unet"]
    assert "unet with softmax" in findings_of(config)["compositions[0].ensembles"]


def test_a_composition_needs_a_volume_with_the_probabilities_of_all(config):
    config = composed(config)
    config["prediction"]["full_volumes"][0]["probabilities"] = False
    assert "probabilities: true" in findings_of(config)["compositions[0].ensembles"]


@pytest.mark.parametrize("key", ["threshold", "compose", "activation"])
def test_members_of_an_ensemble_become_classes_in_one_way(config, key):
    config = composed(config)
    config["experiments"][1] |= {"targets": ["dense_core", "dense_granule"]}
    config["experiments"][1][key] = {"threshold": 0.4, "compose": {"ties": "probability"}, "activation": "softmax"}[key]
    config["ensembles"][0]["experiments"] = ["hybrid", "unet"]
    assert f"experiments with different {key}" in findings_of(config)["ensembles[0].experiments"]


def test_tissue_against_background_needs_a_softmax(config):
    config = composed(config)
    config["experiments"][0] |= {"targets": None, "compose": {}}
    config["analysis"]["foreground"] = {"regions": ["test"], "ensembles": ["hybrid"]}
    assert "activation: softmax" in findings_of(config)["analysis.foreground.ensembles[0]"]


def test_a_relu_before_a_sigmoid_is_a_finding(config):
    """No probability could be below a half."""
    config = composed(config)
    del config["experiments"][0]["options"]["predictor_relu"]
    config["experiments"][0]["preset"] = "paper"
    assert "predictor_relu: false" in findings_of(config)["experiments[0].options.predictor_relu"]
