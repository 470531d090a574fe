"""What a configuration says about label sources of some classes, and of slices in which only some objects are drawn.

As in config_checks.py, each check takes the resolved configuration and yields findings.
"""

from config_checks import RESERVED_CLASSES, by_name, names_in, unknown_name
from config_schema import Finding, join, show
from label_places import known_slices, may_hold


# -------------------------------------------------------------------------------------------------------------- classes
def containers(classes, name):
    """Names of the classes that `name` lies in, itself first; of a circle its first round and the class that closes it."""
    inside, found = {c["name"]: c["inside"] for c in classes if c["name"] is not None}, [name]
    while inside.get(found[-1]) in inside and len(found) == len(set(found)):
        found.append(inside[found[-1]])
    return found


def drawn_as(classes, annotates):
    """{class: what a source that annotates these classes (None: all) draws for it}: an annotated class, or "other"."""
    names = [c["name"] for c in classes]
    known = names if annotates is None else annotates
    return {name: next((c for c in containers(classes, name) if c in known), "other") for name in names}


def told_targets(classes, sources):
    """The classes that these label sources together tell from all others where all of them know a voxel."""
    drawn = [drawn_as(classes, source["annotates"]) for source in sources]
    seen = {c["name"]: tuple(d[c["name"]] for d in drawn) for c in classes}
    members = {name: {n for n in seen if name in containers(classes, n)} for name in seen}
    return [
        name for name, own in members.items() if not {seen[n] for n in own} & {seen[n] for n in seen if n not in own}
    ]


def check_inside(config):
    """The classes that contain others exist, and none contains itself."""
    names = names_in(config, "classes")
    for i, record in enumerate(config["classes"]):
        where = f"classes[{i}].inside"
        yield from unknown_name(where, record["inside"], "classes", names)
        chain = containers(config["classes"], record["name"])
        if len(chain) > len(set(chain)):
            found = " in ".join(chain)
            yield Finding(
                where, found, "containers that end in one which lies in none", "Set inside: null on the outermost."
            )


def check_annotations(config):
    """The classes of annotates exist and values are among them; numbered objects are of one class."""
    names = names_in(config, "classes")
    for i, source in enumerate(config["labels"]):
        where, annotates = f"labels[{i}]", source["annotates"]
        for j, name in enumerate(annotates or ()):
            yield from unknown_name(join("labels", i, "annotates", j), name, "classes", names)
        if source["kind"] == "instance":
            yield from _check_instances(where, source)
            continue
        said = set(drawn_as(config["classes"], annotates).values())
        for j, record in enumerate(source["values"] or ()):
            name = record["class"]
            if annotates and name in names and name not in annotates:
                expected = f"a class that the source annotates: {', '.join(annotates)}, or other or unlabelled"
                yield Finding(
                    f"{where}.values[{j}].class",
                    show(name),
                    expected,
                    f"Call it other, or add it to {where}.annotates.",
                )
            if name == "other" and "other" not in said:
                expected = "no other, where every class is annotated"
                hint = f"Name the classes that were looked for in {where}.annotates, or call it unlabelled."
                yield Finding(f"{where}.values[{j}].class", "'other'", expected, hint)


def _check_instances(where, source):
    """Numbered objects are of one class, and of their values only the unlabelled ones are told."""
    if source["annotates"] and len(source["annotates"]) > 1:
        hint = "Name the one whose objects are numbered; make another source of each other class."
        yield Finding(f"{where}.annotates", ", ".join(source["annotates"]), "one class, with kind: instance", hint)
    for j, record in enumerate(source["values"] or ()):
        if record["class"] not in ("unlabelled", None):
            expected = "unlabelled, with kind: instance; every other value is the number of an object, 0 is none"
            hint = "Remove it; the class of the objects is told by annotates."
            yield Finding(f"{where}.values[{j}].class", show(record["class"]), expected, hint)


def check_boundaries(config):
    """Boundaries have names of their own and a class, and are predicted each by itself, from labels that number its objects."""
    names = names_in(config, "classes")
    for i, record in enumerate(config["boundaries"]):
        yield from unknown_name(f"boundaries[{i}].class", record["class"], "classes", names)
        if record["name"] in (*names, *RESERVED_CLASSES):
            expected, hint = "a name that no class has", "Rename it, such as cell_boundary."
            yield Finding(f"boundaries[{i}].name", show(record["name"]), expected, hint)
    boundaries = by_name(config, "boundaries")
    for i, experiment in enumerate(config["experiments"]):
        found = [name for name in experiment["targets"] or () if name in boundaries]
        where = f"experiments[{i}].targets"
        if found and experiment["activation"] == "softmax":
            hint = "Set activation: sigmoid and decision: compose."
            yield Finding(
                where, f"{', '.join(found)} with softmax", "sigmoid for boundaries, which lie in classes", hint
            )
        regions = trained(config, experiment)
        for name in found if regions and all(sources_of(config, r) for _, r in regions) else ():
            if not any(
                numbers_objects(s, boundaries[name]["class"]) for _, r in regions for s in sources_of(config, r)
            ):
                expected = f"a source with kind: instance and annotates: [{boundaries[name]['class']}] in the reference of a train region"
                found = f"{name}, of which no train region numbers the objects"
                yield Finding(where, found, expected, f"Add such a source, or remove {name}.")


def numbers_objects(source, class_name):
    """Whether a label source numbers the objects of a class."""
    return source["kind"] == "instance" and source["annotates"] == [class_name]


# -------------------------------------------------------------------------------------------------------------- regions
def sources_of(config, region, key="reference"):
    """The label sources, which exist, of one of a region's labels."""
    names = region["labels"].get(key) or ()
    labels = by_name(config, "labels")
    return [labels[n] for n in ([names] if isinstance(names, str) else names) if n in labels]


def trained(config, experiment):
    """(place in the list, region) of the regions that an experiment is trained on."""
    own = experiment["regions"]
    regions = enumerate(config["regions"])
    return [(i, r) for i, r in regions if r["role"] == "train" and (own is None or r["name"] in own)]


def check_trained(config, shapes):
    """What is trained is told by the labels of its train regions, and no incomplete slice is taken as a whole one."""
    classes = [c for c in config["classes"] if c["name"] is not None]
    names = [c["name"] for c in classes]
    for i, experiment in enumerate(config["experiments"]):
        regions = trained(config, experiment)
        told = {n for _, r in regions for n in told_targets(classes, sources_of(config, r))}
        missing = [n for n in experiment["targets"] or names if n in names and n not in told]
        if regions and all(sources_of(config, r) for _, r in regions) and missing:
            softmax = experiment["activation"] != "sigmoid"
            hint = "Set targets to the classes that are annotated" + (" and activation: sigmoid" if softmax else "")
            yield Finding(
                f"experiments[{i}].targets",
                f"{', '.join(missing)}, which the label sources of its train regions don't tell from other classes",
                "classes that a source annotates (labels: annotates)",
                f"{hint}, or add a source that annotates them.",
            )
        elif missing_map := _without_class_map(config, experiment, regions, classes):
            found = f"'{experiment['weight_map']}', of class maps that the label sources of {missing_map} don't tell everywhere"
            hint = "Set weight_map: none, or add sources that annotate the other classes."
            expected = "none, where the train regions' sources annotate some classes only"
            yield Finding(f"experiments[{i}].weight_map", found, expected, hint)
        if not experiment["draw"]:
            for j, region in regions:
                yield from _check_complete(config, shapes, j, region, experiment["name"])


def _without_class_map(config, experiment, regions, classes):
    """Names of the train regions whose sources may leave a class map unknown where a target is trained, where error weights are
    computed; '' for none. With softmax all classes are trained together; with sigmoid each target where it is known, so that only
    one source of all classes will do."""
    record = by_name(config, "weight_maps").get(experiment["weight_map"])
    if record is None or record["path"] is not None:
        return ""
    pairs = [(r["name"], sources_of(config, r)) for _, r in regions]
    if experiment["activation"] == "sigmoid":
        partial = [name for name, sources in pairs if sources and [s["annotates"] for s in sources] != [None]]
    else:
        partial = [name for name, sources in pairs if sources and len(told_targets(classes, sources)) < len(classes)]
    return ", ".join(map(str, partial))


def _check_complete(config, shapes, j, region, experiment):
    volume = by_name(config, "volumes").get(region["volume"])
    for source in sources_of(config, region):
        shape = shapes.get(("labels", source["name"]))
        incomplete = source["incomplete_slices"]
        if not source["complete"]:
            incomplete = known_slices(source, shape)
        inside = None if incomplete is None else [z for z in incomplete if may_hold(region, z, source, volume)]
        if inside is None or inside:
            what = "slices of which" if inside is None else f"slices {show(inside)}, of which"
            yield Finding(
                f"regions[{j}].labels.reference",
                f"'{source['name']}' has {what} only some objects are drawn (complete, incomplete_slices)",
                f"complete slices, since '{experiment}' trains on all of the region's",
                "Give the experiment a draw, which takes complete slices only, or make the region or the source smaller.",
            )
