from string import Formatter

import pytest

from densecell import passport_words
from densecell.passport_words import FILES, WORDS, Count, fill, is_idle, join_names, listed, makes, ranges


def test_names_that_differ_by_a_last_number_become_one():
    assert join_names([f"hybrid seed {s}" for s in range(1, 31)]) == "hybrid seed 1 to 30"
    assert join_names(["unet seed 3", "unet seed 1", "unet seed 7"]) == "unet seed 1, 3 and 7"
    assert join_names(["subject1", "subject2", "subject1"]) == "subject1 and subject2"  # a name, no number of a list
    assert join_names(["a", "b", "c"]) == "a, b and c"


def test_ranges_of_numbers():
    assert ranges([1, 2, 3, 7]) == "1 to 3 and 7"
    assert ranges([4]) == "4"
    assert ranges([1, 2]) == "1 and 2"


def test_lists_in_words():
    assert (listed([]), listed(["a"]), listed(["a", "b"])) == ("", "a", "a and b")


def test_a_template_is_filled_from_nested_parameters():
    params = {
        "settings": {"window": [1, 4, 4], "rate": 0.003, "z": [0, 5], "y": None, "on": True},
        "margins": [50, 100],
    }
    template = "{settings.window:x}, {settings.rate}, {settings.z:to}, {settings.y:to}, {settings.on}, {margins}, {part[1]}, {stem}"
    assert (
        fill(template, "models/unet/history.csv", params)
        == "1 x 4 x 4, 0.003, 0 to 5, all, yes, 50, 100, unet, history"
    )


@pytest.mark.parametrize(
    ("training", "expected"),
    [
        ({"steps": 8, "epochs": 40}, "8 steps"),
        ({"steps": None, "epochs": 40}, "40 epochs"),
        ({}, "an unknown number of epochs"),
    ],
)
def test_a_training_is_as_long_as_its_steps_or_else_its_epochs(training, expected):
    settings = {"network": "unet_2d", "window": [1, 4, 4], "training": {**training, "optimizer": "adam"}}
    told = fill(WORDS["train_network"].how, "models/unet/seed1/history.csv", {"settings": settings})
    assert told == f"unet_2d, {expected} on windows of 1 x 4 x 4 voxels, adam"


def test_a_training_without_eval_regions_tells_its_targets_and_its_loss():
    training = {"steps": 8, "optimizer": "adam", "loss": "dice"}
    settings = {
        "network": "resunet",
        "window": [1, 4, 4],
        "training": training,
        "evaluate": "held_out",
        "targets": ["a", "b"],
    }
    told = fill(WORDS["train_network"].how, "models/resunet/seed1/history.csv", {"settings": settings})
    assert told.endswith("adam, dice loss of a and b, the last step kept")
    told = fill(WORDS["train_network"].how, "", {"settings": {**settings, "evaluate": "eval"}})
    assert told.endswith("adam")


@pytest.mark.parametrize(
    ("stitch", "expected"),
    [
        ("halo", "tiles with a margin that is cut off"),
        ("depth", "overlapping tiles, each voxel from where it lies deepest"),
        ("blend", "overlapping tiles, averaged with a tapered window"),
    ],
)
def test_tiles_are_told_in_words(stitch, expected):
    assert fill(WORDS["predict_volume"].how, "predictions/r/top2", {"settings": {"stitch": stitch}}) == expected


def test_numbers_with_their_words():
    assert f"{Count(1):network was|networks were}" == "1 network was"
    assert f"{Count(30):network was|networks were}" == "30 networks were"


def test_shares_and_lengths_are_told_as_a_scientist_writes_them():
    told = fill(WORDS["compare_networks"].how, "tables/x.csv", {"confidence": 0.95, "n_bootstrap": 10000, "seed": 0})
    assert told == "rank tests, 95 % intervals from 10000 bootstrap samples, seed 0"
    settings = {"class_weight_power": 0.5, "edge_sigma_px": 6, "edge_amplitude": 0.882, "floor": 0.01}
    told = fill(WORDS["build_weight_map"].how, "weights/x.ome.zarr", {"settings": settings})
    assert told == "class balance to the power 0.5, edges blurred by a Gaussian of 6 px, floor 0.01"
    told = fill(WORDS["build_weight_map"].how, "weights/x.ome.zarr", {"settings": {**settings, "edge_amplitude": 0}})
    assert told == "class balance to the power 0.5, no edges, floor 0.01"


def test_a_value_that_the_sidecar_lacks_is_unknown():
    assert fill("{settings.window:x} and {none}", "a/b.csv", {}) == "unknown and unknown"


def test_a_step_that_changes_nothing_is_idle():
    assert is_idle(WORDS["bin_volume"], {"binning": [1, 1, 1]}) and not is_idle(
        WORDS["bin_volume"], {"binning": [1, 2, 2]}
    )
    assert is_idle(WORDS["align_volume"], {"settings": {"method": "none"}})
    assert not is_idle(WORDS["align_volume"], {}) and not is_idle(WORDS["rank_networks"], {})


@pytest.mark.parametrize("script", WORDS)
def test_every_entry_fills_without_parameters_and_names_only_what_there_is(script):
    words = WORDS[script]
    for template in (words.name, words.how):
        assert fill(template, "folder/name.csv", {})
        assert all(field is None or field for _, field, _, _ in Formatter().parse(template))
    fields = {field for _, field, _, _ in Formatter().parse(words.story) if field}
    assert fields <= {"names", "how", "each", "n_jobs"}
    assert words.story == "" or words.story.endswith(".")
    assert words.makes and not words.makes.endswith(".")


def test_what_a_file_is_depends_on_the_file():
    assert makes("models/unet/seed1/history.csv", "train_network").startswith("holds how the training")
    assert makes("models/unet/seed1/best.safetensors", "train_network").startswith("is a trained network")
    assert makes("figures/confusion.png", "plot_confusion").startswith("is a picture")
    assert makes("x", None) == f"is {passport_words.UNTOLD.makes}"
    assert len({pattern for pattern, _ in FILES}) == len(FILES)
