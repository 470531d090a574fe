"""`snakemake --use-conda`: the tiny run through environments that are solved and installed from an offline channel.

Shown: the wiring, that each environment is complete, and that jobs take their packages from it and from nowhere else. Not
shown: that conda-forge and Bioconda carry these versions, and that their builds compute the same.
"""

import re
import shutil
import sys

import environments
import installation
import pytest
import workflow_runs as runs
import yaml

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.version_info[:2] != (3, 11), reason="the channel holds the running Python; envs/ name Python 3.11"
    ),
]
RENDERING = {"renderings": [{"region": "test", "ensembles": []}]}


@pytest.fixture(scope="module")
def conda(tmp_path_factory):
    root = tmp_path_factory.mktemp("conda")
    yield installation.Installation(root)
    shutil.rmtree(root)  # 3 GB


@pytest.fixture(scope="module")
def conda_run(conda, finished_run):
    """(folder, output) of the tiny run with --use-conda, started from an environment that holds only Snakemake."""
    folder = conda.root / "project"
    shutil.copytree(finished_run, folder, ignore=shutil.ignore_patterns("results", ".snakemake", "__pycache__"))
    done = conda.snakemake(folder, *runs.TINY)
    assert done.returncode == 0, done.stdout
    return folder, done.stdout


def test_the_starting_environment_holds_only_snakemake(conda):
    science = {p for name in environments.OF_RULES for p in environments.packages(name)} - {"python", "pyyaml"}
    assert {"numpy", "tifffile", "pytorch"} <= science and not science & set(installation.installed(conda.coordinator))
    asked = "import importlib.util as u; print([n for n in ('torch', 'tifffile', 'zarr') if u.find_spec(n)])"
    assert conda.run("python", "-c", asked).stdout == "[]\n"
    assert "home of the user" in conda.run("python", "-c", "import numpy").stdout  # the trap is set


def test_results_are_those_of_the_run_without_conda(conda_run, finished_run):
    folder, _ = conda_run
    found, expected = (runs.compared_results(path / "results/tiny") for path in (folder, finished_run))
    assert len(expected) > 300 and found.keys() == expected.keys()
    assert {name for name in expected if found[name] != expected[name]} == set()


def test_each_environment_was_made_once_and_holds_what_its_file_says(conda_run, conda):
    folder, output = conda_run
    made = re.findall(r"Creating conda environment \S*envs/(\w+)\.yaml", output)
    assert sorted(made) == ["imaging", "report", "torch"]  # rendering is for other targets
    files = {(folder / f"envs/{name}.yaml").read_text(): name for name in made}
    for file in (folder / ".snakemake/conda").glob("*.yaml"):
        found, wanted = installation.installed(file.with_suffix("")), environments.packages(files[file.read_text()])
        assert found.pop("python").startswith(wanted.pop("python") + ".")
        assert wanted.items() <= found.items() <= conda.packed.items()
        assert ("pytorch" in found) == ("pytorch" in wanted) and "vtk-base" not in found


def test_the_same_run_again_has_nothing_to_do(conda_run, conda):
    folder, _ = conda_run
    again = conda.snakemake(folder, *runs.TINY)
    assert again.returncode == 0 and "Nothing to be done" in again.stdout, again.stdout


def test_without_conda_only_the_trigger_for_environments_asks_for_a_rerun(conda_run):
    folder, _ = conda_run
    assert "train_network/hybrid_seed1" in runs.dry_run(folder, *runs.TINY)
    assert runs.dry_run(folder, *runs.TINY, "--rerun-triggers", "code", "input", "mtime", "params") == set()


def test_surfaces_are_rendered_in_an_environment_that_was_made_beforehand(conda_run, conda):
    folder, _ = conda_run
    (folder / "rendering.yaml").write_text(yaml.safe_dump(RENDERING))
    made = conda.snakemake(folder, "renderings", "--conda-create-envs-only", *runs.TINY, "rendering.yaml")
    assert re.findall(r"Creating conda environment \S*envs/(\w+)\.yaml", made.stdout) == ["rendering"], made.stdout
    done = conda.snakemake(folder, "renderings", *runs.TINY, "rendering.yaml")
    assert done.returncode == 0 and "Creating conda environment" not in done.stdout, done.stdout
    assert len(list((folder / "results/tiny/renderings").rglob("*.png"))) > 1


@pytest.mark.parametrize("name", environments.OF_RULES)
def test_every_script_starts_in_its_environment(name, conda, tmp_path):
    """Also those that the tiny run leaves out, with all networks: what they import is there."""
    modules = sorted({rule.script for rule in environments.rules() if rule.environment == name})
    if name == "torch":
        modules += sorted({f"densecell.networks.{module}" for module, _ in environments.networks().values()})
    conda.create(name, tmp_path / name)
    start = f"import sys; sys.path.insert(0, {str(environments.SCRIPTS)!r}); import {', '.join(modules)}"
    done = conda.run(tmp_path / name / "bin/python", "-s", "-c", start)
    shutil.rmtree(tmp_path / name)
    assert done.returncode == 0, done.stdout


def test_a_package_that_an_environment_lacks_is_missing_in_its_jobs(conda_run, conda):
    folder, _ = conda_run
    file = folder / "envs/report.yaml"
    with runs.replaced(file, re.sub(r"(?m)^  - seaborn-base.*\n", "", file.read_text()).encode()):
        figure = "results/tiny/figures/ranking.png"
        done = conda.snakemake(folder, "--forcerun", "plot_ranking", *runs.TINY, "--", figure)
    assert done.returncode and "No module named 'seaborn'" in done.stdout, done.stdout
