"""Every ensemble over every scored region, and the chosen ones over whole volumes."""

# with halo, the margins and the size of the tiles follow from two more keys, which are read only then; so do those of blend
MORE = {"halo": ["halo", "memory_gb"], "blend": ["halo", "memory_gb", "overlap", "taper"]}
PREDICTION = select(
    config["prediction"], "stitch", "tile", "flips", "precision", *MORE.get(config["prediction"]["stitch"], [])
)


rule predict_region:
    input:
        members=f"{R}/ensembles/{{ensemble}}/candidates.json",
        checkpoints=lambda w: checkpoints_of(w.ensemble),
        image=with_sidecar(f"{R}/regions/{{region}}/image.ome.zarr"),
    output:
        directory(f"{R}/predictions/{{region}}/{{ensemble}}"),
    log:
        f"{R}/logs/predict_region/{{region}}_{{ensemble}}.log",
    benchmark:
        f"{R}/benchmarks/predict_region/{{region}}_{{ensemble}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["prediction"]
    resources:
        gpu=GPUS,
        device=DEVICE,
    params:
        top_k=lambda w: as_json(ENSEMBLES[w.ensemble]["top_k"]),
        ensemble_labels=lambda w, output: stores(output[0], [f"top{k}" for k in ENSEMBLES[w.ensemble]["top_k"]]),
        member_names=lambda w: as_json(singles_of(w.ensemble)),
        member_labels=lambda w, output: option(
            "--member-labels", *stores(output[0], [f"seed{seed}" for _, seed in singles_of(w.ensemble)])
        ),
        sets=lambda w: as_json(list(random_sets(w.ensemble, w.region).values())),
        set_labels=lambda w, output: option("--set-labels", *stores(output[0], random_sets(w.ensemble, w.region))),
        settings=PREDICTION,
        classes=lambda w: classes_for(*ENSEMBLES[w.ensemble]["experiments"]),
        code=lambda w: code("predict_volume", *networks_of(w.ensemble)),
    message:
        "Predicting the region {wildcards.region} with {wildcards.ensemble}"
    shell:
        f"python {SCRIPTS}/predict_volume.py "
        "--members {input.members:q} --checkpoints {input.checkpoints:q} "
        "--image {input.image[0]:q} --ensembles {params.top_k:q} --ensemble-labels {params.ensemble_labels:q} "
        "--member-names {params.member_names:q} {params.member_labels:q} "
        "--sets {params.sets:q} {params.set_labels:q} --settings {params.settings:q} "
        "--classes {params.classes:q} --threads {threads:q} --device {resources.device:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


FULL = {(job["volume"], job["ensemble"]): job for job in config["prediction"]["full_volumes"]}


scattergather:
    slabs=config["prediction"]["slabs"],


rule predict_volume:  # one slab of z-slices; as many at a time as there are GPUs
    input:
        members=f"{R}/ensembles/{{ensemble}}/chosen.json",
        checkpoints=lambda w: checkpoints_of(w.ensemble),
        image=lambda w: with_sidecar(image_of(w.volume)),
        intensity=f"{R}/{IMAGES}/{{volume}}/intensity.json",
        mask=mask_of,
    output:
        folder=temp(directory(f"{R}/slabs/{{volume}}/{{ensemble}}/{{scatteritem}}")),
    log:
        f"{R}/logs/predict_volume/{{volume}}_{{ensemble}}_{{scatteritem}}.log",
    benchmark:
        f"{R}/benchmarks/predict_volume/{{volume}}_{{ensemble}}_{{scatteritem}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["prediction"]
    resources:
        gpu=GPUS,
        device=DEVICE,
    params:
        options=full_options,
        settings=PREDICTION,
        classes=lambda w: classes_for(*ENSEMBLES[w.ensemble]["experiments"]),
        restart=f"{R}/restart/slabs/{{volume}}/{{ensemble}}/{{scatteritem}}",
        code=lambda w: code("predict_volume", *networks_of(w.ensemble)),
    message:
        "Predicting the volume {wildcards.volume} with {wildcards.ensemble}, slab {wildcards.scatteritem}"
    shell:
        f"python {SCRIPTS}/predict_volume.py "
        "--members {input.members:q} --checkpoints {input.checkpoints:q} "
        "--image {input.image[0]:q} --intensity {input.intensity:q} --ensembles '[null]' "
        "--ensemble-labels {output.folder:q}/labels.ome.zarr {params.options:q} --settings {params.settings:q} "
        "--classes {params.classes:q} --slab {wildcards.scatteritem:q} --restart {params.restart:q} "
        "--threads {threads:q} --device {resources.device:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule gather_slabs:
    input:
        slabs=slabs_of,
    output:
        folder=directory(f"{R}/volumes/{{volume}}/{{ensemble}}"),
    log:
        f"{R}/logs/gather_slabs/{{volume}}_{{ensemble}}.log",
    wildcard_constraints:
        ensemble=names_only(ENSEMBLES),
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        facts=volume_facts,
        code=code("gather_slabs"),
    message:
        "Joining the slabs of {wildcards.volume} with {wildcards.ensemble}"
    shell:
        f"python {SCRIPTS}/gather_slabs.py "
        "--slabs {input.slabs:q} --output {output.folder:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule export_tiff:
    input:
        folder=f"{R}/volumes/{{volume}}/{{ensemble}}",
    output:
        tiff=f"{R}/volumes/{{volume}}/{{ensemble}}.tif",
    log:
        f"{R}/logs/export_tiff/{{volume}}_{{ensemble}}.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("export_tiff"),
    message:
        "Exporting the prediction of {wildcards.volume} as TIFF"
    shell:
        f"python {SCRIPTS}/export_tiff.py "
        "--volume {input.folder:q}/labels.ome.zarr --output {output.tiff:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


COMPOSITIONS = by_name("compositions")


rule compose_classes:
    input:
        volumes=lambda w: [f"{R}/volumes/{w.volume}/{e}" for e in COMPOSITIONS[w.composition]["ensembles"]],
    output:
        folder=directory(f"{R}/volumes/{{volume}}/{{composition}}"),
    log:
        f"{R}/logs/compose_classes/{{volume}}_{{composition}}.log",
    benchmark:
        f"{R}/benchmarks/compose_classes/{{volume}}_{{composition}}.tsv"
    wildcard_constraints:
        composition=names_only(COMPOSITIONS),
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        probabilities=composed_volumes,
        targets=lambda w: as_json(composed_targets(w.composition)),
        compose=lambda w: select(COMPOSITIONS[w.composition], "order", "nested", "ties", "outside"),
        threshold=lambda w: COMPOSITIONS[w.composition]["threshold"],
        classes=CLASSES,
        code=code("compose_classes"),
    message:
        "Composing the classes of {wildcards.volume} with {wildcards.composition}"
    shell:
        f"python {SCRIPTS}/compose_classes.py "
        "--probabilities {params.probabilities:q} --targets {params.targets:q} --compose {params.compose:q} "
        "--threshold {params.threshold:q} --classes {params.classes:q} --output {output.folder:q}/labels.ome.zarr "
        "--threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


FULL_VOLUMES = [f"{R}/volumes/{v}/{e}" + (".tif" if job["tiff"] else "") for (v, e), job in FULL.items()]
FULL_VOLUMES += [f"{R}/volumes/{volume}/{name}" for name in COMPOSITIONS for volume in volumes_composed(name)]
