"""What a run took, from its run records, beside what was planned."""

import pytest

from densecell import costs


def record(script, started, wall_s=10.0, output="results/x", parts=None, cpu_s=5.0, memory=100):
    facts = {"script": script, "started": f"2026-11-21T{started}Z", "host": "h", "output": output}
    measured = {"wall_s": wall_s, "cpu_s": cpu_s, "peak_memory_bytes": memory}
    return {**facts, **measured, **({"parts": parts} if parts else {})}


def relative(path):
    return path.removeprefix("results/") if path.startswith("results/") else None


def plan_of(step, outputs, wall_s=20.0, **changes):
    facts = {"stage": "training", "step": step, "wall_s": wall_s, "start_s": 2, "work_s": 18, "outputs": outputs}
    return {**facts, "memory_bytes": 50, "disk_bytes": 7, **changes}


def test_outputs_of_one_process_are_one_job():
    records = {
        "models/a/best": record("train", "10:00:00"),
        "models/a/last": record("train", "10:00:00"),
        "models/b/best": record("train", "10:00:00", cpu_s=5.1),  # began in the same second
    }
    first, second = costs.jobs_of(records, relative)
    assert first["outputs"] == ["models/a/best", "models/a/last"] and second["outputs"] == ["models/b/best"]


def test_parts_of_a_gathered_output_are_jobs_too():
    parts = [record("predict", "09:00:00", output=f"results/slabs/{i}-of-2/labels", cpu_s=i) for i in (1, 2)]
    jobs = costs.jobs_of({"volumes/v/labels": record("gather", "09:30:00", parts=parts)}, relative)
    assert [job["step"] for job in jobs] == ["gather", "predict", "predict"]
    assert jobs[2]["outputs"] == ["slabs/2-of-2/labels"]


def test_a_job_is_matched_by_its_output_or_the_folder_that_was_planned():
    plan = {"p": plan_of("predict", ["predictions/eval/unet"]), "t": plan_of("train", ["models/a/best"])}
    records = {
        "predictions/eval/unet/top1": record("predict", "10:00:00"),
        "models/a/best": record("train", "11:00:00"),
        "models/a/best_of_all": record("train", "12:00:00"),  # begins alike, but is another file
    }
    jobs = costs.match(costs.jobs_of(records, relative), plan)
    assert [job["planned"] for job in jobs] == [plan["p"], plan["t"], None]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([("10:00:00", 10)], 10),
        ([("10:00:00", 10), ("10:00:05", 10)], 15),  # side by side for 5 s
        ([("10:00:00", 10), ("10:00:02", 3)], 10),  # one within the other
        ([("10:00:20", 5), ("10:00:00", 10)], 15),  # a pause between two runs
        ([], 0),
    ],
)
def test_elapsed_time_counts_no_second_twice_and_no_pause(spans, expected):
    jobs = [{"started": f"2026-11-21T{start}Z", "wall_s": wall} for start, wall in spans]
    assert costs.elapsed_s(jobs) == expected


def test_only_jobs_with_a_plan_and_a_measurement_are_compared():
    plan = {
        "a": plan_of("train", ["a"]),
        "b": plan_of("train", ["b"]),  # has not run
        "c": plan_of("train", ["c"], wall_s=None, work_s=None),  # no time was known for it
    }
    records = {
        "a": record("train", "10:00:00", 30),
        "c": record("train", "10:00:30", 5),
        "d": record("train", "10:01:00", 1),
    }
    row, whole = costs.table(costs.jobs_of(records, relative), plan, "cpu", {"a": 3, "d": 4})
    assert (row["jobs_planned"], row["jobs_measured"], row["jobs_compared"]) == (3, 3, 1)
    assert (row["planned_s"], row["measured_s"], row["longest_s"], row["elapsed_s"]) == (20, 36, 30, 36)
    assert (row["reference_start_s"], row["reference_work_s"], row["compared_s"]) == (4, 18, 35)
    assert row["measured_to_planned"] == 30 / 20  # neither c, of which no time was planned, nor d
    assert (row["planned_disk_bytes"], row["disk_bytes"], row["memory_bytes"], row["cpu_s"]) == (21, 7, 100, 15)
    assert set(row) == set(costs.COLUMNS) and whole["step"] == "all" and whole["measured_s"] == 36


def test_steps_come_in_the_order_in_which_they_ran_then_those_that_did_not():
    plan = {"p": plan_of("plot", ["p"], stage="figures"), "b": plan_of("bin", ["b"], stage="preprocessing")}
    records = {"t": record("train", "12:00:00"), "b": record("bin", "10:00:00")}
    rows = costs.table(costs.jobs_of(records, relative), plan, "cpu", {})
    assert [row["step"] for row in rows] == ["bin", "train", "plot", "all"]
    assert {stage: len(members) for stage, members in costs.by_stage(rows).items()} == {
        "preprocessing": 1,
        "": 1,
        "figures": 1,
    }


def test_without_records_and_plan_there_is_only_the_row_of_all():
    (whole,) = costs.table([], {}, "", {})
    assert whole["jobs_measured"] == whole["elapsed_s"] == 0
    assert whole["planned_disk_bytes"] is None and whole["measured_to_planned"] is None
