import numpy as np
import pytest

from densecell import meshes
from densecell.meshes import Mesh

CORNERS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [0, 0, 1]], float)
TETRAHEDRON = Mesh(CORNERS, np.array([[0, 2, 1], [0, 1, 3], [0, 3, 2], [1, 2, 3]]))


def sphere(n, radius=1.0, center=(0, 0, 0)):
    """A closed sphere of n x 2n quads, each cut in two."""
    turn, tilt = np.meshgrid(np.arange(2 * n) * np.pi / n, np.arange(1, n) * np.pi / n)
    ring = np.stack([np.sin(tilt) * np.cos(turn), np.sin(tilt) * np.sin(turn), np.cos(tilt)], -1).reshape(-1, 3)
    vertices = np.concatenate([ring, [[0, 0, 1], [0, 0, -1]]])
    faces, top, bottom = [], len(ring), len(ring) + 1
    for j in range(2 * n):
        k = (j + 1) % (2 * n)
        faces += [(top, j, k), (bottom, (n - 2) * 2 * n + k, (n - 2) * 2 * n + j)]
        for i in range(n - 2):
            a, b, c, d = i * 2 * n + j, i * 2 * n + k, (i + 1) * 2 * n + j, (i + 1) * 2 * n + k
            faces += [(a, c, b), (b, c, d)]
    return Mesh(vertices * radius + center, np.array(faces))


def test_a_tetrahedron_holds_a_sixth_of_its_cube():
    assert meshes.volume_um3(TETRAHEDRON) == pytest.approx(1 / 6)
    assert meshes.volume_um3(Mesh(CORNERS + 1e6, TETRAHEDRON.faces)) == pytest.approx(1 / 6)
    inside_out = Mesh(CORNERS, TETRAHEDRON.faces[:, ::-1])
    assert meshes.volume_um3(inside_out) == pytest.approx(-1 / 6)


def test_closed_is_every_edge_in_two_faces_of_opposite_direction():
    assert meshes.is_closed(TETRAHEDRON) and meshes.is_closed(sphere(8))
    assert not meshes.is_closed(Mesh(CORNERS, TETRAHEDRON.faces[1:]))
    turned = TETRAHEDRON.faces.copy()
    turned[0] = turned[0, ::-1]
    assert not meshes.is_closed(Mesh(CORNERS, turned))
    twice = np.concatenate([TETRAHEDRON.faces, TETRAHEDRON.faces])
    assert not meshes.is_closed(Mesh(CORNERS, twice))


def test_a_cavity_is_taken_off():
    hollow = meshes.joined([sphere(40), Mesh(*sphere(40, 0.5))._replace(faces=sphere(40).faces[:, ::-1])])
    assert meshes.is_closed(hollow)
    assert meshes.volume_um3(hollow) == pytest.approx(4 / 3 * np.pi * (1 - 0.125), rel=0.01)


@pytest.mark.parametrize("target", [10, 100, 1000, 5000])
def test_simplifying_keeps_meshes_closed_and_their_volume(target):
    mesh = sphere(60)
    fewer = meshes.simplified(mesh, target)
    assert len(fewer.faces) < len(mesh.faces) and meshes.is_closed(fewer)
    assert meshes.volume_um3(fewer) == pytest.approx(meshes.volume_um3(mesh), rel=meshes.LARGEST_CHANGE)
    assert len(fewer.faces) <= target or target < 200  # ten triangles are no sphere
    assert np.array_equal(np.unique(fewer.faces), np.arange(len(fewer.vertices)))
    again = meshes.simplified(mesh, target)
    assert np.array_equal(again.vertices, fewer.vertices) and np.array_equal(again.faces, fewer.faces)


def test_exactly_means_that_the_number_counts_more_than_the_shape():
    assert len(meshes.simplified(sphere(60), 20, exactly=True).faces) <= 20
    assert meshes.simplified(TETRAHEDRON, 100) is TETRAHEDRON


def test_triangles_are_shared_out_in_proportion():
    assert meshes.shared_out([100, 300], 1000).tolist() == [100, 300]
    assert meshes.shared_out([1000, 3000], 400).tolist() == [100, 300]
    assert meshes.shared_out([4, 1_000_000], 1000).tolist() == [4, 999]
    assert meshes.shared_out([], 10).tolist() == []


def test_smoothing_rounds_stairs_off_and_keeps_the_volume():
    mesh = sphere(40)
    stairs = Mesh(mesh.vertices + 0.02 * (-1.0) ** np.arange(len(mesh.vertices))[:, None] * mesh.vertices, mesh.faces)
    rounder = meshes.smoothed(stairs)
    spread = [np.linalg.norm(m.vertices, axis=1).std() for m in (stairs, rounder)]
    assert spread[1] < spread[0] / 4
    assert meshes.volume_um3(rounder) == pytest.approx(meshes.volume_um3(stairs), rel=0.01)


def test_what_would_vanish_by_smoothing_stays_as_it_is():
    assert meshes.smoothed(TETRAHEDRON) is TETRAHEDRON
