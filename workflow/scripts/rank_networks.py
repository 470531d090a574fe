"""Rank the trained networks of each experiment by their best evaluation.

Reads the history of every run (experiment, seed, step, measure, class, value; IoU in [0, 1]) and writes one row per
run: experiment, seed, rank (1 = best of its experiment), eval_miou (mean IoU over all classes of the best evaluation,
the first of equal ones), best_step (optimizer step of that evaluation), collapsed (fewer than half of the classes
reach an IoU above 0.05 at the last evaluation), n_classes_found (classes that do). Only eval regions are looked at
(Guay et al. 2021, doi 10.1038/s41598-021-81590-0, Methods). Runs that no eval region evaluates are ordered by seed, without a
score; their best_step is the last step.
"""

import numpy as np
import pandas as pd

from command_line import Arguments, run
from densecell import io
from densecell.ensembling import COLLAPSE_IOU, is_collapsed, rank

COLUMNS = ["experiment", "seed", "rank", "eval_miou", "best_step", "collapsed", "n_classes_found"]


def score_run(history, path):
    """Scores of one run as a dict with COLUMNS but the rank. Raises ValueError naming `path`."""
    runs = history[["experiment", "seed"]].drop_duplicates()
    evaluations = history[(history["measure"] == "eval_miou") & (history["class"] == "all")].sort_values("step")
    classes = history[history["measure"] == "eval_iou"]
    if len(runs) != 1 or evaluations.empty or classes.empty:
        raise ValueError(
            f"{path}: expected one run with evaluations (eval_miou, eval_iou), found {len(runs)} runs and "
            f"{len(evaluations)} evaluations; delete the file, the network is trained again"
        )
    last_iou = classes.loc[classes["step"] == classes["step"].max(), "value"].to_numpy(float)
    if np.isnan(last_iou).all():
        raise ValueError(f"{path}: no class has an IoU; check that the eval regions (role eval) hold labels")
    scored = evaluations[evaluations["value"].notna()]
    best = scored.loc[scored["value"].idxmax()] if len(scored) else None
    return {
        "experiment": runs["experiment"].iloc[0],
        "seed": int(runs["seed"].iloc[0]),
        "eval_miou": np.nan if best is None else float(best["value"]),
        "best_step": pd.NA if best is None else int(best["step"]),
        "collapsed": is_collapsed(last_iou),
        "n_classes_found": int((last_iou > COLLAPSE_IOU).sum()),
    }


def unscored_run(history, path):
    """The same of a run that was trained without evaluation: no score. Raises ValueError naming `path`."""
    runs = history[["experiment", "seed"]].drop_duplicates()
    if len(runs) != 1:
        raise ValueError(f"{path}: expected one run, found {len(runs)}; delete the file, the network is trained again")
    return {
        "experiment": runs["experiment"].iloc[0],
        "seed": int(runs["seed"].iloc[0]),
        "eval_miou": np.nan,
        "best_step": int(history["step"].max()),
        "collapsed": False,
        "n_classes_found": pd.NA,
    }


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("histories", "history.csv of every run", several=True)
    arguments.parameter("evaluated", "1: the runs have evaluations on eval regions; 0: they have none", int, 1)
    arguments.output("output", "ranking (csv)")
    args = arguments.parse(argv)

    scored = score_run if args.evaluated else unscored_run
    scores = pd.DataFrame([scored(io.read_table(path), path) for path in args.histories])
    ranking = pd.concat([rank(runs) for _, runs in scores.groupby("experiment", sort=False)], ignore_index=True)
    io.write_table(args.output, ranking[COLUMNS], args.record)


if __name__ == "__main__":
    run(main)
