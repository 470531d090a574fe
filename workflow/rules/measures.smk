"""What is measured on objects: what they lie in, shape, neighbors, texture."""

MEASURE_OUTPUTS = []  # what the whole run makes of this file's rules; each part adds its own


rule assign_organelles:
    input:
        objects=lambda w: instance_store(w.volume, w.objects),
        table=lambda w: object_table(w.volume, w.objects),
        containers=lambda w: instance_store(w.volume, INSTANCES[w.objects]["within"]),
        maps=lambda w: class_map_of(w.volume, w.objects)[0] if member_maps_of(w.volume, w.objects) else [],
    output:
        f"{R}/instances/{{volume}}/{{objects}}/parents.csv",
    log:
        f"{R}/logs/assign_organelles/{{volume}}_{{objects}}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        members=lambda w: option("--members", member_maps_of(w.volume, w.objects)),
        key_columns=assign_keys,
        classes=CLASSES,
        code=code("assign_organelles"),
    message:
        "Finding where the {wildcards.objects} of {wildcards.volume} lie"
    shell:
        f"python {SCRIPTS}/assign_organelles.py "
        "--objects {input.objects[0]:q} --table {input.table:q} --containers {input.containers[0]:q} {params.members:q} "
        "--keys {params.key_columns:q} --classes {params.classes:q} --output {output:q} --threads {threads:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule measure_contents:
    input:
        containers=lambda w: instance_store(w.volume, w.objects),
        table=lambda w: object_table(w.volume, w.objects),
        maps=contents_inputs,
        parents=lambda w: [f"{R}/instances/{w.volume}/{o}/parents.csv" for o in contents_within(w.volume, w.objects)],
    output:
        f"{R}/instances/{{volume}}/{{objects}}/contents.csv",
    log:
        f"{R}/logs/measure_contents/{{volume}}_{{objects}}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        options=contents_options,
        key_columns=lambda w: as_json({"volume": w.volume, "objects": w.objects}),
        classes=CLASSES,
        code=code("measure_contents"),
    message:
        "Counting what the {wildcards.objects} of {wildcards.volume} hold"
    shell:
        f"python {SCRIPTS}/measure_contents.py "
        "--containers {input.containers[0]:q} --table {input.table:q} {params.options:q} --keys {params.key_columns:q} "
        "--classes {params.classes:q} --output {output:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule measure_morphology:
    input:
        labels=lambda w: instance_store(w.volume, w.objects),
        objects=lambda w: object_table(w.volume, w.objects),
        container=container_inputs,
    output:
        f"{R}/instances/{{volume}}/{{objects}}/morphology.csv",
    log:
        f"{R}/logs/measure_morphology/{{volume}}_{{objects}}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        container=container_options,
        key_columns=lambda w: as_json(object_keys(w.volume, w.objects)),
        settings=select(config["morphology"], "smoothing_voxels", "min_voxels", "closing_radius", "max_voxels"),
        code=code("measure_morphology"),
    message:
        "Measuring the shape of {wildcards.objects} in {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/measure_morphology.py "
        "--labels {input.labels[0]:q} --objects {input.objects:q} {params.container:q} --keys {params.key_columns:q} "
        "--settings {params.settings:q} --output {output:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule measure_neighbors:
    input:
        labels=lambda w: instance_store(w.volume, w.objects),
        objects=lambda w: object_table(w.volume, w.objects),
        other_labels=other_stores,
        other_objects=other_tables,
    output:
        f"{R}/instances/{{volume}}/{{objects}}/neighbors.csv",
    log:
        f"{R}/logs/measure_neighbors/{{volume}}_{{objects}}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        others=other_options,
        key_columns=lambda w: as_json(object_keys(w.volume, w.objects)),
        settings=select(config["morphology"], "contact_nm", "max_voxels"),
        code=code("measure_neighbors"),
    message:
        "Measuring the neighbors of {wildcards.objects} in {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/measure_neighbors.py "
        "--labels {input.labels[0]:q} --objects {input.objects:q} {params.others:q} --keys {params.key_columns:q} "
        "--settings {params.settings:q} --output {output:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


MEASURE_OUTPUTS += of_instances("morphology.csv", "morphology")
MEASURE_OUTPUTS += [f"{R}/instances/{v}/{o}/neighbors.csv" for v, o in MEASURED_NEIGHBORS]


rule measure_texture:
    input:
        instances=lambda w: instance_store(w.volume, w.objects),
        objects=lambda w: object_table(w.volume, w.objects),
        image=lambda w: with_sidecar(image_of(w.volume)),
    output:
        f"{R}/instances/{{volume}}/{{objects}}/texture.csv",
    log:
        f"{R}/logs/measure_texture/{{volume}}_{{objects}}.log",
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        key_columns=lambda w: as_json({**object_keys(w.volume, w.objects), "source": source_of(w.objects)}),
        settings=as_json(config["texture"]),
        code=code("measure_texture"),
    message:
        "Measuring the texture of {wildcards.objects} in {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/measure_texture.py "
        "--instances {input.instances[0]:q} --objects {input.objects:q} --image {input.image[0]:q} --keys {params.key_columns:q} "
        "--settings {params.settings:q} --output {output:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


MEASURE_OUTPUTS += of_instances("texture.csv", "texture")


rule gather_instances:
    input:
        lambda w: parts_of_table(w.table),
    output:
        f"{R}/tables/{{table}}.csv",
    log:
        f"{R}/logs/gather_instances/{{table}}.log",
    wildcard_constraints:
        table=names_only(INSTANCE_TABLES),
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        key_columns=lambda w: keys_of_table(w.table),
        code=code("gather_tables"),
    message:
        "Gathering the table of {wildcards.table}"
    shell:
        f"python {SCRIPTS}/gather_tables.py "
        "--tables {input:q} {params.key_columns:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule gather_contents:
    input:
        unpack(bias_inputs),
        contents=[f"{R}/instances/{v}/{o}/contents.csv" for v, o in CONTAINERS],
    output:
        f"{R}/tables/contents.csv",
    log:
        f"{R}/logs/gather_contents.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        bias=bias_options,
        ensembles=lambda w: as_json(contents_ensembles()),
        roles=roles(SCORED),
        margin_nm=config["analysis"]["volume_fractions"]["margin_nm"],
        code=code("gather_contents"),
    message:
        "Gathering the contents of all containers"
    shell:
        f"python {SCRIPTS}/gather_contents.py "
        "--contents {input.contents:q} {params.bias:q} --ensembles {params.ensembles:q} --roles {params.roles:q} "
        "--margin-nm {params.margin_nm:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


# tables of all volumes and records, of what has any
MEASURE_OUTPUTS += [f"{R}/tables/{table}.csv" for table, parts in INSTANCE_TABLES.items() if parts]
MEASURE_OUTPUTS += [f"{R}/tables/contents.csv"] * bool(CONTAINERS)
