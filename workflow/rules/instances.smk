"""Objects: instances of a class, split cells, tracking, scores against known objects."""

INSTANCE_OUTPUTS = []  # what the whole run makes of this file's rules; each part adds its own


rule segment_instances:
    input:
        labels=lambda w: class_map_of(w.volume, w.objects)[0],
        probability=flooded_input,
    output:
        labels=directory(f"{R}/instances/{{volume}}/{{objects}}/labels.ome.zarr"),
        sidecar=f"{R}/instances/{{volume}}/{{objects}}/labels.ome.zarr.json",
        objects=f"{R}/instances/{{volume}}/{{objects}}/objects.csv",
    log:
        f"{R}/logs/segment_instances/{{volume}}_{{objects}}.log",
    benchmark:
        f"{R}/benchmarks/segment_instances/{{volume}}_{{objects}}.tsv"
    wildcard_constraints:
        objects=names_only([name for name in INSTANCES if name not in SPLIT]),
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        store=lambda w: class_map_of(w.volume, w.objects)[1],
        class_name=lambda w: INSTANCES[w.objects]["class"],
        options=segmentation_options,
        min_volume_um3=lambda w: INSTANCES[w.objects]["min_volume_um3"],
        classes=CLASSES,
        code=code("segment_instances"),
    message:
        "Numbering the {wildcards.objects} of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/segment_instances.py "
        "--labels {params.store:q} --class-name {params.class_name:q} {params.options:q} "
        "--min-volume-um3 {params.min_volume_um3:q} --classes {params.classes:q} "
        "--output {output.labels:q} --objects {output.objects:q} --threads {threads:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


INSTANCE_OUTPUTS += [object_table(volume, objects) for volume, objects in OBJECTS]


rule split_cells:
    input:
        class_map=lambda w: class_map_of(w.volume, w.objects)[0],
        ids=lambda w: with_sidecar(ids_of(w)),
        boundary=lambda w: border_of(w)[0],
        image=flow_image_of,
    output:
        cells=directory(f"{R}/instances/{{volume}}/{{objects}}/split/{{combination}}/cells.ome.zarr"),
        cells_sidecar=f"{R}/instances/{{volume}}/{{objects}}/split/{{combination}}/cells.ome.zarr.json",
        islands=directory(f"{R}/instances/{{volume}}/{{objects}}/split/{{combination}}/islands.ome.zarr"),
        islands_sidecar=f"{R}/instances/{{volume}}/{{objects}}/split/{{combination}}/islands.ome.zarr.json",
        table=f"{R}/instances/{{volume}}/{{objects}}/split/{{combination}}/split.csv",
    log:
        f"{R}/logs/split_cells/{{volume}}_{{objects}}_{{combination}}.log",
    benchmark:
        f"{R}/benchmarks/split_cells/{{volume}}_{{objects}}_{{combination}}.tsv"
    wildcard_constraints:
        objects=names_only(SPLIT),
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        class_map=lambda w: class_map_of(w.volume, w.objects)[1],
        name=lambda w: INSTANCES[w.objects]["class"],
        classes=CLASSES,
        options=split_options,
        code=code("split_cells"),
    message:
        "Splitting {wildcards.objects} of {wildcards.volume}: {wildcards.combination}"
    shell:
        f"python {SCRIPTS}/split_cells.py "
        "--class-map {params.class_map:q} --ids {input.ids[0]:q} --objects {params.name:q} --classes {params.classes:q} "
        "--combination {wildcards.combination:q} {params.options:q} --cells {output.cells:q} --islands {output.islands:q} "
        "--table {output.table:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


INSTANCE_OUTPUTS += split_files("split.csv")


rule track_cells:
    input:
        cells=with_sidecar(f"{R}/instances/{{volume}}/{{objects}}/split/{{combination}}/cells.ome.zarr"),
        islands=with_sidecar(f"{R}/instances/{{volume}}/{{objects}}/split/{{combination}}/islands.ome.zarr"),
        ids=lambda w: with_sidecar(ids_of(w)),
        split=f"{R}/instances/{{volume}}/{{objects}}/split/{{combination}}/split.csv",
    output:
        labels=directory(f"{R}/instances/{{volume}}/{{objects}}/tracked/{{combination}}/labels.ome.zarr"),
        sidecar=f"{R}/instances/{{volume}}/{{objects}}/tracked/{{combination}}/labels.ome.zarr.json",
        objects=f"{R}/instances/{{volume}}/{{objects}}/tracked/{{combination}}/objects.csv",
        tracks=f"{R}/instances/{{volume}}/{{objects}}/tracked/{{combination}}/tracks.csv",
    log:
        f"{R}/logs/track_cells/{{volume}}_{{objects}}_{{combination}}.log",
    benchmark:
        f"{R}/benchmarks/track_cells/{{volume}}_{{objects}}_{{combination}}.tsv"
    wildcard_constraints:
        objects=names_only(SPLIT),
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        settings=lambda w: as_json(INSTANCES[w.objects]["track"]),
        class_name=lambda w: INSTANCES[w.objects]["class"],
        code=code("track_cells"),
    message:
        "Tracking {wildcards.objects} through {wildcards.volume}: {wildcards.combination}"
    shell:
        f"python {SCRIPTS}/track_cells.py "
        "--cells {input.cells[0]:q} --islands {input.islands[0]:q} --ids {input.ids[0]:q} --split {input.split:q} "
        "--settings {params.settings:q} --class-name {params.class_name:q} --output {output.labels:q} "
        "--objects {output.objects:q} --tracks {output.tracks:q} --threads {threads:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule compare_instances:
    input:
        objects=lambda w: instance_store(w.volume, w.objects),
        reference=lambda w: with_sidecar(known_objects_of(w)),
        image=lambda w: with_sidecar(image_of(w.volume)),
    output:
        f"{R}/instances/{{volume}}/{{objects}}/metrics.csv",
    log:
        f"{R}/logs/compare_instances/{{volume}}_{{objects}}.log",
    wildcard_constraints:
        objects=names_only([name for name in INSTANCES if name not in SPLIT]),
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        key_columns=compared_keys,
        code=code("compare_instances"),
    message:
        "Scoring the {wildcards.objects} of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/compare_instances.py "
        "--objects {input.objects[0]:q} --reference {input.reference[0]:q} --image {input.image[0]:q} --keys {params.key_columns:q} "
        "--output {output:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule compare_split_cells:
    input:
        objects=with_sidecar(f"{R}/instances/{{volume}}/{{objects}}/tracked/{{combination}}/labels.ome.zarr"),
        reference=lambda w: with_sidecar(known_objects_of(w)),
        image=lambda w: with_sidecar(image_of(w.volume)),
    output:
        f"{R}/instances/{{volume}}/{{objects}}/tracked/{{combination}}/metrics.csv",
    log:
        f"{R}/logs/compare_split_cells/{{volume}}_{{objects}}_{{combination}}.log",
    wildcard_constraints:
        objects=names_only(SPLIT),
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        key_columns=compared_keys,
        code=code("compare_instances"),
    message:
        "Scoring the {wildcards.objects} of {wildcards.volume}: {wildcards.combination}"
    shell:
        f"python {SCRIPTS}/compare_instances.py "
        "--objects {input.objects[0]:q} --reference {input.reference[0]:q} --image {input.image[0]:q} --keys {params.key_columns:q} "
        "--output {output:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule summarize_splitting:
    input:
        SPLIT_SCORES,
    output:
        f"{R}/tables/cell_splitting.csv",
    log:
        f"{R}/logs/summarize_splitting.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("summarize_splitting"),
    message:
        "Comparing the ways to split cells"
    shell:
        f"python {SCRIPTS}/summarize_splitting.py "
        "--scores {input:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


INSTANCE_OUTPUTS += split_files("tracks.csv", "tracked")
INSTANCE_OUTPUTS += [f"{R}/tables/cell_splitting.csv"] * bool(SPLIT_SCORES)


rule export_nifti:
    input:
        instances=lambda w: instance_store(w.volume, w.objects),
        objects=lambda w: object_table(w.volume, w.objects),
    output:
        nifti=f"{R}/instances/{{volume}}/{{objects}}.nii.gz",
    log:
        f"{R}/logs/export_nifti/{{volume}}_{{objects}}.log",
    conda:
        "../../envs/imaging.yaml"
    params:
        code=code("export_nifti"),
    message:
        "Exporting the {wildcards.objects} of {wildcards.volume} as NIfTI"
    shell:
        f"python {SCRIPTS}/export_nifti.py "
        "--instances {input.instances[0]:q} --objects {input.objects:q} --output {output.nifti:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule export_panoptic:
    input:
        image=lambda w: with_sidecar(image_of(w.volume)),
        labels=f"{R}/volumes/{{volume}}/{{source}}",
        instances=lambda w: [path for o in objects_beside(w.volume, w.source) for path in instance_store(w.volume, o)],
    output:
        store=directory(f"{R}/panoptic/{{volume}}/{{source}}.ome.zarr"),
        sidecar=f"{R}/panoptic/{{volume}}/{{source}}.ome.zarr.json",
    log:
        f"{R}/logs/export_panoptic/{{volume}}_{{source}}.log",
    wildcard_constraints:
        source=names_only([*ENSEMBLES, *COMPOSITIONS]),
    conda:
        "../../envs/imaging.yaml"
    params:
        instances=lambda w: [instance_store(w.volume, o)[0] for o in objects_beside(w.volume, w.source)],
        names=lambda w: as_json(objects_beside(w.volume, w.source)),
        colors=lambda w: COLORS,
        classes=CLASSES,
        code=code("export_panoptic"),
    message:
        "Joining image, classes and objects of {wildcards.volume} with {wildcards.source}"
    shell:
        f"python {SCRIPTS}/export_panoptic.py "
        "--image {input.image[0]:q} --labels {input.labels:q}/labels.ome.zarr --instances {params.instances:q} "
        "--names {params.names:q} --classes {params.classes:q} --colors {params.colors:q} --output {output.store:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


INSTANCE_OUTPUTS += [f"{R}/instances/{volume}/{objects}.nii.gz" for volume, objects in instances_with("nifti")]
INSTANCE_OUTPUTS += [f"{R}/panoptic/{volume}/{source}.ome.zarr" for volume, source in PANOPTIC]
