"""Contrast-limited adaptive equalization: hand arithmetic, the limits of its settings, and scikit-image beside it."""

import numpy as np
import pytest
import stacks
from skimage.exposure import equalize_adapthist

from densecell.clahe import clahe
from densecell.histograms import value_counts

TEXTURE = stacks.textured_stack(1, (192, 256), [(0, 0)])[0]


def run(plane, padding=None, **options):
    counts = value_counts(plane)
    if padding is not None:
        counts[padding] = 0
    return clahe(plane, counts, padding=padding, **options)


def test_one_tile_without_a_limit_is_the_cumulated_histogram():
    plane = np.array([[0, 0, 64], [64, 128, 255]], np.uint8)  # shares up to each value: 2/6, 4/6, 5/6, 1
    assert run(plane, clip=1000, tiles=(1, 1)).tolist() == [[85, 85, 170], [170, 212, 255]]


def test_the_strictest_limit_is_nearly_a_straight_line():
    found = run(np.arange(256, dtype=np.uint8).reshape(16, 16), clip=1, tiles=(1, 1))
    assert np.abs(found.astype(int) - np.arange(256).reshape(16, 16)).max() <= 1


def test_a_higher_limit_gives_more_contrast():
    spread = [run(TEXTURE, clip=clip).std() for clip in (1, 2, 4, 8)]
    assert spread == sorted(spread) and spread[-1] > 1.3 * spread[0]


def test_tiles_see_only_what_lies_near():
    left = TEXTURE.copy()
    changed = left.copy()
    changed[:, 224:] //= 4
    different = (run(left) != run(changed)).any(axis=0)
    assert (
        not different[:176].any() and different[224:].all()
    )  # the tiles with centers at 208 and 240 changed, or are mixed with


def test_what_scikit_image_gives_is_alike():
    theirs = equalize_adapthist(TEXTURE, kernel_size=(24, 32), clip_limit=2 / 256, nbins=256)
    ours = run(TEXTURE, clip=2, tiles=(8, 8))
    assert np.corrcoef(ours.ravel(), theirs.ravel())[0, 1] > 0.99


@pytest.mark.parametrize("tiles", [(1, 1), (3, 5), (8, 8), (64, 64)])
@pytest.mark.parametrize("shape", [(1, 7), (5, 3), (33, 70)])
def test_any_number_of_tiles_fits_any_slice(tiles, shape):
    plane = TEXTURE[: shape[0], : shape[1]].copy()
    plane[0, 0] += 1
    found = run(plane, tiles=tiles)
    assert found.shape == shape and found.dtype == np.uint8


def test_tiles_of_padding_take_part_in_nothing():
    plane = np.maximum(TEXTURE, 1)
    plane[:72] = 0  # the upper three of eight rows of tiles
    other = plane[48:].copy()  # one row of tiles of padding is as good as three
    np.testing.assert_array_equal(run(plane, padding=0)[72:], run(other, padding=0, tiles=(6, 8))[24:])


def test_16_bits_follow_the_range_of_the_slice():
    wide = TEXTURE.astype(np.uint16)
    np.testing.assert_array_equal(run(wide * 7 + 1000), run(wide * 7))
    few = run(wide * 200)
    assert few.max() > 60000 and len(np.unique(few)) > 1000
