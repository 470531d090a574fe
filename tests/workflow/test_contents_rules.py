"""Which containers are counted, from which class maps, and that the phantom's objects stay with the phantom."""

import pytest
import workflow_runs as runs
import yaml

import configuration

PHANTOM = yaml.safe_load((runs.REPO / "config.yaml").read_text())
CELLS = {"name": "cells", "class": "cell", "ensemble": "hybrid"}
GRANULES = {"name": "granules", "class": "alpha_granule", "ensemble": "hybrid", "within": "cells"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


def planned(project, tmp_path, instances, **changes):
    """The jobs that count contents for these records of the tiny configuration."""
    config = runs.read_config("tests/workflow/tiny.yaml")
    config["instances"] = [{"morphology": False, "mesh": False, **record} for record in instances]
    for path, value in changes.items():
        runs.edit(config, path.replace("__", "."), value)
    code, output = runs.dry_run_output(project, *runs.write_config(tmp_path / "config.yaml", config))
    assert code == 0, output
    return runs.planned_jobs(output), output


def line_of(output, job):
    return next(line for line in output.splitlines() if f"/logs/{job}.log" in line and ".py" in line)


# ------------------------------------------------------------------------------- whose objects a configuration has
@pytest.mark.parametrize("above", [{}, {"figures": {"dpi": 100}}, {"prediction": {"stitch": "depth"}}], ids=str)
def test_a_change_of_the_phantoms_run_keeps_its_objects(above):
    assert configuration.with_own_objects(PHANTOM, above)["instances"] == PHANTOM["instances"]


@pytest.mark.parametrize("key", ["classes", "volumes", "ensembles"])
def test_other_data_has_no_objects_unless_it_lists_some(key):
    assert configuration.with_own_objects({**PHANTOM, key: []}, {key: []})["instances"] == []
    own = {key: [], "instances": [CELLS]}
    assert configuration.with_own_objects({**PHANTOM, **own}, own)["instances"] == [CELLS]


def test_other_whole_volumes_have_no_objects():
    above = {"prediction": {"full_volumes": []}}
    assert configuration.with_own_objects(runs.merge(PHANTOM, above), above)["instances"] == []


def test_a_configuration_from_before_objects_plans_as_it_did(project, tmp_path):
    tiny = yaml.safe_load((runs.REPO / "tests/workflow/tiny.yaml").read_text())
    del tiny["instances"]
    (tmp_path / "old.yaml").write_text(yaml.safe_dump(tiny))
    jobs = runs.dry_run(project, "--configfile", tmp_path / "old.yaml")
    assert not runs.rules_of(jobs) & {"segment_instances", "measure_contents", "gather_contents", "gather_instances"}
    assert "plot_volume/subject2_hybrid" in jobs and "write_summary" in jobs


# ------------------------------------------------------------------------------------------------ what is counted
def test_cells_are_containers_of_the_classes_inside_them_even_without_other_objects(project, tmp_path):
    jobs, output = planned(project, tmp_path, [CELLS])
    assert {"measure_contents/subject2_cells", "gather_contents", "plot_contents/subject2_cells"} <= jobs
    assert "assign_organelles" not in runs.rules_of(jobs) and "gather_instances/objects" in jobs
    line = line_of(output, "measure_contents/subject2_cells")
    assert "--sources '[\"hybrid\"]'" in line and "--parents" not in line and "hybrid/members" in line
    assert "contents.csv" in line_of(output, "write_summary")


def test_objects_are_assigned_first_and_then_counted(project, tmp_path):
    jobs, output = planned(project, tmp_path, [CELLS, GRANULES])
    assert {"assign_organelles/subject2_granules", "gather_instances/parents"} <= jobs
    assert "measure_contents/subject2_granules" not in jobs  # nothing lies inside of alpha granules
    line = line_of(output, "measure_contents/subject2_cells")
    assert "granules/parents.csv" in line and '"class": "alpha_granule"' in line


def test_without_kept_members_there_is_no_spread(project, tmp_path):
    _, output = planned(project, tmp_path, [CELLS, GRANULES], prediction__full_volumes__0__keep_members=False)
    assert "--members '[null]'" in line_of(output, "measure_contents/subject2_cells")
    assert "--members" not in line_of(output, "assign_organelles/subject2_granules")


def test_objects_of_another_ensemble_bring_its_class_map(project, tmp_path):
    both = [{"volume": "subject2", "ensemble": e, "keep_members": e == "hybrid"} for e in ("hybrid", "unet")]
    _, output = planned(project, tmp_path, [CELLS, {**GRANULES, "ensemble": "unet"}], prediction__full_volumes=both)
    line = line_of(output, "measure_contents/subject2_cells")
    assert '--sources \'["hybrid", "unet"]\'' in line and "hybrid/members\", null]'" in line
    assert "ensembles/unet/chosen.json" in line_of(output, "gather_contents")


def test_drawn_classes_are_measured_without_any_ensemble(project, tmp_path):
    drawn = {"ensemble": None, "labels": "subject2_truth"}
    jobs, output = planned(project, tmp_path, [CELLS | drawn, GRANULES | drawn])
    line = line_of(output, "measure_contents/subject2_cells")
    assert "aligned/subject2/labels_subject2_truth.ome.zarr" in line and "--members '[null]'" in line
    assert "--chosen" not in line_of(output, "gather_contents") and "gather_contents" in jobs


def test_drawn_numbers_hold_what_an_ensemble_finds_in_them(project, tmp_path):
    drawn = {"name": "cells", "class": "cell", "labels": "subject2_cells"}
    _, output = planned(project, tmp_path, [drawn, GRANULES])
    assert "--sources '[\"hybrid\"]'" in line_of(output, "measure_contents/subject2_cells")
    jobs, _ = planned(project, tmp_path, [drawn])
    assert "gather_contents" not in jobs  # numbers alone tell no class


def test_the_bias_comes_from_what_scores_there_are(project, tmp_path):
    _, output = planned(project, tmp_path, [CELLS])
    line = line_of(output, "gather_contents")
    assert "--volume-fractions" in line and "--held-out" not in line and '"compare": "compare"' in line
