"""For tests of the workflow: a copy of the project, Snakemake in it, and what a dry run says would run."""

import hashlib
import io
import multiprocessing
import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path

import yaml

REPO = Path(__file__).resolve().parents[1]
PROJECT = ("CITATION.cff", "config.yaml", "config", "envs", "profiles", "workflow")
PROJECT += tuple(
    f"tests/workflow/{name}.yaml" for name in ("tiny", "tiny_paper", "tiny_sparse", "tiny_cells", "tiny_tumor")
)
TINY = ("--configfile", "tests/workflow/tiny.yaml")
TINY_PAPER = (*TINY, "tests/workflow/tiny_paper.yaml")
TARGETS = ("all", "paper_figures", "renderings", "videos")
LAST = "compare_costs"  # runs whenever anything does: tests of what runs leave it out
JOB = re.compile(r"\| tee \S*?/logs/(\S+)\.log$", re.MULTILINE)
OPTION_WITHOUT_VALUE = re.compile(r" --[\w-]+ +(?=--)")
STATISTICS = re.compile(r"^(\w+) +(\d+)$", re.MULTILINE)

# a server that has imported Snakemake forks for every dry run: 1 s instead of 2 s, and each starts afresh
_context = multiprocessing.get_context("forkserver")
_context.set_forkserver_preload(["__main__", "snakemake.cli"])


def copy_project(folder):
    """What a run needs, copied into `folder` without the caches of Python."""
    for name in PROJECT:
        source, target = REPO / name, folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, target)
    return folder


def environment():
    """The environment of a job that runs by hand or in Snakemake: this interpreter first, one thread in libraries."""
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    return {**os.environ, "PATH": path, "OMP_NUM_THREADS": "1"}


def snakemake(folder, *arguments):
    """Run Snakemake in `folder` on two cores; returns the finished process, its output in `stdout`."""
    command = [sys.executable, "-m", "snakemake", "--cores", "2", *map(str, arguments)]
    streams = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    return subprocess.run(command, cwd=folder, env=environment(), check=False, **streams)


def _dry_run(folder, arguments, connection):
    os.chdir(folder)
    os.environ.update(environment())
    from snakemake.cli import main

    text, code = io.StringIO(), 0
    with redirect_stdout(text), redirect_stderr(text):
        try:
            main(["--dry-run", *arguments])
        except SystemExit as exit:
            code = exit.code
    connection.send((code, text.getvalue()))


def dry_run_output(folder, *arguments):
    """(exit code, output) of a dry run in `folder`."""
    receiver, sender = _context.Pipe(duplex=False)
    process = _context.Process(target=_dry_run, args=(str(folder), list(map(str, arguments)), sender))
    process.start()
    sender.close()
    result = receiver.recv()
    process.join()
    return result


def planned_jobs(output):
    """The jobs of a dry run's output as "rule/wildcards", such as train_network/unet_seed1 (names of their logs)."""
    jobs = [job for job in JOB.findall(output) if job != LAST]
    statistics = {rule: int(n) for rule, n in STATISTICS.findall(output) if rule not in (*TARGETS, LAST, "total")}
    assert statistics == Counter(job.split("/")[0] for job in jobs), output
    assert not OPTION_WITHOUT_VALUE.search(output), "a script would be called with an option that has no value"
    return set(jobs)


def dry_run(folder, *arguments):
    """The jobs that would run, as "rule/wildcards"."""
    code, output = dry_run_output(folder, *arguments)
    assert code == 0, output
    return planned_jobs(output)


def rules_of(jobs):
    """Names of the rules of jobs."""
    return {job.split("/")[0] for job in jobs}


def merge(below, above):
    """Snakemake's merge of configuration files: mappings key by key, lists replaced."""
    both = {k: merge(below[k], v) for k, v in above.items() if isinstance(v, dict) and isinstance(below.get(k), dict)}
    return {**below, **above, **both}


def read_config(*names):
    """The content of configuration files of the project, merged onto config.yaml."""
    import configuration  # not at the top: dry runs are forked off this module, and an outer workflow may have its own of this name

    config, merged = yaml.safe_load((REPO / "config.yaml").read_text()), {}
    for name in names:
        merged = merge(merged, yaml.safe_load((REPO / name).read_text()))
    return configuration.with_own_objects(merge(config, merged), merged)


def edit(config, path, value):
    """Set the key at `path`, such as regions[0].z."""
    *parents, last = [int(p) if p.isdigit() else p for p in re.findall(r"\w+", path)]
    for part in parents:
        config = config.setdefault(part, {}) if isinstance(config, dict) else config[part]
    config[last] = value


def write_config(path, config):
    """Write a whole configuration and return the arguments that use it."""
    path.write_text(yaml.safe_dump(config))
    return "--configfile", path


def is_compared(name):
    """Whether a file of the results, given below their folder, must be equal in two runs of equal settings.

    Left out: logs and benchmarks; `*.run.*`, which hold times and hosts; restart states; and what Snakemake leaves.
    """
    *folders, last = Path(name).parts
    aside = {"logs", "benchmarks", "restart", ".snakemake"}
    return not (aside & set(folders[:1]) or ".run." in last or last == ".snakemake_timestamp")


def compared_results(folder):
    """{path below the folder of the results: SHA-256} of all that `is_compared`; what is half-written shows, too."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and is_compared(name):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


@contextmanager
def replaced(path, content):
    """The file `path` with other bytes, within the block; afterwards it is as before, its time included."""
    before, stat = path.read_bytes(), path.stat()
    path.write_bytes(content)
    try:
        yield
    finally:
        path.write_bytes(before)
        os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))
