"""What the scores do when small connected regions are removed from the predicted labels."""

SMALL_REGIONS = config["analysis"]["small_regions"]


rule sweep_small_regions:
    input:
        reference=lambda w: with_sidecar(f"{R}/regions/{w.region}/labels_{references_of(w.region)[0]}.ome.zarr"),
        predictions=f"{R}/predictions/{{region}}/{{ensemble}}",
        chosen=f"{R}/ensembles/{{ensemble}}/chosen.json",
    output:
        f"{R}/small_regions/{{region}}/{{ensemble}}.csv",
    log:
        f"{R}/logs/sweep_small_regions/{{region}}_{{ensemble}}.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        predictions=lambda w: stores(
            f"{R}/predictions/{w.region}/{w.ensemble}", [f"top{k}" for k in ENSEMBLES[w.ensemble]["top_k"]]
        ),
        predictors=lambda w: as_json([f"top{k}" for k in ENSEMBLES[w.ensemble]["top_k"]]),
        key_columns=lambda w: as_json(
            {
                "volume": REGIONS[w.region]["volume"],
                "region": w.region,
                "reference": references_of(w.region)[0],
                "experiment": w.ensemble,
                "role": REGIONS[w.region]["role"],
            }
        ),
        mask=lambda w: REGIONS[w.region]["mask"],
        min_sizes_voxels=as_json(SMALL_REGIONS["min_sizes_voxels"]),
        margin_nm=config["analysis"]["volume_fractions"]["margin_nm"],
        classes=CLASSES,
        code=code("sweep_small_regions"),
    message:
        "Removing small regions from the prediction of {wildcards.ensemble} in {wildcards.region}"
    shell:
        f"python {SCRIPTS}/sweep_small_regions.py "
        "--reference {input.reference[0]:q} "
        "--predictions {params.predictions:q} --predictors {params.predictors:q} --chosen {input.chosen:q} "
        "--keys {params.key_columns:q} --mask {params.mask:q} --min-sizes-voxels {params.min_sizes_voxels:q} "
        "--margin-nm {params.margin_nm:q} --classes {params.classes:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule gather_small_regions:
    input:
        [f"{R}/small_regions/{region}/{name}.csv" for region in SCORED for name in SMALL_REGIONS["ensembles"]],
    output:
        f"{R}/tables/small_regions.csv",
    log:
        f"{R}/logs/gather_small_regions.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("gather_tables"),
    message:
        "Gathering the scores without small regions"
    shell:
        f"python {SCRIPTS}/gather_tables.py "
        "--tables {input:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_small_regions:
    input:
        f"{R}/tables/small_regions.csv",
    output:
        report(
            f"{R}/figures/small_regions.png",
            caption="../report/small_regions.rst",
            category="6 Evaluation",
            labels={"result": "Small regions removed"},
        ),
    log:
        f"{R}/logs/plot_small_regions.log",
    conda:
        "../../envs/report.yaml"
    params:
        colors=lambda w: COLORS,
        classes=CLASSES,
        dpi=config["figures"]["dpi"],
        code=code("plot_small_regions"),
    message:
        "Drawing what the removal of small regions changes"
    shell:
        f"python {SCRIPTS}/plot_small_regions.py "
        "--scores {input:q} --colors {params.colors:q} "
        "--classes {params.classes:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


SMALL_REGION_OUTPUTS = [f"{R}/tables/small_regions.csv", f"{R}/figures/small_regions.png"]
SMALL_REGION_OUTPUTS = SMALL_REGION_OUTPUTS if SMALL_REGIONS["ensembles"] else []
