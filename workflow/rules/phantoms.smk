"""Synthetic stacks with known truth, and the sparse labels that are drawn of them."""


rule make_phantom:
    output:
        image=f"{R}/phantom/{{volume}}/image.tif",
        labels=f"{R}/phantom/{{volume}}/labels.tif",
        annotator_1=f"{R}/phantom/{{volume}}/annotator_1.tif",
        annotator_2=f"{R}/phantom/{{volume}}/annotator_2.tif",
        cells=f"{R}/phantom/{{volume}}/cells.tif",
        organelles=f"{R}/phantom/{{volume}}/organelles.tif",
        truth=f"{R}/phantom/{{volume}}/truth.csv",
    log:
        f"{R}/logs/make_phantom/{{volume}}.log",
    benchmark:
        f"{R}/benchmarks/make_phantom/{{volume}}.tsv"
    wildcard_constraints:
        volume=names_only(PLATELETS),
    conda:
        "../../envs/imaging.yaml"
    params:
        settings=lambda w: select(PHANTOMS[w.volume], "name", "seed", "shape", "voxel_size_nm", "preset"),
        folder=lambda w, output: os.path.dirname(output.image),
        code=code("make_phantom"),
    message:
        "Synthesizing the phantom {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/make_phantom.py "
        "--settings {params.settings:q} --output-folder {params.folder:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule make_tumor_phantom:
    output:
        image=f"{R}/phantom/{{volume}}/image.tif",
        labels=f"{R}/phantom/{{volume}}/labels.tif",
        cells=f"{R}/phantom/{{volume}}/cells.tif",
        organelles=f"{R}/phantom/{{volume}}/organelles.tif",
        features=f"{R}/phantom/{{volume}}/features.csv",
        truth=f"{R}/phantom/{{volume}}/truth.csv",
    log:
        f"{R}/logs/make_tumor_phantom/{{volume}}.log",
    benchmark:
        f"{R}/benchmarks/make_tumor_phantom/{{volume}}.tsv"
    wildcard_constraints:
        volume=names_only(TUMORS),
    conda:
        "../../envs/imaging.yaml"
    params:
        settings=lambda w: select(
            PHANTOMS[w.volume], "name", "seed", "shape", "voxel_size_nm", "preset", "miniature", "filopodia"
        ),
        folder=lambda w, output: os.path.dirname(output.image),
        code=code("make_tumor_phantom"),
    message:
        "Synthesizing the tumor {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/make_tumor_phantom.py "
        "--settings {params.settings:q} --output-folder {params.folder:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule draw_sparse_labels:
    input:
        labels=lambda w: f"{R}/phantom/{w.volume}/{drawn_of(w)}.tif",
    output:
        masks=directory(f"{R}/phantom/{{volume}}/sparse/{{drawn}}"),
    log:
        f"{R}/logs/draw_sparse_labels/{{volume}}_{{drawn}}.log",
    benchmark:
        f"{R}/benchmarks/draw_sparse_labels/{{volume}}_{{drawn}}.tsv"
    wildcard_constraints:
        drawn="[A-Za-z][A-Za-z0-9_]*",
    conda:
        "../../envs/imaging.yaml"
    params:
        voxel_size_nm=lambda w: as_json(PHANTOMS[w.volume]["voxel_size_nm"]),
        drawn=lambda w: as_json(sparse_of(w)),
        code=code("draw_sparse_labels"),
    message:
        "Drawing labels of {wildcards.drawn} in some slices of the phantom {wildcards.volume}"
    shell:
        f"python {SCRIPTS}/draw_sparse_labels.py "
        "--labels {input.labels:q} --voxel-size-nm {params.voxel_size_nm:q} --drawn {params.drawn:q} "
        "--output-folder {output.masks:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"
