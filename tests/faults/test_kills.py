"""Killed twenty times (-9) on its way, a run ends with the bytes of one that was never disturbed.

Snakemake is asked for one output of each stage after the other, in the order in which data flow, so that a job of that stage
must run; it is killed at a random moment of that job: in turn all at once, Snakemake alone, the job alone. Two kills come
between two jobs, when none runs.
"""

import random
import time

import pytest
import small_run
import workflow_runs as runs

pytestmark = pytest.mark.slow

SEED = 20261121
WAYS = ("group", "run", "job")
# two outputs that two jobs write, one after the other
BETWEEN = (
    ("regions/eval/image.ome.zarr", "regions/eval/labels_reference.ome.zarr"),
    ("ensembles/hybrid/eval_metrics.csv", "ensembles/hybrid/chosen.json"),
)
ATTEMPTS = 10  # the longest delay halves with each, down to 1.6 ms: a fast machine's jobs are hit as well


class Killer:
    """Starts, kills and unlocks runs of one project, and keeps what it did."""

    def __init__(self, project, seed):
        self.project, self.random, self.moments = project, random.Random(seed), []

    def job_seconds(self, script):
        """How long a job of this script may take, for the choice of a moment: most of it are imports."""
        return 2.5 if script in ("train_network", "predict_volume", "build_ensemble") else 0.8

    def kill_inside(self, script, target, way, attempt):
        """Kill while a job of `script` runs on the way to `target`; False if it had ended before.

        attempt: 0, 1, ...; each aims at an earlier part of the job than the one before.
        """
        process = small_run.start(self.project, target)
        if not small_run.wait_for(lambda: small_run.jobs_of(process, script), process):
            return False
        delay = self.random.uniform(0, self.job_seconds(script) / 2**attempt)
        time.sleep(delay)
        return self._kill(process, way, f"{delay:.3f} s into {script}", script)

    def kill_between(self, target):
        """Kill when a job has ended and none runs."""
        process = small_run.start(self.project, target, cores=1)
        small_run.wait_for(lambda: small_run.jobs_of(process), process)
        small_run.wait_for(lambda: not small_run.jobs_of(process), process)
        return process.poll() is None and self._kill(process, "group", f"between two jobs to {target}", None)

    def _kill(self, process, way, when, script):
        jobs = small_run.jobs_of(process)
        running = small_run.names(jobs)
        if process.poll() is not None or (script not in running if script else running):
            process.wait(small_run.PATIENCE_S)
            return False
        way = way if running else "group"
        small_run.kill(process, jobs, way)
        self.moments.append((way, when, ", ".join(running) or "no job"))
        if way != "job":
            small_run.unlock(self.project)
        return True


def test_twenty_kills_change_no_byte(expected, tmp_path, capsys):
    killer = Killer(small_run.make_project(tmp_path / "project"), SEED)
    results = killer.project / small_run.RESULTS
    for i, (stage, target) in enumerate(small_run.STAGES.items()):
        for attempt in range(ATTEMPTS):
            if killer.kill_inside(small_run.SCRIPT_OF.get(stage, stage), target, WAYS[i % 3], attempt):
                break
            for path in (results / target, results / f"{target}.json"):  # it had ended: once more
                small_run.remove(path)
        else:
            raise AssertionError(f"no kill inside {stage} in {ATTEMPTS} attempts: its jobs are too short here")
    for first, second in BETWEEN:
        for _ in range(ATTEMPTS):
            for target in (first, second):
                small_run.remove(results / target)
            if killer.kill_between(second):
                break
        else:
            raise AssertionError(f"no kill on the way to {second} in {ATTEMPTS} attempts: each had ended before")
    assert len(killer.moments) > 20

    done = small_run.run(killer.project)
    assert done.returncode == 0, done.stdout
    found = runs.compared_results(results)
    assert found == expected
    again = small_run.run(killer.project)
    assert "Nothing to be done" in again.stdout, again.stdout
    with capsys.disabled():
        print(f"\nseed {SEED}: {len(killer.moments)} moments killed in one run, {len(found)} files compared, all equal")
        print("\n".join(f"  {way:5s} {when}; running: {running}" for way, when, running in killer.moments))
