"""What label sources say together: by hand for few classes, then against a slow reading of what they mean."""

import itertools

import numpy as np
import pytest

from densecell.classes import OTHER, UNLABELLED, Classes
from densecell.targets import Reader, Sources, joint_values

# background, cell, nucleus in cell, nucleolus in nucleus, vessel
CLASSES = Classes(
    ("background", "cell", "nucleus", "nucleolus", "vessel"),
    ("background", "cell", "organelle", "organelle", "organelle"),
    (-1, -1, 1, 2, -1),
)
FLAT = Classes(("background", "cell", "granule"), ("background", "cell", "organelle"))
BACKGROUND, CELL, NUCLEUS, NUCLEOLUS, VESSEL = range(5)


def read(annotated, rows, target=None, incomplete=None, classes=CLASSES):
    """What a Reader makes of voxels (one for each row of values, a value for each source)."""
    reader = Reader(Sources(classes, annotated), [f"s{k}" for k in range(len(annotated))], target)
    planes = [np.array([column], np.uint8) for column in zip(*rows)]
    found = reader.read(planes, 3, incomplete or [False] * len(annotated))
    return found[0].tolist(), reader


# ------------------------------------------------------------------------------------------------------------- classes
def test_a_class_holds_what_lies_in_it_however_deep():
    assert CLASSES.members_of(CELL) == [CELL, NUCLEUS, NUCLEOLUS]
    assert CLASSES.members_of(NUCLEUS) == [NUCLEUS, NUCLEOLUS]
    assert CLASSES.members_of(VESSEL) == [VESSEL]
    assert FLAT.inside == (-1, -1, -1)


def test_what_a_source_draws_for_each_class():
    assert CLASSES.drawn_as().tolist() == [0, 1, 2, 3, 4]
    assert CLASSES.drawn_as(["nucleus"]).tolist() == [OTHER, OTHER, NUCLEUS, NUCLEUS, OTHER]
    assert CLASSES.drawn_as(["cell", "nucleolus"]).tolist() == [OTHER, CELL, CELL, NUCLEOLUS, OTHER]


def test_a_circle_of_containers_and_an_unknown_one_are_refused():
    records = [{"name": "a", "group": "cell", "inside": "b"}, {"name": "b", "group": "cell", "inside": "a"}]
    with pytest.raises(ValueError, match=r"classes.a.inside: expected containers .* found a circle"):
        Classes.from_records(records)
    with pytest.raises(ValueError, match=r"classes.a.inside: expected one of a, found 'c'"):
        Classes.from_records([{"name": "a", "group": "cell", "inside": "c"}])


# ------------------------------------------------------------------------------------------------------------ one source
def test_a_source_of_all_classes_is_its_own_class_map():
    rows = [(v,) for v in (0, 1, 2, 3, 4, 255)]
    assert read([None], rows)[0] == [0, 1, 2, 3, 4, 255]
    assert read([None], rows, CELL)[0] == [0, 1, 1, 1, 0, 255]
    assert read([None], rows, NUCLEUS)[0] == [0, 0, 1, 1, 0, 255]


def test_a_source_of_one_class_tells_its_target_and_no_class_map():
    rows = [(NUCLEUS,), (OTHER,), (UNLABELLED,)]
    assert read([["nucleus"]], rows, NUCLEUS)[0] == [1, 0, 255]
    for target in (
        CELL,
        NUCLEOLUS,
        VESSEL,
        BACKGROUND,
    ):  # a nucleus lies in a cell, but who looks for nuclei sees no cells
        assert read([["nucleus"]], rows, target)[0] == [255, 255, 255]
    assert read([["nucleus"]], rows)[0] == [255, 255, 255]


def test_the_last_class_left_is_told_without_being_annotated():
    rows = [(1,), (2,), (OTHER,), (UNLABELLED,)]
    assert read([["cell", "granule"]], rows, classes=FLAT)[0] == [1, 2, 0, 255]
    assert read([["cell", "granule"]], rows, 0, classes=FLAT)[0] == [0, 0, 1, 255]


def test_a_value_that_the_source_cannot_have_is_refused():
    with pytest.raises(ValueError, match=r"s0: labels 0 to 4 or 255 \(unlabelled\) are expected, found \[7\]"):
        read([None], [(7,)])
    with pytest.raises(ValueError, match=r"s0: labels 2, 254 or 255 \(unlabelled\) are expected, found \[1\]"):
        read([["nucleus"]], [(1,)])


# ------------------------------------------------------------------------------------------------------- several sources
def test_sources_of_single_classes_make_a_class_map_together_where_all_know():
    annotated = [["cell"], ["nucleus"], ["nucleolus"], ["vessel"]]
    rows = [
        (OTHER, OTHER, OTHER, OTHER),
        (CELL, OTHER, OTHER, OTHER),
        (CELL, NUCLEUS, OTHER, OTHER),
        (CELL, NUCLEUS, NUCLEOLUS, OTHER),
        (OTHER, OTHER, OTHER, VESSEL),
        (OTHER, OTHER, OTHER, UNLABELLED),
        (CELL, NUCLEUS, UNLABELLED, OTHER),
    ]
    assert read(annotated, rows)[0] == [BACKGROUND, CELL, NUCLEUS, NUCLEOLUS, VESSEL, 255, 255]
    assert read(annotated, rows, NUCLEUS)[0] == [0, 0, 1, 1, 0, 0, 1]
    assert read(annotated, rows, NUCLEOLUS)[0] == [0, 0, 0, 1, 0, 0, 255]


def test_sources_that_contradict_each_other_are_refused_with_slice_and_counts():
    found, reader = read([["nucleus"], ["nucleolus"]], [(OTHER, NUCLEOLUS)] * 3 + [(NUCLEUS, NUCLEOLUS)], NUCLEUS)
    assert found == [255, 255, 255, 1]
    assert reader.counts[1] == 1
    with pytest.raises(ValueError, match=r"slice 3: 3 voxels, 3 of them other of s0 and nucleolus of s1"):
        reader.check("region")
    read([None, None], [(1, 1), (255, 2), (255, 255)])[1].check("region")  # agree or know nothing


def test_few_contradictions_are_unknown_and_told():
    """Masks drawn by hand do not nest to the pixel: up to 1 % of what several sources know in a slice is left out."""
    annotated, stray = [["nucleus"], ["nucleolus"]], (OTHER, NUCLEOLUS)
    rest = [(NUCLEUS, NUCLEOLUS)] * 50 + [(NUCLEUS, OTHER)] * 49
    for target, expected in (
        (None, [255] * 100),
        (NUCLEUS, [255] + [1] * 99),
        (NUCLEOLUS, [255] + [1] * 50 + [0] * 49),
    ):
        found, reader = read(annotated, [stray, *rest], target)
        assert found == expected
        reader.check("region")
        assert reader.contradictory() == [[3, 1]]
        assert "contradict each other on 1 voxels, which are unknown (255)" in reader.warning()
        assert "slice 3: 1 voxels, 1 of them other of s0 and nucleolus of s1" in reader.warning()
    assert (reader.complete, reader.counts[:2].tolist()) == ([3], [49, 50])
    few = [stray, *rest[:-1], *[(NUCLEUS, UNLABELLED)] * 500]  # 1 of 99 that both know
    with pytest.raises(
        ValueError, match=r"region: expected label sources that agree where they know the same.*\n    slice 3: 1 vox"
    ):
        read(annotated, few, NUCLEUS)[1].check("region")
    assert read(annotated, rest)[1].warning() == ""


def test_only_slices_with_many_contradictions_are_refused():
    reader = Reader(Sources(CLASSES, [["nucleus"], ["nucleolus"]]), ["s0", "s1"], NUCLEUS)
    plane = np.full((20, 20), NUCLEUS, np.uint8)
    for z, n_stray in enumerate((4, 0, 5, 1)):
        nucleoli = np.full((20, 20), OTHER, np.uint8)
        nuclei = plane.copy()
        nuclei.flat[:n_stray], nucleoli.flat[:n_stray] = OTHER, NUCLEOLUS
        assert (reader.read([nuclei, nucleoli], z, [False, False]) == 255).sum() == n_stray
    assert reader.contradictory() == [[0, 4], [2, 5], [3, 1]]
    with pytest.raises(ValueError, match=r"contradictions:\n    slice 2: 5 voxels[^\n]*\n  Correct"):
        reader.check("region")


# ------------------------------------------------------------------------------------------------------------ incomplete
def test_in_an_incomplete_slice_only_the_drawn_objects_are_known():
    rows = [(NUCLEUS,), (NUCLEOLUS,), (UNLABELLED,)]
    found, reader = read([["nucleus", "nucleolus"]], rows, NUCLEUS, [True])
    assert found == [1, 1, 255]
    assert (reader.complete, reader.incomplete) == ([], [3])
    assert read([["nucleus", "nucleolus"]], rows, NUCLEOLUS, [True])[0] == [
        255,
        1,
        255,
    ]  # perhaps not drawn in the first


def test_a_slice_is_complete_where_complete_sources_tell_the_target():
    annotated, rows = [["nucleus"], ["vessel"]], [(NUCLEUS, OTHER), (OTHER, UNLABELLED)]
    _, reader = read(annotated, rows, NUCLEUS, [False, True])
    assert (reader.complete, reader.incomplete) == ([3], [])
    _, reader = read(annotated, [(NUCLEUS, UNLABELLED)], NUCLEUS, [True, False])
    assert (reader.complete, reader.incomplete) == ([], [3])
    _, reader = read(annotated, [(UNLABELLED, OTHER)], NUCLEUS)
    assert (reader.complete, reader.incomplete) == ([], [])  # not annotated in this slice: neither


# ------------------------------------------------------------------------------------------------------------ properties
def truth_seen(annotated):
    """The values that sources draw for each class."""
    drawn = [CLASSES.drawn_as(names) for names in annotated]
    return [[d[c] for d in drawn] for c in range(len(CLASSES))]


SETS = [None, ["cell"], ["nucleus"], ["nucleolus"], ["vessel"], ["cell", "vessel"], ["nucleus", "nucleolus"]]


@pytest.mark.parametrize("annotated", [list(pair) for pair in itertools.combinations(SETS, 2)])
def test_what_is_told_is_true_and_never_one_sided(annotated):
    """Sources that draw the truth never contradict it, and a target is told for all classes of a voxel's sources or for none."""
    values = truth_seen(annotated)
    for known in itertools.product([False, True], repeat=2):
        rows = [tuple(v if k else UNLABELLED for v, k in zip(row, known)) for row in values]
        classes, reader = read(annotated, rows)
        reader.check("here")
        assert all(found in (c, UNLABELLED) for c, found in enumerate(classes))
        assert len({found == UNLABELLED for found in classes}) == 1
        for target in range(len(CLASSES)):
            found, reader = read(annotated, rows, target)
            reader.check("here")
            truth = [int(c in CLASSES.members_of(target)) for c in range(len(CLASSES))]
            assert found in (truth, [UNLABELLED] * len(CLASSES))


@pytest.mark.parametrize("values", [[0, 1, 254, 255], range(256)])
def test_joint_values_name_each_combination_once(values):
    rng = np.random.default_rng(0)
    planes = [rng.choice(values, (27, 29)).astype(np.uint8) for _ in range(4)]
    codes, n_codes, rows = joint_values(planes)
    named = {code: v for v, code, _ in rows}
    assert len(named) == len(rows) <= n_codes
    assert {v for v, _, _ in rows} == set(zip(*(p.ravel().tolist() for p in planes)))
    for at in np.ndindex(27, 29):
        assert named[int(codes[at])] == tuple(int(p[at]) for p in planes)
    assert sum(count for _, _, count in rows) == 27 * 29
