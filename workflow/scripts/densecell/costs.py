"""What a run took beside what was planned: one row for each step, from the run records and the plan that is kept with them.

A job is one process. Its record tells its own time only: what an interrupted attempt took before a resumed one is not known.
"""

import datetime
from pathlib import PurePosixPath

MEASURED = ("wall_s", "cpu_s", "peak_memory_bytes")
COLUMNS = (
    "stage",
    "step",
    "device",
    "jobs_planned",
    "jobs_measured",
    "jobs_compared",
    "planned_s",
    "compared_s",
    "measured_to_planned",
    "reference_start_s",
    "reference_work_s",
    "measured_s",
    "elapsed_s",
    "longest_s",
    "cpu_s",
    "planned_memory_bytes",
    "memory_bytes",
    "planned_disk_bytes",
    "disk_bytes",
)


def process_of(facts):
    """What tells one process from another, of the facts of a run record: equal for all outputs of a process."""
    return (facts["script"], facts["started"], facts["host"], *(facts[name] for name in MEASURED))


def jobs_of(records, relative):
    """The processes behind run records: {step, started, wall_s, cpu_s, peak_memory_bytes, outputs}.

    records: {path within the results: run record}; relative: function that brings the path a record names to one within the
    results, or None. All outputs of a process tell the same of it; of what was gathered, the parts are jobs too.
    """
    found = {}
    for path, record in records.items():
        parts = [(relative(part["output"]), part) for part in record.get("parts") or []]
        for output, facts in [(path, record), *parts]:
            job = found.setdefault(
                process_of(facts), {"step": facts["script"], "started": facts["started"], "outputs": []}
            )
            job.update({name: facts[name] for name in MEASURED})
            job["outputs"].append(output or facts["output"])
    return list(found.values())


def match(jobs, plan):
    """Put the planned job, or None, into each job as "planned": the one of which an output, or a folder around it, is the job's."""
    owners = {output: planned for planned in plan.values() for output in planned["outputs"]}
    for job in jobs:
        places = [str(p) for output in job["outputs"] for p in (output, *PurePosixPath(output).parents)]
        job["planned"] = next((owners[place] for place in places if place in owners), None)
    return jobs


def elapsed_s(jobs):
    """Seconds in which at least one of the jobs ran: jobs side by side count once, pauses between two runs not at all."""
    spans = []
    for job in jobs:
        start = datetime.datetime.fromisoformat(job["started"]).timestamp()
        spans.append((start, start + job["wall_s"]))
    total, end = 0.0, float("-inf")
    for start, stop in sorted(spans):
        total += max(0.0, stop - max(start, end))
        end = max(end, stop)
    return total


def known_sum(values):
    """The sum of the values that are not None; None if all are."""
    known = [value for value in values if value is not None]
    return sum(known) if known else None


def row(stage, step, device, jobs, planned, disk_bytes):
    """One row, as in COLUMNS. jobs: of the step, matched; planned: its planned jobs; disk_bytes: of its outputs."""
    compared = [job for job in jobs if job["planned"] and job["planned"]["wall_s"] is not None]
    expected = [job["planned"] for job in jobs if job["planned"]]
    planned_s = sum(job["planned"]["wall_s"] for job in compared)
    memory = [p["memory_bytes"] for p in planned if p["memory_bytes"] is not None]
    return {
        "stage": stage,
        "step": step,
        "device": device,
        "jobs_planned": len(planned),
        "jobs_measured": len(jobs),
        "jobs_compared": len(compared),
        "planned_s": planned_s,
        "compared_s": sum(job["wall_s"] for job in jobs if job["planned"]),
        "measured_to_planned": sum(job["wall_s"] for job in compared) / planned_s if planned_s else None,
        "reference_start_s": sum(p["start_s"] for p in expected),
        "reference_work_s": sum(p["work_s"] or 0 for p in expected),
        "measured_s": sum(job["wall_s"] for job in jobs),
        "elapsed_s": elapsed_s(jobs),
        "longest_s": max((job["wall_s"] for job in jobs), default=0),
        "cpu_s": sum(job["cpu_s"] for job in jobs),
        "planned_memory_bytes": max(memory, default=None),
        "memory_bytes": max((job["peak_memory_bytes"] for job in jobs), default=0),
        "planned_disk_bytes": known_sum(p["disk_bytes"] for p in planned),
        "disk_bytes": disk_bytes,
    }


def table(jobs, plan, device, sizes):
    """Rows of all steps in the order in which they first ran, then one of all together.

    jobs: of `jobs_of`; plan: {name: planned job}; sizes: {output: bytes on the disk}.
    """
    match(jobs, plan)
    steps = list(dict.fromkeys(job["step"] for job in sorted(jobs, key=lambda job: job["started"])))
    steps += [step for step in dict.fromkeys(p["step"] for p in plan.values()) if step not in steps]
    stages = {planned["step"]: planned["stage"] for planned in reversed(plan.values())}
    rows = []
    for step in [*steps, "all"]:
        mine = [job for job in jobs if step in ("all", job["step"])]
        planned = [p for p in plan.values() if step in ("all", p["step"])]
        n_bytes = sum(sizes.get(output, 0) for job in mine for output in job["outputs"])
        rows.append(row("all" if step == "all" else stages.get(step, ""), step, device, mine, planned, n_bytes))
    return rows


def by_stage(rows):
    """{stage: its rows}, without the row of all together; steps that no plan knows under ""."""
    found = {}
    for record in rows:
        if record["step"] != "all":
            found.setdefault(record["stage"], []).append(record)
    return found
