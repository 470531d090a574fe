"""Put the contents of all containers below each other, and say of each class how far its networks are from what people drew.

Adds to the columns of measure_contents.py: bias, predicted / drawn - 1, bias_of (volume fraction, within --margin-nm around the
drawn cells, or volume) and bias_from, the labelled regions: those that neither trained networks nor chose them, else those of role
eval; without regions of all classes the scores of targets in regions (--overlap) or on held-out slices. nan where nothing was drawn.
"""

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.contents_bias import fraction_bias, volume_bias, with_bias


def biases(args, chosen):
    """{(source, class): (bias, what of, where from)} of all sources. chosen: {ensemble: its chosen member list}."""
    fractions, overlap, held_out = (
        io.read_table(path) if path else None for path in (args.volume_fractions, args.overlap, args.held_out)
    )
    found = {}
    for ensemble, entry in chosen.items():
        of_classes = {}
        if held_out is not None:
            of_classes |= _told("volume", *volume_bias(held_out, entry["experiments"]))
        if overlap is not None:
            of_classes |= _told("volume", *volume_bias(overlap, [ensemble], f"top{entry['k']}", args.roles))
        if fractions is not None:
            found_here = fraction_bias(fractions, ensemble, entry["k"], args.margin_nm, args.roles)
            of_classes |= _told("volume fraction", *found_here)
        for source, ensembles in args.ensembles.items():
            found |= {(source, c): told for c, told in of_classes.items() if ensembles.get(c) == ensemble}
    return found


def _told(what, bias, places):
    return {subject: (value, what, places) for subject, value in bias.items()}


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("contents", "contents of containers (csv)", several=True)
    arguments.input("chosen", "chosen member list of every ensemble behind them (json)", several=True, required=False)
    arguments.input("volume_fractions", "volume fractions of labelled regions (csv)", required=False)
    arguments.input("overlap", "scores of targets in labelled regions (csv)", required=False)
    arguments.input("held_out", "scores of draws on held-out slices (csv)", required=False)
    arguments.parameter("ensembles", "JSON record: of each source and class the ensemble", json_argument, required=True)
    arguments.parameter("roles", "JSON record of the role of each labelled region", json_argument, {})
    arguments.parameter("margin_nm", "margin in nm of the volume fractions", float, 100.0)
    arguments.output("output", "contents with the bias of each class (csv)")
    args = arguments.parse(argv)

    chosen = {entry["name"]: entry for entry in map(files.read_json, args.chosen)}
    contents = pd.concat([io.read_table(path) for path in args.contents], ignore_index=True)
    io.write_table(args.output, with_bias(contents, biases(args, chosen)), args.record)


if __name__ == "__main__":
    run(main)
