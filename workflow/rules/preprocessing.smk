"""From raw stacks and labels to normalized regions, their labels and their weight maps."""


rule import_volume:
    input:
        lambda w: source_files(VOLUMES[w.volume]),
    output:
        image=directory(f"{R}/imported/{{volume}}/image.ome.zarr"),
        sidecar=f"{R}/imported/{{volume}}/image.ome.zarr.json",
    log:
        f"{R}/logs/import_volume/{{volume}}.log",
    benchmark:
        f"{R}/benchmarks/import_volume/{{volume}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        paths=lambda w: source_words(VOLUMES[w.volume]),
        axes=lambda w: VOLUMES[w.volume]["axes"],
        voxel_size_nm=lambda w: as_json(VOLUMES[w.volume]["voxel_size_nm"]),
        origin_nm=lambda w: as_json(VOLUMES[w.volume]["origin_nm"]),
        shape=lambda w: as_json(VOLUMES[w.volume]["shape"]),
        code=code("import_volume"),
    message:
        "Importing {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/import_volume.py "
        "--paths {params.paths:q} --axes {params.axes:q} "
        "--voxel-size-nm {params.voxel_size_nm:q} --origin-nm {params.origin_nm:q} --shape {params.shape:q} "
        "--output {output.image:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule import_labels:
    input:
        paths=lambda w: source_files(LABELS[w.labels]),
        image=with_sidecar(f"{R}/imported/{{volume}}/image.ome.zarr"),
    output:
        labels=directory(f"{R}/imported/{{volume}}/labels_{{labels}}.ome.zarr"),
        sidecar=f"{R}/imported/{{volume}}/labels_{{labels}}.ome.zarr.json",
    log:
        f"{R}/logs/import_labels/{{volume}}_{{labels}}.log",
    benchmark:
        f"{R}/benchmarks/import_labels/{{volume}}_{{labels}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        paths=lambda w: source_words(LABELS[w.labels]),
        axes=lambda w: LABELS[w.labels]["axes"],
        kind=lambda w: LABELS[w.labels]["kind"],
        frame=lambda w: LABELS[w.labels]["frame"],
        values=lambda w: as_json(LABELS[w.labels]["values"]),
        origin=lambda w: as_json(LABELS[w.labels]["origin"]),
        sparse=lambda w: sparse_options(LABELS[w.labels]),
        classes=CLASSES,
        code=code("import_labels"),
    message:
        "Importing the labels {wildcards.labels} of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/import_labels.py "
        "--paths {params.paths:q} --image {input.image[0]:q} --axes {params.axes:q} "
        "--kind {params.kind:q} --frame {params.frame:q} --values {params.values:q} --origin-voxels {params.origin:q} "
        "{params.sparse:q} "
        "--classes {params.classes:q} --output {output.labels:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule bin_volume:
    input:
        image=with_sidecar(f"{R}/imported/{{volume}}/image.ome.zarr"),
    output:
        image=directory(f"{R}/binned/{{volume}}/image.ome.zarr"),
        sidecar=f"{R}/binned/{{volume}}/image.ome.zarr.json",
    log:
        f"{R}/logs/bin_volume/{{volume}}.log",
    benchmark:
        f"{R}/benchmarks/bin_volume/{{volume}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        binning=lambda w: as_json(VOLUMES[w.volume]["binning"]),
        code=code("bin_volume"),
    message:
        "Binning {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/bin_volume.py "
        "--image {input.image[0]:q} --binning {params.binning:q} "
        "--output {output.image:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule bin_labels:
    input:
        labels=with_sidecar(f"{R}/imported/{{volume}}/labels_{{labels}}.ome.zarr"),
    output:
        labels=directory(f"{R}/binned/{{volume}}/labels_{{labels}}.ome.zarr"),
        sidecar=f"{R}/binned/{{volume}}/labels_{{labels}}.ome.zarr.json",
    log:
        f"{R}/logs/bin_labels/{{volume}}_{{labels}}.log",
    benchmark:
        f"{R}/benchmarks/bin_labels/{{volume}}_{{labels}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        binning=lambda w: as_json(VOLUMES[w.volume]["binning"]),
        classes=CLASSES,
        code=code("bin_labels"),
    message:
        "Binning the labels {wildcards.labels} of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/bin_labels.py "
        "--labels {input.labels[0]:q} --binning {params.binning:q} "
        "--classes {params.classes:q} --output {output.labels:q} --threads {threads:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule align_volume:
    input:
        image=with_sidecar(f"{R}/binned/{{volume}}/image.ome.zarr"),
        truth=truth_of,
    output:
        image=directory(f"{R}/aligned/{{volume}}/image.ome.zarr"),
        sidecar=f"{R}/aligned/{{volume}}/image.ome.zarr.json",
        shifts=f"{R}/aligned/{{volume}}/shifts.csv",
        score=f"{R}/aligned/{{volume}}/score.csv",
    log:
        f"{R}/logs/align_volume/{{volume}}.log",
    benchmark:
        f"{R}/benchmarks/align_volume/{{volume}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        settings=lambda w: as_json(VOLUMES[w.volume]["alignment"]),
        truth=lambda w, input: option("--truth", input.truth),
        code=code("align_volume"),
    message:
        "Aligning {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/align_volume.py "
        "--image {input.image[0]:q} {params.truth:q} --settings {params.settings:q} "
        "--shifts {output.shifts:q} --score {output.score:q} --output {output.image:q} "
        "--threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule align_labels:
    input:
        labels=with_sidecar(f"{R}/binned/{{volume}}/labels_{{labels}}.ome.zarr"),
        image=with_sidecar(f"{R}/aligned/{{volume}}/image.ome.zarr"),
        shifts=f"{R}/aligned/{{volume}}/shifts.csv",
    output:
        labels=directory(f"{R}/aligned/{{volume}}/labels_{{labels}}.ome.zarr"),
        sidecar=f"{R}/aligned/{{volume}}/labels_{{labels}}.ome.zarr.json",
    log:
        f"{R}/logs/align_labels/{{volume}}_{{labels}}.log",
    benchmark:
        f"{R}/benchmarks/align_labels/{{volume}}_{{labels}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        frame=lambda w: LABELS[w.labels]["frame"],
        code=code("align_labels"),
    message:
        "Aligning the labels {wildcards.labels} of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/align_labels.py "
        "--labels {input.labels[0]:q} --image {input.image[0]:q} "
        "--shifts {input.shifts:q} --frame {params.frame:q} --output {output.labels:q} --threads {threads:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule correct_intensity:
    input:
        image=with_sidecar(f"{R}/aligned/{{volume}}/image.ome.zarr"),
    output:
        image=directory(f"{R}/corrected/{{volume}}/image.ome.zarr"),
        sidecar=f"{R}/corrected/{{volume}}/image.ome.zarr.json",
        slices=f"{R}/corrected/{{volume}}/intensity_slices.csv",
    log:
        f"{R}/logs/correct_intensity/{{volume}}.log",
    benchmark:
        f"{R}/benchmarks/correct_intensity/{{volume}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        method=config["normalization"]["slices"],
        padding=lambda w: padding_of(w.volume),
        reference_slices=config["normalization"]["reference_slices"],
        clahe=as_json(config["normalization"]["clahe"]),
        code=code("correct_intensity"),
    message:
        "Making the gray values of {wildcards.volume} even"
    shell:
        f"python {SCRIPTS}/correct_intensity.py "
        "--image {input.image[0]:q} --method {params.method:q} {params.padding:q} "
        "--reference-slices {params.reference_slices:q} --clahe {params.clahe:q} --slices {output.slices:q} "
        "--output {output.image:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule measure_intensity:
    input:
        image=lambda w: with_sidecar(image_of(w.volume)),
    output:
        intensity=f"{R}/{IMAGES}/{{volume}}/intensity.json",
    log:
        f"{R}/logs/measure_intensity/{{volume}}.log",
    benchmark:
        f"{R}/benchmarks/measure_intensity/{{volume}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        method=config["normalization"]["method"],
        padding=lambda w: padding_of(w.volume),
        code=code("measure_intensity"),
    message:
        "Measuring the intensities of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/measure_intensity.py "
        "--image {input.image[0]:q} --method {params.method:q} {params.padding:q} "
        "--output {output.intensity:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule normalize_region:
    input:
        image=lambda w: with_sidecar(image_of(REGIONS[w.region]["volume"])),
        shifts=aligned_of("shifts.csv"),
        intensity=intensity_of,
    output:
        image=directory(f"{R}/regions/{{region}}/image.ome.zarr"),
        sidecar=f"{R}/regions/{{region}}/image.ome.zarr.json",
    log:
        f"{R}/logs/normalize_region/{{region}}.log",
    benchmark:
        f"{R}/benchmarks/normalize_region/{{region}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        region=lambda w: select(REGIONS[w.region], "name", "frame", "z", "y", "x"),
        method=config["normalization"]["method"],
        scope=config["normalization"]["scope"],
        context=as_json(config["normalization"]["context"]),
        intensity=lambda w, input: option("--intensity", input.intensity),
        padding=lambda w: padding_of(REGIONS[w.region]["volume"]),
        code=code("normalize_region"),
    message:
        "Normalizing the region {wildcards.region}"
    shell:
        f"python {SCRIPTS}/normalize_region.py "
        "--image {input.image[0]:q} "
        "--shifts {input.shifts:q} {params.intensity:q} --region {params.region:q} --method {params.method:q} {params.padding:q} "
        "--scope {params.scope:q} --context {params.context:q} --output {output.image:q} --threads {threads:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule extract_labels:
    input:
        labels=lambda w: label_stores(w.region, w.reference),
        sidecars=lambda w: [f"{path}.json" for path in label_stores(w.region, w.reference)],
        image=with_sidecar(f"{R}/regions/{{region}}/image.ome.zarr"),
        shifts=aligned_of("shifts.csv"),
    output:
        labels=directory(f"{R}/regions/{{region}}/labels_{{reference}}.ome.zarr"),
        sidecar=f"{R}/regions/{{region}}/labels_{{reference}}.ome.zarr.json",
    log:
        f"{R}/logs/extract_labels/{{region}}_{{reference}}.log",
    benchmark:
        f"{R}/benchmarks/extract_labels/{{region}}_{{reference}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    params:
        role=lambda w: REGIONS[w.region]["role"],
        classes=CLASSES,
        code=code("extract_labels"),
    message:
        "Extracting the labels {wildcards.reference} of the region {wildcards.region}"
    shell:
        f"python {SCRIPTS}/extract_labels.py "
        "--labels {input.labels:q} --image {input.image[0]:q} "
        "--shifts {input.shifts:q} --role {params.role:q} --classes {params.classes:q} --output {output.labels:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule extract_targets:
    input:
        labels=lambda w: label_stores(w.region, w.reference),
        sidecars=lambda w: [f"{path}.json" for path in label_stores(w.region, w.reference)],
        image=with_sidecar(f"{R}/regions/{{region}}/image.ome.zarr"),
        shifts=aligned_of("shifts.csv"),
    output:
        target=directory(f"{R}/regions/{{region}}/targets_{{reference}}/{{target}}.ome.zarr"),
        sidecar=f"{R}/regions/{{region}}/targets_{{reference}}/{{target}}.ome.zarr.json",
    log:
        f"{R}/logs/extract_targets/{{region}}_{{reference}}_{{target}}.log",
    benchmark:
        f"{R}/benchmarks/extract_targets/{{region}}_{{reference}}_{{target}}.tsv"
    wildcard_constraints:
        target="[A-Za-z][A-Za-z0-9_]*",
    conda:
        "../../envs/imaging.yaml"
    params:
        boundary=lambda w: boundary_option(w.target),
        role=lambda w: REGIONS[w.region]["role"],
        classes=CLASSES,
        code=code("extract_targets"),
    message:
        "Extracting the target {wildcards.target} of the region {wildcards.region}"
    shell:
        f"python {SCRIPTS}/extract_targets.py "
        "--labels {input.labels:q} --image {input.image[0]:q} "
        "--shifts {input.shifts:q} --target {wildcards.target:q} {params.boundary:q} --role {params.role:q} "
        "--classes {params.classes:q} --output {output.target:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule build_weight_map:
    input:
        labels=with_sidecar(f"{R}/regions/{{region}}/labels_reference.ome.zarr"),
        all_labels=lambda w: [f"{R}/regions/{r}/labels_reference.ome.zarr" for r in weighted_regions(w.weight_map)],
    output:
        weights=directory(f"{R}/weight_maps/{{weight_map}}/{{region}}.ome.zarr"),
        sidecar=f"{R}/weight_maps/{{weight_map}}/{{region}}.ome.zarr.json",
    log:
        f"{R}/logs/build_weight_map/{{weight_map}}_{{region}}.log",
    benchmark:
        f"{R}/benchmarks/build_weight_map/{{weight_map}}_{{region}}.tsv"
    wildcard_constraints:
        weight_map=names_only(COMPUTED),
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        settings=lambda w: as_json({k: v for k, v in WEIGHT_MAPS[w.weight_map].items() if k not in FILE_KEYS}),
        classes=CLASSES,
        code=code("build_weight_map"),
    message:
        "Building the weight map {wildcards.weight_map} of the region {wildcards.region}"
    shell:
        f"python {SCRIPTS}/build_weight_map.py "
        "--labels {input.labels[0]:q} --all-labels {input.all_labels:q} "
        "--settings {params.settings:q} --classes {params.classes:q} --output {output.weights:q} "
        "--threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"
