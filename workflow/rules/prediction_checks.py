"""What a configuration says about prediction: tiles, margins, how targets become classes, and the whole volumes that are predicted.

Each check takes the resolved configuration, in which None stands for what the schema has already refused, and
yields findings.
"""

from config_checks import by_name
from config_schema import Finding, did_you_mean, show
from network_sizes import NETWORK_OPTIONS

DECISIONS = {"softmax": "argmax", "sigmoid": "compose"}


def check_prediction(config):
    """Keys that belong to one way of stitching, margins that leave something of a tile, decisions, whole volumes, compositions."""
    prediction = config["prediction"]
    yield from _check_tiles(prediction)
    yield from _check_full_volumes(config, prediction["full_volumes"])
    for i, experiment in enumerate(config["experiments"]):
        yield from _check_decision(f"experiments[{i}]", experiment, config)
    for i, composition in enumerate(config["compositions"]):
        yield from _check_composition(f"compositions[{i}]", composition, config)
    yield from _check_foreground(config)


def _check_tiles(prediction):
    stitch, tile, halo = prediction["stitch"], prediction["tile"], prediction["halo"]
    if stitch == "depth":
        if any(isinstance(side, str) for side in tile or ()):
            expected = "three whole numbers or null; words need stitch: halo"
            yield Finding("prediction.tile", show(tile), expected, "Set stitch: halo, or tile: null.")
        if halo not in (None, "auto"):
            expected = "auto, with stitch: depth; its tiles have no margin"
            yield Finding("prediction.halo", show(halo), expected, "Set stitch: halo, or remove halo.")
        return
    if stitch == "blend":
        if "auto" in (tile or ())[1:]:
            expected = "a number or window in y and x: the result of stitch: blend depends on the tile"
            yield Finding("prediction.tile", show(tile), expected, "Write window, or a number, in place of auto.")
        if isinstance(halo, list) and halo[1:] != ["auto", "auto"]:
            expected = "auto in y and x, with stitch: blend; its tiles have a margin in z only"
            yield Finding("prediction.halo", show(halo), expected, f"Use [{halo[0]}, auto, auto].")
    # without halo one slice in z (densecell/tile_choice.py); what a network's pools round up only its job can tell
    margins = [1, "auto", "auto"] if halo is None else ["auto"] * 3 if halo == "auto" else halo
    margins = margins if tile or halo else ["auto"] * 3
    for axis, margin, side in zip("zyx", margins, tile or ["auto"] * 3):
        if isinstance(margin, int) and isinstance(side, int) and 2 * margin >= side:
            yield Finding(
                "prediction.halo",
                show(halo),
                f"less than half of the tile in {axis}, {side}",
                "Use a smaller halo or a larger tile.",
            )


def _check_full_volumes(config, full_volumes):
    labels, seen = by_name(config, "labels"), set()
    for i, full in enumerate(full_volumes):
        where, volume = f"prediction.full_volumes[{i}]", full["volume"]
        if volume and (volume, full["ensemble"]) in seen:
            found = f"{show(volume)} with {show(full['ensemble'])} a second time"
            yield Finding(where, found, "each pair once", "Remove one of the two.")
        seen.add((volume, full["ensemble"]))
        mask = labels.get(full["mask"])
        if mask and volume and mask["volume"] not in (None, volume):
            found = f"{show(full['mask'])}, labels of volume {show(mask['volume'])}"
            expected = f"labels of {show(volume)}, the volume that is predicted"
            yield Finding(f"{where}.mask", found, expected, "Correct the mask or the volume.")
        elif mask and mask["kind"] == "instance":
            found, hint = f"{show(full['mask'])} of kind instance", "Name a source of class labels."
            yield Finding(f"{where}.mask", found, "labels of kind semantic", hint)


def _check_decision(where, experiment, config):
    """Activation and decision fit each other, and compose names what is there."""
    activation, decision = experiment["activation"], experiment["decision"]
    if None in (activation, decision):
        return
    if decision != DECISIONS[activation]:
        hint = f"Set decision: {DECISIONS[activation]}."
        yield Finding(f"{where}.decision", decision, f"{DECISIONS[activation]}, with activation: {activation}", hint)
    if activation == "sigmoid" and _has_relu(experiment):
        expected = "predictor_relu: false, with activation: sigmoid: above a ReLU no probability is below a half"
        yield Finding(f"{where}.options.predictor_relu", "true", expected, "Set options: {predictor_relu: false}.")
    if decision == "compose":
        names = [c["name"] for c in config["classes"]]
        targets = _with_class(experiment["targets"] or names, config)
        if set(targets) <= set(names):
            yield from _check_compose(f"{where}.compose", experiment["compose"], targets, config["classes"])
    elif experiment["threshold"] != 0.5 or any(experiment["compose"][key] for key in ("order", "outside")):
        key = "threshold" if experiment["threshold"] != 0.5 else "compose"
        found, hint = show(experiment[key]), f"Set activation: sigmoid and decision: compose, or remove {key}."
        yield Finding(f"{where}.{key}", found, "nothing, with decision: argmax", hint)


def _with_class(targets, config):
    """The targets that claim voxels of a class map: all but boundaries."""
    boundaries = by_name(config, "boundaries")
    return [name for name in targets if name not in boundaries]


def _has_relu(experiment):
    """Whether a ReLU ends the network: 2D-3D networks have one unless told otherwise."""
    options = NETWORK_OPTIONS.get(experiment["network"], ())
    return "predictor_relu" in options and experiment["options"].get("predictor_relu") is not False


def _check_compose(where, record, targets, classes):
    """The order holds each target once, a class after the one it lies in; outside is a class."""
    order, outside, names = record["order"], record["outside"], [c["name"] for c in classes]
    if outside is not None and outside not in names:
        hint = did_you_mean(outside, names) or "Use one of these, or null."
        yield Finding(f"{where}.outside", show(outside), f"a name in classes: {', '.join(map(str, names))}", hint)
    if order is None or None in (*order, *targets):
        return
    if sorted(order) != sorted(targets):
        expected = f"each target once: {', '.join(targets)}"
        yield Finding(f"{where}.order", ", ".join(order), expected, "Name all of them, or use null.")
        return
    inside = {c["name"]: c["inside"] for c in classes}
    for name in targets:
        outer = inside[name]
        while outer in inside and outer not in targets and outer != name:
            outer = inside[outer]
        if outer in targets and order.index(outer) > order.index(name):
            found = f"{outer} after {name}, which lies inside it and would be covered"
            yield Finding(
                f"{where}.order", found, f"{name} after {outer}", f"Exchange them, or remove inside of {name}."
            )


def _check_composition(where, composition, config):
    """Its ensembles predict different targets, each by itself, in at least one whole volume of which probabilities are kept."""
    ensembles, experiments = by_name(config, "ensembles"), by_name(config, "experiments")
    if composition["name"] in ensembles:
        hint = "Rename the composition; both get a folder of this name."
        yield Finding(f"{where}.name", show(composition["name"]), "a name that no ensemble has", hint)
    members = [name for name in composition["ensembles"] or () if name in ensembles]
    firsts = [experiments.get((ensembles[name]["experiments"] or [None])[0]) for name in members]
    if not members or None in firsts:
        return
    all_names, first_of = [c["name"] for c in config["classes"]], {}
    for name, experiment in zip(members, firsts):
        if experiment["activation"] == "softmax":
            expected = "ensembles of experiments with activation: sigmoid, whose targets don't exclude each other"
            yield Finding(f"{where}.ensembles", f"{name} with softmax", expected, f"Remove {name}.")
        for target in _with_class(experiment["targets"] or all_names, config):
            if first_of.setdefault(target, name) != name:
                found = f"{target} of {first_of[target]} and of {name}"
                yield Finding(f"{where}.ensembles", found, "each target of one ensemble", "Remove one of the two.")
    if set(first_of) <= set(all_names):
        yield from _check_compose(where, composition, list(first_of), config["classes"])
    kept = {(job["volume"], job["ensemble"]) for job in config["prediction"]["full_volumes"] if job["probabilities"]}
    if not any(all((v["name"], name) in kept for name in members) for v in config["volumes"]):
        expected = "one volume in prediction.full_volumes with each of them and probabilities: true"
        hint = f"Add a record for each of {', '.join(members)} with probabilities: true."
        yield Finding(f"{where}.ensembles", "no volume that is predicted with all of them", expected, hint)


def _check_foreground(config):
    """Tissue is where a softmax says that background is not."""
    ensembles, experiments = by_name(config, "ensembles"), by_name(config, "experiments")
    for j, name in enumerate(config["analysis"]["foreground"]["ensembles"] or ()):
        members = ensembles.get(name, {}).get("experiments") or ()
        if any(experiments[e]["activation"] == "sigmoid" for e in members if e in experiments):
            expected = "an ensemble of experiments with activation: softmax, whose probabilities add up to 1"
            where = f"analysis.foreground.ensembles[{j}]"
            yield Finding(where, f"{show(name)} with sigmoid", expected, "Remove it from the list.")
