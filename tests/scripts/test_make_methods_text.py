import json
import re
from html import unescape

import numpy as np
import pandas as pd
import pytest
import torch
import workflow_runs

import configuration
import make_methods_text
import methods_settings
from densecell import checkpoints, files, io
from densecell.networks import build_network

REPO = workflow_runs.REPO


@pytest.fixture(scope="module")
def config():
    config = configuration.prepare(workflow_runs.read_config("tests/workflow/tiny.yaml"), REPO / "config/presets.yaml")
    return methods_settings.settings(config)


def write_inputs(folder, config):
    """Inputs of one run; returns the arguments of the script, without the outputs."""
    classes, paths = [c["name"] for c in config["classes"]], []
    for e in config["experiments"]:
        network = build_network(e["network"], n_channels=1, n_classes=len(classes), **e["options"])
        spec = {
            "network": e["network"],
            "options": e["options"],
            "classes": classes,
            "targets": classes,
            "window": e["window"],
        }
        spec |= {"activation": "softmax", "decision": "argmax", "normalization": [], "seeds": {"seed": 1}}
        spec |= {"precision": "float32", "versions": {"torch": "2.13.0+cpu"}}
        paths.append(str(folder / f"{e['name']}.safetensors"))
        checkpoints.write_checkpoint(paths[-1], network.state_dict(), spec, {})
    rows = [(e["name"], seed, np.bool_(seed == 2)) for e in config["experiments"] for seed in (1, 2)]
    io.write_table(folder / "ranking.csv", pd.DataFrame(rows, columns=["experiment", "seed", "collapsed"]), {})
    chosen = [str(folder / f"chosen_{e['name']}.json") for e in config["ensembles"]]
    for path, e in zip(chosen, config["ensembles"]):
        files.write_json(path, {"name": e["name"], "k": 2}, {})
    arguments = ["--ranking", folder / "ranking.csv", "--chosen", *chosen, "--checkpoints", *paths]
    versions = json.dumps({"densecell": "0.1.0", "snakemake": "9.27.1"})
    return [*map(str, arguments), "--config", json.dumps(config), "--versions", versions]


def write(folder, arguments, name="methods"):
    output = folder / f"{name}.html"
    make_methods_text.main([*arguments, "--output", str(output), "--bibtex", str(folder / f"{name}.bib")])
    return output, folder / f"{name}.bib"


def test_the_page_and_its_citations(tmp_path, config):
    torch.manual_seed(0)
    arguments = write_inputs(tmp_path, config)
    page, bibtex = write(tmp_path, arguments)
    text = unescape(re.sub(r"<[^>]+>", "", page.read_text()))
    hybrid = build_network("hybrid_2d3d_333", n_channels=1, n_classes=7, base_width=4, norm="instance")
    assert f"{sum(p.numel() for p in hybrid.parameters()):,} parameters" in text
    assert text.count("that of the 2D output counting 0.33") == text.count("(pyramid)") == 1, "the hybrid's alone"
    assert "y and x as large as memory allowed; at most 4,194,304 voxels" in text
    assert "2 runs of hybrid (1 collapsed)" in text and "the eval regions chose k = 2" in text
    assert "computed in float32" in text and "PyTorch 2.13.0 (Paszke et al. 2019)" in text
    assert "densecell 0.1.0, Snakemake 9.27.1" in text and f"NumPy {np.__version__}" in text
    assert "[@" not in text and "(Guay et al. 2021)" in text
    keys = re.findall(r"^@\w+\{(\w+),$", bibtex.read_text(), re.MULTILINE)
    assert "guay2021" in keys and len(keys) == len(set(keys)) == page.read_text().count("<li>")


def test_equal_runs_give_equal_texts_and_sidecars(tmp_path, config):
    torch.manual_seed(0)
    arguments = write_inputs(tmp_path, config)
    first, again = write(tmp_path, arguments), write(tmp_path, arguments, "again")
    for a, b in zip(first, again):
        assert a.read_bytes() == b.read_bytes()
        assert files.sidecar_path(a).read_bytes() == files.sidecar_path(b).read_bytes()


def test_one_checkpoint_per_experiment_is_expected(tmp_path, config):
    arguments = write_inputs(tmp_path, config)
    index = arguments.index("--checkpoints") + 2
    with pytest.raises(ValueError, match="zip"):
        write(tmp_path, arguments[:index] + arguments[index + 1 :])


@pytest.mark.parametrize(
    ("network", "n_outputs"), [("unet_2d", 1), ("hybrid_2d3d_333", 2), ("hybrid_2d3d_no_pyramid", 1)]
)
def test_outputs_are_counted_without_values(network, n_outputs):
    built = build_network(network, n_channels=1, n_classes=3, base_width=2).eval()
    assert make_methods_text.n_outputs(built, (1, 572, 572)) == n_outputs
