import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import run_record
from densecell import files

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = REPO / "workflow" / "scripts"
KEYS = {
    "output", "script", "record", "started", "wall_s", "cpu_s", "peak_memory_bytes", "host", "platform", "device",
    "threads", "python", "packages", "config_hash", "git_commit", "git_dirty",
}  # fmt: skip


def gather(folder, *more, environment=None):
    """Run gather_tables.py by hand on one table in `folder`; returns the finished process."""
    files.write_text(folder / "part.csv", "a,value\nx,1\n", {})
    command = [sys.executable, SCRIPTS / "gather_tables.py", "--tables", "part.csv", "--output", "all.csv", *more]
    environment = {**os.environ, **(environment or {})}
    return subprocess.run(
        list(map(str, command)), cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


def test_a_job_writes_its_run_record_beside_its_output(tmp_path):
    commit = "a" * 40
    told = {"DENSECELL_CONFIG_HASH": "c0ffee", "DENSECELL_COMMIT": f"{commit}-dirty"}
    assert gather(tmp_path, "--code-hash", "c0de", environment=told).returncode == 0
    record = json.loads((tmp_path / "all.csv.run.json").read_text())
    assert set(record) == KEYS
    assert record["record"] == files.read_sidecar(tmp_path / "all.csv") and record["record"]["code"] == "c0de"
    assert (record["output"], record["script"]) == ("all.csv", "gather_tables")
    assert (record["config_hash"], record["git_commit"], record["git_dirty"]) == ("c0ffee", commit, True)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", record["started"])
    assert 0 < record["wall_s"] < 600 and 0 < record["cpu_s"] < 600
    assert 20e6 < record["peak_memory_bytes"] < 2e9  # Python with pandas
    assert record["device"] == "cpu" and record["threads"] == 1
    assert record["packages"]["pandas"] and "torch" not in record["packages"]


def test_without_a_workflow_commit_and_configuration_are_unknown(tmp_path):
    told = {"DENSECELL_CONFIG_HASH": "", "DENSECELL_COMMIT": ""}
    assert gather(tmp_path, environment=told).returncode == 0
    record = json.loads((tmp_path / "all.csv.run.json").read_text())
    assert (record["config_hash"], record["git_commit"], record["git_dirty"]) == ("unknown", "unknown", None)


def test_a_failure_to_write_it_fails_no_job(tmp_path):
    (tmp_path / "all.csv.run.json.partial").mkdir()
    done = gather(tmp_path)
    assert done.returncode == 0 and "no run record was written" in done.stderr
    assert files.read_sidecar(tmp_path / "all.csv")["content"] == files.hash_file(tmp_path / "all.csv")
    assert not (tmp_path / "all.csv.run.json").exists()


def test_a_job_that_fails_leaves_none(tmp_path):
    files.write_text(tmp_path / "other.csv", "b\n2\n", {})
    done = gather(tmp_path, "--tables", "part.csv", "other.csv")
    assert done.returncode == 1 and "expected the columns" in done.stderr
    assert not list(tmp_path.glob("*.run.json"))


WRITES_THEN_WAITS = """
import sys, time
sys.path.insert(0, sys.argv[1])
from command_line import run
from densecell import files
def main():
    files.write_text("out.txt", "text", {"parents": {}})
    print("written", flush=True)
    time.sleep(60)
run(main)
"""


def test_a_killed_job_leaves_none(tmp_path):
    command = [sys.executable, "-c", WRITES_THEN_WAITS, str(SCRIPTS)]
    job = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    assert job.stdout.readline() == "written\n"
    job.send_signal(signal.SIGTERM)
    assert job.wait(30) != 0
    assert (tmp_path / "out.txt").exists() and not list(tmp_path.glob("*.run.json"))


def test_a_store_that_was_moved_with_its_folder_gets_its_record_there(tmp_path, monkeypatch):
    monkeypatch.setattr(files, "WRITTEN", [])
    with files.writing(tmp_path / "folder", folder=True) as partial:
        (partial / "x.txt").write_text("x")
        files.write_sidecar(partial / "x.txt", files.hash_file(partial / "x.txt"), {"parents": {}})
    run_record.write("gather_slabs", 1, {"parts": [{"script": "predict_volume"}]})
    record = json.loads((tmp_path / "folder/x.txt.run.json").read_text())
    assert record["output"].endswith("folder/x.txt") and record["parts"] == [{"script": "predict_volume"}]


def test_run_records_are_no_part_of_a_folder_s_content(tmp_path):
    files.write_text(tmp_path / "f/x.txt", "x", {"parents": {}})
    before = files.hash_store(tmp_path / "f"), files.content_id(tmp_path / "f")
    (tmp_path / "f/x.txt.run.json").write_text(str(time.time()))
    assert (files.hash_store(tmp_path / "f"), files.content_id(tmp_path / "f")) == before


def test_writing_an_output_again_takes_its_old_record_away(tmp_path):
    (tmp_path / "x.txt.run.json").write_text("{}")
    files.write_text(tmp_path / "x.txt", "x", {"parents": {}})
    assert not (tmp_path / "x.txt.run.json").exists()


def test_the_packages_it_tells_are_the_pinned_ones():
    lines = (REPO / "requirements.txt").read_text().splitlines()
    pinned = {line.split("==")[0] for line in lines if "==" in line}
    assert set(run_record.DISTRIBUTIONS.values()) <= pinned
    told_by_nobody = {
        "snakemake",
        "snakemake-executor-plugin-slurm",
        "pygments",
        "jsonschema",
        "rocrate",
    }  # of the workflow, not of jobs
    assert pinned - set(run_record.DISTRIBUTIONS.values()) == told_by_nobody


def test_a_package_that_hides_its_version_is_told_as_unknown(monkeypatch):
    monkeypatch.setattr(run_record, "DISTRIBUTIONS", {"json": "no-such-distribution"})
    assert run_record.packages() == {"no-such-distribution": "unknown"}


def test_the_memory_of_the_process_that_started_a_job_is_not_the_job_s(tmp_path):
    block = bytearray(1_000_000_000)
    assert gather(tmp_path).returncode == 0 and len(block)
    assert json.loads((tmp_path / "all.csv.run.json").read_text())["peak_memory_bytes"] < 500e6


@pytest.mark.parametrize("seconds", [0.2])
def test_time_and_memory_grow(seconds):
    before = run_record.usage()
    block = bytearray(50_000_000)
    time.sleep(seconds)
    after = run_record.usage()
    assert after["wall_s"] - before["wall_s"] >= seconds * 0.99 and len(block)
    assert after["peak_memory_bytes"] >= before["peak_memory_bytes"] > 10e6
