"""The tables and figures of Guay et al. 2021: optional target `paper_figures`, below {results_dir}/paper."""


rule make_paper_tables:
    input:
        metrics=f"{R}/tables/metrics.csv",
        chosen=[f"{R}/ensembles/{e}/chosen.json" for e in EVERY_ALGORITHM],
        checkpoints=[checkpoints_of(e)[0] for e in NAMED],
        published=[PUBLISHED] if PAPER["published"] != "none" else [],
    output:
        table_s1=f"{P}/table_s1.csv",
        every_k=f"{P}/table_s1_every_k.csv",
        poster=f"{P}/poster_table.csv",
        text=f"{P}/text_numbers.csv",
    log:
        f"{R}/logs/make_paper_tables.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        published=lambda w, input: option("--published", input.published),
        places=as_json({role: [SHOWN[role], reference_of(role)] for role in SHOWN if role != "train"}),
        parts=as_json({"a": PAPER["ensembles"], "b": PAPER["singles"], "c": PAPER["baselines"]}),
        poster=as_json(PAPER["poster"]),
        main=PAPER["main"],
        people=as_json(people()),
        counted=as_json(NAMED),
        algorithms=as_json({e: paper_config.algorithm(config, e) for e in EVERY_ALGORITHM}),
        code=code("make_paper_tables"),
    message:
        "Making the paper's tables"
    shell:
        f"python {SCRIPTS}/make_paper_tables.py "
        "--metrics {input.metrics:q} --chosen {input.chosen:q} "
        "--checkpoints {input.checkpoints:q} {params.published:q} --places {params.places:q} --parts {params.parts:q} "
        "--poster {params.poster:q} --main {params.main:q} --people {params.people:q} --counted {params.counted:q} "
        "--algorithms {params.algorithms:q} --table-s1 {output.table_s1:q} --every-k {output.every_k:q} "
        "--poster-table {output.poster:q} --text-numbers {output.text:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_paper_panels:
    input:
        lambda w: files_of(PANELS[w.figure]),
    output:
        f"{P}/{{figure}}.png",
    log:
        f"{R}/logs/plot_paper_panels/{{figure}}.log",
    wildcard_constraints:
        figure="figure_(1|s1|s2|s3)",
    conda:
        "../../envs/report.yaml"
    params:
        panels=lambda w: as_json(PANELS[w.figure]),
        equal=lambda w: int(w.figure == "figure_s2"),
        colors=COLORS,
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_paper_panels"),
    message:
        "Drawing {wildcards.figure} of the paper"
    shell:
        f"python {SCRIPTS}/plot_paper_panels.py "
        "--panels {params.panels:q} --equal {params.equal:q} "
        "--colors {params.colors:q} --classes {params.classes:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_paper_members:
    input:
        files=lambda w: files_of([[algorithm_panel("test", PAPER["main"], "ensemble")]]),
        chosen=f"{R}/ensembles/{PAPER['main']}/chosen.json",
        ranking=f"{R}/ensembles/{PAPER['main']}/ranking.csv",
        metrics=f"{R}/tables/metrics.csv",
    output:
        f"{P}/figure_2b.png",
    log:
        f"{R}/logs/plot_paper_members.log",
    conda:
        "../../envs/report.yaml"
    params:
        place=lambda w: as_json(algorithm_panel("test", PAPER["main"], "ensemble")),
        region=lambda w: SHOWN["test"],
        reference=lambda w: reference_of("test"),
        colors=COLORS,
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_paper_members"),
    message:
        "Drawing Figure 2b of the paper"
    shell:
        f"python {SCRIPTS}/plot_paper_members.py "
        "--chosen {input.chosen:q} --ranking {input.ranking:q} "
        "--metrics {input.metrics:q} --place {params.place:q} --region {params.region:q} "
        "--reference-name {params.reference:q} --colors {params.colors:q} --classes {params.classes:q} "
        "--dpi {params.dpi:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_paper_overview:
    input:
        files=files_of(overview_panels()),
        table_s1=f"{P}/table_s1.csv",
        fractions=f"{R}/tables/volume_fractions.csv",
        chosen=f"{R}/ensembles/{PAPER['main']}/chosen.json",
    output:
        f"{P}/figure_3.png",
    log:
        f"{R}/logs/plot_paper_overview.log",
    conda:
        "../../envs/report.yaml"
    params:
        panels=as_json(overview_panels()),
        people=as_json(people()),
        region=option("--compare-region", SHOWN.get("compare")),
        margin_nm=config["analysis"]["volume_fractions"]["margin_nm"],
        colors=COLORS,
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_paper_overview"),
    message:
        "Drawing Figure 3 of the paper"
    shell:
        f"python {SCRIPTS}/plot_paper_overview.py "
        "--table-s1 {input.table_s1:q} --fractions {input.fractions:q} "
        "--chosen {input.chosen:q} --panels {params.panels:q} --people {params.people:q} {params.region:q} "
        "--margin-nm {params.margin_nm:q} --colors {params.colors:q} --classes {params.classes:q} --dpi {params.dpi:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


# item of the paper -> its files; an empty list: left out, and the index says why
TEST, COMPARE = "test" in SHOWN, "compare" in SHOWN
MAIN_MAP = EXPERIMENTS[ENSEMBLES[PAPER["main"]]["experiments"][0]]["weight_map"]
PAPER_ITEMS = {
    "figure_1": [f"{P}/figure_1.png"] if SHOWN else [],
    "figure_2a": NETWORK_DIAGRAMS,
    "figure_2b": [f"{P}/figure_2b.png"] if TEST else [],
    "figure_3": [f"{P}/figure_3.png"],
    "figure_4": [f"{R}/figures/foreground_{region}.png" for region in config["analysis"]["foreground"]["regions"]],
    "figure_s1": [f"{P}/figure_s1.png"] if "figure_s1" in PANELS else [],
    "figure_s2": [f"{P}/figure_s2.png"] if "figure_s2" in PANELS else [],
    "figure_s3": [f"{P}/figure_s3.png"] if COMPARE else [],
    "figure_s4": [f"{R}/figures/annotator_confusion_{SHOWN['compare']}.png"] if COMPARE and len(people()) > 1 else [],
    "figure_s5": [f"{R}/figures/network_comparison.png"],
    "figure_s6": [f"{R}/figures/weight_map_{MAIN_MAP}_{SHOWN['train']}.png"] if "train" in SHOWN else [],
}
PAPER_PICTURES = [path for paths in PAPER_ITEMS.values() for path in paths]


rule write_paper_index:
    input:
        pictures=PAPER_PICTURES,
        table_s1=f"{P}/table_s1.csv",
        poster=f"{P}/poster_table.csv",
        text=f"{P}/text_numbers.csv",
        sentences=f"{R}/tables/network_comparison_text.csv",
    output:
        report(
            f"{P}/index.html",
            caption="../report/paper.rst",
            category="The paper",
            labels={"result": "Tables and figures of the paper"},
        ),
    log:
        f"{R}/logs/write_paper_index.log",
    localrule: True
    conda:
        "../../envs/report.yaml"
    params:
        listed=as_json(PAPER_ITEMS),
        videos=as_json(VIDEOS),
        code=code("write_paper_index"),
    message:
        "Writing the index of the paper's tables and figures"
    shell:
        f"python {SCRIPTS}/write_paper_index.py "
        "--pictures {input.pictures:q} --table-s1 {input.table_s1:q} "
        "--poster-table {input.poster:q} --text-numbers {input.text:q} --sentences {input.sentences:q} "
        "--items {params.listed:q} --videos {params.videos:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule paper_figures:
    input:
        f"{P}/index.html",
        f"{P}/table_s1_every_k.csv",
        PAPER_PICTURES,
        COMPARISON_TABLES,
        COMPARISON_FIGURES,
        FOREGROUND_OUTPUTS,
        SMALL_REGION_OUTPUTS,
        ANNOTATOR_OUTPUTS,
        VIDEOS,
    localrule: True
