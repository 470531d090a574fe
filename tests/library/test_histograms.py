"""Counts of values: by hand, then against one comparison for each value."""

import numpy as np
import pytest

from densecell.histograms import BLOCK_BYTES, FEW, joint_counts, value_counts


def test_counts_by_hand():
    counts = value_counts(np.array([[3, 0], [3, 255]], np.uint8))
    assert counts.shape == (256,) and counts.dtype == np.int64
    assert (counts[0], counts[3], counts[255], counts.sum()) == (1, 2, 1, 4)


def test_joint_counts_by_hand():
    rows, columns = np.array([0, 0, 1, 1], np.uint8), np.array([2, 2, 0, 1], np.uint8)
    assert joint_counts(rows, 2, columns, 3).tolist() == [[0, 0, 2], [1, 1, 0]]


def test_an_array_without_voxels_counts_nothing():
    assert value_counts(np.zeros((0, 4), np.uint8)).sum() == 0
    assert value_counts(np.zeros(0, np.uint16)).sum() == 0


def test_other_types_are_refused():
    with pytest.raises(ValueError, match="uint8 or uint16, found int32"):
        value_counts(np.zeros(3, np.int32))


@pytest.mark.parametrize("size", [1, FEW - 1, FEW, FEW + 1, 2 * BLOCK_BYTES + 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_blocks_and_pairs_give_the_counts_of_single_voxels(dtype, size):
    rng = np.random.default_rng(size)
    values = rng.choice(np.array([0, 1, 7, 200, 255, np.iinfo(dtype).max]), size).astype(dtype)
    counts = value_counts(values)
    assert counts.size == np.iinfo(dtype).max + 1 and counts.sum() == size
    for value in (0, 1, 7, 200, 255, np.iinfo(dtype).max):
        assert counts[value] == np.count_nonzero(values == value)


def test_views_that_are_not_contiguous_count_their_own_voxels():
    values = np.random.default_rng(0).integers(0, 4, (9, 200, 200)).astype(np.uint8)
    view = values[::2, 3:-3, ::-3]
    assert value_counts(view)[:4].tolist() == [np.count_nonzero(view == v) for v in range(4)]


@pytest.mark.parametrize("n_rows, n_columns", [(8, 8), (16, 16), (16, 17), (256, 256)])
def test_joint_counts_of_few_and_of_many_values(n_rows, n_columns):
    rng = np.random.default_rng(1)
    rows, columns = (rng.integers(0, n, (40, 50)).astype(np.uint8) for n in (n_rows, n_columns))
    rows[0, 0], columns[0, 0] = n_rows - 1, n_columns - 1
    expected = np.zeros((n_rows, n_columns), int)
    np.add.at(expected, (rows, columns), 1)
    np.testing.assert_array_equal(joint_counts(rows, n_rows, columns, n_columns), expected)
