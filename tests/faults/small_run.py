"""For tests of faults: the tiny configuration with one experiment and two slabs, its jobs, and ways to disturb them."""

import contextlib
import importlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import psutil
import workflow_runs as runs

RESULTS = "results/small"
PATIENCE_S = 300
COMMAND = re.compile(r"python (\S*workflow/scripts/(\w+)\.py .*) 2>&1 \| tee (\S+)$", re.MULTILINE)
# one output for each stage, in the order in which data flow, with the script that writes it
STAGES = {
    "make_phantom": "phantom/subject1/image.tif",
    "import_volume": "imported/subject1/image.ome.zarr",
    "bin_volume": "binned/subject1/image.ome.zarr",
    "align_volume": "aligned/subject1/image.ome.zarr",
    "align_labels": "aligned/subject1/labels_subject1_truth.ome.zarr",
    "normalize_region": "regions/train/image.ome.zarr",
    "build_weight_map": "weight_maps/square_root/train.ome.zarr",
    "train_network": "models/hybrid/seed1/best.safetensors",
    "rank_networks": "tables/ranking.csv",
    "build_ensemble": "ensembles/hybrid/candidates.json",
    "predict_region": "predictions/test/hybrid",
    "compute_confusion_matrix": "confusion/test/reference/hybrid.csv",
    "compute_metrics": "tables/metrics.csv",
    "compute_volume_fractions": "volume_fractions/test/reference/hybrid.csv",
    "predict_volume": "slabs/subject2/hybrid/1-of-2",
    "gather_slabs": "volumes/subject2/hybrid",
    "export_tiff": "volumes/subject2/hybrid.tif",
    "plot_segmentation": "figures/segmentation_test.png",
    "write_summary": "summary.html",
}
SCRIPT_OF = {"predict_region": "predict_volume"}


def make_project(folder):
    """A copy of the project in `folder` with the configuration small.yaml: every stage of the tiny run, 60 jobs."""
    config = runs.read_config("tests/workflow/tiny.yaml")
    runs.edit(config, "results_dir", RESULTS)
    config["regions"] = [region for region in config["regions"] if region["name"] != "compare"]
    config["experiments"] = config["experiments"][:1]
    config["ensembles"] = config["ensembles"][:1]
    training = {"steps": 40, "evaluate_every_steps": 20, "warmup_steps": 2, "save_every_minutes": 1e-3}
    runs.edit(config, "experiments[0].training", training)
    runs.edit(config, "prediction.slabs", 2)
    runs.copy_project(folder)
    runs.write_config(folder / "small.yaml", config)
    return folder


def arguments(*targets):
    """Arguments of Snakemake for some outputs, given below the folder of the results; all without any."""
    return ["--configfile", "small.yaml", "--", *(f"{RESULTS}/{target}" for target in targets)]


def run(project, *targets, options=()):
    """Run Snakemake to its end; the finished process, its output in `stdout`."""
    return runs.snakemake(project, *options, *arguments(*targets))


def start(project, *targets, cores=2, log="run.log", environment=None):
    """Snakemake in a process group of its own, its output in the file `log` of the project."""
    command = [sys.executable, "-m", "snakemake", "--cores", str(cores), *arguments(*targets)]
    with open(project / log, "ab") as handle:
        return subprocess.Popen(
            command,
            cwd=project,
            env={**runs.environment(), **(environment or {})},
            stdout=handle,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def jobs_of(process, script=""):
    """The scripts (psutil.Process) that run below a process, all or those of one name, their watchdogs left out."""
    found = []
    try:
        children = psutil.Process(process.pid).children(recursive=True)
    except psutil.NoSuchProcess:
        return found
    for child in children:
        try:
            words = child.cmdline()[:2]
        except psutil.Error:
            continue
        name = name_of(words)
        if name and name != "watchdog" and script in ("", name):
            found.append(child)
    return found


def names(jobs):
    """Names of the scripts of those that still run, sorted."""
    found = []
    for job in jobs:
        with contextlib.suppress(psutil.Error):
            found.append(name_of(job.cmdline()[:2]))
    return sorted(filter(None, found))


def name_of(words):
    """Name of the script of a command line (its first words), or nothing."""
    match = re.search(r"(?:^|/)workflow/scripts/(\w+)\.py$", words[1]) if len(words) > 1 else None
    return match[1] if match and "python" in words[0] else ""


def wait_for(condition, process=None, patience_s=PATIENCE_S):
    """Wait until `condition()` is true and return its value; the value, perhaps false, when `process` has ended before."""
    deadline = time.monotonic() + patience_s
    while not (value := condition()):
        assert time.monotonic() < deadline, "waited too long"
        if process and process.poll() is not None:
            return condition()
        time.sleep(0.01)
    return value


def wait_for_end(processes, patience_s=PATIENCE_S):
    """Wait until these have ended, and assert that they have."""
    _, alive = psutil.wait_procs(processes, patience_s)
    assert not alive, [p.cmdline()[:2] for p in alive]


def kill(process, jobs, how):
    """kill -9: "run": Snakemake alone, whose jobs then end by themselves; "job": the jobs alone, at which Snakemake ends;
    "group": all at once."""
    if how == "run":
        process.kill()
    elif how == "group":
        os.killpg(process.pid, signal.SIGKILL)
    else:
        for job in jobs:
            with contextlib.suppress(psutil.NoSuchProcess):
                job.kill()
    process.wait(PATIENCE_S)
    wait_for_end(jobs)


def unlock(project):
    """What a user does after a kill."""
    done = runs.snakemake(project, "--configfile", "small.yaml", "--unlock")
    assert done.returncode == 0, done.stdout


def commands(project):
    """[(rule, script, arguments)] of every job of the configuration, as Snakemake would run them."""
    code, output = runs.dry_run_output(project, "--forceall", "--configfile", "small.yaml")
    assert code == 0, output
    return [
        (log.split("/logs/")[1].split("/")[0].removesuffix(".log"), script, shlex.split(command)[1:])
        for command, script, log in COMMAND.findall(output)
    ]


def remove(path):
    """Delete a file or folder if it exists."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run_by_hand(script, words):
    """Call a script's main() with the arguments of its command; its error if it refuses."""
    module = importlib.import_module(script)
    try:
        module.main(words)
    except (ValueError, OSError) as error:  # what command_line.run tells in words
        return error
    return None
