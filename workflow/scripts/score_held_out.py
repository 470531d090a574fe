"""Score one training on the labelled slices that its draw left out, and keep what it predicts there.

Each held-out slice is predicted by itself, with the settings of the prediction. The table holds, for each of them and each target, the
sums from which Dice, precision and recall follow (tp, fp, fn, tn, sum_pg, sum_pp, sum_gg, n_valid; voxels): a voxel is predicted where its
probability in 256 steps reaches the threshold, soft sums are of these probabilities. Unknown voxels (255) are not read; in slices
where only some objects were drawn, only voxels of these are. A slice without such a voxel is left out. --scored-targets scores on a region of finer voxels,
onto which the probabilities are interpolated. The folder gets one volume a target, uint8, 255 is probability 1.
"""

import contextlib
from pathlib import Path

import numpy as np
import pandas as pd
import torch

from command_line import Arguments, json_argument, run, tell
from densecell import budget, checkpoints, composition, finer_grid, io, overlap, prediction
from densecell.classes import Classes
from densecell.devices import Computation, tune_cpu
from densecell.outputs import Decision, ProbabilitySink
from gpu_choice import choose_card
from progress import Progress

AXES = {"z": -3, "y": -2, "x": -1}
SCORED_USES = ("held_out", "incomplete")


class Region:
    """A region with the maps of the targets that score it, its keys in the table, and the image that is predicted, if it is."""

    def __init__(self, place, targets, image=None):
        self.place, self.targets = place, [io.open_volume(path) for path in targets]
        self.image = io.open_volume(image) if image else None
        stored = self.image or self.targets[0]
        whole = [[0, n] for n in stored.shape]
        self.inner = self.image.attributes.get("inner", whole) if image else whole
        self.shape = tuple(stop - start for start, stop in self.inner)
        self.voxel_size_nm = stored.voxel_size_nm
        starts = zip(stored.origin_nm, self.inner, stored.voxel_size_nm)
        self.origin_nm = tuple(o + a * v for o, (a, _), v in starts)

    def check(self, names):
        """Raise ValueError unless there is a map of each target, of the region's size."""
        if len(self.targets) != len(names):
            raise ValueError(f"targets: expected one for each of {', '.join(names)}, found {len(self.targets)}.")
        for volume in self.targets:
            if volume.shape != self.shape:
                raise ValueError(
                    f"{volume.path}: expected the size of the region {self.place['region']}, (z, y, x) = {self.shape}, found "
                    f"{volume.shape}. Delete it; the next run makes it again."
                )


def held_out_slices(draw, seed, regions):
    """The rows of the draw table that score a seed, by region and slice. Raises ValueError where there are none."""
    mine = draw[(draw["seed"] == seed) & draw["use"].isin(SCORED_USES)]
    if not (mine["use"] == "held_out").any():
        raise ValueError(
            f"draw: expected held-out slices of seed {seed}, found none. Set evaluate: none, or draw fewer slices (experiments.draw)."
        )
    unknown = sorted(set(mine["region"]) - set(regions))
    if unknown:
        raise ValueError(f"draw: expected the regions {', '.join(regions)}, found also {', '.join(unknown)}.")
    return mine.sort_values(["region", "z"], kind="stable")


def parse(argv):
    """The arguments."""
    arguments = Arguments(__doc__)
    arguments.input("checkpoint", "the network (safetensors)")
    arguments.input("draw", "slices of every draw of the experiment (csv)")
    arguments.input("images", "normalized regions of the draw (OME-Zarr)", several=True)
    arguments.input("targets", "maps of the targets: all of the first region, then of the next", several=True)
    arguments.input("scored_targets", "maps of the targets in the region scored on", several=True, required=False)
    arguments.parameter("places", "JSON list of volume, region, reference, one an image", json_argument, required=True)
    arguments.parameter("scored_place", "JSON record of the same of --scored-targets", json_argument)
    arguments.parameter("experiment", "name of the experiment", required=True)
    arguments.parameter("seed", "which draw", int, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("settings", "stitch, tile, halo, flips, precision, ...", json_argument, {"stitch": "depth"})
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.setting("device", "auto, cpu or cuda", str, "auto")
    arguments.output("folder", "folder for one volume of probabilities per target")
    arguments.output("output", "overlap table (csv)")
    return arguments.parse(argv)


class HeldOutStores:
    """Writes predicted slices into one volume per target, a layer of chunks at a time; slices must come in order."""

    def __init__(self, stores):
        self.stores, self.layer, self.slices = stores, None, {}

    def add(self, z, q):
        """Keep slice z; q: (n_targets, Y, X) uint8."""
        layer = z // self.stores[0].slab_depth
        if layer != self.layer:
            self.flush()
        self.layer, self.slices[z] = layer, q

    def flush(self):
        """Write the slices of the layer; those between them, which nobody predicted, become 0."""
        if self.slices:
            first, last = min(self.slices), max(self.slices)
            block = np.zeros((len(self.stores), last - first + 1, *self.stores[0].shape[1:]), np.uint8)
            for z, q in self.slices.items():
                block[:, z - first] = q
            for store, slab in zip(self.stores, block):
                store.write(first, slab)
        self.slices = {}


def binary_maps(probabilities, decision, classes):
    """(q, passes) of all targets of one slice, (n_targets, Y, X) uint8 and bool, from its probabilities (n_targets, Y, X).

    With softmax the outputs are classes: a voxel passes where the likeliest one is the target or lies in it, and q is of the sum
    of these.
    """
    if decision.composition:
        q = composition.quantize(probabilities)
        return q, q >= composition.least_q(decision.composition.threshold)
    outputs = [classes.index(name) for name in decision.targets]
    members = [[outputs.index(i) for i in classes.members_of(number) if i in outputs] for number in outputs]
    likeliest = probabilities.argmax(axis=0)
    q = [composition.quantize(np.minimum(probabilities[some].sum(axis=0), 1)) for some in members]
    return np.stack(q), np.stack([np.isin(likeliest, some) for some in members])


def read_regions(args, names):
    """{name: Region} of the regions of the draw."""
    if not len(args.places) == len(args.images) or len(args.targets) != len(args.images) * len(names):
        raise ValueError(
            f"expected a place and {len(names)} targets for each of {len(args.images)} images, found {len(args.places)} places and "
            f"{len(args.targets)} targets."
        )
    parts = [args.targets[i * len(names) : (i + 1) * len(names)] for i in range(len(args.images))]
    found = {
        place["region"]: Region(place, targets, image) for place, targets, image in zip(args.places, parts, args.images)
    }
    for region in found.values():
        region.check(names)
    return found


def score_slice(maps, region, names, z, complete):
    """[(target, sums)] of slice z of a region, of the targets with a voxel to read there. maps: (q, passes) as of `binary_maps`."""
    found = []
    for name, q, passes, target in zip(names, *maps, region.targets):
        is_complete = complete and z not in target.attributes.get("incomplete_slices", ())
        found.append((name, overlap.slice_sums(target[z : z + 1][0], q, passes, is_complete)))
    return [(name, sums) for name, sums in found if sums["n_valid"]]


def predictor(member, region, decision, computation, args):
    """A function of a slice of a region: its probabilities (n_targets, Y, X) float32. Its tiles are planned once."""
    settings, n_targets = args.settings, len(decision.targets)
    limit = budget.memory_budget(settings.get("memory_gb"), computation.device, args.threads)
    plan = prediction.make_plan(
        [member], region.image.shape, settings, computation, inner=region.inner, budget=limit, n_classes=n_targets
    )
    flips = tuple(AXES[axis] for axis in settings.get("flips") or [])

    def predicted(z):
        sink = ProbabilitySink(n_targets, region.shape, (z, z + 1), Decision((), decision.activation))
        options = {"inner": region.inner, "z_range": (z, z + 1), "flips": flips}
        prediction.predict([member], region.image, computation, plan, sink, **options)
        return sink.probabilities[:, 0]

    return predicted


@contextlib.contextmanager
def held_out_stores(folder, region, names, rows, record):
    """The HeldOutStores of a region's predictions, one volume per target, which tell the slices that they hold."""
    attributes = {"slices": rows["z"].astype(int).tolist()}
    with contextlib.ExitStack() as stack:
        stores = HeldOutStores([
            stack.enter_context(
                io.new_volume(
                    Path(folder) / f"{name}.ome.zarr", region.shape, np.uint8, region.voxel_size_nm, region.origin_nm, record,
                    attributes=attributes,
                )
            )
            for name in names
        ])  # fmt: skip
        yield stores
        stores.flush()


def main(argv=None):
    args = parse(argv)
    torch.set_num_threads(args.threads)
    io.use_threads(args.threads)
    tune_cpu()
    classes = Classes.from_records(args.classes)
    computation = Computation(choose_card(args.device), args.settings.get("precision") or "auto", inference=True)
    tell(**computation.facts())
    network, spec = checkpoints.load_network(args.checkpoint, classes.names)
    decision = prediction.make_decision(spec, classes)
    names = list(decision.targets)
    member = prediction.Member(computation.place(network), tuple(spec.get("tile") or spec["window"]))
    regions = read_regions(args, names)
    scored = Region(args.scored_place, args.scored_targets) if args.scored_place else None
    if scored:
        scored.check(names)
    slices = held_out_slices(io.read_table(args.draw), args.seed, list(regions))
    threshold = decision.composition.threshold if decision.composition else float("nan")
    keys = {"experiment": args.experiment, "predictor": f"seed{args.seed}", "draw": args.seed, "threshold": threshold}

    progress, tables = Progress(len(slices), "slices"), []
    for name, rows in slices.groupby("region", sort=False):
        region = regions[name]
        folder = Path(args.folder) / name if len(regions) > 1 else args.folder
        predicted = predictor(member, region, decision, computation, args)
        with held_out_stores(folder, region, names, rows, args.record) as stores:
            for row in rows.itertuples(index=False):
                found = predicted(row.z)
                maps, place, z = binary_maps(found, decision, classes), region, row.z
                stores.add(row.z, maps[0])
                if scored:
                    z, place = finer_grid.matching_slice(row.z, region, scored), scored
                    maps = binary_maps(finer_grid.to_finer(found, region, scored), decision, classes)
                about = {**place.place, **keys, "n_slices": row.n_slices, "z": z, "distance": row.distance}
                for target, sums in score_slice(maps, place, names, z, row.use == "held_out"):
                    tables.append(overlap.overlap_table(sums, **about, **{"class": target}))
                progress.step()
    if not tables:
        region = (args.scored_place or args.places[0])["region"]
        raise ValueError(
            f"{args.draw}: expected a known voxel in the held-out slices of seed {args.seed}, found none in the region {region}. Check "
            "that its labels reach these slices, or set another experiments.scored_on, or evaluate: none."
        )
    io.write_table(args.output, pd.concat(tables, ignore_index=True), args.record)


if __name__ == "__main__":
    run(main)
