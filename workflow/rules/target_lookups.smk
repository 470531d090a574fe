"""What the rules look up of labels that are drawn of phantoms, and of targets: classes, and boundaries of their objects."""


def sparse_of(wildcards):
    """The record of sparse labels that are drawn of a phantom."""
    return next(d for d in PHANTOMS[wildcards.volume]["sparse"] if d["name"] == wildcards.drawn)


def drawn_of(wildcards):
    """The file of the phantom that they are drawn of: numbers of cells, or classes."""
    return "cells" if sparse_of(wildcards)["values"] == "cells" else "labels"


# ------------------------------------------------------------------------------------------------------------- targets
def targets_of(experiment):
    """Names of the classes and boundaries that an experiment predicts, in the order of its network's outputs."""
    return EXPERIMENTS[experiment]["targets"] or CLASS_NAMES


def target_records(experiment):
    """The classes that an experiment predicts, as JSON; a boundary as a record of its class's group."""
    records = {record["name"]: record for record in json.loads(CLASSES)}
    records |= {name: {"name": name, "group": records[b["class"]]["group"]} for name, b in BOUNDARIES.items()}
    return json.dumps([records[name] for name in targets_of(experiment)])


def classes_for(*experiments):
    """The classes as JSON, with the boundaries among the targets of these experiments."""
    targets = [name for experiment in experiments for name in targets_of(experiment)]
    return json.dumps(configuration.class_records(config, targets))


def target_colors(experiment):
    """The colors of all classes, and of the boundaries that an experiment predicts, as JSON."""
    names = [*CLASS_NAMES, *(name for name in targets_of(experiment) if name in BOUNDARIES)]
    return as_json({name: config["figures"]["colors"][name] for name in names})


def boundary_option(target):
    """How a boundary is drawn, as an option of a script; nothing of a class."""
    return option(
        "--boundary", *[select(BOUNDARIES[name], "class", "width_px") for name in BOUNDARIES if name == target]
    )


def target_stores(regions, targets, reference="reference"):
    """The target maps of regions, region by region."""
    return [f"{R}/regions/{r}/targets_{reference}/{target}.ome.zarr" for r in regions for target in targets]


def overlap_targets(ensemble):
    """Names of the targets of an ensemble that its class maps tell: not the boundaries."""
    return [name for name in targets_of(ENSEMBLES[ensemble]["experiments"][0]) if name not in BOUNDARIES]
