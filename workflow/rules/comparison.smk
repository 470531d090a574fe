"""Networks against each other: distributions over seeds, intervals, and what ensembles gain with their size."""

COMPARISON = config["analysis"]["comparison"]


rule compare_networks:
    input:
        ranking=f"{R}/tables/ranking.csv",
        metrics=f"{R}/tables/metrics.csv",
    output:
        table=f"{R}/tables/network_comparison.csv",
        text=report(
            f"{R}/tables/network_comparison_text.csv",
            caption="../report/comparison_text.rst",
            category="6 Evaluation",
            labels={"result": "Comparison of experiments, in words"},
        ),
    log:
        f"{R}/logs/compare_networks.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        experiment_of=as_json(experiment_of()),
        confidence=COMPARISON["confidence"],
        n_bootstrap=COMPARISON["n_bootstrap"],
        seed=COMPARISON["seed"],
        low_miou=COMPARISON["low_miou"],
        code=code("compare_networks"),
    message:
        "Comparing the experiments by all their runs"
    shell:
        f"python {SCRIPTS}/compare_networks.py "
        "--ranking {input.ranking:q} --metrics {input.metrics:q} "
        "--experiment-of {params.experiment_of:q} --confidence {params.confidence:q} "
        "--n-bootstrap {params.n_bootstrap:q} --seed {params.seed:q} --low-miou {params.low_miou:q} "
        "--output {output.table:q} --text {output.text:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_network_comparison:
    input:
        ranking=f"{R}/tables/ranking.csv",
        comparison=f"{R}/tables/network_comparison.csv",
    output:
        report(
            f"{R}/figures/network_comparison.png",
            caption="../report/network_comparison.rst",
            category="6 Evaluation",
            labels={"result": "Comparison of experiments"},
        ),
    log:
        f"{R}/logs/plot_network_comparison.log",
    conda:
        "../../envs/report.yaml"
    params:
        confidence=COMPARISON["confidence"],
        dpi=config["figures"]["dpi"],
        code=code("plot_network_comparison"),
    message:
        "Drawing the comparison of the experiments"
    shell:
        f"python {SCRIPTS}/plot_network_comparison.py "
        "--ranking {input.ranking:q} --comparison {input.comparison:q} "
        "--confidence {params.confidence:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule compute_ensemble_gain:
    input:
        metrics=f"{R}/tables/metrics.csv",
    output:
        f"{R}/tables/ensemble_gain.csv",
    log:
        f"{R}/logs/compute_ensemble_gain.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        ensembles=as_json(RANKED),
        coverage=COMPARISON["confidence"],
        code=code("compute_ensemble_gain"),
    message:
        "Gathering what ensembles gain with their size"
    shell:
        f"python {SCRIPTS}/compute_ensemble_gain.py "
        "--metrics {input.metrics:q} --ensembles {params.ensembles:q} "
        "--coverage {params.coverage:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_ensemble_gain:
    input:
        gain=f"{R}/tables/ensemble_gain.csv",
        chosen=chosen_lists(RANKED),
    output:
        report(
            f"{R}/figures/ensemble_gain.png",
            caption="../report/ensemble_gain.rst",
            category="4 Ensembles",
            labels={"result": "What averaging gains"},
        ),
    log:
        f"{R}/logs/plot_ensemble_gain.log",
    conda:
        "../../envs/report.yaml"
    params:
        coverage=COMPARISON["confidence"],
        dpi=config["figures"]["dpi"],
        code=code("plot_ensemble_gain"),
    message:
        "Drawing what ensembles gain with their size"
    shell:
        f"python {SCRIPTS}/plot_ensemble_gain.py "
        "--gain {input.gain:q} --chosen {input.chosen:q} "
        "--coverage {params.coverage:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


COMPARISON_TABLES = [
    f"{R}/tables/{name}.csv" for name in ("network_comparison", "network_comparison_text", "ensemble_gain")
]
COMPARISON_TABLES = COMPARISON_TABLES if RANKED else []
COMPARISON_FIGURES = [f"{R}/figures/{name}.png" for name in ("network_comparison", "ensemble_gain") if RANKED]
