"""Surfaces of single objects of a volume and of their holes: the meshes that `morphology` measures, in the volume's frame.

Sizes are (z, y, x) in nm; meshes are (x, y, z) in micrometers, the center of voxel 0 lies at the volume's origin.
"""

import numpy as np
from scipy import ndimage

from densecell import meshes
from densecell.fenestrations import FILLINGS
from densecell.morphology import object_mesh

PARTS = ("surface", "fenestrations")
CORNERS = np.ones((3, 3, 3), bool)


def surface(mask, voxel_size_nm, first_nm, smoothing_voxels):
    """The closed surface of a mask (Z, Y, X) bool as `meshes.Mesh`, None for an empty one. first_nm: center of its first voxel."""
    found, _ = object_mesh(mask, voxel_size_nm, smoothing_voxels)
    if found is None:
        return None
    mesh = meshes.Mesh((found.vertices + first_nm)[:, ::-1] * 1e-3, found.triangles.astype(np.int64))
    return mesh if meshes.volume_um3(mesh) >= 0 else meshes.Mesh(mesh.vertices, mesh.faces[:, ::-1])


def without_small(mask, min_voxels):
    """The pieces of a mask that have at least `min_voxels`; pieces touch by a corner at least."""
    pieces, _ = ndimage.label(mask, structure=CORNERS)
    sizes = np.bincount(pieces.ravel())
    return mask & (sizes >= min_voxels)[pieces]


def object_surfaces(blocks, voxel_size_nm, origin_nm, settings):
    """{part of PARTS: Mesh} of one object; fenestrations, what filling adds to it, where there are some.

    blocks: `object_blocks.ObjectBlocks`; voxel_size_nm, origin_nm: of the volume; settings: smoothing_voxels; fenestrations, a way
    of `fenestrations.FILLINGS` or "none"; closing_radius of `closing`, in voxels of the finest side; min_voxels of a hole.
    """
    sizes = np.array(voxel_size_nm, float)
    block_nm = sizes * blocks.factors
    first_nm = np.array(origin_nm) + np.array(blocks.start) * sizes + (block_nm - sizes) / 2
    masks = {"surface": blocks.mask}
    if settings["fenestrations"] != "none":
        closing_nm = settings["closing_radius"] * min(voxel_size_nm)
        filled = FILLINGS[settings["fenestrations"]](blocks.mask, closing_nm, tuple(block_nm))
        masks["fenestrations"] = without_small(filled & ~blocks.mask, settings["min_voxels"] / np.prod(blocks.factors))
    smoothing = settings["smoothing_voxels"]
    found = {part: surface(mask, tuple(block_nm), first_nm, smoothing) for part, mask in masks.items()}
    return {part: mesh for part, mesh in found.items() if mesh is not None}
