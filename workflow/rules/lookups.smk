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


def intensity_of(wildcards):
    return aligned_of("intensity.json")(wildcards) if config["normalization"]["scope"] == "volume" else []


# --------------------------------------------------------------------------------------------- training and prediction
def weights_of(wildcards):
    name = EXPERIMENTS[wildcards.experiment]["weight_map"]
    return [f"{R}/weight_maps/{name}/{region}.ome.zarr" for region in TRAIN]


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
    facts = [json.loads(PREDICTION), json.loads(CLASSES), code("predict_volume", *networks_of(wildcards.ensemble))]
    return as_json([select(job, "probabilities", "keep_members", "mask"), *facts])


def slabs_of(wildcards):
    """The slabs of a volume. One that exists and would be made with equal settings keeps those it was gathered from: another
    number gives the same volume, and Snakemake makes an output again when the names of its inputs change."""
    volume, slabs = f"{R}/volumes/{wildcards.volume}/{wildcards.ensemble}", f"{R}/slabs/{wildcards.volume}/"
    former = workflow.persistence.metadata(IOFile(volume)) if os.path.exists(volume) else None
    if former and repr(volume_facts(wildcards)) in former.params:
        return [path for path in former.input if path.startswith(slabs)]
    return gather.slabs(f"{slabs}{wildcards.ensemble}/{{scatteritem}}")


# ---------------------------------------------------------------------------------------------------------- evaluation
def references_of(region):
    """The references a region is scored against, `reference` first: each label source where annotators are compared."""
    names = sorted(REGIONS[region]["labels"], key=lambda name: name != "reference")
    return names if REGIONS[region]["role"] == "compare" else names[:1]


def confusion_files():
    """One confusion table per region, reference and ensemble, and one of the other annotators where there are some."""
    files = []
    for region in SCORED:
        for reference in references_of(region):
            names = list(ENSEMBLES) + ([ANNOTATION] if len(references_of(region)) > 1 else [])
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


def roles(regions):
    return as_json({name: REGIONS[name]["role"] for name in regions})


def fraction_files():
    scored = [f.replace(f"{R}/confusion/", f"{R}/volume_fractions/") for f in confusion_files()]
    return scored + [f"{R}/volume_fractions/{v}/none/{e}.csv" for v, e in FULL]


def experiment_of():
    """{ensemble: experiment} of the ensembles of one experiment, whose seeds are predicted singly."""
    return {name: e["experiments"][0] for name, e in ENSEMBLES.items() if len(e["experiments"]) == 1}


# ------------------------------------------------------------------------------------------------------------ pictures
def shown_predictors(ensemble):
    """What a picture shows of an ensemble: its largest top-k."""
    return [f"top{max(ENSEMBLES[ensemble]['top_k'])}"]


def shown(region):
    """(title, volume) of the predictions shown beside a region."""
    return [(f"{e} {p}", f"{R}/predictions/{region}/{e}/{p}.ome.zarr") for e in ENSEMBLES for p in shown_predictors(e)]


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
