from types import SimpleNamespace

import numpy as np
import pytest

from densecell.object_blocks import object_blocks
from densecell.object_masks import read_object
from densecell.objects import ObjectTable


class Volume:
    """Object numbers in slabs of any depth, as a stored volume gives them."""

    def __init__(self, array, depth, voxel_size_nm=(8, 8, 8)):
        self.array, self.depth, self.shape = array, depth, array.shape
        self.voxel_size_nm, self.origin_nm = voxel_size_nm, (0, 0, 0)

    def slabs(self):
        return [(z, min(z + self.depth, len(self.array))) for z in range(0, len(self.array), self.depth)]

    def __getitem__(self, index):
        return self.array[index]


def table_of(array):
    objects = ObjectTable(array.shape, (8, 8, 8))
    objects.add(0, array)
    return objects.table()


def found(array, depth, max_voxels, **options):
    return {b.instance: b for b in object_blocks(Volume(array, depth, **options), table_of(array), max_voxels)}


@pytest.fixture(scope="module")
def numbers():
    """Random objects in a volume of odd sides, and a ball across most of it."""
    rng = np.random.default_rng(0)
    array = rng.integers(1, 30, (23, 31, 37)).astype(np.uint32) * (rng.random((23, 31, 37)) < 0.2)
    z, y, x = np.indices(array.shape)
    array[(z - 11) ** 2 + (y - 15) ** 2 + (x - 18) ** 2 <= 81] = 99
    return array.astype(np.uint32)


def test_small_objects_come_as_they_are_when_their_last_slice_was_read():
    array = np.zeros((6, 4, 4), np.uint32)
    array[0:5, 0, 0], array[1:3, 2:4, 1] = 7, 3
    blocks = list(object_blocks(Volume(array, 2), table_of(array), 1000))
    assert [b.instance for b in blocks] == [3, 7]
    assert blocks[0].start == (1, 2, 1) and blocks[0].mask.shape == (2, 2, 1) and blocks[0].mask.all()
    assert blocks[0].factors == (1, 1, 1)


@pytest.mark.parametrize("max_voxels", [10**6, 5000, 400, 10])
def test_blocks_do_not_depend_on_the_slabs(numbers, max_voxels):
    whole = found(numbers, 23, max_voxels)
    for depth in (1, 2, 5, 8):
        parts = found(numbers, depth, max_voxels)
        assert parts.keys() == whole.keys()
        for instance, blocks in parts.items():
            assert blocks.start == whole[instance].start and blocks.factors == whole[instance].factors
            np.testing.assert_array_equal(blocks.mask, whole[instance].mask)


@pytest.mark.parametrize("max_voxels", [10**6, 500])
def test_masks_are_those_that_shapes_are_measured_on(numbers, max_voxels):
    volume, blocks = Volume(numbers, 5), found(numbers, 5, max_voxels)
    for row in table_of(numbers).itertuples():
        measured = read_object(volume, row, max_voxels)
        np.testing.assert_array_equal(blocks[row.instance].mask, measured.mask)
        assert measured.is_reduced == (blocks[row.instance].factors != (1, 1, 1))


def test_a_block_is_the_objects_from_one_half_on():
    array = np.zeros((2, 2, 8), np.uint32)
    array[0, :, 0:4], array[1, 0, 2:4], array[:, :, 7] = 5, 5, 5
    blocks = found(array, 1, 4)[5]
    assert blocks.factors == (2, 2, 2)
    assert blocks.mask[0, 0].tolist() == [True, True, False, True]  # 4, 6, 0 and 4 of 8


def test_a_volume_without_objects_gives_none():
    assert found(np.zeros((3, 4, 5), np.uint32), 2, 100) == {}
    assert (
        list(
            object_blocks(
                SimpleNamespace(slabs=list, voxel_size_nm=(1, 1, 1)), table_of(np.zeros((1, 1, 1), np.uint32)), 9
            )
        )
        == []
    )
