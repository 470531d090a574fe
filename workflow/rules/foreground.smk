"""Tissue against background: ensembles and volumes of other programs, over thresholds of the probability."""


rule predict_probabilities:
    input:
        members=f"{R}/ensembles/{{ensemble}}/chosen.json",
        checkpoints=lambda w: checkpoints_of(w.ensemble),
        image=with_sidecar(f"{R}/regions/{{region}}/image.ome.zarr"),
    output:
        directory(f"{R}/probabilities/{{region}}/{{ensemble}}"),
    log:
        f"{R}/logs/predict_probabilities/{{region}}_{{ensemble}}.log",
    benchmark:
        f"{R}/benchmarks/predict_probabilities/{{region}}_{{ensemble}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["prediction"]
    resources:
        gpu=GPUS,
        device=DEVICE,
    params:
        settings=PREDICTION,
        classes=CLASSES,
        code=lambda w: code("predict_volume", *networks_of(w.ensemble)),
    message:
        "Predicting the class probabilities of {wildcards.ensemble} in {wildcards.region}"
    shell:
        f"python {SCRIPTS}/predict_volume.py "
        "--members {input.members:q} --checkpoints {input.checkpoints:q} "
        "--image {input.image[0]:q} --probabilities {output:q} --settings {params.settings:q} "
        "--classes {params.classes:q} --threads {threads:q} --device {resources.device:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule compute_foreground:
    input:
        reference=lambda w: with_sidecar(f"{R}/regions/{w.region}/labels_{references_of(w.region)[0]}.ome.zarr"),
        sources=lambda w: foreground_inputs(w.region, w.source),
        chosen=lambda w: chosen_list(w.source),
    output:
        f"{R}/foreground/{{region}}/{{source}}.csv",
    log:
        f"{R}/logs/compute_foreground/{{region}}_{{source}}.log",
    wildcard_constraints:
        source="[A-Za-z][A-Za-z0-9_]*",
    conda:
        "../../envs/imaging.yaml"
    params:
        files=lambda w: foreground_words(w.region, w.source),
        chosen=lambda w: chosen_option([w.source]),
        source=lambda w: as_json(source_record(w.region, w.source)),
        key_columns=lambda w: as_json(
            {
                "volume": REGIONS[w.region]["volume"],
                "region": w.region,
                "reference": references_of(w.region)[0],
                "role": REGIONS[w.region]["role"],
            }
        ),
        settings=select(FOREGROUND, "thresholds", "boundary_tolerance_nm", "gap_nm"),
        classes=CLASSES,
        code=code("compute_foreground"),
    message:
        "Scoring {wildcards.source} as tissue against background in {wildcards.region}"
    shell:
        f"python {SCRIPTS}/compute_foreground.py "
        "--reference {input.reference[0]:q} "
        "--files {params.files:q} {params.chosen:q} --source {params.source:q} --keys {params.key_columns:q} "
        "--settings {params.settings:q} --classes {params.classes:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule choose_threshold:
    input:
        [f"{R}/foreground/{r}/{s}.csv" for r in FOREGROUND["regions"] for s in foreground_sources(r)],
    output:
        f"{R}/tables/foreground.csv",
    log:
        f"{R}/logs/choose_threshold.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("choose_threshold"),
    message:
        "Gathering the foreground scores and choosing the thresholds on eval"
    shell:
        f"python {SCRIPTS}/choose_threshold.py "
        "--scores {input:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_foreground:
    input:
        scores=f"{R}/tables/foreground.csv",
        image=with_sidecar(f"{R}/regions/{{region}}/image.ome.zarr"),
        reference=lambda w: with_sidecar(f"{R}/regions/{w.region}/labels_{references_of(w.region)[0]}.ome.zarr"),
        sources=lambda w: [f for s in foreground_sources(w.region) for f in foreground_inputs(w.region, s)],
        chosen=lambda w: [f for s in foreground_sources(w.region) for f in chosen_list(s)],
    output:
        report(
            f"{R}/figures/foreground_{{region}}.png",
            caption="../report/foreground.rst",
            category="6 Evaluation",
            labels={"result": "Tissue against background: {region}"},
        ),
    log:
        f"{R}/logs/plot_foreground/{{region}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        files=lambda w: [p for s in foreground_sources(w.region) for p in foreground_words(w.region, s)],
        chosen=lambda w: chosen_option(foreground_sources(w.region)),
        sources=lambda w: as_json([source_record(w.region, s) for s in foreground_sources(w.region)]),
        colors=lambda w: COLORS,
        classes=CLASSES,
        dpi=config["figures"]["dpi"],
        code=code("plot_foreground"),
    message:
        "Drawing tissue against background in {wildcards.region}"
    shell:
        f"python {SCRIPTS}/plot_foreground.py "
        "--scores {input.scores:q} --image {input.image[0]:q} "
        "--reference {input.reference[0]:q} --files {params.files:q} {params.chosen:q} --sources {params.sources:q} "
        "--region {wildcards.region:q} --colors {params.colors:q} --classes {params.classes:q} --dpi {params.dpi:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


FOREGROUND_OUTPUTS = [f"{R}/tables/foreground.csv"] if FOREGROUND["regions"] else []
FOREGROUND_OUTPUTS += [f"{R}/figures/foreground_{region}.png" for region in FOREGROUND["regions"]]
