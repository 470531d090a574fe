"""One change of a finished run at a time, and exactly the jobs that it makes run again."""

import fnmatch
import os

import pytest
import workflow_runs as runs

pytestmark = pytest.mark.slow

# What follows a change, as patterns of rule/wildcards
COMPARED = "compare_networks compute_ensemble_gain plot_network_comparison plot_ensemble_gain "
SCORES = (
    "compute_metrics plot_confusion plot_ranking write_summary " + COMPARED + "compare_annotators plot_annotators/* "
)
CONTENTS = "gather_contents plot_contents/* "
FRACTIONS = "gather_volume_fractions plot_volume_fractions write_summary plot_annotators/* " + CONTENTS
OBJECTS = (
    "segment_instances/* compare_instances/* export_panoptic/* export_nifti/* assign_organelles/* measure_contents/* measure_morphology/* "
    "measure_neighbors/* measure_texture/* gather_instances/* plot_object_features/* plot_objects_per_container/* "
    "plot_fenestrations/* export_meshes/* write_object_page/* " + CONTENTS
)
WHOLE = "predict_volume/* gather_slabs/* export_tiff/* compute_tissue_fractions/* plot_volume/* " + FRACTIONS + OBJECTS


def of_prediction(ensemble):
    """The prediction of the regions by an ensemble and what follows; only hybrid predicts a whole volume."""
    rules = ("predict_region/*_", "compute_confusion_matrix/*_", "compute_volume_fractions/*_")
    rules += ("compute_eval_metrics/", "choose_ensemble/")
    follows = (
        "make_methods_text " + SCORES + FRACTIONS + "plot_segmentation/* " + (WHOLE if ensemble == "hybrid" else "")
    )
    return " ".join(rule + ensemble for rule in rules) + " " + follows


def of_training(experiment):
    """The training of an experiment and what follows; it is the only one of its ensemble."""
    ranked = f"rank_candidates/{experiment} build_ensemble/{experiment}_* list_candidates/{experiment} rank_networks plot_training_curves "
    return f"train_network/{experiment}_* " + ranked + of_prediction(experiment)


def of_region(region):
    """The cutting out of a scored region and what follows, when it is no eval region."""
    rules = ("normalize_region/{}", "extract_labels/{}_*", "predict_region/{}_*", "plot_segmentation/{}")
    rules += ("compute_confusion_matrix/{}_*", "compute_volume_fractions/{}_*")
    return " ".join(rules).format(*[region] * len(rules)) + " " + SCORES + FRACTIONS


TRAINING = of_training("hybrid") + of_training("unet")
WEIGHTS = "build_weight_map/* plot_weight_map/* " + TRAINING
COMPARISONS = "compute_confusion_matrix/* compute_volume_fractions/* "
CHECKS = "check_inputs plot_checks "
PICTURES = "plot_checks plot_alignment/* plot_segmentation/* plot_weight_map/* plot_volume/* plot_fenestrations/* write_object_page/*"
COLORED = "plot_contents/* plot_object_features/*_cells plot_fenestrations/*_cells write_object_page/* export_panoptic/*"  # cells
NOTHING = ""

CONFIG_CHANGES = [
    ("figures.colors.cell", "#00aa00", "plot_segmentation/* plot_weight_map/* plot_volume/* " + COLORED),
    ("figures.dpi", 100, "plot_*"),
    ("figures.slices_per_region", 2, "plot_segmentation/* plot_volume/*"),
    ("analysis.volume_fractions.margins_nm", [50, 100], "make_methods_text compute_volume_fractions/* " + FRACTIONS),
    ("analysis.volume_fractions.margin_nm", 50, CONTENTS + "plot_volume_fractions write_summary plot_annotators/*"),
    ("weight_maps[0].edge_sigma_px", 5, NOTHING),  # `paper`, which no experiment names
    ("weight_maps[1].edge_sigma_px", 5, WEIGHTS),
    ("experiments[0].training.learning_rate", 0.001, of_training("hybrid")),
    ("experiments[1].training.learning_rate", 0.001, of_training("unet")),
    ("experiments[1].options.base_width", 6, of_training("unet")),
    ("ensembles[1].top_k", [2], of_prediction("unet")),
    ("ensembles[1].random_draws", 3, NOTHING),  # two seeds give one set of two
    ("ensembles[1].n_singles", 1, "list_candidates/unet " + of_prediction("unet")),
    ("experiments[1].tile", [1, 252, 252], of_training("unet")),
    ("analysis.comparison.n_bootstrap", 500, "make_methods_text compare_networks plot_network_comparison"),
    ("regions[0].y", [0, 54], CHECKS + "normalize_region/train extract_labels/train_* " + WEIGHTS),
    ("regions[2].z", [0, 4], CHECKS + of_region("test")),
    ("regions[2].mask", "none", "make_methods_text compute_confusion_matrix/test_* " + SCORES),
    ("prediction.stitch", "depth", of_prediction("hybrid") + of_prediction("unet")),
    ("prediction.memory_gb", 4, of_prediction("hybrid") + of_prediction("unet")),
    ("prediction.flips", ["x"], of_prediction("hybrid") + of_prediction("unet")),
    ("prediction.slabs", 3, NOTHING),  # gives the same volume
    ("prediction.full_volumes[0].mask", "subject2_truth", WHOLE),
    ("prediction.full_volumes[0].probabilities", True, WHOLE),
    ("prediction.full_volumes[0].keep_members", False, WHOLE),
    (
        "volumes[1].alignment.method",
        "tiles",
        "check_volume/subject2 "
        + CHECKS
        + "make_methods_text align_volume/subject2 plot_alignment/subject2 align_labels/subject2_* measure_intensity/subject2 "
        + of_region("test")
        + of_region("compare")
        + WHOLE,
    ),
    (
        "normalization.method",
        "percentile",
        CHECKS + "measure_intensity/* normalize_region/* extract_labels/* " + COMPARISONS + WEIGHTS,
    ),
    (
        "normalization.slices",
        "equalize",
        "correct_intensity/* plot_intensity/* measure_intensity/* normalize_region/* extract_labels/* "
        + COMPARISONS
        + WEIGHTS,
    ),
    ("normalization.reference_slices", 5, NOTHING),  # read by correct_intensity, which isn't needed
    (
        "volumes[1].padding",
        0,
        "measure_intensity/subject2 " + of_region("test") + of_region("compare") + WHOLE,
    ),
    ("checks.guard_nm", 20, CHECKS),
    ("checks.accept", ["guard_gap"], CHECKS),
    ("threads.training", 2, NOTHING),
    ("threads.preprocessing", 3, NOTHING),
    ("device", "cpu", NOTHING),
    ("data_root", "elsewhere", NOTHING),
    ("classes", "as they are", NOTHING),
]

LIBRARY, SCRIPTS = "workflow/scripts/densecell/", "workflow/scripts/"
NETWORKS = '"unet_2d": ("unet_2d", "UNet2D"),'
FILE_CHANGES = {
    "comment in a script": (SCRIPTS + "train_network.py", "import json\n", "import json  # a comment\n", NOTHING),
    "comment and docstring in the library": (LIBRARY + "metrics.py", '"""', '"""Something else.\n', NOTHING),
    "formula of the weight map": (LIBRARY + "weight_maps.py", "** power", "** (power / 2)", WEIGHTS),
    "metrics": (
        LIBRARY + "metrics.py",
        "denominator > 0",
        "denominator >= 1",
        COMPARISONS + "compute_tissue_fractions/* " + TRAINING,
    ),
    "one network": (LIBRARY + "networks/unet_2d.py", 'padding="valid"', 'padding="same"', of_training("unet")),
    "a check": (LIBRARY + "slice_checks.py", "DEVIATIONS = 8", "DEVIATIONS = 9", "check_volume/* " + CHECKS),
    "a network more": (LIBRARY + "networks/__init__.py", NETWORKS, NETWORKS + ' "new": ("new", "New"),', NOTHING),
    "pictures of slices": (LIBRARY + "rendering.py", "import numpy as np", "import numpy as np, math", PICTURES),
    "environment, read with --use-conda only": ("envs/report.yaml", "numpy=2.4.6", "numpy=2.4.5", NOTHING),
    "preset, a key that experiments override": (
        "config/presets.yaml",
        "warmup_steps: 100",
        "warmup_steps: 90",
        NOTHING,
    ),
    "preset": ("config/presets.yaml", "learning_rate: 0.003", "learning_rate: 0.002", TRAINING),
    "another configuration": ("config/vnc.yaml", "data_root: data", "data_root: elsewhere", NOTHING),
}


@pytest.fixture(scope="module")
def all_jobs(finished_run):
    return runs.dry_run(finished_run, "--forceall", *runs.TINY)


def matching(jobs, patterns):
    """The jobs that match any of the patterns; every pattern matches some."""
    found = {pattern: fnmatch.filter(jobs, pattern) for pattern in patterns.split()}
    assert [pattern for pattern, some in found.items() if not some] == []
    return set().union(*found.values())


@pytest.mark.parametrize(("key", "value", "expected"), CONFIG_CHANGES, ids=[change[0] for change in CONFIG_CHANGES])
def test_a_changed_value_reruns_the_stages_that_read_it(finished_run, all_jobs, tmp_path, key, value, expected):
    config = runs.read_config("tests/workflow/tiny.yaml")
    if value != "as they are":
        runs.edit(config, key, value)
    planned = runs.dry_run(finished_run, *runs.write_config(tmp_path / "changed.yaml", config))
    assert planned == matching(all_jobs | planned, expected)  # a value may bring stages that the run has not


def test_one_more_seed_trains_once_and_touches_no_other_experiment(finished_run, all_jobs, tmp_path):
    config = runs.read_config("tests/workflow/tiny.yaml")
    runs.edit(config, "experiments[1].seeds", [1, 2, 3])
    planned = runs.dry_run(finished_run, *runs.write_config(tmp_path / "changed.yaml", config))
    trained = {"train_network/unet_seed1", "train_network/unet_seed2"}
    assert planned - all_jobs == {"train_network/unet_seed3"}
    assert planned & all_jobs == matching(all_jobs, of_training("unet")) - trained


@pytest.mark.parametrize(("path", "old", "new", "expected"), FILE_CHANGES.values(), ids=FILE_CHANGES)
def test_changed_code_reruns_the_stages_that_use_it(finished_run, all_jobs, path, old, new, expected):
    text = (finished_run / path).read_text()
    assert old in text
    with runs.replaced(finished_run / path, text.replace(old, new, 1).encode()):
        planned = runs.dry_run(finished_run, *runs.TINY)
    assert planned == matching(all_jobs, expected)


def test_a_touched_file_of_equal_content_reruns_nothing(finished_run):
    path = finished_run / "results/tiny/phantom/subject1/image.tif"
    before = path.stat()
    os.utime(path)
    try:
        assert runs.dry_run(finished_run, *runs.TINY) == set()
    finally:
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


def test_a_deleted_table_is_made_again_with_what_follows(finished_run, all_jobs):
    path = finished_run / "results/tiny/tables/metrics.csv"
    path.rename(path.with_suffix(".away"))
    try:
        planned = runs.dry_run(finished_run, *runs.TINY)
    finally:
        path.with_suffix(".away").rename(path)
    assert planned == matching(all_jobs, SCORES)
