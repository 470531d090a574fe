"""The numbers biologists publish: volume fractions."""


rule compute_volume_fractions:
    input:
        reference=with_sidecar(f"{R}/regions/{{region}}/labels_{{reference}}.ome.zarr"),
        predictions=predictor_inputs,
    output:
        f"{R}/volume_fractions/{{region}}/{{reference}}/{{ensemble}}.csv",
    log:
        f"{R}/logs/compute_volume_fractions/{{region}}_{{reference}}_{{ensemble}}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        predictions=lambda w: volumes_of(w, predictor_names(w)),
        predictors=lambda w: as_json(predictor_names(w)),
        key_columns=table_keys,
        settings=select(config["analysis"]["volume_fractions"], "margins_nm"),
        classes=CLASSES,
        code=code("compute_volume_fractions"),
    message:
        "Computing volume fractions of {wildcards.ensemble} in {wildcards.region} against {wildcards.reference}"
    shell:
        f"python {SCRIPTS}/compute_volume_fractions.py "
        "--reference {input.reference[0]:q} "
        "--predictions {params.predictions:q} --predictors {params.predictors:q} --keys {params.key_columns:q} "
        "--settings {params.settings:q} --classes {params.classes:q} --output {output:q} "
        "--threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule compute_tissue_fractions:
    input:
        folder=f"{R}/volumes/{{volume}}/{{ensemble}}",
    output:
        f"{R}/volume_fractions/{{volume}}/none/{{ensemble}}.csv",
    log:
        f"{R}/logs/compute_tissue_fractions/{{volume}}_{{ensemble}}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        key_columns=lambda w: as_json({"volume": w.volume, "region": "", "reference": "", "experiment": w.ensemble}),
        classes=CLASSES,
        code=code("compute_volume_fractions"),
    message:
        "Computing volume fractions of the whole volume {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/compute_volume_fractions.py "
        "--predictions {input.folder:q}/labels.ome.zarr "
        "--predictors '[\"chosen\"]' --keys {params.key_columns:q} --classes {params.classes:q} --output {output:q} "
        "--threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule gather_volume_fractions:
    input:
        fraction_files(),
    output:
        f"{R}/tables/volume_fractions.csv",
    log:
        f"{R}/logs/gather_volume_fractions.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("gather_tables"),
    message:
        "Gathering volume fractions"
    shell:
        f"python {SCRIPTS}/gather_tables.py "
        "--tables {input:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


# what has no members is not asked for: a configuration may have no ranked networks, no class maps, no whole volumes
TABLES = [f"{R}/tables/ranking.csv"] * bool(EVALUATED)
TABLES += [f"{R}/tables/metrics.csv", f"{R}/tables/confusion.csv"] * bool(confusion_files())
TABLES += [f"{R}/tables/volume_fractions.csv"] * bool(fraction_files())


# regions that two or more label sources cover: people and networks are compared there
SHARED_REGIONS = [name for name in regions_of("compare") * bool(RANKED) if len(references_of(name)) > 1]


rule compare_annotators:
    input:
        metrics=f"{R}/tables/metrics.csv",
        chosen=chosen_lists(RANKED),
    output:
        f"{R}/tables/annotator_agreement.csv",
    log:
        f"{R}/logs/compare_annotators.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("compare_annotators"),
    message:
        "Comparing people with each other and with networks"
    shell:
        f"python {SCRIPTS}/compare_annotators.py "
        "--metrics {input.metrics:q} --chosen {input.chosen:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_annotators:
    input:
        agreement=f"{R}/tables/annotator_agreement.csv",
        confusion=f"{R}/tables/confusion.csv",
        fractions=f"{R}/tables/volume_fractions.csv",
        chosen=chosen_lists(RANKED),
    output:
        agreement=report(
            f"{R}/figures/annotators_{{region}}.png",
            caption="../report/annotators.rst",
            category="6 Evaluation",
            labels={"result": "People and networks: {region}"},
        ),
        confusion=report(
            f"{R}/figures/annotator_confusion_{{region}}.png",
            caption="../report/annotator_confusion.rst",
            category="6 Evaluation",
            labels={"result": "Who takes what for what: {region}"},
        ),
    log:
        f"{R}/logs/plot_annotators/{{region}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        margin_nm=config["analysis"]["volume_fractions"]["margin_nm"],
        classes=CLASSES,
        dpi=config["figures"]["dpi"],
        code=code("plot_annotators"),
    message:
        "Drawing people and networks in {wildcards.region}"
    shell:
        f"python {SCRIPTS}/plot_annotators.py "
        "--agreement {input.agreement:q} --confusion {input.confusion:q} "
        "--fractions {input.fractions:q} --chosen {input.chosen:q} --region {wildcards.region:q} "
        "--margin-nm {params.margin_nm:q} --classes {params.classes:q} --dpi {params.dpi:q} "
        "--output {output.agreement:q} --confusion-output {output.confusion:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


ANNOTATOR_OUTPUTS = [f"{R}/tables/annotator_agreement.csv"] if SHARED_REGIONS else []
ANNOTATOR_OUTPUTS += [
    f"{R}/figures/{kind}_{region}.png" for region in SHARED_REGIONS for kind in ("annotators", "annotator_confusion")
]
