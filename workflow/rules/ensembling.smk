"""Member lists of the best k networks, and the k the eval regions choose; each ensemble by itself. Without evaluation on eval
regions the members come by seed, and there is one k."""


rule rank_candidates:
    input:
        lambda w: [f"{R}/models/{e}/seed{s}/history.csv" for e, s in members_of(w.ensemble)],
    output:
        f"{R}/ensembles/{{ensemble}}/ranking.csv",
    log:
        f"{R}/logs/rank_candidates/{{ensemble}}.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        evaluated=lambda w: int(is_evaluated(w.ensemble)),
        code=code("rank_networks"),
    message:
        "Ranking the candidates of {wildcards.ensemble} by eval MIoU"
    shell:
        f"python {SCRIPTS}/rank_networks.py "
        "--histories {input:q} --evaluated {params.evaluated:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule build_ensemble:
    input:
        ranking=f"{R}/ensembles/{{ensemble}}/ranking.csv",
        checkpoints=lambda w: checkpoints_of(w.ensemble),
    output:
        f"{R}/ensembles/{{ensemble}}/top{{k}}.json",
    log:
        f"{R}/logs/build_ensemble/{{ensemble}}_top{{k}}.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        experiments=lambda w: as_json(ENSEMBLES[w.ensemble]["experiments"]),
        evaluated=lambda w: int(is_evaluated(w.ensemble)),
        classes=CLASSES,
        code=code("build_ensemble"),
    message:
        "Choosing the best {wildcards.k} of {wildcards.ensemble}"
    shell:
        f"python {SCRIPTS}/build_ensemble.py "
        "--ranking {input.ranking:q} --checkpoints {input.checkpoints:q} "
        "--evaluated {params.evaluated:q} --name {wildcards.ensemble:q} --experiments {params.experiments:q} --top-k {wildcards.k:q} "
        "--classes {params.classes:q} --output {output:q} --code-hash {params.code:q} 2>&1 | tee {log:q}"


rule list_candidates:
    input:
        ranking=f"{R}/ensembles/{{ensemble}}/ranking.csv",
        checkpoints=lambda w: checkpoints_of(w.ensemble),
    output:
        f"{R}/ensembles/{{ensemble}}/candidates.json",
    log:
        f"{R}/logs/list_candidates/{{ensemble}}.log",
    localrule: True
    conda:
        "../../envs/torch.yaml"
    params:
        experiments=lambda w: as_json(ENSEMBLES[w.ensemble]["experiments"]),
        largest=lambda w: max(ENSEMBLES[w.ensemble]["top_k"]),
        singles=lambda w: as_json(singles_of(w.ensemble)),
        evaluated=lambda w: int(is_evaluated(w.ensemble)),
        classes=CLASSES,
        code=code("build_ensemble"),
    message:
        "Listing the networks of {wildcards.ensemble} that are predicted"
    shell:
        f"python {SCRIPTS}/build_ensemble.py "
        "--ranking {input.ranking:q} --checkpoints {input.checkpoints:q} "
        "--evaluated {params.evaluated:q} --name {wildcards.ensemble:q} --experiments {params.experiments:q} --top-k {params.largest:q} "
        "--also {params.singles:q} --classes {params.classes:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"


rule choose_ensemble:
    input:
        metrics=lambda w: f"{R}/ensembles/{w.ensemble}/eval_metrics.csv" if is_ranked(w.ensemble) else [],
        member_lists=lambda w: [f"{R}/ensembles/{w.ensemble}/top{k}.json" for k in ENSEMBLES[w.ensemble]["top_k"]],
    output:
        f"{R}/ensembles/{{ensemble}}/chosen.json",
    log:
        f"{R}/logs/choose_ensemble/{{ensemble}}.log",
    localrule: True
    conda:
        "../../envs/imaging.yaml"
    params:
        top_k=lambda w: as_json(ENSEMBLES[w.ensemble]["top_k"]),
        metrics=lambda w, input: option("--metrics", input.metrics),
        code=code("choose_ensemble"),
    message:
        "Choosing k for {wildcards.ensemble} on the eval regions"
    shell:
        f"python {SCRIPTS}/choose_ensemble.py "
        "{params.metrics:q} --name {wildcards.ensemble:q} "
        "--top-k {params.top_k:q} --member-lists {input.member_lists:q} --output {output:q} "
        "--code-hash {params.code:q} 2>&1 | tee {log:q}"
