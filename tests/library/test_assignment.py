"""Which objects lie in which, and what each container holds."""

import numpy as np
import pandas as pd
import pytest

from densecell import assignment
from densecell.classes import OTHER, UNLABELLED_INSTANCE, Classes
from densecell.instances import Drawn, Numbered

CLASSES = Classes.from_records(
    [
        {"name": "background", "group": "background"},
        {"name": "cell", "group": "cell"},
        {"name": "nucleus", "group": "organelle", "inside": "cell"},
        {"name": "nucleolus", "group": "organelle", "inside": "nucleus"},
    ]
)


def containers_of(instances, orphan=0):
    return pd.DataFrame({"instance": instances, "orphan": orphan, "touches_border": 1})


def objects_of(numbers):
    found, voxels = np.unique(numbers[numbers > 0], return_counts=True)
    return pd.DataFrame({"instance": found.astype(np.int64), "voxels": voxels})


def contents(containers, labels, members=(), children=(), instances=None):
    """The contents table of two small volumes."""
    table = containers_of(np.unique(containers[containers > 0]) if instances is None else instances)
    counted = [
        assignment.counts_of_classes(assignment.pair_counts(containers, m), table["instance"], 4)
        for m in (labels, *members)
    ]
    return assignment.contents_table(counted[0], counted[1:], table, CLASSES, (50, 10, 10), children)


# ------------------------------------------------------------------------------------------------------- by hand
def test_pairs_are_counted():
    rows, columns, voxels = assignment.pair_counts(np.array([[1, 1, 0], [1, 2, 2]]), np.array([[5, 6, 0], [5, 5, 5]]))
    assert [*zip(rows, columns, voxels)] == [(0, 0, 1), (1, 5, 2), (1, 6, 1), (2, 5, 2)]


def test_an_object_belongs_to_the_container_with_more_than_half_of_it():
    objects = np.array([1, 1, 1, 1, 1, 2, 2, 3, 3, 3, 4, 4, 5])
    cells = np.array([7, 7, 7, 9, 0, 7, 9, 0, 0, 9, 7, 0, 0])
    table = assignment.parents_table(assignment.pair_counts(objects, cells), objects_of(objects))
    # 3 of 5 in cell 7; one half each; 2 of 3 outside; exactly half; all outside
    assert table["parent"].tolist() == [7, 0, 0, 0, 0]
    assert table["share"].tolist() == [3 / 5, 1 / 2, 1 / 3, 1 / 2, 0]
    assert table["voxels"].tolist() == [5, 2, 3, 2, 1] and set(table["n_members"]) == {0}


def test_a_small_cell_with_its_nucleus():
    """2 cells of 6 and 2 voxels, 2 voxels outside, one of them a nucleus that lies in no cell."""
    cells = np.array([1, 1, 1, 1, 1, 1, 2, 2, 0, 0], np.uint32)
    labels = np.array([1, 1, 1, 2, 2, 3, 1, 1, 2, 0], np.uint8)
    table = contents(cells, labels).set_index(["instance", "class"])
    assert table.loc[1, "voxels"].tolist() == [0, 3, 2, 1] and table.loc[0, "voxels"].tolist() == [1, 0, 1, 0]
    assert table.loc[1, "fraction"].tolist() == [0, 3 / 6, 2 / 6, 1 / 6]
    assert table.loc[1, "with_inner_fraction"].tolist() == [0, 1, 3 / 6, pytest.approx(1 / 6)]
    assert table.loc[(1, "nucleus"), "with_inner_um3"] == pytest.approx(3 * 50 * 10 * 10 * 1e-9)
    assert table.loc[0, "fraction"].isna().all() and table["n_objects"].isna().all()


def test_the_spread_over_members_is_that_of_their_fractions_in_the_same_cell():
    cells = np.array([1, 1, 1, 1], np.uint32)
    members = [np.array(m, np.uint8) for m in ([1, 1, 1, 2], [1, 1, 2, 2], [1, 2, 2, 2])]
    table = contents(cells, members[1], members).set_index(["instance", "class"]).loc[(1, "nucleus")]
    assert table["fraction"] == 0.5 and table["n_members"] == 3
    assert [table[f"fraction_{name}"] for name in assignment.SPREAD] == [0.5, 0.25, 0.25, 0.75]


def test_one_member_has_no_standard_deviation_and_none_nothing():
    assert np.isnan(assignment.spread([[0.5]])[1]).all() and assignment.spread([[0.5]])[0] == [0.5]
    assert all(np.isnan(values).all() for values in assignment.spread(np.zeros((0, 2))))


def test_objects_are_counted_where_they_lie_and_confirmed_by_most_networks():
    cells = np.array([1, 1, 1, 2, 2, 0], np.uint32)
    children = {"nucleus": pd.DataFrame({"parent": [1, 1, 0], "agreement_mean": [0.9, 0.5, 1.0]})}
    labels = np.ones(6, np.uint8)
    table = contents(cells, labels, [labels], children).set_index(["class", "instance"])
    assert table.loc["nucleus", "n_objects"].tolist() == [1, 2, 0]
    assert table.loc["nucleus", "n_confirmed"].tolist() == [1, 1, 0]  # exactly half is not most
    assert table.loc["cell", "n_objects"].isna().all()


def test_no_object_at_all_is_the_number_0_and_without_members_nothing_is_confirmed():
    cells, empty = np.array([1, 0], np.uint32), pd.DataFrame({"parent": [], "agreement_mean": []})
    assert set(contents(cells, cells.astype(np.uint8), children={"nucleus": empty}).dropna()["n_objects"]) <= {0}
    alone = {"nucleus": pd.DataFrame({"parent": [1], "agreement_mean": [np.nan]})}
    table = contents(cells, cells.astype(np.uint8), children=alone)
    assert table["n_objects"].sum() == 1 and table["n_confirmed"].isna().all()


def test_of_an_empty_class_none_is_confirmed_with_networks_and_without_nobody_knows():
    labels, empty = np.ones(2, np.uint8), {"nucleus": pd.DataFrame({"parent": [], "agreement_mean": []})}
    of_nuclei = [
        contents(np.array([1, 0]), labels, members, empty).set_index("class").loc["nucleus"]
        for members in ([], [labels])
    ]
    assert [rows["n_objects"].tolist() for rows in of_nuclei] == [[0, 0]] * 2
    assert of_nuclei[0]["n_confirmed"].isna().all() and of_nuclei[1]["n_confirmed"].tolist() == [0, 0]


def test_what_a_source_calls_none_of_its_classes_is_a_row_of_its_own():
    cells = np.array([1, 1, 1, 1, 0], np.uint32)
    table = contents(cells, np.array([2, OTHER, OTHER, OTHER, OTHER], np.uint8)).set_index(["instance", "class"])
    assert table.loc[1, "voxels"].to_dict() == {"background": 0, "cell": 0, "nucleus": 1, "nucleolus": 0, "other": 3}
    assert table.loc[(1, "nucleus"), "fraction"] == table.loc[(1, "cell"), "with_inner_fraction"] == 1 / 4
    assert table.loc[(0, "other"), "voxels"] == 1 and table.loc[1, "fraction"].sum() == 1


def test_agreement_is_the_share_of_an_object_that_a_network_calls_its_class():
    objects = np.array([1, 1, 1, 1, 2, 2, 0], np.uint32)
    says = np.array([1, 1, 1, 0, 0, 0, 1], np.uint8)
    found = assignment.agreement(assignment.pair_counts(objects, says), objects_of(objects))
    assert found.tolist() == [0.75, 0]


# ------------------------------------------------------------------------------------------------------ properties
def random_volumes(seed):
    rng = np.random.default_rng(seed)
    cells = np.repeat(rng.choice([0, 0, 3, 17, 70000], (6, 30, 8)), 4, axis=2).astype(np.uint32)
    labels = np.repeat(rng.integers(0, 4, (6, 30, 16)), 2, axis=2).astype(np.uint8)
    return cells, labels


@pytest.mark.parametrize("seed", range(3))
def test_containers_and_outside_add_up_to_the_class_map_exactly(seed):
    cells, labels = random_volumes(seed)
    members = [random_volumes(seed + 10 + i)[1] for i in range(2)]
    table = contents(cells, labels, members)
    totals = table.groupby("class", sort=False)["voxels"].sum()
    assert totals.tolist() == np.bincount(labels.ravel(), minlength=4).tolist()
    of_containers = table[table["instance"] > 0].groupby("instance")
    assert np.allclose(of_containers[["fraction", "fraction_mean"]].sum(), 1)


@pytest.mark.parametrize("cut", [1, 2, 5])
def test_counts_of_parts_join_to_those_of_the_whole(cut):
    cells, labels = random_volumes(0)
    parts = [assignment.pair_counts(cells[z : z + cut], labels[z : z + cut]) for z in range(0, 6, cut)]
    for found, expected in zip(assignment.joined(parts), assignment.pair_counts(cells, labels)):
        assert np.array_equal(found, expected)


def test_blocks_cover_the_volume_once():
    class Deep:
        shape = (20, 2500, 3)

        def slabs(self):
            return [(0, 8), (8, 16), (16, 20)]

    seen = np.zeros(Deep.shape, int)
    for box in assignment.blocks(Deep()):
        seen[box] += 1
    assert (seen == 1).all()


# ------------------------------------------------------------------------------------------------------ edge cases
def test_what_nobody_labelled_counts_nowhere():
    cells = np.array([1, 1, UNLABELLED_INSTANCE, 0], np.uint32)
    table = contents(cells, np.array([2, 255, 2, 2], np.uint8), instances=[1])
    assert table.groupby("instance")["voxels"].sum().tolist() == [1, 1]
    objects = np.array([1, 1, 2, 0], np.uint32)
    parents = assignment.parents_table(assignment.pair_counts(objects, cells), objects_of(objects))
    assert parents["parent"].tolist() == [1, 0] and np.isnan(parents["share"][1])


def test_an_object_in_what_nobody_drew_is_in_no_container_and_in_none_outside():
    """One drawn cell, all else unlabelled: 2 of 5 voxels of the first object lie in it, 3 unlabelled; the second is all unlabelled."""
    drawn = np.array([7, 7, 7] + [UNLABELLED_INSTANCE] * 6, np.uint32).reshape(1, 1, 9)
    cells = Numbered(Drawn(drawn, [(0, 1)], (1, 1, 1)), keep=True).labels(0)
    objects = np.array([0, 1, 1, 1, 1, 1, 2, 2, 2], np.uint32).reshape(1, 1, 9)
    table = assignment.parents_table(assignment.pair_counts(objects, cells), objects_of(objects))
    assert table["parent"].tolist() == [7, 0] and table["share"][0] == 1 and np.isnan(table["share"][1])


def test_objects_without_any_container_and_containers_without_any_object():
    nothing = np.zeros(4, np.uint32)
    objects = np.array([1, 1, 0, 2], np.uint32)
    assert assignment.parents_table(assignment.pair_counts(objects, nothing), objects_of(objects))[
        "parent"
    ].tolist() == [0, 0]
    assert len(assignment.parents_table(assignment.pair_counts(nothing, objects), objects_of(nothing))) == 0
    assert contents(nothing, np.full(4, 2, np.uint8))["voxels"].tolist() == [0, 0, 4, 0]


def test_renumbering_containers_changes_nothing_else():
    cells, labels = random_volumes(1)
    first = contents(cells, labels)
    other = contents(np.where(cells > 0, 100_000 - cells, 0).astype(np.uint32), labels)
    renumbered = other.assign(instance=np.where(other["instance"] > 0, 100_000 - other["instance"], 0))
    renumbered = renumbered.sort_values("instance", kind="stable", ignore_index=True)
    pd.testing.assert_frame_equal(first, renumbered)


def test_numbers_that_the_table_does_not_have_are_refused():
    pairs = assignment.pair_counts(np.array([1, 2]), np.array([0, 1]))
    expected = "a/objects.csv: expected every number of its volume, found 1 missing, such as 2"
    with pytest.raises(ValueError, match=expected):
        assignment.counts_of_classes(pairs, [1], 4, table="a/objects.csv")
    with pytest.raises(ValueError, match=expected):
        assignment.parents_table(pairs, pd.DataFrame({"instance": [1], "voxels": [1]}), table="a/objects.csv")
    with pytest.raises(ValueError, match=r"labels: expected classes from 0 to 0, or 255 for unlabelled, found \[1\]"):
        assignment.counts_of_classes(pairs, [1, 2], 1, "labels")
    with pytest.raises(ValueError, match="one shape"):
        assignment.pair_counts(np.zeros(3, int), np.zeros(4, int))
