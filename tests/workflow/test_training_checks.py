"""What a configuration says about the loss and the sampler is checked before anything runs; the presets of sparse labels."""

import copy

import pytest
import yaml
from test_configuration import PRESETS, config, edit, text_of  # noqa: F401 (config is a fixture)
from workflow_runs import REPO

import configuration

TRAINING = "experiments[0].training"


def found(config, path):  # noqa: F811
    return text_of(configuration.check(config, PRESETS), path)


@pytest.fixture
def sparse(config):  # noqa: F811
    """The default configuration with the preset fibsem in its first experiment."""
    edit(config, "experiments[0].preset", "fibsem")
    edit(config, "experiments[0].options", {})
    edit(config, TRAINING, {})
    return config


def test_the_preset_of_sparse_labels_is_accepted_without_weights_and_with_windows_larger_than_the_region(sparse):
    edit(sparse, "experiments[0].window", [3, 512, 512])
    assert [f for f in configuration.check(sparse, PRESETS) if f.path.startswith("experiments[0]")] == []
    edit(sparse, TRAINING, {"sampler": "grid"})
    assert "no larger than train region" in found(sparse, "experiments[0].window")


@pytest.mark.parametrize(
    ("path", "value", "at", "words"),
    [
        ("weight_map", "square_root", "weight_map", "none, with training.loss: dice"),
        (
            "training",
            {"foreground": {"min_windows": 6}},
            "training.foreground.min_windows",
            "at most 5, the batch_size",
        ),
        ("training", {"foreground": {"target": "granul"}}, "training.foreground.target", "Did you mean"),
        ("training", {"loss": "dise"}, "training.loss", "dice"),
        ("training", {"augmentation": {"flip_axes": ["w"]}}, "training.augmentation.flip_axes[0]", "z, y, x"),
        ("training", {"dice_smooth": -1}, "training.dice_smooth", "0"),
    ],
)
def test_tells_what_does_not_fit(sparse, path, value, at, words):
    edit(sparse, f"experiments[0].{path}", value)
    assert words in found(sparse, f"experiments[0].{at}")


def test_the_target_is_one_of_the_experiment_s(sparse):
    names = [c["name"] for c in sparse["classes"]]
    edit(sparse, "experiments[0].activation", "sigmoid")
    edit(sparse, "experiments[0].decision", "compose")
    edit(sparse, "experiments[0].targets", names[1:3])
    edit(sparse, TRAINING, {"foreground": {"target": names[0]}})
    assert f"{names[1]}, {names[2]}" in found(sparse, f"{TRAINING}.foreground.target")


def test_none_is_no_name_of_a_weight_map(config):  # noqa: F811
    edit(config, "weight_maps[0].name", "none")
    assert "weight_map: none means no weights" in found(config, "weight_maps[0].name")


def test_the_preset_fibsem_holds_the_published_numbers():
    presets = {p["name"]: p for p in yaml.safe_load((REPO / "config/presets.yaml").read_text())["presets"]}
    fibsem, quick = (presets[name]["training"] for name in ("fibsem", "fibsem_quick"))
    published = {"optimizer": "adam", "learning_rate": 1e-4, "betas": [0.9, 0.999], "epsilon": 1e-7, "steps": 5000}
    published |= {"batch_size": 5, "schedule": "constant", "loss": "dice", "sampler": "foreground", "warmup_steps": 0}
    published |= {"foreground": {"min_windows": 4, "min_px": 100, "target": None}, "gradient_clip": None}
    assert {key: fibsem[key] for key in published} == published
    assert set(fibsem["l2"].values()) == {0} and presets["fibsem"]["weight_map"] == "none"
    assert fibsem["augmentation"]["flip_axes"] == ["y", "x"]
    assert {key for key in fibsem if fibsem[key] != quick[key]} == {"steps", "learning_rate", "schedule"}


def test_options_of_a_preset_that_a_network_lacks_are_left_out(config):  # noqa: F811
    for i, network in enumerate(("resunet", "unet_2d")):
        edit(
            config, f"experiments[{i}]", {**copy.deepcopy(config["experiments"][i]), "network": network, "options": {}}
        )
        edit(config, f"experiments[{i}].preset", "fibsem_quick")
    first, second = configuration.resolve(config, PRESETS)["experiments"][:2]
    assert first["options"] == {"norm_momentum": 0.1} and second["options"] == {}
