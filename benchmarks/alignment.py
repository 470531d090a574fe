"""How long does the alignment of a volume take, how near is that to what its arithmetic needs, and what would a peer take?

A drifting texture is aligned by `align_volume`, files included, by each method. Floor: what cannot be left out, on as many
threads: the Fourier and cosine transforms at the rate scipy.fft has here, decompression of the input (read twice: measured,
then moved), compression of the output, SHA-256 of both. Peer: the shifts alone as scikit-image and SciPy users find them,
two gaussian_filter a slice and phase_cross_correlation of each pair, on one thread as these are; compared with ours alone.
All take turns in one process. The time of a stack is its depth times the time per slice, which does not depend on it.

    python benchmarks/alignment.py --slices 16 --depth 250 --threads 2
    python benchmarks/alignment.py --slices 250 --repeats 1
"""

import contextlib
import hashlib
import json
import sys
import tempfile
from io import StringIO
from pathlib import Path

import imagecodecs
import measuring
import numpy as np
from memory import peak_bytes
from scipy import fft, ndimage
from skimage.registration import phase_cross_correlation
from synthetic import Stack, write_slabs

import align_volume
from densecell import alignment, io, pair_shifts
from densecell.parallel import in_order

TILE_PX = 256
COLUMNS = (
    "method",
    "time / floor",
    "peer's shifts / ours",
    "s/slice",
    "MB/s",
    "stack, s",
    "shifts, s/slice",
    "peak MB",
)


def transforms(method, plane):
    """The transforms that one slice costs: band-pass, spectrum and correlation, or the band-pass alone."""
    n_tiles, bands, spectra = {"global": (0, 1, 1), "tiles": (pair_shifts.N_TILES, 2, 2), "none": (0, 1, 0)}[method]
    if n_tiles:  # two slices each, as no tile lies where that of the pair before lay
        plane = plane[:TILE_PX, :TILE_PX]
    for _ in range(n_tiles or 1):
        for _ in range(bands):
            fft.idctn(fft.dctn(plane))
        for _ in range(spectra):
            spectrum = fft.rfft2(plane)
        if spectra:
            fft.irfft2(spectrum, s=plane.shape)


def floor(method, image, threads):
    """A function that does what aligning `image` (Z, Y, X) needs at least, and nothing with the results."""

    def one_slice(plane):
        transforms(method, plane.astype(np.float32))
        compressed = imagecodecs.zstd_encode(plane, level=3)  # zarr's default
        for _ in range(2):
            imagecodecs.zstd_decode(compressed)
            hashlib.sha256(compressed).digest()

    def run():
        for _ in in_order(one_slice, image, threads):
            pass

    return run


def peer_shifts(image, upsample_factor=20):
    """Shifts between the slices of `image` (Z, Y, X) by gaussian_filter and phase_cross_correlation: (Z - 1, 2), px."""
    window, before, found = np.outer(*map(np.hanning, image.shape[1:])).astype(np.float32), None, []
    for plane in image.astype(np.float32):
        filtered = (ndimage.gaussian_filter(plane, 1.5) - ndimage.gaussian_filter(plane, 12)) * window
        if before is not None:
            options = {"upsample_factor": upsample_factor, "normalization": None}
            found.append(-phase_cross_correlation(before, filtered, **options)[0])
        before = filtered
    return np.array(found)


def measured(method, image, path, threads, repeats):
    """({what: seconds of each round}, peak bytes) of aligning the volume at `path`, whose slices `image` holds."""
    arguments = ["--image", str(path), "--settings", json.dumps({"method": method}), "--threads", str(threads)]
    arguments += ["--shifts", f"{path.parent}/shifts.csv", "--output", f"{path.parent}/aligned.ome.zarr"]

    def align():
        with contextlib.redirect_stdout(StringIO()), contextlib.redirect_stderr(StringIO()):
            align_volume.main(arguments)

    def shifts():
        alignment.estimate_shifts(image.__getitem__, len(image), method, threads=threads)

    turns = {"align": align, "floor": floor(method, image, threads), "shifts": shifts}
    if method == "global":
        turns["peer"] = lambda: peer_shifts(image)
    return measuring.paired(turns, repeats), peak_bytes([sys.executable, align_volume.__file__, *arguments])


def main(argv=None):
    parser = measuring.parser(__doc__)
    parser.add_argument("--slices", type=int, default=16, help="slices that are aligned")
    parser.add_argument("--depth", type=int, default=250, help="slices of the stack whose time is told")
    parser.add_argument("--side", type=int, default=2000, help="pixels of a slice in y and x")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--quick", action="store_true", help="a small stack: does it run")
    args = parser.parse_args(argv)
    n, side, repeats = (6, 300, 1) if args.quick else (args.slices, args.side, args.repeats)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.ome.zarr"
        write_slabs(path, n, side, Stack(side).image, attributes={"binning": [1, 1, 1]})
        image = io.open_volume(path)[:]
        for method in alignment.ALIGNMENT_METHODS:
            seconds, peak = measured(method, image, path, args.threads, repeats)
            per_slice = {name: value / n for name, value in measuring.median(seconds).items()}
            ratios = [measuring.ratio(seconds, "align", "floor")]
            ratios.append(measuring.ratio(seconds, "peer", "shifts") if "peer" in seconds else "")
            whole = per_slice["align"]
            rate = side**2 / whole / 1e6
            rows.append([method, *ratios, whole, rate, args.depth * whole, per_slice["shifts"], peak / 1e6])
    notes = [
        f"{n} slices of {side} x {side}, uint8, {args.threads} threads; MB/s of the raw stack; "
        f"the stack has {args.depth} slices; peak resident memory of the program, the imported packages included."
    ]
    measuring.report("alignment", COLUMNS, rows, args, notes=notes)


if __name__ == "__main__":
    main()
