"""How far the content of one slice lies from where it lies in another: cross-correlation in the frequency domain.

A slice costs one cosine transform and back (the band-pass) and one Fourier transform, a pair of slices one more Fourier
transform, all in single precision; scipy.fft is used because it keeps float32 and lets go of Python's lock.
"""

from functools import lru_cache

import numpy as np
from scipy import fft

from densecell.shifts import overlap

N_TILES = 16
MAX_TILE_RESIDUAL_PX = 3.0  # a tile farther than this from the median of the tiles is never an inlier
FLAT_VARIANCE = 2e-5  # of the mean square: less is rounding (1e-5 in rows of 4000 pixels, 1e-6 in rows of 256)
FLAT_VALUE = 1e-6  # of the largest value of a slice: less is rounding of the band-pass (1e-7)
REFINED_PX = 0.75  # how far around the best whole pixel the finer grid is searched


def band_pass(slice_2d, low_px=1.5, high_px=12.0):
    """Gaussian(low_px) - Gaussian(high_px) of a slice (Y, X), float32; the slice is mirrored at its borders.

    It takes away pixel noise, shading and brightness steps. A constant slice gives exactly 0; a flat area of a slice that
    is not constant gives what rounding leaves, some 1e-7 of the largest value, which `overlap_correlation` takes as flat.

    Mirrored at the borders, a slice is a sum of cosines, and each filter multiplies every cosine by a number. So one
    cosine transform and back equals both of scipy's gaussian_filter (4 sd wide) up to rounding, in an eighth of the time.
    """
    values = np.asarray(slice_2d, np.float32)
    values = values - values.flat[0]  # constants cancel exactly
    cosines = fft.dctn(values, overwrite_x=True)
    cosines *= _response(values.shape, low_px, high_px)
    return fft.idctn(cosines, overwrite_x=True)


@lru_cache(maxsize=2)
def _response(shape, low_px, high_px):
    """What `band_pass` multiplies the cosines of a slice of `shape` by: float32 (Y, X)."""
    low, high = (np.outer(*(_gaussian_response(n, sd) for n in shape)) for sd in (low_px, high_px))
    return (low - high).astype(np.float32)


def _gaussian_response(size, sd):
    """Factor of each of `size` cosines under a Gaussian that is cut off at 4 sd and sums to 1."""
    offsets = np.arange(1, int(4 * sd + 0.5) + 1)
    weights = np.exp(-0.5 * (offsets / sd) ** 2)
    cosines = np.cos(np.pi * np.outer(np.arange(size) / size, offsets))
    return (1 + 2 * cosines @ weights) / (1 + 2 * weights.sum())


def windowed_spectrum(filtered):
    """Fourier transform of a band-passed slice (Y, X) under a Hann window: complex64 (Y, X // 2 + 1)."""
    window_y, window_x = (np.hanning(n + 2)[1:-1].astype(np.float32) for n in filtered.shape)
    windowed = filtered * window_y[:, None]
    windowed *= window_x
    return fft.rfft2(windowed)


def correlation_peak(reference_spectrum, moving_spectrum, shape, upsample_factor=20):
    """Where the cross-correlation of two slices of `shape` is largest: (dy, dx), to 1 / `upsample_factor` pixel.

    The correlation is computed at whole pixels, and within REFINED_PX of its peak on the finer grid by matrix products
    (Guizar-Sicairos et al. 2008, doi:10.1364/OL.33.000156).
    """
    product = np.conj(reference_spectrum)
    product *= moving_spectrum
    correlation = fft.irfft2(product, s=shape)
    peak = np.unravel_index(np.argmax(np.abs(correlation)), shape)
    whole = [int(p) - n if p > n // 2 else int(p) for p, n in zip(peak, shape)]
    n_steps = int(REFINED_PX * upsample_factor)
    steps = np.arange(-n_steps, n_steps + 1) / upsample_factor
    fine_y, fine_x = (w + (steps if n > 1 else steps[:1] * 0) for w, n in zip(whole, shape))
    # frequencies (Y,) and (X // 2 + 1,); the half that is not stored counts through the factor 2
    stored_twice = np.full(shape[1] // 2 + 1, 2.0)
    stored_twice[0] = 1
    if shape[1] % 2 == 0:
        stored_twice[-1] = 1
    waves_y = np.exp(2j * np.pi * np.outer(fine_y, fft.fftfreq(shape[0]))).astype(np.complex64)
    waves_x = stored_twice[:, None] * np.exp(2j * np.pi * np.outer(fft.rfftfreq(shape[1]), fine_x))
    fine = (waves_y @ (product @ waves_x.astype(np.complex64))).real
    y, x = np.unravel_index(np.argmax(np.abs(fine)), fine.shape)
    return float(fine_y[y]), float(fine_x[x])


def overlap_correlation(reference, moving, dy, dx):
    """Normalized correlation, -1 to 1, over the overlap of two slices, `moving` moved back by whole pixels.

    NaN where nothing overlaps or the overlap is flat in one of them: nothing but rounding is left of its variance.
    """
    (to_y, from_y), (to_x, from_x) = (overlap(-round(s), n) for s, n in zip((dy, dx), reference.shape, strict=True))
    a, b = reference[to_y, to_x], moving[from_y, from_x]
    if a.size == 0:
        return np.nan

    def mean_product(a, b):  # float32 along a row, float64 from row to row: 1e-6 from float64, a ninth of the time
        return float(np.einsum("yx,yx->y", a, b).sum(dtype=np.float64)) / a.size

    mean_a, mean_b = (float(np.einsum("yx->y", v).sum(dtype=np.float64)) / v.size for v in (a, b))
    variances = 1.0
    for part, mean, whole in ((a, mean_a, reference), (b, mean_b, moving)):
        square = mean_product(part, part)
        rounding = max(FLAT_VARIANCE * square, (FLAT_VALUE * float(max(whole.max(), -whole.min()))) ** 2)
        if not square - mean**2 > rounding:
            return np.nan
        variances *= square - mean**2
    return float(np.clip((mean_product(a, b) - mean_a * mean_b) / variances**0.5, -1, 1))


def estimate_pair_shift(reference, moving, upsample_factor=20):
    """Content displacement of `moving` relative to `reference` (both (Y, X)): (dy, dx, score), in pixels.

    Cross-correlation of the band-passed slices under a Hann window, refined to 1 / `upsample_factor` pixel.
    It is not phase-normalized: with equal weight on all frequencies the error on noisy texture is some ten
    times larger. `score` is the normalized correlation (-1 to 1) over the overlap after the shift; NaN,
    with a shift of 0, where a slice is constant. Displacements beyond half a side are not resolved.
    """
    filtered = [band_pass(slice_2d) for slice_2d in (reference, moving)]
    return shift_between(*filtered, *map(windowed_spectrum, filtered), upsample_factor)


def shift_between(reference, moving, reference_spectrum, moving_spectrum, upsample_factor=20):
    """`estimate_pair_shift` of slices whose band-pass and `windowed_spectrum` are known already."""
    if not reference.any() or not moving.any():
        return 0.0, 0.0, np.nan
    dy, dx = correlation_peak(reference_spectrum, moving_spectrum, reference.shape, upsample_factor)
    return dy, dx, overlap_correlation(reference, moving, dy, dx)


def estimate_pair_shift_tiles(reference, moving, rng, n_tiles=N_TILES, tile_px=256, upsample_factor=20):
    """As `estimate_pair_shift`, from `n_tiles` random square tiles: (dy, dx, score, n_inliers).

    The shift is the mean over the tiles within 3 median residuals (and within MAX_TILE_RESIDUAL_PX) of the
    componentwise median; score is their median score. Fewer than n_tiles / 2 inliers: don't trust the pair.
    Artifacts that stay put on the screen spoil some tiles instead of all. Tiles shrink to half the slice
    where it is smaller than two tiles, and displacements beyond half a tile are not resolved. `rng` is a
    numpy Generator.
    """
    height, width = reference.shape
    tile_y, tile_x = min(tile_px, max(height // 2, 1)), min(tile_px, max(width // 2, 1))
    estimates = []
    for y, x in zip(
        rng.integers(0, height - tile_y + 1, n_tiles),
        rng.integers(0, width - tile_x + 1, n_tiles),
        strict=True,
    ):
        tile = np.s_[y : y + tile_y, x : x + tile_x]
        estimates.append(estimate_pair_shift(reference[tile], moving[tile], upsample_factor))
    estimates = np.array(estimates)
    estimates = estimates[np.isfinite(estimates[:, 2])]  # constant tiles say nothing
    if not len(estimates):
        return 0.0, 0.0, np.nan, 0
    residuals = np.linalg.norm(estimates[:, :2] - np.median(estimates[:, :2], axis=0), axis=1)
    kept = estimates[residuals <= min(3 * np.median(residuals), MAX_TILE_RESIDUAL_PX)]
    if not len(kept):
        return 0.0, 0.0, float(np.median(estimates[:, 2])), 0
    return float(kept[:, 0].mean()), float(kept[:, 1].mean()), float(np.median(kept[:, 2])), len(kept)
