"""Write the methods paragraph of a run, with all settings and citations, from its configuration, tables and checkpoints.

Two files: a page (html) to copy from, and the works that it cites (BibTeX). Equal runs give equal texts: no times are told.
"""

import importlib.metadata
import platform
from html import escape

import torch
from torch._subclasses.fake_tensor import FakeTensorMode

from command_line import Arguments, json_argument, run
from densecell import checkpoints, citations, files, io, methods
from densecell.tile_choice import DEFAULT_HALO, DEFAULT_TILE, LARGEST_STATISTICS_VOXELS

TILES = {"tile": DEFAULT_TILE, "halo": DEFAULT_HALO, "largest_statistics_voxels": LARGEST_STATISTICS_VOXELS}
PACKAGES = ("numpy", "scipy", "zarr", "tifffile")
STYLE = """<meta charset="utf-8">
<style>
.densecell {font-family: sans-serif; max-width: 60em; line-height: 1.45}
</style>"""
HINT = "Filled in from the configuration and the results of this run; shorten it as you like. The citations as BibTeX: methods.bib."


def page(sections):
    """The text as html."""
    parts = [STYLE, '<div class="densecell">', "<h2>Methods</h2>", f"<p><em>{escape(HINT)}</em></p>"]
    for title, sentences in sections:
        parts.append(f"<p><strong>{escape(title)}.</strong> {escape(citations.in_words(' '.join(sentences)))}</p>")
    parts.append("<h3>References</h3>\n<ol>")
    parts += [f"<li>{escape(citations.reference(key))}</li>" for key in all_cited(sections)]
    return "\n".join([*parts, "</ol>", "</div>"]) + "\n"


def all_cited(sections):
    """Keys of the works that the text cites, in order."""
    return citations.cited(" ".join(sentence for _, sentences in sections for sentence in sentences))


def n_outputs(network, window):
    """How many outputs a network gives for a window (z, y, x); computed without values."""
    with FakeTensorMode(allow_non_fake_inputs=True), torch.no_grad():
        return len(network(torch.empty(1, 1, *window)))


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("ranking", "ranking of the networks that eval regions rank (csv)", required=False)
    arguments.input("chosen", "chosen member list of every ensemble (json)", several=True, required=False)
    arguments.input("checkpoints", "one checkpoint of every experiment, in the configuration's order", several=True)
    arguments.parameter(
        "config", "JSON record: what is told of the resolved configuration", json_argument, required=True
    )
    arguments.parameter("versions", "JSON record: versions of densecell and snakemake", json_argument, required=True)
    arguments.output("output", "page (html)")
    arguments.output("bibtex", "citations (bib)")
    args = arguments.parse(argv)

    names = [experiment["name"] for experiment in args.config["experiments"]]
    loaded = dict(zip(names, map(checkpoints.load_network, args.checkpoints), strict=True))
    ranking = io.read_table(args.ranking).groupby("experiment", sort=False) if args.ranking else ()
    chosen = [files.read_json(path) for path in args.chosen]
    torch_version = next(iter(loaded.values()))[1]["versions"]["torch"].split("+")[0]
    installed = {name: importlib.metadata.version(name) for name in PACKAGES}
    facts = {
        "parameters": {n: sum(p.numel() for p in network.parameters()) for n, (network, _) in loaded.items()},
        "precisions": {name: spec["precision"] for name, (_, spec) in loaded.items()},
        "groups": {name: list(network.parameter_groups()) for name, (network, _) in loaded.items()},
        "outputs": {name: n_outputs(network, spec["window"]) for name, (network, spec) in loaded.items()},
        "runs": {name: (len(runs), int(runs["collapsed"].sum())) for name, runs in ranking},
        "tiles": TILES,
        "chosen": {entry["name"]: entry["k"] for entry in chosen},
        "versions": {**args.versions, "python": platform.python_version(), "torch": torch_version, **installed},
    }
    sections = methods.sections(args.config, facts)
    files.write_text(args.output, page(sections), args.record)
    files.write_text(args.bibtex, citations.bibtex(all_cited(sections)), args.record)


if __name__ == "__main__":
    run(main)
