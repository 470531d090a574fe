import itertools

import numpy as np
import pytest
from scipy.stats import mannwhitneyu, rankdata

from densecell.comparison import ranges_overlap, rank_test


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
