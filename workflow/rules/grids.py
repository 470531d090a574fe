"""Grids of experiments: draw.n_slices as a list stands for one experiment each, and so does an ensemble of such an experiment.

Names get the number: `nuclei` with n_slices: [7, 10] becomes `nuclei_n7` and `nuclei_n10`. What else names the ensemble (whole
volumes, compositions, lists of ensembles) then names each. A configuration without such a list stays as it is.
"""

import re

LISTS = (  # (mapping or list of records that holds the key, the key): lists of names of ensembles
    (("analysis", "foreground"), "ensembles"),
    (("analysis", "small_regions"), "ensembles"),
    (("renderings",), "ensembles"),
    (("videos", "rotations"), "ensembles"),
    (("paper",), "ensembles"),
    (("paper",), "singles"),
    (("paper",), "baselines"),
    (("paper",), "poster"),
)


def numbers(experiment):
    """The numbers of slices that an experiment stands for; none where it stands for itself."""
    n_slices = (experiment["draw"] or {}).get("n_slices")
    return n_slices if isinstance(n_slices, list) else []


def named(name, n):
    return f"{name}_n{n}"


def apply(config):
    """The resolved configuration with every grid as its experiments and ensembles. Applying it twice changes nothing."""
    return expanded(config)[0]


def expanded(config):
    """(the configuration with every grid expanded, {"experiments[3]": "experiments[1]"}: where records come from)."""
    grids = {e["name"]: numbers(e) for e in config["experiments"] if numbers(e) and e["name"] is not None}
    if not grids:
        return config, {}
    experiments, origins = _each(config["experiments"], "experiments", _of_experiment)
    more = {"experiments": experiments}
    stands_for = {}  # ensemble or composition -> the numbers it stands for
    for section, key in (("ensembles", "experiments"), ("compositions", "ensembles")):
        below = grids if key == "experiments" else stands_for.copy()
        records = config.get(section) or []
        stands_for |= {r["name"]: _numbers_of(r[key], below) for r in records if _numbers_of(r[key], below)}
        found, places = _each(records, section, lambda r, key=key, below=below: _of_members(r, key, below))
        more[section], origins = found, origins | places
    full, places = _each(
        config["prediction"]["full_volumes"], "prediction.full_volumes", lambda job: _of_job(job, stands_for)
    )
    more["prediction"] = {**config["prediction"], "full_volumes": full}
    config = {**config, **{key: value for key, value in more.items() if key in config}}
    for path, key in LISTS:
        config = _with_names(config, path, key, stands_for)
    return config, origins | places


def _each(records, section, of):
    """(the records that `of` makes of each, {path of a new record: path of the one it comes from})."""
    made = [(i, new) for i, record in enumerate(records) for new in of(record)]
    return [new for _, new in made], {f"{section}[{j}]": f"{section}[{i}]" for j, (i, _) in enumerate(made)}


def _of_experiment(experiment):
    ns = numbers(experiment)
    one = [
        {**experiment, "name": named(experiment["name"], n), "draw": {**experiment["draw"], "n_slices": n}} for n in ns
    ]
    return one if ns and experiment["name"] is not None else [experiment]


def _numbers_of(names, grids):
    """The numbers that a list of names stands for, in order of appearance."""
    return list(dict.fromkeys(n for name in names or () for n in grids.get(name, ())))


def _of_members(record, key, grids):
    """One record for each number; of members that are grids too, those of this number, the others as they are."""
    ns = _numbers_of(record[key], grids)
    if not ns or record["name"] is None:
        return [record]
    members = {n: [named(m, n) if m in grids else m for m in record[key]] for n in ns}
    return [{**record, "name": named(record["name"], n), key: members[n]} for n in ns]


def _of_job(job, stands_for):
    return [{**job, "ensemble": named(job["ensemble"], n)} for n in stands_for.get(job["ensemble"], ())] or [job]


def _with_names(config, path, key, stands_for):
    """The configuration with the names in the lists at `path` (a mapping, or a list of records) expanded."""
    if not path:
        if isinstance(config, list):
            return [_with_names(record, path, key, stands_for) for record in config]
        if config.get(key) is None:
            return config
        names = [
            each for name in config[key] for each in ([named(name, n) for n in stands_for.get(name, ())] or [name])
        ]
        return {**config, key: names}
    return {**config, path[0]: _with_names(config[path[0]], path[1:], key, stands_for)}


def told(path, origins):
    """The path of a key as the user's file has it: experiments[3].window is that of the grid it comes from."""
    found = re.match(r"[\w.]+\[\d+\]", path)
    return origins.get(found[0], found[0]) + path[found.end() :] if found else path
