"""What a configuration says about objects: where their voxels come from, how they are cut, and what they lie in.

Each check takes the resolved configuration, in which None stands for what the schema has already refused, and
yields findings.
"""

from config_checks import by_name, names_in, unknown_name
from config_schema import Finding, show

RESERVED = {"classes": "the class map in panoptic/", "all": "the picture of all objects in 3D"}
NEEDS_BOUNDARY = ("border", "selective", "frames")  # combinations with a predicted border


def check_instances(config):
    """Every record of `instances`, and that containers don't contain each other in a circle."""
    records, labels = by_name(config, "instances"), by_name(config, "labels")
    for i, record in enumerate(config["instances"]):
        where = f"instances[{i}]"
        if record["name"] in RESERVED:
            yield Finding(
                f"{where}.name", record["name"], "another name", f"This one is that of {RESERVED[record['name']]}."
            )
        yield from unknown_name(f"{where}.class", record["class"], "classes", names_in(config, "classes"))
        yield from _check_source(where, record, config, labels)
        yield from _check_reference(f"{where}.reference", record["reference"], record, config, labels)
        yield from unknown_name(f"{where}.within", record["within"], "instances", list(records))
        yield from _check_within(f"{where}.within", record, records, config)
        if record["method"] == "split":
            yield from _check_split(f"{where}.split", record, config, labels)
        elif record["split"]["ids"] or record["split"]["boundary"]:
            found, hint = f"settings, with method: {record['method']}", "Set method: split, or remove split."
            yield Finding(f"{where}.split", found, "nothing, but with method: split", hint)
        if record["method"] == "watershed" and record["watershed"]["from"] == "probability":
            yield from _check_probability(where, record, config)
        yield from _check_counted_once(f"{where}.within", record, config["instances"][:i], config)


def volumes_of(record, config):
    """Names of the volumes in which a record of `instances` holds; none if what it names does not exist."""
    labels = by_name(config, "labels")
    if record["labels"]:
        known = [labels[record["labels"]]["volume"]] if record["labels"] in labels else []
    else:
        known = _predicted(record["ensemble"], config)
    return [v for v in known if v is not None and (record["volumes"] is None or v in record["volumes"])]


def _predicted(name, config):
    """The volumes that an ensemble or a composition predicts as a whole."""
    full = config["prediction"]["full_volumes"]
    composition = by_name(config, "compositions").get(name)
    if composition is None:
        return [job["volume"] for job in full if job["ensemble"] == name]
    kept = {(job["volume"], job["ensemble"]) for job in full if job["probabilities"]}
    return [v for v in names_in(config, "volumes") if all((v, e) in kept for e in composition["ensembles"] or ())]


def _ensembles_of(name, config):
    """Names of the ensembles that a name stands for: its own, or those of a composition."""
    composition = by_name(config, "compositions").get(name)
    return [name] if composition is None else composition["ensembles"] or []


def _experiments_of(name, config):
    """The experiments of an ensemble, or of those of a composition."""
    ensembles, experiments = by_name(config, "ensembles"), by_name(config, "experiments")
    parts = [ensembles[e] for e in _ensembles_of(name, config) if e in ensembles]
    return [experiments[m] for part in parts for m in part["experiments"] or () if m in experiments]


def classes_of(name, config):
    """Classes that the class map of an ensemble or a composition can hold, with those that these lie in."""
    classes, composition = by_name(config, "classes"), by_name(config, "compositions").get(name)
    members = _experiments_of(name, config)
    outside = [composition["outside"]] if composition else [m["compose"]["outside"] for m in members]
    background = next((c["name"] for c in config["classes"] if c["group"] == "background"), None)
    held = {target for m in members for target in m["targets"] or classes} | {o or background for o in outside}
    for _ in classes:
        held |= {classes[name]["inside"] for name in held if name in classes}
    return [name for name in classes if name in held]


def _check_source(where, record, config, labels):
    """Exactly one of ensemble and labels, that it exists, and that it is known in the volumes that are named."""
    ensemble, source = record["ensemble"], record["labels"]
    if (ensemble is None) == (source is None):
        found = "neither ensemble nor labels" if ensemble is None else "ensemble and labels"
        yield Finding(
            where, found, "one of the two: where the voxels of the objects come from", "Name an ensemble, or labels."
        )
        return
    if source is not None:
        yield from unknown_name(f"{where}.labels", source, "labels", list(labels))
        yield from _check_class(f"{where}.labels", source, record, labels)
        is_drawn = source in labels and labels[source]["kind"] == "instance"
        if is_drawn and record["method"] != "components":
            hint = "Leave method out: the objects are kept as they were drawn."
            yield Finding(
                f"{where}.method", show(record["method"]), f"components, as {show(source)} is of kind instance", hint
            )
        if record["method"] == "split":
            yield Finding(
                f"{where}.method",
                "split",
                "an ensemble, whose class map is split",
                "Name an ensemble instead of labels.",
            )
        known, section = [labels[source]["volume"]] if source in labels else [], f"labels.{source}"
    else:
        names = names_in(config, "ensembles") + names_in(config, "compositions")
        yield from unknown_name(f"{where}.ensemble", ensemble, "ensembles and compositions", names)
        held = classes_of(ensemble, config)
        if ensemble in names and record["class"] in names_in(config, "classes") and record["class"] not in held:
            hint = f"Name an ensemble or a composition that finds {record['class']}."
            found = f"{show(record['class'])}, which {ensemble} never gives"
            yield Finding(f"{where}.class", found, f"a class of its map: {', '.join(held)}", hint)
        known, section = _predicted(ensemble, config), f"prediction.full_volumes of {ensemble}"
        if ensemble in names and not known:
            hint = f"Add {{volume: ..., ensemble: {ensemble}}} to prediction.full_volumes; of a composition, each ensemble with probabilities: true."
            yield Finding(f"{where}.ensemble", show(ensemble), "an ensemble that predicts a whole volume", hint)
    for j, volume in enumerate(record["volumes"] or ()):
        if known:
            yield from unknown_name(f"{where}.volumes[{j}]", volume, section, known)


def _check_reference(where, name, record, config, labels):
    """A reference is drawn objects, of one of the volumes."""
    yield from unknown_name(where, name, "labels", list(labels))
    if name not in labels:
        return
    yield from _of_instances(where, name, labels)
    yield from _check_class(where, name, record, labels)
    if record["method"] == "split" and name == record["split"]["ids"]:
        hint = "Name labels of other slices, such as a fully labelled stack, or null."
        yield Finding(where, f"{show(name)}, as split.ids", "other labels than those that cells are split with", hint)
    volumes = volumes_of(record, config)
    if volumes and labels[name]["volume"] not in (*volumes, None):
        found = f"{show(name)}, labels of volume {show(labels[name]['volume'])}"
        yield Finding(where, found, f"labels of one of {', '.join(volumes)}", "Correct the labels or the volumes.")


def _check_class(where, name, record, labels):
    """What was drawn was drawn of the record's class."""
    drawn = labels[name]["annotates"] if name in labels else None
    if drawn and record["class"] not in (None, *drawn):
        found = f"{show(name)}, which annotates {', '.join(map(str, drawn))}"
        yield Finding(where, found, f"labels of {record['class']}", "Name other labels, or correct class or annotates.")


def _of_instances(where, name, labels):
    if labels[name]["kind"] != "instance":
        hint = "Set kind: instance on it, or name another source."
        yield Finding(where, f"{show(name)} of kind {labels[name]['kind']}", "labels of kind instance", hint)


def _check_within(where, record, records, config):
    """The container is known in the same volumes, and nothing lies in itself."""
    container = records.get(record["within"])
    if container is None:
        return
    chain = [record["name"]]
    while container is not None and container["name"] not in chain:
        chain.append(container["name"])
        container = records.get(container["within"])
    if container is not None and container["name"] == record["name"]:
        yield Finding(
            where, " in ".join([*chain, record["name"]]), "an object that does not lie in itself", "Correct within."
        )
    known = volumes_of(records[record["within"]], config)
    missing = [v for v in volumes_of(record, config) if v not in known]
    if known and missing:
        hint = f"Leave these out of volumes here, or add them to {record['within']}."
        found = f"{show(record['within'])}, not known in {', '.join(missing)}"
        yield Finding(where, found, "objects of the same volumes", hint)


def _check_split(where, record, config, labels):
    """Numbered cells in some slices, a predicted border where one is needed, and a main combination."""
    split = record["split"]
    if split["ids"] is None:
        hint = "Name labels of kind instance: the numbers of the cells in some slices."
        yield Finding(f"{where}.ids", "nothing", "a name in labels, with method: split", hint)
    yield from unknown_name(f"{where}.ids", split["ids"], "labels", list(labels))
    volumes = volumes_of(record, config)
    if split["ids"] in labels:
        yield from _of_instances(f"{where}.ids", split["ids"], labels)
        yield from _check_class(f"{where}.ids", split["ids"], record, labels)
        of = labels[split["ids"]]["volume"]
        other = [v for v in volumes if v != of and of is not None]
        if other:
            found = f"{show(split['ids'])}, labels of volume {show(of)}, for {', '.join(other)}"
            yield Finding(
                f"{where}.ids",
                found,
                "cells of every volume that is split",
                f"Set volumes: [{of}], and a record for each other volume.",
            )
    yield from unknown_name(f"{where}.boundary", split["boundary"], "boundaries", names_in(config, "boundaries"))
    for volume in volumes if split["boundary"] in names_in(config, "boundaries") else ():
        if not _kept(volume, split["boundary"], config):
            hint = "Add it to the targets of an experiment, and probabilities: true to that ensemble in prediction.full_volumes."
            found = f"{show(split['boundary'])}, of which {show(volume)} has no probabilities"
            yield Finding(f"{where}.boundary", found, "a border that an ensemble predicts in the volume", hint)
    combinations = split["combinations"] or []
    for j, name in enumerate(combinations):
        if name in NEEDS_BOUNDARY and split["boundary"] is None:
            hint = f"Set boundary, or use others than {', '.join(NEEDS_BOUNDARY)}."
            yield Finding(
                f"{where}.combinations[{j}]",
                show(name),
                "a combination without a predicted border, as boundary is null",
                hint,
            )
    if combinations and split["main"] is not None:
        yield from unknown_name(f"{where}.main", split["main"], f"{where}.combinations", combinations)


def _check_counted_once(where, record, before, config):
    """One record numbers the objects of a class and a class map in the same containers: their count is one number."""
    labels, keys = by_name(config, "labels"), ("class", "ensemble", "labels", "within")
    if record["within"] is None or labels.get(record["labels"], {}).get("kind") == "instance":
        return
    for other in before:
        both = set(volumes_of(record, config)) & set(volumes_of(other, config))
        if both and all(record[key] == other[key] for key in keys):
            found = f"{show(record['within'])}, as of {other['name']}, of the same class and class map"
            hint = f"contents.csv counts one of them; set within: null on {record['name']} or {other['name']}."
            yield Finding(where, found, f"one record of {record['class']} in {record['within']}", hint)


def _check_probability(where, record, config):
    """The probability is that of all of the object, and kept."""
    inner = [c["name"] for c in config["classes"] if c["inside"] == record["class"]]
    if inner and any(m["activation"] == "softmax" for m in _experiments_of(record["ensemble"], config)):
        hint = "Use watershed.from: distance, or an ensemble of experiments with activation: sigmoid."
        holds = f"{record['class']} holds {', '.join(map(str, inner))}"
        found = f"probability, which with activation: softmax is low where {holds}"
        yield Finding(f"{where}.watershed.from", found, "what is highest in the middle of an object", hint)
        return
    for volume in volumes_of(record, config):
        if not _kept(volume, record["class"], config, _ensembles_of(record["ensemble"], config)):
            hint = "Set probabilities: true in prediction.full_volumes, or watershed.from: distance."
            found = f"probability, which {record['ensemble']} does not keep of {record['class']} in {volume}"
            yield Finding(f"{where}.watershed.from", found, "a probability that its ensemble keeps", hint)


def _kept(volume, target, config, among=None):
    """Whether an ensemble (one of `among`, or any) keeps the probabilities of a target in a whole volume."""
    ensembles, experiments = by_name(config, "ensembles"), by_name(config, "experiments")
    for job in config["prediction"]["full_volumes"]:
        if among is not None and job["ensemble"] not in among:
            continue
        if job["volume"] == volume and job["probabilities"] and job["ensemble"] in ensembles:
            members = [experiments[e] for e in ensembles[job["ensemble"]]["experiments"] or () if e in experiments]
            if any(target in (member["targets"] or names_in(config, "classes")) for member in members):
                return True
    return False
