"""Runs of slices, their components and overlaps, against pixels."""

import numpy as np
import pytest
from skimage.measure import label

from densecell.slice_regions import Runs, clipped, components, overlaps, painted, runs_of, stacked, summed

PLANE = np.array([[0, 1, 1, 0, 2], [1, 0, 0, 2, 2], [1, 1, 0, 0, 0]])


def random_planes(seed, n=60):
    generator = np.random.default_rng(seed)
    for _ in range(n):
        shape = generator.integers(1, 9, 2)
        yield generator.integers(0, 3, shape), generator.integers(0, 3, shape)


def test_runs_are_stretches_of_a_row():
    runs = runs_of(PLANE)
    assert list(zip(runs.start, runs.stop, runs.value)) == [(1, 3, 1), (4, 5, 2), (5, 6, 1), (8, 10, 2), (10, 12, 1)]


def test_parts_of_equal_value_that_touch_at_a_corner_are_one():
    assert components(runs_of(PLANE)).tolist() == [0, 1, 0, 1, 0]


def test_the_end_of_a_row_does_not_touch_the_start_of_the_next():
    plane = np.array([[0, 0, 0, 1], [1, 0, 0, 0]])
    assert components(runs_of(plane)).tolist() == [0, 1]
    assert components(runs_of(np.array([[0, 0, 0, 1], [0, 0, 0, 0], [1, 0, 0, 0]]))).tolist() == [0, 1]


def test_an_empty_slice_has_no_runs():
    runs = runs_of(np.zeros((3, 4), np.uint32))
    assert len(components(runs)) == 0
    assert (painted(runs, np.zeros(0)) == 0).all()


def test_components_are_those_of_scikit_image():
    for plane, _ in random_planes(0):
        runs = runs_of(plane)
        mine, theirs = painted(runs, components(runs) + 1), label(plane, background=0, connectivity=2)
        pairs = np.unique(np.stack([mine, theirs]).reshape(2, -1), axis=1)
        assert ((mine > 0) == (plane > 0)).all()
        assert len(pairs[0]) == len(np.unique(pairs[0])) == len(np.unique(pairs[1]))


def test_components_are_numbered_by_their_first_pixels():
    for plane, _ in random_planes(1):
        found = components(runs_of(plane))
        _, first = np.unique(found, return_index=True)
        assert (np.diff(first) > 0).all()


def test_overlaps_are_those_of_pixels():
    for a, b in random_planes(2):
        runs, others = runs_of(a), runs_of(b)
        table = np.zeros((3, 3), int)
        np.add.at(table, (a, b), 1)
        i, j, shared = overlaps(runs, runs.value, others, others.value)
        assert {(x, y): n for x, y, n in zip(i, j, shared)} == {
            (x, y): table[x, y] for x in (1, 2) for y in (1, 2) if table[x, y]
        }


def test_slices_of_other_sizes_are_refused():
    a, b = runs_of(np.ones((2, 3))), runs_of(np.ones((3, 2)))
    with pytest.raises(ValueError, match=r"expected slices of one size, found \(2, 3\) and \(3, 2\)"):
        overlaps(a, a.value, b, b.value)


def test_bands_of_rows_join_to_the_slice():
    for plane, _ in random_planes(3):
        whole, parts = runs_of(plane), stacked([runs_of(plane[i : i + 2]) for i in range(0, len(plane), 2)])
        assert whole.shape == parts.shape
        for name in ("start", "stop", "value"):
            np.testing.assert_array_equal(getattr(whole, name), getattr(parts, name))


def test_painted_gives_the_slice_back_and_any_band_of_it():
    for plane, _ in random_planes(4):
        runs = runs_of(plane)
        np.testing.assert_array_equal(painted(runs, runs.value), plane)
        middle = (len(plane) // 3, len(plane) - len(plane) // 4)
        np.testing.assert_array_equal(painted(runs, runs.value, middle), plane[slice(*middle)])


def test_clipped_counts_pixels_in_a_box():
    assert [a.tolist() for a in clipped(runs_of(PLANE), runs_of(PLANE).value, (0, 2, 1, 5))] == [[1, 2], [2, 3]]
    for plane, other in random_planes(5):
        y, x = sorted(other.ravel()[:1].tolist() * 1 + [len(plane)]), (0, plane.shape[1] - 1)
        runs = runs_of(plane)
        inside = plane[y[0] : y[1], x[0] : x[1]]
        numbers, counts = np.unique(inside[inside > 0], return_counts=True)
        found = clipped(runs, runs.value, (*y, *x))
        assert (found[0].tolist(), found[1].tolist()) == (numbers.tolist(), counts.tolist())


def test_sums_of_pairs():
    found = summed(np.array([2, 0, 2]), np.array([1, 5, 1]), np.array([3, 4, 6]))
    assert [a.tolist() for a in found] == [[0, 2], [5, 1], [4, 9]]
    assert [len(a) for a in summed(*[np.zeros(0, int)] * 3)] == [0, 0, 0]
    assert isinstance(runs_of(PLANE), Runs)
