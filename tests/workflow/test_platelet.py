"""config/platelet.yaml: the whole published experiment, planned without a byte of its data on disk."""

import re
import time

import numpy as np
import pytest
import tifffile
import workflow_runs as runs
import yaml

import configuration

CONFIG = ("--configfile", "config/platelet.yaml")
# experiment: (seeds, windows per epoch, steps, parameters)
PAPER = {
    "hybrid": (26, 828, 33_120, 10_267_022),
    "hybrid_no_333": (26, 828, 33_120, 9_916_238),
    "hybrid_no_multi_loss": (26, 828, 33_120, 10_267_022),
    "hybrid_no_pyramid": (26, 828, 33_120, 7_882_311),
    "hybrid_plain": (26, 828, 33_120, 10_081_294),
    "unet_2d": (500, 1800, 180_000, 31_030_983),
    "unet_3d_thin": (26, 288, 28_800, 2_033_767),
    "unet_3d_thick": (26, 300, 30_000, 2_074_727),
    "deeplab_drn": (1, 7200, 360_000, 40_733_463),
    "deeplab_resnet101": (1, 7200, 360_000, 59_340_711),
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


def planned(project, *arguments):
    """(jobs, text) of a dry run."""
    code, output = runs.dry_run_output(project, *CONFIG, *arguments)
    assert code == 0, output
    return runs.planned_jobs(output), output


def trained(jobs):
    counts = dict.fromkeys(PAPER, 0)
    for job in jobs:
        if match := re.fullmatch(r"train_network/(\w+)_seed\d+", job):
            counts[match[1]] += 1
    return counts


def table(output):
    """experiment -> (seeds, windows, steps, parameters) as printed."""
    rows = re.findall(r"(?m)^  (\w+) +\w+ +(\d+) +([\d,]+) +([\d,]+) +([\d,]+) ", output)
    return {name: tuple(int(n.replace(",", "")) for n in numbers) for name, *numbers in rows}


def test_the_whole_experiment_is_planned_without_its_data(project):
    started = time.monotonic()
    jobs, output = planned(project)
    assert time.monotonic() - started < 60
    assert table(output) == PAPER
    assert trained(jobs) == {name: row[0] for name, row in PAPER.items()}
    assert not [job for job in jobs if re.search(r"phantom|subject[12]", job)]
    assert "684 training jobs" in output
    assert output.index("684 training jobs") < output.index("Job stats")


def test_a_tenth_of_it(project):
    jobs, output = planned(project, "--config", "seeds_scale=0.1")
    kept = {name: max(1, round(0.1 * row[0])) for name, row in PAPER.items()}
    assert kept["hybrid"] == 3 and kept["unet_2d"] == 50
    assert trained(jobs) == kept
    assert table(output) == {name: (kept[name], *row[1:]) for name, row in PAPER.items()}
    assert "unet_2d 50 of 500" in output and "k = 4, 5, 6, 7, 8 of hybrid, hybrid_no_333" in output
    assert "build_ensemble/hybrid_top3" in jobs and "build_ensemble/hybrid_top4" not in jobs
    assert "build_ensemble/unet_2d_top8" in jobs


def test_the_declared_shapes_are_those_of_the_files(project, tmp_path):
    folder = tmp_path / "platelet"
    folder.mkdir()
    for name, shape in (("train", (50, 800, 800)), ("eval", (24, 800, 800)), ("test", (121, 609, 400))):
        for kind in ("images", "labels"):
            path = folder / f"{name}-{kind}.tif"
            tifffile.imwrite(path, np.zeros(shape, np.uint8), compression="zlib", metadata={"axes": "ZYX"})
    jobs, output = planned(project, "--config", f"data_root={tmp_path}", "seeds_scale=0.01")
    assert {"import_volume/test", "import_labels/test_test_labels"} <= jobs
    assert {name: row[1] for name, row in table(output).items()} == {name: row[1] for name, row in PAPER.items()}


def test_classes_are_numbered_as_the_released_labels_are():
    names = [c["name"] for c in runs.read_config("config/platelet.yaml")["classes"]]
    assert (names[3], names[4]) == ("alpha_granule", "canalicular") and len(names) == 7


def test_what_the_ablations_change():
    presets = configuration.load_presets(runs.REPO / "config/presets.yaml")
    config = configuration.resolve(runs.read_config("config/platelet.yaml"), presets)
    experiments = {e["name"]: e for e in config["experiments"]}
    main = experiments["hybrid"]
    changes = {
        "hybrid_no_333": ({"network"}, set()),
        "hybrid_no_multi_loss": (set(), {"auxiliary_weight"}),
        "hybrid_no_pyramid": ({"network"}, {"main_weight"}),
        "hybrid_plain": ({"network"}, set()),
    }
    for name, (keys, training) in changes.items():
        other = experiments[name]
        assert {k for k in main if main[k] != other[k]} - {"name", "training"} == keys
        assert {k for k in main["training"] if main["training"][k] != other["training"][k]} == training
    assert {e["preset"] for e in experiments.values()} == {"paper"}
    assert main["training"]["learning_rate"] == 0.001 and main["training"]["loss_reduction"] == "sum"
    assert experiments["deeplab_drn"]["training"]["batch_size"] == 4


def test_the_commented_records_are_sound_too():
    text = (runs.REPO / "config/platelet.yaml").read_text()
    text, n = re.subn(r"(?m)^ *# - (\{name: (released|deepvess|medicalnet))", r"  - \1", text)
    own = yaml.safe_load(text)
    config = configuration.with_own_objects(runs.merge(runs.read_config(), own), own)
    assert n == 3 and len(config["weight_maps"]) == 2 and len(config["experiments"]) == len(PAPER) + 2
    assert configuration.check(config, configuration.load_presets(runs.REPO / "config/presets.yaml")) == []


def test_tables_figures_and_videos_of_the_paper_are_planned(project):
    code, output = runs.dry_run_output(project, "paper_figures", *CONFIG, "--config", "seeds_scale=0.1")
    assert code == 0, output
    assert "film trainings: 1 more training job" in output and "record_training" in output
    assert not re.search(r"make_phantom", output)
