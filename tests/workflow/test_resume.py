"""A training that was killed goes on where it was, and ends with the same bytes as one that was not."""

import json
import random
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
import workflow_runs as runs

pytestmark = pytest.mark.slow

STEPS, EVERY_STEP, NEVER = 60, 1e-4, 1e4  # optimizer steps; minutes between saved restart states
NAMES = ("best.safetensors", "last.safetensors", "history.csv")
RESULTS = (*NAMES, *(f"{name}.json" for name in NAMES))
MODEL = "results/tiny/models/hybrid/seed1"
RESTART = "results/tiny/restart/hybrid/seed1.pt"
COMMAND = re.compile(r"python (\S*train_network\.py .* --experiment hybrid --seed 1 .*) 2>&1 \| tee")
TIMEOUT_S = 120


@pytest.fixture(scope="module")
def project(finished_run, tmp_path_factory):
    """A copy of the finished run that these tests may change."""
    folder = tmp_path_factory.mktemp("copy") / "project"
    shutil.copytree(finished_run, folder, symlinks=True)
    return folder


@pytest.fixture(scope="module")
def config(project):
    """Arguments of a configuration in which the first experiment trains longer and saves after every step."""
    config = runs.read_config("tests/workflow/tiny.yaml")
    training = {"steps": STEPS, "evaluate_every_steps": 20, "warmup_steps": 2, "save_every_minutes": EVERY_STEP}
    runs.edit(config, "experiments[0].training", training)
    return runs.write_config(project / "longer.yaml", config)


@pytest.fixture(scope="module")
def command(project, config):
    """The command of the training of `hybrid`, seed 1, as Snakemake would run it, as a list of arguments."""
    code, output = runs.dry_run_output(project, *config)
    assert code == 0, output
    return [sys.executable, *shlex.split(COMMAND.search(output)[1])]


class Training:
    """One training by hand in `project`, with its results and restart state in `folder`."""

    def __init__(self, project, command, folder, **settings):
        self.project, self.folder, self.restart = project, folder, folder / "restart.pt"
        paths = {"--best": NAMES[0], "--last": NAMES[1], "--history": NAMES[2], "--restart": "restart.pt"}
        self.command = list(command)
        for option, name in paths.items():
            self.command[command.index(option) + 1] = str(folder / name)
        place = command.index("--settings") + 1
        record = json.loads(command[place])
        record["training"].update(settings)
        self.command[place] = json.dumps(record, sort_keys=True)

    def start(self):
        """Start it; what it prints can be read from the process line by line."""
        streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
        return subprocess.Popen(self.command, cwd=self.project, env=runs.environment(), **streams)

    def run(self):
        """Run it to its end and return what it printed."""
        _, text = (process := self.start()).communicate(timeout=TIMEOUT_S)
        assert process.returncode == 0, text
        assert not self.restart.exists()
        return text

    def stop(self, signal_number, n_saves):
        """Start it, end it by a signal after at least so many restart states, and return what it printed."""
        process = self.start()
        for _ in range(n_saves):
            wait_for_save(self.restart, process)
        process.send_signal(signal_number)
        _, text = process.communicate(timeout=TIMEOUT_S)
        assert process.returncode != 0 and self.restart.exists(), "it had finished before it was stopped: " + text
        return text

    def results(self):
        return contents(self.folder)


def written_at(path):
    """When a file was written, in ns; 0 where there is none."""
    return path.stat().st_mtime_ns if path.exists() else 0


def contents(folder):
    return {name: (folder / name).read_bytes() for name in RESULTS}


def wait_for(condition, process):
    """Wait until the condition holds while the process runs."""
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert process.poll() is None, "the process ended before what was waited for"
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.002)


def wait_for_save(path, process):
    """Wait until the process has written `path` once more."""
    before = written_at(path)
    wait_for(lambda: written_at(path) > before, process)


@pytest.fixture(scope="module")
def uninterrupted(project, command, tmp_path_factory):
    training = Training(project, command, tmp_path_factory.mktemp("uninterrupted"))
    assert "resuming" not in training.run()
    return training.results()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_killed_training_resumes_and_ends_with_equal_bytes(project, command, uninterrupted, tmp_path, seed):
    training = Training(project, command, tmp_path)
    training.stop(signal.SIGKILL, random.Random(seed).randint(2, STEPS // 2))
    assert not (tmp_path / NAMES[0]).exists()
    text = training.run()
    assert 0 < int(re.search(r"resuming at step (\d+)", text)[1]) < STEPS
    assert training.results() == uninterrupted


def test_a_training_killed_twice_ends_with_equal_bytes(project, command, uninterrupted, tmp_path):
    training = Training(project, command, tmp_path)
    training.stop(signal.SIGKILL, 1)
    process = training.start()
    while "resuming" not in process.stderr.readline():
        assert process.poll() is None
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    assert "resuming at step" in training.run()
    assert training.results() == uninterrupted


def test_a_terminated_training_saves_first_and_resumes_there(project, command, uninterrupted, tmp_path):
    training = Training(project, command, tmp_path)
    stopped = re.search(r"terminated at step (\d+)", training.stop(signal.SIGTERM, 5))[1]
    assert f"resuming at step {stopped}" in training.run()
    assert training.results() == uninterrupted


def test_a_terminated_training_whose_log_has_ended_saves_first(project, command, tmp_path):
    training = Training(project, command, tmp_path, save_every_minutes=NEVER)
    process = training.start()
    assert f"{STEPS} steps" in process.stderr.readline()
    process.stderr.close()
    process.terminate()
    assert process.wait(TIMEOUT_S) == 143 and training.restart.exists()


def test_a_training_killed_before_its_first_state_starts_again(project, command, tmp_path):
    training = Training(project, command, tmp_path, save_every_minutes=NEVER, steps=10)
    process = training.start()
    assert "10 steps" in process.stderr.readline()
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    assert list(tmp_path.iterdir()) == []
    assert "resuming" not in training.run()
    first = training.results()
    training.run()
    assert training.results() == first


def test_a_state_of_another_learning_rate_is_ignored(project, command, tmp_path):
    Training(project, command, tmp_path).stop(signal.SIGKILL, 1)
    process = Training(project, command, tmp_path, learning_rate=0.001).start()
    first_line = process.stderr.readline()
    process.kill()
    process.communicate(timeout=TIMEOUT_S)
    assert f"{STEPS} steps" in first_line and "resuming" not in first_line


def start_snakemake(project, config):
    """Snakemake on the one checkpoint in a process of its own, and the training it starts once it has a state."""
    target = f"{MODEL}/{NAMES[0]}"
    command = [sys.executable, "-m", "snakemake", "--cores", "1", *map(str, config), "--", target]
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, cwd=project, env=runs.environment(), **streams)
    wait_for_save(project / RESTART, process)
    children = psutil.Process(process.pid).children(recursive=True)
    (training,) = [c for c in children if "train_network.py" in " ".join(c.cmdline()[:2])]
    return process, training


def test_in_snakemake_a_killed_training_and_then_a_killed_snakemake_resume(project, config, uninterrupted):
    process, training = start_snakemake(project, config)
    training.kill()
    assert process.wait(TIMEOUT_S) == 1
    assert (project / RESTART).exists()

    process, training = start_snakemake(project, config)
    process.kill()
    process.wait(TIMEOUT_S)
    training.kill()
    psutil.wait_procs([training], TIMEOUT_S)

    target = (*config, "--", f"{MODEL}/{NAMES[0]}")
    locked = runs.snakemake(project, *target)
    assert locked.returncode != 0 and "--unlock" in locked.stdout
    assert runs.snakemake(project, *config, "--unlock").returncode == 0
    done = runs.snakemake(project, *target)
    assert done.returncode == 0 and "resuming at step" in done.stdout, done.stdout
    assert not (project / RESTART).exists()
    assert contents(project / MODEL) == uninterrupted
