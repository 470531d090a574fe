"""Pictures of objects, and their surfaces in 3D."""

INSTANCE_FIGURES = []  # what the whole run makes of this file's rules; each part adds its own


rule plot_contents:
    input:
        f"{R}/tables/contents.csv",
    output:
        report(
            f"{R}/figures/contents_{{volume}}_{{objects}}.png",
            caption="../report/contents.rst",
            category="7 Analysis",
            labels={"result": "What each object holds: {objects} of {volume}"},
        ),
    log:
        f"{R}/logs/plot_contents/{{volume}}_{{objects}}.log",
    wildcard_constraints:
        volume=names_only(VOLUMES),
        objects=names_only(INSTANCES),
    conda:
        "../../envs/report.yaml"
    params:
        key_columns=lambda w: as_json(object_keys(w.volume, w.objects)),
        colors=COLORS,
        classes=CLASSES,
        dpi=DPI,
        code=code("plot_contents"),
    message:
        "Drawing what the {wildcards.objects} of {wildcards.volume} hold"
    shell:
        f"python {SCRIPTS}/plot_contents.py "
        "--contents {input:q} --keys {params.key_columns:q} --colors {params.colors:q} --classes {params.classes:q} "
        "--dpi {params.dpi:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


INSTANCE_FIGURES += [f"{R}/figures/contents_{volume}_{objects}.png" for volume, objects in CONTAINERS]


rule plot_cells_by_method:
    input:
        ways_inputs,
        image=lambda w: with_sidecar(image_of(w.volume)),
    output:
        report(
            f"{R}/figures/cells_by_method_{{volume}}_{{objects}}.png",
            caption="../report/cells_by_method.rst",
            category="7 Analysis",
            labels={"result": "Ways to split: {objects} of {volume}"},
        ),
    log:
        f"{R}/logs/plot_cells_by_method/{{volume}}_{{objects}}.log",
    wildcard_constraints:
        volume=names_only(VOLUMES),
        objects=names_only(SPLIT),
    conda:
        "../../envs/report.yaml"
    params:
        options=ways_options,
        combinations=lambda w: as_json(INSTANCES[w.objects]["split"]["combinations"]),
        title=lambda w: f"{w.objects} of {w.volume}",
        dpi=DPI,
        code=code("plot_cells_by_method"),
    message:
        "Drawing {wildcards.objects} of {wildcards.volume} as each way to split them gives them"
    shell:
        f"python {SCRIPTS}/plot_cells_by_method.py "
        "--image {input.image[0]:q} {params.options:q} --combinations {params.combinations:q} "
        "--title {params.title:q} --dpi {params.dpi:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_object_features:
    input:
        table=f"{R}/tables/{{table}}.csv",
    output:
        report(
            f"{R}/figures/{{table}}_of_{{objects}}.png",
            caption="../report/object_features.rst",
            category="7 Analysis",
            labels={"result": "Measured {table}: {objects}"},
        ),
    log:
        f"{R}/logs/plot_object_features/{{table}}_{{objects}}.log",
    wildcard_constraints:
        table="morphology|texture",
    conda:
        "../../envs/report.yaml"
    params:
        color=lambda w: class_color(w.objects),
        dpi=DPI,
        code=code("plot_object_features"),
    message:
        "Drawing the {wildcards.table} of {wildcards.objects}"
    shell:
        f"python {SCRIPTS}/plot_object_features.py "
        "--table {input.table:q} --objects {wildcards.objects:q} --color {params.color:q} --dpi {params.dpi:q} "
        "--output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_objects_per_container:
    input:
        parents=f"{R}/tables/parents.csv",
        objects=f"{R}/tables/objects.csv",
    output:
        report(
            f"{R}/figures/number_of_{{objects}}.png",
            caption="../report/objects_per_container.rst",
            category="7 Analysis",
            labels={"result": "How many {objects} in each container"},
        ),
    log:
        f"{R}/logs/plot_objects_per_container/{{objects}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        container=lambda w: INSTANCES[w.objects]["within"],
        color=lambda w: class_color(w.objects),
        dpi=DPI,
        code=code("plot_objects_per_container"),
    message:
        "Drawing how many {wildcards.objects} each container holds"
    shell:
        f"python {SCRIPTS}/plot_objects_per_container.py "
        "--parents {input.parents:q} --objects {input.objects:q} --name {wildcards.objects:q} --container {params.container:q} "
        "--color {params.color:q} --dpi {params.dpi:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule plot_fenestrations:
    input:
        image=lambda w: with_sidecar(image_of(w.volume)),
        labels=lambda w: instance_store(w.volume, w.objects),
        objects=lambda w: object_table(w.volume, w.objects),
        morphology=f"{R}/instances/{{volume}}/{{objects}}/morphology.csv",
    output:
        report(
            f"{R}/figures/fenestrations_{{volume}}_{{objects}}.png",
            caption="../report/fenestrations.rst",
            category="7 Analysis",
            labels={"result": "Fenestrations: {objects} of {volume}"},
        ),
    log:
        f"{R}/logs/plot_fenestrations/{{volume}}_{{objects}}.log",
    wildcard_constraints:
        volume=names_only(VOLUMES),
    conda:
        "../../envs/report.yaml"
    params:
        color=lambda w: class_color(w.objects),
        settings=select(config["morphology"], "max_voxels"),
        dpi=DPI,
        code=code("plot_fenestrations"),
    message:
        "Drawing the holes of {wildcards.objects} of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/plot_fenestrations.py "
        "--image {input.image[0]:q} --labels {input.labels[0]:q} --objects {input.objects:q} --morphology {input.morphology:q} "
        "--name {wildcards.objects:q} --volume {wildcards.volume:q} --color {params.color:q} --settings {params.settings:q} "
        "--dpi {params.dpi:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


INSTANCE_FIGURES += [f"{R}/figures/cells_by_method_{v}_{o}.png" for v, o in OBJECTS if o in SPLIT]
INSTANCE_FIGURES += [f"{R}/figures/{table}_of_{o}.png" for table, o in FEATURE_FIGURES]
INSTANCE_FIGURES += [f"{R}/figures/number_of_{o}.png" for o in dict.fromkeys(o for _, o in WITHIN)]
INSTANCE_FIGURES += [f"{R}/figures/fenestrations_{v}_{o}.png" for v, o in FENESTRATED]


rule export_meshes:
    input:
        labels=lambda w: instance_store(w.volume, w.objects),
        objects=lambda w: object_table(w.volume, w.objects),
    output:
        meshes=[f"{R}/meshes/{{volume}}/{{objects}}.{suffix}" for suffix in MESH_FORMATS],
        table=f"{R}/meshes/{{volume}}/{{objects}}.csv",
    log:
        f"{R}/logs/export_meshes/{{volume}}_{{objects}}.log",
    benchmark:
        f"{R}/benchmarks/export_meshes/{{volume}}_{{objects}}.tsv"
    conda:
        "../../envs/imaging.yaml"
    threads: config["threads"]["preprocessing"]
    params:
        settings=MESH_SETTINGS,
        code=code("export_meshes"),
    message:
        "Making surfaces of the {wildcards.objects} of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/export_meshes.py "
        "--labels {input.labels[0]:q} --objects {input.objects:q} --settings {params.settings:q} --meshes {output.meshes:q} "
        "--table {output.table:q} --threads {threads:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule write_object_page:
    input:
        image=lambda w: with_sidecar(image_of(w.volume)),
        meshes=lambda w: mesh_files(w.volume),
        objects=lambda w: [object_table(w.volume, objects) for objects in objects_in(w.volume)],
    output:
        report(
            f"{R}/figures/objects_3d_{{volume}}.html",
            caption="../report/object_page.rst",
            category="8 Surfaces",
            labels={"result": "Objects in 3D, to turn: {volume}"},
        ),
    log:
        f"{R}/logs/write_object_page/{{volume}}.log",
    conda:
        "../../envs/report.yaml"
    params:
        records=lambda w: mesh_records(w.volume),
        title=lambda w: f"Objects of {w.volume}",
        colors=lambda w: scene_colors(w.volume),
        page_mb=config["meshes"]["page_mb"],
        code=code("write_object_page"),
    message:
        "Writing the page with the objects of {wildcards.volume} in 3D"
    shell:
        f"python {SCRIPTS}/write_object_page.py "
        "--image {input.image[0]:q} --meshes {input.meshes:q} --objects {input.objects:q} --records {params.records:q} "
        "--title {params.title:q} --colors {params.colors:q} --page-mb {params.page_mb:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


INSTANCE_FIGURES += [f"{R}/meshes/{volume}/{objects}.csv" for volume, objects in instances_with("mesh")]
INSTANCE_FIGURES += [f"{R}/figures/objects_3d_{volume}.html" for volume, names in MESHED.items() if names]


rule render_objects:
    input:
        image=lambda w: with_sidecar(image_of(w.volume)),
        meshes=lambda w: mesh_files(w.volume, w.scene),
        parents=lambda w: scene_parents(w.volume, w.scene),
    output:
        report(
            f"{R}/renderings/objects/{{volume}}/{{scene}}.png",
            caption="../report/object_rendering.rst",
            category="8 Surfaces",
            labels={"result": "Objects in 3D: {volume}, {scene}"},
        ),
    log:
        f"{R}/logs/render_objects/{{volume}}_{{scene}}.log",
    wildcard_constraints:
        volume=names_only(VOLUMES),
        scene="[A-Za-z][A-Za-z0-9_]*",
    conda:
        "../../envs/rendering.yaml"
    params:
        parents=lambda w: option("--parents", *scene_parents(w.volume, w.scene)),
        records=lambda w: mesh_records(w.volume, w.scene),
        title=lambda w: f"{w.volume}, {w.scene}",
        colors=lambda w: scene_colors(w.volume, w.scene),
        scene=lambda w: scene_look(w.volume, w.scene),
        code=code("render_objects"),
    message:
        "Rendering the objects of {wildcards.volume}: {wildcards.scene}"
    shell:
        f"python {SCRIPTS}/render_objects.py "
        "--image {input.image[0]:q} --meshes {input.meshes:q} {params.parents:q} --records {params.records:q} "
        "--title {params.title:q} --colors {params.colors:q} --scene {params.scene:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule film_objects:
    input:
        image=lambda w: with_sidecar(image_of(w.volume)),
        meshes=lambda w: mesh_files(w.volume),
    output:
        report(
            f"{R}/videos/objects_{{volume}}.mp4",
            caption="../report/object_film.rst",
            category="9 Videos",
            labels={"result": "Objects, turning: {volume}"},
        ),
    log:
        f"{R}/logs/film_objects/{{volume}}.log",
    benchmark:
        f"{R}/benchmarks/film_objects/{{volume}}.tsv"
    wildcard_constraints:
        volume=names_only(VOLUMES),
    conda:
        "../../envs/rendering.yaml"
    params:
        records=lambda w: mesh_records(w.volume),
        title=lambda w: f"{w.volume}, objects",
        colors=lambda w: scene_colors(w.volume),
        scene=lambda w: scene_look(w.volume),
        seconds=config["videos"]["seconds"],
        frames_per_second=config["videos"]["frames_per_second"],
        code=code("film_objects"),
    message:
        "Filming the objects of {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/film_objects.py "
        "--image {input.image[0]:q} --meshes {input.meshes:q} --records {params.records:q} --title {params.title:q} "
        "--colors {params.colors:q} --scene {params.scene:q} --seconds {params.seconds:q} "
        "--frames-per-second {params.frames_per_second:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"
