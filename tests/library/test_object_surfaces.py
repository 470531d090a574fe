import numpy as np
import pytest

from densecell import meshes
from densecell.object_blocks import ObjectBlocks
from densecell.object_surfaces import object_surfaces, without_small

SETTINGS = {"smoothing_voxels": 1, "fenestrations": "fill3d", "closing_radius": 3, "min_voxels": 5}


def ball(radius, hole=0):
    z, y, x = np.indices((2 * radius + 1,) * 3) - radius
    squares = z**2 + y**2 + x**2
    return (squares <= radius**2) & ((squares > hole**2) if hole else True)


def made(mask, voxel_nm=(4, 4, 4), origin_nm=(0, 0, 0), start=(0, 0, 0), factors=(1, 1, 1), **settings):
    return object_surfaces(ObjectBlocks(1, mask, start, factors), voxel_nm, origin_nm, {**SETTINGS, **settings})


def test_a_ball_with_a_hole_is_closed_around_both():
    """4/3 pi (25^3 - 7^3) 4^3 = 4,096,820 nm3; 4,086,272 in voxels; smoothing takes 0.4 % off."""
    parts = made(ball(25, 7))
    mesh = parts["surface"]
    assert meshes.is_closed(mesh)
    assert meshes.volume_um3(mesh) == pytest.approx(4_077_845e-9, rel=0.005)
    assert meshes.volume_um3(made(ball(25, 7), smoothing_voxels=0)["surface"]) == pytest.approx(4_083_989e-9, rel=1e-6)
    hole = parts["fenestrations"]
    assert meshes.is_closed(hole) and meshes.volume_um3(hole) == pytest.approx(4 / 3 * np.pi * 7**3 * 64e-9, rel=0.1)


def test_the_hole_is_left_out_where_nobody_asks_and_where_it_is_small():
    assert list(made(ball(25, 7), fenestrations="none")) == ["surface"]
    assert list(made(ball(8))) == ["surface"]
    assert list(made(ball(25, 7), min_voxels=100_000)) == ["surface"]
    pieces = np.zeros((3, 3, 9), bool)
    pieces[0, 0, 0], pieces[1, 1, 3:9] = True, True
    assert without_small(pieces, 2).sum() == 6 and without_small(pieces, 1).sum() == 7


def test_vertices_are_x_y_z_in_micrometers_of_the_volume():
    """A box whose first voxel is (z, y, x) = (2, 3, 4) of a volume that begins at (1000, 2000, 3000) nm."""
    mesh = made(np.ones((4, 5, 6), bool), (50, 10, 10), (1000, 2000, 3000), (2, 3, 4), smoothing_voxels=0)["surface"]
    low, high = mesh.vertices.min(axis=0), mesh.vertices.max(axis=0)
    assert low == pytest.approx([3.035, 2.025, 1.075]) and high == pytest.approx([3.095, 2.075, 1.275])
    assert meshes.volume_um3(mesh) > 0


def test_an_object_of_blocks_lies_where_its_voxels_do():
    whole, blocks = np.ones((4, 8, 8), bool), np.ones((2, 2, 2), bool)
    fine = made(whole, (50, 10, 10), start=(2, 4, 6), smoothing_voxels=0)["surface"]
    coarse = made(blocks, (50, 10, 10), start=(2, 4, 6), factors=(2, 4, 4), smoothing_voxels=0)["surface"]
    assert coarse.vertices.min(axis=0) == pytest.approx(fine.vertices.min(axis=0))
    assert coarse.vertices.max(axis=0) == pytest.approx(fine.vertices.max(axis=0))


def test_nothing_has_no_surface():
    assert made(np.zeros((2, 2, 2), bool)) == {}
