"""What all jobs of a run are said to take, with what was measured on this machine; and that the plan is kept."""

import csv
import json
import re

import pytest
import workflow_runs as runs

import plan_jobs
import plan_run
from densecell import costs

ESTIMATE = {"start_s": 2, "work_s": 10, "source": "docs/benchmarks.md (x)", "memory_bytes": 5e8, "disk_bytes": 3e9}


def job(**changes):
    facts = {"stage": "training", "step": "train_network", "rule": "train_network", "threads": 1, "gpu": False}
    return {**facts, "wall_s": 12, **ESTIMATE, "outputs": [], **changes}


# ------------------------------------------------------------------------------------------------------- corrections
def test_without_a_former_run_the_rates_of_the_documentation_count():
    assert plan_run.corrected(ESTIMATE, None) == (12, "docs/benchmarks.md (x)")
    assert plan_run.corrected({**ESTIMATE, "work_s": None}, None)[0] is None


def test_a_step_that_took_twice_as_long_here_will_again():
    here = {"start": 20, "work": 100, "wall": 240, "folders": ["vnc", "tiny", "vnc"]}
    assert plan_run.corrected(ESTIMATE, here) == (24, "measured here (tiny, vnc)")


def test_jobs_that_did_little_but_start_correct_the_start_only():
    here = {"start": 20, "work": 1, "wall": 51, "folders": ["tiny"]}  # ten jobs of 5 s beside 0.1 s of work
    assert plan_run.corrected(ESTIMATE, here) == (5 + 10, "docs/benchmarks.md (x)")
    assert plan_run.corrected({**ESTIMATE, "work_s": 0}, here) == (5, "measured here (tiny)")


def test_a_step_without_a_rate_takes_what_its_jobs_took_here():
    here = {"start": 6, "work": 0, "wall": 90, "folders": ["tiny"]}  # three jobs
    assert plan_run.corrected({**ESTIMATE, "work_s": None}, here) == (30, "measured here (tiny)")


def write_costs(folder, rows):
    (folder / "run").mkdir(parents=True)
    with open(folder / "run/costs.run.csv", "w", newline="") as handle:
        writer = csv.DictWriter(handle, costs.COLUMNS, restval=0)
        writer.writeheader()
        writer.writerows(rows)


def test_costs_of_runs_beside_this_one_count_if_they_ran_on_the_same_device(tmp_path):
    measured = {"step": "bin_volume", "device": "cpu", "reference_start_s": 1, "reference_work_s": 2, "compared_s": 6}
    write_costs(tmp_path / "results/one", [measured])
    write_costs(tmp_path / "results/two", [measured, {**measured, "step": "train_network", "device": "gpu"}])
    write_costs(tmp_path / "elsewhere/three", [measured])
    here = plan_run.measured_here(str(tmp_path / "results/mine"), on_gpu=False)
    assert here == {"bin_volume": {"start": 2, "work": 4, "wall": 12, "folders": ["one", "two"]}}
    assert set(plan_run.measured_here(str(tmp_path / "results/mine"), on_gpu=True)) == {"train_network"}


# ------------------------------------------------------------------------------------------------------------- words
def test_durations_in_words():
    found = [plan_run.duration(s) for s in (None, 0.2, 40, 119, 120, 3600, 12345, 86400 * 2.5)]
    assert found == ["?", "1 s", "40 s", "119 s", "2 min", "60 min", "3.4 h", "2.5 days"]


def test_elapsed_time_is_that_of_busy_cores_of_the_gpu_or_of_the_longest_job():
    four = [job(wall_s=10) for _ in range(4)]
    assert plan_run.elapsed_s(four, 2) == 20
    assert plan_run.elapsed_s(four, 8) == 10  # the longest
    assert plan_run.elapsed_s([job(wall_s=10, gpu=True) for _ in range(4)], 8) == 40  # one at a time
    assert plan_run.elapsed_s([job(wall_s=10, threads=4)] * 2, 2) == 20  # no more threads than cores
    assert plan_run.elapsed_s([job(wall_s=None)], 2) == 0


def text(free=10e9, cores=2, **changes):
    config = {"results_dir": "results/x"}
    return plan_run.text({"a": job(**changes), "b": job(stage="figures", wall_s=None)}, config, cores, free)


def test_the_text_tells_stages_disk_and_where_the_rates_are_from():
    told = text()
    assert (
        "training" in told
        and "figures" in told
        and "2 jobs, 12 s one after the other; on 2 cores 12 s or more." in told
    )
    assert "6.0 GB at most" in told and "10.0 GB free in results/x" in told and "WARNING" not in told
    assert "No time is known for 1 job: train_network." in told
    assert "docs/benchmarks.md, another machine's: 100 % of the time" in told
    assert plan_run.text({}, {"results_dir": "x"}, 2, 1) == ""


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "none of these jobs asks for a GPU"),  # nor do figures on a machine with a GPU
        ({"gpu": True, "wall_s": 7200}, "2"),
        ({"gpu": True, "wall_s": 250 * 3600}, "250"),
        ({"gpu": True, "wall_s": 12345 * 3600}, "12,000"),
        ({"gpu": True, "wall_s": 36}, "0.01"),
        ({"gpu": True, "wall_s": None}, "not known"),
    ],
)
def test_gpu_hours_are_a_plain_number(changes, expected):
    assert f"  GPU-hours: {expected}.\n" in text(**changes)


def test_one_of_a_kind_is_not_told_in_the_plural():
    told = plan_run.text({"a": job()}, {"results_dir": "x"}, 1, 10e9)
    assert "  1 job, 12 s one after the other; on 1 core 12 s or more.\n" in told


def test_a_cluster_has_no_number_of_cores():
    assert "  2 jobs, 12 s one after the other; on a cluster as fast as it starts them.\n" in text(cores=None)


def test_a_disk_that_is_too_small_is_warned_of():
    assert "WARNING: that may not fit" in text(free=5e9)


# --------------------------------------------------------------------------------------------------------- dry runs
def runs_on(project, *arguments):
    """The output of a dry run of the tiny configuration with these arguments."""
    code, output = runs.dry_run_output(project, *runs.TINY, *arguments)
    assert code == 0, output
    return output


def test_a_dry_run_ends_with_what_its_jobs_take(tmp_path):
    project = runs.copy_project(tmp_path)
    code, output = runs.dry_run_output(project, *runs.TINY)
    assert code == 0, output
    assert output.count("What the jobs above will take") == 1
    assert output.rindex("Job stats") < output.index("What the jobs above will take")
    stages = output[output.index("What the jobs above will take") :]
    order = ["preprocessing ", "training ", "ensembling ", "prediction ", "evaluation ", "figures "]
    assert [stages.index(stage) for stage in order] == sorted(stages.index(stage) for stage in order)
    _, short = runs.dry_run_output(project, *runs.TINY, "--quiet", "rules", "progress")
    assert short.count("What the jobs above will take") == 1
    assert re.search(r"one after the other; on 3 cores .* or more\.$", runs_on(project, "--cores", "3"), re.MULTILINE)
    assert "one after the other; on a cluster" in runs_on(project, "--workflow-profile", "profiles/slurm")
    _, quiet = runs.dry_run_output(project, *runs.TINY, "--quiet", "all")
    assert "What the jobs" not in quiet
    assert not (project / "results").exists()  # a plan that is only told leaves nothing


# ----------------------------------------------------------------------------------------------------------- a run
def test_a_run_keeps_its_plan_and_sets_beside_it_what_it_took(finished_run):
    results = finished_run / "results/tiny"
    plan = json.loads((results / "run/plan.run.json").read_text())["jobs"]
    assert plan["train_network/hybrid_seed1"]["outputs"][0] == "models/hybrid/seed1/best.safetensors"
    assert "compare_costs" not in plan and plan["predict_volume/subject2_hybrid_1-of-1"]["stage"] == "prediction"
    with open(results / "run/costs.run.csv", newline="") as handle:
        rows = {row["step"]: row for row in csv.DictReader(handle)}
    assert rows["train_network"]["jobs_compared"] == "4" and rows["train_network"]["stage"] == "training"
    whole = rows.pop("all")
    assert int(whole["jobs_planned"]) == int(whole["jobs_measured"]) == len(plan)
    unknown = [job for job in plan if job.split("/")[0] in plan_jobs.NOT_KNOWN]  # no estimate to compare with
    assert int(whole["jobs_compared"]) == len(plan) - len(unknown)
    assert float(whole["elapsed_s"]) <= float(whole["measured_s"])
    assert all(float(row["longest_s"]) > 0 for row in rows.values())
    assert "What the run took" in (results / "run/costs.run.html").read_text()


def test_costs_are_compared_when_anything_runs_and_only_then(finished_run):
    code, output = runs.dry_run_output(finished_run, *runs.TINY)
    assert code == 0 and "Nothing to be done" in output
    code, output = runs.dry_run_output(finished_run, *runs.TINY, "--forcerun", "plot_ranking")
    assert code == 0 and dict(runs.STATISTICS.findall(output)) == {
        "plot_ranking": "1",
        "compare_costs": "1",
        "all": "1",
        "total": "3",
    }
    assert runs.planned_jobs(output) == {"plot_ranking"}


@pytest.mark.parametrize("content", [None, "", "{", "{}"])
def test_a_plan_that_cannot_be_read_is_begun_anew(tmp_path, content):
    path = tmp_path / "plan.run.json"
    if content is not None:
        path.write_text(content)
    assert plan_run.kept_jobs(path) == {}
