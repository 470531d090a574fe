"""What the rules share: the checked configuration, lookups in it, names of files, and the code hash."""

import contextlib
import json
import math
import os
import random

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

import code_hash
import configuration
import headers
import machine
import plan_run
import plan_text
import provenance

requested = configuration.with_own_objects(
    in_module(config), config if IS_MODULE else workflow.config_settings.overwrite_config
)
try:
    config = configuration.prepare(
        requested, own("config", "presets.yaml"), own("workflow", "schemas"), files_may_come=IS_MODULE
    )
except configuration.ConfigurationError as error:
    raise WorkflowError(str(error)) from None

R = config["results_dir"]
machine.tell_jobs(workflow, config, ROOT, COMMIT)
machine.tell_run_sh(workflow, R)
if IS_MODULE and workflow.is_main_process and not workflow.output_settings.dryrun:  # its onstart is never called
    with contextlib.suppress(OSError):  # the first job says it in words
        provenance.keep_config(config, os.path.join(R, "run"))


def by_name(key):
    return {record["name"]: record for record in config[key]}


VOLUMES, LABELS, REGIONS, PHANTOMS = (by_name(key) for key in ("volumes", "labels", "regions", "phantom"))
TUMORS = [name for name, phantom in PHANTOMS.items() if phantom["preset"].startswith("biopsy")]
PLATELETS = [name for name in PHANTOMS if name not in TUMORS]
EXPERIMENTS, ENSEMBLES, WEIGHT_MAPS = (by_name(key) for key in ("experiments", "ensembles", "weight_maps"))
BOUNDARIES = by_name("boundaries")
CLASSES = json.dumps(configuration.class_records(config))
CLASS_NAMES = [c["name"] for c in config["classes"]]
ANNOTATION = "annotation"  # the experiment column of annotators, who are compared like networks

# the computer that submits the jobs of a cluster seldom has a GPU itself, so a profile says what auto means for them
DEVICE = config["device"]
if DEVICE == "auto" and "device" in (workflow.resource_settings.default_resources or ()):
    DEVICE = workflow.resource_settings.default_resources["device"].raw

# a GPU job locally holds the one gpu the default profile grants; without a GPU, jobs only share the cores
GPUS = int(DEVICE == "cuda" or (DEVICE == "auto" and machine.has_gpu()))

if plan_text.is_shown(workflow):
    logger.info(plan_text.report(config, requested, bool(GPUS)))
    logger.addHandler(plan_run.AfterStatistics(workflow, config, bool(GPUS), logger))


onstart:
    if workflow.is_main_process:
        logger.info(plan_text.line(config))
        try:
            provenance.keep_config(config, os.path.join(R, "run"))
            plan_run.keep(workflow, config, bool(GPUS), logger)
        except OSError as error:
            raise WorkflowError(
                f"{R}: the folder of the results can't be written ({error.strerror}). Free some space, correct its "
                "permissions, or set results_dir to another folder."
            ) from None


wildcard_constraints:
    volume="[A-Za-z][A-Za-z0-9_]*",
    labels="[A-Za-z][A-Za-z0-9_]*",
    region="[A-Za-z][A-Za-z0-9_]*",
    reference="[A-Za-z][A-Za-z0-9_]*",
    experiment="[A-Za-z][A-Za-z0-9_]*",
    ensemble="[A-Za-z][A-Za-z0-9_]*",
    objects="[A-Za-z][A-Za-z0-9_]*",
    combination="[a-z]+",
    weight_map="[A-Za-z][A-Za-z0-9_]*",
    seed="[0-9]+",
    k="[0-9]+",


def code(script, *networks):
    """Hash of a script and of all project code it imports, for `params: code=`."""
    return code_hash.code_hash(script, own("workflow", "scripts"), networks)


def as_json(value):
    return json.dumps(value, sort_keys=True)


def select(record, *keys):
    """The named values of a record, as JSON."""
    return as_json({key: record[key] for key in keys})


def source_files(record):
    """The files of a volume or label source: folders and globs are expanded, slices in natural order. A folder of a phantom is
    itself the output of a job."""
    if str(record["path"]).startswith(f"{R}/phantom/"):
        return [os.path.normpath(record["path"])]
    return [str(file) for file in headers.input_files(record["path"])]


def found_files(record):
    """The files that a script will find for a source: of the sparse labels of a phantom one for each slice that is drawn."""
    folder, name = os.path.split(os.path.normpath(str(record["path"])))
    phantom = PHANTOMS.get(os.path.basename(os.path.dirname(folder)), {"sparse": []})
    drawn = [d for d in phantom["sparse"] if (folder, name) == (f"{R}/phantom/{phantom['name']}/sparse", d["name"])]
    slices = sorted({z for d in drawn for z in (*d["slices"], *d["incomplete_slices"])})
    return [f"{record['path']}/z{z:04d}.tif" for z in slices] or source_files(record)


def source_words(*records):
    """What scripts are told of sources: paths as the configuration has them. The names of all slices may be too long."""
    words = [record.get("words", record["path"]) for record in records]
    return [path for some in words for path in (some if isinstance(some, list) else [some])]


def option(name, *values):
    """An option of a script as a list of words, or none without a value; the shell line quotes each word (`:q`)."""
    words = [str(value) for value in values if value]
    return [name, *words] if words else []


def with_sidecar(path):
    """A volume as input: the store and the sidecar that tells its content."""
    return [path, f"{path}.json"]


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


def run_file(name, experiments=EXPERIMENTS):
    """The file `name` of every training run of these experiments."""
    return [f"{R}/models/{e}/seed{s}/{name}" for e, s in all_runs() if e in experiments]
