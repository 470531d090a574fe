"""Train one network with one seed on the training regions and keep its best and last checkpoint.

Reads the normalized regions with their labels and weight maps, with sigmoid a target map for each target; of a draw only the
slices that the seed trains on. Writes best.safetensors (highest eval MIoU over all classes or targets; without eval regions the
last step), last.safetensors and history.csv. A restart state, written every few minutes, lets a killed job go on where it
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
from densecell.composition import make_composition
from densecell.devices import Computation
from densecell.evaluation import Meaning
from densecell.networks import build_network
from densecell.snapshots import Snapshots
from gpu_choice import choose_card
from training_inputs import drawn_slices, readers, train_regions


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


def inner_image(volume):
    """The image (Z, Y, X) float32 of a stored region without the context around it."""
    return volume[tuple(slice(a, b) for a, b in volume.attributes["inner"])].astype(np.float32)


def history_table(history, experiment, seed, class_names):
    """The run's losses and evaluations as a tidy table. class_names: of the classes or targets."""
    keys = {"experiment": experiment, "seed": seed}
    rows = []
    for row in history:
        at = {**keys, "step": row["step"], "epoch": row["epoch"]}
        for measure in ("learning_rate", "training_loss", "eval_miou"):
            if measure in row:
                rows.append({**at, "measure": measure, "class": "all", "value": row[measure], "unit": "1"})
        for name, value in zip(class_names, row.get("eval_iou", ())):
            rows.append({**at, "measure": "eval_iou", "class": name, "value": value, "unit": "1"})
    return pd.DataFrame(rows)


def check_evaluated(regions, experiment, paths):
    """Raise ValueError for a training that eval regions are to evaluate and that has none with labels."""
    if experiment.get("evaluate", "eval") != "eval" or any((np.asarray(r.labels) != UNLABELLED).any() for r in regions):
        return
    raise ValueError(
        f"{', '.join(map(str, paths)) or 'experiments.evaluate: eval'}: expected labelled voxels in the eval regions, by which the best "
        f"state is chosen, found nothing but {UNLABELLED} (unlabelled). Correct regions.<name>.labels of the regions with role eval, move "
        "these regions to where the labels are, or set evaluate: held_out or none."
    )


def specification(args, experiment, classes, targets):
    """What a checkpoint says beside its weights."""
    spec = {
        "network": experiment["network"],
        "options": experiment["options"],
        "classes": list(classes.names),
        "targets": targets,
        "activation": experiment.get("activation", "softmax"),
        "decision": experiment.get("decision", "argmax"),
        "window": list(experiment["window"]),
        "experiment": args.experiment,
        "versions": {"torch": torch.__version__, "safetensors": safetensors.__version__},
    }
    if spec["activation"] == "sigmoid":
        composition = make_composition(targets, classes, experiment.get("compose"), experiment.get("threshold"))
        spec |= {"threshold": composition.threshold, "compose": composition.record(classes)}
    return spec


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("train_images", "normalized train regions (OME-Zarr)", several=True)
    arguments.input("train_labels", "their labels, in the same order", several=True, required=False)
    arguments.input("train_targets", "with sigmoid, of each all target maps", several=True, required=False)
    arguments.input("train_weights", "their weight maps, in the same order; none: 1", several=True, required=False)
    arguments.input("draw", "draws: the slices that each seed trains on (csv)", required=False)
    arguments.parameter("regions", "JSON list of the names of the train regions, for --draw", json_argument, [])
    arguments.input("eval_images", "normalized eval regions", several=True, required=False)
    arguments.input("eval_labels", "their labels, in the same order", several=True, required=False)
    arguments.input("eval_targets", "with sigmoid, of each all target maps", several=True, required=False)
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

    targets = list(experiment.get("targets") or classes.names)
    spec = specification(args, experiment, classes, targets)
    of_eval = readers(args.eval_images, args.eval_labels, args.eval_targets, len(targets))
    eval_regions = [reader.labelled() if args.eval_targets else reader.whole() for reader in of_eval]
    check_evaluated(eval_regions, experiment, args.eval_labels or args.eval_targets)

    computation = Computation(choose_card(args.device), settings["precision"], settings["channels_last"])
    tell(**computation.facts())
    torch.manual_seed(weight_seed)
    network = build_network(experiment["network"], n_channels=1, n_classes=len(targets), **experiment["options"])
    of_train = readers(args.train_images, args.train_labels, args.train_targets, len(targets), args.train_weights)
    drawn = drawn_slices(args.draw, args.seed, args.regions) if args.draw else None
    chosen = drawn and [drawn[name] for name in args.regions]
    regions = train_regions(of_train, network, window, chosen, settings["sampler"])
    for region in regions:
        region.image, region.labels, region.weights = (
            t.to(computation.device) for t in (region.image, region.labels, region.weights)
        )
    sampler = sampling.make_sampler(regions, network, window, experiment["spacing"], settings, data_seed, targets)
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
            len(targets),
            computation,
            spec["activation"],
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
        Meaning(classes.group_ids, spec["activation"], spec.get("threshold", 0.5)),
        tile=tile,
        restart=restart,
        snapshots=snapshots,
        say=say,
    )

    spec |= {
        "normalization": [reader.image.attributes["normalization"] for reader in of_train],
        "tile": list(tile),
        "seeds": {"seed": args.seed, "weights": weight_seed, "data": data_seed},
        "precision": computation.precision,
    }
    best = {"step": done.best_step, "eval_miou": done.best_miou}
    checkpoints.write_checkpoint(args.best, done.best_state, {**spec, **best}, args.record)
    last = {"step": done.step, "eval_miou": done.history[-1].get("eval_miou"), "stopped": done.stopped}
    checkpoints.write_checkpoint(args.last, network.state_dict(), {**spec, **last}, args.record)
    io.write_table(args.history, history_table(done.history, args.experiment, args.seed, targets), args.record)
    if snapshots:
        snapshots.gather(args.snapshots, done.step, targets, args.snapshot, volume.voxel_size_nm, args.record)
    if args.restart:
        files.remove(args.restart)


if __name__ == "__main__":
    run(main)
