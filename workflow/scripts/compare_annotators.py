"""Tabulate who agrees with whom where several people labelled a region, and how networks compare with people.

For every compare region with two label sources or more: mean IoU of each pair of sources and of each source with the
chosen k of each ensemble, the mean and the highest agreement of people with each other, and the difference of each
ensemble's mean agreement with people to these. A `reference` counts as one of the people only where there are fewer than
two annotators. Writes volume, region, reference, experiment, predictor, class, measure, value, unit.
"""

from command_line import Arguments, run
from densecell import files, io
from densecell.annotators import agreement_table


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("metrics", "measures of every comparison (csv)")
    arguments.input("chosen", "chosen member list of every ensemble (json)", several=True)
    arguments.output("output", "agreements (csv)")
    args = arguments.parse(argv)

    chosen = {entry["name"]: f"top{entry['k']}" for entry in map(files.read_json, args.chosen)}
    io.write_table(args.output, agreement_table(io.read_table(args.metrics), chosen), args.record)


if __name__ == "__main__":
    run(main)
