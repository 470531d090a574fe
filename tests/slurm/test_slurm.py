"""The shipped profile on a real Slurm: GPU jobs side by side, jobs that are cancelled, killed and orphaned, equal results."""

import os
import re
import subprocess
import sys
import time
from types import SimpleNamespace

import one_node
import psutil
import pytest
import workflow_runs as runs
import yaml

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(bool(one_node.missing_programs()), reason=f"not installed: {one_node.missing_programs()}"),
]

STEPS, TIMEOUT_S = 120, 900
GPU_RULES = ("train_network", "predict_region", "predict_volume")
DOCUMENTED = re.compile(r"<!-- restart -->\s*```\n(.*?)```", re.DOTALL)
SHOWN = (
    "./run.sh --workflow-profile profiles/slurm --configfile config/mine.yaml"  # run.sh installs, then calls snakemake
)
OURS = ("--workflow-profile", "profile", "--configfile", "small.yaml")
RUN_FILES = re.compile(r"/(logs|benchmarks|run|restart)/|\.run\.")  # times and hosts, which differ from run to run


def small_config():
    """The tiny configuration with one subject and one experiment of two seeds, which train long enough to be cut off."""
    config = runs.read_config("tests/workflow/tiny.yaml")
    keep = {"phantom": "subject1", "volumes": "subject1", "labels": "subject1_truth"}
    keep |= {"experiments": "hybrid", "ensembles": "hybrid"}
    for key, name in keep.items():
        config[key] = [record for record in config[key] if record["name"] == name]
    boxes = {"train": {"y": [0, 56]}, "eval": {"y": [60, 112], "z": [0, 5]}, "test": {"y": [60, 112], "z": [5, 10]}}
    common = {"volume": "subject1", "labels": {"reference": "subject1_truth"}}
    config["regions"] = [{"name": name, "role": name, **common, **box} for name, box in boxes.items()]
    training = {"steps": STEPS, "evaluate_every_steps": 30, "warmup_steps": 2, "save_every_minutes": 1e-3}
    runs.edit(config, "experiments[0].training", training)
    runs.edit(config, "prediction.full_volumes[0].volume", "subject1")
    config["instances"] = []
    config["device"] = "cpu"  # the GPUs of the test's cluster don't compute
    config["prediction"]["memory_gb"] = 1  # auto would follow from the memory of the job, and tiles from that
    return config


def write_profile(folder):
    """The shipped profile with what a cluster of two processors needs: its partition, little memory, quick looks at the
    queue. With device: cpu no job asks for a GPU, so the profile asks for those that would have."""
    profile = yaml.safe_load((runs.REPO / "profiles/slurm/config.yaml").read_text())
    profile["default-resources"] = {"slurm_partition": "test", "mem_mb": "400 * attempt", "runtime": 10}
    warned = profile["set-resources"]["train_network"]["slurm_extra"]
    profile["set-resources"] = {rule: {"gpu": 1} for rule in GPU_RULES}
    profile["set-resources"]["train_network"]["slurm_extra"] = warned
    profile |= {"slurm-init-seconds-before-status-checks": 2, "latency-wait": 10, "slurm-keep-successful-logs": True}
    (folder / "profile").mkdir()
    (folder / "profile/config.yaml").write_text(yaml.safe_dump(profile))


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = runs.copy_project(tmp_path_factory.mktemp("cluster"))
    runs.write_config(folder / "small.yaml", small_config())
    write_profile(folder)
    return folder


@pytest.fixture(scope="module")
def slurm():
    with one_node.one_node() as cluster:
        yield cluster


class Coordinator:
    """Snakemake in a project on a cluster, in a process of its own, its output in a file."""

    def __init__(self, folder, slurm, name):
        self.output = folder / f"{name}.out"
        environment = {**runs.environment(), **slurm.environment}
        environment["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), slurm.environment["PATH"]])
        command = [sys.executable, "-m", "snakemake", *OURS]
        with open(self.output, "w") as out:
            self.process = subprocess.Popen(command, cwd=folder, env=environment, stdout=out, stderr=subprocess.STDOUT)

    def wait_for(self, condition, what):
        """The value of a condition once it holds, while Snakemake runs."""
        deadline = time.monotonic() + TIMEOUT_S
        while not (value := condition()):
            assert self.process.poll() is None, f"Snakemake ended before {what}:\n{self.output.read_text()[-6000:]}"
            assert time.monotonic() < deadline, f"waited too long for {what}:\n{self.output.read_text()[-6000:]}"
            time.sleep(0.1)
        return value

    def finish(self):
        """Its exit code."""
        return self.process.wait(TIMEOUT_S)


def trainings(slurm, seed, *states):
    """The jobs that train this seed, in these states (any without), in the order of their submission."""
    found = [job for job in slurm.jobs() if job.get("Comment") == f"rule_train_network_wildcards_hybrid_{seed}"]
    return [job for job in found if not states or job["JobState"] in states]


def restart_file(project, seed):
    return project / f"results/tiny/restart/hybrid/seed{seed}.pt"


def training_process(project, seed):
    """The Python that trains this seed in the project."""
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        is_ours = process.info["cwd"] == str(project) and words[1:2] and words[1].endswith("train_network.py")
        if is_ours and words[words.index("--seed") + 1] == str(seed):
            return process
    return None


@pytest.fixture(scope="module")
def story(project, slurm):
    """One run through it all: two trainings at once, one cancelled, one out of time, then warned of it; then Snakemake dies."""
    first = Coordinator(project, slurm, "first")
    try:
        side_by_side = interrupt_trainings(first, project, slurm)
        warn_training(first, project, slurm)
        training = train_on(first, project, slurm)
    finally:
        first.process.kill()
        first.process.wait()
    outlived = training.is_running() and bool(trainings(slurm, 2, "RUNNING"))
    steps = follow_the_documentation(project, slurm)
    return SimpleNamespace(side_by_side=side_by_side, outlived=outlived, steps=steps)


def interrupt_trainings(first, project, slurm):
    """Wait for two trainings at once, cancel the first and let the second run out of time; their jobs while both ran."""

    def both():
        jobs = [job for seed in (1, 2) for job in trainings(slurm, seed, "RUNNING")]
        return jobs if len(jobs) == 2 else None

    jobs = first.wait_for(both, "two trainings at once")
    for seed in (1, 2):
        first.wait_for(restart_file(project, seed).exists, f"a restart state of seed {seed}")
    # Slurm looks at time limits every half minute: until then the training may not end. It is continued before it is asked to stop
    training_process(project, 2).suspend()
    slurm.run("scontrol", "update", f"JobId={jobs[1]['JobId']}", "EndTime=now")
    slurm.run("scancel", jobs[0]["JobId"])
    first.wait_for(lambda: trainings(slurm, 1, "CANCELLED"), "the end of the cancelled job")
    first.wait_for(lambda: trainings(slurm, 2, "TIMEOUT"), "the end of the job that is out of time")
    return jobs


def warn_training(first, project, slurm):
    """Let the second attempt of the second training be asked to stop before its time is over, and wait until it did."""
    train_on(first, project, slurm).suspend()  # as above: Slurm continues it when it asks
    (job,) = trainings(slurm, 2, "RUNNING")
    slurm.run("scontrol", "update", f"JobId={job['JobId']}", "EndTime=now+110seconds")
    first.wait_for(lambda: trainings(slurm, 2, "FAILED"), "the end of the training that was asked to stop")


def train_on(first, project, slurm):
    """Wait until the next attempt of the second training has saved a state; its process."""
    first.wait_for(lambda: trainings(slurm, 2, "RUNNING"), "the next attempt of the second training")
    process = first.wait_for(lambda: training_process(project, 2), "its process")
    file = restart_file(project, 2)
    saved = file.stat().st_mtime_ns
    first.wait_for(lambda: file.exists() and file.stat().st_mtime_ns > saved, "a restart state of the next attempt")
    return process


def follow_the_documentation(project, slurm):
    """Carry out what docs/cluster.md says to do after Snakemake has died: [(command, exit code, output)]."""
    text = (runs.REPO / "docs/cluster.md").read_text()
    steps, names = [], {}
    environment = {**runs.environment(), **slurm.environment}
    environment["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), slurm.environment["PATH"]])
    for line in DOCUMENTED.search(text)[1].splitlines():
        command = line.split("  #")[0].strip().replace(SHOWN, " ".join(("snakemake", *OURS)))
        for name, value in names.items():
            command = command.replace(name, value)
        while True:
            streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
            done = subprocess.run(
                command, shell=True, cwd=project, env=environment, check=False, timeout=TIMEOUT_S, **streams
            )
            if not (command.startswith("squeue") and len(done.stdout.splitlines()) > 1):
                break
            time.sleep(1)
        steps.append((command, done.returncode, done.stdout))
        if "run ID" in done.stdout and not names:
            names["RUN_ID"] = re.findall(r"SLURM run ID: (\S+)", done.stdout)[-1]
    return steps


def slurm_log(project, job):
    (path,) = (project / ".snakemake/slurm_logs").rglob(f"{job['JobId']}.log")
    return path.read_text()


def resumed_at(project, job):
    """The step at which a job's training went on."""
    return int(re.search(r"resuming at step (\d+)", slurm_log(project, job))[1])


def test_two_gpu_jobs_run_at_once_on_two_gpus(story):
    assert {re.search(r"gpu:1\(IDX:(\d)\)", job["GRES"])[1] for job in story.side_by_side} == {"0", "1"}


def test_a_cancelled_training_comes_back_and_resumes(story, project, slurm):
    cancelled, *later = trainings(slurm, 1)
    assert cancelled["JobState"] == "CANCELLED" and later[-1]["JobState"] == "COMPLETED"
    assert 0 < resumed_at(project, later[0]) < STEPS


def test_a_training_out_of_time_comes_back_and_resumes(story, project, slurm):
    killed, after, *_ = trainings(slurm, 2)
    assert killed["JobState"] == "TIMEOUT"
    assert 0 < resumed_at(project, after) < STEPS


def test_a_training_saves_when_slurm_warns_of_its_end(story, project, slurm):
    _, warned, after, *_ = trainings(slurm, 2)
    assert warned["JobState"] == "FAILED"
    stopped = re.search(r"terminated at step (\d+)", slurm_log(project, warned))[1]
    assert resumed_at(project, after) == int(stopped)


def test_after_the_death_of_snakemake_the_documented_steps_finish_the_run(story, project, slurm):
    assert story.outlived
    assert [code for _, code, _ in story.steps] == [0] * len(story.steps), story.steps[-1][2][-6000:]
    last = trainings(slurm, 2)[-1]
    assert last["JobState"] == "COMPLETED" and 0 < resumed_at(project, last) < STEPS
    assert not list((project / "results/tiny/restart").rglob("*.pt"))


def test_results_equal_those_of_a_local_run(story, project, tmp_path):
    local = runs.copy_project(tmp_path)
    runs.write_config(local / "small.yaml", small_config())
    done = runs.snakemake(local, "--configfile", "small.yaml")
    assert done.returncode == 0, done.stdout
    there, here = contents(project), contents(local)
    assert len(here) > 100 and there.keys() == here.keys()
    assert [name for name, content in here.items() if there[name] != content] == []


def contents(folder):
    """{name: bytes} of the results of a run."""
    files = (path for path in (folder / "results/tiny").rglob("*") if path.is_file())
    return {name: path.read_bytes() for path in files if not RUN_FILES.search(name := str(path.relative_to(folder)))}
