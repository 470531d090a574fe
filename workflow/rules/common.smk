"""What the rules share: the checked configuration, lookups in it, names of files, and the code hash."""

import glob
import json
import math
import os
import random
import sys

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

ROOT = workflow.basedir
SCRIPTS = os.path.join(ROOT, "workflow", "scripts")
sys.path.insert(0, os.path.join(ROOT, "workflow", "rules"))

import code_hash
import configuration
import plan

requested = config
try:
    config = configuration.prepare(
        config, os.path.join(ROOT, "config", "presets.yaml"), os.path.join(ROOT, "workflow", "schemas")
    )
except configuration.ConfigurationError as error:
    raise WorkflowError(str(error)) from None

R = config["results_dir"]
if os.environ.get("DENSECELL_RESULTS_FILE"):  # run.sh asks where the report belongs
    with open(os.environ["DENSECELL_RESULTS_FILE"], "w") as handle:
        handle.write(R)


def by_name(key):
    return {record["name"]: record for record in config[key]}


VOLUMES, LABELS, REGIONS, PHANTOMS = (by_name(key) for key in ("volumes", "labels", "regions", "phantom"))
EXPERIMENTS, ENSEMBLES, WEIGHT_MAPS = (by_name(key) for key in ("experiments", "ensembles", "weight_maps"))
CLASSES = json.dumps([{"name": c["name"], "group": c["group"]} for c in config["classes"]])
SUFFIXES = (".tif", ".tiff", ".png")
ANNOTATION = "annotation"  # the experiment column of annotators, who are compared like networks

# a GPU job locally holds the one gpu the default profile grants; without a GPU, jobs only share the cores
GPUS = int(config["device"] == "cuda" or (config["device"] == "auto" and os.path.exists("/dev/nvidia0")))

if plan.is_shown(workflow):
    logger.info(plan.report(config, requested, bool(GPUS)))


onstart:
    if workflow.is_main_process:
        logger.info(plan.line(config))


wildcard_constraints:
    volume="[A-Za-z][A-Za-z0-9_]*",
    labels="[A-Za-z][A-Za-z0-9_]*",
    region="[A-Za-z][A-Za-z0-9_]*",
    reference="[A-Za-z][A-Za-z0-9_]*",
    experiment="[A-Za-z][A-Za-z0-9_]*",
    ensemble="[A-Za-z][A-Za-z0-9_]*",
    weight_map="[A-Za-z][A-Za-z0-9_]*",
    seed="[0-9]+",
    k="[0-9]+",


def code(script, *networks):
    """Hash of a script and of all project code it imports, for `params: code=`."""
    return code_hash.code_hash(script, SCRIPTS, networks)


def as_json(value):
    return json.dumps(value, sort_keys=True)


def select(record, *keys):
    """The named values of a record, as JSON."""
    return as_json({key: record[key] for key in keys})


def source_files(record):
    """The files of a volume or label source: folders and globs are expanded, slices in natural order."""
    paths = record["path"] if isinstance(record["path"], list) else [record["path"]]
    files = []
    for path in paths:
        if os.path.isdir(path) and not path.rstrip("/").endswith(".zarr"):
            path = os.path.join(path, "*")
        if any(c in path for c in "*?["):
            found = [f for f in glob.glob(path) if f.lower().endswith(SUFFIXES)]
            files += sorted(found, key=configuration.natural_key)
        else:
            files.append(path)
    return files


def with_sidecar(path):
    """A volume as input: the store and the sidecar that tells its content."""
    return [path, path + ".json"]


def regions_of(*roles):
    return [name for name, region in REGIONS.items() if region["role"] in roles]


SCORED = regions_of("eval", "test", "compare")


def members_of(ensemble):
    """(experiment, seed) of all candidates of an ensemble."""
    return [(e, seed) for e in ENSEMBLES[ensemble]["experiments"] for seed in EXPERIMENTS[e]["seeds"]]


def networks_of(ensemble):
    return sorted({EXPERIMENTS[e]["network"] for e in ENSEMBLES[ensemble]["experiments"]})


def singles_of(ensemble):
    """(experiment, seed) of the networks of an ensemble that are predicted singly: the first `n_singles` seeds."""
    members = members_of(ensemble)[: ENSEMBLES[ensemble]["n_singles"]]
    return members if len(ENSEMBLES[ensemble]["experiments"]) == 1 else []


def random_sets(ensemble, region):
    """{"random<k>_<draw>": its members}: different sets of the single networks, to compare the ranked top-k with."""
    singles, sets = singles_of(ensemble), {}
    for k in ENSEMBLES[ensemble]["top_k"] if REGIONS[region]["role"] in ("eval", "test") else ():
        if 1 < k < len(singles):
            drawn, generator = [], random.Random(k)
            while len(drawn) < min(ENSEMBLES[ensemble]["random_draws"], math.comb(len(singles), k)):
                chosen = sorted(generator.sample(range(len(singles)), k))
                if chosen not in drawn:
                    drawn.append(chosen)
            sets |= {f"random{k}_{i}": [singles[j] for j in chosen] for i, chosen in enumerate(drawn, 1)}
    return sets


def predictors(ensemble):
    """Predictors of an ensemble's tables: single seeds (where one experiment forms it) and each top-k."""
    return [f"seed{seed}" for _, seed in singles_of(ensemble)] + [f"top{k}" for k in ENSEMBLES[ensemble]["top_k"]]


def all_runs():
    return [(e, seed) for e, experiment in EXPERIMENTS.items() for seed in experiment["seeds"]]


def run_file(name):
    """The file `name` of every training run."""
    return [f"{R}/models/{e}/seed{s}/{name}" for e, s in all_runs()]
