"""config/fibsem_*.yaml: the published experiment on sparsely labelled FIB-SEM stacks, and two small ones on a phantom."""

import os
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import tifffile
import workflow_runs as runs

import configuration
import data_checks
import plan

PRESETS = configuration.load_presets(runs.REPO / "config/presets.yaml")
# (x, y, slices) and nm of the paper's stacks
STACKS = {
    "bx1": ((5634, 1912, 757), 4),
    "bx2": ((5728, 3511, 2526), 4),
    "bx4": ((5990, 3812, 1884), 4),
    "ptt": ((6065, 3976, 792), 6),
    "pdac": ((6114, 3874, 1583), 6),
    "mcf7": ((6083, 3740, 2208), 6),
}
# labelled slices, of which the paper gives the number; all slices of the others
LABELLED = {
    **{f"{stack}_{name}": n for stack, n in (("bx4", 19), ("pdac", 16), ("mcf7", 24)) for name in ("nucleus", "nucleolus")},
    "pdac_mitochondrion": 13, "mcf7_mitochondrion": 10, "bx1_cell": 10, "bx2_cell": 23, "mcf7_cell": 22,
    **{f"{stack}_{name}": n for stack, n in (("bx2", 13), ("pdac", 13), ("mcf7", 14)) for name in ("lysosome", "endosome")},
    "bx1_endosome": 10,
}  # fmt: skip
SMALL = ("config/fibsem_context.yaml", "config/fibsem_networks.yaml")


def resolved(path, **changes):
    return configuration.resolve({**runs.merge(runs.read_config(), runs.read_config(path)), **changes}, PRESETS)


def fill(pattern, shape, n_slices):
    """`n_slices` evenly spaced slices of a stack (Z, Y, X), one empty file under as many names."""
    folder = Path(pattern).parent
    folder.mkdir(parents=True)
    first = folder / "first"
    tifffile.imwrite(first, np.zeros(shape[1:], np.uint8), compression="zlib")
    for i in range(n_slices):
        os.link(first, folder / f"z{i * shape[0] // n_slices:04d}.tif")
    first.unlink()


@pytest.fixture(scope="module")
def data_root(tmp_path_factory):
    """The six stacks and their labels as far as a dry run looks at them: names and sizes."""
    root = tmp_path_factory.mktemp("data")
    config = runs.read_config("config/fibsem_full.yaml")
    shapes = {volume["name"]: volume["shape"] for volume in config["volumes"]}
    for record in config["volumes"]:
        fill(record["path"].format(data_root=root), record["shape"], record["shape"][0])
    for record in config["labels"]:
        shape = shapes[record["volume"]]
        fill(record["path"].format(data_root=root), shape, LABELLED.get(record["name"], shape[0]))
    return root


def test_stacks_are_the_papers():
    config = runs.read_config("config/fibsem_full.yaml")
    found = {v["name"]: (tuple(v["shape"][::-1]), v["voxel_size_nm"][0]) for v in config["volumes"]}
    assert found == STACKS
    assert all(len(set(v["voxel_size_nm"])) == 1 and v["binning"] == [1, 4, 4] for v in config["volumes"])
    assert set(LABELLED) <= {source["name"] for source in config["labels"]}


def test_settings_are_the_papers():
    config = resolved("config/fibsem_full.yaml")
    assert len(config["experiments"]) == 115
    for e in config["experiments"]:
        t = e["training"]
        assert (e["network"], e["preset"], e["window"], e["options"]) == ("resunet", "fibsem", [1, 512, 512], {})
        assert (t["learning_rate"], t["betas"], t["epsilon"], t["steps"]) == (1e-4, [0.9, 0.999], 1e-7, 5000)
        assert (t["batch_size"], t["loss"], t["schedule"], t["sampler"]) == (5, "dice", "constant", "foreground")
        assert len(e["targets"]) == 1 and len(e["regions"]) == 1
        assert len(e["seeds"]) == (10 if e["evaluate"] == "held_out" else 1)
    random = [e for e in config["experiments"] if e["draw"]["pick"] == "random"]
    assert Counter(e["draw"]["n_slices"] for e in random) == dict.fromkeys([7, 10, 15, 25, 50], 8)


@pytest.mark.slow
def test_what_is_trained_on_leaves_slices_to_score(data_root):
    assert configuration.check(configuration_of(data_root), PRESETS) == []


def configuration_of(data_root):
    return {**runs.merge(runs.read_config(), runs.read_config("config/fibsem_full.yaml")), "data_root": str(data_root)}


def test_missing_data_is_told_file_by_file(tmp_path):
    """Nothing of it is downloaded; 6 stacks and 26 sources are missing, and nothing else is wrong."""
    found = configuration.check(configuration_of(tmp_path), PRESETS)
    assert len(found) == 32 and {f.expected for f in found} == {data_checks.MISSING[0]}
    assert all("--config data_root=FOLDER" in f.hint for f in found)


@pytest.mark.slow
def test_what_it_costs(data_root):
    config = configuration.resolve(configuration_of(data_root), PRESETS)
    costs = plan.Costs(config)
    trainings = {e["name"]: costs.training(e) for e in config["experiments"]}
    assert sum(len(e["seeds"]) for e in config["experiments"]) == 1132
    assert {t["parameters"] for t in trainings.values()} == {32_443_777}
    assert {t["steps"] for t in trainings.values()} == {5000}
    hours = [trainings[e["name"]]["flops"] / 4e12 / 3600 for e in config["experiments"] for _ in e["seeds"]]
    assert hours[0] == pytest.approx(2.4, abs=0.05) and sum(hours) == pytest.approx(2700, rel=0.01)
    # three forward passes, five windows, 5,000 steps
    assert {t["flops"] for t in trainings.values()} == {
        3 * 5 * 5000 * plan.forward_flops("resunet", (1, 512, 512), 1, {})
    }


@pytest.mark.slow
def test_the_published_experiment_is_planned(data_root, tmp_path):
    project = runs.copy_project(tmp_path)
    options = ("--configfile", "config/fibsem_full.yaml", "--config", f"data_root={data_root}", "seeds_scale=0.1")
    jobs = runs.dry_run(project, *options)
    trained = [job for job in jobs if job.startswith("train_network/")]
    assert len(trained) == 115 and "train_network/bx1_nucleus_random_n50_seed1" in trained
    scored = [job for job in jobs if job.startswith("score_held_out/")]
    assert len(scored) == 113 and "score_held_out/bx4_nucleus_seed1" not in scored
    assert {"compose_classes/bx4_bx4", "predict_volume/bx4_bx4_nucleus_slab0"} & jobs


@pytest.mark.parametrize("path", SMALL)
def test_small_configurations_are_sound(path):
    config = runs.merge(runs.read_config(), runs.read_config(path))
    assert configuration.check(config, PRESETS) == []


@pytest.mark.slow
@pytest.mark.parametrize(("path", "n_trained"), [(SMALL[0], 12), (SMALL[1], 30)])
def test_small_configurations_are_planned(tmp_path, path, n_trained):
    jobs = runs.dry_run(runs.copy_project(tmp_path), "--configfile", path)
    assert len([job for job in jobs if job.startswith("train_network/")]) == n_trained
    assert len([job for job in jobs if job.startswith("score_held_out/")]) == n_trained


def test_windows_of_the_contexts_differ_in_nothing_but_their_scale():
    """96 px for the network of 96, 192, 384 and 576 px of the stack, scored on the same voxels."""
    config = resolved("config/fibsem_context.yaml")
    volumes = {v["name"]: v for v in config["volumes"]}
    regions = {r["name"]: r for r in config["regions"]}
    first = config["experiments"][0]
    for e in config["experiments"]:
        assert {k for k in e if e[k] != first[k]} <= {"name", "regions"}
        volume = volumes[regions[e["regions"][0]]["volume"]]
        scale = volume["binning"][2]
        assert volume["binning"] == [1, scale, scale] and e["name"] == f"window_{96 * scale}"
        assert e["scored_on"] == "scored" and volume["path"] == volumes[regions["scored"]["volume"]]["path"]


def test_networks_are_compared_on_the_same_slices_in_as_many_steps():
    config = resolved("config/fibsem_networks.yaml")
    first = config["experiments"][0]
    kinds = [(e["network"], e["options"].get("form"), e["options"].get("size")) for e in config["experiments"]]
    assert (
        kinds[::2]
        == kinds[1::2]
        == [  # each from 7 and from 15 slices
            ("resunet", None, None),
            ("resunet", "code", None),
            ("transunet", None, "small"),
            ("setr_pup", None, "small"),
            ("unet_2d", None, None),
        ]
    )
    for e in config["experiments"]:
        assert {k for k in e if e[k] != first[k]} <= {"name", "network", "options", "draw"}
        assert e["options"].get("side_px", e["window"][2]) == e["window"][2]


def test_the_documentation_names_every_file():
    listed = set(re.findall(r"`(\w+\.yaml)`", (runs.REPO / "config/README.md").read_text()))
    assert {path.name for path in (runs.REPO / "config").glob("fibsem_*.yaml")} <= listed
