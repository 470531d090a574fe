"""Slices and pixels of one volume in the finer voxels of another."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch

from densecell.finer_grid import matching_slice, to_finer


def grid(shape, voxel_size_nm=(20, 8, 8), origin_nm=(0, 0, 0)):
    return SimpleNamespace(shape=shape, voxel_size_nm=voxel_size_nm, origin_nm=origin_nm)


FINE = grid((5, 8, 12), (20, 2, 2))
COARSE = grid((5, 2, 3), (20, 8, 8), (0, 3, 3))  # FINE binned by 4 in the plane


def test_each_pixel_is_four_of_the_finer_ones_and_the_centers_are_met():
    values = np.array([[0, 1, 2], [4, 5, 6]], np.float32)
    found = to_finer(values, COARSE, FINE)
    assert found.shape == (8, 12) and found.dtype == np.float32
    assert found[:2, :2].tolist() == [[0, 0], [0, 0]]  # beyond the outermost centers
    assert found[0, 1:7].tolist() == [0, 0.125, 0.375, 0.625, 0.875, 1.125]
    assert found[1:3, 0].tolist() == [0, 0.5]


def test_a_plane_stays_a_plane_between_the_centers():
    y, x = np.indices((6, 7))
    coarse, fine = grid((1, 6, 7), (20, 8, 8), (0, 3, 3)), grid((1, 24, 28), (20, 2, 2))
    found = to_finer(np.stack([3 * y + 2 * x, y * 0 + 5]), coarse, fine)
    expected = 3 * (np.arange(24) - 1.5)[:, None] / 4 + 2 * (np.arange(28) - 1.5) / 4
    np.testing.assert_allclose(found[0, 2:-2, 2:-2], expected[2:-2, 2:-2], rtol=1e-5)
    assert (found[1] == 5).all()


def test_it_is_torchs_bilinear_interpolation():
    values = np.random.default_rng(2).random((2, 6, 7)).astype(np.float32)
    coarse, fine = grid((1, 6, 7), (20, 8, 8), (0, 3, 3)), grid((1, 24, 28), (20, 2, 2))
    tensor = torch.from_numpy(values)[None]
    expected = torch.nn.functional.interpolate(tensor, scale_factor=4, mode="bilinear", align_corners=False)[0]
    np.testing.assert_allclose(to_finer(values, coarse, fine), expected.numpy(), atol=1e-6)


def test_the_same_voxels_stay_as_they_are():
    values = np.random.default_rng(0).random((2, 3)).astype(np.float32)
    np.testing.assert_array_equal(to_finer(values, COARSE, COARSE), values)


def test_a_part_of_the_region():
    part = grid((3, 4, 4), (20, 2, 2), (20, 8, 8))
    values = np.random.default_rng(1).random((2, 3)).astype(np.float32)
    np.testing.assert_allclose(to_finer(values, COARSE, part), to_finer(values, COARSE, FINE)[4:8, 4:8], rtol=1e-6)
    assert matching_slice(2, COARSE, part) == 1


def test_what_lies_elsewhere_is_refused():
    with pytest.raises(ValueError, match="scored_on: expected a scored region that lies in the predicted one"):
        to_finer(np.zeros((2, 3)), COARSE, grid((5, 9, 12), (20, 2, 2)))
    with pytest.raises(ValueError, match="slice 0 of the predicted one lies, found none"):
        matching_slice(0, COARSE, grid((3, 4, 4), (20, 2, 2), (20, 0, 0)))
    with pytest.raises(ValueError, match="same binning in z"):
        matching_slice(1, COARSE, grid((9, 8, 12), (10, 2, 2), (5, 0, 0)))
