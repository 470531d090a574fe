"""Confusion tables of every prediction against every reference, and the metrics that follow from them."""


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


rule compute_confusion_matrix:
    input:
        reference=with_sidecar(f"{R}/regions/{{region}}/labels_{{reference}}.ome.zarr"),
        predictions=predictor_inputs,
    output:
        f"{R}/confusion/{{region}}/{{reference}}/{{ensemble}}.csv",
    log:
        f"{R}/logs/compute_confusion_matrix/{{region}}_{{reference}}_{{ensemble}}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        predictions=lambda w: " ".join(volumes_of(w, scored_names(w))),
        predictors=lambda w: as_json(scored_names(w)),
        key_columns=table_keys,
        mask=lambda w: REGIONS[w.region]["mask"],
        classes=CLASSES,
        code=code("compute_confusion_matrix"),
    message:
        "Counting confusions of {wildcards.ensemble} in {wildcards.region} against {wildcards.reference}"
    shell:
        "python {SCRIPTS}/compute_confusion_matrix.py --reference {input.reference[0]:q} "
        "--predictions {params.predictions} --predictors {params.predictors:q} --keys {params.key_columns:q} "
        "--mask {params.mask} --classes {params.classes:q} --output {output:q} "
        "--threads {threads} --code-hash {params.code} 2>&1 | tee {log:q}"


def roles(regions):
    return as_json({name: REGIONS[name]["role"] for name in regions})


rule compute_metrics:
    input:
        confusion_files(),
    output:
        metrics=f"{R}/tables/metrics.csv",
        confusion=f"{R}/tables/confusion.csv",
    log:
        f"{R}/logs/compute_metrics.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        roles=roles(SCORED),
        classes=CLASSES,
        code=code("compute_metrics"),
    message:
        "Computing metrics"
    shell:
        "python {SCRIPTS}/compute_metrics.py --confusion {input:q} --roles {params.roles:q} --classes {params.classes:q} "
        "--confusion-output {output.confusion:q} --output {output.metrics:q} --code-hash {params.code} 2>&1 | tee {log:q}"


rule compute_eval_metrics:
    input:
        lambda w: [f"{R}/confusion/{region}/reference/{w.ensemble}.csv" for region in regions_of("eval")],
    output:
        f"{R}/ensembles/{{ensemble}}/eval_metrics.csv",
    log:
        f"{R}/logs/compute_eval_metrics/{{ensemble}}.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        roles=roles(regions_of("eval")),
        classes=CLASSES,
        code=code("compute_metrics"),
    message:
        "Computing metrics of {wildcards.ensemble} on the eval regions, which choose k"
    shell:
        "python {SCRIPTS}/compute_metrics.py --confusion {input:q} --roles {params.roles:q} --classes {params.classes:q} "
        "--output {output:q} --code-hash {params.code} 2>&1 | tee {log:q}"
