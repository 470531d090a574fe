"""Compare every result with the hashes in its sidecar, and every sidecar with those of what it was made from.

A finding is a `Finding`; its kind says how bad it is (KINDS). Run records and whatever a run leaves beside its results (logs,
benchmarks, restart states, the report) are no results and are not looked at.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from densecell import files, passport
from densecell.parallel import in_order

KINDS = {  # in words that hold for one and for many
    "damaged": "not as written by densecell; delete with the sidecar, and the next run makes it again",
    "missing": "gone, with the sidecar still there",
    "no sidecar": "without a sidecar, so that damage could not be told; delete, and the next run makes it again",
    "older": "older than the input, which has changed since",
    "unknown": "not written by densecell",
}
BAD = ("damaged", "missing", "no sidecar", "older")
NOT_RESULTS = ("logs", "benchmarks", "restart", passport.RUN, "slabs")  # folders below the results that hold none
LEFT = (".partial", ".stale")  # of a killed job
OWN = "report.html"  # of Snakemake
READ = re.compile(r"(.*/)?(zarr\.json|c(/\d+)*)")  # what zarr reads in a store: its metadata and shards


@dataclass(frozen=True)
class Finding:
    """kind: one of KINDS. path: of the result, as a person would type it. text: what exactly, "" for nothing more."""

    kind: str
    path: str
    text: str = ""


@dataclass(frozen=True)
class Check:
    """One file to be hashed: its hash should be `expected`; a failure is told as a finding on `path`."""

    file: Path
    expected: str
    kind: str
    path: str
    text: str
    size: int


def look(results):
    """(findings without reading any result, Checks of the files to be hashed) of a `passport.Results`.

    Raw data have a Check for each output that was made from them.
    """
    findings, checks, raw = [], [], []
    for folder, names in passport.walk(results.folder):
        place = folder.relative_to(results.folder)
        if place.parts and place.parts[0] in NOT_RESULTS:
            continue
        stores = [p.name for p in folder.iterdir() if p.is_dir() and p.name.endswith(".zarr")]
        present = {*names, *stores}
        sidecars = {n.removesuffix(".json") for n in names if n.endswith(".json") and not n.endswith(files.RUN_RECORD)}
        for name in sorted(present):
            path = folder / name
            if name == OWN or name.endswith(LEFT) or ".run." in name or files.is_aside(name):
                continue
            if name in sidecars:
                found, more = _look_at_output(results, path, raw)
                findings += found
                checks += more
            elif name.endswith(".json") and name.removesuffix(".json") in present:
                continue  # a sidecar, read with its file
            else:
                findings.append(_without_sidecar(results, path))
    return findings, checks + raw


def _without_sidecar(results, path):
    """The finding on a file or store that no sidecar lies beside."""
    inside = path.relative_to(results.folder).as_posix()
    if _is_sidecar(path):
        return Finding("missing", str(path.with_name(path.name.removesuffix(".json"))))
    if inside in results.records:
        return Finding("no sidecar", str(path))
    if path.name.endswith(".ome.zarr"):
        return Finding("no sidecar", str(path), "a volume")
    return _unknown(path)


def _unknown(path):
    return Finding("unknown", str(path))


def _is_sidecar(path):
    """Whether a JSON file without a file beside it is a sidecar."""
    try:
        files.read_sidecar(path.with_name(path.name.removesuffix(".json")))
        return path.suffix == ".json"
    except ValueError:
        return False


def _look_at_output(results, path, raw):
    """Findings and Checks of one file or store with its sidecar. raw: list of the Checks of raw data, which is added to."""
    sidecar = results.sidecar(path.relative_to(results.folder).as_posix())
    if sidecar is None:
        return [Finding("damaged", str(path), f"its sidecar {path.name}.json is unreadable or was edited")], []
    findings, content = [], sidecar["content"]
    if path.is_dir() == isinstance(content, str):
        return [Finding("damaged", str(path), "a folder in place of a file, or a file in place of a folder")], []
    if path.is_dir():
        content = files.without_aside(content)
        found = files.without_aside({p.relative_to(path).as_posix(): p for p in path.rglob("*") if p.is_file()})
        findings += [Finding("damaged", str(path), f"{name} is missing") for name in sorted(set(content) - set(found))]
        for name in sorted(set(found) - set(content)):
            read = READ.fullmatch(name)
            findings.append(Finding("damaged", str(path), f"{name} was added") if read else _unknown(found[name]))
        present = {name: file for name, file in sorted(found.items()) if name in content}
        checks = [
            Check(file, content[name], "damaged", str(path), f"{name} was changed", file.stat().st_size)
            for name, file in present.items()
        ]
    else:
        checks = [Check(path, content, "damaged", str(path), "", path.stat().st_size)]
    for parent, expected in (sidecar.get("parents") or {}).items():
        findings += _look_at_parent(results, path, parent, expected, raw)
    return findings, checks


def _look_at_parent(results, path, parent, expected, raw):
    """The finding on a parent of the output `path` that is another one now; files of raw data are added to `raw`."""
    inside = results.relative(parent)
    if inside is not None and (step := results.step(inside)):
        if step.exists and step.content and step.content != expected:
            return [Finding("older", str(path), f"{inside} is another one now")]
        return []
    place = results.folder / inside if inside is not None else Path(parent)
    if place.is_file():
        text = f"raw data {parent} are not those that were read"
        raw.append(Check(place, expected, "older", str(path), text, place.stat().st_size))
    return []


def n_bytes(checks):
    """Size of the files of `checks`, each counted once."""
    return sum({item.file: item.size for item in checks}.values())


def check(checks, threads=1, progress=None):
    """The findings of hashing the files of `checks` in threads, each once; progress(n_bytes) is called as it goes on."""
    findings, by_file = [], {}
    for item in checks:
        by_file.setdefault(item.file, []).append(item)

    def compute(items):
        try:
            return items, files.hash_file(items[0].file)
        except OSError as error:
            return items, f"unreadable ({error.strerror})"

    for items, found in in_order(compute, by_file.values(), threads):
        for item in items:
            if found != item.expected:
                text = item.text if not found.startswith("unreadable") else f"{item.text} {found}".strip()
                findings.append(Finding(item.kind, item.path, text))
        if progress:
            progress(items[0].size)
    return findings
