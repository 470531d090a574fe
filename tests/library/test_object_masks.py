import numpy as np
import pytest
from solids import ball, stored

from densecell import object_masks
from densecell.object_masks import read_object

VOXEL_NM, ORIGIN_NM = (50, 10, 10), (500, 30, 20)


def test_an_object_in_its_box():
    labels = np.zeros((6, 9, 9), int)
    labels[2:4, 3:6, 0:2] = 7
    labels[2, 3, 1] = 8
    volume, table = stored(labels, VOXEL_NM, ORIGIN_NM)
    seven = read_object(volume, next(table.itertuples()), 1000)
    assert (seven.mask == (labels[2:4, 3:6, 0:2] == 7)).all() and not seven.is_reduced
    assert seven.first_nm.tolist() == [600, 60, 20] and seven.voxel_size_nm == VOXEL_NM
    assert seven.at_border == ((False, False), (False, False), (True, False))


def test_a_large_object_in_larger_voxels():
    labels = np.zeros((4, 5, 6), int)
    labels[1:3, 0:4, 1:6] = 3
    volume, table = stored(labels, (10, 10, 10), ORIGIN_NM)
    reduced = read_object(volume, next(table.itertuples()), 10)
    assert reduced.factors == (2, 2, 2) and reduced.mask.tolist() == [[[True] * 3] * 2]
    assert reduced.voxel_size_nm == (20, 20, 20) and reduced.first_nm.tolist() == [515, 35, 35]


def test_a_block_belongs_to_the_object_if_half_of_it_does():
    labels = np.zeros((1, 2, 9), int)
    labels[0, :, 0] = labels[0, 0, 2:6] = labels[0, 0, 6] = labels[0, 1, 8] = 1
    volume, table = stored(np.pad(labels, ((0, 0), (0, 0), (0, 1))), (100, 10, 10))
    reduced = read_object(volume, next(table.itertuples()), 9)
    assert reduced.factors == (1, 2, 2)
    assert reduced.mask[0, 0].tolist() == [True, True, True, False, False]  # 2, 2, 2, 1 and 1 of 4


def test_of_a_block_at_the_end_of_the_volume_only_what_exists_counts():
    volume, table = stored(np.ones((1, 2, 9), int), (100, 10, 10))
    reduced = read_object(volume, next(table.itertuples()), 9)
    assert (
        reduced.factors == (1, 2, 2) and reduced.mask.all()
    )  # 2 of 2 voxels: the volume cuts the object, it doesn't end before


@pytest.mark.parametrize("max_voxels", [500, 3000, 10**6])
def test_what_is_read_at_a_time_does_not_matter(monkeypatch, max_voxels):
    volume, table = stored(np.pad(ball(10), 3) * 5, VOXEL_NM)
    whole = read_object(volume, next(table.itertuples()), max_voxels)
    monkeypatch.setattr(object_masks, "SLAB_VOXELS", 1)
    volume.boxes.clear()
    parts = read_object(volume, next(table.itertuples()), max_voxels)
    assert (whole.mask == parts.mask).all() and whole.mask.size <= max_voxels
    assert len(volume.boxes) == len(whole.mask) if whole.is_reduced else len(volume.boxes) == 1


def test_the_volume_of_a_cube_is_not_made_larger_at_its_ends():
    volume, table = stored(np.pad(np.ones((9, 9, 9), int), 1))
    reduced = read_object(volume, next(table.itertuples()), 125)
    assert (
        reduced.factors == (2, 2, 2) and reduced.mask.sum() == 112
    )  # 9^3 / 8 = 91; with rims rounded up it would be 125


def test_reduction_keeps_the_volume_of_a_ball():
    volume, table = stored(ball(20))
    reduced = read_object(volume, next(table.itertuples()), 10_000)
    assert reduced.factors == (2, 2, 2)
    assert 8 * reduced.mask.sum() == pytest.approx(33401, rel=0.025)
