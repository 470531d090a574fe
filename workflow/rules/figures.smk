"""Pictures and the summary of the report, each drawn from tables and volumes on disk."""

COLORS = as_json({c["name"]: config["figures"]["colors"][c["name"]] for c in config["classes"]})
DPI = config["figures"]["dpi"]
USED_WEIGHT_MAPS = sorted({e["weight_map"] for e in EXPERIMENTS.values()} - {"none"})


rule plot_alignment:
    input:
        shifts=f"{R}/aligned/{{volume}}/shifts.csv",
        before=with_sidecar(f"{R}/binned/{{volume}}/image.ome.zarr"),
        after=with_sidecar(f"{R}/aligned/{{volume}}/image.ome.zarr"),
        truth=truth_of,
    output:
        report(
            f"{R}/figures/alignment_{{volume}}.png",
            caption="../report/alignment.rst",
            category="2 Preprocessing",
            labels={"result": "Alignment: {volume}"},
        ),
    log:
        f"{R}/logs/plot_alignment/{{volume}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        truth=lambda w, input: option("--truth", input.truth),
        binning=lambda w: as_json(VOLUMES[w.volume]["binning"]),
        dpi=DPI,
        code=code("plot_alignment"),
    message:
        "Drawing the alignment of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/plot_alignment.py "
        "--shifts {input.shifts:q} --before {input.before[0]:q} "
        "--after {input.after[0]:q} {params.truth:q} --binning {params.binning:q} --title {wildcards.volume:q} "
        "--dpi {params.dpi:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_intensity:
    input:
        slices=f"{R}/corrected/{{volume}}/intensity_slices.csv",
        before=with_sidecar(f"{R}/aligned/{{volume}}/image.ome.zarr"),
        after=with_sidecar(f"{R}/corrected/{{volume}}/image.ome.zarr"),
    output:
        report(
            f"{R}/figures/intensity_{{volume}}.png",
            caption="../report/intensity.rst",
            category="2 Preprocessing",
            labels={"result": "Gray values of the slices: {volume}"},
        ),
    log:
        f"{R}/logs/plot_intensity/{{volume}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        method=config["normalization"]["slices"],
        dpi=DPI,
        code=code("plot_intensity"),
    message:
        "Drawing the gray values of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/plot_intensity.py "
        "--slices {input.slices:q} --before {input.before[0]:q} --after {input.after[0]:q} --method {params.method:q} "
        "--title {wildcards.volume:q} --dpi {params.dpi:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_weight_map:
    input:
        labels=with_sidecar(f"{R}/regions/{{region}}/labels_reference.ome.zarr"),
        weights=with_sidecar(f"{R}/weight_maps/{{weight_map}}/{{region}}.ome.zarr"),
    output:
        report(
            f"{R}/figures/weight_map_{{weight_map}}_{{region}}.png",
            caption="../report/weight_map.rst",
            category="2 Preprocessing",
            labels={"result": "Error weights: {region}, {weight_map}"},
        ),
    log:
        f"{R}/logs/plot_weight_map/{{weight_map}}_{{region}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        colors=COLORS,
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_weight_map"),
    message:
        "Drawing the weight map {wildcards.weight_map} of {wildcards.region}"
    shell:
        f"python {SCRIPTS}/plot_weight_map.py "
        "--labels {input.labels[0]:q} "
        "--weights {input.weights[0]:q} --title {wildcards.region:q} --colors {params.colors:q} "
        "--classes {params.classes:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_training_curves:
    input:
        run_file("history.csv"),
    output:
        report(
            f"{R}/figures/training_curves.png",
            caption="../report/training_curves.rst",
            category="3 Training",
            labels={"result": "Training curves"},
        ),
    log:
        f"{R}/logs/plot_training_curves.log",
    conda:
        "../../envs/report.yaml"
    params:
        dpi=DPI,
        code=code("plot_training_curves"),
    message:
        "Drawing the training curves"
    shell:
        f"python {SCRIPTS}/plot_training_curves.py "
        "--histories {input:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_network:
    output:
        report(
            f"{R}/figures/network_{{experiment}}.png",
            caption="../report/network.rst",
            category="3 Training",
            labels={"result": "Network: {experiment}"},
        ),
    log:
        f"{R}/logs/plot_network/{{experiment}}.log",
    wildcard_constraints:
        experiment="|".join(EXPERIMENTS),  # network_comparison.png is another rule's
    conda:
        "../../envs/torch.yaml"
    params:
        network=lambda w: EXPERIMENTS[w.experiment]["network"],
        options=lambda w: as_json(EXPERIMENTS[w.experiment]["options"]),
        window=lambda w: as_json(EXPERIMENTS[w.experiment]["window"]),
        classes=lambda w: target_records(w.experiment),
        dpi=DPI,
        code=lambda w: code("plot_network", EXPERIMENTS[w.experiment]["network"]),
    message:
        "Drawing the network of {wildcards.experiment}"
    shell:
        f"python {SCRIPTS}/plot_network.py "
        "--network {params.network:q} --options {params.options:q} "
        "--window {params.window:q} --classes {params.classes:q} --title {wildcards.experiment:q} --dpi {params.dpi:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_ranking:
    input:
        ranking=f"{R}/tables/ranking.csv",
        metrics=f"{R}/tables/metrics.csv",
        chosen=chosen_lists(RANKED),
    output:
        report(
            f"{R}/figures/ranking.png",
            caption="../report/ranking.rst",
            category="4 Ensembles",
            labels={"result": "Ranking of the networks"},
        ),
    log:
        f"{R}/logs/plot_ranking.log",
    conda:
        "../../envs/report.yaml"
    params:
        dpi=DPI,
        code=code("plot_ranking"),
    message:
        "Drawing the ranking"
    shell:
        f"python {SCRIPTS}/plot_ranking.py "
        "--ranking {input.ranking:q} --metrics {input.metrics:q} "
        "--chosen {input.chosen:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_segmentation:
    input:
        image=with_sidecar(f"{R}/regions/{{region}}/image.ome.zarr"),
        reference=class_labels_of,
        folders=lambda w: [f"{R}/predictions/{w.region}/{e}" for e in ensembles_of(w.region)],
    output:
        report(
            f"{R}/figures/segmentation_{{region}}.png",
            caption="../report/segmentation.rst",
            category="5 Segmentation",
            labels={"result": "Segmentation of a region: {region}"},
        ),
    log:
        f"{R}/logs/plot_segmentation/{{region}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        reference=lambda w, input: option("--reference", *input.reference[:1]),
        predictions=lambda w: [path for _, path in shown(w.region)],
        predictors=lambda w: as_json([title for title, _ in shown(w.region)]),
        n_slices=config["figures"]["slices_per_region"],
        colors=COLORS,
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_segmentation"),
    message:
        "Drawing the segmentation of {wildcards.region}"
    shell:
        f"python {SCRIPTS}/plot_segmentation.py "
        "--image {input.image[0]:q} {params.reference:q} "
        "--predictions {params.predictions:q} --predictors {params.predictors:q} --title {wildcards.region:q} "
        "--n-slices {params.n_slices:q} --colors {params.colors:q} --classes {params.classes:q} --dpi {params.dpi:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_volume:
    input:
        image=with_sidecar(f"{R}/aligned/{{volume}}/image.ome.zarr"),
        folder=f"{R}/volumes/{{volume}}/{{ensemble}}",
    output:
        report(
            f"{R}/figures/volume_{{volume}}_{{ensemble}}.png",
            caption="../report/volume.rst",
            category="5 Segmentation",
            labels={"result": "Segmentation of a volume: {volume}, {ensemble}"},
        ),
    log:
        f"{R}/logs/plot_volume/{{volume}}_{{ensemble}}.log",
    wildcard_constraints:  # of subject1_pair_n7 only names tell which part is the volume
        volume=names_only(VOLUMES),
        ensemble=names_only([*ENSEMBLES, *COMPOSITIONS]),
    conda:
        "../../envs/report.yaml"
    params:
        predictors=lambda w: as_json([w.ensemble]),
        n_slices=config["figures"]["slices_per_region"],
        colors=COLORS,
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_segmentation"),
    message:
        "Drawing the segmentation of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/plot_segmentation.py "
        "--image {input.image[0]:q} "
        "--predictions {input.folder:q}/labels.ome.zarr --predictors {params.predictors:q} "
        "--title {wildcards.volume:q} --n-slices {params.n_slices:q} --colors {params.colors:q} "
        "--classes {params.classes:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_confusion:
    input:
        confusion=f"{R}/tables/confusion.csv",
        chosen=chosen_lists(CLASS_MAPS),
    output:
        report(
            f"{R}/figures/confusion.png",
            caption="../report/confusion.rst",
            category="6 Evaluation",
            labels={"result": "Confusion matrices"},
        ),
    log:
        f"{R}/logs/plot_confusion.log",
    conda:
        "../../envs/report.yaml"
    params:
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_confusion"),
    message:
        "Drawing the confusion matrices"
    shell:
        f"python {SCRIPTS}/plot_confusion.py "
        "--confusion {input.confusion:q} --chosen {input.chosen:q} "
        "--classes {params.classes:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_volume_fractions:
    input:
        fractions=f"{R}/tables/volume_fractions.csv",
        chosen=chosen_lists(CLASS_MAPS),
    output:
        report(
            f"{R}/figures/volume_fractions.png",
            caption="../report/volume_fractions.rst",
            category="7 Analysis",
            labels={"result": "Volume fractions"},
        ),
    log:
        f"{R}/logs/plot_volume_fractions.log",
    conda:
        "../../envs/report.yaml"
    params:
        margin_nm=config["analysis"]["volume_fractions"]["margin_nm"],
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_volume_fractions"),
    message:
        "Drawing the volume fractions"
    shell:
        f"python {SCRIPTS}/plot_volume_fractions.py "
        "--fractions {input.fractions:q} --chosen {input.chosen:q} "
        "--margin-nm {params.margin_nm:q} --classes {params.classes:q} "
        "--dpi {params.dpi:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule write_summary:
    input:
        metrics=[f"{R}/tables/metrics.csv"] * bool(RANKED),
        ranking=[f"{R}/tables/ranking.csv"] * bool(RANKED),
        fractions=[f"{R}/tables/volume_fractions.csv"] * bool(RANKED),
        chosen=chosen_lists(RANKED),
        held_out=[f"{R}/tables/held_out_metrics.csv"] * bool(HELD_OUT),
        by_distance=[f"{R}/tables/held_out_by_distance.csv"] * bool(HELD_OUT),
        contents=[f"{R}/tables/contents.csv"] * bool(CONTAINERS),
    output:
        html=report(
            f"{R}/summary.html",
            caption="../report/summary.rst",
            category="0 Summary",
            labels={"result": "Summary in words"},
        ),
        table=f"{R}/tables/summary.csv",
    log:
        f"{R}/logs/write_summary.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        regions=lambda w, input: [
            *option("--metrics", *input.metrics),
            *option("--ranking", *input.ranking),
            *option("--volume-fractions", *input.fractions),
            *option("--chosen", *input.chosen),
        ],
        draws=lambda w, input: option("--held-out", *input.held_out) + option("--by-distance", *input.by_distance),
        contents=lambda w, input: option("--contents", *input.contents),
        containers=option("--containers", *[as_json([object_keys(*pair) for pair in CONTAINERS])] * bool(CONTAINERS)),
        classes=CLASSES,
        margin_nm=config["analysis"]["volume_fractions"]["margin_nm"],
        code=code("write_summary"),
    message:
        "Writing the summary"
    shell:
        f"python {SCRIPTS}/write_summary.py "
        "{params.regions:q} {params.draws:q} {params.contents:q} {params.containers:q} --classes {params.classes:q} "
        "--margin-nm {params.margin_nm:q} "
        "--table {output.table:q} --output {output.html:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


# figure -> its members
OF_TABLES = {"ranking": RANKED, "confusion": confusion_files(), "volume_fractions": fraction_files()}
FIGURES = [
    *[f"{R}/summary.html"] * bool(RANKED or HELD_OUT or CONTAINERS),
    f"{R}/figures/training_curves.png",
    *(f"{R}/figures/{name}.png" for name, members in OF_TABLES.items() if members),
    *(f"{R}/figures/alignment_{v}.png" for v, record in VOLUMES.items() if record["alignment"]["method"] != "none"),
    *(f"{R}/figures/intensity_{v}.png" for v in VOLUMES if IMAGES == "corrected"),
    *(f"{R}/figures/weight_map_{w}_{r}.png" for w in USED_WEIGHT_MAPS for r in weighted_regions(w)),
    *(f"{R}/figures/segmentation_{r}.png" for r in SCORED if ensembles_of(r)),
    *(f"{R}/figures/volume_{v}_{e}.png" for v, e in FULL),
]

NETWORK_DIAGRAMS = [f"{R}/figures/network_{e}.png" for e in EXPERIMENTS]
