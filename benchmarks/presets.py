"""Compare training presets: how often does a network collapse, and what MIoU does it reach in the same budget?

Trains one network with each preset and many seeds on the regions of a run whose preprocessing is done, two jobs at a
time, one thread each, by the same script the workflow runs. Collapsed: at the end of its budget fewer than half of the
reference's classes are predicted with IoU > 0.05. Intervals are 95 %: Clopper-Pearson for the counts, the t interval
for the mean MIoU.

    snakemake results/regions/train/labels_reference.ome.zarr results/regions/eval/labels_reference.ome.zarr
    python benchmarks/presets.py --results results --steps 400 --window 5 96 96 --spacing 2 48 48
    python benchmarks/presets.py --results results/vnc --configfile config/vnc.yaml ...

Variants take one change at a time, e.g. --variants paper robust paper:gradient_clip=5 robust:norm=none.
"""

import argparse
import copy
import json
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from scipy import stats

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "workflow" / "scripts"))

from densecell.ensembling import is_collapsed  # noqa: E402


def variant(text, presets):
    """The preset named before the colon, with the key=value changes after it (training key, option or weight_map)."""
    name, _, changes = text.partition(":")
    record = copy.deepcopy(next(p for p in presets if p["name"] == name))
    for change in filter(None, changes.split(",")):
        key, value = change.split("=")
        value = yaml.safe_load(value)
        if key == "weight_map":
            record["weight_map"] = value
        elif key in record["training"]:
            record["training"][key] = value
        elif key in record["training"]["augmentation"]:
            record["training"]["augmentation"][key] = value
        else:
            record["options"][key] = value
    return record


def build_weight_map(name, args, classes, out):
    """The weight map `name` of config.yaml for the train region, made where it is missing; returns its path."""
    path = out.parent / "preset_weight_maps" / f"{name}.ome.zarr"
    if not path.exists():
        records = yaml.safe_load((ROOT / "config.yaml").read_text())["weight_maps"]
        settings = next(r for r in records if r["name"] == name)
        labels = str(args.results / "regions/train/labels_reference.ome.zarr")
        command = [sys.executable, str(ROOT / "workflow/scripts/build_weight_map.py"), "--labels", labels]
        command += ["--all-labels", labels, "--settings", json.dumps(settings), "--classes", json.dumps(classes)]
        subprocess.run([*command, "--output", str(path)], check=True)
    return path


def train(name, record, seed, args, classes, out):
    """One training job; returns its row of the table."""
    folder = out / name.replace(":", "_").replace(",", "_").replace("=", "-") / f"seed{seed}"
    if not (folder / "history.csv").exists():
        training = {**record["training"], "steps": args.steps, "evaluate_every_steps": args.steps // args.evaluations}
        training["stop_below_miou"] = None
        settings = {
            "network": args.network,
            "options": {"base_width": args.base_width, **record["options"]},
            "window": args.window,
            "spacing": args.spacing,
            "training": training,
        }
        regions = args.results / "regions"
        command = [sys.executable, ROOT / "workflow/scripts/train_network.py", "--experiment", name, "--seed", seed]
        command += ["--train-images", regions / "train/image.ome.zarr"]
        command += ["--train-labels", regions / "train/labels_reference.ome.zarr"]
        command += ["--train-weights", build_weight_map(record["weight_map"], args, classes, out)]
        command += ["--eval-images", regions / "eval/image.ome.zarr"]
        command += ["--eval-labels", regions / "eval/labels_reference.ome.zarr"]
        command += ["--settings", json.dumps(settings), "--classes", json.dumps(classes)]
        command += ["--best", folder / "best.safetensors", "--last", folder / "last.safetensors"]
        command += ["--history", folder / "history.csv"]
        started = time.monotonic()
        done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
        if done.returncode:
            # a run whose loss is no longer a number is a collapsed run, any other failure is a failure
            if "diverged" not in done.stderr:
                raise RuntimeError(done.stderr)
            return {"variant": name, "seed": seed, "eval_miou": 0.0, "collapsed": True, "diverged": True}
        print(f"{name} seed {seed}: {time.monotonic() - started:.0f} s", flush=True)
    history = pd.read_csv(folder / "history.csv")
    last = history[history.step == history.step.max()]
    iou = last[last.measure == "eval_iou"].value.to_numpy()
    best = history[history.measure == "eval_miou"].value.max()
    collapsed = bool(is_collapsed(iou))
    return {"variant": name, "seed": seed, "eval_miou": best, "collapsed": collapsed, "diverged": False}


def summarize(table):
    """One row per variant: seeds, collapsed with its interval, mean best eval MIoU with its interval, range."""
    rows = []
    for name, group in table.groupby("variant", sort=False):
        n, k = len(group), int(group.collapsed.sum())
        low, high = stats.binomtest(k, n).proportion_ci(0.95)
        miou = group.eval_miou.to_numpy()
        half = stats.t.ppf(0.975, n - 1) * miou.std(ddof=1) / np.sqrt(n) if n > 1 else np.nan
        rows.append(
            {
                "variant": name,
                "seeds": n,
                "collapsed": k,
                "collapsed share, 95 %": f"{low:.2f}-{high:.2f}",
                "best eval MIoU, mean": f"{miou.mean():.3f} +- {half:.3f}",
                "range": f"{miou.min():.3f}-{miou.max():.3f}",
            }
        )
    return pd.DataFrame(rows)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("results"))
    parser.add_argument("--configfile", type=Path, default=ROOT / "config.yaml", help="where the classes are read from")
    parser.add_argument("--network", default="hybrid_2d3d_333")
    parser.add_argument("--variants", nargs="+", default=["paper", "robust"])
    parser.add_argument("--seeds", type=int, default=8)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--evaluations", type=int, default=4, help="evaluations within the budget")
    parser.add_argument("--base-width", type=int, default=8)
    parser.add_argument("--window", type=int, nargs=3, default=[5, 96, 96])
    parser.add_argument("--spacing", type=int, nargs=3, default=[2, 48, 48])
    parser.add_argument("--jobs", type=int, default=2)
    args = parser.parse_args(argv)

    presets = yaml.safe_load((ROOT / "config/presets.yaml").read_text())["presets"]
    classes = yaml.safe_load(args.configfile.read_text())["classes"]
    out = args.results / "benchmarks" / f"presets_{args.network}_{args.base_width}_{args.steps}"
    for name in args.variants:  # before the jobs run side by side
        build_weight_map(variant(name, presets)["weight_map"], args, classes, out)
    jobs = [(name, seed) for seed in range(1, args.seeds + 1) for name in args.variants]
    with ThreadPoolExecutor(args.jobs) as pool:
        rows = list(pool.map(lambda j: train(j[0], variant(j[0], presets), j[1], args, classes, out), jobs))
    table = pd.DataFrame(rows).sort_values(["variant", "seed"])
    table.to_csv(out / "presets.csv", index=False)
    print(summarize(table).to_string(index=False))


if __name__ == "__main__":
    main()
