"""Intensity normalization: statistics gathered slab by slab, fitted to a few numbers, applied to any block.

Only valid voxels count: padding, flagged slices and everything else marked false is never read. The scope
(a region by itself, or a whole volume) is the caller's choice: one `IntensityStatistics` per scope.
"""

import numpy as np

from densecell.histograms import value_counts

BLOCK_VOXELS = 1 << 17  # in float64 it stays in a processor's cache
LOW_PERCENT, HIGH_PERCENT = 1.0, 99.0


class IntensityStatistics:
    """Count, mean, standard deviation and percentiles of the valid voxels seen so far.

    uint8 and uint16 images are kept as an integer histogram, so their numbers are exact and don't depend on
    the order of the slabs. Other images are merged by count, mean and sum of squared deviations in float64
    (Chan, Golub and LeVeque 1983, doi 10.1080/00031305.1983.10483115) and have no percentiles.
    """

    def __init__(self):
        self.dtype = None
        self.histogram = None
        self._count, self._mean, self._squares = 0, 0.0, 0.0
        self._minimum, self._maximum = np.inf, -np.inf

    def update(self, values, valid=None, padding=None):
        """Add the voxels of `values` (any shape) where `valid` (same shape, bool; None = everywhere) is true.

        padding: a gray value that is no image, which doesn't count either; None: there is none.

        Raises ValueError for NaN or infinite valid voxels and for a dtype other than that of the first call.
        Returns self.
        """
        values = np.asarray(values)
        if valid is not None and np.shape(valid) != values.shape:
            raise ValueError(f"valid is expected in the shape of the image {values.shape}, found {np.shape(valid)}")
        if self.dtype is None:
            self.dtype = values.dtype
            if values.dtype in (np.uint8, np.uint16):
                self.histogram = np.zeros(np.iinfo(values.dtype).max + 1, np.int64)
        _refuse_other_dtype(self.dtype, values.dtype)
        flat = values.reshape(-1)
        chosen = None if valid is None else np.asarray(valid, bool).reshape(-1)
        for block in _blocks(flat.size):
            kept = flat[block] if chosen is None else flat[block][chosen[block]]
            self._add(kept if padding is None else kept[kept != padding])
        return self

    def _add(self, block):
        if self.histogram is not None:
            self.histogram += value_counts(block)
            return
        if not block.size:
            return
        block = block.astype(np.float64)
        mean, extremes = block.mean(), (block.min(), block.max())
        if not np.isfinite([mean, *extremes]).all():
            n_bad = block.size - np.count_nonzero(np.isfinite(block))
            raise ValueError(
                f"finite intensities are expected, found {n_bad} NaN or infinite "
                f"among {block.size} valid voxels; mask them as not valid or repair the image"
            )
        block -= mean
        self._merge(block.size, mean, np.sum(np.square(block, out=block)), *extremes)

    def _merge(self, count, mean, squares, minimum, maximum):
        total, step = self._count + count, mean - self._mean
        self._squares += squares + step**2 * self._count * count / total
        self._mean += step * count / total
        self._count = total
        self._minimum, self._maximum = min(self._minimum, minimum), max(self._maximum, maximum)

    def add(self, other):
        """Add the voxels that another record has seen, as if they came after those of this one. Returns self."""
        if self.dtype is None:
            self.dtype = other.dtype
            self.histogram = None if other.histogram is None else np.zeros_like(other.histogram)
        _refuse_other_dtype(self.dtype, other.dtype)
        if self.histogram is not None:
            self.histogram += other.histogram
        elif other._count:
            self._merge(other._count, other._mean, other._squares, other._minimum, other._maximum)
        return self

    def moments(self):
        """(count, mean, population standard deviation); the deviation of a constant image is exactly 0."""
        if self.histogram is None:
            if not self._count:
                return 0, 0.0, 0.0
            if self._minimum == self._maximum:  # merging means could leave a deviation of 1e-17
                return self._count, float(self._minimum), 0.0
            return self._count, float(self._mean), float(np.sqrt(self._squares / self._count))
        present = np.flatnonzero(self.histogram).tolist()
        voxels = self.histogram[present].tolist()  # Python integers: no overflow, no rounding
        count = sum(voxels)
        if not count:
            return 0, 0.0, 0.0
        first = sum(n * v for n, v in zip(voxels, present, strict=True))
        second = sum(n * v * v for n, v in zip(voxels, present, strict=True))
        return count, first / count, ((count * second - first * first) / count**2) ** 0.5

    def percentile(self, percent):
        """Intensity below which `percent` (0 to 100) of the valid voxels lie, interpolated as by NumPy."""
        if self.histogram is None:
            raise ValueError(
                f"percentiles are expected of a uint8 or uint16 image, found {self.dtype}; "
                "choose normalization method zscore, or convert the image"
            )
        cumulative = np.cumsum(self.histogram)
        rank = (cumulative[-1] - 1) * percent / 100
        below, above = np.searchsorted(cumulative, [np.floor(rank), np.ceil(rank)], side="right")
        return float(below + (above - below) * (rank - np.floor(rank)))

    def fit(self, method):
        """Parameters of the normalization `method` (a name in NORMALIZATIONS), a dict that JSON can hold.

        Raises ValueError for an unknown method, no valid voxel, or an image too constant for the method.
        """
        fit, _ = _lookup(method)
        count, mean, std = self.moments()
        if not count:
            raise ValueError("at least one valid voxel is expected to normalize an image, found none; check valid")
        return {"method": method, "count": count, "mean": mean, "std": std, **fit(self)}


def normalize(values, parameters):
    """Image block (any shape and dtype) -> float32 of the same shape, by the `parameters` from `fit`."""
    _, apply = _lookup(parameters["method"])
    values = np.asarray(values)
    normalized = np.empty(values.shape, np.float32)
    flat, to = values.reshape(-1), normalized.reshape(-1)
    for block in _blocks(flat.size):
        to[block] = flat[block]
        to[block] = apply(to[block], parameters)
    return normalized


def _blocks(size):
    """Slices of at most BLOCK_VOXELS that cover `size` voxels."""
    return [slice(start, start + BLOCK_VOXELS) for start in range(0, size, BLOCK_VOXELS)]


def _refuse_other_dtype(expected, found):
    if found != expected:
        raise ValueError(f"all slabs are expected as {expected}, found {found}; convert them to one dtype")


def _fit_zscore(statistics):
    _, mean, std = statistics.moments()
    if std == 0:
        raise ValueError(f"constant image (every valid voxel is {mean:g}): zscore needs a spread; check the image")
    return {}


def _apply_zscore(values, parameters):
    values -= np.float32(parameters["mean"])
    values /= np.float32(parameters["std"])
    return values


def _fit_percentile(statistics):
    low, high = statistics.percentile(LOW_PERCENT), statistics.percentile(HIGH_PERCENT)
    if low == high:
        raise ValueError(
            f"constant image (its {LOW_PERCENT:g} % and {HIGH_PERCENT:g} % percentiles are both {low:g}): "
            "percentile needs a spread; check the image"
        )
    return {"low": low, "high": high}


def _apply_percentile(values, parameters):
    low, high = parameters["low"], parameters["high"]
    values -= np.float32(low)
    values /= np.float32(high - low)
    return np.clip(values, 0, 1, out=values)


def _fit_unit(statistics):
    if statistics.histogram is None:
        raise ValueError(
            f"unit divides by the largest value of uint8 or uint16, found {statistics.dtype}; choose normalization.method zscore, or "
            "convert the image"
        )
    return {"full": len(statistics.histogram) - 1}


def _apply_unit(values, parameters):
    values /= np.float32(parameters["full"])
    return values


def _lookup(method):
    if method not in NORMALIZATIONS:
        raise ValueError(f"unknown normalization method {method!r}; known: {', '.join(sorted(NORMALIZATIONS))}")
    return NORMALIZATIONS[method]


# name -> (fit: statistics -> further parameters,
#          apply: float32 block that it may overwrite, parameters -> normalized block)
NORMALIZATIONS = {
    "zscore": (_fit_zscore, _apply_zscore),  # mean 0, population standard deviation 1
    "percentile": (_fit_percentile, _apply_percentile),  # 1 % -> 0, 99 % -> 1, clipped
    "unit": (_fit_unit, _apply_unit),  # value / 255 or value / 65535
    "none": (lambda statistics: {}, lambda values, parameters: values),
}
