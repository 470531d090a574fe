"""What does making the slices even cost, and what does it do for a network where the brightness flickers from slice to slice?

Cost: milliseconds of the processor per megapixel, of each method on a slice in memory, and of the script from OME-Zarr to OME-Zarr.

Benefit: two phantoms, one trained on and one scored, of other cells and other flicker, whose slices are made even or not and
which are then normalized each by itself (zscore), as in the workflow. The residual U-Net of the FIB-SEM paper (batch
normalization, no augmentation of brightness) is trained on all slices of the one and scored on the other after its last step, so
that nothing is chosen by the score. All methods have the same seeds. Flicker f: gain exp(N(0, f)) and offset N(0, 60 f) gray
values per slice, on gray values at 0.6 of their contrast, so that little is cut off.

    python benchmarks/intensity.py --seeds 3 --steps 200 --jobs 2
"""

import contextlib
import io as text
import itertools
import json
import multiprocessing
import statistics
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import measuring
import numpy as np
import pandas as pd
import synthetic
import yaml

import build_weight_map
import correct_intensity
import normalize_region
import train_network
from densecell import io, phantom
from densecell.slice_intensity import SLICE_METHODS, Correction, correct_slice

CLASSES = synthetic.CLASSES_JSON
# beside the preset fibsem: seven classes that exclude each other, windows from everywhere, fewer steps
TRAINING = {
    "loss": "cross_entropy",
    "loss_reduction": "mean",
    "sampler": "grid",
    "learning_rate": 0.001,
    "batch_size": 4,
}
METHODS = ("none", *SLICE_METHODS)
LAYOUT = {"binning": [1, 1, 1], "left_out_slices": []}


def run(script, *arguments):
    """A script, without its words."""
    with contextlib.redirect_stdout(text.StringIO()), contextlib.redirect_stderr(text.StringIO()):
        script.main([str(a) for a in arguments])


# ---------------------------------------------------------------------------------------------------------------- cost
def processor_s(function):
    """Seconds of the processor, which other jobs of the machine don't lengthen much."""
    started = time.process_time()
    function()
    return time.process_time() - started


def costs(side, depth, repeats, folder):
    """{(method, dtype): (ms per Mpx of a slice in memory, of the script)}, in one thread."""
    found = {}
    stack = synthetic.Stack(side)
    for dtype in ("uint8", "uint16"):
        planes = np.stack([stack.image(z) for z in range(depth)]).astype(dtype) * (1 if dtype == "uint8" else 200)
        path = folder / f"{dtype}.ome.zarr"
        io.write_volume(path, planes, synthetic.VOXEL_SIZE_NM, record=synthetic.RECORD, attributes=LAYOUT)
        reference = np.bincount(planes[0].ravel(), minlength=np.iinfo(dtype).max + 1)
        turns = {}
        for method in SLICE_METHODS:
            correction = Correction(method, reference=reference)
            turns[method] = lambda correction=correction, plane=planes[-1]: correct_slice(plane, correction)
            outputs = ("--output", folder / "corrected.ome.zarr", "--slices", folder / "slices.csv")
            turns[f"{method} script"] = lambda method=method, path=path, outputs=outputs: run(
                correct_intensity, "--image", path, "--method", method, *outputs
            )
        seconds = {name: statistics.median(processor_s(turn) for _ in range(repeats)) for name, turn in turns.items()}
        for method in SLICE_METHODS:
            megapixels = planes[-1].size / 1e6
            of_script = seconds[f"{method} script"] / depth
            found[method, dtype] = [1e3 * s / megapixels for s in (seconds[method], of_script)]
    return found


# ------------------------------------------------------------------------------------------------------------- benefit
def write_phantoms(folder, flicker, shape):
    """Image and labels of a phantom that is trained on and of one that is scored."""
    for name, seed in (("train", 11), ("eval", 12)):
        settings = phantom.SubjectSettings(
            name, shape, seed=seed, contrast=0.6, brightness=30, drift_sd_px=0, flicker_sd=flicker
        )
        subject = phantom.make_subject(settings)
        layout = {**LAYOUT, "crop": [[0, shape[1]], [0, shape[2]]]}
        for kind, array, attributes in (("image", subject.image, layout), ("labels", subject.labels, {})):
            attributes = attributes or {"class_counts": np.bincount(array.ravel(), minlength=7)[:7].tolist()}
            io.write_volume(folder / f"{name}_{kind}.ome.zarr", array, settings.voxel_size_nm, record={}, attributes=attributes)  # fmt: skip
    labels = folder / "train_labels.ome.zarr"
    maps = yaml.safe_load((measuring.ROOT / "config.yaml").read_text())["weight_maps"]
    settings = json.dumps(next(w for w in maps if w["name"] == "square_root"))
    arguments = ("--labels", labels, "--all-labels", labels, "--settings", settings, "--classes", CLASSES)
    run(build_weight_map, *arguments, "--output", folder / "train_weights.ome.zarr")


def prepare(folder, method):
    """The normalized regions {name: path} of both phantoms after a method."""
    regions = {}
    for name in ("train", "eval"):
        image = folder / f"{name}_image.ome.zarr"
        if method != "none":
            corrected = folder / f"{name}_{method}.ome.zarr"
            table = folder / f"{name}_{method}.csv"
            run(correct_intensity, "--image", image, "--method", method, "--output", corrected, "--slices", table)
            image = corrected
        regions[name] = folder / f"{name}_{method}_region.ome.zarr"
        run(normalize_region, "--image", image, "--region", '{"name": "r"}', "--output", regions[name])
    return regions


def score(folder, regions, seed, args):
    """(mean IoU, mean IoU of the organelles) on the other phantom after the last step."""
    out = folder / f"{regions['train'].name}_{seed}"
    presets = yaml.safe_load((measuring.ROOT / "config" / "presets.yaml").read_text())["presets"]
    training = next(p for p in presets if p["name"] == "fibsem")["training"]
    training = {**training, **TRAINING, "steps": args.steps, "evaluate_every_steps": args.steps}
    settings = {
        "network": args.network,
        "options": {"base_width": args.base_width, **json.loads(args.options)},
        "window": [1, args.window, args.window],
        "spacing": [1, args.window // 2, args.window // 2],
        "training": training,
    }
    # fmt: off
    run(train_network, "--experiment", "e", "--seed", seed, "--settings", json.dumps(settings), "--classes", CLASSES,
        "--train-images", regions["train"], "--train-labels", folder / "train_labels.ome.zarr",
        "--train-weights", folder / "train_weights.ome.zarr",
        "--eval-images", regions["eval"], "--eval-labels", folder / "eval_labels.ome.zarr",
        "--best", out / "best.safetensors", "--last", out / "last.safetensors", "--history", out / "history.csv",
        "--threads", args.threads, "--device", "cpu")
    # fmt: on
    history = pd.read_csv(out / "history.csv")
    last = history[(history.step == history.step.max()) & (history.measure == "eval_iou")]
    organelles = [g == "organelle" for g in synthetic.GROUPS]
    return last.value.mean(), last.value[organelles].mean()


def benefit(folder, flicker, args):
    """{method: (n seeds, 2) scores}."""
    write_phantoms(folder, flicker, args.shape)
    regions = [prepare(folder, method) for method in METHODS for _ in range(args.seeds)]
    seeds = [*range(1, args.seeds + 1)] * len(METHODS)
    with ProcessPoolExecutor(args.jobs, multiprocessing.get_context("spawn")) as pool:
        run_all = map if args.jobs == 1 else pool.map
        found = list(run_all(score, itertools.repeat(folder), regions, seeds, itertools.repeat(args)))
    found = {m: np.array(found[i * args.seeds : (i + 1) * args.seeds]) for i, m in enumerate(METHODS)}
    for method, scores in found.items():
        print(f"flicker {flicker:g}, {method}: {scores[:, 0].round(3)}", file=sys.stderr, flush=True)
    return found


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--flicker", type=float, nargs="+", default=[0.25])
    parser.add_argument("--shape", type=int, nargs=3, default=[16, 256, 256], help="voxels of a phantom (z, y, x)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--base-width", type=int, default=8)
    parser.add_argument("--network", default="resunet")
    parser.add_argument("--options", default='{"norm_momentum": 0.1}', help="of the network, as JSON")
    parser.add_argument("--window", type=int, default=128)
    parser.add_argument("--side", type=int, default=1024, help="of the slices whose cost is measured")
    parser.add_argument("--threads", type=int, default=1, help="of a training")
    parser.add_argument("--jobs", type=int, default=2, help="trainings at a time")
    parser.add_argument("--quick", action="store_true", help="only whether it runs")
    args = parser.parse_args(argv)
    if args.quick:
        args.flicker, args.shape, args.seeds, args.steps = [0.25], [10, 128, 128], 1, 4
        args.base_width, args.window, args.side, args.jobs = 4, 32, 128, 1
    rows, raw = [], {}
    with tempfile.TemporaryDirectory() as temporary:
        taken = costs(args.side, 2 if args.quick else 8, 1 if args.quick else 5, Path(temporary))
        scores = {}
        for flicker in args.flicker:
            folder = Path(temporary) / f"{flicker:g}"
            folder.mkdir()
            scores[flicker] = benefit(folder, flicker, args)
    for method in METHODS:
        row = [method]
        for dtype in ("uint8", "uint16"):
            row.append(" / ".join(f"{ms:.1f}" for ms in taken[method, dtype]) if method != "none" else "-")
        for flicker in args.flicker:
            of_all, of_organelles = scores[flicker][method].T
            for values in (of_all, of_organelles):
                sd = f" ± {values.std(ddof=1):.3f}" if len(values) > 1 else ""
                row.append(f"{values.mean():.3f}{sd}")
            raw[f"{method}, flicker {flicker:g}"] = scores[flicker][method].tolist()
        rows.append(row)
    columns = ["normalization.slices", "8 bit: ms/Mpx in memory / script", "16 bit: ms/Mpx in memory / script"]
    for flicker in args.flicker:
        columns += [f"flicker {flicker:g}: mean IoU", f"flicker {flicker:g}: mean IoU of organelles"]
    notes = [f"Mean and standard deviation of {args.seeds} seeds, {args.steps} steps, base width {args.base_width}, phantoms of {' x '.join(map(str, args.shape))} voxels."]  # fmt: skip
    measuring.report("intensity", columns, rows, args, notes=notes, scores=raw)


if __name__ == "__main__":
    main()
