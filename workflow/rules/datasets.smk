"""Public data sets: downloaded, checked and unpacked, where a volume of the configuration lies in one; and weights that
were published with one, compared with computed ones."""

import public_datasets

DATASETS, DATASET_FILES = public_datasets.to_download(config)  # what is missing of the sets that are used
IMPORTED = [name for name, record in WEIGHT_MAPS.items() if record["path"]]
FILE_KEYS = ("path", "axes", "compare_with")  # of a weight map; a computed one does not read them
COMPUTED = [name for name, record in WEIGHT_MAPS.items() if not record["path"]]


# (imported weight map, computed one, train region)
PAIRS = [(name, computed_for(name), region) for name in IMPORTED if COMPUTED for region in regions_of("train")]


# Files that are there, by hand or from an earlier run, are no outputs: Snakemake deletes the outputs of a job before it runs.
rule download_dataset:
    output:
        DATASET_FILES,
    log:
        f"{R}/logs/download_dataset/{'_'.join(DATASETS)}.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        datasets=",".join(DATASETS),
        data_root=config["data_root"],
        code=code("download_dataset"),
    message:
        "Downloading the public data set {params.datasets}"
    shell:
        f"python {SCRIPTS}/download_dataset.py "
        "--dataset {params.datasets:q} --data-root {params.data_root:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule import_weight_map:
    input:
        weights=lambda w: source_files(WEIGHT_MAPS[w.weight_map]),
        volume=lambda w: with_sidecar(f"{R}/aligned/{REGIONS[w.region]['volume']}/image.ome.zarr"),
        image=with_sidecar(f"{R}/regions/{{region}}/image.ome.zarr"),
        labels=with_sidecar(f"{R}/regions/{{region}}/labels_reference.ome.zarr"),
    output:
        weights=directory(f"{R}/weight_maps/{{weight_map}}/{{region}}.ome.zarr"),
        sidecar=f"{R}/weight_maps/{{weight_map}}/{{region}}.ome.zarr.json",
    log:
        f"{R}/logs/import_weight_map/{{weight_map}}_{{region}}.log",
    benchmark:
        f"{R}/benchmarks/import_weight_map/{{weight_map}}_{{region}}.tsv"
    wildcard_constraints:
        weight_map=names_only(IMPORTED),
    conda:
        "../../envs/imaging.yaml"
    params:
        axes=lambda w: WEIGHT_MAPS[w.weight_map]["axes"],
        floor=lambda w: WEIGHT_MAPS[w.weight_map]["floor"],
        code=code("import_weight_map"),
    message:
        "Importing the weight map {wildcards.weight_map} of the region {wildcards.region}"
    shell:
        f"python {SCRIPTS}/import_weight_map.py "
        "--weights {input.weights:q} --volume {input.volume[0]:q} "
        "--image {input.image[0]:q} --labels {input.labels[0]:q} --axes {params.axes:q} --floor {params.floor:q} "
        "--output {output.weights:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule compare_weight_maps:
    input:
        imported=[f"{R}/weight_maps/{theirs}/{region}.ome.zarr" for theirs, _, region in PAIRS],
        computed=[f"{R}/weight_maps/{ours}/{region}.ome.zarr" for _, ours, region in PAIRS],
        labels=[f"{R}/regions/{region}/labels_reference.ome.zarr" for _, _, region in PAIRS],
        all_labels=[f"{R}/regions/{region}/labels_reference.ome.zarr" for region in regions_of("train")],
    output:
        f"{R}/tables/weight_map_comparison.csv",
    log:
        f"{R}/logs/compare_weight_maps.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        imported=as_json([{"name": n, "floor": WEIGHT_MAPS[n]["floor"]} for n, _, _ in PAIRS]),
        computed=as_json([{k: WEIGHT_MAPS[n][k] for k in ("name", "floor", "class_weight_power")} for _, n, _ in PAIRS]),
        regions=as_json([{"name": r, "volume": REGIONS[r]["volume"]} for _, _, r in PAIRS]),
        code=code("compare_weight_maps"),
    message:
        "Comparing imported weight maps with computed ones"
    shell:
        f"python {SCRIPTS}/compare_weight_maps.py "
        "--imported {input.imported:q} --computed {input.computed:q} "
        "--labels {input.labels:q} --all-labels {input.all_labels:q} --imported-settings {params.imported:q} "
        "--computed-settings {params.computed:q} --regions {params.regions:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_weight_map_comparison:
    input:
        labels=with_sidecar(f"{R}/regions/{{region}}/labels_reference.ome.zarr"),
        computed=lambda w: with_sidecar(f"{R}/weight_maps/{computed_for(w.weight_map)}/{w.region}.ome.zarr"),
        imported=with_sidecar(f"{R}/weight_maps/{{weight_map}}/{{region}}.ome.zarr"),
        table=f"{R}/tables/weight_map_comparison.csv",
    output:
        report(
            f"{R}/figures/weight_map_comparison_{{weight_map}}_{{region}}.png",
            caption="../report/weight_map_comparison.rst",
            category="2 Preprocessing",
            labels={"result": "Imported and computed weights: {region}, {weight_map}"},
        ),
    log:
        f"{R}/logs/plot_weight_map_comparison/{{weight_map}}_{{region}}.log",
    wildcard_constraints:
        weight_map=names_only(IMPORTED),
    conda:
        "../../envs/report.yaml"
    params:
        names=lambda w: as_json([computed_for(w.weight_map), w.weight_map]),
        colors=as_json({c["name"]: config["figures"]["colors"][c["name"]] for c in config["classes"]}),
        classes=CLASSES,
        dpi=config["figures"]["dpi"],
        code=code("plot_weight_map_comparison"),
    message:
        "Drawing imported and computed weights of {wildcards.region}"
    shell:
        f"python {SCRIPTS}/plot_weight_map_comparison.py "
        "--labels {input.labels[0]:q} "
        "--computed {input.computed[0]:q} --imported {input.imported[0]:q} --table {input.table:q} "
        "--region {wildcards.region:q} --names {params.names:q} --colors {params.colors:q} "
        "--classes {params.classes:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


# what `rule all` asks for beside the other tables and figures; empty without a weight map that has a path
WEIGHT_MAP_COMPARISONS = [f"{R}/tables/weight_map_comparison.csv"] * bool(PAIRS) + [
    f"{R}/figures/weight_map_comparison_{theirs}_{region}.png" for theirs, _, region in PAIRS
]
