"""Alignment of a slice stack by translation in y and x.

Convention: the content shift s_z = (dy, dx) is how far the content of slice z lies from where it lies in
slice z - 1, and the content position p_z is the sum of s_1 to s_z, in pixels of the stack handed in. The
shift applied to slice z is -p_z, rounded to whole pixels unless interpolation is asked for. Shifts are
measured between raw slices and applied once; no slice is resampled twice.

Machireddy et al. 2023 translate slices with "an in-house stochastic version of TurboReg affine" and give no
parameters. The method `tiles` (many random tiles, outliers dropped) is one reading of "stochastic", not
their program.

Summing measured shifts straightens structures that truly slant through the stack; `detrend_window` removes
only the fast part of the drift where that matters.
"""

from functools import lru_cache
from threading import RLock
from typing import NamedTuple

import numpy as np
from scipy import sparse
from scipy.sparse.linalg import spsolve

from densecell.pair_shifts import (
    N_TILES,
    band_pass,
    estimate_pair_shift_tiles,
    overlap_correlation,
    shift_between,
    windowed_spectrum,
)
from densecell.parallel import in_order

# Mean absolute difference between a slice and its duplicate, in standard deviations of the slice.
DUPLICATE_DIFFERENCE = 0.01
LOW_SCORE_FRACTION = 0.5  # a destroyed slice scores below this fraction of the stack's median
JUMP_WINDOW = 5  # slices to either side whose median shift replaces a jump


def _compare_whole(reference, moving, seed):
    moving_spectrum = moving.spectrum  # first: the reference's is in work by the thread of the pair before this one
    return *shift_between(reference.filtered, moving.filtered, reference.spectrum, moving_spectrum), 1


def _compare_tiles(reference, moving, seed):
    rng = np.random.default_rng([seed, reference.z, moving.z])
    return estimate_pair_shift_tiles(reference.values, moving.values, rng)


def _compare_in_place(reference, moving, seed):
    moving_filtered = moving.filtered  # first, as above
    return 0.0, 0.0, overlap_correlation(reference.filtered, moving_filtered, 0, 0), 0


# name -> (reference slice, moving slice, seed) -> (dy, dx, score, n_inliers)
ALIGNMENT_METHODS = {"global": _compare_whole, "tiles": _compare_tiles, "none": _compare_in_place}


class Pair(NamedTuple):
    """Content shift of a slice relative to slice `reference`."""

    reference: int
    dy: float
    dx: float
    score: float
    n_inliers: int


def _once(compute):
    """A property that is computed by the first thread that asks for it and kept."""

    def get(self):
        with self.lock:
            if compute not in self.known:
                self.known[compute] = compute(self)
            return self.known[compute]

    return property(get)


class _Slice:
    """Slice z of a stack, its intensities `values` (Y, X) and what is computed from them."""

    def __init__(self, z, values):
        self.z, self.values, self.known, self.lock = z, values, {}, RLock()

    is_blank = _once(lambda self: self.values.min() == self.values.max())
    deviation = _once(lambda self: self.values.std(dtype=np.float64))
    filtered = _once(lambda self: band_pass(self.values))
    spectrum = _once(lambda self: windowed_spectrum(self.filtered))

    def is_duplicate_of(self, reference):
        difference = np.abs(self.values - reference.values.astype(np.float32)).mean()
        return difference <= DUPLICATE_DIFFERENCE * reference.deviation


class _Stack:
    """Checked slices, of which the last few stay in memory, and the shift between two of them."""

    def __init__(self, read_slice, method, seed, n_held, threads):
        self.read_slice, self.compare, self.seed, self.shape = read_slice, ALIGNMENT_METHODS[method], seed, None
        self.slice = lru_cache(n_held)(self._read)
        self.threads = threads

    def _read(self, z):
        values = np.array(self.read_slice(z))  # a copy: a view would keep the slab that it was cut from
        self.shape = self.shape or values.shape
        if values.shape != self.shape:
            raise ValueError(
                f"slices are expected in one size, {self.shape} (y, x) as slice 0, "
                f"found {values.shape} in slice {z}; crop or pad the raw slices to one size"
            )
        n_bad = values.size - np.count_nonzero(np.isfinite(values))
        if n_bad:
            raise ValueError(
                f"finite intensities are expected, found {n_bad} NaN or infinite pixels in slice {z}; "
                "repair the slice or set it to a constant, which is flagged blank and bridged"
            )
        return _Slice(z, values)

    def pair(self, reference, moving):
        return Pair(reference.z, *self.compare(reference, moving, self.seed))


def estimate_shifts(
    read_slice,
    n_slices,
    method="global",
    max_shift_fraction=0.1,
    seed=0,
    neighbors=(1,),
    detrend_window=None,
    threads=1,
    progress=None,
):
    """Shift table of a stack: a dict of arrays (n_slices,), one entry per slice.

    `read_slice(z)` returns slice z (Y, X) of any real dtype. Each slice is read once, suspicious ones again
    (all once more for `neighbors` beyond 1), and only a few are held. `seed` draws the tiles. `neighbors`
    such as (1, 2, 4) adds the pairs (z - k, z) and solves for all positions by robust least squares.
    `detrend_window` (slices) subtracts a moving average from the positions. `threads` pairs of slices are compared
    at a time, which changes no number; `read_slice` and `progress(z, n_slices)`, which is called after each slice of
    the first pass, run in the calling thread.

    Columns: `z`; `dy_px`, `dx_px` the content shift from z - 1 to z that was used; `y_px`, `x_px` the
    content position (the sum of the shifts, less the trend); `score` the correlation with the sound slice
    before (NaN: none); `n_inliers` the tiles that agree (1 for `global`, 0 for `none` and duplicates);
    `flag`, '' or one of
      blank      constant slice
      duplicate  equal to the slice before: shift 0
      destroyed  correlates with neither neighbor, far below what is typical of the stack
      jump       shift larger than `max_shift_fraction` of the side: the median shift nearby is used instead
      uncertain  the content breaks off between the slice before and this one, or fewer than half of the
                 tiles agree: the shift is used as measured
    Blank and destroyed slices are bridged (the slices around them are compared), and their position is
    interpolated.

    Raises ValueError for an unknown method, and for a slice that has NaN or another size, naming it.
    """
    if method not in ALIGNMENT_METHODS:
        raise ValueError(
            f"unknown alignment method {method!r} (alignment.method); known: {', '.join(ALIGNMENT_METHODS)}"
        )
    if n_slices < 1 or 1 not in neighbors or min(neighbors) < 1:
        raise ValueError(
            "a stack of at least 1 slice and neighbors (alignment.neighbors) that include 1 are expected, "
            f"found {n_slices} slices and neighbors {tuple(neighbors)}"
        )
    stack = _Stack(read_slice, method, seed, n_held=max(neighbors) + 2, threads=threads)
    pairs, flags = _first_pass(stack, n_slices, progress)
    lowest_score = _lowest_credible_score(pairs, flags)
    _bridge_destroyed(stack, pairs, flags, lowest_score)
    largest_shift = max_shift_fraction * np.array(stack.shape)
    _replace_jumps(pairs, flags, largest_shift)
    for z, pair in pairs.items():
        few_inliers = method == "tiles" and pair.n_inliers < N_TILES / 2
        if not flags[z] and (few_inliers or not pair.score >= lowest_score):
            flags[z] = "uncertain"
    sound = [z for z in range(n_slices) if flags[z] not in ("blank", "destroyed")]
    links = [(pairs[z].reference, z, pairs[z].dy, pairs[z].dx) for z in sound[1:]]
    links += _farther_links(stack, pairs, sound, neighbors, lowest_score, largest_shift)
    positions = _solve_positions(links, sound, n_slices)
    shifts = np.diff(positions, axis=0, prepend=positions[:1])
    if detrend_window:
        positions = positions - _moving_average(positions, detrend_window)
    return {
        "z": np.arange(n_slices),
        "dy_px": shifts[:, 0],
        "dx_px": shifts[:, 1],
        "y_px": positions[:, 0],
        "x_px": positions[:, 1],
        "score": np.array([pairs[z].score if z in pairs else np.nan for z in range(n_slices)]),
        "n_inliers": np.array([pairs[z].n_inliers if z in pairs else 0 for z in range(n_slices)]),
        "flag": np.array(flags),
    }


def _first_pass(stack, n_slices, progress):
    """Pair each slice with the last one that isn't blank: ({z: Pair}, flags blank and duplicate)."""

    def each_with_the_one_before():
        last = None
        for z in range(n_slices):
            moving = stack.slice(z)
            yield last, moving
            last = last if moving.is_blank else moving

    def compare(reference_and_moving):
        reference, moving = reference_and_moving
        if moving.is_blank:
            return "blank", None
        if reference and moving.is_duplicate_of(reference):
            return "duplicate", Pair(reference.z, 0.0, 0.0, 1.0, 0)
        return "", stack.pair(reference, moving) if reference else None

    pairs, flags = {}, []
    for z, (flag, pair) in enumerate(in_order(compare, each_with_the_one_before(), stack.threads)):
        flags.append(flag)
        if pair:
            pairs[z] = pair
        if progress:
            progress(z, n_slices)
    return pairs, flags


def _lowest_credible_score(pairs, flags):
    """Below this score a pair is suspect: 5 robust deviations and a fraction below the median."""
    scores = [p.score for z, p in pairs.items() if flags[z] != "duplicate" and np.isfinite(p.score)]
    if not scores or np.median(scores) <= 0:  # nothing in this stack correlates, so nothing stands out
        return -np.inf
    median = np.median(scores)
    deviation = 1.4826 * np.median(np.abs(np.array(scores) - median))
    return min(median - 5 * deviation, LOW_SCORE_FRACTION * median)


def _bridge_destroyed(stack, pairs, flags, lowest_score):
    """Flag destroyed slices and pair the slices around them, in place.

    Suspects are slices whose pairs are all suspect; that includes a good slice between two destroyed ones.
    So walk away from the first slice beyond suspicion, both ways, and compare each suspect with the last
    sound slice.
    """
    usable = [z for z in range(len(flags)) if flags[z] != "blank"]
    credible = {z: pairs[z].score >= lowest_score for z in usable[1:]}
    suspects = {z for z, after in zip(usable, [*usable[1:], None]) if not credible.get(z) and not credible.get(after)}
    if not suspects or len(suspects) == len(usable):
        return
    start = next(i for i, z in enumerate(usable) if z not in suspects)
    for walk in (usable[start:], usable[start::-1]):
        last = walk[0]
        for z in walk[1:]:
            before, after = sorted((last, z))
            known = pairs[after].reference == before
            pair = pairs[after] if known else stack.pair(stack.slice(before), stack.slice(after))
            if z in suspects and not pair.score >= lowest_score:
                flags[z] = "destroyed"
            else:
                pairs[after], last = pair, z
    pairs.pop(last, None)  # the walk towards 0 ended at the first sound slice, which has none before it


def _replace_jumps(pairs, flags, largest_shift):
    """Flag shifts beyond `largest_shift` (y, x) and replace them by the median of the sound shifts nearby."""
    for z, pair in pairs.items():
        if not flags[z] and np.any(np.abs((pair.dy, pair.dx)) > largest_shift):
            flags[z] = "jump"
    for z in [z for z in pairs if flags[z] == "jump"]:
        nearby = [(p.dy, p.dx) for other, p in pairs.items() if abs(other - z) <= JUMP_WINDOW and not flags[other]]
        dy, dx = np.median(nearby, axis=0) if nearby else (0.0, 0.0)
        pairs[z] = pairs[z]._replace(dy=float(dy), dx=float(dx))


def _farther_links(stack, pairs, sound, neighbors, lowest_score, largest_shift):
    """Links (z - k, z, dy, dx) between sound slices for the neighbors k > 1, credible ones only."""
    is_sound, farther = set(sound), sorted(set(neighbors) - {1})
    wanted = [(z - k, z) for z in sound for k in farther if z - k in is_sound and pairs[z].reference != z - k]
    slices = (tuple(map(stack.slice, two)) for two in wanted)
    links = []
    for (before, z), pair in zip(wanted, in_order(lambda two: stack.pair(*two), slices, stack.threads)):
        if pair.score >= lowest_score and np.all(np.abs((pair.dy, pair.dx)) <= largest_shift):
            links.append((before, z, pair.dy, pair.dx))
    return links


def _solve_positions(links, sound, n_slices):
    """Positions (n_slices, 2) that fit the links best, 0 at the first sound slice.

    Slices between sound ones are interpolated, slices beyond the outermost get its position.
    Iteratively reweighted least squares with Huber-like weights at 1.5 robust deviations. A chain of links
    without farther ones has an exact solution: the cumulative sum.
    """
    if len(sound) < 2:
        return np.zeros((n_slices, 2))
    before, after = (np.searchsorted(sound, [link[i] for link in links]) for i in (0, 1))
    shifts = np.array([link[2:] for link in links])
    if len(links) == len(sound) - 1:
        solved = np.concatenate([np.zeros((1, 2)), np.cumsum(shifts, axis=0)])
    else:
        rows = np.arange(len(links))
        incidence = sparse.csr_array((np.ones(len(links)), (rows, after)), (len(links), len(sound)))
        incidence -= sparse.csr_array((np.ones(len(links)), (rows, before)), (len(links), len(sound)))
        incidence, weights = incidence[:, 1:], np.ones(len(links))
        for _ in range(20):
            weighted = incidence.T @ sparse.diags_array(weights)
            normal = (weighted @ incidence).tocsc()
            solved = np.stack([spsolve(normal, weighted @ component) for component in shifts.T], axis=1)
            residuals = np.linalg.norm(incidence @ solved - shifts, axis=1)
            scale = max(1.5 * 1.4826 * np.median(residuals), 1e-3)  # px; the floor is for links that fit exactly
            weights = scale / np.maximum(residuals, scale)
        solved = np.concatenate([np.zeros((1, 2)), solved])
    return np.stack([np.interp(np.arange(n_slices), sound, column) for column in solved.T], axis=1)


def _moving_average(positions, window):
    """Mean over `window` slices around each slice, over fewer at the ends of the stack."""
    kernel = np.ones(min(window, len(positions)))
    slices = np.convolve(np.ones(len(positions)), kernel, "same")
    return np.stack([np.convolve(column, kernel, "same") / slices for column in positions.T], axis=1)
