"""Dry runs of configurations with sparse labels: nothing is asked for that has no members, and all that has some is."""

import re

import pytest
import workflow_runs as runs

SPARSE = "tests/workflow/tiny_sparse.yaml"
# rules that need networks that eval regions rank, and class maps of all classes
OF_RANKED = {"rank_networks", "compute_eval_metrics", "compare_networks", "plot_network_comparison"}
OF_RANKED |= {"compute_ensemble_gain", "plot_ensemble_gain", "plot_ranking", "compare_annotators", "plot_annotators"}
OF_CLASS_MAPS = {"compute_confusion_matrix", "compute_metrics", "plot_confusion", "plot_volume_fractions"}
OF_CLASS_MAPS |= {"compute_volume_fractions", "compute_tissue_fractions", "gather_volume_fractions"}
OF_HELD_OUT = {"score_held_out", "summarize_draws"}
OF_TARGETS = {"compute_overlap", "summarize_overlap"}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


def sparse_config():
    return runs.read_config(SPARSE)


def plan(project, tmp_path, config):
    return runs.dry_run(project, *runs.write_config(tmp_path / "config.yaml", config))


def only(config, name):
    """The configuration with one of its experiments and its ensemble."""
    config["experiments"] = [e for e in config["experiments"] if e["name"] == name]
    config["ensembles"] = [e for e in config["ensembles"] if e["name"] == name]
    config["prediction"]["full_volumes"] = [f for f in config["prediction"]["full_volumes"] if f["ensemble"] == name]
    return config


def without_ensembles(config):
    return {**config, "ensembles": [], "prediction": {"full_volumes": []}}


def with_eval(config):
    """A softmax network with an eval region beside the sigmoid one with held-out slices."""
    config["regions"][1] |= {"y": [0, 52]}
    eval_region = {"name": "eval", "volume": "subject1", "role": "eval", "y": [56, 108], "x": [0, 104]}
    config["regions"][0] |= {"y": [0, 52]}
    config["regions"].append({**eval_region, "labels": {"reference": "all"}})
    config["experiments"][1] |= {"regions": ["dense", "eval", "test"], "evaluate": "eval", "seeds": [1, 2]}
    config["experiments"][0] |= {"window": [1, 48, 48]}
    config["ensembles"][1] |= {"top_k": [1, 2]}
    return config


def evaluated_sigmoid(config):
    """Two targets, evaluated on an eval region: ranked, with one k and no class maps of all classes."""
    config = only(with_eval(config), "pair")
    config["experiments"][0] |= {"regions": None, "evaluate": "eval", "draw": None, "seeds": 2}
    config["regions"] = [r for r in config["regions"] if r["name"] != "dense"]
    return config


def two_volumes(config):
    """The sparse region once more in the other volume: draws are from both together."""
    labels = {**config["labels"][0], "name": "cells2", "volume": "subject2"}
    labels["path"] = labels["path"].replace("subject1", "subject2")
    config["labels"].append(labels)
    more = {"name": "sparse2", "volume": "subject2", "role": "train", "y": [0, 56], "labels": {"reference": "cells2"}}
    config["regions"].append(more)
    config["regions"][2] |= {"y": [56, 120]}
    config["experiments"][0] |= {"regions": ["sparse", "sparse2", "test"], "targets": ["cell"]}
    return config


def finer_labels(config):
    """Trained on a binned record of the stack, scored at full resolution."""
    config["volumes"][0]["alignment"] = {"method": "none"}  # each record would be aligned by itself
    config["volumes"].append({**config["volumes"][0], "name": "binned", "binning": [1, 2, 2]})
    config["labels"] += [
        {**record, "name": f"binned_{record['name']}", "volume": "binned"} for record in config["labels"][:2]
    ]
    region = {"name": "coarse", "volume": "binned", "role": "train"}
    config["regions"].append({**region, "labels": {"reference": ["binned_cells", "binned_mitochondria"]}})
    config["experiments"][0] |= {"regions": ["coarse"], "scored_on": "sparse", "window": [1, 32, 32]}
    return without_ensembles(only(config, "pair"))


def no_evaluation(config):
    config = only(config, "pair")
    config["experiments"][0] |= {"evaluate": "none", "draw": {"n_slices": "all"}}
    return config


def all_classes_by_sigmoid(config):
    """All classes as targets, every slice labelled: class maps are compared too."""
    config = only(config, "pair")
    config["experiments"][0] |= {"targets": None, "regions": ["dense", "test"], "draw": {"n_slices": 2}}
    return config


def composed(config):
    """Each target by a network of its own, the whole volume composed of both."""
    config = only(config, "pair")
    pair = config["experiments"][0]
    pair["training"]["foreground"]["target"] = None
    names = ("cell", "mitochondrion")
    config["experiments"] = [{**pair, "name": name, "targets": [name]} for name in names]
    config["ensembles"] = [{"name": name, "experiments": [name], "top_k": [2]} for name in names]
    jobs = [{"volume": "subject2", "ensemble": name, "probabilities": True} for name in names]
    return {**config, "prediction": {"stitch": "blend", "full_volumes": jobs}, "compositions": [{"name": "both", "ensembles": list(names)}]}  # fmt: skip


MATRIX = {
    # what the configuration is: (how it is made, rules that must run, rules that must not)
    "held-out targets and classes without evaluation": (
        lambda c: c,
        OF_CLASS_MAPS | OF_HELD_OUT | OF_TARGETS,
        OF_RANKED,
    ),
    "targets only": (
        lambda c: only(c, "pair"),
        OF_HELD_OUT | OF_TARGETS | {"predict_volume", "predict_region", "plot_segmentation"},
        OF_RANKED | OF_CLASS_MAPS | {"build_weight_map", "extract_labels"},
    ),
    "no ensemble": (
        lambda c: without_ensembles(only(c, "pair")),
        OF_HELD_OUT | {"draw_slices", "make_methods_text"},
        OF_RANKED | OF_CLASS_MAPS | OF_TARGETS | {"predict_region", "predict_volume", "choose_ensemble"},
    ),
    "classes only, not evaluated": (
        lambda c: only(c, "classes"),
        OF_CLASS_MAPS | {"choose_ensemble", "plot_segmentation"},
        OF_RANKED | OF_HELD_OUT | OF_TARGETS | {"draw_slices", "extract_targets"},
    ),
    "an eval region for one of two": (
        with_eval,
        (OF_RANKED | OF_CLASS_MAPS | OF_HELD_OUT | OF_TARGETS) - {"compare_annotators", "plot_annotators"},
        set(),
    ),
    "an eval region for targets": (
        evaluated_sigmoid,
        OF_TARGETS | {"rank_networks", "rank_candidates"},
        (OF_RANKED | OF_CLASS_MAPS | OF_HELD_OUT | {"draw_slices"}) - {"rank_networks"},
    ),
    "two volumes": (two_volumes, OF_HELD_OUT | {"draw_slices"}, OF_RANKED),
    "finer labels": (finer_labels, OF_HELD_OUT, OF_RANKED | OF_CLASS_MAPS | OF_TARGETS),
    "all slices, nothing scored": (
        no_evaluation,
        OF_TARGETS | {"draw_slices", "gather_slabs"},
        OF_HELD_OUT | OF_RANKED,
    ),
    "all classes by sigmoid": (all_classes_by_sigmoid, OF_CLASS_MAPS | OF_HELD_OUT | OF_TARGETS, OF_RANKED),
    "composed of two networks": (composed, OF_HELD_OUT | {"compose_classes"}, OF_RANKED | OF_CLASS_MAPS),
}


@pytest.mark.parametrize(("change", "asked", "not_asked"), MATRIX.values(), ids=MATRIX)
def test_what_has_members_is_asked_for_and_nothing_else(project, tmp_path, change, asked, not_asked):
    rules = runs.rules_of(plan(project, tmp_path, change(sparse_config())))
    assert asked - rules == set() and not_asked & rules == set()


def test_each_draw_trains_and_is_scored_and_a_grid_is_several_experiments(project):
    jobs = runs.dry_run(project, "--configfile", SPARSE)
    for rule in ("train_network", "score_held_out"):
        found = {job for job in jobs if job.startswith(f"{rule}/pair")}
        assert found == {f"{rule}/pair_n{n}_seed{seed}" for n in (2, 4) for seed in (1, 2)}
    assert {"draw_slices/pair_n2", "draw_slices/pair_n4"} <= jobs and "draw_slices/classes" not in jobs
    assert {"compute_overlap/test_reference_pair_n2", "predict_region/test_pair_n4"} <= jobs
    assert "compute_confusion_matrix/test_reference_classes" in jobs
    assert not [job for job in jobs if re.match(r"(compute_confusion_matrix|compute_tissue_fractions).*pair", job)]
    assert {job for job in jobs if job.startswith("extract_targets/")} >= {"extract_targets/sparse_reference_cell"}


def test_experiments_with_regions_read_only_these(project):
    shell = runs.snakemake(project, "--dry-run", "--configfile", SPARSE).stdout
    commands = {name: next(c for c in shell.split("\n") if f"train_network/{name}_seed1.log" in c and "python" in c) for name in ("pair_n2", "classes")}  # fmt: skip
    assert "regions/sparse/" in commands["pair_n2"] and "regions/dense/" not in commands["pair_n2"]
    assert "regions/dense/" in commands["classes"] and "regions/sparse/" not in commands["classes"]
    assert "--draw" in commands["pair_n2"] and "--draw" not in commands["classes"]
    assert "eval-" not in commands["pair_n2"] and "--train-targets" in commands["pair_n2"]


def test_a_scaled_run_keeps_the_first_draws_and_an_ensemble_of_them(project, tmp_path):
    config = sparse_config()
    config["experiments"][0]["seeds"] = 10
    config["ensembles"][0]["top_k"] = [10]
    jobs = plan(project, tmp_path, {**config, "seeds_scale": 0.3})
    assert {job for job in jobs if job.startswith("train_network/pair_n2")} == {
        f"train_network/pair_n2_seed{seed}" for seed in (1, 2, 3)
    }
    assert {"build_ensemble/pair_n2_top3", "choose_ensemble/pair_n4"} <= jobs


def test_the_plan_tells_every_experiment_of_a_grid(project, tmp_path):
    config = {**sparse_config(), "seeds_scale": 0.5}
    code, output = runs.dry_run_output(project, *runs.write_config(tmp_path / "config.yaml", config))
    assert code == 0 and re.search(r"pair_n2 +resunet +1 ", output) and re.search(r"pair_n4 +resunet +1 ", output)
    assert "seeds_scale 0.5 keeps seeds: pair_n2 1 of 2, pair_n4 1 of 2, classes 1 of 1." in output
    assert re.search(r"sparse +\d+ ", output) and "k = 2 of pair" in output


def test_paper_figures_are_no_target_without_ranked_ensembles(project):
    code, output = runs.dry_run_output(project, "paper_figures", "--configfile", SPARSE)
    assert code != 0 and "paper_figures" in output
