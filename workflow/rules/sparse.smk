"""Sparse labels: slices that are drawn for training, and the scores of those that weren't."""

HELD_OUT_TABLES = [f"{R}/held_out/{e}/seed{seed}.csv" for e, seed in all_runs() if e in HELD_OUT]
OVERLAP_TABLES = [
    f"{R}/overlap/{region}/{reference}/{e}.csv"
    for region in SCORED
    for reference in references_of(region)
    for e in ensembles_of(region)
    if has_sigmoid(e) and overlap_targets(e)
]


rule draw_slices:
    input:
        targets=lambda w: target_stores(regions_for(w.experiment, "train"), targets_of(w.experiment)),
    output:
        f"{R}/draws/{{experiment}}.csv",
    log:
        f"{R}/logs/draw_slices/{{experiment}}.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        regions=lambda w: as_json(regions_for(w.experiment, "train")),
        draw=lambda w: as_json(EXPERIMENTS[w.experiment]["draw"]),
        seeds=lambda w: as_json(EXPERIMENTS[w.experiment]["seeds"]),
        evaluate=lambda w: EXPERIMENTS[w.experiment]["evaluate"],
        code=code("draw_slices"),
    message:
        "Drawing the training slices of {wildcards.experiment}"
    shell:
        f"python {SCRIPTS}/draw_slices.py "
        "--targets {input.targets:q} --experiment {wildcards.experiment:q} --regions {params.regions:q} --draw {params.draw:q} "
        "--seeds {params.seeds:q} --evaluate {params.evaluate:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule score_held_out:
    input:
        checkpoint=f"{R}/models/{{experiment}}/seed{{seed}}/best.safetensors",
        draw=f"{R}/draws/{{experiment}}.csv",
        images=lambda w: [f"{R}/regions/{r}/image.ome.zarr" for r in regions_for(w.experiment, "train")],
        targets=lambda w: target_stores(regions_for(w.experiment, "train"), targets_of(w.experiment)),
        scored_targets=lambda w: target_stores(scored_on(w.experiment), targets_of(w.experiment)),
    output:
        table=f"{R}/held_out/{{experiment}}/seed{{seed}}.csv",
        folder=directory(f"{R}/held_out/{{experiment}}/seed{{seed}}"),
    log:
        f"{R}/logs/score_held_out/{{experiment}}_seed{{seed}}.log",
    benchmark:
        f"{R}/benchmarks/score_held_out/{{experiment}}_seed{{seed}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["prediction"]
    resources:
        gpu=GPUS,
        device=DEVICE,
    params:
        places=lambda w: as_json([place_of(r) for r in regions_for(w.experiment, "train")]),
        scored_targets=lambda w, input: option("--scored-targets", *input.scored_targets),
        scored_place=lambda w: option("--scored-place", *[as_json(place_of(r)) for r in scored_on(w.experiment)]),
        settings=PREDICTION,
        classes=lambda w: classes_for(w.experiment),
        code=lambda w: code("score_held_out", EXPERIMENTS[w.experiment]["network"]),
    message:
        "Scoring {wildcards.experiment}, seed {wildcards.seed}, on the slices it was not trained on"
    shell:
        f"python {SCRIPTS}/score_held_out.py "
        "--checkpoint {input.checkpoint:q} --draw {input.draw:q} --images {input.images:q} --targets {input.targets:q} "
        "{params.scored_targets:q} {params.scored_place:q} --places {params.places:q} --experiment {wildcards.experiment:q} "
        "--seed {wildcards.seed:q} --classes {params.classes:q} --settings {params.settings:q} --threads {threads:q} "
        "--device {resources.device:q} --folder {output.folder:q} --output {output.table:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule summarize_draws:
    input:
        HELD_OUT_TABLES,
    output:
        metrics=f"{R}/tables/held_out_metrics.csv",
        budget=f"{R}/tables/label_budget.csv",
        by_distance=f"{R}/tables/held_out_by_distance.csv",
    log:
        f"{R}/logs/summarize_draws.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("summarize_draws"),
    message:
        "Gathering the scores on held-out slices"
    shell:
        f"python {SCRIPTS}/summarize_draws.py "
        "--overlap {input:q} --output {output.metrics:q} --budget {output.budget:q} --by-distance {output.by_distance:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule compute_overlap:
    input:
        targets=lambda w: target_stores([w.region], overlap_targets(w.ensemble), w.reference),
        predictions=f"{R}/predictions/{{region}}/{{ensemble}}",
    output:
        f"{R}/overlap/{{region}}/{{reference}}/{{ensemble}}.csv",
    log:
        f"{R}/logs/compute_overlap/{{region}}_{{reference}}_{{ensemble}}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        predictions=lambda w: volumes_of(w, predictor_names(w)),
        predictors=lambda w: as_json(predictor_names(w)),
        names=lambda w: as_json(overlap_targets(w.ensemble)),
        key_columns=table_keys,
        classes=CLASSES,
        code=code("compute_overlap"),
    message:
        "Counting the overlap of {wildcards.ensemble} with the targets in {wildcards.region}"
    shell:
        f"python {SCRIPTS}/compute_overlap.py "
        "--targets {input.targets:q} --predictions {params.predictions:q} --predictors {params.predictors:q} "
        "--names {params.names:q} --keys {params.key_columns:q} --classes {params.classes:q} --output {output:q} "
        "--threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule summarize_overlap:
    input:
        OVERLAP_TABLES,
    output:
        f"{R}/tables/overlap_metrics.csv",
    log:
        f"{R}/logs/summarize_overlap.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("summarize_draws"),
    message:
        "Computing the scores of the targets in labelled regions"
    shell:
        f"python {SCRIPTS}/summarize_draws.py "
        "--overlap {input:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


# draws that nothing scores are asked for, too: they tell which slices were trained on
SPARSE_TABLES = [draw_of(e) for e in EXPERIMENTS if draw_of(e)]
HELD_OUT_SCORES = [f"{R}/tables/{n}.csv" for n in ("held_out_metrics", "label_budget", "held_out_by_distance")]
SPARSE_TABLES += HELD_OUT_SCORES * bool(HELD_OUT_TABLES) + [f"{R}/tables/overlap_metrics.csv"] * bool(OVERLAP_TABLES)
