"""The profiles: rules they name exist, GPU jobs ask for what the device says, and run as many at a time as there are GPUs."""

import re
import subprocess
import sys
from itertools import accumulate

import pytest
import workflow_runs as runs
import yaml

PROFILES = runs.REPO / "profiles"
GPU_RULES = {"train_network", "record_training", "predict_region", "predict_volume", "predict_probabilities"}
DEVICE = re.compile(r"--device (\w+)")
# four jobs that note when they begin and end; the first waits, a minute at most, until as many as are expected have begun
JOBS = """
rule all:
    input: [f"{i}.txt" for i in range(4)]
rule work:
    output: "{i}.txt"
    resources: gpu=1
    shell:
        "echo + >> order; for _ in $(seq 600); do [ $(grep -c + order) -lt {config[at_once]} ] || break; sleep 0.1; done; "
        "sleep 1; echo - >> order; touch {output}"
"""


@pytest.fixture(scope="module")
def slurm_profile():
    return yaml.safe_load((PROFILES / "slurm/config.yaml").read_text())


@pytest.fixture(scope="module")
def rules(tmp_path_factory):
    """Names of all rules, and of those that run where Snakemake does."""
    folder = runs.copy_project(tmp_path_factory.mktemp("rules"))
    listed = runs.snakemake(folder, "--list-rules").stdout.split()
    texts = [path.read_text() for path in (runs.REPO / "workflow/rules").glob("*.smk")]
    blocks = [block for text in texts for block in re.split(r"(?m)^rule ", text)[1:]]
    local = {block.split(":")[0] for block in blocks if "    localrule: True\n" in block}
    return set(listed), local


def test_rules_that_the_slurm_profile_names_exist_and_are_not_local(slurm_profile, rules):
    listed, local = rules
    assert len(local) > 10
    named = {*slurm_profile["set-resources"], *slurm_profile["groups"], *local}
    assert named - listed == set()
    assert local & {*slurm_profile["set-resources"], *slurm_profile["groups"]} == set()


def test_gpu_rules_have_memory_and_time_of_their_own_and_no_group(slurm_profile):
    for rule in GPU_RULES:
        assert {"mem_mb", "runtime"} <= slurm_profile["set-resources"][rule].keys()
    assert GPU_RULES & slurm_profile["groups"].keys() == set()
    assert set(slurm_profile["groups"].values()) == slurm_profile["group-components"].keys()


@pytest.mark.parametrize(
    "arguments, device",
    [
        (["--workflow-profile", "profiles/slurm"], "cuda"),
        (["--workflow-profile", "profiles/slurm", "--config", "device=cpu"], "cpu"),
        (["--workflow-profile", "profiles/slurm", "--config", "results_dir=elsewhere"], "cuda"),
        (["--workflow-profile", "profiles/gpu"], "auto"),
        (["--jobs", "4"], "auto"),
    ],
)
def test_auto_is_what_the_profile_says_and_elsewhere_what_there_is(tmp_path, arguments, device):
    folder = runs.copy_project(tmp_path)
    code, output = runs.dry_run_output(folder, *runs.TINY, *arguments)
    assert code == 0, output
    assert set(DEVICE.findall(output)) == {device}


@pytest.mark.slow
@pytest.mark.parametrize("profile, at_once", [("default", 1), ("gpu", 2)])
def test_as_many_gpu_jobs_run_at_a_time_as_the_profile_says(tmp_path, profile, at_once):
    (tmp_path / "Snakefile").write_text(JOBS)
    command = [sys.executable, "-m", "snakemake", "--cores", "4", "--workflow-profile", PROFILES / profile]
    command += ["--config", f"at_once={at_once}"]
    subprocess.run(command, cwd=tmp_path, env=runs.environment(), check=True, capture_output=True)
    changes = [{"+": 1, "-": -1}[sign] for sign in (tmp_path / "order").read_text().split()]
    assert len(changes) == 8 and max(accumulate(changes)) == at_once
