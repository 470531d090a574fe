"""The tables and figures of Guay et al. 2021: optional target `paper_figures`, below {results_dir}/paper."""

import itertools
import string

import paper_config

PAPER = paper_config.derive(config)
PUBLISHED = f"{ROOT}/workflow/published/{PAPER['published']}.csv"
P = f"{R}/paper"
SHOWN = {role: name for role, name in PAPER["regions"].items() if name}  # role -> region
COMPARED = list(dict.fromkeys(name for name in (PAPER["best_2d"], PAPER["best_3d"]) if name))
NAMED = list(dict.fromkeys(PAPER["ensembles"] + PAPER["singles"] + PAPER["baselines"]))
EVERY_ALGORITHM = list(dict.fromkeys([PAPER["main"], *COMPARED, *NAMED, *PAPER["poster"]]))


def reference_of(role):
    """The label source a region is shown and scored with: reference, or else the first annotator."""
    return references_of(SHOWN[role])[0]


def people():
    """The annotators of the compared region; with fewer than two of them, the reference too."""
    names = references_of(SHOWN["compare"]) if "compare" in SHOWN else []
    annotators = [name for name in names if name.startswith("annotator")]
    return annotators if len(annotators) > 1 else names


def place(role):
    """What a slice of a region needs: image, reference, mask, and the slice."""
    folder = f"{R}/regions/{SHOWN[role]}"
    return {
        "image": f"{folder}/image.ome.zarr",
        "reference": f"{folder}/labels_{reference_of(role)}.ome.zarr",
        "mask": REGIONS[SHOWN[role]]["mask"] == "reference",
        "z": PAPER["slices"][role],
    }


def image_panel(role, title):
    return {**place(role), "title": title}


def reference_panel(role, title="reference"):
    return {**place(role), "title": title, "labels": place(role)["reference"], "mask": False}


def algorithm_panel(role, ensemble, kind, title=None):
    folder, chosen = f"{R}/predictions/{SHOWN[role]}/{ensemble}", f"{R}/ensembles/{ensemble}/chosen.json"
    title = title or f"{ensemble}, {'best single' if kind == 'single' else kind}".replace("_", " ")
    return {**place(role), "title": title, "folder": folder, "chosen": chosen, "kind": kind}


def rendering_panel(role, source, subject=TOGETHER, title=None):
    picture = f"{R}/renderings/{SHOWN[role]}/{source}/{subject}.png"
    return {"picture": picture, "title": (title or f"{source}: {subject}").replace("_", " ")}


def lettered(rows, letters=string.ascii_lowercase):
    """Rows of panels with letters, one after the other; 26 letters are enough for every figure here."""
    letters = iter(letters)
    return [[{**panel, "letter": next(letters, "")} for panel in row] for row in rows if row]


def in_rows(panels, n):
    return [panels[i : i + n] for i in range(0, len(panels), n)]


def slices_and_labels():
    """Figure 1: image and labels of each role's region."""
    pairs = [[image_panel(role, f"{role} image"), reference_panel(role, f"{role} labels")] for role in SHOWN]
    return lettered(in_rows(list(itertools.chain(*pairs)), 4))


def overview_panels():
    """Figure 3, a to j: a slice of subject 1 and its segmentation; test; the compared region."""
    train_volume = REGIONS[SHOWN["train"]]["volume"] if "train" in SHOWN else None
    rows = []
    if (train_volume, PAPER["main"]) in FULL:
        image = f"{R}/aligned/{train_volume}/image.ome.zarr"
        labels = f"{R}/volumes/{train_volume}/{PAPER['main']}/labels.ome.zarr"
        titles = (f"{train_volume}, whole", f"{PAPER['main']} ensemble".replace("_", " "))
        rows.append([{"image": image, "title": titles[0]}, {"image": image, "labels": labels, "title": titles[1]}])
    elif "eval" in SHOWN:
        rows.append([image_panel("eval", "eval"), algorithm_panel("eval", PAPER["main"], "ensemble")])
    if "test" in SHOWN:
        sources = [(reference_of("test"), "reference")] + [(e, f"{e}, ensemble") for e in COMPARED]
        rows.append([image_panel("test", "test")] + [rendering_panel("test", s, title=t) for s, t in sources])
    if "compare" in SHOWN:
        sources = [(name, name) for name in people()] + [(PAPER["main"], f"{PAPER['main']}, ensemble")]
        rows.append([image_panel("compare", "compare")] + [rendering_panel("compare", s, title=t) for s, t in sources])
    return lettered(rows, "abcdefghij")


def renderings_of(role, sources):
    """Rows of renderings: one per source; all organelles, then each of them."""
    return [[rendering_panel(role, source, subject) for subject in SUBJECTS] for source in sources]


def every_algorithm():
    """Figure S2: image, labels, the single networks, the ensembles and the baselines on one eval slice."""
    rows = [[image_panel("eval", "eval"), reference_panel("eval")]]
    rows[0] += [algorithm_panel("eval", e, "single") for e in PAPER["singles"]]
    rows.append([algorithm_panel("eval", e, "ensemble") for e in PAPER["ensembles"]])
    rows.append([algorithm_panel("eval", e, "single") for e in PAPER["baselines"]])
    letters = [*string.ascii_lowercase[: len(rows[0]) + len(rows[1])]]
    after = "l" if letters and letters[-1] == "k" else ""  # the paper goes from k to m
    rest = [x for x in string.ascii_lowercase if x not in letters and x != after]
    return lettered([part for row in rows for part in in_rows(row, 6)], letters + rest)


PANELS = {"figure_1": slices_and_labels() if SHOWN else []}
if "eval" in SHOWN:
    renderings = renderings_of("eval", [reference_of("eval"), *COMPARED])
    PANELS["figure_s1"] = lettered([[image_panel("eval", "eval"), reference_panel("eval")], *renderings])
    PANELS["figure_s2"] = every_algorithm()
if "compare" in SHOWN:
    PANELS["figure_s3"] = lettered(renderings_of("compare", [*people(), PAPER["main"]]))


def files_of(rows):
    """The files and folders that panels read."""
    keys = ("image", "reference", "labels", "folder", "chosen", "picture")
    found = [panel[key] for row in rows for panel in row for key in keys if panel.get(key)]
    whole = f"{R}/volumes/"  # labels of a whole volume lie in the folder of a job
    found = [f.rsplit("/", 1)[0] if f.startswith(whole) else f for f in found]
    stores = [f for f in found if f.endswith(".zarr")]
    return list(dict.fromkeys(found + [f"{f}.json" for f in stores]))


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
    conda:
        "../../envs/imaging.yaml"
    params:
        published=lambda w, input: f"--published {input.published}" if input.published else "",
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
        "python {SCRIPTS}/make_paper_tables.py --metrics {input.metrics:q} --chosen {input.chosen:q} "
        "--checkpoints {input.checkpoints:q} {params.published} --places {params.places:q} --parts {params.parts:q} "
        "--poster {params.poster:q} --main {params.main} --people {params.people:q} --counted {params.counted:q} "
        "--algorithms {params.algorithms:q} --table-s1 {output.table_s1:q} --every-k {output.every_k:q} "
        "--poster-table {output.poster:q} --text-numbers {output.text:q} --code-hash {params.code} 2>&1 | tee {log:q}"


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
        "python {SCRIPTS}/plot_paper_panels.py --panels {params.panels:q} --equal {params.equal} "
        "--colors {params.colors:q} --classes {params.classes:q} --dpi {params.dpi} --output {output:q} "
        "--code-hash {params.code} 2>&1 | tee {log:q}"


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
        "python {SCRIPTS}/plot_paper_members.py --chosen {input.chosen:q} --ranking {input.ranking:q} "
        "--metrics {input.metrics:q} --place {params.place:q} --region {params.region} "
        "--reference-name {params.reference} --colors {params.colors:q} --classes {params.classes:q} "
        "--dpi {params.dpi} --output {output:q} --code-hash {params.code} 2>&1 | tee {log:q}"


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
        region=f"--compare-region {SHOWN['compare']}" if "compare" in SHOWN else "",
        margin_nm=config["analysis"]["volume_fractions"]["margin_nm"],
        colors=COLORS,
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_paper_overview"),
    message:
        "Drawing Figure 3 of the paper"
    shell:
        "python {SCRIPTS}/plot_paper_overview.py --table-s1 {input.table_s1:q} --fractions {input.fractions:q} "
        "--chosen {input.chosen:q} --panels {params.panels:q} --people {params.people:q} {params.region} "
        "--margin-nm {params.margin_nm} --colors {params.colors:q} --classes {params.classes:q} --dpi {params.dpi} "
        "--output {output:q} --code-hash {params.code} 2>&1 | tee {log:q}"


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
        report(f"{P}/index.html", caption="../report/paper.rst", category="9 The paper"),
    log:
        f"{R}/logs/write_paper_index.log",
    conda:
        "../../envs/report.yaml"
    params:
        listed=as_json(PAPER_ITEMS),
        videos=as_json(VIDEOS),
        code=code("write_paper_index"),
    message:
        "Writing the index of the paper's tables and figures"
    shell:
        "python {SCRIPTS}/write_paper_index.py --pictures {input.pictures:q} --table-s1 {input.table_s1:q} "
        "--poster-table {input.poster:q} --text-numbers {input.text:q} --sentences {input.sentences:q} "
        "--items {params.listed:q} --videos {params.videos:q} --output {output:q} --code-hash {params.code} 2>&1 | tee {log:q}"


localrules:
    paper_figures,


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
