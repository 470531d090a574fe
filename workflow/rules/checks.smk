"""The inputs are looked at first. The checks come first by their priority and are nobody's input, so that a changed check trains
nothing again."""

from check_settings import check_settings

FIRST = 100  # priority of the checks; all other rules have 0


rule check_volume:
    input:
        lambda w: source_files(VOLUMES[w.volume]),
    output:
        slices=f"{R}/checks/{{volume}}/slices.csv",
        overview=f"{R}/checks/{{volume}}/overview.json",
        pictures=directory(f"{R}/checks/{{volume}}/pictures.ome.zarr"),
        sidecar=f"{R}/checks/{{volume}}/pictures.ome.zarr.json",
    log:
        f"{R}/logs/check_volume/{{volume}}.log",
    benchmark:
        f"{R}/benchmarks/check_volume/{{volume}}.tsv"
    priority: FIRST
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        paths=lambda w: source_words(VOLUMES[w.volume]),
        axes=lambda w: VOLUMES[w.volume]["axes"],
        voxel_size_nm=lambda w: as_json(VOLUMES[w.volume]["voxel_size_nm"]),
        alignment=lambda w: VOLUMES[w.volume]["alignment"]["method"],
        code=code("check_volume"),
    message:
        "Checking the slices of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/check_volume.py "
        "--paths {params.paths:q} --axes {params.axes:q} --voxel-size-nm {params.voxel_size_nm:q} --alignment {params.alignment:q} "
        "--threads {threads:q} --slices {output.slices:q} --overview {output.overview:q} --pictures {output.pictures:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule check_inputs:
    input:
        overviews=[f"{R}/checks/{volume}/overview.json" for volume in VOLUMES],
        label_files=[file for labels in LABELS.values() for file in source_files(labels)],
    output:
        report(
            f"{R}/tables/findings.csv",
            caption="../report/findings.rst",
            category="1 Checks of the inputs",
            labels={"result": "All findings"},
        ),
    log:
        f"{R}/logs/check_inputs.log",
    priority: FIRST
    conda:
        "../../envs/imaging.yaml"
    params:
        settings=as_json(check_settings(config, found_files)),
        label_files=option("--label-files", *source_words(*LABELS.values())),
        code=code("check_inputs"),
    message:
        "Checking regions and labels"
    shell:
        f"python {SCRIPTS}/check_inputs.py "
        "--overviews {input.overviews:q} {params.label_files:q} --settings {params.settings:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_checks:
    input:
        findings=f"{R}/tables/findings.csv",
        slices=[f"{R}/checks/{volume}/slices.csv" for volume in VOLUMES],
        overviews=[f"{R}/checks/{volume}/overview.json" for volume in VOLUMES],
        pictures=[f"{R}/checks/{volume}/pictures.ome.zarr" for volume in VOLUMES],
        sidecars=[f"{R}/checks/{volume}/pictures.ome.zarr.json" for volume in VOLUMES],
    output:
        [
            report(
                f"{R}/figures/checks_{volume}.png",
                caption="../report/checks.rst",
                category="1 Checks of the inputs",
                labels={"result": f"Slices and gray values: {volume}"},
            )
            for volume in VOLUMES
        ],
    log:
        f"{R}/logs/plot_checks.log",
    conda:
        "../../envs/report.yaml"
    params:
        volumes=list(VOLUMES),
        trained=sorted({REGIONS[region]["volume"] for region in regions_of("train")}),
        method=config["normalization"]["method"],
        dpi=config["figures"]["dpi"],
        code=code("plot_checks"),
    message:
        "Drawing the checks of the volumes"
    shell:
        f"python {SCRIPTS}/plot_checks.py "
        "--findings {input.findings:q} --slices {input.slices:q} --overviews {input.overviews:q} --pictures {input.pictures:q} "
        "--volumes {params.volumes:q} --trained {params.trained:q} --method {params.method:q} --dpi {params.dpi:q} "
        "--outputs {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


CHECKS = [f"{R}/tables/findings.csv", *(f"{R}/figures/checks_{volume}.png" for volume in VOLUMES)]
