"""The jobs of a run before it starts: what they will take, told after the dry run and kept as run/plan.run.json.

Times are the rates of plan_jobs.py, or what jobs of the same step took on this machine: `compare_costs` writes the costs of
a run beside its plan into run/costs.run.csv, and the plan of the next run, of any configuration, learns from that.
"""

import csv
import glob
import json
import logging
import os
import re
import shutil

import plan
import plan_jobs
from plan_text import digits, duration, plural, size

SCRIPT = re.compile(r"/(\w+)\.py\b")
CLUSTER = "a cluster as fast as it starts them"
COLUMNS = ("stage", "jobs", "time of all jobs", "longest job", "memory of one job", "disk")


# -------------------------------------------------------------------------------------------- what was measured here
def measured_here(results_dir, on_gpu):
    """{step: {reference_start_s, reference_work_s, wall_s, folders}} of runs beside `results_dir`, on the same device."""
    parent, found = os.path.dirname(os.path.abspath(results_dir)), {}
    folders = [parent, *glob.glob(os.path.join(glob.escape(parent), "*")), results_dir, *glob.glob(f"{results_dir}/*")]
    tables = {os.path.realpath(os.path.join(folder, "run", "costs.run.csv")) for folder in folders}
    for path in sorted(p for p in tables if os.path.exists(p)):
        try:
            rows = list(_measured_rows(path, "gpu" if on_gpu else "cpu"))
        except (OSError, ValueError, KeyError, TypeError, csv.Error):
            continue  # somebody else's file, or one of another version
        for name, *seconds in rows:
            step = found.setdefault(name, {"start": 0, "work": 0, "wall": 0, "folders": []})
            for key, value in zip(("start", "work", "wall"), seconds):
                step[key] += value
            step["folders"].append(os.path.basename(os.path.dirname(os.path.dirname(path))))
    return found


def _measured_rows(path, device):
    """(step, seconds of start, work and wall) of the rows of a device."""
    with open(path, newline="", encoding="utf-8") as handle:
        for row in csv.DictReader(handle):
            if row["device"] == device:
                columns = ("reference_start_s", "reference_work_s", "compared_s")
                yield row["step"], *(float(row[column] or 0) for column in columns)


def corrected(estimate, here):
    """(seconds, source) of a job: its estimate times what jobs of its step took here over their estimates. Jobs that did
    little but start say nothing of the rate: they correct the start only."""
    start, work, source = estimate["start_s"], estimate["work_s"], estimate["source"]
    if not here or not here["start"]:
        return (None if work is None else start + work), source
    where = f"measured here ({', '.join(sorted(set(here['folders'])))})"
    n_jobs = here["start"] / start
    if work is None:
        return here["wall"] / n_jobs, where
    if here["work"] < here["start"]:
        ours = max(0.0, here["wall"] - here["work"]) / n_jobs
        return ours + work, where if work < start else source
    return (start + work) * here["wall"] / (here["start"] + here["work"]), where


# ---------------------------------------------------------------------------------------------------------- all jobs
def facts_of(job, results_dir):
    """(rule, name, script, stage) of a job of Snakemake: the name of its log, the script it runs, the file of its rule; None
    for a job of another workflow, which uses densecell as a module, and for one that runs nothing."""
    if not job.log or not job.rule.shellcmd:
        return None
    name = os.path.relpath(str(job.log[0]), os.path.join(results_dir, "logs")).removesuffix(".log")
    if name.startswith(os.pardir):
        return None
    script = SCRIPT.search(job.rule.shellcmd)
    stage = os.path.basename(str(job.rule.snakefile)).removesuffix(".smk")
    return (name.split("/")[0], name, script[1], stage) if script else None


def planned(jobs, config, on_gpu):
    """{name: facts and costs} of Snakemake's jobs."""
    results, found = config["results_dir"], {}
    estimates, here = plan_jobs.Jobs(plan.Costs(config), on_gpu), measured_here(results, on_gpu)
    for job in jobs:
        facts = facts_of(job, results)
        if facts is None or facts[2] == "compare_costs":
            continue
        rule, name, script, stage = facts
        wildcards = dict(job.wildcards_dict)
        estimate = estimates.estimate(script, rule, wildcards, job.threads)
        seconds, source = corrected(estimate, here.get(script))
        uses_gpu = bool(on_gpu and job.resources.get("gpu"))
        more = {"stage": stage, "step": script, "rule": rule, "threads": job.threads, "gpu": uses_gpu}
        outputs = [os.path.relpath(str(path), results) for path in job.output]
        found[name] = {**more, "wall_s": seconds, **estimate, "source": source, "outputs": outputs}
    return found


def n_cores(workflow):
    """The processors of a run, those of --cores; None on a cluster. In a dry run Snakemake (9.27) puts an executor and --cores 1 of
    its own in place of what was asked for; that it was no local executor then shows in `use_threads` alone."""
    elsewhere = workflow.non_local_exec or workflow.execution_settings.use_threads
    return None if elsewhere else workflow.resource_settings.cores


def needed(workflow):
    """The jobs that would run, in the order in which their rules are told."""
    order = {rule: i for i, rule in enumerate(workflow.rules)}
    return sorted(workflow.dag.needrun_jobs(), key=lambda job: (order.get(job.rule, len(order)), str(job.log)))


def keep(workflow, config, on_gpu, logger):
    """Write the plan of a run that starts into run/plan.run.json; jobs of former runs stay, so that it covers all results.

    Nothing depends on it: what goes wrong is told and stops no run.
    """
    path = os.path.join(config["results_dir"], "run", "plan.run.json")
    try:
        plan = {"device": "gpu" if on_gpu else "cpu", "cores": n_cores(workflow)}
        plan["jobs"] = kept_jobs(path) | planned(needed(workflow), config, on_gpu)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path + ".partial", "w") as handle:
            json.dump(plan, handle, indent=1)
        os.replace(path + ".partial", path)
    except Exception as error:
        logger.warning(f"densecell: the plan of this run was not kept ({type(error).__name__}: {error}).")


def kept_jobs(path):
    """{name: planned job} of a kept plan; nothing without one."""
    try:
        with open(path) as handle:
            return json.load(handle)["jobs"]
    except (OSError, ValueError, KeyError):
        return {}


# ------------------------------------------------------------------------------------------------------------- words
def total(jobs, key):
    """(sum of what is known or None, number of jobs of which it is not)."""
    known = [job[key] for job in jobs if job[key] is not None]
    return (sum(known) if known else None), len(jobs) - len(known)


def elapsed_s(jobs, cores):
    """Seconds from start to end at the best: all cores busy, one GPU job at a time, no job longer than the whole."""
    known = [job for job in jobs if job["wall_s"] is not None]
    busy = sum(job["wall_s"] * min(job["threads"], cores) for job in known) / max(1, cores)
    on_gpu = sum(job["wall_s"] for job in known if job["gpu"])
    return max([busy, on_gpu, *(job["wall_s"] for job in known)], default=0)


def times(jobs, cores):
    """The time of all jobs in words; cores: as of `n_cores`."""
    seconds, _ = total(jobs, "wall_s")
    least = f"{plural(cores, 'core')} {duration(elapsed_s(jobs, cores))} or more" if cores else ""
    return f"{plural(len(jobs), 'job')}, {duration(seconds)} one after the other; on {least or CLUSTER}."


def gpu_hours(jobs):
    """The time of the jobs that ask for a GPU, in words."""
    asking = [job for job in jobs if job["gpu"]]
    seconds, _ = total(asking, "wall_s")
    known = "not known" if seconds is None else digits(seconds / 3600)
    return f"GPU-hours: {known if asking else 'none of these jobs asks for a GPU'}."


def largest(jobs, key):
    return max((job[key] for job in jobs if job[key] is not None), default=None)


def stage_rows(jobs):
    """One row of texts for each stage, as in COLUMNS."""
    stages = {}
    for job in jobs.values():
        stages.setdefault(job["stage"], []).append(job)
    for stage, members in stages.items():
        (seconds, unknown), (disk, _) = total(members, "wall_s"), total(members, "disk_bytes")
        time = duration(seconds) + (f" + {unknown} not known" if unknown and seconds is not None else "")
        cells = (str(len(members)), time, duration(largest(members, "wall_s")), size(largest(members, "memory_bytes")))
        yield (stage, *cells, size(disk) if disk else "-")


def free_bytes(folder):
    """Free space where `folder` is or will be."""
    folder = os.path.abspath(folder)
    while not os.path.exists(folder):
        folder = os.path.dirname(folder)
    return shutil.disk_usage(folder).free


def text(jobs, config, cores, free):
    """What the jobs that would run will take, in words; nothing without a job. cores: as of `n_cores`."""
    if not jobs:
        return ""
    every = list(jobs.values())
    cells = [COLUMNS, *stage_rows(jobs)]
    widths = [max(map(len, column)) for column in zip(*cells)]
    lines = ["What the jobs above will take (estimates)"]
    for row in cells:
        texts = [c.ljust(w) if i == 0 else c.rjust(w) for i, (c, w) in enumerate(zip(row, widths))]
        lines.append("  " + "  ".join(texts))
    lines += [f"  {times(every, cores)}", f"  {gpu_hours(every)}"]
    disk, _ = total(every, "disk_bytes")
    if disk is not None:
        lines.append(f"  Disk: {size(disk)} at most, before compression; {size(free)} free in {config['results_dir']}.")
        if disk > free:
            lines.append("  WARNING: that may not fit. Free some space or set results_dir to a larger disk.")
    unknown = [job["step"] for job in every if job["wall_s"] is None]
    if unknown:
        lines.append(f"  No time is known for {plural(len(unknown), 'job')}: {', '.join(sorted(set(unknown)))}.")
    lines.append("  Memory: a training is counted without the activations of its windows; a prediction is as large as")
    lines.append("    prediction.memory_gb allows (auto: a share of the machine's memory).")
    return "\n".join(lines + list(sources(every))) + "\n"


def sources(jobs):
    """Which rates are behind the times, by what they cover."""
    found = {}
    for job in jobs:
        if job["wall_s"] is not None:
            origin = "docs/benchmarks.md" if job["source"].startswith("docs/") else job["source"]
            found[origin] = found.get(origin, 0) + job["wall_s"]
    everything = sum(found.values()) or 1
    for origin, seconds in sorted(found.items(), key=lambda pair: -pair[1]):
        other = ", another machine's" if origin.startswith("docs/") else ""
        yield f"  Rates: {origin}{other}: {100 * seconds / everything:.0f} % of the time."


class AfterStatistics(logging.Handler):
    """Tells the costs of the jobs once Snakemake knows them: its table of jobs is a log message of its own, at the
    start and, if it lists the jobs, at the end of a dry run."""

    def __init__(self, workflow, config, on_gpu, logger):
        super().__init__()
        self.workflow, self.config, self.on_gpu, self.logger, self.jobs = workflow, config, on_gpu, logger, None

    def emit(self, record):
        if getattr(getattr(record, "event", None), "name", None) != "RUN_INFO":
            return
        quiet = {kind.name for kind in self.workflow.output_settings.quiet or ()}
        first = self.jobs is None
        if first:
            self.jobs = planned(needed(self.workflow), self.config, self.on_gpu)
        if not first or quiet == {"RULES", "PROGRESS"}:
            results = self.config["results_dir"]
            self.logger.info(text(self.jobs, self.config, n_cores(self.workflow), free_bytes(results)))
