"""What reads the rules and starts the jobs needs Snakemake and the standard library, and nothing that computes."""

import re
import sys
from importlib.metadata import packages_distributions

import distributions
import environments
import pytest

RULES = distributions.REPO / "workflow" / "rules"
OPTIONAL = {"headers.py": {"tifffile"}}  # headers of TIFF are read in a dry run where it is there
SOURCES = sorted([*RULES.glob("*.py"), *RULES.glob("*.smk"), distributions.REPO / "workflow" / "Snakefile"])
IMPORT = re.compile(r"(?m)^\s*(?:import|from) +([A-Za-z_]\w*)")


def imported(path):
    """First parts of the modules that a file imports; of a rule file, those that begin a line, in whatever language."""
    return (
        environments.imported_names(path.read_text()) if path.suffix == ".py" else set(IMPORT.findall(path.read_text()))
    )


@pytest.fixture(scope="module")
def brought_along():
    """What can be imported where only Snakemake is installed: names of modules."""
    of_snakemake, holders = distributions.closure(["snakemake"]), packages_distributions()
    modules = {m for m, names in holders.items() if of_snakemake & {distributions.normalized(n) for n in names}}
    return modules | set(sys.stdlib_module_names) | {path.stem for path in RULES.glob("*.py")}


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.name)
def test_rules_import_the_standard_library_and_what_comes_with_snakemake(path, brought_along):
    assert imported(path) - brought_along - OPTIONAL.get(path.name, set()) == set()


def test_snakemake_brings_what_the_rules_need_and_nothing_that_computes():
    found = distributions.closure(["snakemake"])
    assert {"jsonschema", "pyyaml"} <= found and not {"numpy", "pandas", "tifffile", "torch"} & found
    held = {distributions.conda_name(name) for name in found}
    assert set(environments.packages(environments.STARTING)) - held == {"python", "pygments"}
