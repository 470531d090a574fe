"""Surfaces and videos: optional targets `renderings` and `videos`."""

TOGETHER = "organelles"  # all organelle classes in one picture
ORGANELLES = [c["name"] for c in config["classes"] if c["group"] == "organelle"]
SUBJECTS = [TOGETHER, *ORGANELLES]


def sources_shown(record):
    """The label sources of a region that are shown: the reference, where there is one, and the annotators."""
    names = REGIONS[record["region"]]["labels"]
    return [name for name in names if name == "reference" or record["annotators"]] + record["ensembles"]


# where the configuration names nothing: every ensemble in the first test region
BY_DEFAULT = [{"region": r, "ensembles": list(ENSEMBLES), "annotators": False} for r in regions_of("test")[:1]]
RENDERED = {(r["region"], source): None for r in config["renderings"] or BY_DEFAULT for source in sources_shown(r)}
ROTATIONS = {
    f"{record['region']}_{source}": (record["region"], source)
    for record in config["videos"]["rotations"] or BY_DEFAULT
    for source in sources_shown(record)
}
FILMED = {record["experiment"]: record for record in config["videos"]["training"]}
RENDERINGS = [f"{R}/renderings/{region}/{source}/{subject}.png" for region, source in RENDERED for subject in SUBJECTS]
VIDEOS = [f"{R}/videos/{name}.mp4" for name in ROTATIONS]
VIDEOS += [f"{R}/videos/training_{e}_{kind}.mp4" for e in FILMED for kind in ("probabilities", "segmentation")]


def alternatives(names):
    """A wildcard constraint: one of the names, or nothing at all."""
    return "|".join(names) or "(?!)"


def source_files_of(region, source):
    """What shows a source: the labels of a region, or the predictions and the chosen k of an ensemble."""
    if source in REGIONS[region]["labels"]:
        return {"labels": with_sidecar(f"{R}/regions/{region}/labels_{source}.ome.zarr")}
    return {"chosen": f"{R}/ensembles/{source}/chosen.json", "predictions": f"{R}/predictions/{region}/{source}"}


def source_options(region, source):
    """The same as arguments of a script."""
    if source in REGIONS[region]["labels"]:
        return f"--labels {R}/regions/{region}/labels_{source}.ome.zarr"
    return f"--chosen {R}/ensembles/{source}/chosen.json --predictions {R}/predictions/{region}/{source}"


localrules:
    renderings,
    videos,


rule renderings:
    input:
        RENDERINGS,


rule videos:
    input:
        VIDEOS,


rule render_surfaces:
    input:
        unpack(lambda w: source_files_of(w.region, w.source)),
    output:
        [
            report(
                f"{R}/renderings/{{region}}/{{source}}/{subject}.png",
                caption="../report/rendering.rst",
                category="7 Surfaces",
            )
            for subject in SUBJECTS
        ],
    log:
        f"{R}/logs/render_surfaces/{{region}}_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/render_surfaces/{{region}}_{{source}}.tsv"
    wildcard_constraints:
        region=alternatives(REGIONS),
        source=alternatives([*ENSEMBLES, "reference", "annotator_[0-9]+"]),
    conda:
        "../../envs/report.yaml"
    params:
        source=lambda w: source_options(w.region, w.source),
        title=lambda w: f"{w.region}, {w.source}",
        subjects=as_json(SUBJECTS),
        colors=COLORS,
        classes=CLASSES,
        code=code("render_surfaces"),
    message:
        "Rendering the surfaces of {wildcards.source} in {wildcards.region}"
    shell:
        "python {SCRIPTS}/render_surfaces.py {params.source} --title {params.title:q} --subjects {params.subjects:q} "
        "--colors {params.colors:q} --classes {params.classes:q} --outputs {output:q} "
        "--code-hash {params.code} 2>&1 | tee {log:q}"


rule render_rotation:
    input:
        unpack(lambda w: source_files_of(*ROTATIONS[w.rotation])),
    output:
        report(f"{R}/videos/{{rotation}}.mp4", caption="../report/rotation.rst", category="8 Videos"),
    log:
        f"{R}/logs/render_rotation/{{rotation}}.log",
    benchmark:
        f"{R}/benchmarks/render_rotation/{{rotation}}.tsv"
    wildcard_constraints:
        rotation=alternatives(ROTATIONS),
    conda:
        "../../envs/report.yaml"
    params:
        source=lambda w: source_options(*ROTATIONS[w.rotation]),
        title=lambda w: ", ".join(ROTATIONS[w.rotation]),
        seconds=config["videos"]["seconds"],
        frames_per_second=config["videos"]["frames_per_second"],
        colors=COLORS,
        classes=CLASSES,
        code=code("render_rotation"),
    message:
        "Filming the surfaces of {wildcards.rotation}"
    shell:
        "python {SCRIPTS}/render_rotation.py {params.source} --title {params.title:q} --seconds {params.seconds} "
        "--frames-per-second {params.frames_per_second} --colors {params.colors:q} --classes {params.classes:q} "
        "--output {output:q} --code-hash {params.code} 2>&1 | tee {log:q}"


rule render_training:
    input:
        snapshots=lambda w: f"{R}/snapshots/{w.experiment}_seed{FILMED[w.experiment]['seed']}",
        image=lambda w: with_sidecar(f"{R}/regions/{FILMED[w.experiment]['region']}/image.ome.zarr"),
        reference=lambda w: with_sidecar(f"{R}/regions/{FILMED[w.experiment]['region']}/labels_reference.ome.zarr"),
    output:
        probabilities=report(
            f"{R}/videos/training_{{experiment}}_probabilities.mp4",
            caption="../report/training_video.rst",
            category="8 Videos",
        ),
        segmentation=report(
            f"{R}/videos/training_{{experiment}}_segmentation.mp4",
            caption="../report/training_video.rst",
            category="8 Videos",
        ),
    log:
        f"{R}/logs/render_training/{{experiment}}.log",
    wildcard_constraints:
        experiment=alternatives(FILMED),
    conda:
        "../../envs/report.yaml"
    params:
        title=lambda w: f"{w.experiment}, seed {FILMED[w.experiment]['seed']}, {FILMED[w.experiment]['region']}",
        seconds=config["videos"]["seconds"],
        frames_per_second=config["videos"]["frames_per_second"],
        colors=COLORS,
        classes=CLASSES,
        code=code("render_training"),
    message:
        "Filming the training of {wildcards.experiment}"
    shell:
        "python {SCRIPTS}/render_training.py --snapshots {input.snapshots:q} --image {input.image[0]:q} "
        "--reference {input.reference[0]:q} --title {params.title:q} --seconds {params.seconds} "
        "--frames-per-second {params.frames_per_second} --colors {params.colors:q} --classes {params.classes:q} "
        "--probabilities {output.probabilities:q} --segmentation {output.segmentation:q} "
        "--code-hash {params.code} 2>&1 | tee {log:q}"
