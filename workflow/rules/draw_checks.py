"""What a configuration says about sparse labels: regions and targets of experiments, draws, and what evaluates them.

Each check takes the resolved configuration, in which None stands for what the schema has already refused, and
yields findings.
"""

import math

from config_checks import by_name, names_in, unknown_name
from config_schema import Finding, show
from data_checks import region_box
from labelled_slices import n_labelled

NO_EVAL = "held_out or none"


def check_draws(config, shapes):
    """Findings about experiments[].regions, targets, draw, evaluate and scored_on, and the ensembles of such experiments.

    shapes: {("volumes", name): (Z, Y, X) of its raw stack}, as far as it is known.
    """
    regions = by_name(config, "regions")
    for i, experiment in enumerate(config["experiments"]):
        where = f"experiments[{i}]"
        yield from _check_regions(where, experiment, regions)
        yield from _check_targets(where, experiment, names_in(config, "classes"))
        yield from _check_evaluate(where, experiment)
        yield from _check_n_slices(where, experiment, config, shapes)
        yield from _check_weights(where, experiment)
        yield from _check_separate(where, experiment, config, shapes)
        yield from _check_scored_on(where, experiment, config)
    yield from _check_ensembles(config)
    yield from _check_class_maps(config)


def of_role(experiment, regions, role):
    """Names of the regions of a role that an experiment uses."""
    own = experiment["regions"]
    return [name for name, r in regions.items() if r["role"] == role and (own is None or name in own)]


def _check_regions(where, experiment, regions):
    """Regions exist and hold one to train on and, with evaluate: eval, one to evaluate on."""
    for j, name in enumerate(experiment["regions"] or ()):
        yield from unknown_name(f"{where}.regions[{j}]", name, "regions", list(regions))
    if not set(experiment["regions"] or ()) <= set(regions) or None in [r["role"] for r in regions.values()]:
        return
    whose = "all regions" if experiment["regions"] is None else ", ".join(experiment["regions"])
    needed = ["train"] + ["eval"] * (experiment["evaluate"] == "eval")
    for role in needed if experiment["regions"] is not None else ():
        if not of_role(experiment, regions, role):
            hint = f"Add a region of role {role}" + (", or set evaluate: held_out or none." if role == "eval" else ".")
            yield Finding(f"{where}.regions", whose, f"a region of role {role} among them", hint)


def _check_targets(where, experiment, names):
    """A softmax predicts all classes in their order: they exclude each other."""
    targets = experiment["targets"]
    if targets and experiment["activation"] == "softmax" and list(targets) != names and set(targets) <= set(names):
        hint = "Set activation: sigmoid and decision: compose, or remove targets."
        yield Finding(f"{where}.targets", ", ".join(targets), "null, or all classes in order, with softmax", hint)


def _check_evaluate(where, experiment):
    """Held-out slices are those that were not drawn."""
    if experiment["evaluate"] != "held_out":
        return
    draw = experiment["draw"]
    if draw is None or draw["n_slices"] == "all":
        found = "held_out without a draw" if draw is None else "held_out with draw.n_slices: all"
        hint = "Set draw: {n_slices: 7}, or evaluate: none."
        yield Finding(f"{where}.evaluate", found, "a draw that leaves some of the labelled slices", hint)


def _check_n_slices(where, experiment, config, shapes):
    """A draw has no more slices than are labelled, where that is known before anything runs."""
    n = (experiment["draw"] or {}).get("n_slices")
    labelled = n_labelled(config, experiment, shapes) if isinstance(n, int) else None
    if labelled is None:
        return
    if n > labelled:
        hint = "Use fewer, or label more."
        yield Finding(f"{where}.draw.n_slices", str(n), f"at most {labelled}, the labelled slices", hint)
    elif n == labelled and experiment["evaluate"] == "held_out":
        found = f"{n} of {labelled} labelled slices: nothing is left to evaluate"
        hint = "Set evaluate: none, or use fewer slices."
        yield Finding(f"{where}.draw.n_slices", found, f"fewer than {labelled} with evaluate: held_out", hint)


def _check_weights(where, experiment):
    """Weights are made of the labels of all slices, those that were not drawn among them."""
    if experiment["draw"] and experiment["weight_map"] not in ("none", None):
        hint = "Set weight_map: none, or draw: null."
        expected = "none with a draw: weights are made of the labels of all slices, drawn or not"
        yield Finding(f"{where}.weight_map", show(experiment["weight_map"]), expected, hint)


def _check_separate(where, experiment, config, shapes):
    """A slice that one train region holds out isn't trained on in another."""
    if experiment["evaluate"] != "held_out":
        return
    regions, volumes = by_name(config, "regions"), by_name(config, "volumes")
    train = [regions[name] for name in of_role(experiment, regions, "train") if regions[name]["volume"] in volumes]
    for j, region in enumerate(train):
        for other in train[:j]:
            pair = [volumes[r["volume"]] for r in (other, region)]
            ranges = [_raw_range(r, volume, shapes) for r, volume in zip((other, region), pair)]
            start, stop = max(a for a, _ in ranges), min(b for _, b in ranges)
            if pair[0]["path"] == pair[1]["path"] and start < stop:
                names = f"train regions '{other['name']}' and '{region['name']}'"
                found = f"{names} of one stack, which share slices {start} to {stop - 1:g}".replace(
                    "to inf", "to the end"
                )
                expected = (
                    "with evaluate: held_out, regions without common slices: what one holds out the other may train on"
                )
                hint = f"Make one region of the two, or name one of them in regions of '{experiment['name']}'."
                yield Finding(f"{where}.regions", found, expected, hint)


def _raw_range(region, volume, shapes):
    """(first, one after the last) raw slice of a region, infinite where the stack's size isn't known."""
    start, stop = region_box(region, volume, shapes)[0]
    return start * volume["binning"][0], math.inf if stop is None else stop * volume["binning"][0]


def _check_scored_on(where, experiment, config):
    """A region of the same stack, as fine or finer, which an experiment with held-out slices in one region is scored on."""
    name, regions, volumes = experiment["scored_on"], by_name(config, "regions"), by_name(config, "volumes")
    if name is None:
        return
    where = f"{where}.scored_on"
    yield from unknown_name(where, name, "regions", list(regions))
    if experiment["evaluate"] != "held_out":
        expected = "null: only held-out slices are scored on another region"
        yield Finding(where, show(name), expected, "Set evaluate: held_out, or remove scored_on.")
    train = of_role(experiment, regions, "train")
    if len(train) > 1:
        hint = "Name one train region in regions of the experiment."
        yield Finding(where, f"{show(name)} for the train regions {', '.join(train)}", "one train region", hint)
    if name not in regions or len(train) != 1:
        return
    if "reference" not in regions[name]["labels"]:
        expected = "a region with reference labels"
        yield Finding(where, f"{show(name)} without them", expected, "Add labels: {reference: NAME} to it.")
    if regions[name]["role"] not in ("train", None):
        found = f"{show(name)} of role {regions[name]['role']}"
        hint = "Make a region of role train, and name the train region of the experiment in its regions."
        yield Finding(where, found, "a region of role train, whose held-out slices are scored", hint)
    fine, coarse = (volumes.get(regions[r]["volume"]) for r in (name, train[0]))
    if fine and coarse:
        yield from _check_same_stack(where, name, fine, coarse)


def _check_same_stack(where, name, fine, coarse):
    """Two records of one file, neither aligned (each would be by itself), of which one is binned as much or less."""
    if fine["name"] == coarse["name"]:
        return
    methods = {v["name"]: v["alignment"]["method"] for v in (fine, coarse)}
    moved = [f"'{volume}' ({method})" for volume, method in methods.items() if method not in ("none", None)]
    if moved:
        found = (
            f"{show(name)} of volume '{fine['name']}' for '{coarse['name']}', with alignment of {' and '.join(moved)}"
        )
        expected = "records with alignment method none: each is aligned by itself, so that their voxels would not meet"
        yield Finding(where, found, expected, "Align the stack first and give it with method: none, or use one volume.")
    same = [key for key in ("path", "axes", "voxel_size_nm", "origin_nm") if fine[key] != coarse[key]]
    if same:
        found = (
            f"{show(name)} of volume '{fine['name']}', whose {', '.join(same)} differ from those of '{coarse['name']}'"
        )
        yield Finding(where, found, "a region of another record of the same stack", "Correct one of the two volumes.")
    steps = [(a, b) for a, b in zip(fine["binning"], coarse["binning"])]
    if fine["binning"][0] != coarse["binning"][0] or any(a > b or b % a for a, b in steps):
        found = f"binning {show(fine['binning'])} for a network trained at {show(coarse['binning'])}"
        expected = "the same binning in z, and in y and x a whole part of it"
        yield Finding(where, found, expected, "Use a record of the stack that is binned less.")


def _check_ensembles(config):
    """Without scores of class maps on eval regions nothing chooses k: there is one, and members of one kind."""
    experiments, classes = by_name(config, "experiments"), set(names_in(config, "classes"))
    if not config["ensembles"] and any(e["evaluate"] == "eval" for e in experiments.values()):
        expected = "at least one, where experiments have evaluate: eval"
        yield Finding("ensembles", "0 entries", expected, "Add {name: all, experiments: [...], top_k: [1]}.")
    for i, ensemble in enumerate(config["ensembles"]):
        members = [experiments[n] for n in ensemble["experiments"] or () if n in experiments]
        kinds = {e["evaluate"] == "eval" for e in members}
        if len(kinds) > 1:
            listed = ", ".join(f"{e['name']} ({e['evaluate']})" for e in members)
            hint = "Make one ensemble of each kind."
            yield Finding(f"ensembles[{i}].experiments", listed, f"all with evaluate: eval, or all {NO_EVAL}", hint)
        some = [e["name"] for e in members if e["targets"] and set(e["targets"]) != classes]
        if members and (kinds == {False} or some) and len(ensemble["top_k"] or [0]) > 1:
            why = (
                f"evaluate: {NO_EVAL}" if kinds == {False} else f"targets that are not all classes ({', '.join(some)})"
            )
            hint = "Keep one, such as the number of seeds: the first members by seed (or rank) are averaged."
            yield Finding(f"ensembles[{i}].top_k", show(ensemble["top_k"]), f"one k, with {why}", hint)


def _check_class_maps(config):
    """What compares class maps needs ensembles of all classes; the paper's figures those that eval regions choose, too."""
    experiments, classes = by_name(config, "experiments"), set(names_in(config, "classes"))
    partial, unranked = [], []
    for name, ensemble in by_name(config, "ensembles").items():
        members = [experiments[e] for e in ensemble["experiments"] or () if e in experiments]
        some = any(set(e["targets"] or classes) != classes for e in members)
        partial += [name] * some
        unranked += [name] * (some or any(e["evaluate"] != "eval" for e in members))
    hint = "Remove it from the list."
    for part in ("foreground", "small_regions"):
        for j, name in enumerate(config["analysis"][part]["ensembles"] or ()):
            if name in partial:
                where = f"analysis.{part}.ensembles[{j}]"
                yield Finding(where, show(name), "an ensemble that predicts all classes", hint)
    paper, ranked = config["paper"], "an ensemble of all classes, with evaluate: eval"
    for key in ("main", "best_2d", "best_3d"):
        if paper[key] in unranked:
            yield Finding(f"paper.{key}", show(paper[key]), ranked, "Take another, or null.")
    for key in ("ensembles", "singles", "baselines", "poster"):
        for j, name in enumerate(paper[key] or ()):
            if name in unranked:
                yield Finding(f"paper.{key}[{j}]", show(name), ranked, hint)
