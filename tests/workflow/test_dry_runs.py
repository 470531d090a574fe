"""Every ready configuration and every branch of the rules gives a complete plan, and a wrong one gives none."""

import json
import re

import numpy as np
import pytest
import tifffile
import workflow_runs as runs

SHARED = runs.REPO.parent / "shared" / "data"
PHANTOM_JOB = re.compile(r"make_phantom|subject[12]")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return runs.copy_project(tmp_path_factory.mktemp("project"))


def trainings(config):
    seeds = {
        e["name"]: e["seeds"] if isinstance(e["seeds"], list) else range(1, e["seeds"] + 1)
        for e in config["experiments"]
    }
    return {f"train_network/{name}_seed{seed}" for name in seeds for seed in seeds[name]}


def trained(jobs):
    return {job for job in jobs if job.startswith("train_network/")}


# --------------------------------------------------------------------------------------- ready configurations
def test_default_configuration_trains_what_it_names(project):
    assert trained(runs.dry_run(project)) == trainings(runs.read_config())


def test_every_rule_is_planned_by_a_ready_configuration(project, tmp_path):
    """By the default, by all targets of the paper on the phantom, by the platelets with the released weights, or by the tumors."""
    released = {"name": "released", "path": "{data_root}/platelet/train-error-weights.tif", "axes": "zyx"}
    platelet = runs.read_config("config/platelet.yaml")
    runs.edit(platelet, "weight_maps", [*platelet["weight_maps"], released])
    jobs = runs.dry_run(project, "all", "renderings", "videos")
    jobs |= runs.dry_run(
        project, *runs.TARGETS, "--configfile", "config/phantom_paper.yaml", "--config", "seeds_scale=0.2"
    )
    arguments = runs.write_config(tmp_path / "platelet.yaml", {**platelet, "seeds_scale": 0.01})
    jobs |= runs.dry_run(project, *arguments)
    for name in ("fibsem", "fibsem_cells", "fibsem_context", "fibsem_networks"):
        jobs |= runs.dry_run(project, "--configfile", f"config/{name}.yaml")
    assert runs.rules_of(jobs) | {runs.LAST} == {block.id for block in rule_blocks()}


def test_tiny_configuration_plans_every_rule_too(project):
    jobs = runs.dry_run(project, *runs.TINY)
    assert runs.rules_of(jobs) == runs.rules_of(runs.dry_run(project))
    assert trained(jobs) == trainings(runs.read_config("tests/workflow/tiny.yaml"))


def test_vnc_configuration_plans_no_phantom(project):
    if not (SHARED / "vnc").exists():
        pytest.skip(f"needs the EM stacks in {SHARED}")
    jobs = runs.dry_run(project, "--configfile", "config/vnc.yaml", "--config", f"data_root={SHARED}")
    assert not [job for job in jobs if PHANTOM_JOB.search(job)]
    assert trained(jobs) == trainings(runs.read_config("config/vnc.yaml"))
    assert "export_tiff/stack2_hybrid" in jobs and "predict_region/test_unet" in jobs


def test_template_with_files_of_ones_own_plans_no_phantom(project, tmp_path):
    for folder in ("raw", "labels"):
        (tmp_path / folder).mkdir()
        for z in range(40):
            tifffile.imwrite(tmp_path / folder / f"{z:03d}.tif", np.zeros((200, 200), np.uint8))
    arguments = ("--configfile", "config/template.yaml", "--config", f"data_root={tmp_path}")
    jobs = runs.dry_run(project, *arguments)
    assert not [job for job in jobs if PHANTOM_JOB.search(job)]
    assert trained(jobs) == trainings(runs.read_config("config/template.yaml"))
    assert {"import_volume/stack", "align_labels/stack_stack_labels", "plot_segmentation/test"} <= jobs


# ----------------------------------------------------------------------------------------- branches of the rules


BRANCHES = {
    "no whole volumes": ({"prediction.full_volumes": [], "instances": []}, {"choose_ensemble/unet"}),
    "members of two experiments": (
        {"ensembles[1]": {"name": "mixed", "experiments": ["hybrid", "unet"], "top_k": [1, 3]}},
        {"build_ensemble/mixed_top3", "predict_region/test_mixed"},
    ),
    "a k that leaves candidates out": ({"ensembles[0].top_k": [1]}, {"list_candidates/hybrid"}),
    "random ensembles": (
        {"experiments[0].seeds": 3, "ensembles[0].random_draws": 5},
        {"train_network/hybrid_seed3", "list_candidates/hybrid"},
    ),
    "one network is an ensemble": (
        {"experiments[0].seeds": [7], "ensembles[0].top_k": [1]},
        {"train_network/hybrid_seed7"},
    ),
    "annotators without a reference": (
        {"regions[3].labels": {"annotator_1": "subject2_truth", "annotator_2": "subject2_annotator_1"}},
        {"compute_confusion_matrix/compare_annotator_2_annotation"},
    ),
    "no test region": ({"regions[2].role": "eval", "regions[2].mask": "none"}, {"plot_segmentation/test"}),
    "two eval regions": (
        {"regions[2].role": "eval"},
        {"compute_confusion_matrix/test_reference_hybrid", "compute_eval_metrics/hybrid"},
    ),
    "volume statistics": (
        {"normalization": {"method": "percentile", "scope": "volume", "context": [1, 8, 8]}},
        {"measure_intensity/subject1"},
    ),
    "even slices": (
        {"normalization": {"slices": "match", "scope": "volume"}, "volumes[0].padding": 0},
        {"correct_intensity/subject1", "plot_intensity/subject2", "measure_intensity/subject2"},
    ),
    "no alignment": ({"volumes[0].alignment.method": "none"}, {"align_volume/subject1", "plot_alignment/subject2"}),
    "no known drift": ({"volumes[0].truth": None}, {"align_volume/subject1"}),
    "another weight map": ({"experiments[0].weight_map": "paper"}, {"build_weight_map/paper_train"}),
    "everything kept": (
        {"prediction.full_volumes[0].probabilities": True, "prediction.full_volumes[0].tiff": False},
        {"plot_volume/subject2_hybrid"},
    ),
    "graphics card": ({"device": "cuda"}, {"train_network/hybrid_seed1"}),
}


@pytest.mark.parametrize(("changes", "expected"), BRANCHES.values(), ids=BRANCHES)
def test_branches_of_the_rules_plan_a_complete_run(project, tmp_path, changes, expected):
    config = runs.read_config("tests/workflow/tiny.yaml")
    for key, value in changes.items():
        runs.edit(config, key, value)
    jobs = runs.dry_run(project, *runs.write_config(tmp_path / "config.yaml", config))
    assert expected <= jobs
    assert trained(jobs) == trainings(config)


def test_random_ensembles_are_different_sets_of_the_single_networks_in_eval_and_test_only(project, tmp_path):
    config = runs.read_config("tests/workflow/tiny.yaml")
    for key, value in {"seeds": 5}.items():
        runs.edit(config, f"experiments[0].{key}", value)
    runs.edit(config, "ensembles[0]", {**config["ensembles"][0], "top_k": [1, 2], "n_singles": 3, "random_draws": 9})
    arguments = runs.write_config(tmp_path / "config.yaml", config)
    shell = runs.snakemake(project, "--dry-run", *arguments).stdout
    lines = {region: next(line for line in shell.splitlines() if f"predict_region/{region}_hybrid.log" in line and "--sets" in line) for region in ("eval", "compare")}  # fmt: skip
    sets = json.loads(re.search(r"--sets '?(\S.*?)'? --set-labels", lines["eval"])[1])
    assert sorted(sorted(seed for _, seed in members) for members in sets) == [[1, 2], [1, 3], [2, 3]]
    assert re.findall(r"random\d+_\d+", lines["eval"]) == ["random2_1", "random2_2", "random2_3"]
    assert "random" not in lines["compare"] and "--sets '[]'" in lines["compare"]
    assert re.findall(r"/seed(\d)\.ome", lines["eval"]) == ["1", "2", "3"]


# ------------------------------------------------------------------------------------------- what every rule has
def rule_blocks():
    """The text of each rule, with its name as the test's."""
    blocks = []
    for path in sorted((runs.REPO / "workflow/rules").glob("*.smk")):
        for block in re.split(r"(?m)^rule ", path.read_text())[1:]:
            # a rule ends where a line without indentation begins
            name, text = block.split(":", 1)
            text = re.split(r"(?m)^(?=\S)", text)[0]
            if "    output:" in text or name not in runs.TARGETS:
                blocks.append(pytest.param(text, id=name))
    return blocks


@pytest.mark.parametrize("block", rule_blocks())
def test_every_rule_has_a_log_a_message_an_environment_and_tracked_code(block):
    for key in ("output", "log", "conda", "message", "params", "shell"):
        assert re.search(rf"(?m)^    {key}:", block), key
    assert "code=" in block and "--code-hash {params.code:q}" in block and "tee {log:q}" in block


@pytest.mark.parametrize("block", rule_blocks())
def test_params_made_from_inputs_or_outputs_read_no_configuration(block):
    # Snakemake does not compare such params with those of the last run; names of files may come from elsewhere
    for line in re.findall(r"(?m)^        \w+=lambda w, (?:input|output): (.*)$", block):
        assert "config[" not in line and "FULL[" not in line, line


# ------------------------------------------------------------------------------------------- wrong configurations
MISTAKES = {
    "misspelled keys": (
        {"experiments[0].learning_rat": 1, "figures.dpy": 100},
        ["2 problems", "experiments[0].learning_rat", "Did you mean 'dpi'?"],
    ),
    "wrong type": ({"figures.dpi": "high"}, ["1 problem.", "figures.dpi", "high"]),
    "unknown name": ({"regions[0].volume": "subject3"}, ["regions[0].volume", "subject3", "subject1"]),
    "missing file": ({"volumes[0].path": "nowhere/image.tif"}, ["volumes[0].path", "nowhere/image.tif"]),
    "overlap of train and eval": ({"regions[1].y": [40, 100]}, ["regions[1]", "overlaps 'train'"]),
    "window the network can't take": (
        {"experiments[1].window": [1, 240, 236]},
        ["experiments[1].window", "236 or 252"],
    ),
    "no ensemble": (
        {"ensembles": [], "prediction.full_volumes": [], "instances": []},
        ["1 problem.", "ensembles", "0 entries"],
    ),
    "too few runs": ({"ensembles[0].top_k": [1, 3]}, ["ensembles[0].top_k", "at most 2"]),
}


@pytest.mark.parametrize(("changes", "told"), MISTAKES.values(), ids=MISTAKES)
def test_a_wrong_configuration_stops_before_anything_is_planned(project, tmp_path, changes, told):
    config = runs.read_config("tests/workflow/tiny.yaml")
    for key, value in changes.items():
        runs.edit(config, key, value)
    code, output = runs.dry_run_output(project, *runs.write_config(tmp_path / "config.yaml", config))
    assert code != 0
    assert [text for text in told if text not in output] == [], output
    assert "Traceback" not in output and not runs.JOB.findall(output)


def test_a_misspelled_key_on_the_command_line_is_told_too(project):
    code, output = runs.dry_run_output(project, *runs.TINY, "--config", "devise=cpu")
    assert code != 0 and "Did you mean 'device'?" in output
