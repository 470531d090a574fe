"""Triangle meshes of objects: vertices (n, 3) float64 as (x, y, z) in micrometers, faces (m, 3) int that look outward.

Closed meshes have each edge in exactly two faces. fast-simplification was chosen for decimation: quadrics after Garland and
Heckbert 1997, one small package, no VTK.
"""

from typing import NamedTuple

import fast_simplification
import numpy as np
from scipy.sparse import coo_array, diags_array

LARGEST_CHANGE = 0.02  # of the volume by simplification, else the mesh keeps more triangles
SMOOTHING_STEPS, SHRINK, GROW = 30, 0.5, -0.53  # Taubin 1995; pass band 1 / SHRINK + 1 / GROW = 0.11
LARGEST_SMOOTHING = 0.1  # of the volume by smoothing, else the mesh stays as it is


class Mesh(NamedTuple):
    """vertices (n, 3) as (x, y, z) in micrometers; faces (m, 3) of vertex numbers, seen counterclockwise from outside."""

    vertices: np.ndarray
    faces: np.ndarray


def volume_um3(mesh):
    """Volume in a closed mesh; that of a cavity, whose faces look into it, is taken off."""
    origin = mesh.vertices.mean(axis=0)  # digits are lost far from the origin
    a, b, c = (mesh.vertices[mesh.faces[:, i]] - origin for i in range(3))
    return float(np.einsum("ij,ij->", a, np.cross(b, c)) / 6)


def is_closed(mesh):
    """Whether each edge lies in exactly two faces, which run along it in opposite directions."""
    faces, n = mesh.faces.astype(np.int64), len(mesh.vertices)
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    there, back = edges[:, 0] * n + edges[:, 1], edges[:, 1] * n + edges[:, 0]
    return len(np.unique(there)) == len(there) and np.array_equal(np.sort(there), np.sort(back))


def simplified(mesh, max_triangles, exactly=False, volume=None):
    """The mesh with about `max_triangles` triangles, or more: as many as keep it closed and its volume within 2 %.

    exactly: no more in any case, for pictures. volume: in um3, that 2 % are of, where the mesh was simplified before;
    None: its own. A mesh that has no more is returned as it is.
    """
    volume, target = volume_um3(mesh) if volume is None else volume, max(int(max_triangles), 4)
    closed = None
    while target < len(mesh.faces):
        vertices, faces = fast_simplification.simplify(
            mesh.vertices.astype(np.float64), mesh.faces.astype(np.int32), target_count=target
        )
        fewer = Mesh(*without_unused(vertices.astype(np.float64), faces))
        if exactly and len(faces):
            return fewer
        if len(faces) and abs(volume_um3(fewer) - volume) <= LARGEST_CHANGE * abs(volume):
            closed = is_closed(mesh) if closed is None else closed
            if is_closed(fewer) or not closed:
                return fewer
        target = int(np.ceil(target * 1.5))
    return mesh


def without_unused(vertices, faces):
    """Vertices that faces use, and the faces numbered anew."""
    used, numbers = np.unique(faces, return_inverse=True)
    return vertices[used], numbers.reshape(-1, 3).astype(np.int64)


def shared_out(counts, total):
    """How many triangles each mesh may keep where all together may have `total`: (n,) int, the same share of each."""
    counts = np.asarray(counts, np.int64)
    if counts.sum() <= total:
        return counts
    return np.maximum(counts * total // counts.sum(), np.minimum(counts, 4))


def smoothed(mesh):
    """The mesh for pictures: steps between slices rounded off (Taubin 1995), its volume kept within 10 %, else unchanged.

    Never for measurements.
    """
    n, faces = len(mesh.vertices), mesh.faces
    pairs = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    pairs = np.concatenate([pairs, pairs[:, ::-1]])
    links = coo_array((np.ones(len(pairs)), pairs.T), shape=(n, n)).tocsr()
    links.data[:] = 1  # an edge of two faces counts once
    means = diags_array(1 / np.maximum(links.sum(axis=1), 1)) @ links
    vertices = mesh.vertices.astype(np.float64)
    for _ in range(SMOOTHING_STEPS):
        for factor in (SHRINK, GROW):
            vertices = vertices + factor * (means @ vertices - vertices)
    volume = volume_um3(mesh)
    rounder = Mesh(vertices, faces)
    return rounder if abs(volume_um3(rounder) - volume) <= LARGEST_SMOOTHING * abs(volume) else mesh


def joined(meshes):
    """Several meshes as one."""
    starts = np.cumsum([0] + [len(mesh.vertices) for mesh in meshes])
    faces = [mesh.faces + start for mesh, start in zip(meshes, starts)]
    return Mesh(np.concatenate([mesh.vertices for mesh in meshes]), np.concatenate(faces))
