"""Check a configuration, all inputs it names and this machine before anything runs: what `./run.sh check` calls.

Takes the arguments of a run (--configfile, --config, ...), finds out the configuration as Snakemake does, and lists at once what
is wrong with it, with the raw stacks, the labels and the regions, and what the plan needs and the machine lacks. Inputs
that can be read are checked even where the configuration or other inputs can't be used. Exit code 1 with any error.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from snakemake.cli import parse_args, parse_config
from snakemake.common.configfile import load_configfile
from snakemake.settings.types import ConfigSettings
from snakemake.utils import update_config

from check_inputs import check_all, with_files
from check_volume import examine, overview
from densecell import findings
from densecell.findings import Finding
from densecell.machine_checks import check_machine

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "workflow" / "rules"))

import configuration  # noqa: E402
import headers  # noqa: E402
import plan  # noqa: E402
import plan_text  # noqa: E402
import public_datasets  # noqa: E402
from check_settings import check_settings  # noqa: E402


# ------------------------------------------------------------------------------------------------------ configuration
def requested_config(args):
    """config.yaml with the arguments' configuration files and --config on top, merged by Snakemake's own functions."""
    base = Path("config.yaml") if Path("config.yaml").exists() else ROOT / "config.yaml"
    config = load_configfile(str(base))
    above = ConfigSettings(config=parse_config(args.config), configfiles=args.configfile or ()).overwrite_config
    update_config(config, above)
    return configuration.with_own_objects(config, above)


def configured(requested):
    """(resolved configuration or None, findings about it)."""
    presets = configuration.load_presets(ROOT / "config" / "presets.yaml")
    try:
        configuration.config_text.check_values(requested)
        found = configuration.check(requested, presets)
        resolved = configuration.resolve(requested, presets)
    except Exception as error:  # what can't even be resolved is one finding
        return None, [
            Finding("configuration", "error", "", "a configuration that can be read", str(error), "", "See above.")
        ]
    return resolved, [Finding("configuration", "error", "", f.expected, f.found, f.path, f.hint) for f in found]


def usable(config):
    """The configuration without the records that the schema or the checks of names refuse, and the keys of all that stay."""
    names = {section: {r["name"] for r in config[section]} - {None} for section in ("volumes", "labels")}
    is_sound = {
        "volumes": lambda r: None not in (r["name"], r["path"], r["axes"], r["voxel_size_nm"]),
        "labels": lambda r: r["volume"] in names["volumes"] and None not in (r["name"], r["path"], r["axes"]),
        "regions": lambda r: r["volume"] in names["volumes"] and r["role"] is not None,
        "classes": lambda r: None not in (r["name"], r["group"]),
    }
    kept = {s: [(i, r) for i, r in enumerate(config[s]) if sound(r)] for s, sound in is_sound.items()}
    keys = {s: [f"{s}[{i}]" for i, _ in records] for s, records in kept.items()}
    return {**config, **{s: [r for _, r in records] for s, records in kept.items()}}, keys


# ------------------------------------------------------------------------------------------------------------- inputs
def present_files(record, config):
    """The files of a source, none where a run makes them (phantoms, downloads) or where one is missing."""
    if public_datasets.is_downloadable(record["path"], config["data_root"]):
        return []
    paths = headers.input_files(record["path"])
    return [str(p) for p in paths] if paths and all(p.exists() for p in paths) else []


def inspect_volumes(config, keys, threads):
    """({volume: record of check_volume.py}, findings about volumes that are not there yet)."""
    overviews, later = {}, []
    for key, volume in zip(keys, config["volumes"]):
        paths = present_files(volume, config)
        if not paths:
            later.append(Finding("not_there_yet", "note", "the volume", "", "no files yet", f"{key}.path",
                                 "It is checked when the run has made or downloaded it.", volume["name"]))  # fmt: skip
            continue
        print(f"{volume['name']}: {len(paths)} file{'s' * (len(paths) > 1)}", file=sys.stderr, flush=True)
        is_aligned_later = volume["alignment"]["method"] != "none"
        _, stack, found = examine(paths, volume["axes"], volume["voxel_size_nm"], is_aligned_later, threads)
        overviews[volume["name"]] = overview(stack, volume["voxel_size_nm"], found)
    return overviews, later


def inspect_inputs(config, threads):
    """All findings about the data of a resolved configuration."""
    config, keys = usable(config)
    overviews, later = inspect_volumes(config, keys["volumes"], threads)
    sources = {id(r): present_files(r, config) for r in config["labels"]}
    settings = check_settings(config, lambda r: sources[id(r)])
    for section, of_section in keys.items():
        for record, key in zip(settings[section], of_section):
            record["key"] = key
    files = [path for labels in config["labels"] for path in sources[id(labels)]]
    settings["labels"] = [r for r in with_files(settings["labels"], files) if r["paths"]]
    return check_all(settings, overviews) + later


# ------------------------------------------------------------------------------------------------------------ machine
def needs_of(config):
    """What the plan needs, for `machine_checks.check_machine`."""
    costs = plan.Costs(config)
    runs = [costs.training(e)["flops"] for e in config["experiments"] for _ in e["seeds"]]
    flops, predicted = costs.predictions()
    known = [f for f in (*runs, flops) if f]
    shapes = [s for s in costs.volumes.values() if None not in s]
    return {
        "results_dir": config["results_dir"],
        "disk_bytes": costs.stacks() + predicted,
        "device": config["device"],
        "cpu_hours": sum(known) / plan_text.THREAD_FLOPS / 3600 if known else None,
        "memory_gb": config["prediction"]["memory_gb"],
        "slice_bytes": max((4 * s[1] * s[2] for s in shapes), default=0),
    }


def this_machine(results_dir):
    """What there is of disk, memory and GPU."""
    folder = next(p for p in (Path(results_dir).absolute(), *Path(results_dir).absolute().parents) if p.exists())
    return {
        "free_bytes": shutil.disk_usage(folder).free,
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "has_gpu": os.path.exists("/dev/nvidia0"),
    }


def on_cluster(args):
    """Whether the jobs run elsewhere, so that this machine's disk alone matters."""
    return bool(getattr(args, "executor", None)) and args.executor not in ("local", "dryrun")


# --------------------------------------------------------------------------------------------------------------- main
def inspect(argv, threads=None):
    """All findings for the arguments of a run."""
    _, args = parse_args([*argv, "--dry-run"])
    if args.directory:
        args.configfile = [os.path.abspath(file) for file in args.configfile or ()]
        os.chdir(args.directory)
    config, of_config = configured(requested_config(args))
    if config is None:
        return of_config
    of_data = inspect_inputs(config, threads or config["threads"]["preprocessing"])
    told = {f.key for f in of_config}  # a file whose header is unreadable is told once
    of_data = [f for f in of_data if not (f.finding == "unreadable" and not f.slices and f.key in told)]
    found = of_config + of_data
    if not of_config:
        machine = this_machine(config["results_dir"])
        machine |= {"has_gpu": True, "memory_bytes": float("inf")} if on_cluster(args) else {}
        found += check_machine(needs_of(config), machine)
    return findings.in_order(found)


def main(argv=None):
    argv, here = sys.argv[1:] if argv is None else argv, os.getcwd()
    found = inspect(argv)
    print(findings.report(found))
    if any(f.severity == "error" for f in found):
        sys.exit(1)
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", *argv, "--dry-run"], capture_output=True, text=True, check=False, cwd=here
    )
    if done.returncode:
        print(f"\nSnakemake can't plan the run:\n{done.stdout}{done.stderr}", file=sys.stderr)
        sys.exit(1)
    print("\ndensecell: nothing stops a run; ./run.sh plan shows what it would do.")


if __name__ == "__main__":
    main()
