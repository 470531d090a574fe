import numpy as np
import pytest

pytest.importorskip("pyvista")

from densecell import surfaces
from densecell.classes import Classes

VOXEL_NM = (50, 10, 10)
CLASSES = Classes(("background", "cell", "granule", "core"), ("background", "cell", "organelle", "organelle"))


class Volume:
    """A label volume in memory that is read slab by slab like a stored one."""

    voxel_size_nm, slab_depth = VOXEL_NM, 3

    def __init__(self, labels):
        self.labels, self.shape = labels, labels.shape

    def __getitem__(self, index):
        return self.labels[index]


def box(shape, *ranges):
    mask = np.zeros(shape, bool)
    mask[tuple(slice(*r) for r in ranges)] = True
    return mask


def sphere(radius_um=0.3, shape=(20, 90, 80)):
    centers = [(np.arange(n) + 0.5) * nm * 1e-3 for n, nm in zip(shape, VOXEL_NM)]
    z, y, x = np.meshgrid(*centers, indexing="ij")
    return (z - 0.5) ** 2 + (y - 0.45) ** 2 + (x - 0.4) ** 2 < radius_um**2


def test_cube_lies_where_its_voxels_lie_in_micrometers():
    mesh = surfaces.surface(box((12, 60, 60), (2, 10), (10, 50), (20, 55)), VOXEL_NM)
    assert mesh.volume == pytest.approx(0.4 * 0.4 * 0.35, rel=0.03)
    assert np.array(mesh.bounds) == pytest.approx([0.2, 0.55, -0.5, -0.1, -0.5, -0.1], abs=0.015)
    assert mesh.n_open_edges == 0


def test_sphere_keeps_its_volume_and_its_faces_look_outward():
    mask = sphere()
    mesh = surfaces.surface(mask, VOXEL_NM)
    assert mesh.volume == pytest.approx(mask.sum() * 50 * 10 * 10 * 1e-9, rel=0.03)
    outward = mesh.points - np.array([0.4, -0.45, -0.5])
    assert (np.sum(mesh.compute_normals(auto_orient_normals=False).point_normals * outward, axis=1) > 0).mean() > 0.99


def test_object_that_fills_the_volume_is_closed_at_its_faces():
    mesh = surfaces.surface(np.ones((6, 30, 30), bool), VOXEL_NM)
    assert mesh.n_open_edges == 0
    assert mesh.volume == pytest.approx(0.3 * 0.3 * 0.3, rel=0.03)


def test_small_objects_do_not_vanish_by_smoothing():
    mask = sphere() | box((20, 90, 80), (1, 2), (1, 3), (1, 3))
    pieces = surfaces.surface(mask, VOXEL_NM).split_bodies()
    assert len(pieces) == 2
    smallest = min(piece.extract_surface(algorithm=None).volume for piece in pieces)
    assert 0.2 < smallest / (4 * 5e-6) <= 1  # marching cubes cut the corners of four voxels


def test_absent_class_has_no_surface_and_the_cell_is_all_tissue():
    labels = np.zeros((8, 40, 40), np.uint8)
    labels[2:6, 5:35, 5:35] = 1
    labels[3:5, 10:30, 10:30] = 2
    labels[0] = 255
    meshes = surfaces.class_surfaces(labels, VOXEL_NM, CLASSES)
    assert list(meshes) == [surfaces.CELL, "granule", "core"]
    assert meshes["core"] is None
    assert meshes[surfaces.CELL].volume == pytest.approx(0.2 * 0.3 * 0.3, rel=0.05)  # without a hole for the granule
    few = surfaces.class_surfaces(labels, VOXEL_NM, CLASSES, max_triangles=1000)
    assert sum(m.n_cells for m in few.values() if m) <= 1000 and few["core"] is None
    assert few["granule"].volume == pytest.approx(meshes["granule"].volume, rel=0.03)


@pytest.mark.parametrize(
    "shape, voxel_nm, max_voxels, factors",
    [
        ((10, 100, 100), VOXEL_NM, 1e5, (1, 1, 1)),
        ((10, 100, 100), VOXEL_NM, 9e4, (1, 2, 2)),
        ((10, 100, 100), VOXEL_NM, 4e3, (1, 5, 5)),
        ((10, 100, 100), VOXEL_NM, 3e3, (2, 6, 6)),
        ((64, 64, 64), (10, 10, 10), 40_000, (2, 2, 2)),
        ((100, 2, 2), (50, 10, 10), 100, (1, 2, 2)),
    ],
)
def test_reduction_makes_voxels_isotropic_first(shape, voxel_nm, max_voxels, factors):
    assert surfaces.reduction_factors(shape, voxel_nm, max_voxels) == factors


def test_reading_does_not_depend_on_the_slabs(monkeypatch):
    labels = np.random.default_rng(0).integers(0, 4, (11, 20, 20)).astype(np.uint8)
    whole, voxel_nm, factors = surfaces.read_reduced(Volume(labels), 4, 11 * 100)
    assert (whole.shape, voxel_nm, factors) == ((11, 10, 10), (50, 20, 20), (1, 2, 2))
    monkeypatch.setattr(surfaces, "SLAB_BYTES", 400)
    assert (surfaces.read_reduced(Volume(labels), 4, 11 * 100)[0] == whole).all()
    assert (surfaces.read_reduced(Volume(labels), 4, 1e9)[0] == labels).all()
    with pytest.raises(ValueError, match="labels 0 to 1"):
        surfaces.read_reduced(Volume(labels), 2, 1e9)


def test_names_of_the_axes_stand_outside_the_box():
    right, up, toward = surfaces._camera_axes(0)
    assert right == pytest.approx([1, 0, 0]) and up[2] > 0 and toward[1] < 0  # from the front, above
    assert np.cross(right, up) == pytest.approx(toward)
