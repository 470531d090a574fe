import numpy as np
import pytest
from scipy import ndimage
from solids import ball, cut

from densecell.fenestrations import (
    FILLINGS,
    ball_rows,
    close_ball,
    dilate_ball,
    fenestrated_percent,
    fill_2d_z,
    fill_3d,
)

SHELL = cut(ball(20), ball(6))  # 925 of 33,401 voxels are missing
PIERCED = SHELL.copy()
PIERCED[:21, 21, 21] = False  # a channel along z, one voxel wide, from the cavity to the outside


def percents(mask, radius=3.0, voxel_size=(1, 1, 1)):
    return {way: fenestrated_percent(mask, fill(mask, radius, voxel_size)) for way, fill in FILLINGS.items()}


def test_a_ring_of_four_voxels_around_one_hole():
    ring = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], bool)[None]
    assert fill_2d_z(ring).sum() == 5 and fill_3d(ring).sum() == 4
    assert fenestrated_percent(ring, fill_2d_z(ring)) == 20


def test_a_closed_cavity_is_found_in_all_three_ways():
    assert percents(SHELL) == dict.fromkeys(FILLINGS, pytest.approx(100 * 925 / 33401))


def test_a_channel_of_one_voxel_opens_the_cavity_for_filling_in_3d_only():
    found = percents(PIERCED)
    assert found["fill3d"] == 0
    assert found["fill2d_z"] == pytest.approx(2.81, abs=0.01) and found["closing"] == pytest.approx(2.81, abs=0.01)


def test_a_cavity_that_reaches_the_face_of_the_box_stays_open():
    half = SHELL[21:]
    assert fenestrated_percent(half, fill_3d(half)) == 0


@pytest.mark.parametrize("fill", FILLINGS.values())
def test_what_is_filled_holds_the_object_and_is_filled(fill):
    mask = np.random.default_rng(0).random((12, 13, 14)) > 0.6
    filled = fill(mask, 1.5, (1, 1, 1))
    assert (filled >= mask).all()
    if fill is not FILLINGS["closing"]:
        assert (fill(filled, 1.5, (1, 1, 1)) == filled).all()


def test_filling_is_that_of_scipy():
    mask = np.random.default_rng(1).random((20, 20, 20)) > 0.35
    assert (fill_3d(mask) == ndimage.binary_fill_holes(mask)).all()
    assert (fill_2d_z(mask) == np.stack([ndimage.binary_fill_holes(plane) for plane in mask])).all()


@pytest.mark.parametrize(
    "radius, voxel_size", [(3, (1, 1, 1)), (2.5, (1, 1, 1)), (30, (50, 10, 10)), (60, (50, 10, 10)), (0, (1, 1, 1))]
)
def test_dilation_and_closing_by_rows_are_those_by_distances(radius, voxel_size):
    mask = np.zeros((15, 40, 40), bool)
    mask[6:9, 18:22, 17:24] = np.random.default_rng(2).random((3, 4, 7)) > 0.5
    mask[0, 0, 39] = True
    away = ndimage.distance_transform_edt(~mask, voxel_size)
    assert (dilate_ball(mask, radius, voxel_size) == (away <= radius + 1e-6)).all()
    padded = np.pad(mask, 40)
    dilated = ndimage.distance_transform_edt(~padded, voxel_size) <= radius + 1e-6
    closed = ndimage.distance_transform_edt(dilated, voxel_size) > radius + 1e-6
    assert (close_ball(mask, radius, voxel_size) == closed[40:-40, 40:-40, 40:-40]).all()


def test_the_ball_is_that_of_voxel_centers():
    assert sum((2 * half + 1) * len(places) for half, places in ball_rows(3, (1, 1, 1)).items()) == ball(3).sum()
    assert (
        sum((2 * half + 1) * len(places) for half, places in ball_rows(100, (50, 10, 10)).items())
        == ball(100, (50, 10, 10)).sum()
    )


def test_a_ball_wider_than_the_box():
    mask = np.zeros((3, 4, 2), bool)
    mask[1, 1, 1] = True
    assert dilate_ball(mask, 50, (1, 1, 1)).all()


def test_nothing_is_not_fenestrated():
    empty = np.zeros((3, 3, 3), bool)
    assert np.isnan(percents(empty)["fill3d"])
