"""The paragraph on methods, filled from every shipped configuration."""

import copy
import re

import pytest
import workflow_runs

import configuration
import methods_settings
from densecell import citations, methods, methods_training, methods_words
from densecell.networks import NETWORKS

REPO = workflow_runs.REPO
CONFIGS = ["config/phantom_paper.yaml", "config/platelet.yaml", "config/vnc.yaml", "tests/workflow/tiny.yaml"]
GROUPS = ["encoder_decoder", "predictors", "pyramid"]


def told(*names):
    """What is told of a shipped configuration."""
    config = workflow_runs.read_config(*names)
    return methods_settings.settings(configuration.prepare(config, REPO / "config/presets.yaml"))


def has_pyramid(experiment):
    return experiment["network"].startswith("hybrid") and experiment["network"] != "hybrid_2d3d_no_pyramid"


def facts(config):
    names = [e["name"] for e in config["experiments"]]
    return {
        "parameters": dict.fromkeys(names, 1234567),
        "precisions": dict.fromkeys(names, "bfloat16"),
        "groups": {e["name"]: GROUPS[: 3 if has_pyramid(e) else 2] for e in config["experiments"]},
        "outputs": {e["name"]: 2 if has_pyramid(e) else 1 for e in config["experiments"]},
        "runs": dict.fromkeys(names, (3, 1)),
        "tiles": {"tile": ("window", "auto", "auto"), "halo": (1, "auto", "auto"), "largest_statistics_voxels": 4096},
        "chosen": {e["name"]: 2 for e in config["ensembles"]},
        "versions": {"densecell": "0.1.0", "snakemake": "9", "torch": "2", "numpy": "2", "scipy": "1", "zarr": "3"},
    }


def text_of(config):
    return " ".join(s for _, sentences in methods.sections(config, facts(config)) for s in sentences)


@pytest.fixture
def tiny():
    return copy.deepcopy(told("tests/workflow/tiny.yaml"))


@pytest.mark.parametrize("name", [(), *[(n,) for n in CONFIGS]], ids=str)
def test_the_text_of_a_shipped_configuration_is_whole(name):
    config = told(*name)
    text = text_of(config)
    assert "None" not in text and "{" not in text and "  " not in text and ".." not in text
    for record in [*config["volumes"], *config["regions"], *config["experiments"], *config["ensembles"]]:
        assert re.search(rf"\b{record['name']}\b", text), record["name"]
    assert len(citations.cited(text)) >= 10 and "/" not in re.sub(r"1/20|https?://\S+", "", text), "no path is told"


def test_numbers_are_those_of_the_configuration(tiny):
    text = text_of(tiny)
    assert "The voxels of subject1 and subject2 measured 50 x 10 x 10 nm (z, y, x)." in text
    assert "subject1 and subject2 are synthetic stacks (phantoms) with known truth, not micrographs." in text
    assert "trained for 8 steps in batches of 1 window with AdamW" in text and "learning rate 0.003" in text
    assert "1,234,567 parameters, on windows of 3 x 48 x 48 voxels" in text and "2 runs (seeds 1 and 2)" in text
    assert "k = 1 and 2; the eval regions chose k = 2" in text and "(50, 100 and 200 nm)" in text
    assert (
        "The runs trained were 3 runs of hybrid (1 collapsed) and 3 runs of unet (1 collapsed); collapsed runs ("
        in text
    )
    assert (
        "(fewer than half of the classes above an IoU of 0.05 at the last evaluation)" in text and "binned" not in text
    )


def test_trainings_on_drawn_slices_are_told(tiny):
    sparse = tiny["experiments"][0]
    sparse |= {"weight_map": "none", "evaluate": "held_out", "activation": "sigmoid"}
    sparse["training"] |= {"loss": "dice", "dice_smooth": 1, "sampler": "foreground", "stop_below_miou": 0.3}
    sparse["training"] |= {"foreground": {"min_windows": 4, "min_px": 100, "target": None}}
    sparse["training"] |= {"l2": dict.fromkeys(sparse["training"]["l2"], 0)}
    sparse["training"]["augmentation"] = {**sparse["training"]["augmentation"], "flip_axes": ["y", "x"]}
    text = text_of(tiny)
    assert "of each batch at least 4 with 100 or more pixels of the rarest target" in text and "without weights" in text
    assert "on the soft Dice loss of each batch, smoothed by 1 [@machireddy2023]" in text and "no weight decay" in text
    assert "flips along y and x" in text and "0.3 after" not in text
    assert f"Of each run of {sparse['name']} the state after the last step was kept." in text
    assert "Of each run of unet the state with the highest mean IoU" in text
    sparse["training"] |= {"loss": "cross_entropy", "loss_reduction": "mean"}
    assert "on the mean of the binary cross-entropy of each target" in text_of(tiny)


def test_the_paper_s_settings_are_told_otherwise(tiny):
    for e in tiny["experiments"]:
        e["training"] |= {"optimizer": "adam", "schedule": "staircase", "warmup_steps": 0, "steps": None}
        e["training"] |= {"gradient_clip": None, "loss_reduction": "sum", "stop_below_miou": 0.3}
    tiny["volumes"][0] |= {"binning": [1, 2, 2], "alignment": {"method": "none"}}
    tiny["volumes"][1]["alignment"] |= {"method": "tiles", "detrend_window": 0}
    tiny["prediction"] |= {"stitch": "depth", "flips": ["y", "x"], "precision": "float32"}
    tiny["normalization"] |= {"method": "percentile", "scope": "volume"}
    text = text_of(tiny)
    assert "40 epochs" in text and "Adam [@kingma2015]" in text and "multiplied by 0.75 every 2511.89 steps" in text
    assert "on the sum of" in text and "clipped at norm" not in text and "warm-up" not in text
    assert "Runs below a mean IoU of 0.3 after 10 epochs were stopped." in text
    assert "subject1 was binned by 1 x 2 x 2" in text and "subject1 was not aligned further" in text
    assert "16 random tiles" in text and "moving average" not in text
    assert "averaged over flips along y and x, in float32" in text and "deepest [@guay2021]" in text
    assert "1 % percentile" in text and "statistics of the whole volume" in text
    assert "each slice were made even" not in text
    tiny["normalization"] |= {"slices": "equalize", "method": "unit"}
    text = text_of(tiny)
    assert "of each slice were made even by histogram equalization [@machireddy2023]." in text
    assert "normalized by the largest value of their type, to 0 to 1, with" in text


def test_held_out_slices_are_told(tiny):
    assert "not trained on" not in text_of(tiny)
    for experiment in tiny["experiments"]:
        experiment |= {"evaluate": "held_out", "draw": {"n_slices": 2, "pick": "even"}, "targets": None}
    tiny["experiments"][0]["scored_on"] = "test"
    text, name = text_of(tiny), tiny["experiments"][0]["name"]
    assert "labelled ones that a run was not trained on; means and standard deviations (n - 1) are over runs." in text
    assert (
        f"The probabilities of {name} were interpolated bilinearly to the voxels of region test and scored there."
        in text
    )


def test_only_works_that_were_used_are_cited(tiny):
    tiny["experiments"] = [e for e in tiny["experiments"] if e["network"] == "hybrid_2d3d_333"]
    tiny["experiments"][0]["options"] = {"base_width": 4}
    for volume in tiny["volumes"]:
        volume["alignment"]["method"] = "none"
    tiny["instances"] = []
    cited = citations.cited(text_of(tiny))
    assert "guay2021" in cited and "paszke2019" in cited
    assert not {"ronneberger2015", "ulyanov2016", "machireddy2023", "guizar2008", "mann1947", "meila2007"} & set(cited)
    tiny["analysis"]["foreground"]["regions"] = ["test"]
    assert {"meila2007", "csurka2013"} <= set(citations.cited(text_of(tiny)))


def test_every_network_norm_and_optimizer_has_its_words():
    assert set(methods_words.NETWORKS) == set(NETWORKS)
    assert set(methods_words.OPTIMIZERS) == {"adam", "adamw"}  # training.OPTIMIZERS, which needs torch
    for words in (*methods_words.NETWORKS.values(), *methods_words.NORMS.values(), *methods_words.OPTIMIZERS.values()):
        assert citations.cited(words)


def test_a_weight_map_from_a_file_and_no_augmentation(tiny):
    tiny["weight_maps"][0]["is_file"] = True
    tiny["experiments"][0]["training"]["augmentation"] |= {
        "flip": False, "rot90": False, "brightness": 0, "contrast": 0, "elastic": False
    }  # fmt: skip
    text = text_of(tiny)
    assert (
        "square_root: read from a file, plus a floor of 0.01" in text
        and "Windows of hybrid were not augmented." in text
    )


def test_a_network_with_one_output_and_no_pyramid_is_told_without_them(tiny):
    hybrid, unet = (
        methods_training.one_training([n], methods_training.settings_of(e, facts(tiny)))
        for n, e in by_name(tiny).items()
    )
    assert "that of the 2D output counting 0.33" in hybrid and "1e-05 (pyramid)" in hybrid
    assert "2D output" not in unet and "pyramid" not in unet
    assert "weight decay (decoupled) of 1.99526e-05 (encoder-decoder) and 1e-09 (predictors)" in unet


def by_name(config):
    return {e["name"]: e for e in config["experiments"]}


def test_experiments_that_trained_alike_share_a_sentence(tiny):
    tiny["experiments"].append({**copy.deepcopy(by_name(tiny)["unet"]), "name": "unet_again"})
    text = text_of(tiny)
    assert "unet and unet_again were trained for 8 steps" in text and "Windows were augmented" in text
    by_name(tiny)["unet"]["training"]["evaluate_every_steps"] = None
    by_name(tiny)["unet_again"]["training"] |= {"main_weight": 0.33}
    by_name(tiny)["unet_again"]["training"]["augmentation"] |= {"rot90": False}
    text = text_of(tiny)
    assert "unet was trained" in text and "that of the main output counting 0.33" in text
    assert "Windows of hybrid and unet were augmented by" in text and "Windows of unet_again were augmented by" in text
    assert "The eval regions were scored at most once per epoch in the training of unet." in text


def test_many_seeds_are_told_as_a_range(tiny):
    by_name(tiny)["unet"]["seeds"] = [*range(3, 501), 1]
    assert "499 runs (seeds 1 and 3 to 500)" in text_of(tiny)


def test_the_rank_test_is_called_exact_only_where_it_is(tiny):
    (_, few), (_, many) = ((n, methods.evaluation(tiny, {"hybrid": (26, 0), "unet": (n, 0)})) for n in (26, 500))
    assert "exact rank sum test [@mann1947]" in " ".join(few)
    assert "exact rank sum test (normal approximation for pairs with too many runs) [@mann1947]" in " ".join(many)


@pytest.mark.parametrize(
    ("stitch", "tile", "halo", "expected"),
    [
        ("halo", None, None, "in tiles (z as in training, y and x as large as memory allowed; at most 4,096 voxels for networks with "
         "statistics of their window) with a margin that was cut off (z 1 voxel, y and x as far as the network sees)"),
        ("halo", None, "auto", "in tiles (z, y and x as large as memory allowed; at most 4,096 voxels for networks with statistics of "
         "their window) with a margin that was cut off (z, y and x as far as the network sees)"),
        ("halo", [5, 64, 64], [0, 8, 8], "in tiles (z 5 voxels, y and x 64 voxels) with a margin that was cut off (z 0 voxels, y and x 8 voxels)"),
        ("depth", None, None, "in overlapping tiles of the size used in training, each voxel from the tile in which it lies deepest "
         "[@guay2021]"),
        ("depth", [5, 64, 64], None, "in overlapping tiles of 5 x 64 x 64 voxels, each voxel"),
    ],
)  # fmt: skip
def test_tiles_and_margins_are_told_with_their_defaults(tiny, stitch, tile, halo, expected):
    for e in tiny["experiments"]:
        e["tile"] = None
    tiny["prediction"] |= {"stitch": stitch, "tile": tile, "halo": halo}
    assert f"Regions and volumes were predicted {expected}" in text_of(tiny)


def test_blended_tiles_and_targets_by_themselves_are_told(tiny):
    for e in tiny["experiments"]:
        e["tile"] = None
    tiny["prediction"] |= {"stitch": "blend", "tile": None, "halo": None, "overlap": 0.5, "taper": 0.5}
    alone = {"threshold": 0.5, "nested": "within", "ties": "order", "targets": ["dense_core"]}
    tiny["prediction"]["sigmoid"] = [{"name": name, **alone} for name in ("one", "two")]
    tiny["prediction"]["compositions"] = [{"name": "both", "ensembles": ["one", "two"], "threshold": 0.5}]
    text = text_of(tiny)
    assert (
        "in tiles (as in training) that overlap by 50% in y and x and were averaged with a tapered cosine window"
        in text
    )
    assert "The networks of one and two gave the probability of each target by itself (sigmoid)" in text
    assert "a class inside another counts only where that one does" in text
    assert "Composition both joined the targets of one and two" in text


def test_tiles_of_the_evaluation_are_named_where_there_are_some(tiny):
    tiny["experiments"][0]["tile"] = [3, 64, 64]
    text = text_of(tiny)
    assert "evaluated in tiles of 3 x 64 x 64" in text and "in tiles (z as in evaluation, y and x" in text


def test_edges_of_no_weight_are_left_out(tiny):
    assert "and edges between" in text_of(tiny)
    for weight_map in tiny["weight_maps"]:
        weight_map["edge_amplitude"] = 0
    text = text_of(tiny)
    assert (
        "and edges between" not in text
        and "a floor of 0.01 and the class balance (rarest class 1) to the power 0.5." in text
    )


def test_one_phantom_is_told_in_the_singular(tiny):
    tiny["phantoms"] = ["subject1"]
    assert "subject1 is a synthetic stack (phantom) with known truth, not a micrograph." in text_of(tiny)


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("predictor_relu", False, "without a ReLU on the predictors"),
        ("predictor_relu", True, "with a ReLU on the predictors"),
        ("dropout", False, "without dropout"),
        ("pyramid_input", "relu_logits", "pyramid input relu logits"),
        ("base_width", 8, "base width 8"),
    ],
)
def test_options_in_words(key, value, expected):
    assert methods_training.option(key, value) == expected


def test_draws_and_ensembles_that_nothing_ranks_are_told_as_they_are():
    config = told("tests/workflow/tiny_sparse.yaml")
    found = {**facts(config), "runs": {}}
    text = " ".join(s for _, sentences in methods.sections(config, found) for s in sentences)
    assert (
        "Each run of pair_n2 was trained on 2 labelled slices, evenly distributed, another draw for each seed" in text
    )
    assert "not drawn scored the runs of pair_n2 and pair_n4 after the training, and chose nothing" in text
    assert "Ensemble pair_n2 averages the probabilities of 2 runs of pair_n2." in text
    assert "ranked" not in text and "the eval regions chose" not in text and "were compared" not in text
    assert "None" not in text and "{" not in text and "  " not in text and ".." not in text
