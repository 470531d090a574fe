"""Pictures of the scores on held-out slices: slices, label budget, distance to training slices, contexts, networks."""

import held_out_groups

CONTEXTS, NETWORKS_AT = held_out_groups.by_context(config), held_out_groups.by_network(config)


rule plot_held_out_slices:
    input:
        overlap=lambda w: [f"{R}/held_out/{w.experiment}/seed{s}.csv" for s in EXPERIMENTS[w.experiment]["seeds"]],
        folders=lambda w: [f"{R}/held_out/{w.experiment}/seed{s}" for s in EXPERIMENTS[w.experiment]["seeds"]],
        images=lambda w: [f"{R}/regions/{r}/image.ome.zarr" for r in regions_for(w.experiment, "train")],
        targets=lambda w: target_stores(regions_for(w.experiment, "train"), targets_of(w.experiment)),
        scored_target=lambda w: target_stores(scored_on(w.experiment), targets_of(w.experiment)[:1]),
    output:
        report(
            f"{R}/figures/held_out_slices_{{experiment}}.png",
            caption="../report/held_out_slices.rst",
            category="5 Segmentation",
            labels={"result": "Held-out slices: {experiment}"},
        ),
    log:
        f"{R}/logs/plot_held_out_slices/{{experiment}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        scored_target=lambda w, input: option("--scored-target", *input.scored_target),
        seeds=lambda w: as_json(EXPERIMENTS[w.experiment]["seeds"]),
        regions=lambda w: as_json(regions_for(w.experiment, "train")),
        names=lambda w: as_json(targets_of(w.experiment)),
        colors=lambda w: target_colors(w.experiment),
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_held_out_slices"),
    message:
        "Drawing held-out slices of {wildcards.experiment}"
    shell:
        f"python {SCRIPTS}/plot_held_out_slices.py "
        "--overlap {input.overlap:q} --predictions {input.folders:q} --images {input.images:q} --targets {input.targets:q} "
        "{params.scored_target:q} --seeds {params.seeds:q} --regions {params.regions:q} --names {params.names:q} "
        "--title {wildcards.experiment:q} --colors {params.colors:q} --classes {params.classes:q} --dpi {params.dpi:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_label_budget:
    input:
        metrics=f"{R}/tables/held_out_metrics.csv",
        budget=f"{R}/tables/label_budget.csv",
    output:
        report(
            f"{R}/figures/label_budget.png",
            caption="../report/label_budget.rst",
            category="6 Evaluation",
            labels={"result": "Label budget"},
        ),
    log:
        f"{R}/logs/plot_label_budget.log",
    conda:
        "../../envs/report.yaml"
    params:
        dpi=DPI,
        code=code("plot_label_budget"),
    message:
        "Drawing scores against the number of labelled slices"
    shell:
        f"python {SCRIPTS}/plot_label_budget.py "
        "--metrics {input.metrics:q} --budget {input.budget:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_held_out_distance:
    input:
        scores=f"{R}/tables/held_out_by_distance.csv",
    output:
        report(
            f"{R}/figures/held_out_distance.png",
            caption="../report/held_out_distance.rst",
            category="6 Evaluation",
            labels={"result": "Scores by distance to the training slices"},
        ),
    log:
        f"{R}/logs/plot_held_out_distance.log",
    conda:
        "../../envs/report.yaml"
    params:
        dpi=DPI,
        code=code("plot_held_out_distance"),
    message:
        "Drawing scores against the distance to the training slices"
    shell:
        f"python {SCRIPTS}/plot_held_out_distance.py "
        "--scores {input.scores:q} --dpi {params.dpi:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_contexts:
    input:
        metrics=f"{R}/tables/held_out_metrics.csv",
    output:
        report(
            f"{R}/figures/held_out_contexts_{{network}}.png",
            caption="../report/held_out_contexts.rst",
            category="6 Evaluation",
            labels={"result": "Contexts: {network}"},
        ),
    log:
        f"{R}/logs/plot_contexts/{{network}}.log",
    wildcard_constraints:
        network=names_only(CONTEXTS),
    conda:
        "../../envs/report.yaml"
    params:
        compared=lambda w: as_json(CONTEXTS[w.network]),
        dpi=DPI,
        code=code("plot_held_out_comparison"),
    message:
        "Drawing the scores of {wildcards.network} against its context"
    shell:
        f"python {SCRIPTS}/plot_held_out_comparison.py "
        "--metrics {input.metrics:q} --values {params.compared:q} --title 'context (raw pixels)' --dpi {params.dpi:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_networks:
    input:
        metrics=f"{R}/tables/held_out_metrics.csv",
    output:
        report(
            f"{R}/figures/held_out_networks_{{context}}px.png",
            caption="../report/held_out_networks.rst",
            category="6 Evaluation",
            labels={"result": "Networks on held-out slices: context of {context} px"},
        ),
    log:
        f"{R}/logs/plot_networks/{{context}}px.log",
    wildcard_constraints:
        context="[0-9]+",
    conda:
        "../../envs/report.yaml"
    params:
        compared=lambda w: as_json(NETWORKS_AT[int(w.context)]),
        dpi=DPI,
        code=code("plot_held_out_comparison"),
    message:
        "Drawing the scores of networks that see {wildcards.context} raw pixels"
    shell:
        f"python {SCRIPTS}/plot_held_out_comparison.py "
        "--metrics {input.metrics:q} --values {params.compared:q} --title network --dpi {params.dpi:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


SPARSE_FIGURES = [f"{R}/figures/{name}.png" for name in ("label_budget", "held_out_distance") if HELD_OUT]
SPARSE_FIGURES += [f"{R}/figures/held_out_slices_{e}.png" for e in HELD_OUT]
SPARSE_FIGURES += [f"{R}/figures/held_out_contexts_{network}.png" for network in CONTEXTS]
SPARSE_FIGURES += [f"{R}/figures/held_out_networks_{context}px.png" for context in NETWORKS_AT]
