"""Checks the configuration before anything runs: each key, then what they say about each other and the data.

`prepare` is what the Snakefile calls. Everything is told at once, with the key's path, what was found,
what was expected and what to do. Neither torch nor the densecell library is needed.
"""

import copy
import itertools
from pathlib import Path

import yaml

import analysis_checks
import config_checks
import config_schema
import config_text
import data_checks
import draw_checks
import grids
import instance_checks
import label_checks
import label_places
import paper_config
import prediction_checks
import public_datasets
import rendering_checks
import scene_records
import seeds
import training_checks
import weight_map_checks
from network_sizes import NETWORK_OPTIONS

SCHEMA_DIR = Path(__file__).resolve().parent.parent / "schemas"


class ConfigurationError(Exception):
    """The configuration can't be used; the text is the report of all findings."""


# ---------------------------------------------------------------------------------------------------- resolve
def load_presets(path):
    """The content of a presets file: a dict with the list `presets`."""
    return yaml.safe_load(Path(path).read_text(encoding="utf-8"))


def resolve(config, presets, schema_dir=SCHEMA_DIR):
    """The configuration as the rules use it: experiments merged onto their presets, defaults filled in, and
    {data_root} and {results_dir} replaced in paths, grids as their experiments, seeds as lists, scaled. What the schema
    refuses becomes its default, or None."""
    return _resolved(config, presets, schema_dir)[0]


def _resolved(config, presets, schema_dir):
    """(the resolved configuration, where records of grids come from)."""
    full, preset_schema = _schemas(schema_dir)
    config, presets = config_schema.with_text_keys(config), config_schema.with_text_keys(presets)
    by_name = {p["name"]: p for p in config_schema.fill(presets, preset_schema)["presets"]}
    experiments = config.get("experiments")
    if isinstance(experiments, list):
        experiments = [_merged(e, by_name.get(str(e.get("preset")))) if isinstance(e, dict) else e for e in experiments]
    resolved = config_schema.fill({**config, "experiments": experiments}, full)
    folders = {key: str(Path(resolved[key]).expanduser()) for key in ("data_root", "results_dir")}
    external = resolved["analysis"]["foreground"]["external"]
    for record in resolved["volumes"] + resolved["labels"] + resolved["weight_maps"] + external:
        for key in {"path", "truth"} & set(record):
            written = _substituted(record[key], folders)
            record[key] = public_datasets.expanded(written, folders["data_root"])
            if record[key] != written:  # jobs are told the same words before a download and after it
                record["words"] = written
    resolved, origins = grids.expanded(resolved)
    return {**seeds.apply(resolved), **folders}, origins


def with_own_objects(config, above):
    """The configuration without config.yaml's `instances` where the configuration `above` it, which says nothing of objects, has
    other data, classes or predictions: those objects are the phantom's."""
    predicted = above.get("prediction")
    other = {"classes", "volumes", "ensembles"} & set(above)
    other = other or (isinstance(predicted, dict) and "full_volumes" in predicted)
    return {**config, "instances": []} if other and "instances" not in above else config


def _schemas(schema_dir):
    return [config_schema.load(str(Path(schema_dir) / f"{name}.schema.yaml")) for name in ("config", "presets")]


def _merged(experiment, preset):
    """An experiment's keys on top of its preset's, mappings merged; weight_map null means the preset's. Options of the preset that
    the network doesn't have are left out."""
    if preset is None:
        return experiment
    known = NETWORK_OPTIONS.get(str(experiment.get("network")))
    options = preset.get("options") or {}
    preset = {**preset, "options": {k: v for k, v in options.items() if known is None or k in known}}
    own = {k: v for k, v in experiment.items() if not (k == "weight_map" and v is None)}
    return _overlaid({k: v for k, v in preset.items() if k != "name"}, own)


def _overlaid(below, above):
    if not isinstance(below, dict) or not isinstance(above, dict):
        return copy.deepcopy(above)
    return {**below, **{k: _overlaid(below[k], v) if k in below else v for k, v in above.items()}}


def _substituted(path, folders):
    if isinstance(path, list):
        return [_substituted(p, folders) for p in path]
    for key, folder in folders.items() if path else ():
        path = path.replace("{" + key + "}", folder)
    return str(Path(path).expanduser()) if path else path


def class_records(config, targets=()):
    """The classes as a list of {"name", "group"} and, where they are set, "inside" and the "boundaries" among `targets`, in the
    order of their numbers."""
    keys, found = ("name", "group", "inside"), []
    for record in config["classes"]:
        own = [b["name"] for b in config.get("boundaries", ()) if b["class"] == record["name"] and b["name"] in targets]
        told = {k: record[k] for k in keys if record.get(k) is not None}
        found.append({**told, "boundaries": own} if own else told)
    return found


# ------------------------------------------------------------------------------------------------------ check
def check(config, presets, schema_dir=SCHEMA_DIR):
    """All findings about a configuration and its presets, none if they are sound."""
    full, preset_schema = _schemas(schema_dir)
    unprintable = list(config_text.check_texts(config))
    if unprintable:  # no other message may repeat such a text
        return unprintable
    config, presets = config_schema.with_text_keys(config), config_schema.with_text_keys(presets)
    resolved, origins = _resolved(config, presets, schema_dir)
    preset_names = [p["name"] for p in config_schema.fill(presets, preset_schema)["presets"]]
    shapes = {}  # ("volumes" or "labels", name) -> (Z, Y, X) of the files, from check_files
    in_files = [*config_schema.findings(presets, preset_schema), *config_schema.findings(config, full)]
    found = itertools.chain(
        config_text.check_paths(resolved),
        config_checks.check_names(resolved, preset_names),
        config_checks.check_classes(resolved),
        label_checks.check_inside(resolved),
        label_checks.check_annotations(resolved),
        label_checks.check_boundaries(resolved),
        data_checks.check_files(resolved, shapes),
        data_checks.check_regions(resolved, shapes),
        data_checks.check_region_labels(resolved),
        data_checks.check_overlaps(resolved, shapes),
        label_places.check_labels(resolved, shapes),
        label_places.check_slices(resolved, shapes),
        label_checks.check_trained(resolved, shapes),
        config_checks.check_options(resolved),
        config_checks.check_networks(resolved),
        data_checks.check_windows(resolved, shapes),
        config_checks.check_ensembles(resolved),
        config_checks.check_settings(resolved),
        prediction_checks.check_prediction(resolved),
        instance_checks.check_instances(resolved),
        paper_config.check_paper(resolved),
        analysis_checks.check_analysis(resolved, shapes),
        rendering_checks.check_renderings(resolved, shapes),
        scene_records.check_scenes(resolved),
        weight_map_checks.check_weight_maps(resolved, shapes),
        training_checks.check_trainings(resolved),
        draw_checks.check_draws(resolved, shapes),
    )
    first = {}
    for finding in itertools.chain(in_files, (f._replace(path=grids.told(f.path, origins)) for f in found)):
        first.setdefault((finding.path, finding.found), finding)
    return list(first.values())


def report(findings):
    """The findings as numbered blocks of text."""
    count = f"{len(findings)} problem{'s' * (len(findings) != 1)}"
    blocks = [
        f"{i}. {f.path}\n   found:    {f.found}\n   expected: {f.expected}\n   to do:    {f.hint}"
        for i, f in enumerate(findings, 1)
    ]
    blocks = [config_text.in_plain_lines(block) for block in blocks]  # names of files, too, may hold anything
    head = f"The configuration has {count}. Each key is explained in docs/configuration.md."
    return "\n\n".join([head, *blocks])


def prepare(config, presets_path, schema_dir=SCHEMA_DIR, files_may_come=False):
    """The checked configuration, ready for the rules. Raises ConfigurationError with all findings.

    Where `files_may_come`, an input file that is missing is none: another rule may make it, and Snakemake tells if none does.
    """
    try:
        config_text.check_values(config)
    except config_text.HostileText as error:
        raise ConfigurationError(str(error)) from error
    presets = load_presets(presets_path)
    found = check(config, presets, schema_dir)
    if files_may_come:
        found = [finding for finding in found if finding.expected not in data_checks.MISSING]
    if found:
        raise ConfigurationError(report(found))
    return resolve(config, presets, schema_dir)


# ---------------------------------------------------------------------------------------------- documentation
def render(schema_dir=SCHEMA_DIR):
    """The text of docs/configuration.md: one row for each key."""
    lines = [
        "# Configuration: every key",
        "",
        "Written by `python workflow/rules/configuration.py > docs/configuration.md`.",
        "",
    ]
    lines += [
        "`volumes[].name` is the key `name` of each record in the list `volumes`. Axes are (z, y, x);",
        "a range holds its first number and not its second.",
    ]
    for title, schema in zip(("config.yaml", "config/presets.yaml"), _schemas(schema_dir)):
        lines += [
            "",
            f"## {title}",
            "",
            "| key | type | unit | default | bounds | description |",
            "|---|---|---|---|---|---|",
        ]
        for row in config_schema.table(schema):
            key, *others = (cell.replace("|", "\\|") for cell in row)
            lines.append(f"| `{key}` | " + " | ".join(others) + " |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(render(), end="")
