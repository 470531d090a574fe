"""Gray values made even from slice to slice, before any other normalization (Machireddy et al. 2023: histogram equalization).

Every method but CLAHE is one table per slice, gray value -> gray value, which never turns an order around. uint8 and uint16
alone; a uint16 slice has a table of its own over all 65536 values. `padding` is a gray value that stands for no image: its voxels are in
no histogram, stay as they are, and no other voxel is given that value (it gets the next one). A slice of one gray value alone
stays as it is.
"""

from dataclasses import dataclass

import numpy as np

from densecell.clahe import clahe
from densecell.histograms import value_counts

LOW_PERCENT, HIGH_PERCENT = 1.0, 99.0
BLOCK = 1 << 15  # pixels


@dataclass(frozen=True)
class Correction:
    """How the slices of a volume are corrected.

    method: a name in SLICE_METHODS. padding: a gray value or None. reference: (256,) or (65536,) counts that `match` takes its
    values from. clip, tiles: of `clahe`.
    """

    method: str
    padding: int | None = None
    reference: np.ndarray | None = None
    clip: float = 2.0
    tiles: tuple = (8, 8)


def check_method(method, dtype):
    """Raises ValueError for an unknown method, and for an image that has no gray values to count."""
    if method not in SLICE_METHODS:
        raise ValueError(f"unknown method {method!r} of normalization.slices; known: {', '.join(SLICE_METHODS)}")
    if dtype not in (np.uint8, np.uint16):
        raise ValueError(
            f"normalization.slices: {method} expects gray values in uint8 or uint16, found {dtype}; convert the stack, or set "
            "normalization.slices: none"
        )


def check_padding(padding, dtype):
    """Raises ValueError for a padding that no voxel of this dtype can have."""
    if padding is not None and not 0 <= padding <= np.iinfo(dtype).max:
        raise ValueError(
            f"volumes.padding: a gray value of {dtype} is expected (0 to {np.iinfo(dtype).max}), found {padding}"
        )


def image_counts(plane, padding=None):
    """Voxels of each gray value, the padding left out: (256,) int64 for uint8, (65536,) for uint16."""
    counts = value_counts(plane)
    if padding is not None:
        counts[padding] = 0
    return counts


def spaced_slices(kept, n):
    """n of the slices `kept` (numbers, rising), evenly spaced, each at the middle of its share; all where there are fewer."""
    if len(kept) <= n:
        return list(kept)
    return [kept[int((k + 0.5) * len(kept) / n)] for k in range(n)]


# ------------------------------------------------------------------------------------------------------------- methods
def equalize(counts, correction):
    """Flat histogram: round((cdf - cdf_min) / (N - cdf_min) * (L - 1)), cdf_min being the voxels of the lowest value.

    Half is rounded to even. A gain or an offset that merges and cuts off no gray values changes nothing of the result.
    """
    cdf = np.cumsum(counts)
    lowest = counts[np.flatnonzero(counts)[0]]
    return np.rint(np.maximum(cdf - lowest, 0) * ((len(counts) - 1) / (cdf[-1] - lowest)))


def match(counts, correction):
    """The distribution of the reference: each value goes to where the reference has the same share of voxels up to it.

    Between two values of the reference linearly, then rounded.
    """
    present = np.flatnonzero(correction.reference)
    up_to = np.cumsum(correction.reference[present])
    return np.rint(np.interp(np.cumsum(counts) / counts.sum(), up_to / up_to[-1], present))


def percentile(counts, correction):
    """1 % and 99 % of the voxels (ranks interpolated as by NumPy) to the ends of the range, linear between, cut off outside.

    A slice whose two percentiles are one value stays as it is.
    """
    low, high = (_percentile(counts, p) for p in (LOW_PERCENT, HIGH_PERCENT))
    values = np.arange(len(counts), dtype=float)
    if low == high:
        return values
    return np.clip(np.rint((values - low) * ((len(counts) - 1) / (high - low))), 0, len(counts) - 1)


def _percentile(counts, percent):
    cumulative = np.cumsum(counts)
    rank = (cumulative[-1] - 1) * percent / 100
    below, above = np.searchsorted(cumulative, [np.floor(rank), np.ceil(rank)], side="right")
    return below + (above - below) * (rank - np.floor(rank))


# name -> function of (counts, Correction) that gives a table, as floats that are whole numbers; None: not a table
SLICE_METHODS = {"equalize": equalize, "match": match, "percentile": percentile, "clahe": None}


# --------------------------------------------------------------------------------------------------------------- slices
def table_of(counts, correction, dtype):
    """(L,) of `dtype`: what each gray value becomes. counts: of a slice with at least two gray values."""
    table = SLICE_METHODS[correction.method](counts, correction).astype(dtype)
    if correction.padding is not None:
        table[table == correction.padding] = _beside(correction.padding, len(table))
        table[correction.padding] = correction.padding
    return table


def _beside(padding, n_values):
    """What a voxel gets that would become padding: the next gray value, at the top the one before."""
    return padding + 1 if padding < n_values - 1 else padding - 1


def corrected_counts(counts, correction, dtype):
    """(L,) counts of a slice after a method that is a table, from those before."""
    if np.count_nonzero(counts) < 2:
        return counts
    return np.bincount(table_of(counts, correction, dtype), counts, len(counts)).astype(np.int64)


def apply_table(plane, table):
    """table[plane], block by block: NumPy widens the indices to 64 bits, and a block of them stays in the cache."""
    result = np.empty(plane.shape, table.dtype)
    flat, to = plane.reshape(-1), result.reshape(-1)
    for start in range(0, flat.size, BLOCK):
        block = slice(start, start + BLOCK)
        table.take(flat[block], mode="clip", out=to[block])
    return result


def correct_slice(plane, correction):
    """(corrected plane, counts before, counts after) of a slice (Y, X) of uint8 or uint16; the padding is in neither count.

    A slice that is constant or holds nothing but padding is given back as it is.
    """
    before, padding = image_counts(plane, correction.padding), correction.padding
    if np.count_nonzero(before) < 2:
        return plane, before, before
    if SLICE_METHODS[correction.method]:
        table = table_of(before, correction, plane.dtype)
        corrected = apply_table(plane, table)
    else:
        corrected = clahe(plane, before, correction.clip, correction.tiles, padding)
        if padding is not None:
            corrected[corrected == padding] = _beside(padding, len(before))
            corrected[plane == padding] = padding
    return corrected, before, image_counts(corrected, padding)
