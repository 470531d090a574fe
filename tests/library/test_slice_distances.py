"""Distances of slices to all slices: hand arithmetic, what flicker and content change, the rule for outliers."""

import numpy as np
import pytest
import stacks

from densecell import slice_distances as distances
from densecell.histograms import value_counts

TEXTURE = stacks.textured_stack(1, (120, 120), [(0, 0)])[0]


def test_distance_by_hand():
    # shares up to each of two values: 1/4, 3/4 and 1/2 pooled (of the first two rows)
    histograms = np.array([[1, 3], [3, 1], [0, 4], [0, 0]])
    found = distances.ks_to_pooled(histograms, np.array([True, True, False, False]))
    assert found[:3].tolist() == [0.25, 0.25, 0.5] and np.isnan(found[3])


def test_moments_by_hand():
    assert distances.moments(np.bincount([2, 4, 4, 4, 5, 5, 7, 9], minlength=256)) == (8, 5.0, 2.0)
    n, mean, sd = distances.moments(np.zeros(256, int))
    assert n == 0 and np.isnan([mean, sd]).all()


def test_brightness_and_contrast_taken_out_leave_the_shape():
    curve = distances.standardized(value_counts(TEXTURE))
    for gain, offset in ((1, 20), (0.6, 50), (0.3, 0)):
        changed = np.rint(gain * TEXTURE + offset).astype(np.uint8)
        assert np.abs(distances.standardized(value_counts(changed)) - curve).max() < 0.02
    hole = TEXTURE.copy()
    hole[:60] = 250
    assert np.abs(distances.standardized(value_counts(hole)) - curve).max() > 0.2
    assert np.isnan(distances.standardized(value_counts(np.full((4, 4), 7, np.uint8)))).all()


def test_shape_distances_are_to_the_mean_of_the_pool():
    curves = np.array([[0.0, 0.4, 1.0], [0.0, 0.6, 1.0], [0.0, 1.0, 1.0], [np.nan] * 3])
    pool = np.array([True, True, False, True])
    found = distances.shape_distances(curves, np.array([1, 3, 9, 0]), pool)  # pooled: 0, 0.55, 1
    assert found[:3] == pytest.approx([0.15, 0.05, 0.45]) and np.isnan(found[3])
    assert np.isnan(distances.shape_distances(curves, np.ones(4), np.zeros(4, bool))).all()


def test_groups_hold_all_of_8_bits_and_equal_shares_of_16():
    assert distances.value_groups(value_counts(TEXTURE)).tolist() == list(range(256))
    counts = value_counts(np.random.default_rng(0).normal(30000, 300, (300, 300)).astype(np.uint16))
    groups = distances.value_groups(counts)
    assert (np.diff(groups) >= 0).all() and groups[0] == 0 and groups[-1] == distances.N_GROUPS + 1
    held = distances.grouped(counts, groups)
    assert held.sum() == counts.sum() and held.max() / counts.sum() < 0.003


def test_grouped_distances_are_near_those_of_all_values():
    rng = np.random.default_rng(1)
    rows = [value_counts(rng.normal(20000 + step, 500, 50_000).astype(np.uint16)) for step in (0, 100, 400)]
    groups, pool = distances.value_groups(sum(rows)), np.ones(3, bool)
    exact = distances.ks_to_pooled(np.array(rows), pool)
    found = distances.ks_to_pooled(np.array([distances.grouped(r, groups) for r in rows]), pool)
    np.testing.assert_allclose(found, exact, atol=1 / distances.N_GROUPS)


def test_outliers_are_five_robust_deviations_and_a_tenth_away():
    usual = [0.03, 0.04, 0.05, 0.06, 0.07]  # median 0.05 (0.055 with one more), deviations 0.015 x 1.4826
    pool = np.ones(6, bool)
    assert distances.outliers(np.array([*usual, 0.3]), pool).tolist() == [False] * 5 + [True]
    assert not distances.outliers(np.array([*usual, 0.15]), pool).any()
    near = np.array([0.010, 0.010, 0.011, 0.011, 0.012, 0.09])
    assert not distances.outliers(near, pool).any(), "less than a tenth never stands out"


def test_few_slices_and_slices_outside_the_pool_never_stand_out():
    found = np.array([0.01, 0.01, 0.01, 0.9])
    assert not distances.outliers(found, np.ones(4, bool)).any()
    found, pool = np.array([0.01] * 6 + [0.9, np.nan]), np.array([True] * 6 + [False, True])
    assert not distances.outliers(found, pool).any()
