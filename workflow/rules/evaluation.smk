"""Confusion tables of every prediction against every reference, and the metrics that follow from them."""


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
        predictions=lambda w: volumes_of(w, scored_names(w)),
        predictors=lambda w: as_json(scored_names(w)),
        key_columns=table_keys,
        mask=lambda w: REGIONS[w.region]["mask"],
        classes=CLASSES,
        code=code("compute_confusion_matrix"),
    message:
        "Counting confusions of {wildcards.ensemble} in {wildcards.region} against {wildcards.reference}"
    shell:
        f"python {SCRIPTS}/compute_confusion_matrix.py "
        "--reference {input.reference[0]:q} "
        "--predictions {params.predictions:q} --predictors {params.predictors:q} --keys {params.key_columns:q} "
        "--mask {params.mask:q} --classes {params.classes:q} --output {output:q} "
        "--threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule compute_metrics:
    input:
        confusion_files(),
    output:
        metrics=f"{R}/tables/metrics.csv",
        confusion=f"{R}/tables/confusion.csv",
    log:
        f"{R}/logs/compute_metrics.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        roles=roles(SCORED),
        classes=CLASSES,
        code=code("compute_metrics"),
    message:
        "Computing metrics"
    shell:
        f"python {SCRIPTS}/compute_metrics.py "
        "--confusion {input:q} --roles {params.roles:q} "
        "--classes {params.classes:q} --confusion-output {output.confusion:q} --output {output.metrics:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule compute_eval_metrics:
    input:
        lambda w: [f"{R}/confusion/{region}/reference/{w.ensemble}.csv" for region in eval_scored(w.ensemble)],
    output:
        f"{R}/ensembles/{{ensemble}}/eval_metrics.csv",
    log:
        f"{R}/logs/compute_eval_metrics/{{ensemble}}.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        roles=lambda w: roles(eval_scored(w.ensemble)),
        classes=CLASSES,
        code=code("compute_metrics"),
    message:
        "Computing metrics of {wildcards.ensemble} on the eval regions, which choose k"
    shell:
        f"python {SCRIPTS}/compute_metrics.py "
        "--confusion {input:q} --roles {params.roles:q} "
        "--classes {params.classes:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"
