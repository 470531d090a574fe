"""What the key `paper` says, and what stands in for what it leaves out. Neither torch nor the library is needed."""

from config_checks import by_name, names_in, unknown_name
from config_schema import Finding, show

ROLES = ("train", "eval", "test", "compare")
TWO_DIMENSIONAL = ("unet_2d", "deeplab")  # how the names of networks begin that see one slice at a time


def is_2d(config, ensemble):
    """Whether all networks of an ensemble see one slice at a time."""
    return all(e["network"].startswith(TWO_DIMENSIONAL) for e in _experiments(config, ensemble))


def algorithm(config, ensemble):
    """Which of the published algorithms an ensemble repeats: its network's name, with _no_multi_loss where the loss on
    the 2D predictions is off. '' for a mixture of experiments."""
    experiments = _experiments(config, ensemble)
    if len(experiments) != 1:
        return ""
    network = experiments[0]["network"]
    single_loss = experiments[0]["training"]["auxiliary_weight"] == 0 and network == "hybrid_2d3d_333"
    return network + ("_no_multi_loss" if single_loss else "")


def _experiments(config, ensemble):
    experiments = by_name(config, "experiments")
    return [experiments[name] for name in by_name(config, "ensembles")[ensemble]["experiments"]]


def derive(config):
    """The record `paper` with everything in it; what the configuration leaves out is derived.

    main: the first ensemble. best_2d, best_3d: the first with 2D networks only, the first other one (None: there is
    none). ensembles: those with a k above 1, without the network hybrid_2d3d, which is in the authors' poster only.
    baselines: those of 2D networks or of k = 1 only. singles: the ensembles that are no baselines. poster: ensembles
    and those of hybrid_2d3d. regions: the first of each role.
    """
    paper, names = config["paper"], names_in(config, "ensembles")
    flat = [name for name in names if is_2d(config, name)]
    deep = [name for name in names if name not in flat]
    averaged = [e["name"] for e in config["ensembles"] if max(e["top_k"]) > 1]
    plain = [name for name in averaged if algorithm(config, name) == "hybrid_2d3d"]
    baselines = [name for name in names if name in flat or name not in averaged]
    derived = {
        "main": names[0],
        "best_2d": flat[0] if flat else None,
        "best_3d": deep[0] if deep else None,
        "ensembles": [name for name in averaged if name not in plain],
        "baselines": baselines,
    }
    derived["singles"] = [name for name in _given(paper, derived, "ensembles") if name not in baselines]
    ensembles = _given(paper, derived, "ensembles")
    derived["poster"] = ensembles + [name for name in plain if name not in ensembles]
    complete = {key: _given(paper, derived, key) for key in derived}
    regions = {role: paper["regions"][role] or _first(config, role) for role in ROLES}
    return {**complete, "regions": regions, "slices": paper["slices"], "published": paper["published"]}


def _given(paper, derived, key):
    return derived[key] if paper[key] is None else paper[key]


def _first(config, role):
    return next((region["name"] for region in config["regions"] if region["role"] == role), None)


def check_paper(config):
    """Names exist, and regions have the role they are shown for."""
    paper, ensembles = config["paper"], names_in(config, "ensembles")
    for key in ("main", "best_2d", "best_3d"):
        yield from unknown_name(f"paper.{key}", paper[key], "ensembles", ensembles)
    for key in ("ensembles", "singles", "baselines", "poster"):
        for i, name in enumerate(paper[key] or ()):
            yield from unknown_name(f"paper.{key}[{i}]", name, "ensembles", ensembles)
    regions = by_name(config, "regions")
    for role in ROLES:
        path, name = f"paper.regions.{role}", paper["regions"][role]
        yield from unknown_name(path, name, "regions", list(regions))
        found = regions[name]["role"] if name in regions else None
        if found and found != role:
            yield Finding(
                path, f"{show(name)} with the role {found}", f"a region with the role {role}", "Take another."
            )
