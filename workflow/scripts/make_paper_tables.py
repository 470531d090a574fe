"""Table S1 of Guay et al. 2021, the table of their poster and the numbers in their text, from this run's scores (csv).

Ensembles have the k that the eval regions chose, single networks are the best on eval; test chooses nothing. Mean IoU
and accuracy are from 0 to 1. With --published, the published number and the difference (ours minus theirs) stand beside.
"""

from pathlib import Path

from command_line import Arguments, json_argument, run
from densecell import files, io, paper


def parameters_of(path):
    """Number of parameters of a checkpoint, from the header of the safetensors file; its weights are not loaded."""
    with Path(path).open("rb") as handle:
        length = int.from_bytes(handle.read(8), "little")
        if not 2 <= length <= Path(path).stat().st_size:
            raise ValueError(f"{path}: expected a safetensors file, found no header. Delete it; it is trained again.")
        return paper.count_parameters(handle.read(length))


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("metrics", "scores (csv)")
    arguments.input("chosen", "chosen member list of every ensemble (json)", several=True)
    arguments.input("checkpoints", "one network of each ensemble in --counted (safetensors)", several=True)
    arguments.input("published", "published numbers (csv); absent: none", required=False, foreign=True)
    arguments.parameter("places", "JSON record of role: [region, reference]", json_argument, required=True)
    arguments.parameter("parts", "JSON record of part (a, b, c): list of ensembles", json_argument, required=True)
    arguments.parameter("poster", "JSON list of ensembles in the poster's table", json_argument, default=[])
    arguments.parameter("main", "the ensemble of the numbers in the text", required=True)
    arguments.parameter("people", "JSON list of label sources compared pairwise", json_argument, default=[])
    arguments.parameter("counted", "JSON list of ensembles, as the checkpoints", json_argument, default=[])
    arguments.parameter("algorithms", "JSON record of ensemble: published algorithm", json_argument, default={})
    arguments.output("table_s1", "Table S1 (csv)")
    arguments.output("every_k", "all sizes of the ensembles (csv)")
    arguments.output("poster_table", "the poster's table (csv)")
    arguments.output("text_numbers", "numbers of the text (csv)")
    args = arguments.parse(argv)

    metrics = io.read_table(args.metrics)
    chosen = {entry["name"]: entry for entry in map(files.read_json, args.chosen)}
    published = io.read_table(args.published) if args.published else None
    parameters = {n: parameters_of(path) for n, path in zip(args.counted, args.checkpoints, strict=True)}
    named = list(dict.fromkeys(name for names in args.parts.values() for name in names))
    places, algorithms = args.places, args.algorithms

    table = paper.table_s1(metrics, places, chosen, args.parts, parameters)
    theirs = {name: paper.published_of(published, name) for name in ("table_s1", "poster")}
    io.write_table(args.table_s1, paper.add_published(table, theirs["table_s1"], algorithms), args.record)
    io.write_table(args.every_k, paper.every_k(metrics, places, chosen, named), args.record)
    poster = paper.poster_table(metrics, places, chosen, args.poster)
    io.write_table(args.poster_table, paper.add_published(poster, theirs["poster"], algorithms), args.record)
    numbers = paper.text_numbers(metrics, places, args.people, chosen[args.main])
    io.write_table(args.text_numbers, paper.add_published_text(numbers, published), args.record)


if __name__ == "__main__":
    run(main)
