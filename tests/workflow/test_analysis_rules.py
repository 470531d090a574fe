"""What `analysis.foreground`, `analysis.small_regions` and several label sources add to the plan."""

import numpy as np
import pytest
import tifffile
import workflow_runs as runs
import yaml


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


def planned(project, folder, analysis):
    """Jobs of these analyses on the tiny configuration."""
    (folder / "analysis.yaml").write_text(yaml.safe_dump({"analysis": analysis}))
    return runs.dry_run(project, *runs.TINY, str(folder / "analysis.yaml"))


NAMES = ("predict_probabilities", "compute_foreground", "choose_threshold", "plot_foreground")
NAMES += ("sweep_small_regions", "gather_small_regions", "plot_small_regions")


def test_foreground_of_an_ensemble_and_of_a_volume_from_elsewhere(project, tmp_path):
    tifffile.imwrite(tmp_path / "p.tif", np.zeros((10, 52, 104), np.uint8), photometric="minisblack")
    external = [{"name": "other", "region": "eval", "path": str(tmp_path / "p.tif"), "axes": "zyx"}]
    foreground = {"regions": ["eval", "compare"], "ensembles": ["hybrid"], "external": external}
    jobs = planned(project, tmp_path, {"foreground": foreground, "small_regions": {"ensembles": []}})
    assert {job for job in jobs if job.split("/")[0] in NAMES} == {
        *("predict_probabilities/eval_hybrid", "predict_probabilities/compare_hybrid"),
        *("compute_foreground/eval_hybrid", "compute_foreground/eval_other", "compute_foreground/compare_hybrid"),
        *("choose_threshold", "plot_foreground/eval", "plot_foreground/compare"),
    }


def test_small_regions_of_one_ensemble_in_every_scored_region(project, tmp_path):
    off = {"regions": [], "ensembles": [], "external": []}
    jobs = planned(project, tmp_path, {"foreground": off, "small_regions": {"ensembles": ["unet"]}})
    assert {job for job in jobs if job.split("/")[0] in NAMES} == {
        *(f"sweep_small_regions/{region}_unet" for region in ("eval", "test", "compare")),
        *("gather_small_regions", "plot_small_regions"),
    }
    assert {"compare_annotators", "plot_annotators/compare"} <= set(jobs), "two label sources cover compare"
