"""Tell how a result was made: from the raw data, step by step, with parameters, seeds, versions and checksums.

Works for every output of a run: tables, volumes, TIFF files, checkpoints, figures. Reads sidecars and run records only.
"""

import argparse
import difflib
import json
import os
import sys
from pathlib import Path

from command_line import run
from densecell import files, passport, passport_text

NO_RESULTS = {
    "logs": "a log: what a job printed. It is no result, and nothing is made from it.",
    "benchmarks": "the time and memory of a job, as Snakemake measured them. It is no result, and nothing is made from it.",
    "restart": "the state of a job that is under way. It is deleted when the job is done.",
    "run": "the resolved configuration of a run: config.yaml with yours on top and all defaults filled in.",
    "report.html": "the report, which Snakemake puts together from the figures and tables. Ask for one of these, such as "
    "summary.html.",
}


def output_of(path, results_dir):
    """The output that `path`, relative to the results, belongs to: itself, the store it lies in, the file of a sidecar."""
    parts = Path(path).parts
    for i, part in enumerate(parts[:-1], 1):
        if part.endswith(".ome.zarr"):
            return Path(*parts[:i]).as_posix()
    for suffix in (files.RUN_RECORD, ".json"):
        shorter = path.removesuffix(suffix)
        if shorter != path and ((results_dir / shorter).exists() or suffix == files.RUN_RECORD):
            return shorter
    return path


def no_result(path, results):
    """Why there is nothing to tell of `path`, and what the reader may have meant."""
    place = results.folder / path
    if told := NO_RESULTS.get(Path(path).parts[0] if Path(path).parts else ""):
        return f"{place}: {told}"
    if ".run." in place.name:
        return f"{place}: holds times and costs of a run; it is no result."
    if place.name.endswith((".partial", ".stale")):
        return f"{place}: what a killed job left; it is never read. Delete it."
    near = difflib.get_close_matches(path, sorted(results.records), n=3, cutoff=0.5)
    hint = f" Did you mean {', '.join(near)}?" if near else ""
    if not place.exists():
        return f"{place}: no such file, and no run record of one that was deleted.{hint}"
    return (
        f"{place}: no sidecar {place.name}.json lies beside it, so densecell did not write it, or the sidecar was deleted. It may "
        f"be a file of your own; a result without its sidecar is made again once it is deleted.{hint}"
    )


def downloads(chain):
    """{path: address} of the raw data that download_dataset.py fetched (download.json in a folder above)."""
    found = {}
    for step in (s for s in chain.values() if s.kind == "raw"):
        for folder in list(Path(step.path).parents)[:4]:
            if (folder / "download.json").is_file():
                found[step.path] = json.loads((folder / "download.json").read_text()).get("source", "unknown")
                break
    return found


def chosen_sizes(chain, results_dir):
    """{ensemble: k} of the chosen member lists in a chain."""
    found = {}
    for path, step in chain.items():
        if step.script == "choose_ensemble" and step.exists:
            chosen = json.loads((results_dir / path).read_text())
            found[chosen["name"]] = chosen["k"]
    return found


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("path", help="an output, such as results/tables/volume_fractions.csv")
    args = parser.parse_args(argv)

    folder = passport.results_of(args.path)
    results = passport.Results(Path(os.path.relpath(folder)))
    asked = Path(os.path.abspath(args.path)).relative_to(folder).as_posix()
    path = output_of(asked, folder)
    target = results.step(path)
    if target is None:
        raise ValueError(no_result(path, results))
    chain = results.chain(path)
    target = chain[path]
    place = results.folder / path
    changed = target.kind == "output" and place.is_file() and files.hash_file(place) != target.sidecar["content"]
    name = args.path if path == asked else place.as_posix()
    text = passport_text.explain(name, target, chain, chosen_sizes(chain, folder), downloads(chain), changed)
    try:
        print(text, flush=True)
    except BrokenPipeError:  # of `| head`; what Python flushes at its end goes nowhere
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


if __name__ == "__main__":
    run(main)
