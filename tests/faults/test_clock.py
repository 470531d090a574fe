"""A clock that was wrong: files from the future make nothing run for ever, and change no result."""

import os
import time

import pytest
import small_run
import workflow_runs as runs

pytestmark = pytest.mark.slow

TWO_YEARS_S = 2 * 365 * 86400


def set_times(folder, seconds):
    """Move the time of every file below `folder` by so many seconds."""
    for path in folder.rglob("*"):
        stat = path.lstat()
        os.utime(path, (stat.st_atime + seconds, stat.st_mtime + seconds), follow_symlinks=False)


def date_now(folder):
    """Give what is dated in the future one time, now, as docs/faults.md says."""
    now = time.time()
    for path in folder.rglob("*"):
        if path.lstat().st_mtime > now:
            os.utime(path, (now, now), follow_symlinks=False)


def test_small_inputs_from_the_future_are_judged_by_their_content(copy, expected):
    set_times(copy / small_run.RESULTS / "phantom", TWO_YEARS_S)
    done = small_run.run(copy)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout, done.stdout
    assert runs.compared_results(copy / small_run.RESULTS) == expected


def test_results_from_the_future_are_refused_and_used_once_they_are_dated_now(copy, expected):
    results = copy / small_run.RESULTS
    set_times(results, TWO_YEARS_S)
    (results / small_run.STAGES["write_summary"]).unlink()
    done = small_run.run(copy)
    assert done.returncode != 0 and "has older modification time" in done.stdout, done.stdout
    date_now(results)
    done = small_run.run(copy)
    assert done.returncode == 0, done.stdout
    assert "Nothing to be done" in small_run.run(copy).stdout
    assert runs.compared_results(results) == expected


def test_results_from_the_past_make_nothing_run_again(copy, expected):
    set_times(copy / small_run.RESULTS, -TWO_YEARS_S)
    done = small_run.run(copy)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout, done.stdout
    assert runs.compared_results(copy / small_run.RESULTS) == expected


def test_no_duration_is_measured_with_a_clock_that_can_jump():
    """time.time() follows the clock of the machine; monotonic() and perf_counter() do not."""
    programs = [*(runs.REPO / "workflow").rglob("*.py"), *(runs.REPO / "workflow").rglob("*.smk")]
    assert len(programs) > 100 and time.monotonic() > 0
    assert [path.name for path in programs if "time.time()" in path.read_text()] == []
