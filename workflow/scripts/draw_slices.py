"""Draw the training slices of an experiment from its labelled slices, one draw for each seed.

Reads which slices each target map says are labelled (attributes labelled_slices and incomplete_slices; slices of the region,
from 0). A slice counts as labelled where every target of the experiment is known and complete. Writes one row for each seed,
region and slice: experiment, seed, n_slices, pick, region, z, use (train, held_out or incomplete), distance (slices to the
nearest training slice of the same region, 0 for train; nan where the region has none).
"""

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import draws, io


def slices_of(paths):
    """(labelled, incomplete) slices of one region, sorted: known and complete in every target map, and only known."""
    known, complete = None, None
    for path in paths:
        attributes = io.open_volume(path).attributes
        whole = set(attributes["labelled_slices"])
        every = whole | set(attributes["incomplete_slices"])
        known, complete = (every, whole) if known is None else (known & every, complete & whole)
    return sorted(complete), sorted(known - complete)


def check_count(experiment, n_labelled, n_slices, evaluate):
    """Raise ValueError for more slices than are labelled, or for none left to score."""
    n, where = n_labelled if n_slices == "all" else n_slices, f"experiments.{experiment}"
    if not n_labelled:
        raise ValueError(
            f"{where}.draw: expected slices in which all of its targets are labelled, found none in its train regions. "
            "Check labels of these regions, or use fewer targets."
        )
    if n > n_labelled:
        raise ValueError(
            f"{where}.draw.n_slices: expected at most {n_labelled}, the slices in which all of its targets are labelled and "
            f"complete, found {n}. Use fewer, or label more."
        )
    if evaluate == "held_out" and n == n_labelled:
        raise ValueError(
            f"{where}.draw.n_slices: {n} of {n_labelled} labelled slices are trained on, so that nothing is left to evaluate. "
            f"Set {where}.evaluate: none, or use fewer slices."
        )


def say_different(table, n_slices, pick):
    """Print how many of the draws in `table` differ, and a warning where seeds share their training slices."""
    train = table[table["use"] == draws.TRAIN]
    found = {tuple(zip(rows["region"], rows["z"])) for _, rows in train.groupby("seed")}
    n_seeds, n_labelled = (
        table["seed"].nunique(),
        int((table["use"] != draws.INCOMPLETE).sum()) // table["seed"].nunique(),
    )
    n = n_labelled if n_slices == "all" else n_slices
    print(f"{n_seeds} draws of {n} of {n_labelled} labelled slices, {len(found)} of them different.")
    if len(found) < n_seeds and n < n_labelled:
        possible = draws.n_different(n_labelled, n, pick)
        print(
            f"WARNING: some seeds train on the same slices and differ in their weights and windows only: {possible} different "
            f"draws of {n} of {n_labelled} slices exist with pick: {pick}. Fewer seeds, other seeds, another n_slices"
            f"{' or pick: random' if pick == 'even' else ''} may give more that differ."
        )


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("targets", "target maps, region by region, of every region all targets (OME-Zarr)", several=True)
    arguments.parameter("experiment", "name of the experiment", required=True)
    arguments.parameter("regions", "JSON list of its train regions, in the order of the maps", json_argument, [])
    arguments.parameter("draw", "JSON record of n_slices (a number or all) and pick", json_argument, required=True)
    arguments.parameter("seeds", "JSON list of seeds, one draw each", json_argument, required=True)
    arguments.parameter("evaluate", "eval, held_out or none: whether slices must be left", default="none")
    arguments.output("output", "draws (csv)")
    args = arguments.parse(argv)

    n_targets, odd = divmod(len(args.targets), len(args.regions))
    if odd:
        raise ValueError(
            f"--targets: expected as many for each of {len(args.regions)} regions, found {len(args.targets)}."
        )
    labelled, incomplete = {}, {}
    for i, region in enumerate(args.regions):
        labelled[region], incomplete[region] = slices_of(args.targets[i * n_targets : (i + 1) * n_targets])
    n_slices, pick = args.draw["n_slices"], args.draw["pick"]
    check_count(args.experiment, sum(map(len, labelled.values())), n_slices, args.evaluate)
    rows = draws.draw_table(labelled, incomplete, n_slices, pick, args.seeds)
    table = pd.DataFrame([{"experiment": args.experiment, **row} for row in rows], columns=draws.COLUMNS)
    say_different(table, n_slices, pick)
    io.write_table(args.output, table.astype({"distance": "Int64"}), args.record)


if __name__ == "__main__":
    run(main)
