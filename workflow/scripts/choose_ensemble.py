"""Choose the size k of an ensemble on the eval regions and write the member list of that size.

The score of a k is its mean IoU over all classes, averaged over the eval regions; the smaller k wins between equals. A
table that holds any other role is refused, so test scores cannot take part. Writes the chosen member list with k and the
scores of all sizes (eval_miou_of_k). Without scores (networks that no eval region evaluates, or that predict some of the
classes only) there must be one size, which is taken.
"""

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.ensembling import choose_k


def eval_scores(metrics, name, sizes):
    """DataFrame k, role, eval_miou of an ensemble: the mean over its regions. Raises ValueError for a missing k."""
    mine = metrics[
        (metrics["experiment"] == name) & (metrics["reference"] == "reference") & (metrics["measure"] == "miou_all")
    ]
    rows = []
    for k in sizes:
        values = mine[mine["predictor"] == f"top{k}"]
        if values.empty:
            raise ValueError(f"ensembles.{name}.top_k: expected eval scores of top{k}, found none in the metrics")
        rows += [(k, role, value["value"].mean()) for role, value in values.groupby("role")]
    return pd.DataFrame(rows, columns=["k", "role", "eval_miou"])


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("metrics", "measures on the eval regions (csv)", required=False)
    arguments.input("member_lists", "member lists of the sizes, in the order of --top-k (json)", several=True)
    arguments.parameter("name", "name of the ensemble", required=True)
    arguments.parameter("top_k", "JSON list of the sizes", json_argument, required=True)
    arguments.output("output", "member list of the chosen size (json)")
    args = arguments.parse(argv)

    lists = dict(zip(args.top_k, args.member_lists, strict=True))
    if args.metrics is None and len(lists) != 1:
        raise ValueError(
            f"ensembles.{args.name}.top_k: expected one size, as no eval scores choose between them, found {args.top_k}"
        )
    if args.metrics is None:
        k, of_k = args.top_k[0], {}
    else:
        scores = eval_scores(io.read_table(args.metrics), args.name, args.top_k)
        k = choose_k(scores)
        of_k = {str(row.k): float(row.eval_miou) for row in scores.itertuples()}
    chosen = {**files.read_json(lists[k]), "name": args.name, "k": k, "eval_miou_of_k": of_k}
    files.write_json(args.output, chosen, args.record)


if __name__ == "__main__":
    run(main)
