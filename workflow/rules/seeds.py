"""Seeds of the experiments as lists, fewer of them where seeds_scale asks for a smaller run."""


def expanded(seeds):
    """A list of seeds; a whole number n stands for 1 to n. None (refused by the schema) stays None."""
    return list(range(1, seeds + 1)) if isinstance(seeds, int) else seeds


def first(seeds, scale):
    """The first max(1, round(n x scale)) of n seeds."""
    return seeds[: max(1, round(len(seeds) * scale))]


def apply(config):
    """The resolved configuration with every experiment's seeds as a list, scaled.

    Ensembles lose the sizes in top_k, and the singles, that only the dropped seeds made possible, but one that no eval
    region ranks keeps as many members as there are; sizes beyond the seeds before scaling stay, for the check to tell. seeds_scale becomes 1, so that applying twice changes nothing.
    """
    scale = config["seeds_scale"] or 1
    before = [{**e, "seeds": expanded(e["seeds"])} for e in config["experiments"]]
    after = [{**e, "seeds": e["seeds"] and first(e["seeds"], scale)} for e in before]
    ensembles = config["ensembles"]
    if scale != 1:
        ensembles = [_within(e, runs(e, before), runs(e, after), _is_ranked(e, after)) for e in ensembles]
    return {**config, "seeds_scale": 1, "experiments": after, "ensembles": ensembles}


def runs(ensemble, experiments):
    """Number of the runs that the experiments of an ensemble have together."""
    return sum(len(e["seeds"] or ()) for e in experiments if e["name"] in (ensemble["experiments"] or ()))


def _is_ranked(ensemble, experiments):
    """Whether eval regions choose the k of an ensemble."""
    members = [e for e in experiments if e["name"] in (ensemble["experiments"] or ())]
    return all(e["evaluate"] == "eval" and e["targets"] is None for e in members)


def _within(ensemble, n_before, n_after, is_ranked):
    top_k = [k for k in ensemble["top_k"] or () if k <= n_after or k > n_before]
    if ensemble["top_k"] and not is_ranked:
        top_k = list(dict.fromkeys(k if k > n_before else min(k, n_after) for k in ensemble["top_k"]))
    singles = ensemble["n_singles"]
    singles = min(singles, n_after) if singles and singles <= n_before else singles
    return {**ensemble, "top_k": top_k or (ensemble["top_k"] and [1]), "n_singles": singles}
