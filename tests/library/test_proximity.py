import numpy as np
import pytest
from scipy.ndimage import distance_transform_edt
from solids import ball

from densecell.object_masks import ObjectMask
from densecell.proximity import MEASURES, Membrane, measure_proximity, proximity

NINE = np.pad(ball(9), 2)
MIDDLE = np.array(NINE.shape) // 2


def beside(x):
    """The middle of the ball and x voxels further."""
    return MIDDLE + np.array([0, 0, x])


def membrane(mask=NINE, voxel_size=(1, 1, 1), first=(0, 0, 0), at_border=((False, False),) * 3):
    return Membrane(ObjectMask(mask, voxel_size, np.array(first, float), (1, 1, 1), at_border))


def test_in_the_head():
    assert proximity(3, 2) == 0.6
    assert proximity(0, 5) == 0 and proximity(5, 0) == 1
    assert np.isnan(proximity(0, 0))


def test_a_center_four_voxels_off_in_a_ball_of_nine():
    found, flags = measure_proximity(membrane(), MIDDLE, beside(4))
    assert flags == set() and list(found) == list(MEASURES)
    assert found["membrane_distance_um"] == pytest.approx(5.0990e-3, abs=1e-7)
    assert found["proximity"] == pytest.approx(0.4396, abs=1e-4)
    assert found["center_distance_um"] == pytest.approx(4e-3)


def test_a_center_in_the_middle_is_0():
    assert measure_proximity(membrane(), MIDDLE, MIDDLE)[0]["proximity"] == 0


@pytest.mark.parametrize("voxel_size", [(1, 1, 1), (50, 10, 10)])
def test_distances_are_those_of_a_distance_transform(voxel_size):
    mask = np.pad(ball(90, voxel_size) if voxel_size[0] == 50 else ball(9), 1)
    expected = distance_transform_edt(mask, voxel_size)
    surface = membrane(mask, voxel_size, first=(1000, -20, 7))
    for voxel in np.random.default_rng(0).permutation(np.argwhere(mask))[:60]:
        distance, is_outside = surface.distance_nm(voxel * voxel_size + np.array([1000, -20, 7]))
        assert distance == pytest.approx(expected[tuple(voxel)]) and not is_outside


def test_between_voxels_distances_are_interpolated():
    surface = membrane()
    ends = [surface.distance_nm(beside(x))[0] for x in (4, 5)]
    assert surface.distance_nm(beside(4.25))[0] == pytest.approx(0.75 * ends[0] + 0.25 * ends[1])


def test_a_center_outside_has_its_distance_and_a_flag():
    found, flags = measure_proximity(membrane(), MIDDLE, beside(12))
    assert flags == {"outside_container"}
    assert found["membrane_distance_um"] == pytest.approx(3e-3)
    assert found["proximity"] == pytest.approx(12 / 15)
    far = measure_proximity(membrane(), MIDDLE, beside(400))  # beyond the box
    assert far[1] == {"outside_container"} and far[0]["membrane_distance_um"] == pytest.approx(0.391)


def test_a_cavity_is_no_membrane():
    hollow = NINE.copy()
    hollow[tuple(beside(3))] = False
    assert membrane(hollow).distance_nm(beside(4)) == membrane().distance_nm(beside(4))


def test_where_the_volume_cuts_a_container_there_is_no_membrane():
    half = ball(9)[10:, 1:-1, 1:-1]  # its middle is in the first slice
    cut = ((True, False), (False, False), (False, False))
    middle = np.array([0, 9, 9])
    assert membrane(half, at_border=cut).distance_nm(middle)[0] == pytest.approx(82**0.5)
    assert membrane(half).distance_nm(middle)[0] == 1


def test_in_larger_voxels_a_center_may_lie_between_the_face_of_the_volume_and_the_first_voxels_center():
    half, cut = np.zeros((3, 9, 9), bool), ((True, False), (False, False), (False, False))
    half[:, 1:-1, 1:-1] = True
    surface = membrane(half, (40, 40, 40), (15, 15, 15), cut)  # blocks of 4 voxels of 10 nm
    at_face, at_center = (surface.distance_nm((z, 175, 175))[0] for z in (0, 15))
    assert at_face == at_center == pytest.approx(120)


def test_a_container_that_fills_the_volume_has_no_membrane():
    full = membrane(np.ones((3, 3, 3), bool), at_border=((True, True),) * 3)
    assert np.isnan(full.distance_nm((1, 1, 1))[0])
    assert np.isnan(measure_proximity(full, (1, 1, 1), (1, 1, 2))[0]["proximity"])
