"""How fast is a volume predicted: beside the bare forward pass, beside MONAI's sliding window, beside the hardware's limit?

The main network; same weights, precision and cores for all. Three parts: (1) a search at a small width over MONAI's
settings, with a network that was trained for a minute, each scored by how many voxels get the label that the whole
volume in one piece and in float32 gets; (2) the rates at the full width, in turns: densecell from array to array, the
bare forward pass over the same tiles, MONAI at its usual settings and at the fastest that the search found; (3) an ensemble of
four beside one network, and from and to OME-Zarr. Times for 10^9 voxels follow from the time per computed voxel and the tiles of a
volume of 1000 x 1000 x 1000.

    python benchmarks/predict.py --threads 2
    python benchmarks/predict.py --device cuda --shape 50 1024 1024 --search-width 64 --search-shape 40 1024 1024
"""

import json
import math
import sys
import tempfile
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import measuring
import numpy as np
import torch
from scipy import ndimage
from synthetic import CLASSES, CLASSES_JSON, Stack, write_members, write_slabs
from torch.nn import functional
from torch.utils.flop_counter import FlopCounterMode

import predict_volume
from densecell import files, prediction
from densecell.budget import memory_budget
from densecell.devices import Computation, tune_cpu
from densecell.networks import build_network
from densecell.outputs import ArraySink, labels_of

try:
    from monai.inferers import sliding_window_inference
    from monai.inferers.utils import _get_scan_interval
except ImportError:
    sliding_window_inference = None

NETWORK, OPTIONS = "hybrid_2d3d_333", {"predictor_relu": False}
LARGE = (1000, 1000, 1000)
OURS = {
    "depth": {"stitch": "depth"},
    "halo": {"stitch": "halo"},  # the default: as deep as the window, a slice of margin in z
    "halo, no margin in z": {"stitch": "halo", "tile": ["window", "auto", "auto"], "halo": [0, "auto", "auto"]},
    "halo, whole depth": {"stitch": "halo", "halo": "auto"},
}
USUAL = {"overlap": 0.25, "mode": "gaussian"}


@dataclass
class Setup:
    """What all ways share: a network, its window, how it is computed, and the bytes a tile may take."""

    network: torch.nn.Module
    window: tuple
    computation: Computation
    budget: int

    def forward(self, x):
        """Logits of the main output, float32."""
        return self.computation.forward(self.network, x)[0].float()

    @property
    def member(self):
        return prediction.Member(self.network, self.window)

    def plan(self, shape, settings, members=1):
        return prediction.make_plan([self.member] * members, shape, settings, self.computation, budget=self.budget)


def make_setup(width, args):
    """A Setup with an untrained network."""
    torch.manual_seed(0)
    computation = Computation(args.device, args.precision, inference=True)
    network = build_network(NETWORK, n_classes=len(CLASSES), base_width=width, **OPTIONS).eval()
    limit = memory_budget(args.memory_gb, computation.device, args.threads)
    return Setup(computation.place(network), tuple(args.window), computation, limit)


def make_image(shape):
    """A normalized texture (Z, Y, X), float32."""
    stack = Stack(max(shape[1:]))
    slices = [stack.image(z)[: shape[1], : shape[2]] for z in range(shape[0])]
    return (np.stack(slices).astype(np.float32) - 128) / 40


def teach(setup, image, steps, side=96):
    """Train the network for some steps to tell what has neighbors of equal brightness, a class for each level; returns the share of
    voxels it gets right in the last step. An untrained network would tell little about borders of tiles.
    """
    smooth = ndimage.gaussian_filter(image, (0.5, 3, 3))
    labels = np.searchsorted(np.quantile(smooth, np.linspace(0, 1, len(CLASSES) + 1)[1:-1]), smooth)
    shape = tuple(min(n, m) for n, m in zip((setup.window[0], side, side), image.shape))
    rng, device = np.random.default_rng(0), setup.computation.device
    optimizer = torch.optim.AdamW(setup.network.parameters(), 0.002)
    for step in range(steps):
        corner = [rng.integers(0, n - m + 1) for n, m in zip(image.shape, shape)]
        box = tuple(slice(c, c + m) for c, m in zip(corner, shape))
        logits = setup.forward(torch.from_numpy(image[box])[None, None])
        target = torch.from_numpy(labels[box])[None].to(device)
        optimizer.param_groups[0]["lr"] = 0.002 * min(1, (step + 1) / 20) * (1 - step / steps)
        optimizer.zero_grad()
        functional.cross_entropy(logits, target).backward()
        torch.nn.utils.clip_grad_norm_(setup.network.parameters(), 5)
        optimizer.step()
    return float((logits.argmax(1) == target).float().mean())


# -------------------------------------------------------------------------------------------------------------- ways
def densecell_labels(setup, image, plan, members=1):
    """Labels of an array by the engine."""
    sink = ArraySink(image.shape, n_members=members)
    prediction.predict([setup.member] * members, image, setup.computation, plan, sink)
    return sink.labels


@torch.no_grad()
def bare_forward(setup, shape):
    """A forward pass of a tile, and nothing else: the engine's limit."""
    setup.computation.forward(setup.network, torch.zeros(1, 1, *shape))


@torch.no_grad()
def monai_labels(setup, image, plain=False, **settings):
    """Labels of an array by MONAI's sliding window; plain: the network as PyTorch lays it out, not channels last."""
    device, precision = setup.computation.device, setup.computation.precision
    computation = Computation(device.type, precision, False, inference=True) if plain else setup.computation
    x = torch.from_numpy(image)[None, None].to(device)
    logits = sliding_window_inference(
        x, predictor=lambda w: computation.forward(setup.network, w)[0].float(), **settings
    )
    return labels_of(logits[0]).cpu().numpy()


@torch.no_grad()
def whole_labels(setup, image):
    """Labels by the network run once over the whole volume in float32."""
    exact = Computation(setup.computation.device.type, "float32", inference=True)
    return labels_of(exact.forward(setup.network, torch.from_numpy(image)[None, None])[0][0].float()).cpu().numpy()


def monai_computed(shape, settings):
    """Input voxels over all of MONAI's windows for a volume."""
    roi = [min(r, n) for r, n in zip(settings["roi_size"], shape)]
    interval = _get_scan_interval(shape, roi, 3, [settings["overlap"]] * 3)
    windows = (1 + max(0, -(-(n - r) // i)) for n, r, i in zip(shape, roi, interval))
    return math.prod(windows) * math.prod(roi)


# ------------------------------------------------------------------------------------------------------------ search
def grid(setup, shape, quick):
    """MONAI's settings that are searched: windows, overlaps, weights of the windows, windows at once. The last ones have the tiles of
    densecell, a whole plane; their borders in y and x are the volume's."""
    z, y, x = setup.window
    plane = tuple(n // 8 * 8 for n in shape[1:])
    wide = tuple(min(3 * n // 16 * 8, m) for n, m in zip((y, x), plane))
    rois = [setup.window] if quick else dict.fromkeys([setup.window, (z, *wide), (2 * z, *wide), (z, *plane)])
    for roi in rois:
        # without overlap the weights cancel out; more windows at once for the small one, which fills the processor least
        for overlap, mode in ((0, "constant"), (0.25, "constant"), (0.25, "gaussian"), (0.5, "gaussian")):
            for batch in (1, 4) if roi == setup.window and overlap == 0.25 else (1,):
                yield {"roi_size": roi, "overlap": overlap, "mode": mode, "sw_batch_size": batch}


def large_settings(settings, shape):
    """MONAI's settings for the large volume: a window that covers a plane covers that one's plane too."""
    roi = settings["roi_size"]
    covers = roi[1:] == tuple(n // 8 * 8 for n in shape[1:])
    return {**settings, "roi_size": (roi[0], *LARGE[1:])} if covers else settings


def search(setup, image, quick):
    """[(name, time for the large volume, agreement with the whole volume in per cent, settings)] of the small network, in every way.

    The time follows from the time per computed voxel and the windows of the large volume; it is 0 for densecell.
    """
    expected, rows = whole_labels(setup, image), []
    ways = {f"densecell, {n}": (densecell_labels, {"plan": setup.plan(image.shape, s)}) for n, s in OURS.items()}
    if sliding_window_inference:
        ways |= {f"MONAI, {told(s)}": (monai_labels, s) for s in grid(setup, image.shape, quick)}
    for name, (function, options) in ways.items():
        started = time.perf_counter()
        labels = function(setup, image, **options)
        seconds, large = time.perf_counter() - started, 0
        if "plan" not in options:
            computed = monai_computed(image.shape, options)
            large = seconds / computed * monai_computed(LARGE, large_settings(options, image.shape))
        agreement = 100 * float((labels == expected).mean())
        rows.append((name, large, agreement, {} if "plan" in options else options))
        line = f"{image.size / seconds:.3g} voxels/s, {agreement:.2f} % as the whole volume"
        print(f"search: {name}: {line}", file=sys.stderr, flush=True)
    return rows


def best_at_equal_results(rows, agreement):
    """Of MONAI's rows the fastest that agrees with the whole volume as well, less 0.1 points; None where none does."""
    equal = [row for row in rows if row[0].startswith("MONAI") and row[2] >= agreement - 0.1]
    return min(equal, key=lambda row: row[1], default=None)


def told(settings):
    """MONAI's settings in words."""
    roi, batch = settings["roi_size"], settings["sw_batch_size"]
    return f"window {tuple(roi)}, overlap {settings['overlap']}, {settings['mode']}, {batch} at once"


# ------------------------------------------------------------------------------------------------------------- rates
@dataclass
class Way:
    """One way to predict: a function without arguments, voxels it computes for the measured and for the large volume, its
    agreement in the search (per cent), the MONAI row that is its equal, and its floor: (the name of a bare pass, how many)."""

    run: object
    computed: int
    computed_large: int
    agreement: float | None = None
    equal: tuple | None = None
    floor: tuple | None = None


def fit(settings, shape):
    """MONAI's settings with the window cut to the volume."""
    z, *plane = (min(r, n) for r, n in zip(settings["roi_size"], shape))
    return {**settings, "roi_size": (z, *(n // 8 * 8 for n in plane))}


def our_ways(setup, image, found):
    """{name: Way} of the engine, and the bare forward passes over its tiles."""
    ways = {}
    for name, settings in OURS.items():
        plan, large = setup.plan(image.shape, settings), setup.plan(LARGE, settings)
        row = next(row for row in found if row[0] == f"densecell, {name}")
        counts = plan.computed_voxels(), large.computed_voxels()
        bare, shape = f"bare forward pass of a tile of {name}", plan.placements[0].input_shape
        run = partial(densecell_labels, setup, image, plan)
        equal, n_tiles = best_at_equal_results(found, row[2]), len(plan.tiling)
        ways[row[0]] = Way(run, *counts, row[2], equal, (bare, n_tiles))
        ways[bare] = Way(partial(bare_forward, setup, shape), math.prod(shape), counts[1])
    return ways


def monai_ways(setup, image, found, small_shape):
    """{name: Way} of MONAI: as it is usually called, the fastest of the search, and the equals of our rows."""
    usual = {batch: {"roi_size": setup.window, **USUAL, "sw_batch_size": batch} for batch in (1, 4)}
    ways = {f"MONAI, usual, {batch} at once": (True, settings) for batch, settings in usual.items()}
    chosen = [min((r for r in found if r[0].startswith("MONAI")), key=lambda row: row[1])]
    chosen += [best_at_equal_results(found, row[2]) for row in found if row[0].startswith("densecell")]
    ways |= {row[0]: (False, row[3]) for row in chosen if row}
    agreements = {row[0]: row[2] for row in found}
    made = {}
    for name, (plain, settings) in ways.items():
        here = fit(large_settings(settings, small_shape), image.shape)
        run = partial(monai_labels, setup, image, plain=plain, **here)
        counts = monai_computed(image.shape, here), monai_computed(LARGE, large_settings(settings, small_shape))
        made[name] = Way(run, *counts, agreements[f"MONAI, {told(settings)}"])
    return made


def from_and_to_zarr(setup, image_depth, side, folder, threads):
    """A function that runs predict_volume.py's main on a uint8 volume on disk, and what it is given."""
    write_slabs(folder / "image.ome.zarr", image_depth, side, Stack(side).image, attributes={})
    numbers = {"method": "zscore", "mean": 128.0, "std": 40.0, "count": image_depth * side**2}
    files.write_json(folder / "intensity.json", numbers, {})
    width = setup.network.predictor_3d.in_channels
    write_members(folder, [setup.network], NETWORK, {"base_width": width, **OPTIONS}, setup.window)
    settings = {**OURS["halo"], "memory_gb": setup.budget / 1e9, "precision": setup.computation.precision}
    arguments = {
        "members": folder / "members.json",
        "image": folder / "image.ome.zarr",
        "intensity": folder / "intensity.json",
        "classes": CLASSES_JSON,
        "settings": json.dumps(settings),
        "ensembles": "[1]",
        "ensemble-labels": folder / "labels.ome.zarr",
        "threads": threads,
        "device": setup.computation.device.type,
    }
    return partial(predict_volume.main, [word for k, v in arguments.items() for word in (f"--{k}", str(v))])


def table(ways, seconds, size, flops, peak, usual):
    """Rows of the report from {name: Way} and {name: seconds of each turn}."""
    middle = measuring.median(seconds)
    large = {name: middle[name] / way.computed * way.computed_large for name, way in ways.items()}
    rows = []
    for name, way in ways.items():
        measured = measuring.ratio(seconds, usual, name) if usual and not name.startswith("bare") else ""
        equal = large[way.equal[0]] / large[name] if way.equal else ""
        engine = way.floor[1] * measuring.ratio(seconds, way.floor[0], name) if way.floor else ""
        share = flops * way.computed / middle[name] / peak
        agreement = "" if way.agreement is None else way.agreement
        rate = size / middle[name] if not name.startswith("bare") else ""
        volume = [rate, way.computed_large / math.prod(LARGE), agreement, share, large[name] / 60]
        rows.append([name, measured, large[usual] / large[name] if usual else "", equal, engine, *volume])
    return rows


COLUMNS = (
    "way",
    "times MONAI's usual speed, here",
    "for 10^9 voxels",
    "times MONAI's best at equal results, for 10^9 voxels",
    "bare forward passes / this",
    "voxels/s, here",
    "computed per voxel, for 10^9 voxels",
    "labels as of the whole volume, %",
    "share of the matrix rate",
    "minutes for 10^9 voxels",
)


def flops_per_voxel(width, window):
    """Floating point operations of a forward pass per input voxel."""
    with torch.device("meta"), torch.no_grad(), FlopCounterMode(display=False) as counter:
        network = build_network(NETWORK, n_classes=len(CLASSES), base_width=width, **OPTIONS)
        network(torch.empty(1, 1, *window))
    return counter.get_total_flops() / math.prod(window)


def parse(argv):
    parser = measuring.parser(__doc__)
    parser.add_argument("--base-width", type=int, default=64, help="of the rates")
    parser.add_argument("--shape", type=int, nargs=3, default=[15, 304, 304], help="volume of the rates (z, y, x)")
    parser.add_argument("--window", type=int, nargs=3, default=[5, 304, 304], help="the training window")
    parser.add_argument("--search-width", type=int, default=8)
    parser.add_argument("--search-shape", type=int, nargs=3, default=[16, 512, 512])
    parser.add_argument("--steps", type=int, default=300, help="training of the search's network")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--memory-gb", default="auto", help="what a halo tile may take; auto: as in a prediction")
    parser.add_argument("--repeats", type=int, default=2, help="turns of the rates")
    parser.add_argument("--quick", action="store_true", help="small network and volumes: does it run")
    args = parser.parse_args(argv)
    if args.quick:
        args.base_width, args.search_width, args.window, args.repeats, args.steps = 2, 4, [3, 32, 32], 1, 3
        args.shape = args.search_shape = [4, 64, 64]
    return args


def main(argv=None):
    args = parse(argv)
    torch.set_num_threads(args.threads)
    tune_cpu()  # as predict_volume.py does; MONAI gains from it as well
    small_image, image = make_image(args.search_shape), make_image(args.shape)
    small = make_setup(args.search_width, args)
    right = teach(small, small_image, args.steps)
    found = search(small, small_image, args.quick)
    setup = make_setup(args.base_width, args)
    device, precision = setup.computation.device, setup.computation.precision
    ways, usual = our_ways(setup, image, found), None
    if sliding_window_inference:
        ways, usual = ways | monai_ways(setup, image, found, tuple(args.search_shape)), "MONAI, usual, 1 at once"
    with tempfile.TemporaryDirectory() as work:
        halo = ways["densecell, halo"]
        run = from_and_to_zarr(setup, args.shape[0], args.shape[1], Path(work), args.threads)
        name = "densecell, halo, from and to OME-Zarr"
        ways[name] = Way(run, halo.computed, halo.computed_large, None, halo.equal, halo.floor)
        seconds = measuring.paired({name: way.run for name, way in ways.items()}, args.repeats, 0, device)
    plans = {n: small.plan(small_image.shape, OURS["halo"], n) for n in (1, 4)}
    members = {n: partial(densecell_labels, small, small_image, plan, n) for n, plan in plans.items()}
    ensemble = measuring.ratio(measuring.paired(members, args.repeats + 1, 1, device), 4, 1)
    peak = measuring.matrix_rate(precision, device)
    flops = flops_per_voxel(args.base_width, args.window)
    rows = table(ways, seconds, image.size, flops, peak, usual)
    notes = [
        f"Base width {args.base_width}, {precision}, window {tuple(args.window)}; rates on a volume of {tuple(args.shape)}, search and "
        f"labels on {tuple(args.search_shape)} at base width {args.search_width}. {flops / 1e6:.3f} MFLOP per voxel; a matrix product "
        f"reached {peak / 1e9:.0f} GFLOP/s. The search's "
        f"network got {right:.0%} of the voxels of its last window right. A MONAI window as wide as the search's volume is a whole "
        f"plane in the rates and for 10^9 voxels too. An ensemble of four takes {ensemble:.2f} times as long as one network.",
    ]
    if not sliding_window_inference:
        notes.append("MONAI is not installed (requirements-bench.txt): no comparison.")
    facts = {
        "search": found,
        "ensemble_of_four": ensemble,
        "flop_per_voxel": flops,
        "matrix_rate": peak,
        "seconds": seconds,
    }
    measuring.report("predict", COLUMNS, rows, args, notes=notes, device=device, **facts)


if __name__ == "__main__":
    main()
