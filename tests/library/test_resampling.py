import numpy as np
import pytest
from scipy.stats import norm

from densecell.resampling import bootstrap_interval, difference_interval, expanded_tail, resampled, share_interval


def generator(seed=0):
    return np.random.default_rng(seed)


def test_shares_by_hand():
    # none of 8: the largest share p with (1 - p)^8 = 0.025
    assert share_interval(0, 8, 0.95) == (0, pytest.approx(1 - 0.025 ** (1 / 8)))
    assert share_interval(0, 8, 0.95)[1] == pytest.approx(0.3694, abs=1e-4)
    assert share_interval(8, 8, 0.95) == (pytest.approx(0.025 ** (1 / 8)), 1)
    assert np.isnan(share_interval(0, 0, 0.95)).all()


def test_samples_are_drawn_from_the_values_and_repeat_with_the_seed():
    samples = resampled([1, 2, 4], np.mean, 500, generator())
    assert samples.shape == (500,) and samples.min() >= 1 and samples.max() <= 4
    assert set(np.round(3 * samples)) <= set(range(3, 13))
    np.testing.assert_array_equal(samples, resampled([1, 2, 4], np.mean, 500, generator()))
    assert not np.array_equal(samples, resampled([1, 2, 4], np.mean, 500, generator(1)))


def test_drawing_in_blocks_gives_as_many(monkeypatch):
    monkeypatch.setattr("densecell.resampling.LARGEST_BLOCK", 9)
    assert resampled([1, 2, 4], np.mean, 10, generator()).shape == (10,)


def test_the_tail_of_many_runs_is_the_plain_percentile_and_of_few_smaller():
    assert expanded_tail(0.95, 100_000, 99_999) == pytest.approx(0.025, abs=1e-4)
    # 8 runs: t = 2.365 x sqrt(8 / 7) = 2.528
    assert expanded_tail(0.95, 8, 7) == pytest.approx(norm.cdf(-2.528), abs=1e-4)


def test_one_run_has_no_interval_and_equal_runs_a_point():
    assert np.isnan(bootstrap_interval([0.5], np.mean, 0.95, 100, generator())).all()
    assert bootstrap_interval([0.5, 0.5], np.mean, 0.95, 100, generator()) == (0.5, 0.5)
    assert np.isnan(difference_interval([0.5], [0.1, 0.2], np.mean, 0.95, 100, generator())).all()
    assert difference_interval([3, 3], [1, 1], np.mean, 0.95, 100, generator()) == (2, 2)


def test_more_confidence_is_wider():
    values = generator(3).normal(size=12)
    narrow, wide = (bootstrap_interval(values, np.median, c, 2000, generator()) for c in (0.5, 0.95))
    assert wide[0] < narrow[0] < np.median(values) < narrow[1] < wide[1]


def test_intervals_hold_the_truth_about_as_often_as_they_say():
    rng, hits = generator(5), np.zeros(2)
    for _ in range(300):
        first, second = rng.normal(1, 1, 10), rng.normal(0, 1, 10)
        low, high = bootstrap_interval(first, np.mean, 0.95, 400, rng)
        hits[0] += low <= 1 <= high
        low, high = difference_interval(first, second, np.mean, 0.95, 400, rng)
        hits[1] += low <= 1 <= high
    assert ((hits / 300 > 0.9) & (hits / 300 < 0.99)).all(), hits / 300
