"""The table and the page of what a run took."""

import csv
import json

import pytest
import run_results

import compare_costs
from densecell import files


def compare(folder):
    table, page = folder / "run/costs.run.csv", folder / "run/costs.run.html"
    compare_costs.main(["--results", str(folder), "--table", str(table), "--page", str(page)])
    with open(table, newline="") as handle:
        return {row["step"]: row for row in csv.DictReader(handle)}, page.read_text()


def planned(step, outputs, wall_s):
    facts = {"stage": "preprocessing", "step": step, "rule": step, "threads": 1, "gpu": False, "wall_s": wall_s}
    return {**facts, "start_s": 1, "work_s": wall_s - 1, "memory_bytes": 2e8, "disk_bytes": 10, "outputs": outputs}


@pytest.fixture
def folder(tmp_path):
    folder = run_results.small_run(tmp_path)
    jobs = {
        "import_volume/s1": planned("import_volume", ["imported/s1/image.ome.zarr"], 9),
        "align_volume/s1": planned("align_volume", ["aligned/s1/image.ome.zarr", "aligned/s1/shifts.csv"], 3),
        "bin_volume/s1": planned("bin_volume", ["binned/s1/image.ome.zarr"], 3),
    }
    (folder / "run/plan.run.json").write_text(json.dumps({"device": "cpu", "cores": 2, "jobs": jobs}))
    return folder


def test_planned_and_measured_of_each_step(folder):
    rows, page = compare(folder)
    assert (rows["import_volume"]["planned_s"], rows["import_volume"]["measured_s"]) == ("9", "4.5")
    assert rows["import_volume"]["measured_to_planned"] == "0.5" and "<td>0.5</td>" in page
    assert (rows["align_volume"]["jobs_measured"], rows["align_volume"]["jobs_compared"]) == ("1", "1")
    assert rows["bin_volume"]["jobs_measured"] == "0" and rows["plot_ranking"]["jobs_planned"] == "0"
    size = len("imported/s1/image.ome.zarr")  # what the store's only file holds
    assert rows["import_volume"]["disk_bytes"] == str(size) and rows["import_volume"]["device"] == "cpu"
    assert (rows["all"]["measured_s"], rows["all"]["elapsed_s"]) == ("18.0", "18.0")
    assert (
        "4 jobs took 18 s" in page and "12 s for the 2 of them" in page and "0 of 1" in page and "not planned" in page
    )


def test_without_a_plan_everything_is_measured_only(folder):
    (folder / "run/plan.run.json").write_text("{")
    rows, page = compare(folder)
    assert {row["jobs_compared"] for row in rows.values()} == {"0"} and "The plan gave" not in page
    assert {row["measured_to_planned"] for row in rows.values()} == {""} and "<td>?</td>" in page


def test_a_job_of_which_no_time_was_planned_is_left_out_of_the_ratio(folder):
    kept = json.loads((folder / "run/plan.run.json").read_text())
    kept["jobs"]["align_volume/s1"] |= {"wall_s": None, "work_s": None}
    (folder / "run/plan.run.json").write_text(json.dumps(kept))
    rows, _ = compare(folder)
    assert (rows["all"]["jobs_compared"], rows["all"]["compared_s"], rows["all"]["planned_s"]) == ("1", "9.0", "9")
    assert rows["all"]["measured_to_planned"] == "0.5" and rows["align_volume"]["measured_to_planned"] == ""


def test_what_holds_times_has_no_sidecar_and_says_so_in_its_name(folder):
    compare(folder)
    assert not [path for path in (folder / "run").glob("costs*") if ".run." not in path.name]
    assert not files.sidecar_path(folder / "run/costs.run.csv").exists()


def test_words():
    assert [compare_costs.duration(s) for s in (0.5, 119, 150, 9000, 200000)] == [
        "0.5 s",
        "120 s",
        "2.5 min",
        "2.5 h",
        "2.3 days",
    ]
    assert [compare_costs.digits(x) for x in (0.0042, 1.234, 250, 12345)] == ["0.0042", "1.2", "250", "12,000"]
    assert [compare_costs.size(n) for n in (None, 10, 2.5e6, 3e9, 4e12)] == ["?", "0 kB", "2.5 MB", "3 GB", "4 TB"]
