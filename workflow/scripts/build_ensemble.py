"""Write the member list of an ensemble: its experiments' best k networks by eval score, and further ones by name.

Reads the ranking and the specifications stored in the checkpoints; writes a JSON with name, experiments, members
(experiment, seed, checkpoint, eval_miou, best first), targets and decision. Checkpoint paths are relative to the JSON's
folder. The members of several experiments are ranked together and need equal targets, decision, threshold and compose.
"""

import json
import os
from pathlib import Path

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import checkpoints, files, io
from densecell.classes import Classes
from densecell.ensembling import MEANINGS, member_list, rank


def describe_checkpoints(paths, class_names, folder):
    """{(experiment, seed): its checkpoint's path relative to `folder`, targets, and how they become classes}."""
    found = {}
    for path in paths:
        spec = checkpoints.read_specification(path)
        if list(spec["classes"]) != list(class_names):
            raise ValueError(
                f"{path}: trained for the classes {', '.join(spec['classes'])}, the configuration has "
                f"{', '.join(class_names)}; train again"
            )
        found[spec.get("experiment"), spec["seeds"].get("seed")] = {
            "checkpoint": Path(os.path.relpath(path, folder)).as_posix(),
            "targets": spec["targets"],
            "decision": spec["decision"],
            "threshold": str(spec.get("threshold")),
            "compose": json.dumps(spec.get("compose"), sort_keys=True),
        }
    return found


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("ranking", "ranking of the networks (csv)")
    arguments.input("checkpoints", "best checkpoint of every run of these experiments", several=True)
    arguments.parameter("name", "name of the ensemble", required=True)
    arguments.parameter("experiments", "JSON list of the experiments that give members", json_argument, required=True)
    arguments.parameter("top_k", "number of members", int, required=True)
    arguments.parameter("also", "JSON list of [experiment, seed] listed too, whatever their rank", json_argument, [])
    arguments.parameter("evaluated", "1: eval regions ranked the runs; 0: they come by seed, without a score", int, 1)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("output", "member list (json)")
    args = arguments.parse(argv)

    class_names = Classes.from_records(args.classes).names
    described = describe_checkpoints(args.checkpoints, class_names, Path(args.output).parent)
    ranking = io.read_table(args.ranking)
    ranking = ranking[ranking["experiment"].isin(args.experiments)]
    keys = list(zip(ranking["experiment"], ranking["seed"]))
    missing = [f"{experiment} seed {seed}" for experiment, seed in keys if (experiment, seed) not in described]
    if missing or not keys:
        raise ValueError(
            f"ensembles.{args.name}: expected ranked runs of {args.experiments} and a checkpoint for each, found "
            f"{len(keys)} runs and no checkpoint for {missing}; check ensembles.{args.name}.experiments"
        )
    for column in ("checkpoint", "targets", "decision", *MEANINGS):
        ranking = ranking.assign(**{column: [described[key][column] for key in keys]})
    try:
        ranked = rank(ranking)
        named = [[experiment, seed] in args.also for experiment, seed in zip(ranked["experiment"], ranked["seed"])]
        ranked = ranked[(ranked["rank"] <= args.top_k) | np.array(named)]
        members = member_list(ranked, max(args.top_k, len(ranked)), bool(args.evaluated))
    except ValueError as error:
        raise ValueError(f"ensembles.{args.name}: {error}") from error
    files.write_json(args.output, {"name": args.name, "experiments": args.experiments, **members}, args.record)


if __name__ == "__main__":
    run(main)
