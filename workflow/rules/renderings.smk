"""Surfaces and videos: optional targets `renderings` and `videos`."""

TOGETHER = "organelles"  # all organelle classes in one picture
ORGANELLES = [c["name"] for c in config["classes"] if c["group"] == "organelle"]
SUBJECTS = [TOGETHER, *ORGANELLES]


# where the configuration names nothing: every ensemble of all classes in the first test region
BY_DEFAULT = [
    {"region": r, "ensembles": [e for e in CLASS_MAPS if r in scored_regions(e)], "annotators": False}
    for r in regions_of("test")[:1] * bool(CLASS_MAPS)
]
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

OBJECT_RENDERINGS = [f"{R}/renderings/objects/{volume}/{scene}.png" for volume in SCENES for scene in SCENES[volume]]
OBJECT_VIDEOS = [f"{R}/videos/objects_{volume}.mp4" for volume, names in MESHED.items() if names]


rule renderings:
    input:
        RENDERINGS,
        OBJECT_RENDERINGS,
    localrule: True


rule videos:
    input:
        VIDEOS,
        OBJECT_VIDEOS,
    localrule: True


rule render_surfaces:
    input:
        unpack(lambda w: source_files_of(w.region, w.source)),
    output:
        [
            report(
                f"{R}/renderings/{{region}}/{{source}}/{subject}.png",
                caption="../report/rendering.rst",
                category="8 Surfaces",
                labels={"result": f"{subject}: {{region}}, {{source}}"},
            )
            for subject in SUBJECTS
        ],
    log:
        f"{R}/logs/render_surfaces/{{region}}_{{source}}.log",
    benchmark:
        f"{R}/benchmarks/render_surfaces/{{region}}_{{source}}.tsv"
    wildcard_constraints:
        region=names_only(REGIONS),
        source=names_only([*ENSEMBLES, "reference", "annotator_[0-9]+"]),
    conda:
        "../../envs/rendering.yaml"
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
        f"python {SCRIPTS}/render_surfaces.py "
        "{params.source:q} --title {params.title:q} "
        "--subjects {params.subjects:q} --colors {params.colors:q} --classes {params.classes:q} --outputs {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule render_rotation:
    input:
        unpack(lambda w: source_files_of(*ROTATIONS[w.rotation])),
    output:
        report(
            f"{R}/videos/{{rotation}}.mp4",
            caption="../report/rotation.rst",
            category="9 Videos",
            labels={"result": "Rotation: {rotation}"},
        ),
    log:
        f"{R}/logs/render_rotation/{{rotation}}.log",
    benchmark:
        f"{R}/benchmarks/render_rotation/{{rotation}}.tsv"
    wildcard_constraints:
        rotation=names_only(ROTATIONS),
    conda:
        "../../envs/rendering.yaml"
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
        f"python {SCRIPTS}/render_rotation.py "
        "{params.source:q} --title {params.title:q} --seconds {params.seconds:q} "
        "--frames-per-second {params.frames_per_second:q} --colors {params.colors:q} --classes {params.classes:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule render_training:
    input:
        snapshots=lambda w: f"{R}/snapshots/{w.experiment}_seed{FILMED[w.experiment]['seed']}",
        image=lambda w: with_sidecar(f"{R}/regions/{FILMED[w.experiment]['region']}/image.ome.zarr"),
        reference=lambda w: with_sidecar(f"{R}/regions/{FILMED[w.experiment]['region']}/labels_reference.ome.zarr"),
    output:
        probabilities=report(
            f"{R}/videos/training_{{experiment}}_probabilities.mp4",
            caption="../report/training_video.rst",
            category="9 Videos",
            labels={"result": "Training, probabilities: {experiment}"},
        ),
        segmentation=report(
            f"{R}/videos/training_{{experiment}}_segmentation.mp4",
            caption="../report/training_video.rst",
            category="9 Videos",
            labels={"result": "Training, segmentation: {experiment}"},
        ),
    log:
        f"{R}/logs/render_training/{{experiment}}.log",
    wildcard_constraints:
        experiment=names_only(FILMED),
    conda:
        "../../envs/rendering.yaml"
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
        f"python {SCRIPTS}/render_training.py "
        "--snapshots {input.snapshots:q} --image {input.image[0]:q} "
        "--reference {input.reference[0]:q} --title {params.title:q} --seconds {params.seconds:q} "
        "--frames-per-second {params.frames_per_second:q} --colors {params.colors:q} --classes {params.classes:q} "
        "--probabilities {output.probabilities:q} --segmentation {output.segmentation:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"
