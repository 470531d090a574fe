"""One class map of several targets: what passes, what covers what, and what the words mean; exactly."""

import itertools

import numpy as np
import pytest

from densecell import composition as composing
from densecell.classes import Classes
from densecell.composition import compose, least_q, make_composition, passing, quantize

# resin, a cell, its nucleus, the nucleolus in it, a mitochondrion in the cell but of no nucleus
CLASSES = Classes(
    ("resin", "cell", "mitochondrion", "nucleolus", "nucleus"),
    ("background", "cell", "organelle", "organelle", "organelle"),
    (-1, -1, -1, 4, -1),
)
RESIN, CELL, MITO, NUCLEOLUS, NUCLEUS = range(5)
NESTED = ["nucleolus", "nucleus"]


def composed(targets, q, threshold=None, **record):
    """Labels of single voxels: q has one row for each target."""
    q = np.array(q, np.uint8).reshape(len(targets), 1, 1, -1)
    return compose(q, make_composition(targets, CLASSES, record, threshold)).flatten().tolist()


def test_probabilities_are_rounded_halves_upward():
    assert quantize([0, 0.5, 1, 1 / 255, 0.4999, 254.4 / 255]).tolist() == [0, 128, 255, 1, 127, 254]
    assert quantize([np.nextafter(np.float32(0.5), 0)]).tolist() == [128]  # the rounding of a blend
    every = np.arange(256, dtype=np.float32) / 255
    assert np.array_equal(quantize(every), np.arange(256))


def test_a_threshold_is_met_by_what_is_equal_to_it():
    assert [least_q(t) for t in (0.5, 1, 0.2, 0.6, 1 / 255, 0.999)] == [128, 255, 51, 153, 1, 255]
    assert composed(["cell"], [127, 128, 255]) == [RESIN, CELL, CELL]
    assert composed(["cell"], [50, 51, 52], threshold=0.2) == [RESIN, CELL, CELL]
    for threshold in (0, -1, 1.1):
        with pytest.raises(ValueError, match="threshold: expected a number above 0 and at most 1"):
            least_q(threshold)


def test_a_nucleolus_covers_its_nucleus_and_counts_only_there():
    """(nucleolus, nucleus): none, nucleus, both, nucleolus alone. Targets come in any order."""
    q = [[0, 0, 200, 200], [0, 200, 200, 0]]
    assert composed(NESTED, q) == [RESIN, NUCLEUS, NUCLEOLUS, RESIN]
    assert composed(NESTED[::-1], q[::-1]) == [RESIN, NUCLEUS, NUCLEOLUS, RESIN]
    assert composed(NESTED, q, nested="anywhere") == [RESIN, NUCLEUS, NUCLEOLUS, NUCLEOLUS]


def test_without_the_target_of_its_container_a_class_counts_everywhere():
    assert composed(["nucleolus", "cell"], [[200, 200], [0, 200]], order=["cell", "nucleolus"]) == [NUCLEOLUS] * 2


def test_a_chain_counts_only_where_all_of_it_passes():
    """a holds b, b holds c: c and a without b is a."""
    classes = Classes(("o", "a", "b", "c"), ("background", "cell", "organelle", "organelle"), (-1, -1, 1, 2))
    q = np.array(list(itertools.product((0, 200), repeat=3)), np.uint8).T.reshape(3, 1, 1, 8)
    found = compose(q, make_composition("abc", classes)).flatten().tolist()
    #                 000 c    b    bc   a    ac   ab   abc
    assert found == [0, 0, 0, 0, 1, 1, 2, 3]
    far = make_composition(["c", "a"], classes)  # b is no target: a is the nearest container of c
    assert (far.containers, far.order) == ((1, -1), (1, 0))


def test_the_later_in_order_covers_the_earlier():
    q = [[200, 250, 200], [200, 200, 0]]
    assert composed(["cell", "mitochondrion"], q) == [MITO, MITO, CELL]  # by class number
    assert composed(["cell", "mitochondrion"], q, order=["mitochondrion", "cell"]) == [CELL, CELL, CELL]


def test_with_ties_by_probability_the_likeliest_passing_target_wins_and_equal_ones_by_order():
    q = [[200, 250, 200, 100], [200, 200, 0, 120]]
    assert composed(["cell", "mitochondrion"], q, ties="probability") == [MITO, CELL, CELL, RESIN]
    turned = {"ties": "probability", "order": ["mitochondrion", "cell"]}
    assert composed(["cell", "mitochondrion"], q, **turned) == [CELL, CELL, CELL, RESIN]


def test_with_ties_by_probability_a_class_inside_another_covers_it_however_likely():
    targets = ["nucleolus", "nucleus", "mitochondrion"]
    q = [[130, 130, 0, 130], [255, 255, 255, 0], [0, 140, 140, 140]]
    assert composed(targets, q, ties="probability") == [NUCLEOLUS, MITO, NUCLEUS, MITO]
    anywhere = {"ties": "probability", "nested": "anywhere"}
    assert composed(targets, [[150], [0], [140]], **anywhere) == [NUCLEOLUS]


def test_what_no_target_claims_is_the_class_outside():
    assert composed(["nucleus"], [0, 200]) == [RESIN, NUCLEUS]
    assert composed(["nucleus"], [0, 200], outside="cell") == [CELL, NUCLEUS]


def test_outer_classes_come_first_then_the_order_of_the_classes():
    found = make_composition(["nucleolus", "nucleus", "mitochondrion", "cell"], CLASSES)
    assert found.record(CLASSES) == {
        "order": ["cell", "mitochondrion", "nucleus", "nucleolus"], "nested": "within", "ties": "order", "outside": "resin",
    }  # fmt: skip
    assert make_composition(found.targets, CLASSES, found.record(CLASSES)) == found


@pytest.mark.parametrize("ties", composing.TIES)
@pytest.mark.parametrize("nested", composing.NESTED)
def test_every_voxel_is_a_passing_target_or_outside_whatever_the_blocks(ties, nested, monkeypatch):
    targets = ["nucleolus", "nucleus", "mitochondrion", "cell"]
    q = np.random.default_rng(0).integers(0, 256, (4, 3, 20, 30), dtype=np.uint8)
    one = make_composition(targets, CLASSES, {"ties": ties, "nested": nested})
    labels = compose(q, one)
    passes = passing(q, one)
    for i, number in enumerate(one.numbers):
        assert passes[i][labels == number].all()
    assert not passes[:, labels == RESIN].any()
    assert (labels[passes.any(axis=0)] != RESIN).all()
    monkeypatch.setattr(composing, "BLOCK_VOXELS", 7)
    assert np.array_equal(compose(q, one), labels)


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"order": ["nucleus"]}, "compose.order: expected each of nucleolus, nucleus once, found nucleus"),
        ({"order": ["nucleus", "nucleus"]}, "compose.order: expected each of nucleolus, nucleus once"),
        (
            {"order": ["nucleolus", "nucleus"]},
            "compose.order: nucleus would cover nucleolus, .* put nucleolus after nucleus",
        ),
        ({"nested": "inside"}, "compose.nested: expected one of within, anywhere, found 'inside'"),
        ({"ties": "coin"}, "compose.ties: expected one of order, probability, found 'coin'"),
        ({"outside": "water"}, "unknown class 'water'"),
    ],
)
def test_records_that_make_no_sense_are_refused(record, message):
    with pytest.raises(ValueError, match=message):
        make_composition(NESTED, CLASSES, record)


def test_without_a_background_class_outside_must_be_named():
    classes = Classes(("cell", "core"), ("cell", "organelle"))
    with pytest.raises(ValueError, match=r"compose.outside: no class is of group background"):
        make_composition(["core"], classes)
    assert make_composition(["core"], classes, {"outside": "cell"}).outside == 0


def test_probabilities_of_other_kinds_are_refused():
    one = make_composition(NESTED, CLASSES)
    with pytest.raises(ValueError, match="q: expected uint8 of 2 targets, found uint8 of 3"):
        compose(np.zeros((3, 1, 1, 1), np.uint8), one)
    with pytest.raises(ValueError, match="q: expected uint8 of 2 targets, found float32"):
        compose(np.zeros((2, 1, 1, 1), np.float32), one)


def test_a_boundary_is_stored_and_claims_nothing():
    classes = Classes(CLASSES.names, CLASSES.groups, CLASSES.inside, ("cell_boundary",))
    targets = ("cell_boundary", "nucleus", "cell")
    q = np.array([[255, 255, 0, 0], [0, 200, 200, 0], [0, 200, 0, 200]], np.uint8).reshape(3, 1, 1, 4)
    for ties in ("order", "probability"):
        found = make_composition(targets, classes, {"ties": ties})
        assert compose(q, found).flatten().tolist() == [RESIN, NUCLEUS, NUCLEUS, CELL]
        assert (found.numbers, found.record(classes)["order"]) == ((None, NUCLEUS, CELL), ["cell", "nucleus"])
        again = make_composition(targets, classes, found.record(classes))
        assert again == found
    assert compose(q[:1], make_composition(["cell_boundary"], classes)).flatten().tolist() == [RESIN] * 4
    with pytest.raises(ValueError, match="expected each of nucleus, cell once, found cell_boundary, nucleus, cell"):
        make_composition(targets, classes, {"order": ["cell_boundary", "nucleus", "cell"]})
    with pytest.raises(ValueError, match="unknown class 'cell_boundary'"):
        make_composition(targets, CLASSES)
