"""Compare every result with the hashes in its sidecar, and every sidecar with those of what it was made from.

A finding is a `Finding`; its kind says how bad it is (KINDS). Run records and whatever a run leaves beside its results (logs,
benchmarks, restart states, the report) are no results and are not looked at.
"""

from dataclasses import dataclass
from pathlib import Path

from densecell import files, passport
from densecell.parallel import in_order

KINDS = {
    "damaged": "differ from what densecell wrote; delete each with its sidecar, the next run makes it again",
    "missing": "are gone, their sidecar is still there",
    "no sidecar": "have lost their sidecar, so that damage could not be told; delete them, the next run makes them again",
    "older": "are older than their input: what they were made from has changed since",
    "unknown": "are not densecell's",
}
BAD = ("damaged", "missing", "no sidecar", "older")
NOT_RESULTS = ("logs", "benchmarks", "restart", passport.RUN, "slabs")  # folders below the results that hold none
LEFT = (".partial", ".stale")  # of a killed job
OWN = (".snakemake_timestamp", "report.html")  # files of Snakemake


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
    """(findings without reading any result, Checks of the files to be hashed) of a `passport.Results`."""
    findings, checks, raw = [], [], {}
    for folder, names in passport.walk(results.folder):
        place = folder.relative_to(results.folder)
        if place.parts and place.parts[0] in NOT_RESULTS:
            continue
        stores = [p.name for p in folder.iterdir() if p.is_dir() and p.name.endswith(".zarr")]
        present = {*names, *stores}
        sidecars = {n.removesuffix(".json") for n in names if n.endswith(".json") and not n.endswith(files.RUN_RECORD)}
        for name in sorted(present):
            path = folder / name
            if name.endswith((files.RUN_RECORD, *OWN, *LEFT)) or ".run." in name:
                continue
            if name in sidecars:
                found, more = _look_at_output(results, path, raw)
                findings += found
                checks += more
            elif name.endswith(".json") and name.removesuffix(".json") in present:
                continue  # a sidecar, read with its file
            else:
                findings.append(_without_sidecar(results, path))
    return [f for f in findings if f], checks + list(raw.values())


def _without_sidecar(results, path):
    """The finding on a file or store that no sidecar lies beside."""
    inside = path.relative_to(results.folder).as_posix()
    if _is_sidecar(path):
        return Finding("missing", str(path.with_name(path.name.removesuffix(".json"))))
    if inside in results.records:
        return Finding("no sidecar", str(path))
    if path.name.endswith(".ome.zarr"):
        return Finding("no sidecar", str(path), "a volume")
    return Finding("unknown", str(path))


def _is_sidecar(path):
    """Whether a JSON file without a file beside it is a sidecar."""
    try:
        files.read_sidecar(path.with_name(path.name.removesuffix(".json")))
        return path.suffix == ".json"
    except ValueError:
        return False


def _look_at_output(results, path, raw):
    """Findings and Checks of one file or store with its sidecar. raw: {path: Check} of raw data, which are added to."""
    try:
        sidecar = files.read_sidecar(path)
    except ValueError:
        return [Finding("damaged", str(path), f"its sidecar {path.name}.json is unreadable or was edited")], []
    findings, content = [], sidecar["content"]
    if path.is_dir() == isinstance(content, str):
        return [Finding("damaged", str(path), "a folder in place of a file, or a file in place of a folder")], []
    if path.is_dir():
        found = {p.relative_to(path).as_posix(): p for p in path.rglob("*") if p.is_file() and not p.name.endswith(OWN)}
        findings += [Finding("damaged", str(path), f"{name} is missing") for name in sorted(set(content) - set(found))]
        findings += [Finding("damaged", str(path), f"{name} was added") for name in sorted(set(found) - set(content))]
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
    """The finding on a parent of the output `path` that is another one now; files of raw data are put into `raw`."""
    inside = results.relative(parent)
    if inside is not None and (step := results.step(inside)):
        if step.exists and step.content and step.content != expected:
            return [Finding("older", str(path), f"{inside} is another one now")]
        return []
    place = results.folder / inside if inside is not None else Path(parent)
    if place.is_file() and parent not in raw:
        text = f"raw data {parent} are not those that were read"
        raw[parent] = Check(place, expected, "older", str(path), text, place.stat().st_size)
    return []


def check(checks, threads=1, progress=None):
    """The findings of hashing the files of `checks` in threads; progress(n_bytes) is called as it goes on."""
    findings = []

    def compute(item):
        try:
            return item, files.hash_file(item.file)
        except OSError as error:
            return item, f"unreadable ({error.strerror})"

    for item, found in in_order(compute, checks, threads):
        if found != item.expected:
            text = item.text if not found.startswith("unreadable") else f"{item.text} {found}".strip()
            findings.append(Finding(item.kind, item.path, text))
        if progress:
            progress(item.size)
    return findings
