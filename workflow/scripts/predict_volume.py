"""Predict a region or a whole volume with an ensemble, tile by tile, streaming to OME-Zarr.

The members of --members run over every tile once, in ranking order. From that one pass come the labels of any top-k mean
(--ensembles), of single members (--member-labels), of given sets of members (--sets), and 8-bit probabilities per class, or per
target of networks that give each by itself; their labels follow from these. A region stored with context around it is predicted
with it and written without it. --slab I-of-N writes the I-th part of the slices alone, for `gather_slabs.py` to join; with --restart
a killed job goes on at the last layer of shards. GPU when there is one.
"""

import contextlib
import json
import os
import sys
from pathlib import Path

import numpy as np
import torch

from command_line import Arguments, json_argument, run, tell
from densecell import budget, checkpoints, ensembling, files, io, prediction
from densecell.classes import BACKGROUND, UNLABELLED, Classes
from densecell.devices import Computation, tune_cpu
from densecell.normalization import normalize
from densecell.outputs import StoreSink, Wanted
from densecell.slab_state import SlabState
from gpu_choice import choose_card
from progress import Progress

AXES = {"z": -3, "y": -2, "x": -1}


def load_members(path, classes, computation, listed=()):
    """The networks of a member list, in ranking order, with their windows; their names (experiment, seed); and what their
    outputs mean, which must be the same.

    listed: the only checkpoints that it may name; empty: any.
    """
    members, names, decisions = [], [], []
    for entry in ensembling.checked_members(files.read_json(path), path):
        checkpoint = Path(os.path.normpath(Path(path).parent / entry["checkpoint"]))
        if listed and checkpoint.resolve() not in {Path(p).resolve() for p in listed}:
            raise ValueError(f"{path}: names the checkpoint {entry['checkpoint']!r}, which is none of --checkpoints.")
        network, spec = checkpoints.load_network(checkpoint, classes.names)
        try:
            decisions.append(prediction.make_decision(spec, classes))
        except ValueError as error:
            raise ValueError(f"{checkpoint}: {error}") from error
        if decisions[-1] != decisions[0]:
            raise ValueError(
                f"{checkpoint}: expected the targets, activation, threshold and compose of the first member, found others; an "
                "ensemble needs networks with equal ones. Train them alike, or make one ensemble of each."
            )
        members.append(prediction.Member(computation.place(network), tuple(spec.get("tile") or spec["window"])))
        names.append((entry["experiment"], entry["seed"]))
    return members, names, decisions[0]


def output_paths(args, names, targets):
    """{key of a result: path of its store}."""
    tops = zip(args.ensembles, args.ensemble_labels, strict=True)
    found = {("top", len(names) if k is None else k): path for k, path in tops}
    wanted = zip(args.member_names, args.member_labels, strict=True)
    found |= {("member", names.index(tuple(name))): path for name, path in wanted}
    sets = zip(args.sets, args.set_labels, strict=True)
    found |= {("set", tuple(names.index(tuple(name)) for name in chosen)): path for chosen, path in sets}
    if args.keep_members:
        for i, (experiment, seed) in enumerate(names):
            found["member", i] = Path(args.keep_members) / f"{experiment}_seed{seed}.ome.zarr"
    if args.probabilities:
        for c, name in enumerate(targets):
            found["probability", c] = Path(args.probabilities) / f"{name}.ome.zarr"
    return found


def mask_reader(path, image, classes):
    """A function of a box: where the labels of `path` are not of the background group (unlabelled counts as not)."""
    labels = io.open_volume(path)
    if labels.shape != image.shape:
        raise ValueError(
            f"{path}: expected a mask of the volume's size (z, y, x) = {image.shape}, found {labels.shape}. Check "
            "prediction.full_volumes.mask: its label source must cover the whole volume."
        )
    is_inside = np.ones(UNLABELLED + 1, dtype=bool)
    is_inside[: len(classes)] = classes.group_ids != BACKGROUND
    return lambda box: is_inside[labels[box]]


def slab_number(text):
    """(number, count) of `I-of-N`."""
    try:
        number, count = (int(part) for part in text.split("-of-"))
    except ValueError:
        raise ValueError(f"--slab: expected I-of-N, such as 1-of-4, found {text!r}.") from None
    return number, count


def restart_state(args, paths, computation, attributes):
    """The state of this job, which one of other inputs, settings, outputs or versions does not continue."""
    stores = sorted(str(path) for path in paths.values())
    facts = [args.record, args.slab, args.threads, str(computation), attributes, stores, torch.__version__]
    return SlabState(args.restart, files.hash_text(json.dumps(facts, sort_keys=True)))


def kept_at_once(paths, n_members, settings):
    """Of how many members, or sums over members, a tile's probabilities are held at once; with blend, a row of tiles'."""
    wanted = Wanted.of(paths)
    return len(wanted.sizes(n_members)) if settings.get("stitch") == "blend" else n_members if wanted.subsets else 1


def decision_facts(decision, classes):
    """What is recorded of how targets became labels."""
    composition = decision.composition
    return {
        "targets": list(decision.targets),
        "threshold": composition.threshold,
        "compose": composition.record(classes),
    }


def describe(plan, members, image, computation, limit, settings):
    """The plan in words, told before the work starts."""
    tiles = sorted({tuple(p.input_shape) for p in plan.placements})
    n_bytes = prediction.peak_memory(plan, members, computation)
    passes = 2 ** len(settings.get("flips") or [])
    more = plan.computed_voxels() * passes / (len(members) * np.prod(image.shape))
    return (
        f"{len(members)} networks, (z, y, x) = {image.shape}, {computation}; stitch {plan.facts['stitch']}, tiles of "
        f"{', '.join(map(str, tiles))}, {len(plan.tiling):,} of them, {more:.2f} x the volume's voxels a network; "
        f"memory about {n_bytes / 1e9:.2g} GB"
        + (f" of {limit / 1e9:.3g} GB" if plan.n_bytes else "")
        + (
            ", more than prediction.memory_gb allows: no smaller tile helps, fewer outputs at once would"
            if plan.n_bytes and n_bytes > limit
            else ""
        )
    )


def parse(argv):
    """The arguments."""
    arguments = Arguments(__doc__)
    arguments.input("members", "member list (json)")
    arguments.input("checkpoints", "the checkpoints it names (for the record)", several=True, required=False)
    arguments.input("image", "volume or normalized region (OME-Zarr)")
    arguments.input(
        "intensity", "statistics to normalize a volume with (json); absent: it is normalized", required=False
    )
    arguments.input("mask", "labels whose background is not predicted (OME-Zarr)", required=False)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter(
        "settings",
        "stitch, tile, halo, overlap, taper, flips, precision, memory_gb",
        json_argument,
        {"stitch": "depth"},
    )
    arguments.parameter("ensembles", "JSON list of k, one for each of --ensemble-labels", json_argument, [])
    arguments.output("ensemble_labels", "labels of the mean over the first k members", several=True, required=False)
    arguments.parameter(
        "member_names", "JSON list of [experiment, seed], one for each of --member-labels", json_argument, []
    )
    arguments.output("member_labels", "labels of single members", several=True, required=False)
    arguments.parameter(
        "sets", "JSON list of lists of [experiment, seed], one for each of --set-labels", json_argument, []
    )
    arguments.output("set_labels", "labels of the mean over these members", several=True, required=False)
    arguments.output(
        "probabilities", "folder for one volume of 8-bit probabilities per class or target", required=False
    )
    arguments.output("keep_members", "folder for one volume of labels per member", required=False)
    arguments.setting("slab", "I-of-N: the part of the slices to write")
    arguments.setting("restart", "folder for what is needed to go on after a crash")
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.setting("device", "auto, cpu or cuda", str, "auto")
    args = arguments.parse(argv)
    if args.keep_members and args.member_labels:
        raise ValueError("--keep-members and --member-labels name the same outputs; give one of them.")
    return args


def main(argv=None):
    args = parse(argv)
    slab = slab_number(args.slab) if args.slab else None
    torch.set_num_threads(args.threads)
    io.use_threads(args.threads)
    tune_cpu()
    classes, settings = Classes.from_records(args.classes), args.settings
    computation = Computation(choose_card(args.device), settings.get("precision") or "auto", inference=True)
    tell(**computation.facts())
    members, names, decision = load_members(args.members, classes, computation, args.checkpoints)
    image = io.open_volume(args.image)
    inner = [tuple(pair) for pair in image.attributes.get("inner", [[0, n] for n in image.shape])]
    intensity = files.read_json(args.intensity) if args.intensity else None
    paths = output_paths(args, names, decision.targets)
    if not paths:
        raise ValueError("expected something to write, such as --ensemble-labels, found nothing")
    limit = budget.memory_budget(settings.get("memory_gb"), computation.device, args.threads)
    plan = prediction.make_plan(
        members, image.shape, settings, computation, inner=inner, budget=limit, n_stores=len(paths),
        n_kept=kept_at_once(paths, len(members), settings), n_classes=len(decision.targets), itemsize=image.dtype.itemsize,
    )  # fmt: skip
    print(
        f"predict_volume: {describe(plan, members, image, computation, limit, settings)}", file=sys.stderr, flush=True
    )

    shape = tuple(b - a for a, b in inner)
    origin = tuple(o + a * v for o, (a, _), v in zip(image.origin_nm, inner, image.voxel_size_nm))
    attributes = {
        "normalization": intensity or image.attributes.get("normalization"),
        "members": [list(n) for n in names],
        "prediction": {**plan.facts, "flips": settings.get("flips") or [], "precision": computation.precision},
    }
    if decision.composition:
        attributes["decision"] = decision_facts(decision, classes)
    state = restart_state(args, paths, computation, attributes) if args.restart else None

    with contextlib.ExitStack() as stack:
        writers = {
            key: stack.enter_context(
                io.new_volume(
                    path, shape, np.uint8, image.voxel_size_nm, origin, args.record, attributes=attributes,
                    slab=slab, unfinished=state.store(path) if state else None,
                )
            )
            for key, path in paths.items()
        }  # fmt: skip
        first, last = next(iter(writers.values())).slices
        start = first + (state.done if state else 0)
        if start > first:
            print(f"predict_volume: going on at slice {start} of {last}", file=sys.stderr, flush=True)
        progress = Progress((last - start) * shape[1] * shape[2], "voxels")

        def written(z):
            if state:
                state.save(z - first, writers.values())

        sink = StoreSink(writers, plan.depth, (start, last), written, decision)
        background = int(np.argmax(classes.group_ids == BACKGROUND))
        prediction.predict(
            members, image, computation, plan, sink, inner=inner, z_range=(start, last), background=background,
            normalize=(lambda block: normalize(block, intensity)) if intensity else None,
            inside=mask_reader(args.mask, image, classes) if args.mask else None,
            flips=tuple(AXES[axis] for axis in settings.get("flips") or []), progress=progress.step,
        )  # fmt: skip
    if state:
        state.remove()


if __name__ == "__main__":
    run(main)
