"""What the rules look up: files that belong to wildcards, and values for scripts. In the order data flows."""

from snakemake.io import IOFile


# ------------------------------------------------------------------------------------------------------- preprocessing
def names_only(names):
    """A wildcard constraint for these names, and nothing if there are none."""
    return "|".join(names) or "$^"


def computed_for(imported):
    """The computed weight map that an imported one is compared with."""
    return WEIGHT_MAPS[imported]["compare_with"] or COMPUTED[0]


def truth_of(wildcards):
    """The table of the drift that is known, of a phantom."""
    return VOLUMES[wildcards.volume]["truth"] or []


def aligned_of(name):
    """A file of the aligned volume of a region, as an input function."""
    return lambda w: f"{R}/aligned/{REGIONS[w.region]['volume']}/{name}"


def flag(key):
    """The option of a script that a key is handed to."""
    return f"--{key.replace('_', '-')}"


def sparse_options(labels):
    """Arguments for a label source that covers a part of its stack or of the classes, where it does."""
    keys = [key for key in ("annotates", "slices", "boxes", "incomplete_slices") if labels[key]]
    options = [word for key in keys for word in (flag(key), as_json(labels[key]))]
    return options + ([] if labels["complete"] else ["--complete", "false"])


def label_stores(region, reference):
    """The aligned labels that make up a reference of a region: of its one source, or of all that are combined."""
    names = REGIONS[region]["labels"][reference]
    folder = f"{R}/aligned/{REGIONS[region]['volume']}"
    return [f"{folder}/labels_{name}.ome.zarr" for name in ([names] if isinstance(names, str) else names)]


# where the images lie that regions are cut out of and that are predicted
IMAGES = "aligned" if config["normalization"]["slices"] == "none" else "corrected"


def image_of(volume):
    """The image of a volume that regions are cut out of and that is predicted: its slices made even, or as aligned."""
    return f"{R}/{IMAGES}/{volume}/image.ome.zarr"


def intensity_of(wildcards):
    """The numbers that normalize a whole volume, or nothing: each region has its own."""
    volume = REGIONS[wildcards.region]["volume"]
    return f"{R}/{IMAGES}/{volume}/intensity.json" if config["normalization"]["scope"] == "volume" else []


def padding_of(volume):
    """The gray value of a volume that is no image, as an option of a script."""
    padding = VOLUMES[volume]["padding"]
    return [] if padding is None else ["--padding", padding]


# ----------------------------------------------------------------------------------------- experiments and their regions
def regions_for(experiment, *roles):
    """The regions with these roles that an experiment is trained, evaluated or scored on."""
    own_regions = EXPERIMENTS[experiment]["regions"]
    return [name for name in regions_of(*roles) if own_regions is None or name in own_regions]


def eval_regions(experiment):
    """The regions that evaluate an experiment in training; none where something else evaluates it, or nothing."""
    return regions_for(experiment, "eval") if EXPERIMENTS[experiment]["evaluate"] == "eval" else []


def draw_of(experiment):
    """The table of the training slices that are drawn for an experiment, or nothing: all labelled ones."""
    return f"{R}/draws/{experiment}.csv" if EXPERIMENTS[experiment]["draw"] else []


def scored_regions(ensemble):
    """The labelled regions that an ensemble is scored on: those of all its experiments."""
    members = ENSEMBLES[ensemble]["experiments"]
    return [name for name in SCORED if all(name in regions_for(e, "eval", "test", "compare") for e in members)]


def has_all_classes(ensemble):
    """Whether the targets of an ensemble are all classes, so that its class map can be compared class by class."""
    return all(set(targets_of(e)) == set(CLASS_NAMES) for e in ENSEMBLES[ensemble]["experiments"])


def is_evaluated(ensemble):
    """Whether the eval regions rank the members of an ensemble."""
    return all(EXPERIMENTS[e]["evaluate"] == "eval" for e in ENSEMBLES[ensemble]["experiments"])


def is_ranked(ensemble):
    """Whether the eval regions rank the members of an ensemble and choose its k, by the scores of its class maps."""
    return is_evaluated(ensemble) and has_all_classes(ensemble)


def ensembles_of(region):
    """The ensembles that are scored on a region."""
    return [name for name in ENSEMBLES if region in scored_regions(name)]


def has_sigmoid(ensemble):
    """Whether the members of an ensemble predict each target by itself."""
    return any(EXPERIMENTS[e]["activation"] == "sigmoid" for e in ENSEMBLES[ensemble]["experiments"])


def scored_on(experiment):
    """The finer region that an experiment's held-out slices are scored on, as a list; none: the train regions."""
    name = EXPERIMENTS[experiment]["scored_on"]
    return [] if name is None else [name]


def place_of(region):
    """What the tables say of a region with its reference."""
    return {"volume": REGIONS[region]["volume"], "region": region, "reference": "reference"}


def chosen_lists(names):
    return [f"{R}/ensembles/{name}/chosen.json" for name in names]


CLASS_MAPS = [name for name in ENSEMBLES if has_all_classes(name)]
RANKED = [name for name in ENSEMBLES if is_ranked(name)]
EVALUATED = [name for name, e in EXPERIMENTS.items() if e["evaluate"] == "eval"]
HELD_OUT = [name for name, e in EXPERIMENTS.items() if e["evaluate"] == "held_out"]


# --------------------------------------------------------------------------------------------- training and prediction
def weights_of(wildcards):
    name = EXPERIMENTS[wildcards.experiment]["weight_map"]
    regions = regions_for(wildcards.experiment, "train") if name != "none" else []
    return [f"{R}/weight_maps/{name}/{region}.ome.zarr" for region in regions]


def label_inputs(experiment, regions):
    """What is trained or evaluated on: the class map of each region, with sigmoid a target map for each target."""
    if EXPERIMENTS[experiment]["activation"] == "sigmoid":
        return target_stores(regions, targets_of(experiment))
    return [f"{R}/regions/{region}/labels_reference.ome.zarr" for region in regions]


def training_inputs(wildcards):
    """The inputs of a training by their names in the script; those that an experiment has none of are left out."""
    name = wildcards.experiment
    kind = "targets" if EXPERIMENTS[name]["activation"] == "sigmoid" else "labels"
    train, evaluated = regions_for(name, "train"), eval_regions(name)
    found = {
        "train_images": [f"{R}/regions/{region}/image.ome.zarr" for region in train],
        f"train_{kind}": label_inputs(name, train),
        "train_weights": weights_of(wildcards),
        "draw": [draw_of(name)] if draw_of(name) else [],
        "eval_images": [f"{R}/regions/{region}/image.ome.zarr" for region in evaluated],
        f"eval_{kind}": label_inputs(name, evaluated),
    }
    return {key: paths for key, paths in found.items() if paths}


def training_options(wildcards):
    """The same as words of a command."""
    return [word for key, paths in training_inputs(wildcards).items() for word in (flag(key), *paths)]


def weighted_regions(weight_map):
    """The train regions whose classes a weight map balances: those of the experiments that name it."""
    users = [e for e, record in EXPERIMENTS.items() if record["weight_map"] == weight_map]
    return [r for r in regions_of("train") if not users or any(r in regions_for(e, "train") for e in users)]


def recorded(wildcards):
    """The record in videos.training of a run whose training is filmed."""
    records = config["videos"]["training"]
    return next(r for r in records if (r["experiment"], str(r["seed"])) == (wildcards.experiment, wildcards.seed))


def checkpoints_of(ensemble):
    return [f"{R}/models/{e}/seed{s}/best.safetensors" for e, s in members_of(ensemble)]


def stores(folder, names):
    return [f"{folder}/{name}.ome.zarr" for name in names]


def slab_folder(wildcards):
    return f"{R}/slabs/{wildcards.volume}/{wildcards.ensemble}/{wildcards.scatteritem}"


def mask_of(wildcards):
    """The labels that say where a volume is predicted, or nothing: everywhere."""
    mask = FULL[wildcards.volume, wildcards.ensemble]["mask"]
    return with_sidecar(f"{R}/aligned/{wildcards.volume}/labels_{mask}.ome.zarr") if mask else []


def full_options(wildcards):  # not of `output`: Snakemake does not look for changes in params made from it
    job, folder = FULL[wildcards.volume, wildcards.ensemble], slab_folder(wildcards)
    options = option("--probabilities", f"{folder}/probabilities") if job["probabilities"] else []
    options += option("--keep-members", f"{folder}/members") if job["keep_members"] else []
    return options + option("--mask", *mask_of(wildcards)[:1])


def volume_facts(wildcards):
    """What a predicted volume depends on beside its inputs, as text."""
    job = FULL[wildcards.volume, wildcards.ensemble]
    classes = json.loads(classes_for(*ENSEMBLES[wildcards.ensemble]["experiments"]))
    facts = [json.loads(PREDICTION), classes, code("predict_volume", *networks_of(wildcards.ensemble))]
    return as_json([select(job, "probabilities", "keep_members", "mask"), *facts])


def slabs_of(wildcards):
    """The slabs of a volume. One that exists and would be made with equal settings keeps those it was gathered from: another
    number gives the same volume, and Snakemake makes an output again when the names of its inputs change."""
    volume, slabs = f"{R}/volumes/{wildcards.volume}/{wildcards.ensemble}", f"{R}/slabs/{wildcards.volume}/"
    former = workflow.persistence.metadata(IOFile(volume)) if os.path.exists(volume) else None
    if former and repr(volume_facts(wildcards)) in former.params:
        return [path for path in former.input if path.startswith(slabs)]
    return gather.slabs(f"{slabs}{wildcards.ensemble}/{{scatteritem}}")


def composed_targets(composition):
    """Names of the classes of a composition: the targets of its ensembles, one after another, without boundaries."""
    return [target for ensemble in COMPOSITIONS[composition]["ensembles"] for target in overlap_targets(ensemble)]


def composed_volumes(wildcards):
    """The probabilities of these targets in a volume."""
    return [
        f"{R}/volumes/{wildcards.volume}/{ensemble}/probabilities/{target}.ome.zarr"
        for ensemble in COMPOSITIONS[wildcards.composition]["ensembles"]
        for target in overlap_targets(ensemble)
    ]


def volumes_composed(composition):
    """The volumes that are predicted with all ensembles of a composition and keep the probabilities."""
    kept = {pair for pair, job in FULL.items() if job["probabilities"]}
    return [v for v in VOLUMES if all((v, e) in kept for e in COMPOSITIONS[composition]["ensembles"])]


# ---------------------------------------------------------------------------------------------------------- evaluation
def references_of(region):
    """The references a region is scored against, `reference` first: each label source where annotators are compared."""
    names = sorted(REGIONS[region]["labels"], key=lambda name: name != "reference")
    return names if REGIONS[region]["role"] == "compare" else names[:1]


def confusion_files():
    """One confusion table per region, reference and ensemble of all classes, and one of the other annotators where there are
    some."""
    files = []
    for region in SCORED:
        for reference in references_of(region):
            names = [name for name in CLASS_MAPS if region in scored_regions(name)]
            names += [ANNOTATION] if len(references_of(region)) > 1 else []
            files += [f"{R}/confusion/{region}/{reference}/{name}.csv" for name in names]
    return files


def predictor_names(wildcards):
    if wildcards.ensemble == ANNOTATION:
        return [name for name in REGIONS[wildcards.region]["labels"] if name != wildcards.reference]
    return predictors(wildcards.ensemble)


def scored_names(wildcards):
    """The predictors of a confusion table: random ensembles too."""
    more = [] if wildcards.ensemble == ANNOTATION else list(random_sets(wildcards.ensemble, wildcards.region))
    return predictor_names(wildcards) + more


def volumes_of(wildcards, names):
    """The label volumes of these predictors."""
    if wildcards.ensemble == ANNOTATION:
        return [f"{R}/regions/{wildcards.region}/labels_{n}.ome.zarr" for n in names]
    return [f"{R}/predictions/{wildcards.region}/{wildcards.ensemble}/{n}.ome.zarr" for n in names]


def predictor_inputs(wildcards):
    if wildcards.ensemble == ANNOTATION:
        return volumes_of(wildcards, predictor_names(wildcards))
    return f"{R}/predictions/{wildcards.region}/{wildcards.ensemble}"


def table_keys(wildcards):
    region = REGIONS[wildcards.region]
    keys = {"volume": region["volume"], "region": wildcards.region, "reference": wildcards.reference}
    return as_json({**keys, "experiment": wildcards.ensemble})


def eval_scored(ensemble):
    """The eval regions that choose the k of an ensemble."""
    return [name for name in scored_regions(ensemble) if REGIONS[name]["role"] == "eval"]


def roles(regions):
    return as_json({name: REGIONS[name]["role"] for name in regions})


def fraction_files():
    scored = [f.replace(f"{R}/confusion/", f"{R}/volume_fractions/") for f in confusion_files()]
    return scored + [f"{R}/volume_fractions/{v}/none/{e}.csv" for v, e in FULL if e in CLASS_MAPS]


def experiment_of():
    """{ensemble: experiment} of the ranked ensembles of one experiment, whose seeds are predicted singly."""
    return {e: ENSEMBLES[e]["experiments"][0] for e in RANKED if len(ENSEMBLES[e]["experiments"]) == 1}


# ------------------------------------------------------------------------------------------------------------ pictures
def class_labels_of(wildcards):
    """The class map of a region's reference, where an ensemble of all classes is scored against it."""
    if not set(ensembles_of(wildcards.region)) & set(CLASS_MAPS):
        return []
    return with_sidecar(f"{R}/regions/{wildcards.region}/labels_{references_of(wildcards.region)[0]}.ome.zarr")


def shown_predictors(ensemble):
    """What a picture shows of an ensemble: its largest top-k."""
    return [f"top{max(ENSEMBLES[ensemble]['top_k'])}"]


def shown(region):
    """(title, volume) of the predictions shown beside a region."""
    names = ensembles_of(region)
    return [(f"{e} {p}", f"{R}/predictions/{region}/{e}/{p}.ome.zarr") for e in names for p in shown_predictors(e)]


def sources_shown(record):
    """The label sources of a region that are shown: the reference, where there is one, and the annotators."""
    names = REGIONS[record["region"]]["labels"]
    return [name for name in names if name == "reference" or record["annotators"]] + record["ensembles"]


def source_files_of(region, source):
    """What shows a source: the labels of a region, or the predictions and the chosen k of an ensemble."""
    if source in REGIONS[region]["labels"]:
        return {"labels": with_sidecar(f"{R}/regions/{region}/labels_{source}.ome.zarr")}
    return {"chosen": f"{R}/ensembles/{source}/chosen.json", "predictions": f"{R}/predictions/{region}/{source}"}


def source_options(region, source):
    """The same as arguments of a script."""
    if source in REGIONS[region]["labels"]:
        return option("--labels", f"{R}/regions/{region}/labels_{source}.ome.zarr")
    chosen = option("--chosen", f"{R}/ensembles/{source}/chosen.json")
    return chosen + option("--predictions", f"{R}/predictions/{region}/{source}")
