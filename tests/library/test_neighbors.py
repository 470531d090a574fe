from functools import partial

import numpy as np
import pandas as pd
import pytest
from solids import Stored, ball, ellipsoid, stored

from densecell import neighbors
from densecell.neighbors import Surfaces, contact_area_nm2, gap_nm, measure_neighbors
from densecell.object_masks import ObjectMask, read_object
from densecell.voxel_surfaces import Surface

SHAPE = (12, 40, 40)


def boxes(*ranges):
    """Numbers 1, 2, ... in boxes ((z, z), (y, y), (x, x)) of a volume."""
    labels = np.zeros(SHAPE, int)
    for i, box in enumerate(ranges, 1):
        labels[tuple(slice(*r) for r in box)] = i
    return labels


def surfaces(labels, voxel_nm=(10, 10, 10), max_voxels=10**9):
    volume, table = stored(labels, voxel_nm)
    return Surfaces(partial(read_object, volume, max_voxels=max_voxels), table)


def measured(labels, others=None, place=0, voxel_nm=(10, 10, 10), contact_nm=0, **options):
    """{measure: (neighbor, value)} of one object, contacts as lists, and {measure: flags}."""
    own = surfaces(labels, voxel_nm, **options)
    other = own if others is None else surfaces(others, voxel_nm, **options)
    found, flags = {}, {}
    for neighbor, name, value, of_row in measure_neighbors(own, place, other, Stored(labels, voxel_nm), contact_nm):
        found.setdefault(name, []).append((neighbor, pytest.approx(value, rel=1e-6)))
        flags[name] = of_row
    return found, flags


A, TOUCHING, FAR = ((4, 8), (10, 14), (10, 14)), ((4, 8), (10, 14), (14, 20)), ((4, 8), (10, 14), (20, 24))


def test_three_boxes_in_a_row():
    found, _ = measured(boxes(A, TOUCHING, ((4, 8), (20, 24), (10, 14))))
    assert found["nearest_gap_um"] == [(2, 0)]
    assert found["nearest_center_distance_um"] == [(2, 0.05)]
    assert found["n_contacts"] == [(0, 1)]
    found, _ = measured(boxes(A, FAR))
    assert found["nearest_gap_um"] == [(2, 0.06)] and found["n_contacts"] == [(0, 0)]
    assert "contact_area_um2" not in found


def test_the_area_of_a_flat_contact():
    big, other = np.zeros((60, 60, 60), int), np.s_[10:50, 10:50, 30:50]
    big[10:50, 10:50, 10:30] = 1
    big[other] = 2
    own = surfaces(big)
    assert contact_area_nm2(own[0], own[1], 0) == pytest.approx(400**2, rel=0.06)  # edges of the objects are rounded
    assert contact_area_nm2(own[0], own[1], 0) == pytest.approx(contact_area_nm2(own[1], own[0], 0), rel=1e-6)


@pytest.mark.parametrize("thickness", [1, 2, 3, 4])
@pytest.mark.parametrize("gap", [0, 1])
def test_a_thin_plate_touches_with_one_side(thickness, gap):
    labels = np.zeros((50, 60, 60), int)
    labels[5:25, 10:50, 10:50] = 2
    labels[25 + gap : 25 + gap + thickness, 15:45, 15:45] = 1
    own = surfaces(labels)
    assert contact_area_nm2(own[0], own[1], 30) == pytest.approx(300**2, rel=0.2)


@pytest.mark.parametrize("voxel_nm", [(1, 1, 1), (50, 10, 10)])
def test_the_area_of_a_surface_is_that_of_a_ball(voxel_nm):
    radius = 20 if voxel_nm[0] == 1 else 600
    surface = Surface(ObjectMask(ball(radius, voxel_nm), voxel_nm, np.zeros(3)))
    assert surface.area() == pytest.approx(4 * np.pi * radius**2, rel=0.02)


def test_the_area_of_an_oblique_contact():
    z, y, x = np.ogrid[:60, :60, :60]
    inside = ((z - 30) ** 2 + (y - 30) ** 2 + (x - 30) ** 2) < 26**2
    labels = inside * (1 + ((z - 30) + (y - 30) + (x - 30) > 0))  # a ball cut along a diagonal
    own = surfaces(labels)
    assert contact_area_nm2(own[0], own[1], 0) == pytest.approx(np.pi * 260**2, rel=0.06)


@pytest.mark.parametrize(
    "gap, contact_nm, touches", [(0, 0, True), (1, 0, False), (1, 10, True), (3, 20, False), (3, 30, True)]
)
def test_contact_is_what_is_no_farther_apart(gap, contact_nm, touches):
    labels = boxes(A, ((4, 8), (10, 14), (14 + gap, 20 + gap)))
    found, _ = measured(labels, contact_nm=contact_nm)
    assert found["n_contacts"] == [(0, int(touches))]


def test_objects_that_share_an_edge_or_a_corner_are_0_apart_without_area():
    for second in (((8, 10), (14, 18), (10, 14)), ((8, 10), (14, 18), (14, 18))):
        found, _ = measured(boxes(A, second))
        assert found["nearest_gap_um"] == [(2, 0)] and found["n_contacts"] == [(0, 0)]


@pytest.mark.parametrize("axis, gap_um", [(0, 0.1), (1, 0.02), (2, 0.02)])
def test_gaps_in_thick_slices(axis, gap_um):
    first, second = [(0 + 2, 4)] + [(10, 14)] * 2, [(2, 4)] + [(10, 14)] * 2
    second[axis] = (first[axis][1] + 2, first[axis][1] + 4)
    found, _ = measured(boxes(first, second), voxel_nm=(50, 10, 10))
    assert found["nearest_gap_um"] == [(2, gap_um)]


def test_a_gap_is_that_of_all_pairs_of_voxels():
    rng, voxel_nm = np.random.default_rng(0), np.array([50, 10, 10])
    labels = np.zeros(SHAPE, int)
    labels[:, :15, :15], labels[:, 18:, 21:] = rng.random((12, 15, 15)) > 0.9, 2 * (rng.random((12, 22, 19)) > 0.95)
    one, other = (np.argwhere(labels == i) for i in (1, 2))
    steps = np.maximum(np.abs(one[:, None] - other[None]) - 1, 0) * voxel_nm
    found, _ = measured(labels, voxel_nm=tuple(voxel_nm))
    assert found["nearest_gap_um"] == [(2, np.linalg.norm(steps, axis=2).min() * 1e-3)]


def test_the_nearest_box_need_not_hold_the_nearest_object():
    labels = np.zeros(SHAPE, int)
    labels[5, 20:30, 5] = 1
    labels[5, 19, 8:30], labels[5, 10:35, 29] = 2, 2  # its box reaches around
    labels[5, 20:30, 10] = 3
    labels[5, 35, 6:30] = 2
    found, _ = measured(labels)
    assert found["nearest_gap_um"][0][0] == 2


def test_other_records_may_contain_an_object():
    cell, granule = boxes(((1, 11), (5, 35), (5, 35))), boxes(((4, 8), (10, 14), (8, 14)))
    found, _ = measured(granule, cell)
    assert found["nearest_gap_um"] == [(1, 0.03)] and found["n_contacts"] == [(0, 0)]  # to the membrane
    at_membrane = boxes(((4, 8), (10, 14), (5, 14)))
    assert measured(at_membrane, cell)[0]["n_contacts"] == [(0, 1)]


def test_nobody_else():
    found, _ = measured(boxes(A))
    assert list(found) == ["n_contacts"]
    found, _ = measured(boxes(A), np.zeros(SHAPE, int))
    assert list(found) == ["n_contacts"]


def test_flags_tell_of_the_border():
    _, flags = measured(boxes(A, FAR))
    assert flags["nearest_gap_um"] == {"border_nearer"}  # 60 nm away, the volume ends after 40
    _, flags = measured(boxes(A, TOUCHING))
    assert flags["nearest_gap_um"] == set()
    assert flags["nearest_center_distance_um"] == set()  # centers 50 nm apart, the volume's end at 60
    _, flags = measured(boxes(A, FAR))
    assert flags["nearest_center_distance_um"] == {"border_nearer"}
    _, flags = measured(boxes(((0, 4), (10, 14), (10, 14)), FAR))
    assert flags["n_contacts"] == {"touches_border"}


def test_no_surface_where_the_volume_cuts():
    cut = ((True, True), (False, False), (False, False))
    column = Surface(ObjectMask(np.ones((4, 20, 20), bool), (10, 10, 10), np.zeros(3), (1, 1, 1), cut))
    assert len(column.faces) == 4 * 80
    assert column.area() == pytest.approx(80 * 4 * 100, rel=0.06)


def test_reduced_objects_are_flagged_and_still_touch():
    labels = boxes(((0, 12), (1, 20), (1, 21)), ((0, 12), (1, 20), (21, 39)))
    found, flags = measured(labels, max_voxels=200)
    assert found["n_contacts"] == [(0, 1)] and "reduced" in flags["contact_area_um2"]


def test_surfaces_that_are_held_do_not_matter(monkeypatch):
    rng = np.random.default_rng(0)
    labels = np.zeros(SHAPE, int)
    for i in range(1, 9):
        z, y, x = rng.integers(0, (8, 34, 34))
        labels[z : z + 4, y : y + 6, x : x + 6] = i
    expected = [measured(labels, place=i, contact_nm=30)[0] for i in range(len(np.unique(labels)) - 1)]
    monkeypatch.setattr(neighbors, "HELD_BYTES", 0)
    assert [measured(labels, place=i, contact_nm=30)[0] for i in range(len(expected))] == expected


def test_the_center_of_an_unseen_object_may_be_nearer_although_the_gap_is_small():
    """Centers 75 nm apart that nearly touch; the volume ends 60 nm from the center of the first, wherever the volume begins."""
    labels = boxes(((2, 10), (10, 20), (10, 16)), ((2, 10), (10, 20), (16, 25)))
    for origin in ((0, 0, 0), (500, -30, 1000)):
        volume, table = stored(labels, origin_nm=origin)
        own = Surfaces(partial(read_object, volume, max_voxels=10**9), table)
        flags = {name: of_row for _, name, _, of_row in measure_neighbors(own, 0, own, volume, 0)}
        assert flags["nearest_center_distance_um"] == {"border_nearer"} and flags["nearest_gap_um"] == set()


def test_the_surface_of_an_object_is_read_once_however_many_others_push_it_out(monkeypatch):
    labels = boxes(*(((4, 8), (10, 14), (4 * i, 4 * i + 4)) for i in range(8)))
    monkeypatch.setattr(neighbors, "HELD_BYTES", 1)
    own, read = surfaces(labels), []
    read_one = own.read
    own.read = lambda row: read.append(row.instance) or read_one(row)
    measure_neighbors(own, 3, own, Stored(labels), 10)
    assert read.count(4) == 1 and len(read) == len(set(read))


def test_the_share_of_the_surface_in_contact():
    labels = np.zeros((60, 60, 60), int)
    labels[10:50, 10:50, 10:30], labels[10:50, 10:50, 30:50] = 1, 2
    own = surfaces(labels)
    rows = {name: value for _, name, value, _ in measure_neighbors(own, 0, own, Stored(labels), 0)}
    assert rows["contact_fraction"] == pytest.approx(1600 / (2 * 1600 + 4 * 800), rel=0.05)
    assert rows["contact_area_um2"] == pytest.approx(rows["contact_fraction"] * own[0].area() * 1e-6)


def test_ellipsoids_whose_boxes_overlap():
    labels = np.zeros((40, 60, 60), int)
    one = ellipsoid((8, 20, 8))
    labels[: one.shape[0], : one.shape[1], : one.shape[2]][one] = 1
    other = labels[20:, 15:, :]
    other[: one.shape[0], : one.shape[1], : one.shape[2]][one] = 2
    own = surfaces(labels)
    points = [np.argwhere(labels == i) for i in (1, 2)]
    steps = [np.maximum(np.abs(p - points[1]) - 1, 0) for p in points[0]]
    expected = min(np.linalg.norm(s, axis=1).min() for s in steps) * 10
    assert gap_nm(own[0], own[1]) == pytest.approx(expected)
    assert gap_nm(own[0], own[1], limit=expected) == pytest.approx(expected)
    assert gap_nm(own[0], own[1], limit=expected / 2) == np.inf


def test_measures_are_those_that_are_told():
    found, _ = measured(boxes(A, TOUCHING))
    assert list(found) == list(neighbors.MEASURES)
    assert isinstance(pd.DataFrame(found.items()), pd.DataFrame)
