"""The shift between two slices: exact rolls, and the fast filters and correlations against the plain ones."""

import numpy as np
import pytest
from scipy import ndimage
from skimage.registration import phase_cross_correlation

from densecell.pair_shifts import (
    band_pass,
    correlation_peak,
    estimate_pair_shift,
    estimate_pair_shift_tiles,
    overlap_correlation,
    windowed_spectrum,
)


def test_rolled_noise_is_found_exactly():
    noise = np.random.default_rng(0).normal(size=(128, 128))
    dy, dx, score = estimate_pair_shift(noise, np.roll(noise, (5, -7), axis=(0, 1)))
    assert (dy, dx) == (5, -7)
    assert score > 0.9


def test_rolled_noise_is_found_by_tiles():
    noise = np.random.default_rng(0).normal(size=(256, 256))
    dy, dx, score, n_inliers = estimate_pair_shift_tiles(
        noise, np.roll(noise, (5, -7), axis=(0, 1)), np.random.default_rng(1)
    )
    assert (dy, dx) == pytest.approx((5, -7), abs=0.1)
    assert score > 0.9 and n_inliers >= 8


def test_band_pass_removes_an_offset_and_scales_with_the_gain():
    noise = np.random.default_rng(0).normal(size=(64, 64)).astype(np.float32)
    assert not band_pass(np.full((64, 64), 0.3)).any()
    np.testing.assert_allclose(band_pass(3 * noise + 100), 3 * band_pass(noise), atol=1e-4)


def test_constant_slice_has_no_shift_and_no_score():
    noise = np.random.default_rng(0).normal(size=(64, 64))
    dy, dx, score = estimate_pair_shift(noise, np.full((64, 64), 9.0))
    assert (dy, dx) == (0, 0) and np.isnan(score)


# Against the plain way


@pytest.mark.parametrize("shape", [(256, 256), (97, 64), (30, 211), (1, 40), (1, 1)])
def test_band_pass_is_the_difference_of_two_gaussian_filters(shape):
    """Sides shorter than the wide filter (48 px to each side) are mirrored again and again."""
    image = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    low, high = (ndimage.gaussian_filter(image.astype(np.float64), sd) for sd in (1.5, 12))
    filtered = band_pass(image)
    assert filtered.dtype == np.float32
    np.testing.assert_allclose(filtered, low - high, atol=1e-3)  # of 255


def smooth(shape, seed):
    return ndimage.gaussian_filter(np.random.default_rng(seed).normal(size=shape), 1.5).astype(np.float32)


@pytest.mark.parametrize("shape", [(128, 128), (97, 64), (64, 97), (33, 211)])
@pytest.mark.parametrize("upsample_factor", [1, 20])
def test_peak_is_that_of_skimage(shape, upsample_factor):
    world = smooth((shape[0] + 20, shape[1] + 20), 0)
    moved = ndimage.shift(world, (3.3, -6.45), order=3)
    a, b = (w[10 : 10 + shape[0], 10 : 10 + shape[1]] for w in (world, moved))
    peak = correlation_peak(windowed_spectrum(a), windowed_spectrum(b), shape, upsample_factor)
    window = np.outer(*(np.hanning(n + 2)[1:-1] for n in shape))
    expected, *_ = phase_cross_correlation(a * window, b * window, upsample_factor=upsample_factor, normalization=None)
    np.testing.assert_allclose(peak, -expected, atol=1e-6)
    np.testing.assert_allclose(peak, (3.3, -6.45), atol=0.5 if upsample_factor == 1 else 0.3)


def test_a_single_row_moves_in_x_only():
    row = smooth((1, 200), 0)
    dy, dx, _ = estimate_pair_shift(row[:, 10:150], row[:, 7:147])
    assert dy == 0
    assert dx == pytest.approx(3, abs=0.1)


@pytest.mark.parametrize("shift", [(0, 0), (3, -2), (-2.4, 5.6)])
def test_score_is_the_correlation_coefficient_of_the_overlap(shift):
    a, b = smooth((50, 60), 0), smooth((50, 60), 1) + 0.5 * smooth((50, 60), 0)
    dy, dx = map(round, shift)
    overlap_a = a[max(-dy, 0) : 50 - max(dy, 0), max(-dx, 0) : 60 - max(dx, 0)]
    overlap_b = b[max(dy, 0) : 50 - max(-dy, 0), max(dx, 0) : 60 - max(-dx, 0)]
    expected = np.corrcoef(overlap_a.ravel(), overlap_b.ravel())[0, 1]
    assert overlap_correlation(a, b, *shift) == pytest.approx(expected, abs=1e-6)


def test_no_overlap_and_no_texture_have_no_score():
    a = smooth((20, 20), 0)
    assert np.isnan(overlap_correlation(a, a, 20, 0))
    assert np.isnan(overlap_correlation(a, np.zeros_like(a), 0, 0))


@pytest.mark.parametrize("n", [2, 3, 5])
def test_score_of_a_tiny_overlap_stays_a_correlation(n):
    """E[x^2] - E[x]^2 of a few pixels far from 0 is mostly rounding."""
    rng = np.random.default_rng(n)
    for sd in 10.0 ** rng.uniform(-6, 2, 500):
        a, b = ((100 + sd * rng.normal(size=(n, 20))).astype(np.float32) for _ in range(2))
        score = overlap_correlation(a, b, 0, 18)  # the first two columns of a, the last two of b
        if sd < 0.05:
            assert np.isnan(score)
        elif sd > 10:
            expected = np.corrcoef(a[:, :2].ravel().astype(float), b[:, 18:].ravel().astype(float))[0, 1]
            assert score == pytest.approx(expected, abs=1e-3)
        assert not abs(score) > 1


def test_an_overlap_in_a_flat_area_has_no_score():
    image = np.random.default_rng(0).integers(0, 256, (128, 256)).astype(np.uint8)
    image[:, 128:] = 200
    left, right = band_pass(image), band_pass(image[:, ::-1])
    assert left[:, 200:].any() and np.abs(left[:, 200:]).max() < 1e-3  # not exactly 0
    assert np.isnan(overlap_correlation(right, left, 0, 200))
    assert overlap_correlation(left, left, 0, 0) == pytest.approx(1, abs=1e-6)
