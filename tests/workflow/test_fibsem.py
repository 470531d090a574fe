"""config/fibsem.yaml: planned whole, its phantoms made by the right rule, their sparse labels told apart, mistakes told."""

import copy

import pytest
import workflow_runs as runs
import yaml

import configuration

CONFIG = ("--configfile", "config/fibsem.yaml")
PRESETS = yaml.safe_load((runs.REPO / "config" / "presets.yaml").read_text())
PHANTOM = "{results_dir}/phantom/biopsy1"


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


@pytest.fixture(scope="module")
def jobs(project):
    return runs.dry_run(project, *CONFIG)


@pytest.fixture
def config():
    return runs.read_config("config/fibsem.yaml")


def test_every_class_is_trained_from_each_number_of_slices(jobs):
    trained = {job for job in jobs if job.startswith("train_network/")}
    names = [f"{target}_n{n}" for target in ("nuclei", "nucleoli") for n in (7, 10, 25)]
    assert trained == {f"train_network/{name}_seed{seed}" for name in names for seed in (1, 2, 3)}


def test_tumors_are_made_by_their_own_rule_and_drawn_once_per_class(jobs):
    assert {"make_tumor_phantom/biopsy1", "make_tumor_phantom/biopsy2"} <= jobs
    assert {"draw_sparse_labels/biopsy1_nucleus", "draw_sparse_labels/biopsy1_nucleolus"} <= jobs
    assert not [job for job in jobs if job.startswith("make_phantom")]


def test_the_second_tumor_is_segmented_as_a_whole_and_composed(jobs):
    assert {"export_tiff/biopsy2_nuclei_n25", "compose_classes/biopsy2_tumor_n25"} <= jobs


def test_a_platelet_phantom_is_made_as_before(project):
    jobs = runs.dry_run(project, *runs.TINY)
    assert {"make_phantom/subject1", "make_phantom/subject2"} <= jobs
    assert not [job for job in jobs if job.startswith(("make_tumor_phantom", "draw_sparse_labels"))]


def test_each_network_leaves_labelled_slices_to_score(config):
    """Of its own class: nuclei are labelled in even slices, nucleoli in odd ones, 32 each."""
    nucleus, nucleolus = config["phantom"][0]["sparse"]
    assert nucleus["slices"] == list(range(0, 64, 2)) and nucleolus["slices"] == list(range(1, 64, 2))
    assert nucleus["incomplete_slices"] == config["labels"][0]["incomplete_slices"] == [33]
    assert nucleolus["incomplete_slices"] == config["labels"][1]["incomplete_slices"] == [32]
    for experiment in config["experiments"]:
        assert max(experiment["draw"]["n_slices"]) < len(nucleus["slices"])


MISTAKES = [
    ("labels[0].path", f"{PHANTOM}/sparse/nuclei", "labels[0].path", "sparse/nucleus, sparse/nucleolus"),
    (
        "labels[2].path",
        "{results_dir}/phantom/biopsy2/annotator_1.tif",
        "labels[2].path",
        "image.tif, labels.tif, cells",
    ),
    ("volumes[0].voxel_size_nm", [4, 5, 5], "volumes[0].voxel_size_nm", "[5, 5, 5], as in phantom 'biopsy1'"),
    ("phantom[0].preset", "biopsy3", "phantom[0].preset", "biopsy1"),
    ("phantom[0].sparse[0].slices", [0, 64], "phantom[0].sparse[0].slices", "slices of 0 to 63"),
    ("phantom[0].sparse[1].incomplete_slices", [1], "phantom[0].sparse[1].incomplete_slices", "not in slices too"),
    ("phantom[0].miniature", 0.5, "phantom[0].miniature", "1"),
]


@pytest.mark.parametrize("path, value, where, phrase", MISTAKES, ids=[m[0] for m in MISTAKES])
def test_mistake_is_told_at_its_key(config, path, value, where, phrase):
    assert configuration.check(copy.deepcopy(config), PRESETS) == []
    runs.edit(config, path, value)
    found = configuration.check(config, PRESETS)
    assert where in [f.path for f in found], found
    assert phrase in " ".join(f"{f.expected} {f.found} {f.hint}" for f in found if f.path == where)
