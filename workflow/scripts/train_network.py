"""Train one network with one seed on the training regions and keep its best and last checkpoint.

Reads the normalized regions with their labels and weight maps; writes best.safetensors (highest eval MIoU over all
classes), last.safetensors and history.csv. A restart state, written every few minutes, lets a killed job go on where it
was; it is discarded when configuration, code, inputs, seed or threads differ.
"""

import contextlib
import json
import signal
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import safetensors
import torch

from command_line import Arguments, json_argument, run, tell
from densecell import checkpoints, files, io, sampling, training
from densecell.classes import UNLABELLED, Classes
from densecell.devices import Computation
from densecell.networks import build_network
from densecell.snapshots import Snapshots
from gpu_choice import choose_card


class Restart:
    """The restart state of one run at a fixed path, valid for one fingerprint."""

    def __init__(self, path, fingerprint, say):
        self.path, self.fingerprint, self.say = Path(path), fingerprint, say
        self.asked_to_stop = False
        signal.signal(signal.SIGTERM, self._stop)

    def _stop(self, *_):
        self.asked_to_stop = True

    def load(self, network, optimizer):
        """Put the saved state into network and optimizer and return its Run; None when there is none that fits."""
        state = checkpoints.load_restart(self.path, self.fingerprint)
        if state is None:
            return None
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        return training.Run(**state["run"])

    def save(self, network, optimizer, progress):
        """Write the state atomically."""
        state = {"network": network.state_dict(), "optimizer": optimizer.state_dict(), "run": vars(progress)}
        checkpoints.save_restart(self.path, {"fingerprint": self.fingerprint, **state})
        if self.asked_to_stop:
            self.say(f"terminated at step {progress.step}; the same command goes on from there")
            sys.exit(143)


def read_region(image_path, labels_path, weights_path=None):
    """A labelled region with its context as sampling.Region."""
    image, labels = io.open_volume(image_path), io.open_volume(labels_path)
    inner = [tuple(pair) for pair in image.attributes["inner"]]
    box = tuple(slice(a, b) for a, b in inner)
    if labels.shape != tuple(b - a for a, b in inner):
        raise ValueError(
            f"{labels_path}: its shape {labels.shape} is not the region's {tuple(b - a for a, b in inner)}."
        )
    around = np.full(image.shape, UNLABELLED, np.uint8)
    around[box] = labels[:]
    weights = np.zeros(image.shape, np.float32)
    if weights_path:
        weights[box] = io.open_volume(weights_path)[:]
    tensors = (torch.from_numpy(a) for a in (image[:].astype(np.float32), around, weights))
    return sampling.Region(*tensors, inner), image.attributes["normalization"]


def inner_image(volume):
    """The image (Z, Y, X) float32 of a stored region without the context around it."""
    return volume[tuple(slice(a, b) for a, b in volume.attributes["inner"])].astype(np.float32)


def history_table(history, experiment, seed, class_names):
    """The run's evaluations as a tidy table."""
    keys = {"experiment": experiment, "seed": seed}
    rows = []
    for row in history:
        at = {**keys, "step": row["step"], "epoch": row["epoch"]}
        for measure, unit in (("learning_rate", "1"), ("training_loss", "1"), ("eval_miou", "1")):
            rows.append({**at, "measure": measure, "class": "all", "value": row[measure], "unit": unit})
        for name, value in zip(class_names, row["eval_iou"]):
            rows.append({**at, "measure": "eval_iou", "class": name, "value": value, "unit": "1"})
    return pd.DataFrame(rows)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("train_images", "normalized train regions (OME-Zarr)", several=True)
    arguments.input("train_labels", "their labels, in the same order", several=True)
    arguments.input("train_weights", "their weight maps, in the same order", several=True)
    arguments.input("eval_images", "normalized eval regions", several=True)
    arguments.input("eval_labels", "their labels, in the same order", several=True)
    arguments.parameter("experiment", "name of the experiment", required=True)
    arguments.parameter(
        "settings",
        "the experiment's record: network, options, window, spacing, training, ...",
        json_argument,
        required=True,
    )
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("seed", "seed of the run; weights and data get one each from it", int, required=True)
    arguments.input("snapshot_image", "normalized eval region whose slice is predicted again and again", required=False)
    arguments.parameter("snapshot", "JSON record of region, slice, every_steps", json_argument)
    arguments.output("snapshots", "folder for the probabilities of that slice", required=False)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.setting("device", "auto, cpu or cuda", str, "auto")
    arguments.setting("restart", "where the restart state is kept")
    arguments.output("best", "checkpoint of the best evaluation (safetensors)")
    arguments.output("last", "checkpoint of the last step (safetensors)")
    arguments.output("history", "evaluations (csv)")
    args = arguments.parse(argv)

    torch.set_num_threads(args.threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    classes, experiment = Classes.from_records(args.classes), args.settings
    settings, window = experiment["training"], tuple(experiment["window"])
    weight_seed, data_seed = np.random.SeedSequence(args.seed).generate_state(2).tolist()
    weight_seed = experiment.get("weight_seed") if experiment.get("weight_seed") is not None else weight_seed
    data_seed = experiment.get("data_seed") if experiment.get("data_seed") is not None else data_seed

    def say(text):
        with contextlib.suppress(BrokenPipeError):  # a cluster that stops a job may stop its log's `tee` first
            print(f"{args.experiment} seed {args.seed}: {text}", file=sys.stderr, flush=True)

    triples = zip(args.train_images, args.train_labels, args.train_weights, strict=True)
    train_regions, normalizations = zip(*(read_region(*paths) for paths in triples))
    pairs = zip(args.eval_images, args.eval_labels, strict=True)
    eval_regions = [read_region(*paths)[0] for paths in pairs]
    if not any((region.labels != UNLABELLED).any() for region in eval_regions):
        raise ValueError(
            f"{', '.join(map(str, args.eval_labels))}: expected labelled voxels in the eval regions, by which the best state "
            f"is chosen, found nothing but {UNLABELLED} (unlabelled). Correct regions.<name>.labels of the regions with "
            "role eval, or move these regions to where the labels are."
        )

    computation = Computation(choose_card(args.device), settings["precision"], settings["channels_last"])
    tell(**computation.facts())
    torch.manual_seed(weight_seed)
    network = build_network(experiment["network"], n_channels=1, n_classes=len(classes.names), **experiment["options"])
    for region in train_regions:
        region.image, region.labels, region.weights = (
            t.to(computation.device) for t in (region.image, region.labels, region.weights)
        )
    sampler = sampling.Sampler(train_regions, network, window, experiment["spacing"], settings, data_seed)
    tile = tuple(experiment.get("tile") or window)
    snapshots = None
    if args.snapshots:
        volume, options = io.open_volume(args.snapshot_image), args.snapshot
        snapshots = Snapshots(
            f"{args.restart or args.snapshots}.frames",
            inner_image(volume),
            options["slice"],
            options["every_steps"],
            tile,
            len(classes.names),
            computation,
        )
    restart = None
    if args.restart:
        facts = [args.record, args.threads, str(computation), torch.__version__]
        restart = Restart(args.restart, files.hash_text(json.dumps(facts, sort_keys=True)), say)
    done = training.train(
        network,
        sampler,
        eval_regions,
        settings,
        computation,
        classes.group_ids,
        tile=tile,
        restart=restart,
        snapshots=snapshots,
        say=say,
    )

    spec = {
        "network": experiment["network"],
        "options": experiment["options"],
        "classes": list(classes.names),
        "targets": list(experiment.get("targets") or classes.names),
        "activation": experiment.get("activation", "softmax"),
        "decision": experiment.get("decision", "argmax"),
        "normalization": list(normalizations),
        "window": list(window),
        "tile": list(tile),
        "seeds": {"seed": args.seed, "weights": weight_seed, "data": data_seed},
        "precision": computation.precision,
        "experiment": args.experiment,
        "versions": {"torch": torch.__version__, "safetensors": safetensors.__version__},
    }
    best = {"step": done.best_step, "eval_miou": done.best_miou}
    checkpoints.write_checkpoint(args.best, done.best_state, {**spec, **best}, args.record)
    last = {"step": done.step, "eval_miou": done.history[-1]["eval_miou"], "stopped": done.stopped}
    checkpoints.write_checkpoint(args.last, network.state_dict(), {**spec, **last}, args.record)
    io.write_table(args.history, history_table(done.history, args.experiment, args.seed, classes.names), args.record)
    if snapshots:
        snapshots.gather(args.snapshots, done.step, classes.names, args.snapshot, volume.voxel_size_nm, args.record)
    if args.restart:
        files.remove(args.restart)


if __name__ == "__main__":
    run(main)
