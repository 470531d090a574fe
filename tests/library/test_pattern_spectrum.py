import numpy as np
import pytest
from scipy import ndimage

from densecell import pattern_spectrum as ps

CROSS = ndimage.generate_binary_structure(3, 1)


def cubes():
    image = np.zeros((41, 41, 41), np.uint8)
    image[3:8, 3:8, 3:8] = 100
    image[15:28, 15:28, 15:28] = 100
    return image, np.ones(image.shape, bool)


def element(n, name):
    """Size n of an element, as an array of ones and zeros."""
    grown = np.zeros((2 * n + 1,) * 3, bool)
    grown[n, n, n] = True
    for i in range(1, n + 1):
        step = CROSS if name == "rounded" and i % 2 else np.ones((3, 3, 3))
        grown = ndimage.binary_dilation(grown, step)
    return grown


def test_two_cubes_are_told_by_their_sizes():
    openings, _ = ps.spectrum(*cubes())
    expected = np.zeros(9)
    expected[2], expected[6] = 125 / 2322, 2197 / 2322
    assert openings == pytest.approx(expected)
    assert (expected[2], expected[6]) == pytest.approx((0.053833, 0.946167), abs=1e-6)


def test_a_dark_cube_in_a_bright_block_is_told_by_the_first_closing_that_fills_it():
    image = np.full((33, 33, 33), 100, np.uint8)
    image[14:19, 14:19, 14:19] = 0
    _, closings = ps.spectrum(image, np.ones(image.shape, bool), n_max=4)
    assert closings == pytest.approx([0, 0, 125 / (33**3 - 125), 0])


@pytest.mark.parametrize("name", ps.ELEMENTS)
def test_sums_are_those_of_grey_openings(name):
    values = ndimage.uniform_filter(np.random.default_rng(0).integers(0, 256, (15, 17, 19)), 3)
    padded = np.pad(values, 4)
    expected = [ndimage.grey_opening(padded, footprint=element(n, name)).sum() for n in range(4)]
    assert ps.opened_sums(values, 3, name).tolist() == expected


@pytest.mark.parametrize("name", ps.ELEMENTS)
def test_no_share_is_negative(name):
    at = np.indices((31, 31, 31)) - 15
    distance = np.sqrt((at**2).sum(axis=0))
    image = np.where(distance <= 14, np.random.default_rng(1).integers(0, 256, distance.shape), 0).astype(np.uint8)
    for noisy in (image, ndimage.gaussian_filter(image, 1.5), (distance <= 6) * np.uint8(9)):
        values = noisy.astype(np.int64)
        assert (np.diff(ps.opened_sums(values, 9, name)) <= 0).all()


@pytest.mark.parametrize("name", ps.ELEMENTS)
def test_elements_nest(name):
    for n in range(1, 6):
        inner, outer = element(n - 1, name), element(n, name)
        assert np.array_equal(ndimage.binary_opening(outer, inner), outer)


def test_brightness_and_contrast_have_no_effect():
    image = np.random.default_rng(2).integers(0, 50, (12, 12, 12)).astype(np.uint8)
    mask = np.ones(image.shape, bool)
    for one, other in zip(ps.spectrum(image, mask), ps.spectrum(3 * image + 40, mask)):
        assert one == pytest.approx(other)


@pytest.mark.parametrize("bits", [8, 16])
def test_signed_images_have_the_same_spectrum(bits):
    image = np.random.default_rng(7).integers(0, 2**bits, (10, 10, 10))
    mask = np.random.default_rng(8).random(image.shape) < 0.9
    signed, unsigned = (image - 2 ** (bits - 1)).astype(f"i{bits // 8}"), image.astype(f"u{bits // 8}")
    assert ps.features(signed, mask) == ps.features(unsigned, mask)


def test_floating_point_images_have_the_same_spectrum_to_four_digits():
    image = np.random.default_rng(5).integers(0, 256, (12, 12, 12)).astype(np.uint8)
    mask = np.random.default_rng(6).random(image.shape) < 0.9
    for one, other in zip(ps.spectrum(image, mask), ps.spectrum(np.where(mask, image / 7.0, -3), mask)):
        assert one == pytest.approx(other, abs=1e-4)


def test_a_constant_or_empty_object_has_none():
    image, mask = np.full((5, 5, 5), 7, np.uint8), np.ones((5, 5, 5), bool)
    assert np.isnan(list(ps.features(image, mask).values())).all()
    assert np.isnan(list(ps.features(image, ~mask).values())).all()


def test_moments_of_two_sizes():
    mean, sd, skewness, entropy = ps.moments(np.arange(4), np.array([0, 0.3, 0, 0.3]))
    assert (mean, sd, skewness, entropy) == pytest.approx((2, 1, 0, 1))
    assert ps.moments(np.arange(3), np.array([0, 1.0, 0])) == (1, 0, 0, 0)
    assert np.isnan(ps.moments(np.arange(3), np.zeros(3))).all()


def test_features_tell_both_sides():
    found = ps.features(*cubes())
    assert found["bright_mean"] == pytest.approx(2 * 0.0538330 + 6 * 0.9461671)
    assert found["bright_share"] == pytest.approx(1)
    assert list(found) == [f"{s}_{m}" for s in ("bright", "dark") for m in (*ps.MOMENTS, "share")]


def test_an_unknown_element_is_refused():
    with pytest.raises(ValueError, match=r"texture.spectrum.element: expected one of cube, rounded, found 'ball'"):
        ps.opened_sums(np.ones((3, 3, 3)), 1, "ball")
