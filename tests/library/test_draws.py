"""Training slices: evenly or at random, a draw for each seed."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from densecell import draws

SIZES = st.integers(1, 400).flatmap(lambda n_all: st.tuples(st.just(n_all), st.integers(1, n_all)))
SEEDS = st.integers(0, 2**32)


def offsets(n_all, n):
    """Offsets that keep the point that is rounded within the part of the stack that belongs to a slice."""
    return np.linspace(-0.999, 0.999, 41) * n_all / (2 * n) - 0.5


def all_draws(n_all, n, seeds):
    return [tuple(draws.drawn(n_all, n, "even", seed).tolist()) for seed in seeds]


# ------------------------------------------------------------------------------------------------ by hand
def test_two_of_ten_slices_lie_in_the_middle_of_each_half():
    assert draws.even(10, 2).tolist() == [2, 7]  # 2.5 and 7.5, halves down


def test_an_offset_moves_all_slices():
    assert draws.even(10, 2, 1.0).tolist() == [3, 8]
    assert draws.even(10, 2, -2.4).tolist() == [0, 5]


def test_the_largest_offset_ends_with_the_last_slice_and_none_beyond_is_taken():
    assert draws.even(10, 2, 2.0).tolist() == [4, 9]
    assert draws.even(10, 2, -2.99).tolist() == [0, 5]
    for offset in (2.01, -3.0):
        with pytest.raises(ValueError, match="offset: expected more than -3 and at most 2, found"):
            draws.even(10, 2, offset)


def test_even_draws_of_two_of_four_slices_are_two_that_take_turns():
    assert all_draws(4, 2, range(4)) == [(1, 3), (0, 2), (1, 3), (0, 2)]


def test_one_slice_may_be_any_and_all_slices_are_all():
    assert {draws.even(5, 1, offset)[0] for offset in offsets(5, 1)} == {0, 1, 2, 3, 4}
    for offset in offsets(5, 5):
        assert draws.even(5, 5, offset).tolist() == [0, 1, 2, 3, 4]


def test_distances_count_slices_to_the_nearest():
    assert draws.distances([0, 4, 5, 9], [4, 10]).tolist() == [4, 0, 1, 1]
    assert np.isnan(draws.distances([0, 1], [])).all()


def test_a_table_by_hand():
    rows = draws.draw_table({"block": [0, 1, 5]}, {"block": [7]}, "all", "even", [3])
    assert [(r["z"], r["use"], r["distance"]) for r in rows] == [
        (0, "train", 0),
        (1, "train", 0),
        (5, "train", 0),
        (7, "incomplete", 2),
    ]
    assert {(r["seed"], r["n_slices"], r["pick"], r["region"]) for r in rows} == {(3, 3, "even", "block")}


# ------------------------------------------------------------------------------------------------ the specification's
@pytest.mark.parametrize("n", [7, 10, 15, 25, 50])
def test_a_stack_of_757_slices(n):
    found = draws.even(757, n)
    gaps = np.diff(found)
    assert len(set(found)) == n and (gaps > 0).all() and gaps.max() - gaps.min() <= 1
    assert found.tolist() == [int(np.ceil((k + 0.5) * 757 / n - 0.5)) for k in range(n)]


# ------------------------------------------------------------------------------------------------ properties
@settings(deadline=None, max_examples=200)
@given(SIZES)
def test_even_slices_are_sorted_distinct_in_range_and_equally_far_for_every_offset(sizes):
    for offset in [0.0, *offsets(*sizes)]:
        found = draws.even(*sizes, offset)
        assert len(found) == sizes[1] and found[0] >= 0 and found[-1] < sizes[0]
        gaps = np.diff(found)
        assert not gaps.size or (gaps.min() >= 1 and gaps.max() - gaps.min() <= 1)


@settings(deadline=None, max_examples=200)
@given(SIZES, SEEDS, st.sampled_from(draws.PICKS))
def test_a_draw_is_its_seeds_and_holds_each_slice_once(sizes, seed, pick):
    found = draws.drawn(*sizes, pick, seed)
    assert np.array_equal(found, draws.drawn(*sizes, pick, seed))
    assert len(set(found.tolist())) == sizes[1] and (np.diff(found) > 0).all()
    assert found[0] >= 0 and found[-1] < sizes[0]


@pytest.mark.parametrize("pick", draws.PICKS)
def test_seeds_differ_in_their_draws(pick):
    assert len({tuple(draws.drawn(300, 7, pick, seed)) for seed in range(1, 11)}) > 5


def test_even_draws_reach_every_slice_about_as_often():
    counts = sum(np.bincount(draws.drawn(30, 3, "even", seed), minlength=30) for seed in range(3000))
    assert counts.min() > 0.4 * counts.mean() and counts.max() < 1.6 * counts.mean()


@pytest.mark.parametrize("sizes", [(32, 25), (16, 10), (16, 4), (20, 10), (24, 15), (13, 10), (32, 7), (757, 50)])
@pytest.mark.parametrize("n_seeds", [3, 10])
@pytest.mark.parametrize("first", [0, 1, 1000])
def test_as_many_even_draws_differ_as_there_are(sizes, n_seeds, first):
    possible = sizes[0] // np.gcd(*sizes)
    assert draws.n_different(*sizes, "even") == possible
    assert len(set(all_draws(*sizes, range(first, first + n_seeds)))) == min(n_seeds, possible)


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 60).flatmap(lambda n_all: st.tuples(st.just(n_all), st.integers(1, n_all))))
def test_offsets_over_the_whole_range_make_no_more_even_draws(sizes):
    width = sizes[0] / sizes[1]
    fine = np.linspace(-width / 2, width / 2, 20 * sizes[0] + 7)[1:-1] - 0.5
    found = {tuple(draws.even(*sizes, offset).tolist()) for offset in fine}
    assert found == set(all_draws(*sizes, range(draws.n_different(*sizes, "even"))))


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 120).flatmap(lambda n_all: st.tuples(st.just(n_all), st.integers(1, n_all))), SEEDS)
def test_seeds_in_a_row_take_every_slice_equally_often(sizes, first):
    n_draws = draws.n_different(*sizes, "even")
    counts = np.bincount(np.ravel(all_draws(*sizes, range(first, first + n_draws))), minlength=sizes[0])
    assert set(counts) == {n_draws * sizes[1] // sizes[0]}


@pytest.mark.parametrize("sizes", [(32, 7), (757, 10), (40, 3)])
def test_over_many_seeds_the_last_slice_is_drawn_as_often_as_the_first(sizes):
    counts = np.bincount(np.ravel(all_draws(*sizes, range(1, 3001))), minlength=sizes[0])
    assert abs(counts[0] - counts[-1]) <= 0.05 * counts.mean() + 1
    assert counts.max() - counts.min() <= 0.1 * counts.mean() + 1


@settings(deadline=None, max_examples=100)
@given(SIZES)
def test_seed_0_draws_what_offset_0_draws(sizes):
    assert np.array_equal(draws.drawn(*sizes, "even", 0), draws.even(*sizes))


def test_random_draws_are_counted():
    assert draws.n_different(4, 3, "random") == 4


def test_random_slices_of_fewer_are_among_those_of_more():
    assert set(draws.drawn(50, 7, "random", 4)) < set(draws.drawn(50, 15, "random", 4))


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_a_table_holds_every_slice_once_a_seed_and_trains_on_no_incomplete_one(data):
    regions = {}
    for name in data.draw(st.lists(st.sampled_from("abc"), min_size=1, unique=True)):
        z = data.draw(st.lists(st.integers(0, 60), min_size=2, max_size=20, unique=True))
        cut = data.draw(st.integers(1, len(z)))
        regions[name] = sorted(z[:cut]), sorted(z[cut:])
    n = data.draw(st.integers(1, sum(len(a) for a, _ in regions.values())))
    pick, seeds = (
        data.draw(st.sampled_from(draws.PICKS)),
        data.draw(st.lists(SEEDS, min_size=1, max_size=3, unique=True)),
    )
    labelled, incomplete = ({name: pair[i] for name, pair in regions.items()} for i in (0, 1))
    rows = draws.draw_table(labelled, incomplete, n, pick, seeds)
    for seed in seeds:
        mine = [r for r in rows if r["seed"] == seed]
        assert sorted((r["region"], r["z"]) for r in mine) == sorted(
            (name, z) for name, pair in regions.items() for part in pair for z in part
        )
        assert sum(r["use"] == "train" for r in mine) == n
        assert {(r["region"], r["z"]) for r in mine if r["use"] == "incomplete"} == {
            (name, z) for name, slices in incomplete.items() for z in slices
        }
        for r in mine:
            train = [t["z"] for t in mine if t["region"] == r["region"] and t["use"] == "train"]
            expected = min((abs(r["z"] - z) for z in train), default=None)
            assert np.isnan(r["distance"]) if expected is None else r["distance"] == expected


# ------------------------------------------------------------------------------------------------ what is refused
@pytest.mark.parametrize("n", [0, 4, -1])
def test_more_slices_than_there_are_is_an_error(n):
    with pytest.raises(ValueError, match=rf"expected 1 to 3.*found {n}"):
        draws.drawn(3, n, "even", 1)


def test_an_unknown_pick_is_an_error():
    with pytest.raises(ValueError, match=r"even, random.*'best'"):
        draws.drawn(3, 1, "best", 1)
