"""How a result was made: its sidecar, those of what it was made from, and so on back to the raw data.

Paths are relative to the results folder, in POSIX form; raw data keep the path their sidecars name. A run record
(`<output>.run.json`, run_record.py) repeats the sidecar under ``record``, so that outputs that were deleted as temporary
keep their place. Nothing here hashes an image: what is compared are hashes that were written down.
"""

import datetime
import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from densecell import files

PRUNED = (".zarr", ".partial", ".stale", ".snakemake")  # folders that hold no records: stores, what a killed job left
RUN = "run"  # folder of the resolved configurations, in every results folder
TEXTS = ("output", "script", "started", "host", "config_hash", "git_commit")  # what readers of run records use
NUMBERS = ("wall_s", "cpu_s", "peak_memory_bytes")


# ----------------------------------------------------------------------------------------------------------- reading
def is_results(folder):
    """Whether a run of densecell wrote into `folder`: it keeps its configuration there."""
    return any((Path(folder) / RUN).glob("config.*.yaml"))


def results_of(path):
    """The results folder that `path` lies in, the innermost one. Raises ValueError where there is none."""
    path = Path(os.path.abspath(path))
    for folder in [path, *path.parents]:
        if is_results(folder):
            return folder
    raise ValueError(
        f"{path}: expected a file in a results folder of densecell, found none above it that holds {RUN}/config.<hash>.yaml. "
        "Give a file of a run, such as results/tables/volume_fractions.csv; results of "
        "earlier versions hold no such file, the next run adds it."
    )


def walk(results_dir):
    """(folder, names of its files) of every folder below `results_dir`, sorted; insides of stores, results folders of
    other runs that lie within and hidden folders are left out."""
    for folder, below, names in os.walk(results_dir):
        below[:] = sorted(n for n in below if not _is_pruned(Path(folder) / n))
        yield Path(folder), sorted(names)


def _is_pruned(folder):
    return folder.name.endswith(PRUNED) or files.is_aside(folder.name) or is_results(folder)


def records(results_dir):
    """{path of an output: its run record} of all run records below the folder `results_dir`, outputs that are gone included.

    A record that can't be read is left out: it is as good as none.
    """
    found = {}
    for folder, names in walk(results_dir):
        for name in names:
            if name.endswith(files.RUN_RECORD):
                record = read_record(folder / name)
                if record is not None:
                    path = folder / name.removesuffix(files.RUN_RECORD)
                    found[path.relative_to(results_dir).as_posix()] = record
    return found


def read_record(path):
    """The run record in the file `path`; None where it is missing or lacks a fact that a reader of run records uses."""
    try:
        record = json.loads(Path(path).read_text())
        sidecar = record["record"]
        told = all(map(_are_facts, [record, *(record.get("parts") or [])]))
        whole = isinstance(sidecar["parents"], dict) and {"content", "code"} <= set(sidecar)
        return record if told and whole else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return None


def _are_facts(job):
    """Whether these are the facts of a job. Raises an error of `read_record` where they are far from it."""
    datetime.datetime.fromisoformat(job["started"])
    numbers = all(isinstance(job[name], (int, float)) for name in NUMBERS)
    return numbers and all(isinstance(job[name], str) for name in TEXTS)


# ------------------------------------------------------------------------------------------------------------- chain
@dataclass
class Step:
    """One file of a chain: an output, a folder of outputs, raw data, or an output that was deleted with its records.

    kind: "output", "folder", "raw" or "lost". exists: whether it lies on the disk. sidecar, run: as read, None where unknown; those
    of a deleted output come from its run record. parents: paths in the order of the sidecar. earlier: those of them whose
    content is another one now.
    """

    path: str
    kind: str
    exists: bool
    content: str = ""
    sidecar: dict | None = None
    run: dict | None = None
    parents: list = field(default_factory=list)
    earlier: list = field(default_factory=list)

    @property
    def script(self):
        """The script that computed it; of a volume that was gathered from slabs, the one that wrote these."""
        if self.run is None:
            return None
        return self.jobs[0]["script"]

    @property
    def jobs(self):
        """The facts of the jobs that computed it: several where it was gathered from slabs, none without a run record."""
        return (self.run.get("parts") or [self.run]) if self.run else []

    @property
    def params(self):
        return (self.sidecar or {}).get("params") or {}


class Results:
    """A results folder with the records in it, each of which is read once: it tells of one moment.

    roots: the names that the folder had when its files were written; a folder that was moved keeps its chains.
    """

    def __init__(self, folder):
        self.folder = Path(folder)
        self.records, self._sidecars, self._steps = records(folder), {}, {}
        outputs = {path: record["output"] for path, record in self.records.items()}
        self.roots = {o[: -len(p)] for p, o in outputs.items() if o.endswith("/" + p)}
        self.roots |= {
            f"{f.as_posix()}/" for f in (self.folder, Path(os.path.relpath(folder)), Path(os.path.abspath(folder)))
        }

    def relative(self, path):
        """The path within the results of a path that a sidecar names; None for what lies elsewhere."""
        inside = [path[len(root) :] for root in self.roots if path.startswith(root)]
        return min(inside, key=len) if inside else None

    def sidecar(self, path):
        """The sidecar of an output that is there; None where it is missing or unreadable."""
        if path not in self._sidecars:
            self._sidecars[path] = self._read_sidecar(path)
        return self._sidecars[path]

    def _read_sidecar(self, path):
        place = self.folder / path
        try:
            sidecar = files.read_sidecar(place) if place.exists() else None
            return sidecar if isinstance(sidecar, dict) and "content" in sidecar else None
        except ValueError:
            return None

    def outputs_in(self, path):
        """The outputs with a sidecar in the folder `path` and below."""
        found = []
        for folder, names in walk(self.folder / path):
            for name in names:
                inside = (folder / name.removesuffix(".json")).relative_to(self.folder).as_posix()
                if name.endswith(".json") and not name.endswith(files.RUN_RECORD) and self.sidecar(inside):
                    found.append(inside)
        return found

    def step(self, path):
        """The Step of one output, folder of outputs or deleted output; None for what densecell did not write."""
        if path not in self._steps:
            self._steps[path] = self._find_step(path)
        return self._steps[path]

    def _find_step(self, path):
        sidecar, run, exists = self.sidecar(path), self.records.get(path), (self.folder / path).exists()
        if sidecar is None and run is not None and not exists:
            sidecar = run["record"]
        elif sidecar is not None and run is not None and run["record"] != sidecar:
            run = None  # of another version of this file
        if sidecar is not None:
            content = files.one_hash(sidecar["content"])
            return Step(path, "output", exists, content, sidecar, run, list(sidecar.get("parents") or {}))
        if (self.folder / path).is_dir() and (inside := self.outputs_in(path)):
            return Step(path, "folder", True, self._folder_content(path), parents=inside)
        return None

    def _folder_content(self, path):
        """The content id of a folder of outputs, "" where it holds something else as well."""
        try:
            return files.content_id(self.folder / path)
        except ValueError:
            return ""

    def chain(self, path):
        """{path: Step} of the output `path` and of all that it was made from, parents before children.

        Raises ValueError where `path` is no result.
        """
        found, done = {}, {}
        first = self.step(path)
        if first is None:
            raise ValueError(f"{self.folder / path}: no sidecar tells how it was made.")
        waiting = [first]
        while waiting:
            step = waiting[-1]
            if step.path not in found:
                found[step.path] = step
                waiting += [parent for parent in self._parents(step) if parent.path not in found]
            else:
                done.setdefault(waiting.pop().path, found[step.path])
        return done

    def _parents(self, step):
        """The parents of a step as Steps; puts their paths, and which of them changed since, into the step."""
        recorded = dict.fromkeys(step.parents) if step.kind == "folder" else (step.sidecar or {}).get("parents") or {}
        # files that a script looked at without the cost of their hash
        recorded = dict.fromkeys((step.run or {}).get("reads") or ()) | recorded
        steps, step.earlier = [], []
        for path, content in recorded.items():
            inside = path if step.kind == "folder" else self.relative(path)
            parent = self.step(inside) if inside else None
            if parent is None:
                exists = (self.folder / inside).exists() if inside else Path(path).exists()
                kind = "lost" if inside and not exists else "raw"
                parent = Step(inside or path, kind, exists, content or "")
            if content and parent.content and content != parent.content:
                step.earlier.append(parent.path)
            steps.append(parent)
        step.parents = [parent.path for parent in steps]
        return steps
