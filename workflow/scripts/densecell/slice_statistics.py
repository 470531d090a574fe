"""What a raw stack looks like, slice by slice, in one pass and bounded memory: the numbers that `slice_checks` judges.

Gray values are counted in full. What needs neighbors (shifts, likeness) is measured on thumbnails of at most THUMBNAIL_PX
a side, and how fast the image changes along each axis in a few crops of full resolution.
"""

import zlib
from typing import NamedTuple

import numpy as np
from scipy import fft

from densecell.histograms import value_counts
from densecell.pair_shifts import band_pass, overlap_correlation, shift_between, windowed_spectrum
from densecell.parallel import in_order

THUMBNAIL_PX = 256  # a pair of thumbnails costs 5 ms, whatever the size of the slices
CROP_PX, N_LAGS, LAG_SLICES = 192, 16, 32
LOOK_SIDE = 16  # a look is made of 16 x 16 - 1 signs
CORNER_PX = 6  # of a thumbnail; a corner of so many equal pixels is no image
PERCENTS = (0.5, *range(1, 100), 99.5)
COLUMNS = (
    "z",
    "minimum",
    "maximum",
    "mean",
    "std",
    "share_low",
    "share_high",
    "not_finite",
    "dy_px",
    "dx_px",
    "likeness",
    "content",
    "look",
)


class Stack(NamedTuple):
    """What `measure_stack` found.

    slices: dict of columns (n_slices,), see COLUMNS: minimum to std in gray values; share_low and share_high the shares of
    pixels at the lowest and the highest value that the type can hold (of floats: nan); not_finite pixels that are NaN or
    infinite; dy_px and dx_px how far the content lies from the last sound slice before, in raw pixels, to thumbnail
    pixel / 20; likeness the correlation of the two after that shift, -1 to 1, nan without one; content a hash of the pixels;
    look a contrast-free fingerprint (`look_of`), '' for blank slices.
    shape (Z, Y, X); dtype; percentiles: {percent: gray value} over all pixels; used_values: how many gray values occur (None
    for floats); value_step: the greatest step that all values are multiples of, from the lowest; correlations: {"z": r at
    one slice, "y" and "x": [r at 1 to N_LAGS pixels]}, along z
    after the shift between the two slices is taken away; failures: {z: text} of slices that
    could not be read; pixels_per_thumbnail_pixel.
    """

    slices: dict
    shape: tuple
    dtype: str
    percentiles: dict
    used_values: int | None
    value_step: int | None
    correlations: dict
    failures: dict
    pixels_per_thumbnail_pixel: int


class _Slice(NamedTuple):
    z: int
    row: dict
    histogram: np.ndarray | None
    sample: np.ndarray | None  # of gray values, where there is no histogram
    thumbnail: np.ndarray
    filtered: np.ndarray
    spectrum: np.ndarray
    crops: np.ndarray


def measure_stack(read_slice, shape, dtype, threads=1, progress=None, passing=()):
    """The `Stack` of a raw image stack. read_slice(z) gives slice z (Y, X), of numbers, and is called in the calling thread.

    A slice that raises ValueError or OSError, or has another shape, is noted in `failures` and the others go on; its
    numbers are nan. Errors of the types `passing` are raised, since they tell nothing about the slice. Each slice is read once; threads + 2 slices are in memory at a time. progress(z, n_slices) is called
    after each slice. Nothing depends on the number of threads.
    """
    n_slices, factor = shape[0], -(-max(shape[1:]) // THUMBNAIL_PX)
    rows, failures, totals = [], {}, _Totals(every=-(-n_slices // LAG_SLICES))

    def read():
        for z in range(n_slices):
            try:
                values = np.asarray(read_slice(z))
                if values.shape != tuple(shape[1:]):
                    raise ValueError(f"slice {z} is {values.shape} (y, x), expected {tuple(shape[1:])}")
                yield z, values
            except passing:
                raise
            except (ValueError, OSError) as error:
                failures[z] = str(error)
                yield z, None

    def each_with_the_one_before():
        last = None
        for found in in_order(lambda item: _measure_slice(*item, factor), read(), threads):
            yield last, found
            last = last if found is None or is_blank(found.row) else found

    for found, of_pair in in_order(lambda two: _compared(*two, factor), each_with_the_one_before(), threads):
        z = len(rows)
        rows.append({"z": z} if found is None else {**found.row, **of_pair})
        if found is not None:
            totals.add(found, of_pair)
        if progress:
            progress(z, n_slices)
    texts = {c: [str(row.get(c, "")) for row in rows] for c in ("content", "look")}
    numbers = {c: np.array([row.get(c, np.nan) for row in rows]) for c in COLUMNS if c not in texts}
    return Stack({**numbers, **texts}, tuple(shape), str(np.dtype(dtype)), **totals.numbers(), failures=failures,
                 pixels_per_thumbnail_pixel=factor)  # fmt: skip


def is_blank(row):
    """Whether a slice is constant, or has no pixel that is a number."""
    return not row["maximum"] > row["minimum"]


# --------------------------------------------------------------------------------------------------- one slice
def _measure_slice(z, values, factor):
    if values is None:
        return None
    row, histogram, sample = {"z": z, "not_finite": 0}, None, None
    if values.dtype == bool:
        values = values.view(np.uint8)
    pixels = np.ascontiguousarray(values).view(np.uint8)
    row["content"] = (
        f"{zlib.crc32(pixels):08x}{zlib.adler32(pixels):08x}"  # 2 GB/s; a cryptographic hash takes 2 to 4 times as long
    )
    if values.dtype.kind == "f":
        is_bad = ~np.isfinite(values)
        row["not_finite"] = int(np.count_nonzero(is_bad))
        if row["not_finite"]:
            rest = values[~is_bad]
            values = np.where(is_bad, rest.mean() if rest.size else 0, values)
    if values.dtype in (np.uint8, np.uint16):
        histogram = value_counts(values)
        row.update(_numbers_of_histogram(histogram))
    else:
        sample = values[:: -(-values.shape[0] // 128), :: -(-values.shape[1] // 128)].ravel()
        row.update(_numbers_of_values(values))
    thumbnail = block_means(values, factor)
    filtered = band_pass(thumbnail)
    row["look"] = "" if is_blank(row) else look_of(thumbnail)
    return _Slice(z, row, histogram, sample, thumbnail, filtered, windowed_spectrum(filtered), crops_of(values))


def _numbers_of_histogram(histogram):
    present = np.flatnonzero(histogram)
    counts, total = histogram[present], histogram.sum()
    mean = (counts @ present) / total
    return {
        "minimum": float(present[0]),
        "maximum": float(present[-1]),
        "mean": float(mean),
        "std": float(np.sqrt(counts @ (present - mean) ** 2 / total)),
        "share_low": float(histogram[0] / total),
        "share_high": float(histogram[-1] / total),
    }


def _numbers_of_values(values):
    low, high = values.min(), values.max()
    shares = {"share_low": np.nan, "share_high": np.nan}
    if values.dtype.kind in "iu":
        limits = np.iinfo(values.dtype)
        shares = {"share_low": np.mean(values == limits.min), "share_high": np.mean(values == limits.max)}
    mean, std = values.mean(dtype=np.float64), values.std(dtype=np.float64)
    numbers = {"minimum": low, "maximum": high, "mean": mean, "std": std, **shares}
    return {name: float(number) for name, number in numbers.items()}


def block_means(values, factor):
    """Means (ceil(Y / factor), ceil(X / factor)) float32 of the blocks of a slice (Y, X); incomplete blocks count too."""
    if factor == 1:
        return values.astype(np.float32)
    starts_y, starts_x = (np.arange(0, n, factor) for n in values.shape)
    sizes_y, sizes_x = (np.diff(s, append=n) for s, n in zip((starts_y, starts_x), values.shape))
    sums = np.empty((len(starts_y), values.shape[1]), np.float32)
    wide = (
        {"u": np.uint32, "i": np.int64}.get(values.dtype.kind, np.float64) if values.dtype.itemsize <= 2 else np.float64
    )
    for i, y in enumerate(starts_y):  # rows first: contiguous in memory
        sums[i] = values[y : y + factor].sum(axis=0, dtype=wide)
    return np.add.reduceat(sums, starts_x, axis=1) / np.outer(sizes_y, sizes_x).astype(np.float32)


def crops_of(values):
    """Up to four crops of a slice (Y, X), around the middles of its quarters: (n, y, x) float32, each less its mean."""
    size_y, size_x = (min(CROP_PX, max(n // 2, min(n, 64))) for n in values.shape)
    corners = [
        {max(0, min(n - s, n * q // 4 - s // 2)) for q in (1, 3)} for n, s in zip(values.shape, (size_y, size_x))
    ]
    crops = [values[y : y + size_y, x : x + size_x] for y in sorted(corners[0]) for x in sorted(corners[1])]
    crops = np.stack(crops).astype(np.float32)
    return crops - crops.mean(axis=(1, 2), keepdims=True)


def look_of(thumbnail):
    """A fingerprint that doesn't depend on brightness, contrast or noise: the signs of the lowest waves, as 64 hex digits.

    thumbnail: (Y, X). Constant borders, such as those around a round field of view, count as the mean of the rest: their shape
    is no picture. Signs of a cosine transform of 32 x 32 block means, without the constant; a negative has all signs
    turned. Images of different places agree in half of the signs, two images of one place in nearly all.
    """
    rows, columns = (np.linspace(0, n, 33).astype(int)[:-1] for n in thumbnail.shape)
    picture = without_borders(thumbnail.astype(np.float64))
    small = np.add.reduceat(np.add.reduceat(picture, rows, axis=0), columns, axis=1)
    counts = [np.diff(starts, append=n) for starts, n in zip((rows, columns), thumbnail.shape)]
    waves = fft.dctn(small / np.maximum(np.outer(*counts), 1), norm="ortho")[:LOOK_SIDE, :LOOK_SIDE]
    return np.packbits(waves.ravel()[1:] > 0).tobytes().hex()


def without_borders(picture):
    """(Y, X) in which the value of each corner of CORNER_PX constant pixels a side is replaced by the mean of what remains."""
    corners = [
        picture[y, x]
        for y in (slice(CORNER_PX), slice(-CORNER_PX, None))
        for x in (slice(CORNER_PX), slice(-CORNER_PX, None))
    ]
    is_border = np.isin(picture, [corner.flat[0] for corner in corners if np.ptp(corner) == 0])
    return picture if is_border.all() else np.where(is_border, picture[~is_border].mean(), picture)


# ------------------------------------------------------------------------------------------------------- two slices
def _compared(before, found, factor):
    """(slice, what tells it from the sound slice before): nothing where one of the two is missing or blank."""
    if before is None or found is None or is_blank(found.row):
        return found, {}
    dy, dx, likeness = shift_between(before.filtered, found.filtered, before.spectrum, found.spectrum)
    dy, dx = dy * factor, dx * factor
    in_crops = [overlap_correlation(a, b, dy, dx) for a, b in zip(before.crops, found.crops)]
    in_crops = [r for r in in_crops if np.isfinite(r)]
    return found, {"dy_px": dy, "dx_px": dx, "likeness": likeness, "z_correlation": in_crops}


# -------------------------------------------------------------------------------------------------- the whole stack
class _Totals:
    """What is summed over the slices of a stack; every `every`-th slice tells the correlations in its plane."""

    def __init__(self, every):
        self.every, self.histogram, self.samples, self.along_z = every, None, [], []
        self.products, self.powers = np.zeros((2, N_LAGS)), np.zeros((2, N_LAGS))

    def add(self, found, of_pair):
        self.along_z += of_pair.get("z_correlation", [])
        if found.histogram is not None:
            self.histogram = found.histogram if self.histogram is None else self.histogram + found.histogram
        if found.z % self.every:
            return
        if found.histogram is None:
            self.samples.append(found.sample)
        for axis in (0, 1):
            for lag in range(1, min(N_LAGS + 1, found.crops.shape[1 + axis])):
                a = found.crops[:, lag:] if axis == 0 else found.crops[:, :, lag:]
                b = found.crops[:, :-lag] if axis == 0 else found.crops[:, :, :-lag]
                self.products[axis, lag - 1] += np.einsum("nyx,nyx->", a, b)
                self.powers[axis, lag - 1] += np.sqrt(np.einsum("nyx,nyx->", a, a) * np.einsum("nyx,nyx->", b, b))

    def numbers(self):
        """The fields of `Stack` that are about all slices."""
        lags = np.full(self.products.shape, np.nan)
        np.divide(self.products, self.powers, out=lags, where=self.powers > 0)
        along_z = float(np.median(self.along_z)) if self.along_z else float("nan")
        present = None if self.histogram is None else np.flatnonzero(self.histogram)
        return {
            "percentiles": self._percentiles(),
            "used_values": None if present is None else len(present),
            "value_step": None if present is None else _step(present),
            "correlations": {"z": along_z, "y": lags[0].tolist(), "x": lags[1].tolist()},
        }

    def _percentiles(self):
        if self.histogram is not None:
            cumulative = np.cumsum(self.histogram)
            ranks = (np.array(PERCENTS) / 100 * cumulative[-1]).astype(np.int64)
            found = np.searchsorted(cumulative, np.minimum(ranks, cumulative[-1] - 1), side="right")
        elif self.samples:
            found = np.percentile(np.concatenate(self.samples), PERCENTS)
        else:
            found = np.full(len(PERCENTS), np.nan)
        return {float(p): float(v) for p, v in zip(PERCENTS, found)}


def _step(values):
    """The greatest step that takes every value from the lowest; 1 for a single one."""
    return int(np.gcd.reduce(np.diff(values))) if len(values) > 1 else 1
