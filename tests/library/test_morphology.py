"""Numbers of balls, cubes and ellipsoids; measured values are those of the table in docs/method.md."""

import tracemalloc

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from scipy.special import elliprg
from solids import ball, cut, ellipsoid, row

from densecell import morphology
from densecell.morphology import MEASURES, measure_object, object_mesh, shape_of
from densecell.object_masks import ObjectMask

CUBE = np.ones((40, 40, 40), bool)
LETTER_L = CUBE.copy()
LETTER_L[:20, :20] = False
SOLIDS = {  # name: mask, voxels, volume and area of the mesh, sphericity, solidity, circular variance of the surface voxels
    "ball of 20": (ball(20), 33401, 33106.8, 5000.6, 0.9971, 0.9981, 0.000168),
    "ball of 8": (ball(8), 2109, 1992.0, 768.4, 0.9964, 0.9994, 0.001134),
    "ball of 4": (ball(4), 257, 200.2, 166.6, 0.9934, 0.9997, None),
    "cube of 40": (CUBE, 64000, 63556.6, 9184.1, 0.8386, 1.0, 0.016097),
    "ellipsoid": (ellipsoid((30, 20, 10)), 24973, 24663.4, 4841.5, 0.8463, 0.9936, 0.070737),
    "letter L": (LETTER_L, 48000, 47559.0, 8318.5, 0.7631, 0.8693, None),
}
SETTINGS = {"smoothing_voxels": 1, "min_voxels": 50, "closing_radius": 3, "max_voxels": 1e9}


def shape(mask, voxel_size=(1, 1, 1), **options):
    """Measures with voxels of `voxel_size` micrometers."""
    return shape_of(mask, [1000 * size for size in voxel_size], **options)[0]


def measured(mask, voxel_size=(1000, 1000, 1000), factors=(1, 1, 1), **of_row):
    """(measures, flags) of an object that fills a mask."""
    read = ObjectMask(mask, voxel_size, np.zeros(3), factors)
    return measure_object(lambda _: read, row(**{"voxels": mask.sum(), **of_row}), voxel_size, SETTINGS)


# ------------------------------------------------------------------------------------------------------------ solids
@pytest.mark.parametrize("name", SOLIDS)
def test_solids(name):
    mask, n, volume, area, sphericity, solidity, variance = SOLIDS[name]
    found = shape(mask)
    assert np.count_nonzero(mask) == n
    assert found["volume_mesh_um3"] == pytest.approx(volume, abs=0.051)
    assert found["surface_area_um2"] == pytest.approx(area, abs=0.051)
    assert found["sphericity"] == pytest.approx(sphericity, abs=6e-5)
    assert found["solidity"] == pytest.approx(solidity, abs=6e-5)
    if variance is not None:
        assert found["circular_variance"] == pytest.approx(variance, abs=6e-7)


@pytest.mark.parametrize("mask, true, share", [(ball(20), 4 * np.pi * 400, 0.02), (CUBE, 9600, 0.05)])
def test_areas_are_near_the_true_ones(mask, true, share):
    assert shape(mask)["surface_area_um2"] == pytest.approx(true, rel=share)


def test_unsmoothed_the_area_of_a_ball_is_8_percent_too_large():
    mesh, is_smoothed = object_mesh(ball(20), (1, 1, 1), 0)
    assert not is_smoothed and mesh.area() == pytest.approx(5452.9, rel=1e-5)


def test_a_ball_in_voxels_twice_as_deep():
    found = shape(ball(20, (2, 1, 1)), (2, 1, 1))
    assert found["surface_area_um2"] == pytest.approx(5024.5, rel=1e-5)
    assert found["circular_variance"] == pytest.approx(0.000566, abs=6e-7)
    assert morphology.sizes_of(ball(20, (2, 1, 1)).sum(), (2000, 1000, 1000))["volume_um3"] == pytest.approx(33290)


def test_sizes_in_the_head():
    sizes = morphology.sizes_of(1000, (10, 10, 10))
    assert sizes["voxels"] == 1000 and sizes["volume_um3"] == pytest.approx(0.001)
    assert sizes["equivalent_diameter_um"] == pytest.approx(0.1 * (6 / np.pi) ** (1 / 3))


# ------------------------------------------------------------------------------------------------ voxels that are no cubes
@pytest.mark.parametrize("radius, share", [(400, 0.01), (800, 0.01), (200, 0.04)])
def test_balls_in_thick_slices(radius, share):
    found = shape_of(ball(radius, (50, 10, 10)), (50, 10, 10))[0]
    assert found["surface_area_um2"] == pytest.approx(4e-6 * np.pi * radius**2, rel=share)
    assert 0.985 < found["sphericity"] <= 1 and 0.99 < found["solidity"] <= 1
    assert found["circular_variance"] < 0.006 and found["elongation"] < 0.01
    assert found["major_axis_um"] == pytest.approx(2e-3 * radius, rel=0.015)


@pytest.mark.parametrize("edge", [1000, 2000])
def test_cubes_in_thick_slices(edge):
    found = shape_of(np.ones((edge // 50, edge // 10, edge // 10), bool), (50, 10, 10))[0]
    assert found["surface_area_um2"] == pytest.approx(6e-6 * edge**2, rel=0.05)


@pytest.mark.parametrize("size", [1, 2])
def test_ellipsoids_in_thick_slices(size):
    a, b, c = 200 * size, 400 * size, 600 * size
    found = shape_of(ellipsoid((a, b, c), (50, 10, 10)), (50, 10, 10))[0]
    volume, area = 4 / 3 * np.pi * a * b * c, 4 * np.pi * elliprg((a * b) ** 2, (a * c) ** 2, (b * c) ** 2)
    assert found["surface_area_um2"] == pytest.approx(area * 1e-6, rel=0.02)
    assert found["sphericity"] == pytest.approx(morphology.sphericity(volume, area), rel=0.03)


def test_the_gaussian_is_round_in_nm_and_at_least_half_a_slice():
    assert morphology.smoothing_sigmas((1, 1, 1), 1) == (1, 1, 1)
    assert morphology.smoothing_sigmas((2, 1, 1), 1) == (0.5, 1, 1)
    assert morphology.smoothing_sigmas((50, 10, 10), 1) == (0.5, 2.5, 2.5)


@pytest.mark.parametrize("scale", [0.1, 7])
def test_scaling_changes_units_only(scale):
    mask = ellipsoid((300, 80, 60), (50, 10, 10))
    one, other = shape_of(mask, (50, 10, 10))[0], shape_of(mask, (50 * scale, 10 * scale, 10 * scale))[0]
    for name, unit in MEASURES.items():
        if name in one:
            power = {"um": 1, "um2": 2, "um3": 3}.get(unit, 0)
            assert other[name] == pytest.approx(one[name] * scale**power, rel=1e-4, abs=1e-9), name


def test_axes_may_be_exchanged():
    mask, expected = ellipsoid((30, 20, 10)), None
    for axes in ((0, 1, 2), (2, 0, 1), (1, 2, 0)):
        found = shape(mask.transpose(axes))
        found = {k: v for k, v in found.items() if not k.startswith(("orientation", "angle"))}
        expected = expected or found
        assert found == pytest.approx(expected, rel=1e-5)


# -------------------------------------------------------------------------------------------------------------- axes
def test_axes_of_an_ellipsoid():
    found = shape(ellipsoid((30, 20, 10)))
    lengths = [found[f"{name}_axis_um"] for name in ("major", "middle", "minor")]
    assert lengths == pytest.approx([60, 40, 20], rel=0.01)
    assert found["elongation"] == pytest.approx(1 / 3, abs=0.01) and found["flatness"] == pytest.approx(0.5, abs=0.01)
    assert (found["orientation_z"], found["angle_to_z_deg"]) == (pytest.approx(1), pytest.approx(0, abs=0.1))


def test_a_cuboid_is_that_of_its_edges():
    _, lengths, _ = morphology.principal_axes(np.ones((2, 4, 6), bool), (10, 10, 10))
    assert lengths == pytest.approx(np.sqrt(5 / 3) * np.array([60, 40, 20]))
    center, _, _ = morphology.principal_axes(np.ones((2, 4, 6), bool), (10, 20, 30))
    assert center == pytest.approx([5, 30, 75])


def test_a_diagonal_rod_points_up():
    rod = np.zeros((40, 40, 40), bool)
    for i in range(34):
        rod[i : i + 6, :6, 34 - i : 40 - i] = True
    found = shape(rod)
    assert found["orientation_z"] == pytest.approx(np.sqrt(0.5), abs=0.02)
    assert found["orientation_x"] == pytest.approx(-np.sqrt(0.5), abs=0.02)
    assert found["angle_to_z_deg"] == pytest.approx(45, abs=1)


def test_what_is_round_across_has_no_direction():
    assert np.isnan(shape(ball(8))["orientation_z"]) and np.isnan(shape(ball(8))["angle_to_z_deg"])
    disk = ellipsoid((4, 12, 12))
    assert np.isnan(shape(disk)["orientation_x"]) and shape(disk)["flatness"] == pytest.approx(2 / 3, abs=0.03)


# -------------------------------------------------------------------------------------------------------- edge cases
def test_cavities_count_for_volume_and_surface_and_not_for_shape():
    shell, whole = shape(cut(ball(20), ball(6))), shape(ball(20))
    for name in ("solidity", "sphericity", "circular_variance", "major_axis_um"):
        assert shell[name] == whole[name]
    assert shell["volume_mesh_um3"] == pytest.approx(
        whole["volume_mesh_um3"] - shape(ball(6))["volume_mesh_um3"], rel=0.01
    )
    assert shell["surface_area_um2"] == pytest.approx(whole["surface_area_um2"] + 4 * np.pi * 36, rel=0.01)
    assert shell["fenestrated_percent_fill3d"] == pytest.approx(2.7694, abs=1e-4)


def test_of_several_pieces_the_largest_has_the_shape_and_all_the_volume():
    two = np.zeros((45, 45, 60), bool)
    two[1:44, 1:44, 1:44] = ball(20)
    two[18:27, 18:27, 50:59] = ball(3)[:9, :9, :9]
    found, flags = measured(two)
    whole = shape(ball(20))
    assert flags == {"in_pieces"} and found["n_pieces"] == 2 and found["voxels"] == two.sum()
    assert found["largest_piece_fraction"] == pytest.approx(33401 / two.sum())
    assert found["sphericity"] == pytest.approx(whole["sphericity"])
    assert found["surface_area_um2"] > whole["surface_area_um2"]


def test_pieces_that_touch_by_a_corner_are_one():
    mask = np.zeros((20, 20, 20), bool)
    mask[:10, :10, :10] = mask[10:, 10:, 10:] = True
    assert shape(mask)["n_pieces"] == 1


def test_fewer_than_50_voxels_have_a_size_only():
    found, flags = measured(np.ones((7, 7, 1), bool))
    assert flags == {"few_voxels"} and found["volume_um3"] == 49
    assert all(np.isnan(value) for name, value in found.items() if name not in morphology.SIZES)
    assert set(found) == set(MEASURES)


def test_few_voxels_are_not_even_read():
    def read(_):
        raise AssertionError("read")

    assert measure_object(read, row(voxels=49), (1, 1, 1), SETTINGS)[1] == {"few_voxels"}


def test_a_sheet_of_one_voxel_vanishes_when_smoothed_and_is_meshed_as_it_is():
    found, flags = measured(np.ones((1, 30, 30), bool))
    assert flags == {"unsmoothed"}
    assert found["volume_mesh_um3"] == pytest.approx(900, rel=0.05) and found["sphericity"] < 0.5


def test_a_thin_shell_is_told_as_unsmoothed_although_its_filled_shape_is_smoothed():
    shell = np.ones((20, 20, 20), bool)
    shell[1:-1, 1:-1, 1:-1] = False
    assert "unsmoothed" in measured(shell)[1] and "unsmoothed" not in measured(np.ones_like(shell))[1]


def test_sums_over_triangles_take_little_memory(monkeypatch):
    mesh, _ = object_mesh(ball(20), (1, 1, 1))
    many = mesh._replace(triangles=np.tile(mesh.triangles, (4, 1)))
    expected = 4 * mesh.volume(), 4 * mesh.area()
    monkeypatch.setattr(morphology, "TRIANGLES_AT_ONCE", 100)
    tracemalloc.start()
    found = many.volume(), many.area()
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found == pytest.approx(expected) and peak < 4 * len(
        many.triangles
    )  # 72 bytes for each, were all corners held


def test_points_in_a_plane_have_no_hull():
    assert np.isnan(morphology.hull_volume(np.array([[0, 0, 0], [0, 1, 0], [0, 0, 1], [0, 1, 1.0]])))
    assert np.isnan(morphology.hull_volume(np.zeros((2, 3))))
    assert morphology.hull_volume(np.array(list(np.ndindex(2, 2, 2)), float)) == pytest.approx(1)


def test_flags_of_the_table_and_of_reduction():
    assert measured(ball(8), touches_border=1, orphan=1)[1] == {"touches_border", "orphan"}
    assert measured(ball(8), factors=(1, 2, 2))[1] == {"reduced"}


def test_what_reduction_leaves_empty_has_no_shape():
    found, flags = measured(np.zeros((3, 3, 3), bool), factors=(9, 9, 9), voxels=60)
    assert flags == {"reduced"} and np.isnan(found["sphericity"]) and found["voxels"] == 60


def test_an_object_that_fills_its_box_is_closed():
    mesh, _ = object_mesh(np.ones((8, 8, 8), bool), (1, 1, 1))
    assert mesh.vertices.min() > -1 and mesh.vertices.max() < 8
    edges = np.sort(
        np.concatenate([mesh.triangles[:, [0, 1]], mesh.triangles[:, [1, 2]], mesh.triangles[:, [0, 2]]]), axis=1
    )
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()


def test_nothing_has_no_mesh():
    assert object_mesh(np.zeros((3, 3, 3), bool), (1, 1, 1)) == (None, False)


def test_one_voxel_has_no_circular_variance():
    assert np.isnan(morphology.circular_variance(np.zeros((1, 3)), np.zeros(3)))
    assert np.isnan(morphology.circular_variance(np.zeros((0, 3)), np.zeros(3)))


@pytest.mark.parametrize("seed", range(3))
def test_no_blob_is_rounder_than_a_ball_or_larger_than_its_hull(seed):
    blob = gaussian_filter(np.random.default_rng(seed).normal(size=(30, 30, 30)), 3) > 0.02
    found = shape(blob)
    assert 0 < found["sphericity"] <= 1 and 0 < found["solidity"] <= 1
    assert found["volume_mesh_um3"] <= 1.1 * blob.sum()
