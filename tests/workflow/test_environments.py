"""The conda environments hold the versions of requirements.txt, and all that the scripts of their rules import."""

import ast
import re
import sys
from pathlib import Path

import pytest
import yaml

import code_hash

REPO = Path(__file__).resolve().parents[2]
SCRIPTS = REPO / "workflow" / "scripts"
ENVIRONMENTS = sorted(p.stem for p in (REPO / "envs").glob("*.yaml"))
CONDA_NAMES = {"torch": "pytorch"}  # PyPI -> conda-forge, where they differ
DISTRIBUTIONS = {
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "cv2": "opencv",
    "imageio_ffmpeg": "imageio-ffmpeg",
}  # imported name -> PyPI, where they differ


def pins():
    """Conda-forge name -> version of every line of requirements.txt."""
    lines = [line.split("#")[0].strip() for line in (REPO / "requirements.txt").read_text().splitlines()]
    pairs = [line.split("==") for line in lines if line]
    assert all(len(pair) == 2 for pair in pairs), "every line of requirements.txt pins one version with =="
    return {CONDA_NAMES.get(name, name): version for name, version in pairs}


def environment(name):
    """Package -> version of an environment file, Python left out."""
    content = yaml.safe_load((REPO / "envs" / f"{name}.yaml").read_text())
    assert content["channels"] == ["conda-forge"]
    found = dict(line.split("=") for line in content["dependencies"])
    assert found.pop("python") == "3.11"
    return found


def rules():
    """(rule, environment, script) of every rule that runs a script."""
    found = []
    for path in sorted((REPO / "workflow" / "rules").glob("*.smk")):
        for block in re.split(r"(?m)^rule ", path.read_text())[1:]:
            name = block.split(":")[0]
            env = re.search(r'conda:\s*"\.\./\.\./envs/(\w+)\.yaml"', block)
            scripts = re.findall(r"\{SCRIPTS\}/(\w+)\.py", block)
            if scripts:
                found.append((name, env and env[1], scripts[0]))
    return found


def third_party(script):
    """Packages from elsewhere (conda-forge names) that a script and its project modules import."""
    table = ast.parse((SCRIPTS / "densecell" / "networks" / "__init__.py").read_text())
    networks = next(ast.literal_eval(n.value) for n in table.body if isinstance(n, ast.Assign))
    names = set()
    for file in code_hash.files_of(script, SCRIPTS, tuple(networks)):
        for node in ast.walk(ast.parse((SCRIPTS / file).read_text())):
            if isinstance(node, ast.Import):
                names |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names.add(node.module.split(".")[0])
    own = {p.stem for p in SCRIPTS.iterdir()}
    distributions = {DISTRIBUTIONS.get(n, n) for n in names - own - set(sys.stdlib_module_names)}
    return {CONDA_NAMES.get(n, n) for n in distributions}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_versions_are_those_of_requirements(name):
    wanted, found = pins(), environment(name)
    assert found == {package: wanted.get(package) for package in found}


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environment_holds_what_its_scripts_import(name):
    used = {script for _, env, script in rules() if env == name and (SCRIPTS / f"{script}.py").exists()}
    assert used, f"no rule uses envs/{name}.yaml"
    missing = {script: sorted(third_party(script) - set(environment(name))) for script in sorted(used)}
    assert not {script: packages for script, packages in missing.items() if packages}


def test_every_script_rule_names_an_environment():
    assert [rule for rule, env, _ in rules() if env not in ENVIRONMENTS] == []


def test_scripts_outside_rules_import_only_pinned_packages():
    everything = set().union(*(third_party(p.stem) for p in SCRIPTS.glob("*.py")))
    assert everything <= set(pins())


def test_only_the_torch_environment_holds_torch():
    assert [name for name in ENVIRONMENTS if "pytorch" in environment(name)] == ["torch"]
