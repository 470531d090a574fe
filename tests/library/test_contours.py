"""Contours of numbered objects as a target: what is on them, what is unknown, and that a region's are those of the whole slice."""

import numpy as np
import pytest

from densecell.classes import UNLABELLED_INSTANCE as U
from densecell.contours import ContourLabels, contour_target, reach_px, stamped


def rows(*texts):
    """A picture of digits as object numbers; U is unlabelled."""
    return np.array([[U if c == "U" else int(c) for c in text.replace(" ", "")] for text in texts], np.uint32)


def row(text, width_px):
    """The target along a slice that is the same in all its rows, as text: ? is unknown."""
    target = contour_target(np.repeat(rows(text), 40, axis=0), width_px)[20]
    return "".join("?" if value == 255 else str(value) for value in target)


# ------------------------------------------------------------------------------------------------------- by hand
def test_a_pen_of_one_pixel_draws_the_outermost_pixels():
    found = contour_target(rows("000000", "077700", "077700", "077700", "000000"), 1)
    assert found.tolist() == [[0] * 6, [0, 1, 1, 1, 0, 0], [0, 1, 0, 1, 0, 0], [0, 1, 1, 1, 0, 0], [0] * 6]


def test_the_width_of_the_pen():
    lone, touching = "00000000 333333333 00000000", "333333333333 444444444444"
    assert row(lone, 1) == "00000000" + "100000001" + "00000000"
    assert row(lone, 3) == "00000001" + "110000011" + "10000000"
    assert row(lone, 5) == "00000011" + "111000111" + "11000000"
    assert row(touching, 1) == "000000000001" + "100000000000"
    assert row(touching, 5) == "000000000111" + "111000000000"
    assert row(lone, 4) == row(lone, 5)  # an even number draws one more
    assert [reach_px(n) for n in (1, 2, 3, 4, 5)] == [0, 1, 1, 2, 2]


def test_the_edge_of_the_picture_is_no_contour():
    assert row("33333333", 5) == "0" * 8
    assert row("00000000", 5) == "0" * 8


def test_what_a_hidden_contour_could_reach_is_unknown():
    assert (
        row("33333333 UUUU", 1) == "0000000?" + "????"
    )  # the last 3 is on a contour unless the U beside it is a 3, too
    assert row("33333333 UUUU", 5) == "00000???" + "????"
    assert row("00000000 UUUU", 1) == "00000000" + "????"  # what is no object has no contour of one pixel
    assert row("00000000 UUUU", 3) == "0000000?" + "????"
    assert row("33344444 UUUU", 3) == "01111" + "0??" + "????"  # a contour that is known stays one
    assert row("UUUU", 3) == "????"


def test_a_disc_is_round():
    point = np.zeros((9, 9), bool)
    point[4, 4] = True
    y, x = np.indices((9, 9)) - 4
    for width_px in (1, 3, 5, 7):
        r = width_px // 2
        assert np.array_equal(stamped(point, width_px), y**2 + x**2 <= (r + 0.5) ** 2)
    assert np.count_nonzero(point) == 1  # its input stays what it was


# ------------------------------------------------------------------------------------------------------- properties
def random_ids(seed, shape=(40, 50), unlabelled=0.0):
    rng = np.random.default_rng(seed)
    ids = np.kron(rng.integers(0, 4, (shape[0] // 5, shape[1] // 5)), np.ones((5, 5), int)).astype(np.uint32)
    hidden = np.kron(rng.random((shape[0] // 5, shape[1] // 5)) < unlabelled, np.ones((5, 5), bool))
    return np.where(hidden, U, ids).astype(np.uint32)


@pytest.mark.parametrize("seed", range(4))
def test_numbers_turning_and_mirroring_change_nothing(seed):
    ids = random_ids(seed, unlabelled=0.1)
    found = contour_target(ids, 3)
    renumbered = np.where((ids > 0) & (ids != U), ids * 70_000 + 5, ids).astype(np.uint32)
    assert np.array_equal(contour_target(renumbered, 3), found)
    assert np.array_equal(contour_target(ids.T, 3), found.T)
    assert np.array_equal(contour_target(ids[:, ::-1], 3), found[:, ::-1])


@pytest.mark.parametrize("seed", range(4))
def test_what_is_known_stays_so_when_more_is_labelled(seed):
    """Hiding labels never changes a target: it only makes it unknown."""
    whole, partial = random_ids(seed), random_ids(seed, unlabelled=0.2)
    assert (whole[partial != U] == partial[partial != U]).all()
    found = contour_target(partial, 3)
    known = found != 255
    assert known.any()
    assert np.array_equal(found[known], contour_target(whole, 3)[known])


class Store:
    """A volume of labels in memory."""

    def __init__(self, array, name, **attributes):
        self.array, self.path, self.attributes = array, f"labels_{name}.ome.zarr", attributes
        self.shape, self.dtype = array.shape, array.dtype

    def __getitem__(self, key):
        return self.array[key]


def contours(volumes, box, left_out=(), width_px=5):
    labels = ContourLabels(volumes, box, left_out, "cell_boundary", "cell", width_px)
    reader = labels.reader()
    return labels.read(reader, 0, box[0][1] - box[0][0]), reader


@pytest.mark.parametrize("width_px", [1, 4, 5, 9])
def test_a_region_has_the_contours_of_the_whole_slice(width_px):
    ids = np.stack([random_ids(seed, unlabelled=0.1) for seed in range(3)])
    store = Store(ids, "cells", annotates=["cell"])
    found, reader = contours([store], [(1, 3), (7, 31), (3, 44)], width_px=width_px)
    expected = np.stack([contour_target(plane, width_px) for plane in ids[1:3]])[:, 7:31, 3:44]
    assert np.array_equal(found, expected)
    assert reader.counts[:2].tolist() == [(expected == 0).sum(), (expected == 1).sum()]


def test_sources_of_other_slices_are_joined_and_left_out_slices_unknown():
    ids = np.stack([random_ids(seed) for seed in range(4)])
    nothing = np.full_like(ids, U)
    stores = []
    for name, mine in (("first", [0, 2]), ("second", [1])):
        array = nothing.copy()
        array[mine] = ids[mine]
        stores.append(Store(array, name, annotates=["cell"], slices=mine))
    stores.append(
        Store(np.zeros(ids.shape, np.uint8), "nuclei", annotates=["nucleus"])
    )  # numbers nothing, says nothing
    found, reader = contours(stores, [(0, 4), (0, 40), (0, 50)], left_out=[2])
    for z in (0, 1):
        assert np.array_equal(found[z], contour_target(ids[z], 5))
    assert (found[2:] == 255).all()
    assert (reader.complete, reader.incomplete) == ([0, 1], [])


def test_without_numbered_objects_of_the_class_there_is_no_contour():
    masks = Store(np.zeros((2, 9, 9), np.uint8), "masks", annotates=["cell"])
    others = Store(np.zeros((2, 9, 9), np.uint32), "nuclei", annotates=["nucleus"])
    with pytest.raises(
        ValueError, match=r"boundaries\.cell_boundary: expected labels with kind: instance and annotates: \[cell\]"
    ):
        ContourLabels([masks, others], [(0, 2), (0, 9), (0, 9)], (), "cell_boundary", "cell", 5)
