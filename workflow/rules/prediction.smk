"""Every ensemble over every scored region, and the chosen ones over whole volumes."""

from snakemake.io import IOFile


def stores(folder, names):
    return " ".join(f"{folder}/{name}.ome.zarr" for name in names)


def labels_option(option, folder, names):
    return f"{option} {stores(folder, names)}" if names else ""


# with halo, the margins and the size of the tiles follow from two more keys, which are read only then
HALO = ["halo", "memory_gb"] if config["prediction"]["stitch"] == "halo" else []
PREDICTION = select(config["prediction"], "stitch", "tile", "flips", "precision", *HALO)


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


def slab_folder(wildcards):
    return f"{R}/slabs/{wildcards.volume}/{wildcards.ensemble}/{wildcards.scatteritem}"


def mask_of(wildcards):
    """The labels that say where a volume is predicted, or nothing: everywhere."""
    mask = FULL[wildcards.volume, wildcards.ensemble]["mask"]
    return with_sidecar(f"{R}/aligned/{wildcards.volume}/labels_{mask}.ome.zarr") if mask else []


def full_options(wildcards):  # not of `output`: Snakemake does not look for changes in params made from it
    job, folder = FULL[wildcards.volume, wildcards.ensemble], slab_folder(wildcards)
    options = [f"--probabilities {folder}/probabilities"] if job["probabilities"] else []
    options += [f"--keep-members {folder}/members"] if job["keep_members"] else []
    return " ".join(options + [f"--mask {mask}" for mask in mask_of(wildcards)[:1]])


def volume_facts(wildcards):
    """What a predicted volume depends on beside its inputs, as text."""
    job = FULL[wildcards.volume, wildcards.ensemble]
    facts = [json.loads(PREDICTION), json.loads(CLASSES), code("predict_volume", *networks_of(wildcards.ensemble))]
    return as_json([select(job, "probabilities", "keep_members", "mask"), *facts])


scattergather:
    slabs=config["prediction"]["slabs"],


def slabs_of(wildcards):
    """The slabs of a volume. One that exists and would be made with equal settings keeps those it was gathered from: another
    number gives the same volume, and Snakemake makes an output again when the names of its inputs change."""
    volume, slabs = f"{R}/volumes/{wildcards.volume}/{wildcards.ensemble}", f"{R}/slabs/{wildcards.volume}/"
    former = workflow.persistence.metadata(IOFile(volume)) if os.path.exists(volume) else None
    if former and repr(volume_facts(wildcards)) in former.params:
        return [path for path in former.input if path.startswith(slabs)]
    return gather.slabs(f"{slabs}{wildcards.ensemble}/{{scatteritem}}")


rule predict_volume:  # one slab of z-slices; as many at a time as there are GPUs
    input:
        members=f"{R}/ensembles/{{ensemble}}/chosen.json",
        checkpoints=lambda w: checkpoints_of(w.ensemble),
        image=with_sidecar(f"{R}/aligned/{{volume}}/image.ome.zarr"),
        intensity=f"{R}/aligned/{{volume}}/intensity.json",
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
    params:
        options=full_options,
        settings=PREDICTION,
        classes=CLASSES,
        restart=f"{R}/restart/slabs/{{volume}}/{{ensemble}}/{{scatteritem}}",
        code=lambda w: code("predict_volume", *networks_of(w.ensemble)),
    message:
        "Predicting the volume {wildcards.volume} with {wildcards.ensemble}, slab {wildcards.scatteritem}"
    shell:
        "python {SCRIPTS}/predict_volume.py --members {input.members:q} --checkpoints {input.checkpoints:q} "
        "--image {input.image[0]:q} --intensity {input.intensity:q} --ensembles '[null]' "
        "--ensemble-labels {output.folder}/labels.ome.zarr {params.options} --settings {params.settings:q} "
        "--classes {params.classes:q} --slab {wildcards.scatteritem} --restart {params.restart:q} "
        "--threads {threads} --device {config[device]} --code-hash {params.code} 2>&1 | tee {log:q}"


rule gather_slabs:
    input:
        slabs=slabs_of,
    output:
        folder=directory(f"{R}/volumes/{{volume}}/{{ensemble}}"),
    log:
        f"{R}/logs/gather_slabs/{{volume}}_{{ensemble}}.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        facts=volume_facts,
        code=code("gather_slabs"),
    message:
        "Joining the slabs of {wildcards.volume} with {wildcards.ensemble}"
    shell:
        "python {SCRIPTS}/gather_slabs.py --slabs {input.slabs:q} --output {output.folder:q} "
        "--code-hash {params.code} 2>&1 | tee {log:q}"


localrules:
    gather_slabs,


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
