"""A disk that fills up, or that can't be written to: a clear message, nothing half-written, and the run goes on afterwards.

The disk is a small file system in memory (tmpfs) in place of the folder of the results, which only root can mount.
"""

import os
import re
import shutil
import subprocess
from contextlib import contextmanager

import pytest
import small_run
import workflow_runs as runs

pytestmark = [
    pytest.mark.slow,
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="mounting a file system needs root"),
]

SIZE = "64m"
MESSAGE = re.compile(
    r"(the disk is full: \S+ could not be written\. Free|not enough disk space for \S+: .* Free) some space"
)


def mount(*arguments):
    """What the program says that went wrong; nothing where all went well."""
    done = subprocess.run(["mount", *map(str, arguments)], capture_output=True, text=True, check=False)
    return f"{done.stderr.strip()} (exit code {done.returncode})" if done.returncode else ""


def remount(folder, how):
    """Make a mounted disk read-only ("ro") or writable ("rw")."""
    assert not (error := mount("-o", f"remount,{how}", folder)), error


@pytest.fixture
def small_disk(copy):
    """The copy, its results on a disk of their own."""
    results = copy / small_run.RESULTS
    results.rename(copy / "moved")
    results.mkdir()
    if error := mount("-t", "tmpfs", "-o", f"size={SIZE}", "tmpfs", results):
        pytest.skip(f"no file system can be mounted here: {error}")
    try:
        shutil.copytree(copy / "moved", results, dirs_exist_ok=True)
        yield copy
    finally:
        subprocess.run(["umount", "--lazy", str(results)], check=True)


@contextmanager
def full(folder, free_bytes=0):
    """No more than `free_bytes` left on the disk of `folder`, within the block."""
    filler = folder / "filler"
    with open(filler, "wb", buffering=0) as handle:
        while (rest := shutil.disk_usage(folder).free - free_bytes) > 0:
            handle.write(b"\0" * min(rest, 2**20))
    try:
        yield
    finally:
        filler.unlink()


def test_a_full_disk_in_any_job_is_told_and_leaves_nothing_half_written(small_disk, expected, monkeypatch, capsys):
    results, stages = small_disk / small_run.RESULTS, 0
    monkeypatch.chdir(small_disk)
    jobs = small_run.commands(small_disk)
    slabs = [(script, words) for _, script, words in jobs if "--slab" in words]
    for script, words in slabs:  # temporary outputs, which gather_slabs reads
        assert small_run.run_by_hand(script, words) is None
    before = runs.compared_results(results)
    for rule, script, words in {rule: (rule, script, words) for rule, script, words in jobs}.values():
        with full(results):
            error = small_run.run_by_hand(script, words)
            assert error and MESSAGE.search(str(error)), f"{rule}: {error}"
            left = runs.compared_results(results)
            left.pop("filler")
            assert left == before, rule  # a result of before is not touched either
        stages += 1
    for script, words in slabs:
        assert small_run.run_by_hand(script, words) is None
    assert runs.compared_results(results) == before
    with capsys.disabled():
        print(
            f"\nfull disk in a job of each of {stages} rules: all told, nothing half-written, {len(before)} files as before"
        )


def test_a_disk_that_fills_up_in_a_run_is_told_and_the_run_goes_on_with_space(small_disk, expected):
    results = small_disk / small_run.RESULTS
    target = small_run.STAGES["export_tiff"]
    (results / target).unlink()
    with full(results, free_bytes=100_000):  # less than the TIFF, enough for what a run notes when it starts
        failed = small_run.run(small_disk, target)
        assert failed.returncode != 0 and MESSAGE.search(failed.stdout), failed.stdout
        assert not list(results.rglob("*.partial")) and not (results / target).exists()
    done = small_run.run(small_disk)
    assert done.returncode == 0, done.stdout
    assert runs.compared_results(results) == expected


def test_a_folder_that_can_not_be_written_is_told_before_any_job(small_disk):
    results = small_disk / small_run.RESULTS
    (results / small_run.STAGES["write_summary"]).unlink()
    remount(results, "ro")
    done = small_run.run(small_disk)
    assert done.returncode != 0 and "Write-protected output files" in done.stdout, done.stdout  # Snakemake's own words
    remount(results, "rw")
    shutil.rmtree(results / "run")
    (results / "tables" / "summary.csv").unlink()
    remount(results, "ro")
    done = small_run.run(small_disk)
    assert done.returncode != 0 and "Writing the summary" not in done.stdout
    assert re.search(rf"{small_run.RESULTS}: the folder of the results can't be written", done.stdout), done.stdout
    remount(results, "rw")
    with full(results):
        done = small_run.run(small_disk)
        assert done.returncode != 0 and "can't be written (No space left on device)" in done.stdout, done.stdout
    assert small_run.run(small_disk).returncode == 0
