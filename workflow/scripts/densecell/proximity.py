"""How near the membrane of its container an object lies: nucleoli in nuclei (Machireddy et al. 2023, Methods and Fig. 1F).

proximity = d_cc / (d_cc + d_s), with d_cc from the center of the container to that of the object and d_s from the object's center to
the nearest point of the container's surface: 0 in the middle, 1 at the membrane. The text says "surface of the object"; the
figure draws the container's. Positions and sizes are (z, y, x) in nm, with the volume's origin.
"""

import numpy as np
from scipy import ndimage
from scipy.spatial import cKDTree

from densecell.fenestrations import fill_3d
from densecell.morphology import UM, surface_voxels

MEASURES = {"proximity": "1", "center_distance_um": "um", "membrane_distance_um": "um"}  # name: unit


class Membrane:
    """The surface of a container, its closed cavities filled. container: `object_masks.ObjectMask` that is not empty.

    It lies at the centers of the voxels just outside, as in a distance transform of voxels: half a voxel outward. Where the volume cuts
    the container there is no membrane.
    """

    def __init__(self, container):
        pads = [[0 if cut else 1 for cut in sides] for sides in container.at_border]
        self.voxel_nm = np.array(container.voxel_size_nm, float)
        self.first_nm = np.asarray(container.first_nm, float) - [p[0] for p in pads] * self.voxel_nm
        self.mask = np.pad(fill_3d(container.mask), pads)
        shell = ndimage.binary_dilation(self.mask) & ~self.mask
        self._outside = cKDTree(np.argwhere(shell) * self.voxel_nm) if shell.any() else None
        self._inside = cKDTree(np.argwhere(surface_voxels(self.mask)) * self.voxel_nm)

    def _holds(self, voxels):
        """Whether each of (n, 3) voxels is of the container."""
        within = ((voxels >= 0) & (voxels < self.mask.shape)).all(axis=1)
        found = np.zeros(len(voxels), bool)
        found[within] = self.mask[tuple(voxels[within].T)]
        return found

    def distance_nm(self, position_nm):
        """(distance of a position to the membrane, whether the position is outside the container).

        Inside: the distances of the eight voxel centers around it to the nearest voxel outside, interpolated linearly. Outside: the
        distance to the nearest voxel of the container. NaN where the container fills the whole volume.
        """
        at = (np.asarray(position_nm, float) - self.first_nm) / self.voxel_nm
        if not self._holds(np.rint(at)[None].astype(int))[0]:
            return float(self._inside.query(at * self.voxel_nm)[0]), True
        if self._outside is None:
            return np.nan, False
        # where the volume cuts a reduced container, a position may lie between the face and the first voxel's center
        at = np.clip(at, 0, np.array(self.mask.shape) - 1)
        low = np.floor(at).astype(int)
        corners = np.array(list(np.ndindex(2, 2, 2)))
        weights = np.where(corners, at - low, 1 - (at - low)).prod(axis=1)
        voxels = (low + corners)[weights > 1e-12]
        distances = np.where(self._holds(voxels), self._outside.query(voxels * self.voxel_nm)[0], 0)
        return float(distances @ weights[weights > 1e-12]), False


def proximity(center_distance, membrane_distance):
    """d_cc / (d_cc + d_s); NaN where both are 0."""
    total = center_distance + membrane_distance
    return center_distance / total if total > 0 else np.nan


def measure_proximity(membrane, container_center_nm, center_nm):
    """({measure: value} of MEASURES, flags) of an object with its center at center_nm.

    Flag outside_container: its center is not in the container, whose membrane is as far as membrane_distance_um says, on the other side.
    """
    center_distance = float(np.linalg.norm(np.asarray(center_nm, float) - container_center_nm))
    membrane_distance, is_outside = membrane.distance_nm(center_nm)
    values = (proximity(center_distance, membrane_distance), center_distance * UM, membrane_distance * UM)
    return dict(zip(MEASURES, values)), {"outside_container"} if is_outside else set()
