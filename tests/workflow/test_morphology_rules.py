"""Which objects are measured, against which containers, and beside which neighbors."""

import pytest
import workflow_runs as runs

CELLS = {"name": "cells", "class": "cell", "ensemble": "hybrid"}
GRANULES = {"name": "granules", "class": "alpha_granule", "ensemble": "hybrid", "within": "cells"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


def planned(project, tmp_path, instances=(CELLS, GRANULES), **morphology):
    """(jobs, {job: its command line}) of the tiny configuration with these records."""
    config = runs.read_config("tests/workflow/tiny.yaml")
    config["instances"] = [{"mesh": False, **record} for record in instances]
    config["morphology"] = morphology
    code, output = runs.dry_run_output(project, *runs.write_config(tmp_path / "config.yaml", config))
    assert code == 0, output
    jobs = runs.planned_jobs(output)
    lines = [line for line in output.splitlines() if "/logs/measure_" in line and ".py" in line]
    return jobs, {job: line for job in jobs for line in lines if f"/logs/{job}.log" in line}


def test_objects_in_containers_and_beside_others(project, tmp_path):
    jobs, lines = planned(project, tmp_path)
    shape, neighbors = "measure_morphology/subject2_{}", "measure_neighbors/subject2_{}"
    assert {f.format(name) for f in (shape, neighbors) for name in ("cells", "granules")} <= jobs
    assert {"gather_instances/morphology", "gather_instances/neighbors"} <= jobs
    assert "granules/parents.csv" in lines[shape.format("granules")]
    assert "--containers results/tiny/instances/subject2/cells/labels" in lines[shape.format("granules")]
    assert "--parents" not in lines[shape.format("cells")]
    assert "--other-labels results/tiny/instances/subject2/cells/labels" in lines[neighbors.format("granules")]
    assert '["granules"]' in lines[neighbors.format("cells")]


def test_objects_of_one_record_only(project, tmp_path):
    jobs, lines = planned(project, tmp_path, neighbors="own")
    assert "--other-labels" not in lines["measure_neighbors/subject2_cells"]
    jobs, _ = planned(project, tmp_path, neighbors="none")
    assert "measure_neighbors" not in runs.rules_of(jobs) and "gather_instances/neighbors" not in jobs
    assert "measure_morphology" in runs.rules_of(jobs)


def test_what_is_not_to_be_measured(project, tmp_path):
    jobs, _ = planned(project, tmp_path, [{**CELLS, "morphology": False}, GRANULES])
    assert {job for job in jobs if job.startswith("measure_morphology")} == {"measure_morphology/subject2_granules"}
    jobs, _ = planned(project, tmp_path, [{**CELLS, "morphology": False}])
    assert not {"gather_instances/morphology", "gather_instances/neighbors"} & jobs


def test_each_stage_is_handed_the_keys_it_reads(project, tmp_path):
    _, lines = planned(project, tmp_path, contact_nm=77)
    assert "77" in lines["measure_neighbors/subject2_cells"] and "77" not in lines["measure_morphology/subject2_cells"]
    _, lines = planned(project, tmp_path, min_voxels=777)
    assert "777" in lines["measure_morphology/subject2_cells"]
    assert "777" not in lines["measure_neighbors/subject2_cells"]
