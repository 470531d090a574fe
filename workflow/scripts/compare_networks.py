"""Compare the experiments by all their runs (seeds): each by itself and each pair.

Scores of a run, 0 to 1: the best mean IoU over all classes on the eval regions (eval_miou_all; Fig. S5 of Guay et al. 2021,
doi 10.1038/s41598-021-81590-0), and where seeds were predicted singly the means over the test regions (test_miou_org,
test_miou_all). Per experiment: mean and median with expanded percentile bootstrap intervals, spread, collapsed runs and
runs below --low-miou with exact intervals. Per pair: the difference of the means, the probability of superiority, the
exact rank test, Holm-corrected over the pairs. A second table says it in sentences, made from the numbers by rule.
"""

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.network_comparison import Settings, comparison_table, scores_of_runs
from densecell.network_verdicts import sentences


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("ranking", "ranking of the networks (csv)")
    arguments.input("metrics", "measures of all predictions (csv)")
    arguments.parameter(
        "experiment_of", "JSON {ensemble: experiment} of the ensembles of one experiment", json_argument, default={}
    )
    arguments.parameter("confidence", "of the intervals and tests, 0 to 1", float, 0.95)
    arguments.parameter("n_bootstrap", "bootstrap samples", int, 10000)
    arguments.parameter("seed", "seed of the bootstrap", int, 0)
    arguments.parameter("low_miou", "mean IoU below which a run counts as not having learned", float, 0.3)
    arguments.output("output", "the numbers (csv)")
    arguments.output("text", "the sentences (csv)")
    args = arguments.parse(argv)

    ranking = io.read_table(args.ranking)
    scores = scores_of_runs(ranking, io.read_table(args.metrics), args.experiment_of)
    table = comparison_table(ranking, scores, Settings(args.confidence, args.n_bootstrap, args.seed, args.low_miou))
    io.write_table(args.output, table, args.record)
    io.write_table(args.text, sentences(table, args.confidence), args.record)


if __name__ == "__main__":
    run(main)
