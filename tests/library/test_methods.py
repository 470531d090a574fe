"""The paragraph on methods, filled from every shipped configuration."""

import copy
import re

import pytest
import workflow_runs

import configuration
import methods_settings
from densecell import citations, methods
from densecell.networks import NETWORKS

REPO = workflow_runs.REPO
CONFIGS = ["config/phantom_paper.yaml", "tests/workflow/tiny.yaml"]


def told(*names):
    """What is told of a shipped configuration."""
    config = workflow_runs.read_config(*names)
    return methods_settings.settings(configuration.prepare(config, REPO / "config/presets.yaml"))


def facts(config):
    names = [e["name"] for e in config["experiments"]]
    return {
        "parameters": dict.fromkeys(names, 1234567),
        "precisions": dict.fromkeys(names, "bfloat16"),
        "runs": dict.fromkeys(names, (3, 1)),
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
    assert "subject1 and subject2 are synthetic stacks (phantoms) with known truth" in text
    assert "trained for 8 steps in batches of 1 window with AdamW" in text and "learning rate 0.003" in text
    assert "1,234,567 parameters, on windows of 3 x 48 x 48 voxels" in text and "2 runs (seeds 1 and 2)" in text
    assert "k = 1 and 2; the eval regions chose k = 2" in text and "(50, 100 and 200 nm)" in text
    assert "3 runs of hybrid (1 collapsed)" in text and "binned" not in text


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


def test_only_works_that_were_used_are_cited(tiny):
    tiny["experiments"] = [e for e in tiny["experiments"] if e["network"] == "hybrid_2d3d_333"]
    tiny["experiments"][0]["options"] = {"base_width": 4}
    for volume in tiny["volumes"]:
        volume["alignment"]["method"] = "none"
    cited = citations.cited(text_of(tiny))
    assert "guay2021" in cited and "paszke2019" in cited
    assert not {"ronneberger2015", "ulyanov2016", "machireddy2023", "guizar2008", "mann1947", "meila2007"} & set(cited)
    tiny["analysis"]["foreground"]["regions"] = ["test"]
    assert {"meila2007", "csurka2013"} <= set(citations.cited(text_of(tiny)))


def test_every_network_norm_and_optimizer_has_its_words():
    assert set(methods.NETWORKS) == set(NETWORKS)
    assert set(methods.OPTIMIZERS) == {"adam", "adamw"}  # training.OPTIMIZERS, which needs torch
    for words in (*methods.NETWORKS.values(), *methods.NORMS.values(), *methods.OPTIMIZERS.values()):
        assert citations.cited(words)


def test_a_weight_map_from_a_file_and_no_augmentation(tiny):
    tiny["weight_maps"][0]["is_file"] = True
    tiny["experiments"][0]["training"]["augmentation"] |= {
        "flip": False, "rot90": False, "brightness": 0, "contrast": 0, "elastic": False
    }  # fmt: skip
    text = text_of(tiny)
    assert "square_root: read from a file, plus a floor of 0.01" in text and "Windows were not augmented." in text
