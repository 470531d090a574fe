import numpy as np
import pytest

from densecell import isotropic


def test_two_and_a_half_voxels_become_one():
    assert isotropic.shares(5, 2.5).tolist() == [[0.4, 0.4, 0.2, 0, 0], [0, 0, 0.2, 0.4, 0.4]]
    assert isotropic.shares(3, 2).tolist() == [[0.5, 0.5, 0], [0, 0, 0.5]]


def test_whole_factors_are_means_of_blocks():
    values = np.random.default_rng(0).random((4, 6, 10))
    expected = values.reshape(4, 3, 2, 2, 5).mean(axis=(2, 4))
    assert isotropic.averaged(values, (1, 2, 5)) == pytest.approx(expected)


def test_nearly_equal_sides_are_left_as_they_are():
    image, mask = np.ones((2, 2, 2), np.uint8), np.ones((2, 2, 2), bool)
    same, of_object, voxel_nm = isotropic.isotropic(image, mask, (12, 8, 8), 1.5)
    assert same is image and of_object is mask and voxel_nm == pytest.approx(768 ** (1 / 3))
    assert isotropic.isotropic(image, mask, (50, 10, 10), None)[0] is image


def test_only_the_object_is_averaged_and_half_a_voxel_is_enough():
    image = np.array([[[10, 20, 200, 200]]], np.uint8)
    mask = np.array([[[True, True, True, False]]])
    gray, of_object, voxel_nm = isotropic.isotropic(image, mask, (20, 20, 10), 1.5)
    assert voxel_nm == 20 and gray.tolist() == [[[15, 200]]] and of_object.tolist() == [[[True, True]]]
    mask[..., 1:] = False
    gray, of_object, _ = isotropic.isotropic(image, mask, (20, 20, 10), 1.5)
    assert gray.tolist() == [[[10, 0]]] and of_object.tolist() == [[[True, False]]]
