"""Tissue against background: ensembles and volumes of other programs, over thresholds of the probability."""

import shlex

FOREGROUND = config["analysis"]["foreground"]
BACKGROUND_CLASSES = [c["name"] for c in config["classes"] if c["group"] == "background"]


def external_volumes(region):
    return {record["name"]: record for record in FOREGROUND["external"] if record["region"] == region}


def foreground_sources(region):
    return [*FOREGROUND["ensembles"], *external_volumes(region)]


def foreground_inputs(region, source):
    """What Snakemake waits for: the folders of an ensemble, the files of another program's volume."""
    if source in FOREGROUND["ensembles"]:
        return [f"{R}/probabilities/{region}/{source}", f"{R}/predictions/{region}/{source}"]
    return source_files(external_volumes(region)[source])


def foreground_paths(region, source):
    """What the scripts read, in the order `source_record` says."""
    if source not in FOREGROUND["ensembles"]:
        return source_files(external_volumes(region)[source])
    probabilities = [f"{R}/probabilities/{region}/{source}/{name}.ome.zarr" for name in BACKGROUND_CLASSES]
    labels = [f"{R}/predictions/{region}/{source}/top{k}.ome.zarr" for k in ENSEMBLES[source]["top_k"]]
    return probabilities + labels


def source_record(region, source):
    if source in FOREGROUND["ensembles"]:
        predictors = [f"top{k}" for k in ENSEMBLES[source]["top_k"]]
        return {
            "name": source,
            "kind": "ensemble",
            "n_background": len(BACKGROUND_CLASSES),
            "predictors": predictors,
        }
    record = external_volumes(region)[source]
    return {key: record[key] for key in ("name", "kind", "axes", "maximum")} | {"n_files": len(source_files(record))}


def chosen_list(source):
    return [f"{R}/ensembles/{source}/chosen.json"] if source in FOREGROUND["ensembles"] else []


def chosen_option(sources):
    lists = [path for source in sources for path in chosen_list(source)]
    return f"--chosen {quoted(lists)}" if lists else ""


def quoted(paths):
    return " ".join(shlex.quote(path) for path in paths)


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
    params:
        settings=PREDICTION,
        classes=CLASSES,
        code=lambda w: code("predict_volume", *networks_of(w.ensemble)),
    message:
        "Predicting the class probabilities of {wildcards.ensemble} in {wildcards.region}"
    shell:
        "python {SCRIPTS}/predict_volume.py --members {input.members:q} --checkpoints {input.checkpoints:q} "
        "--image {input.image[0]:q} --probabilities {output:q} --settings {params.settings:q} "
        "--classes {params.classes:q} --threads {threads} --device {config[device]} "
        "--code-hash {params.code} 2>&1 | tee {log:q}"


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
        files=lambda w: quoted(foreground_paths(w.region, w.source)),
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
        "python {SCRIPTS}/compute_foreground.py --reference {input.reference[0]:q} --files {params.files} {params.chosen} "
        "--source {params.source:q} --keys {params.key_columns:q} --settings {params.settings:q} "
        "--classes {params.classes:q} --output {output:q} --code-hash {params.code} 2>&1 | tee {log:q}"


rule choose_threshold:
    input:
        [f"{R}/foreground/{r}/{s}.csv" for r in FOREGROUND["regions"] for s in foreground_sources(r)],
    output:
        f"{R}/tables/foreground.csv",
    log:
        f"{R}/logs/choose_threshold.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("choose_threshold"),
    message:
        "Gathering the foreground scores and choosing the thresholds on eval"
    shell:
        "python {SCRIPTS}/choose_threshold.py --scores {input:q} --output {output:q} "
        "--code-hash {params.code} 2>&1 | tee {log:q}"


rule plot_foreground:
    input:
        scores=f"{R}/tables/foreground.csv",
        image=with_sidecar(f"{R}/regions/{{region}}/image.ome.zarr"),
        reference=lambda w: with_sidecar(f"{R}/regions/{w.region}/labels_{references_of(w.region)[0]}.ome.zarr"),
        sources=lambda w: [f for s in foreground_sources(w.region) for f in foreground_inputs(w.region, s)],
        chosen=lambda w: [f for s in foreground_sources(w.region) for f in chosen_list(s)],
    output:
        report(f"{R}/figures/foreground_{{region}}.png", caption="../report/foreground.rst", category="5 Evaluation"),
    log:
        f"{R}/logs/plot_foreground/{{region}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        files=lambda w: quoted(p for s in foreground_sources(w.region) for p in foreground_paths(w.region, s)),
        chosen=lambda w: chosen_option(foreground_sources(w.region)),
        sources=lambda w: as_json([source_record(w.region, s) for s in foreground_sources(w.region)]),
        colors=lambda w: COLORS,
        classes=CLASSES,
        dpi=config["figures"]["dpi"],
        code=code("plot_foreground"),
    message:
        "Drawing tissue against background in {wildcards.region}"
    shell:
        "python {SCRIPTS}/plot_foreground.py --scores {input.scores:q} --image {input.image[0]:q} "
        "--reference {input.reference[0]:q} --files {params.files} {params.chosen} --sources {params.sources:q} "
        "--region {wildcards.region} --colors {params.colors:q} --classes {params.classes:q} --dpi {params.dpi} "
        "--output {output:q} --code-hash {params.code} 2>&1 | tee {log:q}"


FOREGROUND_OUTPUTS = [f"{R}/tables/foreground.csv"] if FOREGROUND["regions"] else []
FOREGROUND_OUTPUTS += [f"{R}/figures/foreground_{region}.png" for region in FOREGROUND["regions"]]
