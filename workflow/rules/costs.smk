"""What the run took beside what was planned. Whenever something ran, this does too: all results are its input."""

WHOLE_RUN = [
    *CHECKS,
    *TABLES,
    *FULL_VOLUMES,
    *COMPARISON_TABLES,
    *COMPARISON_FIGURES,
    *FOREGROUND_OUTPUTS,
    *SMALL_REGION_OUTPUTS,
    *SPARSE_TABLES,
    *INSTANCE_OUTPUTS,
    *MEASURE_OUTPUTS,
    *ANNOTATOR_OUTPUTS,
    *FIGURES,
    *SPARSE_FIGURES,
    *INSTANCE_FIGURES,
    *WEIGHT_MAP_COMPARISONS,
    *METHODS,
]
COSTS = [f"{R}/run/costs.run.csv", f"{R}/run/costs.run.html"]


rule compare_costs:
    input:
        WHOLE_RUN,
    output:
        table=COSTS[0],
        page=report(
            COSTS[1],
            caption="../report/costs.rst",
            category="0 Summary",
            labels={"result": "Costs: plan and run"},
        ),
    log:
        f"{R}/logs/compare_costs.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        folder=lambda w, output: os.path.dirname(os.path.dirname(output.table)),
        code=code("compare_costs"),
    message:
        "Comparing what the run took with its plan"
    shell:
        f"python {SCRIPTS}/compare_costs.py "
        "--results {params.folder:q} --table {output.table:q} --page {output.page:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"
