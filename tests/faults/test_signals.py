"""What stops a job without killing it: SIGTERM, Ctrl-C, SIGSTOP, a read that never ends, and a Snakemake that is gone."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import psutil
import pytest
import small_run
import workflow_runs as runs

import machine
import watchdog

pytestmark = pytest.mark.slow

SCRIPTS = runs.REPO / "workflow" / "scripts"
PROGRAM = """
import os, sys, time
sys.path.insert(0, {scripts!r})
from command_line import run
def waits_for_a_disk():
    os.read(os.pipe()[0], 1)
def computes():
    end = time.monotonic() + 6
    while time.monotonic() < end:
        sum(range(10000))
run({function})
"""


@pytest.fixture
def start_program():
    """start(function, **environment) starts a script of the workflow that does nothing but `function`, with its errors in
    `stderr`. What still runs at the end of a test is killed."""
    jobs = []

    def start(function, **environment):
        command = [sys.executable, "-c", PROGRAM.format(scripts=str(SCRIPTS), function=function)]
        changed = {**runs.environment(), **environment}
        jobs.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=changed))
        return jobs[-1]

    yield start
    for job in jobs:
        job.kill()
        job.wait()
        job.stderr.close()


def watchdog_of(job):
    """The process that watches over a job, once it has started."""
    return small_run.wait_for(lambda: psutil.Process(job.pid).children(), job)[0]


# ------------------------------------------------------------------------------------------------------- the watchdog
def test_a_job_that_hangs_tells_where_and_ends(start_program):
    text = (job := start_program("waits_for_a_disk", DENSECELL_STALL_MINUTES="0.05")).communicate(timeout=60)[1]
    assert job.returncode == 128 + signal.SIGTERM
    assert "did no work for 0.05 minutes" in text and "in waits_for_a_disk" in text


def test_a_slow_job_is_left_in_peace(start_program):
    text = (job := start_program("computes", DENSECELL_STALL_MINUTES="0.08")).communicate(timeout=60)[1]
    assert job.returncode == 0 and "watchdog" not in text


def test_a_job_that_was_stopped_alone_is_ended_after_the_limit(start_program):
    job = start_program("computes", DENSECELL_STALL_MINUTES="0.05", DENSECELL_GRACE_S="2")
    watchdog_of(job)
    job.send_signal(signal.SIGSTOP)
    text = job.communicate(timeout=60)[1]
    assert job.returncode == -signal.SIGKILL and "did no work" in text


def test_a_job_does_not_outlive_its_snakemake(start_program):
    run = subprocess.Popen(["sleep", "600"])
    job = start_program("waits_for_a_disk", DENSECELL_RUN_PID=str(run.pid), DENSECELL_RUN_PLACE=watchdog.place())
    try:
        watchdog_of(job)
        time.sleep(2)
        assert job.poll() is None
    finally:
        run.kill()  # and it stays a zombie: nobody waits for it
    text = job.communicate(timeout=60)[1]
    run.wait()
    assert job.returncode == 128 + signal.SIGTERM and "Snakemake that started this job is gone" in text


def test_a_job_that_starts_when_its_snakemake_is_gone_already_ends(start_program):
    gone = subprocess.Popen(["true"])
    gone.wait()
    job = start_program("computes", DENSECELL_RUN_PID=str(gone.pid), DENSECELL_RUN_PLACE=watchdog.place())
    assert job.wait(60) == 128 + signal.SIGTERM


def test_rules_and_jobs_mean_the_same_place():
    assert machine.place() == watchdog.place()


def test_a_run_that_is_not_of_this_machine_is_not_looked_for(start_program):
    gone = subprocess.Popen(["true"])
    gone.wait()
    job = start_program("computes", DENSECELL_RUN_PID=str(gone.pid))
    assert job.wait(60) == 0


def test_the_watchdog_ends_with_its_job(start_program):
    job = start_program("waits_for_a_disk")
    dog = watchdog_of(job)
    job.kill()
    small_run.wait_for_end([dog], 60)


def test_a_stopped_and_continued_job_ends_with_equal_bytes(copy, expected):
    (copy / small_run.RESULTS / small_run.STAGES["train_network"]).unlink()
    process = small_run.start(copy, small_run.STAGES["train_network"])
    (job,) = small_run.wait_for(lambda: small_run.jobs_of(process, "train_network"), process)
    time.sleep(2)
    job.suspend()
    time.sleep(5)
    job.resume()
    assert process.wait(small_run.PATIENCE_S) == 0
    assert runs.compared_results(copy / small_run.RESULTS) == expected


# --------------------------------------------------------------------------------------------------- SIGTERM and Ctrl-C
def prediction(copy, folder):
    """The command that predicts the whole volume as one slab of two layers, with its outputs in `folder`."""
    words = next(words for _, _, words in small_run.commands(copy) if "--slab" in words)
    changed = {
        "--ensemble-labels": folder / "out" / "labels.ome.zarr",
        "--restart": folder / "restart",
        "--slab": "1-of-1",
    }
    for option, value in changed.items():
        words[words.index(option) + 1] = str(value)
    settings = words.index("--settings") + 1
    words[settings] = json.dumps({**json.loads(words[settings]), "flips": ["y", "x"]})
    return [sys.executable, str(SCRIPTS / "predict_volume.py"), *words]


def test_a_terminated_prediction_of_a_volume_ends_and_goes_on(copy, tmp_path):
    streams = {"cwd": copy, "env": runs.environment(), "stderr": subprocess.PIPE, "text": True}
    whole = subprocess.run(prediction(copy, tmp_path / "whole"), check=False, **streams)
    assert whole.returncode == 0 and "going on" not in whole.stderr, whole.stderr
    job = subprocess.Popen(prediction(copy, tmp_path / "again"), **streams)
    assert small_run.wait_for((tmp_path / "again" / "restart" / "state.json").exists, job)
    job.terminate()
    job.communicate(timeout=60)
    assert job.returncode == 128 + signal.SIGTERM
    assert not list((tmp_path / "again" / "out").glob("*"))
    resumed = subprocess.run(prediction(copy, tmp_path / "again"), check=False, **streams)
    assert resumed.returncode == 0 and "going on at slice 8 of 10" in resumed.stderr, resumed.stderr
    first, second = (runs.compared_results(tmp_path / name / "out") for name in ("whole", "again"))
    assert first == second and len(first) > 3


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_terminated_writer_leaves_nothing(tmp_path, number):
    code = f"""
import sys, time
sys.path.insert(0, {str(SCRIPTS)!r})
from command_line import run
from densecell import files
def main():
    with files.writing({str(tmp_path / "x")!r}, {{}}) as partial:
        partial.write_text("half")
        time.sleep(100)
run(main)
"""
    job = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.PIPE, text=True)
    small_run.wait_for((tmp_path / "x.partial").exists, job)
    job.send_signal(number)
    text = job.communicate(timeout=60)[1]
    assert job.returncode == 128 + number and "Traceback" not in text
    assert list(tmp_path.iterdir()) == []


def test_ctrl_c_in_a_training_ends_everything_and_the_next_run_goes_on(copy, expected):
    results = copy / small_run.RESULTS
    target = small_run.STAGES["train_network"]
    (results / target).unlink()
    process = small_run.start(copy, target)
    assert small_run.wait_for(lambda: small_run.jobs_of(process, "train_network"), process), (
        copy / "run.log"
    ).read_text()
    jobs = small_run.jobs_of(process)
    time.sleep(1)
    os.killpg(process.pid, signal.SIGINT)  # what a terminal does
    process.wait(60)
    small_run.wait_for_end(jobs, 60)
    text = (copy / "run.log").read_text()
    assert not re.search(r"workflow/scripts/\w+\.py\", line", text), text
    assert not list(results.rglob("*.partial"))
    done = small_run.run(copy, target)
    assert done.returncode == 0, done.stdout
    assert runs.compared_results(results) == expected
