"""Two runs at once in one folder: of one configuration the second is refused, of two configurations both work."""

import hashlib
import os
import shutil
import subprocess

import pytest
import small_run
import workflow_runs as runs

pytestmark = pytest.mark.slow

TARGET = small_run.STAGES["train_network"]


def run_sh(project, *arguments):
    """./run.sh in `project`, in an environment that counts as installed."""
    for name in ("run.sh", "requirements.txt"):
        shutil.copy(runs.REPO / name, project / name)
    digest = hashlib.sha256(2 * (project / "requirements.txt").read_bytes()).hexdigest()[:12]
    (project / ".venv").mkdir(exist_ok=True)
    (project / ".venv" / f"installed-{digest}").touch()
    return subprocess.run(
        ["./run.sh", *arguments],
        cwd=project,
        env=runs.environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )


def test_a_second_run_of_one_configuration_is_refused_in_words_and_harms_nothing(copy, expected):
    results = copy / small_run.RESULTS
    (results / TARGET).unlink()
    first = small_run.start(copy, TARGET)
    assert small_run.wait_for(lambda: small_run.jobs_of(first, "train_network"), first)
    second = run_sh(copy, *small_run.arguments(TARGET))
    assert first.poll() is None and second.returncode != 0
    assert "no other Snakemake process" in second.stdout and "--unlock" in second.stdout, second.stdout
    assert "Traceback" not in second.stdout
    assert first.wait(small_run.PATIENCE_S) == 0
    assert runs.compared_results(results) == expected


def test_two_configurations_share_a_folder(copy, expected):
    (copy / small_run.RESULTS / TARGET).unlink()
    first = small_run.start(copy, TARGET)
    assert small_run.wait_for(lambda: small_run.jobs_of(first, "train_network"), first)
    command = ["--configfile", "small.yaml", "--config", "results_dir=results/other", "--"]
    second = runs.snakemake(copy, *command, "results/other/imported/subject1/image.ome.zarr")
    assert second.returncode == 0, second.stdout
    assert first.wait(small_run.PATIENCE_S) == 0
    assert runs.compared_results(copy / small_run.RESULTS) == expected
    name = "imported/subject1/image.ome.zarr/0/c/0/0/0"
    assert runs.compared_results(copy / "results" / "other")[name] == expected[name]
    assert not list((copy / ".snakemake" / "locks").glob("*"))


def test_a_run_that_was_killed_says_how_to_go_on(copy):
    (copy / small_run.RESULTS / small_run.STAGES["write_summary"]).unlink()
    first = small_run.start(copy)
    jobs = small_run.wait_for(lambda: small_run.jobs_of(first), first)
    small_run.kill(first, jobs, "group")
    second = run_sh(copy, *small_run.arguments()[:2])
    assert second.returncode != 0 and "--unlock" in second.stdout, second.stdout
    assert run_sh(copy, *small_run.arguments()[:2], "--unlock").returncode == 0
    third = run_sh(copy, *small_run.arguments()[:2])
    assert third.returncode == 0 and os.path.getsize(copy / small_run.RESULTS / "report.html") > 10_000, third.stdout
