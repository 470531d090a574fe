import itertools

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, rankdata

from densecell import comparison
from densecell.comparison import holm, is_exact, ranges_overlap, rank_test, superiority, superiority_interval


def test_three_against_three_apart_is_the_smallest_p():
    # 2 of the 20 ways to split six runs in two are as extreme
    assert rank_test([1, 2, 3], [4, 5, 6]) == (pytest.approx(0.1), pytest.approx(0.1))
    assert rank_test([4, 5, 6], [1, 2, 3]).p_value == pytest.approx(0.1)


def test_single_runs_and_equal_groups_say_nothing():
    assert rank_test([0.1], [0.9]) == (1.0, 1.0)
    assert rank_test([0.5, 0.7], [0.5, 0.7]).p_value == 1.0
    assert rank_test([0.3, 0.3], [0.3, 0.3]).p_value == 1.0


def test_matches_the_exact_distribution_without_ties():
    rng = np.random.default_rng(1)
    for sizes in ((3, 5), (8, 8), (24, 20)):
        first, second = rng.normal(size=sizes[0]), rng.normal(0.6, size=sizes[1])
        expected = mannwhitneyu(first, second, method="exact").pvalue
        assert rank_test(first, second).p_value == pytest.approx(expected)


def test_ties_by_counting_all_splits():
    scores = np.array([0.1, 0.1, 0.1, 0.4, 0.6, 0.6, 0.9])
    ranks = rankdata(scores)
    sums = np.array([ranks[list(split)].sum() for split in itertools.combinations(range(7), 3)])
    mean = ranks.sum() * 3 / 7
    expected = (abs(sums - mean) >= abs(ranks[:3].sum() - mean) - 1e-9).mean()
    assert rank_test(scores[:3], scores[3:]).p_value == pytest.approx(expected)


def test_refuses_empty_groups_and_nan():
    for groups in (([], [1]), ([1, np.nan], [1])):
        with pytest.raises(ValueError, match="at least one score without NaN"):
            rank_test(*groups)


def test_ranges():
    assert ranges_overlap([1, 3], [2, 5]) and ranges_overlap([1, 2], [2, 3])
    assert not ranges_overlap([1, 2], [3, 4]) and not ranges_overlap([3, 4], [1, 2])


def test_sizes_do_not_matter_in_order():
    rng = np.random.default_rng(2)
    few, many = rng.normal(size=3), rng.normal(size=40)
    assert rank_test(few, many) == rank_test(many, few)


def test_many_runs_use_the_normal_approximation_which_is_near(monkeypatch):
    assert is_exact(8, 500) and is_exact(26, 26) and not is_exact(26, 500) and not is_exact(500, 500)
    rng = np.random.default_rng(4)
    first, second = rng.normal(size=40), rng.normal(0.5, size=40)
    exact = rank_test(first, second)
    monkeypatch.setattr(comparison, "LARGEST_EXACT", 0)
    assert rank_test(first, second).p_value == pytest.approx(exact.p_value, rel=0.05)
    assert rank_test(first, second).smallest_p_value == exact.smallest_p_value
    assert rank_test([0.3, 0.3], [0.3, 0.3]).p_value == 1.0


def test_five_hundred_against_five_hundred_is_quick():
    rng = np.random.default_rng(6)
    test = rank_test(rng.normal(size=500), rng.normal(1, size=500))
    assert 0 < test.p_value < 1e-20 and 0 < test.smallest_p_value < 1e-290


def test_holm_by_hand():
    # sorted 0.01, 0.03, 0.04: x 3, x 2, x 1 = 0.03, 0.06, 0.04, and none below the one before
    assert holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert holm([0.5, 0.9]) == pytest.approx([1.0, 1.0])
    assert holm([0.2]) == pytest.approx([0.2]) and len(holm([])) == 0


def test_superiority_by_counting_pairs():
    # of the 9 pairs 1 is above (3, 2) and 2 are equal (2, 2), (3, 3)
    assert superiority([1, 2, 3], [2, 3, 4]) == pytest.approx((1 + 2 / 2) / 9)
    assert superiority([2, 3, 4], [1, 2, 3]) == pytest.approx(7 / 9)
    assert superiority([5, 6], [1]) == 1 and superiority([1], [5, 6]) == 0 and superiority([1, 1], [1]) == 0.5


def test_superiority_interval():
    # one against one: (1 - p)^2 = z^2 p (1 - p), so p = 1 / (1 + z^2)
    assert superiority_interval(1.0, 1, 1, 0.95) == (pytest.approx(1 / (1 + 1.959964**2)), 1.0)
    low, high = superiority_interval(0.7, 8, 5, 0.95)
    assert 0 < low < 0.7 < high < 1
    assert superiority_interval(0.3, 8, 5, 0.95) == pytest.approx((1 - high, 1 - low))
    assert superiority_interval(0.7, 80, 50, 0.95)[0] > low
    for probability in (0.0, 1e-9, 1 - 1e-9, 1.0):
        low, high = superiority_interval(probability, 500, 500, 0.95)
        assert 0 <= low <= probability <= high <= 1


def test_superiority_interval_holds_the_truth_about_as_often_as_it_says():
    rng, truth, hits = np.random.default_rng(7), 0.7602, 0  # P(X > Y) of normal ones one deviation apart
    for _ in range(400):
        found = superiority(rng.normal(1, 1, 8), rng.normal(0, 1, 8))
        low, high = superiority_interval(found, 8, 8, 0.95)
        hits += low <= truth <= high
    assert 0.92 < hits / 400 < 0.99
