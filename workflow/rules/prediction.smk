"""Every ensemble over every scored region, and the chosen ones over whole volumes."""


def stores(folder, names):
    return " ".join(f"{folder}/{name}.ome.zarr" for name in names)


def labels_option(option, folder, names):
    return f"{option} {stores(folder, names)}" if names else ""


HALO = ["halo"] if config["prediction"]["stitch"] == "halo" else []  # read only then
PREDICTION = select(config["prediction"], "stitch", "tile", *HALO)


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
    params:
        top_k=lambda w: as_json(ENSEMBLES[w.ensemble]["top_k"]),
        ensemble_labels=lambda w, output: stores(output[0], [f"top{k}" for k in ENSEMBLES[w.ensemble]["top_k"]]),
        member_names=lambda w: as_json(singles_of(w.ensemble)),
        member_labels=lambda w, output: labels_option(
            "--member-labels", output[0], [f"seed{seed}" for _, seed in singles_of(w.ensemble)]
        ),
        sets=lambda w: as_json(list(random_sets(w.ensemble, w.region).values())),
        set_labels=lambda w, output: labels_option("--set-labels", output[0], random_sets(w.ensemble, w.region)),
        settings=PREDICTION,
        classes=CLASSES,
        code=lambda w: code("predict_volume", *networks_of(w.ensemble)),
    message:
        "Predicting the region {wildcards.region} with {wildcards.ensemble}"
    shell:
        "python {SCRIPTS}/predict_volume.py --members {input.members:q} --checkpoints {input.checkpoints:q} "
        "--image {input.image[0]:q} --ensembles {params.top_k:q} --ensemble-labels {params.ensemble_labels} "
        "--member-names {params.member_names:q} {params.member_labels} "
        "--sets {params.sets:q} {params.set_labels} --settings {params.settings:q} "
        "--classes {params.classes:q} --threads {threads} --device {config[device]} "
        "--code-hash {params.code} 2>&1 | tee {log:q}"


FULL = {(job["volume"], job["ensemble"]): job for job in config["prediction"]["full_volumes"]}


def full_options(wildcards):  # not of `output`: Snakemake does not look for changes in params made from it
    job, folder = FULL[wildcards.volume, wildcards.ensemble], f"{R}/volumes/{wildcards.volume}/{wildcards.ensemble}"
    options = f"--probabilities {folder}/probabilities" if job["probabilities"] else ""
    return options + (f" --keep-members {folder}/members" if job["keep_members"] else "")


rule predict_volume:
    input:
        members=f"{R}/ensembles/{{ensemble}}/chosen.json",
        checkpoints=lambda w: checkpoints_of(w.ensemble),
        image=with_sidecar(f"{R}/aligned/{{volume}}/image.ome.zarr"),
        intensity=f"{R}/aligned/{{volume}}/intensity.json",
    output:
        folder=directory(f"{R}/volumes/{{volume}}/{{ensemble}}"),
    log:
        f"{R}/logs/predict_volume/{{volume}}_{{ensemble}}.log",
    benchmark:
        f"{R}/benchmarks/predict_volume/{{volume}}_{{ensemble}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["prediction"]
    resources:
        gpu=GPUS,
    params:
        options=full_options,
        settings=PREDICTION,
        classes=CLASSES,
        code=lambda w: code("predict_volume", *networks_of(w.ensemble)),
    message:
        "Predicting the volume {wildcards.volume} with {wildcards.ensemble}"
    shell:
        "python {SCRIPTS}/predict_volume.py --members {input.members:q} --checkpoints {input.checkpoints:q} "
        "--image {input.image[0]:q} --intensity {input.intensity:q} --ensembles '[null]' "
        "--ensemble-labels {output.folder}/labels.ome.zarr {params.options} --settings {params.settings:q} "
        "--classes {params.classes:q} --threads {threads} --device {config[device]} "
        "--code-hash {params.code} 2>&1 | tee {log:q}"


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
        "python {SCRIPTS}/export_tiff.py --volume {input.folder}/labels.ome.zarr --output {output.tiff:q} "
        "--code-hash {params.code} 2>&1 | tee {log:q}"


FULL_VOLUMES = [f"{R}/volumes/{v}/{e}" + (".tif" if job["tiff"] else "") for (v, e), job in FULL.items()]
