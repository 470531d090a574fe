"""For tests of environments: the project's pins, their conda names, and what the running environment has installed."""

import re
from importlib.metadata import distribution
from pathlib import Path

from packaging.requirements import Requirement

REPO = Path(__file__).resolve().parents[1]
# PyPI -> conda, where they differ. On conda-forge matplotlib adds Qt, seaborn adds statsmodels and vtk adds ffmpeg to
# what the -base packages hold; on Bioconda snakemake adds pandas and Graphviz.
CONDA_NAMES = {
    "torch": "pytorch",
    "matplotlib": "matplotlib-base",
    "seaborn": "seaborn-base",
    "vtk": "vtk-base",
    "snakemake": "snakemake-minimal",
    "opencv-python-headless": "py-opencv",
}


def normalized(name):
    """A distribution's name in the one way of writing it that registries compare: lower case, hyphens."""
    return re.sub(r"[-_.]+", "-", name).lower()


def conda_name(name):
    """The conda package that holds the distribution `name` of PyPI."""
    return CONDA_NAMES.get(normalized(name), normalized(name))


def conda_version(name, version):
    """conda's version of a distribution: that of OpenCV's wheels has the number of their build as a fourth part."""
    return version.rpartition(".")[0] if normalized(name) == "opencv-python-headless" else version


def pins(requirements="requirements.txt"):
    """{distribution: version} of every line of a requirements file; -r lines are left out."""
    lines = [line.split("#")[0].strip() for line in (REPO / requirements).read_text().splitlines()]
    pairs = [line.split("==") for line in lines if line and not line.startswith("-r ")]
    assert all(len(pair) == 2 for pair in pairs), f"every line of {requirements} pins one version with =="
    return dict(pairs)


def required_by(name):
    """Distributions that the installed distribution `name` itself requires on this machine, extras left out."""
    found = [Requirement(line) for line in distribution(name).requires or []]
    return sorted({normalized(r.name) for r in found if r.marker is None or r.marker.evaluate({"extra": ""})})


def closure(names):
    """`names` and everything they require, transitively: a set of normalized names."""
    found, open_ones = set(), {normalized(name) for name in names}
    while open_ones:
        name = open_ones.pop()
        found.add(name)
        open_ones |= set(required_by(name)) - found
    return found


def public_version(name):
    """The installed version without a local part: 2.13.0 of 2.13.0+cpu."""
    return distribution(name).version.split("+")[0]
