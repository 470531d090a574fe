"""The conda environments: the tested versions, all that their rules' code imports, and nothing else."""

import re

import distributions
import environments
import pytest
import rattler
import yaml

# in an environment of rules without being imported there
IMPLICIT = {"rendering": {"vtk-base": "pyvista draws with it, and the pictures depend on its version"}}
# a small project in which each way of importing occurs once
PROJECT = {
    "train.py": "import json\nimport shared\nfrom densecell import io\nimport densecell.networks\n",
    "shared.py": "def now():\n    import numpy.linalg\n    return numpy\n",
    "unused.py": "import vtk\n",
    "densecell/__init__.py": "",
    "densecell/io.py": "if True:\n    from skimage.measure import label\ntry:\n    import yaml\nexcept ImportError:\n    yaml = None\n",
    "densecell/networks/__init__.py": 'NETWORKS = {"a": ("net_a", "A")}\n',
    "densecell/networks/net_a.py": "from torch import nn\n",
}


def pinned():
    """{conda package: version} of requirements.txt."""
    pins = distributions.pins().items()
    return {distributions.conda_name(name): distributions.conda_version(name, version) for name, version in pins}


# ---------------------------------------------------------------------------------------------------------- versions
@pytest.mark.parametrize("file", environments.FILES, ids=lambda file: file.stem)
def test_every_line_is_a_specification_that_conda_reads(file):
    content = yaml.safe_load(file.read_text())
    assert content.keys() == {"channels", "dependencies"}
    assert content["channels"] == ["conda-forge", "bioconda"][: 1 + (file.stem == environments.STARTING)]
    for line in content["dependencies"]:
        spec = rattler.MatchSpec(line, strict=True)
        assert line == f"{spec.name.normalized}={line.split('=')[1]}" and str(spec.version) == f"{line.split('=')[1]}.*"


@pytest.mark.parametrize("file", environments.FILES, ids=lambda file: file.stem)
def test_versions_are_those_of_requirements(file):
    found = environments.packages(file.stem)
    assert found.pop("python") == "3.11"
    assert found == {package: pinned().get(package) for package in found}


def test_every_version_of_requirements_is_in_an_environment():
    everywhere = set().union(*(environments.packages(file.stem) for file in environments.FILES))
    assert set(pinned()) - everywhere == set(environments.IN_NONE)


def test_the_names_that_differ_are_names_of_requirements():
    assert set(distributions.CONDA_NAMES) <= set(distributions.pins())
    assert not set(distributions.CONDA_NAMES.values()) & set(distributions.pins())


def test_the_running_versions_are_the_pinned_ones():
    assert {name: distributions.public_version(name) for name in distributions.pins()} == distributions.pins()


# ----------------------------------------------------------------------------------------------------------- imports
@pytest.mark.parametrize("name", environments.OF_RULES)
def test_environment_holds_what_its_scripts_import_and_nothing_else(name):
    scripts = sorted({rule.script for rule in environments.rules() if rule.environment == name})
    assert scripts, f"no rule uses envs/{name}.yaml"
    imported = {package: script for script in scripts for package in environments.third_party(script)}
    held = set(environments.packages(name)) - {"python"}
    missing = {package: script for package, script in imported.items() if package not in held}
    assert missing == {}, f"not in envs/{name}.yaml, but imported"
    assert held - set(imported) == set(IMPLICIT.get(name, {})), f"in envs/{name}.yaml, but not imported"


def test_every_rule_that_runs_a_script_names_an_environment():
    assert len(environments.rules()) > 40
    assert [rule for rule in environments.rules() if rule.environment not in environments.OF_RULES] == []


def test_scripts_outside_rules_import_only_pinned_packages():
    everything = set().union(*(environments.third_party(p.stem) for p in environments.SCRIPTS.glob("*.py")))
    of_rules = {distributions.conda_name(p.stem) for p in (distributions.REPO / "workflow" / "rules").glob("*.py")}
    assert everything - of_rules <= set(pinned())


@pytest.mark.parametrize(("package", "name"), [("pytorch", "torch"), ("vtk-base", "rendering")])
def test_the_largest_packages_are_in_one_environment(package, name):
    assert [n for n in environments.OF_RULES if package in environments.packages(n)] == [name]


def test_packages_are_loaded_by_name_in_the_table_of_networks_only():
    found = {
        path.relative_to(environments.SCRIPTS).as_posix()
        for path in environments.SCRIPTS.rglob("*.py")
        if re.search(r"import_module|__import__|runpy|exec\(", path.read_text())
    }
    assert found == {"densecell/networks/__init__.py"}


@pytest.mark.parametrize(
    ("file", "package"),
    [
        ("shared.py", "numpy"),  # within a function
        ("densecell/io.py", "scikit-image"),  # within an if; another name than the distribution's
        ("densecell/io.py", "pyyaml"),  # within a try
        ("densecell/networks/net_a.py", "pytorch"),  # by name, through the table of networks
    ],
)
def test_an_import_is_found_wherever_it_stands(file, package, tmp_path):
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("" if name == file else text)
    without = environments.third_party("train", tmp_path)
    (tmp_path / file).write_text(PROJECT[file])
    environments.code_hash._parse.cache_clear()
    found = environments.third_party("train", tmp_path)
    assert package in found - without and "vtk-base" not in found
