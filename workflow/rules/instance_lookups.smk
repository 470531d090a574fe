"""What the rules of objects look up: which records of `instances` hold for which volumes, and the files that they read."""

INSTANCES = by_name("instances")
SPLIT = [name for name, record in INSTANCES.items() if record["method"] == "split"]


def whole_volumes(name):
    """The volumes that are predicted as a whole by an ensemble or a composition."""
    return volumes_composed(name) if name in COMPOSITIONS else [v for v, e in FULL if e == name]


def instance_volumes(objects):
    """The volumes in which a record of `instances` holds."""
    record = INSTANCES[objects]
    known = [LABELS[record["labels"]]["volume"]] if record["labels"] else whole_volumes(record["ensemble"])
    return [v for v in known if record["volumes"] is None or v in record["volumes"]]


OBJECTS = [(volume, objects) for objects in INSTANCES for volume in instance_volumes(objects)]


def instances_with(key):
    """(volume, objects) of the records in which a key is set."""
    return [(volume, objects) for volume, objects in OBJECTS if INSTANCES[objects][key]]


def contained_in(container):
    """Names of the records whose objects lie in those of another."""
    return [name for name, record in INSTANCES.items() if record["within"] == container]


def class_map_of(volume, objects):
    """(input, path of the store) of the labels that objects are made from: a class map, or numbers that were drawn."""
    record = INSTANCES[objects]
    if record["labels"]:
        store = f"{R}/aligned/{volume}/labels_{record['labels']}.ome.zarr"
        return with_sidecar(store), store
    folder = f"{R}/volumes/{volume}/{record['ensemble']}"
    return [folder], f"{folder}/labels.ome.zarr"


def ensemble_with(volume, target, among=None):
    """The ensemble (one of `among`, or any) that keeps the probabilities of a target in a whole volume."""
    kept = [e for (v, e), job in FULL.items() if v == volume and job["probabilities"] and (not among or e in among)]
    return next(e for e in kept if any(target in targets_of(member) for member in ENSEMBLES[e]["experiments"]))


def probability_of(volume, target, among=None):
    """(input, path of the store) of the probabilities of a target in a whole volume, by one of the ensembles `among`, or any."""
    folder = f"{R}/volumes/{volume}/{ensemble_with(volume, target, among)}"
    return [folder], f"{folder}/probabilities/{target}.ome.zarr"


def member_maps_of(volume, objects):
    """The class maps of the single members of the ensemble that objects come from, where they are kept."""
    ensemble = INSTANCES[objects]["ensemble"]
    job = FULL.get((volume, ensemble))
    if not job or not job["keep_members"]:
        return None
    return f"{R}/volumes/{volume}/{ensemble}/members"


def instance_folder(volume, objects):
    """The folder with labels.ome.zarr and objects.csv of the objects that everything is measured on."""
    folder, record = f"{R}/instances/{volume}/{objects}", INSTANCES[objects]
    return f"{folder}/tracked/{record['split']['main']}" if objects in SPLIT else folder


def instance_store(volume, objects):
    """The numbers of objects as input: the store and its sidecar."""
    return with_sidecar(f"{instance_folder(volume, objects)}/labels.ome.zarr")


def object_table(volume, objects):
    return f"{instance_folder(volume, objects)}/objects.csv"


def of_instances(name, key=None):
    """The file `name` of all records of `instances`, or of those in which a key is set."""
    found = OBJECTS if key is None else instances_with(key)
    return [f"{R}/instances/{volume}/{objects}/{name}" for volume, objects in found]


def flooded_by_probability(objects):
    """Whether objects are cut where the probability of their class falls."""
    record = INSTANCES[objects]
    return record["method"] == "watershed" and record["watershed"]["from"] == "probability"


def own_probability(wildcards):
    """`probability_of` the class of objects, by the ensemble that their class map is of, or one of its composition."""
    record = INSTANCES[wildcards.objects]
    return probability_of(wildcards.volume, record["class"], list(predicted_by(record["ensemble"]).values()))


def flooded_input(wildcards):
    """What holds the probability that objects are cut by, or nothing."""
    if not flooded_by_probability(wildcards.objects):
        return []
    return own_probability(wildcards)[0]


def segmentation_options(wildcards):
    """How objects are made of a class map, as words of a command; drawn numbers are kept."""
    record = INSTANCES[wildcards.objects]
    options = ["--method", record["method"], "--connectivity", record["connectivity"]]
    if record["method"] == "watershed":
        options += ["--watershed", as_json(record["watershed"])]
    if flooded_by_probability(wildcards.objects):
        options += ["--probability", own_probability(wildcards)[1]]
    return options


def objects_beside(volume, source):
    """Names of the records that are shown with a class map: those made from it, and those that were drawn in the volume."""
    names = [name for of, name in OBJECTS if of == volume]
    return [name for name in names if INSTANCES[name]["ensemble"] == source or INSTANCES[name]["labels"]]


PANOPTIC = sorted({(v, INSTANCES[name]["ensemble"]) for v, name in OBJECTS if INSTANCES[name]["ensemble"]})


def contents_within(volume, container):
    """Names of the records whose objects lie in those of another, of those that hold in a volume."""
    return [name for name in contained_in(container) if (volume, name) in OBJECTS]


def source_of(objects):
    """What the voxels of objects come from: the name of an ensemble, a composition or a label source."""
    return INSTANCES[objects]["ensemble"] or INSTANCES[objects]["labels"]


def class_maps(volume, container):
    """{source: name of a record} of the class maps that are counted in containers: the one they come from first, then those of the
    objects in them. Drawn numbers are no classes."""
    names = [container, *contents_within(volume, container)]
    drawn = [name for name in names if INSTANCES[name]["labels"] and LABELS[source_of(name)]["kind"] == "instance"]
    found = {}
    for name in names:
        if name not in drawn:
            found.setdefault(source_of(name), name)
    return found


def is_container(volume, objects):
    """Whether contents are counted: objects of a class that others lie in, or in which other objects lie."""
    inside = any(c["inside"] == INSTANCES[objects]["class"] for c in config["classes"])
    return bool(class_maps(volume, objects)) and (inside or bool(contents_within(volume, objects)))


def assign_keys(wildcards):
    """What the table of parents says in every row."""
    record = INSTANCES[wildcards.objects]
    keys = {"volume": wildcards.volume, "objects": wildcards.objects, "class": record["class"]}
    return as_json({**keys, "container": record["within"], "source": source_of(wildcards.objects)})


def contents_inputs(wildcards):
    """The class maps that are counted, as input."""
    names = class_maps(wildcards.volume, wildcards.objects).values()
    return [path for name in names for path in class_map_of(wildcards.volume, name)[0]]


def contents_options(wildcards):
    """Arguments for the class maps, the folders of their members, and the objects that lie in the containers."""
    volume, objects = wildcards.volume, wildcards.objects
    maps, inner = class_maps(volume, objects), contents_within(volume, objects)
    options = ["--maps", *(class_map_of(volume, name)[1] for name in maps.values()), "--sources", as_json(list(maps))]
    options += ["--members", as_json([member_maps_of(volume, name) for name in maps.values()])]
    options += option("--parents", *(f"{R}/instances/{volume}/{name}/parents.csv" for name in inner))
    children = [{"source": source_of(name), "class": INSTANCES[name]["class"]} for name in inner]
    return options + ["--children", as_json(children)]


WITHIN = instances_with("within")
CONTAINERS = [(volume, objects) for volume, objects in OBJECTS if is_container(volume, objects)]


# --------------------------------------------------------------------------------- tables of all volumes and records
def parts_of_table(table):
    """The tables of single records that make up one of `INSTANCE_TABLES`."""
    return [path for path, _ in INSTANCE_TABLES[table]]


def keys_of_table(table):
    """The columns that tell them apart, as an option of a script, where the tables don't have them."""
    return option("--keys", json.dumps([keys for _, keys in INSTANCE_TABLES[table]])) if table == "objects" else []


def object_keys(volume, objects):
    """What the rows of a record are known by in a table of all."""
    return {"volume": volume, "objects": objects, "class": INSTANCES[objects]["class"]}


def predicted_by(source):
    """{class: the ensemble that finds it} of an ensemble or a composition; none of a label source."""
    names = COMPOSITIONS[source]["ensembles"] if source in COMPOSITIONS else [source] * (source in ENSEMBLES)
    return {target: name for name in names for target in overlap_targets(name)}


def contents_ensembles():
    """{source: {class: ensemble}} of all class maps whose classes are counted in containers."""
    return {source: predicted_by(source) for pair in CONTAINERS for source in class_maps(*pair)}


def bias_inputs(wildcards):
    """What tells how far networks are from what people drew, by its option in the script; what there is of it."""
    names = sorted({ensemble for of_source in contents_ensembles().values() for ensemble in of_source.values()})
    found = {
        "chosen": chosen_lists(names),
        "volume_fractions": [f"{R}/tables/volume_fractions.csv"] * bool(fraction_files()),
        "overlap": [f"{R}/tables/overlap_metrics.csv"] * bool(OVERLAP_TABLES),
        "held_out": [f"{R}/tables/held_out_metrics.csv"] * bool(HELD_OUT_TABLES),
    }
    return {key: paths for key, paths in found.items() if paths}


def bias_options(wildcards):
    """The same as words of a command."""
    return [word for key, paths in bias_inputs(wildcards).items() for word in (flag(key), *paths)]


def container_inputs(wildcards):
    """What tells which container each object lies in, and the containers themselves; nothing for objects in none."""
    volume, objects = wildcards.volume, wildcards.objects
    within = INSTANCES[objects]["within"]
    parents = [f"{R}/instances/{volume}/{objects}/parents.csv"]
    return [*parents, *instance_store(volume, within), object_table(volume, within)] if within else []


def container_options(wildcards):
    """The same as words of a command."""
    paths = container_inputs(wildcards)
    return ["--parents", paths[0], "--containers", paths[1], "--container-table", paths[-1]] if paths else []


MEASURED_NEIGHBORS = instances_with("morphology") if config["morphology"]["neighbors"] != "none" else []


def other_records(wildcards):
    """Names of the records in a volume that the objects of one are compared with, beside each other."""
    names = [name for volume, name in OBJECTS if volume == wildcards.volume and name != wildcards.objects]
    return names if config["morphology"]["neighbors"] == "all" else []


def other_stores(wildcards):
    return [path for name in other_records(wildcards) for path in instance_store(wildcards.volume, name)]


def other_tables(wildcards):
    return [object_table(wildcards.volume, name) for name in other_records(wildcards)]


def other_options(wildcards):
    """Arguments for these records' objects."""
    names = other_records(wildcards)
    stores = [instance_store(wildcards.volume, name)[0] for name in names]
    options = option("--other-labels", *stores) + option("--other-objects", *other_tables(wildcards))
    return [*options, "--others", as_json(names)]


INSTANCE_TABLES = {  # table -> the tables of the records and what identifies their rows
    "objects": [(object_table(*pair), object_keys(*pair)) for pair in OBJECTS],
    "parents": [(f"{R}/instances/{v}/{o}/parents.csv", {}) for v, o in WITHIN],
    "morphology": [(f"{R}/instances/{v}/{o}/morphology.csv", {}) for v, o in instances_with("morphology")],
    "neighbors": [(f"{R}/instances/{v}/{o}/neighbors.csv", {}) for v, o in MEASURED_NEIGHBORS],
    "texture": [(f"{R}/instances/{v}/{o}/texture.csv", {}) for v, o in instances_with("texture")],
}


# ---------------------------------------------------------------------------------------------------------- split cells
MOVED_BY_FLOW, CUT_BY_BORDER = ("flow", "overlay", "selective", "frames"), ("border", "selective", "frames")


def ids_of(wildcards):
    """The numbers of cells in some slices: the store."""
    return f"{R}/aligned/{wildcards.volume}/labels_{INSTANCES[wildcards.objects]['split']['ids']}.ome.zarr"


def border_of(wildcards):
    """(input, path of the store) of the predicted border that a combination cuts along; nothing for others."""
    name = INSTANCES[wildcards.objects]["split"]["boundary"]
    return probability_of(wildcards.volume, name) if name and wildcards.combination in CUT_BY_BORDER else ([], [])


def flow_image_of(wildcards):
    """The image whose optical flow moves cells; nothing for a combination without."""
    return with_sidecar(image_of(wildcards.volume)) if wildcards.combination in MOVED_BY_FLOW else []


def split_options(wildcards):
    """Arguments for what a combination reads, and no other: a key that it doesn't read reruns nothing."""
    split, combination = INSTANCES[wildcards.objects]["split"], wildcards.combination
    keys = ["min_cell_px", "min_body_px", "border_px", "snap_px"]
    keys += ["regions_of_overlap"] * (combination in ("selective", "frames"))
    words = ["--splitting", as_json({key: split[key] for key in keys})]
    if combination in MOVED_BY_FLOW:
        words += ["--image", image_of(wildcards.volume), "--flow", as_json(split["flow"])]
    if combination == "frames":
        words += ["--seeds", split["seeds"]]
    return words + option("--boundary", border_of(wildcards)[1])


def split_files(name, folder="split"):
    """The file `name` of every way to split cells that is asked for; folder: split, or tracked."""
    folders = [(v, o, c) for v, o in OBJECTS if o in SPLIT for c in INSTANCES[o]["split"]["combinations"]]
    return [f"{R}/instances/{v}/{o}/{folder}/{c}/{name}" for v, o, c in folders]


# ------------------------------------------------------------------------------------------------- tracking and scores
def has_reference(volume, objects):
    """Whether objects of a volume are scored against known ones."""
    reference = INSTANCES[objects]["reference"]
    return reference is not None and LABELS[reference]["volume"] in (volume, None)


def known_objects_of(wildcards):
    """The known objects that others are scored against: the store."""
    return f"{R}/aligned/{wildcards.volume}/labels_{INSTANCES[wildcards.objects]['reference']}.ome.zarr"


def compared_keys(wildcards):
    """What every row of a table of scores says; the combination is empty for objects that are not split."""
    keys = object_keys(wildcards.volume, wildcards.objects)
    keys["reference"] = INSTANCES[wildcards.objects]["reference"]
    return as_json({**keys, "combination": wildcards.get("combination", "")})


WHOLE_SCORES = [f"{R}/instances/{v}/{o}/metrics.csv" for v, o in OBJECTS if o not in SPLIT and has_reference(v, o)]
SPLIT_SCORES = [
    f"{R}/instances/{v}/{o}/tracked/{c}/metrics.csv"
    for v, o in OBJECTS
    if o in SPLIT and has_reference(v, o)
    for c in INSTANCES[o]["split"]["combinations"]
]
INSTANCE_TABLES["instance_metrics"] = [(path, {}) for path in WHOLE_SCORES + SPLIT_SCORES]


# ------------------------------------------------------------------------------------------------------------ pictures
def ways_to_split(wildcards):
    """The tracked cells of every combination of a record, and the known ones: paths of the stores by their names in the script."""
    folder, record = f"{R}/instances/{wildcards.volume}/{wildcards.objects}/tracked", INSTANCES[wildcards.objects]
    stores = [f"{folder}/{combination}/labels.ome.zarr" for combination in record["split"]["combinations"]]
    drawn = {name: record["split"]["ids"] if name == "ids" else record["reference"] for name in ("ids", "reference")}
    drawn = {
        name: [f"{R}/aligned/{wildcards.volume}/labels_{source}.ome.zarr"] for name, source in drawn.items() if source
    }
    return {**drawn, "cells": stores}


def ways_inputs(wildcards):
    """The same with their sidecars."""
    return [file for paths in ways_to_split(wildcards).values() for path in paths for file in with_sidecar(path)]


def ways_options(wildcards):
    """The same as words of a command."""
    return [word for name, paths in ways_to_split(wildcards).items() for word in (flag(name), *paths)]


def class_color(objects):
    return config["figures"]["colors"][INSTANCES[objects]["class"]]


FEATURE_FIGURES = [(t, o) for t in ("morphology", "texture") for o in dict.fromkeys(o for _, o in instances_with(t))]
FENESTRATED = instances_with("morphology")
