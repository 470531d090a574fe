"""For tests of environments: which rule runs in which, what its code imports, and what the environment files hold."""

import ast
import re
import sys
from pathlib import Path
from typing import NamedTuple

import distributions
import yaml

import code_hash

SCRIPTS = distributions.REPO / "workflow" / "scripts"
FILES = sorted((distributions.REPO / "envs").glob("*.yaml"))
STARTING = "snakemake"  # the environment that Snakemake itself runs in; no rule does
OF_RULES = [path.stem for path in FILES if path.stem != STARTING]
IN_NONE = {  # pinned for users, in no environment
    "snakemake-executor-plugin-slurm": "clusters only; brings NumPy and pandas to where no rule runs",
    "rocrate": "for ./run.sh crate, which no rule runs",
}
IMPORTED = {
    "skimage": "scikit-image",
    "yaml": "pyyaml",
    "cv2": "opencv-python-headless",
}  # imported name -> distribution, where they differ


class Rule(NamedTuple):
    name: str
    environment: str
    script: str


def rules():
    """Every rule with each script that it runs; the environment is None where it names none."""
    found = []
    for path in sorted((distributions.REPO / "workflow" / "rules").glob("*.smk")):
        for block in re.split(r"(?m)^rule ", path.read_text())[1:]:
            named = re.search(r'conda:\s*"\.\./\.\./envs/(\w+)\.yaml"', block)
            for script in dict.fromkeys(re.findall(r"\{SCRIPTS(?::q)?\}/(\w+)\.py", block)):
                found.append(Rule(block.split(":")[0], named and named[1], script))
    return found


def packages(name):
    """{package: version} of envs/<name>.yaml, each line `package=version`."""
    content = yaml.safe_load((distributions.REPO / "envs" / f"{name}.yaml").read_text())
    return dict(line.split("=") for line in content["dependencies"])


def networks(root=SCRIPTS):
    """The table of networks, {name: (module, class)}, whose modules are loaded by name."""
    tree = ast.parse((Path(root) / "densecell" / "networks" / "__init__.py").read_text())
    tables = [n for n in tree.body if isinstance(n, ast.Assign) and n.targets[0].id == code_hash.TABLE]
    return ast.literal_eval(tables[0].value)


def imported_names(text):
    """First parts of the absolute imports of a module, those within functions and conditions included."""
    names = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names


def third_party(script, root=SCRIPTS):
    """Conda packages that a script and all project modules it imports need, all networks included."""
    files = code_hash.files_of(script, root, tuple(networks(root)))
    names = set().union(*(imported_names((Path(root) / file).read_text()) for file in files))
    own = {path.stem for path in Path(root).iterdir()}
    return {distributions.conda_name(IMPORTED.get(n, n)) for n in names - own - set(sys.stdlib_module_names)}
