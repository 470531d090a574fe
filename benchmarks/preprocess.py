"""How fast are the steps before and after the networks, against the disk, the memory and the plain way to compute them?

Each step runs as in the workflow, from OME-Zarr to OME-Zarr or to a table, in a temporary folder. In the same rounds are timed

- zarr alone: the step's inputs are read and its output is written, with compression and hashes, and nothing is computed;
- a peer: the same numbers by plain NumPy or SciPy in one thread, on arrays in memory, against this library in one thread.

The memory's floor is the step's bytes, uncompressed, over the rate at which NumPy copies.

    python benchmarks/preprocess.py --threads 2 --shape 50 800 800
"""

import contextlib
import io as text
import json
import sys
import tempfile
from pathlib import Path

import measuring
import numpy as np
import synthetic
from scipy.ndimage import distance_transform_edt, gaussian_filter

import bin_volume
import build_weight_map
import compute_confusion_matrix
import compute_volume_fractions
import measure_intensity
import normalize_region
from densecell import io
from densecell.binning import bin_image
from densecell.metrics import confusion_counts
from densecell.normalization import IntensityStatistics, normalize
from densecell.volume_fractions import counts_near_reference
from densecell.weight_maps import class_balance_weights, weight_slice

N = len(synthetic.CLASSES)
GROUPS = np.array([("background", "cell", "organelle").index(group) for group in synthetic.GROUPS])
MARGINS_NM = [50.0, 100.0, 200.0]
WEIGHTS = {
    "class_weight_power": 1,
    "edge_sigma_px": 6,
    "edge_amplitude": 0.882,
    "edge_threshold": 0.25,
    "edge_scale": 1,
    "floor": 0.01,
}
KEYS = json.dumps({"volume": "v", "region": "r", "reference": "reference", "experiment": "e"})


# ------------------------------------------------------------------------------------------------------------- peers
def plain_weights(labels, balance):
    """The definition as written: the sources blurred one by one, every term on its own target."""
    weights = np.empty(labels.shape, np.float32)
    for z, plane in enumerate(labels):
        group = GROUPS[plane]
        blur = [0.882 * gaussian_filter((group == g).astype(np.float64), 6.0, truncate=4.0) for g in range(3)]
        total = np.where(group == 1, blur[0] + blur[2], blur[1])
        top = total.max()
        edges = np.maximum(total - 0.25, 0) * (top / (top - 0.25)) if top > 0.25 else np.zeros_like(total)
        weights[z] = 0.01 + balance[plane] + edges
    return weights


def plain_fractions(reference, predicted):
    """Distances in three dimensions to the reference's cell, cut at every margin."""
    distance_nm = distance_transform_edt(reference == 0, sampling=synthetic.VOXEL_SIZE_NM)
    return [np.bincount(predicted[distance_nm <= margin_nm], minlength=N) for margin_nm in MARGINS_NM]


def plain_bins(image):
    """Means of 2 x 2 blocks; a border that is no whole block is cut off."""
    y, x = (n - n % 2 for n in image.shape[1:])
    blocks = image[:, :y, :x].reshape(len(image), y // 2, 2, x // 2, 2)
    return np.rint(blocks.mean(axis=(2, 4))).astype(image.dtype)


def confusion_peer():
    """(name, function of reference and predicted): scikit-learn where it is installed, else NumPy."""
    try:
        from sklearn.metrics import confusion_matrix
    except ImportError:
        bins = [np.arange(N + 1)] * 2
        return "numpy.histogram2d", lambda a, b: np.histogram2d(a.ravel(), b.ravel(), bins)[0]
    return "scikit-learn", lambda a, b: confusion_matrix(a.ravel(), b.ravel(), labels=range(N))


def peers(image, reference, predicted):
    """Step -> (name of the peer, the peer, this library); all on arrays of a few slices, in one thread."""
    balance = class_balance_weights(np.bincount(reference.ravel(), minlength=N))
    numbers = IntensityStatistics().update(image).fit("zscore")
    name, plain_confusion = confusion_peer()

    def weights():
        return [weight_slice(plane, balance, GROUPS) for plane in reference]

    return {
        "weight map": ("scipy, three blurs", lambda: plain_weights(reference, balance), weights),
        "binning (1, 2, 2)": ("numpy", lambda: plain_bins(image), lambda: bin_image(image, (1, 2, 2))),
        "intensity": (
            "numpy",
            lambda: (image.mean(), image.std(), np.percentile(image, [1, 99])),
            lambda: IntensityStatistics().update(image).fit("percentile"),
        ),
        "normalization": (
            "numpy",
            lambda: ((image - numbers["mean"]) / numbers["std"]).astype(np.float32),
            lambda: normalize(image, numbers),
        ),
        "confusion": (
            name,
            lambda: [plain_confusion(a, b) for a, b in zip(reference, predicted)],
            lambda: confusion_counts(reference, predicted, N),
        ),
        "volume fractions": (
            "scipy, distances in 3D",
            lambda: plain_fractions(reference, predicted),
            lambda: counts_near_reference(reference, predicted, GROUPS, synthetic.VOXEL_SIZE_NM, MARGINS_NM),
        ),
    }


# ------------------------------------------------------------------------------------------------------------- steps
def write_inputs(folder, shape):
    """image, reference and predicted as OME-Zarr; three quarters of the reference are tissue."""
    depth, *plane = shape
    stack = synthetic.Stack(max(plane))
    cut = (slice(plane[0]), slice(plane[1]))
    for name, make in {"image": stack.image, "reference": stack.labels, "predicted": stack.labels}.items():
        shift = {"predicted": (0.9,)}.get(name, ())
        array = np.stack([make(z, *shift)[cut] for z in range(depth)])
        attributes = {
            "binning": [1, 1, 1],
            "left_out_slices": [],
            "class_counts": np.bincount(array.ravel(), minlength=N)[:N].tolist(),
        }
        path = folder / f"{name}.ome.zarr"
        io.write_volume(path, array, synthetic.VOXEL_SIZE_NM, record=synthetic.RECORD, attributes=attributes)


def steps(folder, threads):
    """Step -> (script's main, its arguments, its inputs, its output); the inputs as often as they are read."""
    image, reference, predicted = (str(folder / f"{n}.ome.zarr") for n in ("image", "reference", "predicted"))
    both = ["--reference", reference, "--predictions", predicted, "--predictors", '["p"]', "--keys", KEYS]
    classes = ["--classes", synthetic.CLASSES_JSON]
    settings, margins = json.dumps(WEIGHTS), json.dumps({"margins_nm": MARGINS_NM})
    maps = ["--labels", reference, "--all-labels", reference, "--settings", settings, *classes]
    jobs = {
        "weight map": (build_weight_map, maps, [reference], "weights.ome.zarr"),
        "binning (1, 2, 2)": (bin_volume, ["--image", image, "--binning", "[1, 2, 2]"], [image], "binned.ome.zarr"),
        "intensity": (measure_intensity, ["--image", image, "--method", "percentile"], [image], "intensity.json"),
        "normalization": (normalize_region, ["--image", image, "--region", '{"name": "r"}'], [image] * 2, "n.ome.zarr"),
        "confusion": (compute_confusion_matrix, [*both, *classes], [reference, predicted], "confusion.csv"),
        "volume fractions": (
            compute_volume_fractions,
            [*both, *classes, "--settings", margins],
            [reference, predicted],
            "fractions.csv",
        ),
    }
    made = {}
    for name, (script, arguments, inputs, output) in jobs.items():
        output = folder / output
        made[name] = (script, [*arguments, "--threads", str(threads), "--output", str(output)], inputs, output)
    return made


def run(script, arguments):
    with contextlib.redirect_stdout(text.StringIO()), contextlib.redirect_stderr(text.StringIO()):
        script.main(arguments)


def zarr_alone(inputs, result, folder):
    """Read volumes slab by slab, write `result` (an array or None) as one."""
    for path in inputs:
        volume = io.open_volume(path)
        for start, stop in volume.slabs():
            volume[start:stop]
    if result is not None:
        io.write_volume(folder / "copy.ome.zarr", result, synthetic.VOXEL_SIZE_NM, record=synthetic.RECORD)


def copy_rate(megabytes, repeats):
    """Bytes read and written per second by a NumPy copy in one thread."""
    source = np.ones(megabytes << 20, np.uint8)
    target = np.empty_like(source)
    seconds = measuring.median(measuring.paired({"copy": lambda: np.copyto(target, source)}, repeats))["copy"]
    return 2 * source.nbytes / seconds


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--shape", type=int, nargs=3, default=[50, 800, 800], help="voxels (z, y, x)")
    parser.add_argument("--peer-slices", type=int, default=8, help="slices in memory for the comparison with peers")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a small volume, once")
    args = parser.parse_args(argv)
    if args.quick:
        args.shape, args.repeats = [9, 96, 96], 1
    rate = copy_rate(8 if args.quick else 256, args.repeats)
    rows = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        write_inputs(folder, args.shape)
        arrays = [
            io.open_volume(folder / f"{n}.ome.zarr")[: args.peer_slices] for n in ("image", "reference", "predicted")
        ]
        compared = peers(*arrays)
        for name, (script, arguments, inputs, output) in steps(folder, args.threads).items():
            run(script, arguments)
            result = io.open_volume(output)[:] if output.suffix == ".zarr" else None
            n_bytes = sum(int(np.prod(args.shape)) for _ in inputs) + (0 if result is None else result.nbytes)
            peer_name, peer, ours = compared[name]
            turns = {
                "step": lambda script=script, arguments=arguments: run(script, arguments),
                "zarr": lambda inputs=inputs, result=result: zarr_alone(inputs, result, folder),
                "peer": peer,
                "ours": ours,
            }
            seconds = measuring.paired(turns, args.repeats)
            taken = measuring.median(seconds)["step"]
            ratios = [measuring.ratio(seconds, "step", "zarr"), taken * rate / n_bytes]
            ratios.append(measuring.ratio(seconds, "peer", "ours"))
            rows.append([name, *ratios, peer_name, taken, np.prod(args.shape) / taken / 1e6, n_bytes / taken / 1e6])
            print(f"{name}: {taken:.3f} s", file=sys.stderr, flush=True)
    columns = ("step", "x zarr alone", "x memory", "peer's time / ours", "peer", "s", "Mvoxel/s", "MB/s")
    size = " x ".join(map(str, args.shape))
    notes = [f"{size} voxels, {args.threads} threads; NumPy copies {rate / 1e9:.1f} GB/s in one thread."]
    measuring.report("preprocess", columns, rows, args, notes=notes)


if __name__ == "__main__":
    main()
