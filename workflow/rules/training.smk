"""One training job per experiment and seed, and the ranking of all of them."""

SETTINGS = (
    "network",
    "options",
    "window",
    "tile",
    "spacing",
    "training",
    "targets",
    "activation",
    "decision",
    "threshold",
    "compose",
    "evaluate",
    "weight_seed",
    "data_seed",
)


# A cluster asks every process of a job to stop. With trap the shell and the log's tee wait for the training, which saves its state.
rule train_network:
    input:
        unpack(training_inputs),
    output:
        best=f"{R}/models/{{experiment}}/seed{{seed}}/best.safetensors",
        best_sidecar=f"{R}/models/{{experiment}}/seed{{seed}}/best.safetensors.json",
        last=f"{R}/models/{{experiment}}/seed{{seed}}/last.safetensors",
        history=f"{R}/models/{{experiment}}/seed{{seed}}/history.csv",
    log:
        f"{R}/logs/train_network/{{experiment}}_seed{{seed}}.log",
    benchmark:
        f"{R}/benchmarks/train_network/{{experiment}}_seed{{seed}}.tsv"
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["training"]
    resources:
        gpu=GPUS,
        device=DEVICE,
    params:
        inputs=training_options,
        regions=lambda w: as_json(regions_for(w.experiment, "train")),
        settings=lambda w: select(EXPERIMENTS[w.experiment], *SETTINGS),
        classes=lambda w: classes_for(w.experiment),
        restart=f"{R}/restart/{{experiment}}/seed{{seed}}.pt",
        code=lambda w: code("train_network", EXPERIMENTS[w.experiment]["network"]),
    message:
        "Training {wildcards.experiment}, seed {wildcards.seed}"
    shell:
        "trap '' TERM; "
        f"python {SCRIPTS}/train_network.py "
        "{params.inputs:q} --regions {params.regions:q} --experiment {wildcards.experiment:q} "
        "--seed {wildcards.seed:q} --settings {params.settings:q} --classes {params.classes:q} "
        "--restart {params.restart:q} --threads {threads:q} --device {resources.device:q} --best {output.best:q} "
        "--last {output.last:q} --history {output.history:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule record_training:  # a run of its own: filming a run never touches the one that is ranked
    input:
        unpack(training_inputs),
        snapshot_image=lambda w: with_sidecar(f"{R}/regions/{recorded(w)['region']}/image.ome.zarr"),
    output:
        directory(f"{R}/snapshots/{{experiment}}_seed{{seed}}"),
    log:
        f"{R}/logs/record_training/{{experiment}}_seed{{seed}}.log",
    conda:
        "../../envs/torch.yaml"
    threads: config["threads"]["training"]
    resources:
        gpu=GPUS,
        device=DEVICE,
    params:
        inputs=training_options,
        regions=lambda w: as_json(regions_for(w.experiment, "train")),
        settings=lambda w: select(EXPERIMENTS[w.experiment], *SETTINGS),
        snapshot=lambda w: select(recorded(w), "region", "slice", "every_steps"),
        classes=lambda w: classes_for(w.experiment),
        restart=f"{R}/restart/snapshots/{{experiment}}/seed{{seed}}.pt",
        code=lambda w: code("train_network", EXPERIMENTS[w.experiment]["network"]),
    message:
        "Training {wildcards.experiment}, seed {wildcards.seed}, again, with snapshots"
    shell:
        "trap '' TERM; "
        f"python {SCRIPTS}/train_network.py "
        "{params.inputs:q} --regions {params.regions:q} --experiment {wildcards.experiment:q} "
        "--seed {wildcards.seed:q} --settings {params.settings:q} --classes {params.classes:q} "
        "--restart {params.restart:q} --threads {threads:q} --device {resources.device:q} "
        "--best {output:q}/best.safetensors --last {output:q}/last.safetensors --history {output:q}/history.csv "
        "--snapshot-image {input.snapshot_image[0]:q} --snapshot {params.snapshot:q} --snapshots {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule rank_networks:
    input:
        run_file("history.csv", EVALUATED),
    output:
        f"{R}/tables/ranking.csv",
    log:
        f"{R}/logs/rank_networks.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("rank_networks"),
    message:
        "Ranking the networks by eval MIoU"
    shell:
        f"python {SCRIPTS}/rank_networks.py "
        "--histories {input:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"
