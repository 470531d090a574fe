"""Dry runs with `instances`: which objects are made, of what, and what is exported."""

import re

import pytest
import workflow_runs as runs

CELLS = {"name": "cells", "class": "cell", "ensemble": "hybrid"}
GRANULES = {"name": "granules", "class": "alpha_granule", "ensemble": "hybrid"}
DRAWN = {"name": "drawn", "class": "cell", "labels": "subject2_truth"}
QUIET = {"morphology": False, "mesh": False}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


def command_of(output, script, *words):
    """The command that runs a script with these words in it."""
    found = [line for line in output.splitlines() if f"/{script}.py " in line and all(word in line for word in words)]
    assert len(found) == 1, found
    return found[0]


def plan(project, tmp_path, records, probabilities=False):
    config = runs.read_config("tests/workflow/tiny.yaml")
    config["instances"] = [record | QUIET for record in records]
    for job in config["prediction"]["full_volumes"]:
        job["probabilities"] = probabilities
    code, output = runs.dry_run_output(project, *runs.write_config(tmp_path / "config.yaml", config))
    assert code == 0, output
    return output


def of_objects(output):
    jobs = runs.planned_jobs(output)
    return {job for job in jobs if job.startswith(("segment_instances", "export_nifti", "export_panoptic"))}


def test_without_instances_nothing_is_made_of_them(project, tmp_path):
    assert of_objects(plan(project, tmp_path, [])) == set()


def test_objects_their_tables_and_one_store_for_viewers(project, tmp_path):
    output = plan(project, tmp_path, [CELLS | {"method": "watershed"}, GRANULES | {"nifti": True}, DRAWN])
    assert of_objects(output) == {
        "segment_instances/subject2_cells",
        "segment_instances/subject2_granules",
        "segment_instances/subject2_drawn",
        "export_nifti/subject2_granules",
        "export_panoptic/subject2_hybrid",
    }
    assert "--method watershed --connectivity 26 --watershed" in command_of(
        output, "segment_instances", "--class-name cell", "watershed"
    )
    drawn = command_of(output, "segment_instances", "labels_subject2_truth")
    assert "--method components" in drawn and "--probability" not in drawn
    assert '["cells", "granules", "drawn"]' in command_of(output, "export_panoptic")


def test_a_watershed_of_probability_reads_that_of_the_class(project, tmp_path):
    record = CELLS | {"class": "mitochondrion", "method": "watershed", "watershed": {"from": "probability"}}
    command = command_of(plan(project, tmp_path, [record], probabilities=True), "segment_instances")
    assert re.search(r"--probability \S*volumes/subject2/hybrid/probabilities/mitochondrion.ome.zarr", command)


def test_settings_of_the_watershed_are_no_matter_of_components(project, tmp_path):
    outputs = [plan(project, tmp_path, [CELLS | {"watershed": {"min_depth_nm": depth}}]) for depth in (10, 20)]
    first, second = (command_of(output, "segment_instances") for output in outputs)
    assert first == second
