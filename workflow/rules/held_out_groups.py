"""Which experiments with held-out scores a picture compares: those that differ in their context alone, or in their network alone."""

import json


def context_px(experiment, config):
    """How much of a slice the network sees at once, raw pixels along x: its window times the binning of its volume."""
    volumes = {v["name"]: v for v in config["volumes"]}
    chosen = [r for r in config["regions"] if experiment["regions"] is None or r["name"] in experiment["regions"]]
    volume = next(volumes[r["volume"]] for r in chosen if r["role"] == "train")
    return experiment["window"][2] * volume["binning"][2]


def n_slices(experiment):
    return (experiment["draw"] or {}).get("n_slices")


def series(experiment):
    """The name that it shares with those of other numbers of slices."""
    return experiment["name"].removesuffix(f"_n{n_slices(experiment)}")


def _held_out(config):
    return [e for e in config["experiments"] if e["evaluate"] == "held_out"]


def _of_several_values(groups):
    return {key: found for key, found in groups.items() if len(set(found.values())) > 1}


def _places(experiment, config, *key):
    """Where its points would lie in a picture: one place for each target, at `key`."""
    return {(*key, n_slices(experiment), t) for t in experiment["targets"] or [c["name"] for c in config["classes"]]}


def by_context(config):
    """{network: {experiment: context in raw pixels}} of the networks that were trained with several contexts.

    A network with other options is another one, told apart by a number. Of experiments that would lie at the same place the
    first is taken.
    """
    groups, names, seen = {}, {}, set()
    for e in _held_out(config):
        kind, context = (e["network"], json.dumps(e["options"], sort_keys=True)), context_px(e, config)
        n_others = sum(network == e["network"] for network, _ in names)
        name = names.setdefault(kind, f"{e['network']}_{n_others + 1}" if n_others else e["network"])
        places = _places(e, config, name, context)
        if not places & seen:
            groups.setdefault(name, {})[e["name"]] = context
        seen |= places
    return _of_several_values(groups)


def by_network(config):
    """{context in raw pixels: {experiment: network}} of the contexts with which several networks were trained.

    Experiments that would lie at the same place, such as a network with other options, are told apart by their names.
    """
    experiments, at = _held_out(config), {}
    for e in experiments:
        for place in _places(e, config, context_px(e, config), e["network"]):
            at.setdefault(place, set()).add(series(e))
    groups = {}
    for e in experiments:
        context = context_px(e, config)
        is_alone = all(len(at[place]) == 1 for place in _places(e, config, context, e["network"]))
        groups.setdefault(context, {})[e["name"]] = e["network"] if is_alone else series(e)
    return _of_several_values(groups)
