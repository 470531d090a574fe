"""The surface of an object as that of its voxels: where it is, and how large it is where it meets another.

Positions and sizes are (z, y, x) in nm, with the volume's origin. Objects are unions of voxels, taken as boxes.
"""

from functools import cached_property

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from densecell.morphology import smoothing_sigmas

# smoothing of the mask for the direction of its surface; with 1 the areas of balls were 4 to 7 % too large, with 2 up to 2 %
NORMAL_VOXELS = 2.0


class Surface:
    """The surface of one object. mask: `object_masks.ObjectMask`.

    faces (n, 3): the middles of the faces between the object and what is none; normals (n, 3): directions of the surface there, from the
    gradient of the smoothed mask; areas (n,) nm2: of each face the part that it adds to a smooth surface, its area times the cosine
    between face and surface, exact for planes. corners (m, 3): of these faces. Where the volume cuts an object there is no surface.
    """

    def __init__(self, mask):
        voxel_nm = np.array(mask.voxel_size_nm, float)
        inside = np.pad(mask.mask, 1)
        for axis, sides in enumerate(mask.at_border):  # the object goes on there
            of_axis = np.moveaxis(inside, axis, 0)
            for is_cut, outer, inner in zip(sides, (0, -1), (1, -2)):
                if is_cut:
                    of_axis[outer] = of_axis[inner]
        first_nm = np.asarray(mask.first_nm, float) - voxel_nm
        self.slack_nm = np.linalg.norm(voxel_nm - voxel_nm / mask.factors) / 2  # that a reduced surface may be away by
        self.is_reduced = mask.is_reduced
        self.faces, self.normals, self.areas = _faces(inside, voxel_nm)
        self.faces += first_nm
        self.corners = _corners(inside) * voxel_nm + first_nm
        self.low, self.high = (f(self.corners, axis=0, initial=i) for f, i in ((np.min, np.inf), (np.max, -np.inf)))

    @property
    def n_bytes(self):
        """About what it takes with its trees."""
        return 3 * (self.faces.nbytes + self.corners.nbytes) + self.normals.nbytes + self.areas.nbytes

    @cached_property
    def face_tree(self):
        return cKDTree(self.faces)

    @cached_property
    def corner_tree(self):
        return cKDTree(self.corners)

    def area(self):
        """In nm2."""
        return self.areas.sum()


def _faces(inside, voxel_nm):
    """(middles (n, 3) in nm from the first voxel's center, normals (n, 3), areas (n,) in nm2) of the faces in a padded mask."""
    smoothed = ndimage.gaussian_filter(
        inside.astype(np.float32), smoothing_sigmas(voxel_nm, NORMAL_VOXELS), mode="nearest"
    )
    middles, normals, areas = [], [], []
    for axis in range(3):
        first = np.moveaxis(inside, axis, 0)
        low = np.argwhere(np.moveaxis(first[1:] != first[:-1], 0, axis))
        others = [a for a in range(3) if a != axis]
        low = low[((low[:, others] > 0) & (low[:, others] < np.array(inside.shape)[others] - 1)).all(axis=1)]
        step = np.eye(3, dtype=int)[axis]
        slopes = np.stack([_slope(smoothed, low, step, along) / voxel_nm[along] for along in range(3)], axis=1)
        length = np.linalg.norm(slopes, axis=1, keepdims=True)
        normal = np.divide(slopes, length, out=np.tile(step.astype(float), (len(low), 1)), where=length > 0)
        middles.append((low + step / 2) * voxel_nm)
        normals.append(normal.astype(np.float32))
        areas.append(np.abs(normal[:, axis]) * np.prod(np.delete(voxel_nm, axis)))
    return tuple(np.concatenate(parts) for parts in (middles, normals, areas))


def _slope(values, low, step, along):
    """Slope along an axis, per voxel, at the faces between the voxels low and low + step: (n,)."""
    if step[along]:
        return (values[tuple((low + step).T)] - values[tuple(low.T)]).astype(float)
    slope, move = np.zeros(len(low)), np.eye(3, dtype=int)[along]
    last = np.array(values.shape) - 1
    for voxel in (low, low + step):
        slope += values[tuple(np.minimum(voxel + move, last).T)] - values[tuple(np.maximum(voxel - move, 0).T)]
    return slope / 4


def _corners(inside):
    """Points, in voxels from the first one's center, that touch voxels of the object and others: (m, 3)."""
    any_of, all_of = inside, inside
    for axis in range(3):
        low, high = (tuple(np.s_[:] if a != axis else part for a in range(3)) for part in (np.s_[:-1], np.s_[1:]))
        any_of, all_of = any_of[low] | any_of[high], all_of[low] & all_of[high]
    return np.argwhere(any_of & ~all_of) + 0.5
