"""The paragraph on methods: what this run did, with every setting and citation, to copy into a paper."""

import methods_settings
import snakemake

METHODS = [f"{R}/methods.html", f"{R}/methods.bib"]


rule make_methods_text:
    input:
        ranking=[f"{R}/tables/ranking.csv"] * bool(EVALUATED),
        chosen=chosen_lists(ENSEMBLES),
        checkpoints=[f"{R}/models/{name}/seed{e['seeds'][0]}/best.safetensors" for name, e in EXPERIMENTS.items()],
    output:
        html=report(
            METHODS[0],
            caption="../report/methods.rst",
            category="0 Summary",
            labels={"result": "Methods text to cite"},
        ),
        bibtex=METHODS[1],
    log:
        f"{R}/logs/make_methods_text.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        ranking=lambda w, input: option("--ranking", *input.ranking),
        chosen=lambda w, input: option("--chosen", *input.chosen),
        config=as_json(methods_settings.settings(config)),
        versions=as_json({"densecell": provenance.version(ROOT), "snakemake": snakemake.__version__}),
        code=code("make_methods_text", *sorted({e["network"] for e in EXPERIMENTS.values()})),
    message:
        "Writing the paragraph on methods"
    shell:
        f"python {SCRIPTS}/make_methods_text.py "
        "{params.ranking:q} {params.chosen:q} --checkpoints {input.checkpoints:q} --config {params.config:q} "
        "--versions {params.versions:q} --output {output.html:q} --bibtex {output.bibtex:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"
