"""Binning: hand arithmetic, then properties over factors and slab cuts."""

import tracemalloc

import numpy as np
import pytest

from densecell import binning
from densecell.binning import (
    bin_image,
    bin_labels,
    binned_origin_nm,
    binned_shape,
    binned_voxel_size_nm,
    count_classes,
)
from densecell.classes import Classes

FACTORS = [(1, 1, 1), (1, 2, 2), (2, 1, 3), (2, 2, 2), (3, 4, 5)]


def test_mean_of_one_block():
    slab = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
    assert bin_image(slab, (2, 2, 2)).tolist() == [[[3.5]]]


def test_incomplete_block_is_averaged_over_what_it_has():
    slab = np.array([[[10, 20, 60]]], np.uint8)
    assert bin_image(slab, (1, 1, 2)).tolist() == [[[15, 60]]]


def test_integer_halves_round_to_even():
    slab = np.array([[[0, 1, 1, 2, 2, 3]]], np.uint16)
    binned = bin_image(slab, (1, 1, 2))
    assert binned.tolist() == [[[0, 2, 2]]]  # 0.5, 1.5, 2.5
    assert binned.dtype == np.uint16


def test_uint16_maximum_does_not_overflow():
    slab = np.full((4, 8, 8), 65535, np.uint16)
    assert (bin_image(slab, (4, 8, 8)) == 65535).all()


def test_wide_integers_are_refused():
    with pytest.raises(ValueError, match="at most 32 bits"):
        bin_image(np.zeros((2, 2, 2), np.int64), (2, 2, 2))


@pytest.mark.parametrize("factors", [(0, 1, 1), (1, 1), (1.5, 1, 1)])
def test_bad_factors_are_refused(factors):
    with pytest.raises(ValueError, match="three integers"):
        binned_shape((4, 4, 4), factors)


def test_geometry():
    assert binned_shape((5, 6, 7), (2, 3, 4)) == (3, 2, 2)
    assert binned_voxel_size_nm((40, 10, 10), (1, 2, 4)) == (40, 20, 40)
    # Voxels 0 and 1 have their centers at 100 and 110 nm, so their block has it at 105 nm.
    assert binned_origin_nm((0, 100, 100), (40, 10, 10), (1, 2, 4)) == (0, 105, 115)


@pytest.mark.parametrize("factors", FACTORS)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_image_matches_the_plain_loop(factors, dtype):
    slab = np.random.default_rng(0).integers(0, 256, (5, 9, 11)).astype(dtype)
    binned = bin_image(slab, factors)
    assert binned.dtype == dtype
    assert binned.shape == binned_shape(slab.shape, factors)
    for index in np.ndindex(binned.shape):
        block = slab[tuple(slice(i * f, (i + 1) * f) for i, f in zip(index, factors, strict=True))]
        mean = block.mean(dtype=np.float64)
        assert binned[index] == (mean.astype(dtype) if dtype == np.float32 else np.rint(mean))


@pytest.mark.parametrize("factors", [(1, 1, 2), (3, 5, 17), (1, 15, 17), (4, 8, 8)])  # 2, 255, 255 and 256 voxels
@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_integer_means_are_exact_close_to_a_tie_and_at_the_ends_of_the_type(dtype, factors):
    n, limits, rng = int(np.prod(factors)), np.iinfo(dtype), np.random.default_rng(4)
    for extreme in (limits.min, limits.max):
        slab = np.full(factors, extreme, dtype)
        flat, near = slab.reshape(-1), extreme + (1 if extreme == limits.min else -1)
        for n_other in {0, 1, n // 2 - 1, n // 2, n // 2 + 1, n - 1, int(rng.integers(n))} & set(range(n + 1)):
            flat[:] = extreme
            flat[:n_other] = near
            quotient, rest = divmod(sum(flat.tolist()), n)  # Python's integers
            up = 2 * rest > n or (2 * rest == n and quotient % 2)
            assert bin_image(slab, factors).item() == quotient + up


@pytest.mark.parametrize("factors", FACTORS)
def test_majority_matches_the_plain_loop(factors):
    rng = np.random.default_rng(5)
    labels = rng.choice(np.array([0, 1, 2, 3, 255], np.uint8), (7, 13, 17), p=[0.3, 0.3, 0.2, 0.19, 0.01])
    labels[:, :6, :8] = 2  # blocks of one class too
    counts = count_classes(labels, 4)
    binned = bin_labels(labels, factors, counts)
    assert binned.dtype == np.uint8 and binned.shape == binned_shape(labels.shape, factors)
    for index in np.ndindex(binned.shape):
        block = labels[tuple(slice(i * f, (i + 1) * f) for i, f in zip(index, factors, strict=True))]
        votes = [(-np.count_nonzero(block == c), counts[c], c) for c in range(4)]
        assert binned[index] == (255 if (block == 255).any() else min(votes)[2])


@pytest.mark.parametrize("factors", FACTORS)
def test_slab_by_slab_equals_whole(factors):
    rng = np.random.default_rng(1)
    image = rng.integers(0, 65536, (13, 7, 8), dtype=np.uint16)
    labels = rng.choice(np.array([0, 1, 2, 255], np.uint8), image.shape, p=[0.4, 0.3, 0.25, 0.05])
    counts = count_classes(labels, 3)
    step = 2 * factors[0]
    slabs = [slice(z, z + step) for z in range(0, 13, step)]
    assert np.array_equal(np.concatenate([bin_image(image[s], factors) for s in slabs]), bin_image(image, factors))
    assert np.array_equal(
        np.concatenate([bin_labels(labels[s], factors, counts) for s in slabs]),
        bin_labels(labels, factors, counts),
    )
    assert np.array_equal(sum(count_classes(labels[s], 3) for s in slabs), counts)


def test_factor_one_is_identity():
    labels = np.random.default_rng(2).choice(np.array([0, 1, 255], np.uint8), (3, 4, 5))
    assert np.array_equal(bin_image(labels, (1, 1, 1)), labels)
    assert np.array_equal(bin_labels(labels, (1, 1, 1), [5, 5]), labels)


def test_mean_is_conserved_where_the_shape_divides():
    image = np.random.default_rng(3).random((4, 6, 10))
    assert bin_image(image, (2, 3, 5)).mean() == pytest.approx(image.mean(), rel=1e-12)


def test_majority_wins():
    assert bin_labels(np.array([[[0, 0, 0, 1]]], np.uint8), (1, 1, 4), [1000, 1]).item() == 0


@pytest.mark.parametrize(("counts", "winner"), [([9, 1], 1), ([1, 9], 0), ([5, 5], 0)])
def test_tie_goes_to_the_class_rarer_in_the_volume(counts, winner):
    assert bin_labels(np.array([[[0, 1], [1, 0]]], np.uint8), (1, 2, 2), counts).item() == winner


def test_block_with_an_unlabelled_voxel_is_unlabelled():
    slab = np.array([[[1, 1, 255, 1, 0]]], np.uint8)
    assert bin_labels(slab, (1, 1, 2), [1, 4]).tolist() == [[[1, 255, 0]]]


def test_block_sum_above_255_votes_is_counted():
    slab = np.zeros((1, 20, 20), np.uint8)
    slab[:, :, :9] = 1  # 180 against 220
    assert bin_labels(slab, (1, 20, 20), [220, 180]).item() == 0


def test_class_counts_leave_out_unlabelled():
    assert count_classes(np.array([[[0, 0, 2, 255]]], np.uint8), 4).tolist() == [2, 0, 1, 0]


def test_unknown_label_is_refused():
    with pytest.raises(ValueError, match=r"found \[7\]"):
        bin_labels(np.array([[[0, 7]]], np.uint8), (1, 1, 2), [1, 1])


def test_labels_of_another_dtype_are_refused():
    with pytest.raises(ValueError, match="uint8"):
        count_classes(np.zeros((1, 1, 1), np.int32), 2)


def test_votes_of_a_slab_take_little_more_memory_than_the_slab():
    rng = np.random.default_rng(6)
    slab = rng.integers(0, 3, (64, 256, 256), dtype=np.uint8)  # 4 MB; nearly all blocks are mixed
    counts = count_classes(slab, 3)
    tracemalloc.start()
    bin_labels(slab, (2, 2, 2), counts)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 1.5 * slab.nbytes  # some 12 times with the votes of all planes at once


def test_means_of_16_bits_are_computed_in_32():
    sums, means = binning._types_of_means(np.dtype(np.uint16), 255)
    assert (sums, means) == (np.uint32, np.float32)
    assert binning._block_means(np.ones((1, 4, 4), np.uint16), (1, 2, 2), sums, means).dtype == np.float32


@pytest.mark.parametrize("n", [2, 3, 8, 60, 255])
def test_every_mean_of_bytes_and_those_of_two_bytes_at_the_ends_are_exact(n):
    """All sums of n bytes, and the sums of n values of 16 bits within 3 n of the least and the greatest."""
    ends = np.concatenate([np.arange(3 * n), 65535 * n - np.arange(3 * n)])
    for dtype, sums in ((np.uint8, np.arange(255 * n + 1, dtype=np.int32)), (np.uint16, ends)):
        blocks = sums[:, None] // n + (np.arange(n) < (sums % n)[:, None])
        found = bin_image(blocks.astype(dtype)[None], (1, 1, n)).ravel()
        quotient, rest = np.divmod(sums, n)
        up = (2 * rest > n) | ((2 * rest == n) & (quotient % 2 == 1))
        np.testing.assert_array_equal(found, quotient + up)


# -------------------------------------------------------------------------------------------------------- sparse labels
NESTED = Classes(
    ("background", "cell", "nucleus", "nucleolus"), ("background", "cell", "organelle", "organelle"), (-1, -1, 1, 2)
)


@pytest.mark.parametrize(
    ("block", "winner"),
    [
        ([2, 2, 254, 254], 2),  # a tie goes to what was looked for
        ([2, 254, 254, 254], 254),
        ([254, 254, 254, 254], 254),
        ([2, 255, 2, 2], 255),
    ],
)
def test_other_is_a_class_to_which_no_tie_goes(block, winner):
    counts = [0, 0, 1000, 0]
    assert bin_labels(np.array([[block]], np.uint8), (1, 1, 4), counts, NESTED, is_partial=True).item() == winner


@pytest.mark.parametrize(
    ("block", "winner"),
    [
        ([0, 1, 2, 3], 2),  # three quarters are cell, half is nucleus, a quarter nucleolus
        ([0, 0, 2, 3], 2),  # half nucleus
        ([2, 2, 3, 3], 3),
        ([1, 1, 1, 3], 1),
        ([0, 0, 0, 3], 0),
        ([0, 0, 1, 1], 1),  # cells are rarer
    ],
)
def test_a_class_counts_with_what_lies_in_it(block, winner):
    found = bin_labels(np.array([[block]], np.uint8), (1, 1, 4), [100, 50, 20, 5], NESTED)
    assert found.item() == winner


def test_nested_classes_bin_alike_drawn_together_or_apart():
    """Of classes within one outermost class, the target of each is where at least half of the block is, with any source."""
    labels = np.random.default_rng(4).choice([254, 1, 2, 3], (2, 24, 24), p=[0.3, 0.2, 0.2, 0.3]).astype(np.uint8)
    counts = np.bincount(labels.ravel(), minlength=256)[:4]
    together = bin_labels(labels, (1, 2, 2), counts, NESTED, is_partial=True)
    for target in (1, 2, 3):
        members = NESTED.members_of(target)
        mask = np.where(np.isin(labels, members), np.uint8(target), np.uint8(254))
        apart = bin_labels(mask, (1, 2, 2), [0] * target + [1000] + [0] * (3 - target), NESTED, is_partial=True)
        share = np.isin(labels, members).reshape(2, 12, 2, 12, 2).mean(axis=(2, 4))
        np.testing.assert_array_equal(apart == target, share >= 0.5)
        np.testing.assert_array_equal(np.isin(together, members), share >= 0.5)


def test_classes_that_contain_none_vote_as_before():
    labels = np.random.default_rng(5).integers(0, 4, (4, 12, 12)).astype(np.uint8)
    counts = count_classes(labels, 4)
    flat = Classes(NESTED.names, NESTED.groups)
    np.testing.assert_array_equal(bin_labels(labels, (2, 2, 2), counts, flat), bin_labels(labels, (2, 2, 2), counts))


# ------------------------------------------------------------------------------------------------------- object numbers
UNLABELLED_INSTANCE = 2**32 - 1


def random_objects(seed, shape, unlabelled=0.02):
    rng = np.random.default_rng(seed)
    found = rng.choice([0, 3, 4, 70_000, 2**31], shape, p=[0.4, 0.2, 0.2, 0.1, 0.1]).astype(np.uint32)
    found[rng.random(shape) < unlabelled] = UNLABELLED_INSTANCE
    return found


def test_the_object_with_most_of_a_block_wins_where_half_of_it_is_an_object():
    def won(*numbers):
        return int(binning.bin_instances(np.array([[numbers]], np.uint32), (1, 1, len(numbers)))[0, 0, 0])

    assert won(5, 5, 9, 0) == 5
    assert won(5, 9, 0, 0) == 5  # half of it is an object; of equal ones the lowest number
    assert won(9, 5, 0, 0) == 5
    assert won(5, 0, 0, 0) == 0
    assert won(5, 6, 7, 0, 0) == 5  # no object has more voxels than none, but together they fill more than half
    assert won(5, UNLABELLED_INSTANCE, 5, 5) == UNLABELLED_INSTANCE
    assert won(0, 0, 0) == 0


def test_binned_objects_are_where_their_binned_mask_is():
    """A source of masks of one class and one of the numbers of its objects say the same of the class."""
    objects = random_objects(0, (6, 31, 29))
    masks = np.where(objects == UNLABELLED_INSTANCE, 255, np.where(objects > 0, 1, 254)).astype(np.uint8)
    counts = [int((masks == c).sum()) for c in range(2)]
    classes = Classes(("background", "cell"), ("background", "cell"))
    for factors in ((1, 2, 2), (2, 3, 4), (1, 4, 4)):
        binned, mask = (
            binning.bin_instances(objects, factors),
            binning.bin_labels(masks, factors, counts, classes, True),
        )
        assert np.array_equal(np.where(binned == UNLABELLED_INSTANCE, 255, np.where(binned > 0, 1, 254)), mask)


@pytest.mark.parametrize("factors", [(1, 2, 2), (3, 2, 5), (1, 4, 4)])
def test_objects_block_by_block_as_by_hand(factors):
    objects = random_objects(1, (7, 13, 22))
    binned = binning.bin_instances(objects, factors)
    for place in np.ndindex(binned.shape):
        block = objects[tuple(slice(i * f, (i + 1) * f) for i, f in zip(place, factors))].ravel()
        values, counts = np.unique(block[block > 0], return_counts=True)
        expected = values[counts.argmax()] if 2 * counts.sum() >= block.size else 0
        assert binned[place] == (UNLABELLED_INSTANCE if (block == UNLABELLED_INSTANCE).any() else expected)


def test_objects_are_numbers_of_32_bits():
    with pytest.raises(ValueError, match="object numbers are expected as uint32, found int32"):
        binning.bin_instances(np.zeros((1, 2, 2), np.int32), (1, 2, 2))
