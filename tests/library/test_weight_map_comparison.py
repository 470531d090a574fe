"""Correlation and edge scale of two weight maps, from sums."""

import numpy as np
import pytest

from densecell.weight_map_comparison import edge_scale, pearson, slice_sums
from densecell.weight_maps import class_balance_weights, weight_slice

BALANCE = np.array([0.25, 1.0])


def test_two_voxels_in_the_head():
    labels = np.array([[0, 1, 255]])
    ours = np.array([[0.01 + 0.25 + 0.2, 0.01 + 1 + 0.1, 0]])
    theirs = np.array([[0.02 + 0.25 + 0.6, 0.02 + 1 + 0.3, 0]])
    sums = slice_sums(ours, theirs, labels, BALANCE, 0.01, 0.02)
    assert sums[0] == 2
    assert edge_scale(sums) == pytest.approx(3)
    assert pearson(sums) == pytest.approx(1)


def test_sums_of_slices_add_up_to_those_of_the_stack():
    rng = np.random.default_rng(0)
    ours, theirs, labels = rng.random((3, 8, 9)), rng.random((3, 8, 9)), rng.integers(0, 2, (3, 8, 9))
    labels[:, 0] = 255
    sums = sum(slice_sums(a, b, c, BALANCE, 0, 0) for a, b, c in zip(ours, theirs, labels))
    valid = labels != 255
    assert pearson(sums) == pytest.approx(np.corrcoef(ours[valid], theirs[valid])[0, 1])
    edges = ours[valid] - BALANCE[labels[valid]]
    expected = np.linalg.lstsq(edges[:, None], theirs[valid] - BALANCE[labels[valid]], rcond=None)[0][0]
    assert edge_scale(sums) == pytest.approx(expected)


def test_stronger_edges_of_our_own_formula_give_their_factor_exactly():
    labels = np.zeros((40, 40), np.uint8)
    labels[8:32, 8:32], labels[15:20, 15:20] = 1, 2
    balance, groups = class_balance_weights(np.bincount(labels.ravel())), [0, 1, 2]
    ours, theirs = (weight_slice(labels, balance, groups, edge_scale=s) for s in (1.0, 2.25))
    sums = slice_sums(ours, theirs, labels, balance, 0.01, 0.01)
    assert edge_scale(sums) == pytest.approx(2.25, rel=1e-5)
    assert 0.9 < pearson(sums) < 1


def test_without_edges_or_spread_or_voxels_nothing_is_said():
    labels = np.zeros((4, 4), np.uint8)
    constant = np.full((4, 4), 0.26)
    sums = slice_sums(constant, np.random.default_rng(0).random((4, 4)), labels, BALANCE, 0.01, 0.01)
    assert np.isnan(pearson(sums)) and np.isnan(edge_scale(sums))
    none = slice_sums(constant, constant, np.full((4, 4), 255), BALANCE, 0.01, 0.01)
    assert none[0] == 0 and np.isnan(pearson(none)) and np.isnan(edge_scale(none))
