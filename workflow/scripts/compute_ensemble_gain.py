"""Gather how the score of ensembles grows with their size: the best k by eval score, random k, and single networks.

Writes ensemble, region (empty: the mean over the regions of the role), role (eval, test), k, kind (ranked, random, single),
predictor ("mean": all draws or seeds of that size), measure (miou_all, miou_org; 0 to 1), value, low and high (the middle
--coverage of the draws or seeds, nan elsewhere), n (values behind the row), unit.
"""

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.ensemble_gain import gain_table


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("metrics", "measures of all predictions (csv)")
    arguments.parameter("ensembles", "JSON list of the ensembles", json_argument, required=True)
    arguments.parameter("coverage", "share of the draws between low and high, 0 to 1", float, 0.95)
    arguments.output("output", "scores against size (csv)")
    args = arguments.parse(argv)

    table = gain_table(io.read_table(args.metrics), args.ensembles, args.coverage)
    io.write_table(args.output, table, args.record)


if __name__ == "__main__":
    run(main)
