"""Which objects lie near each other, how far apart their surfaces are, and how much of them touches.

Objects are unions of voxels, taken as boxes: two that share a face, an edge or a corner are 0 apart. Positions and sizes are
(z, y, x) in nm. KD-trees of the surfaces' points were chosen, since most objects are compared with a few others only.
"""

from collections import OrderedDict
from functools import cached_property
from threading import Lock

import numpy as np
from scipy.spatial import cKDTree

from densecell.morphology import UM
from densecell.objects import BOX
from densecell.voxel_surfaces import Surface

MEASURES = {  # name: unit
    "nearest_center_distance_um": "um",
    "nearest_gap_um": "um",
    "n_contacts": "1",
    "contact_area_um2": "um2",
    "contact_fraction": "1",
}
HELD_BYTES = 2**27  # of the surfaces of a record that are kept, so that neighbors needn't be read again
IN_FRONT = 0.5  # least cosine between the way to another surface and the direction of the surface
STRIDES = (
    1024,
    32,
    1,
)  # a few points bound the distance of all: trees prune little as long as every point may be the nearest
NEARLY_NM = 1e-3  # for rounding; KD-trees look for what is nearer than a limit, not as near


class Surfaces:
    """The surfaces of a table's objects, read when they are asked for; those used last stay, up to HELD_BYTES.

    read: row -> `object_masks.ObjectMask`; table: of the objects (docs/outputs.md). Threads may share it.
    """

    def __init__(self, read, table):
        self.read, self.rows = read, list(table.itertuples())
        self.instances = table["instance"].to_numpy(np.int64)
        self.boxes = table[[*BOX]].to_numpy(float).reshape(-1, 3, 2)
        self.centers = table[["z_nm", "y_nm", "x_nm"]].to_numpy(float)
        self._held, self._bytes, self._lock = OrderedDict(), 0, Lock()

    @cached_property
    def center_tree(self):
        return cKDTree(self.centers)

    def __getitem__(self, place):
        with self._lock:
            if place in self._held:
                self._held.move_to_end(place)
                return self._held[place]
        surface = Surface(self.read(self.rows[place]))
        with self._lock:
            if place not in self._held:
                self._held[place] = surface
                self._bytes += surface.n_bytes
            while self._bytes > HELD_BYTES and len(self._held) > 1:
                self._bytes -= self._held.popitem(last=False)[1].n_bytes
        return surface


def box_gaps(box, boxes, voxel_size_nm):
    """Distances (n,) in nm between a box (3, 2) and others (n, 3, 2), in voxels: what lies in them is no nearer."""
    gaps = np.maximum(np.maximum(boxes[:, :, 0] - box[:, 1], box[:, 0] - boxes[:, :, 1]), 0)
    return np.linalg.norm(gaps * np.array(voxel_size_nm, float), axis=1)


def _near(points, other, limit):
    """Which of (n, 3) points are at most `limit` nm from the box of another surface: (n,) bool."""
    away = np.maximum(np.maximum(other.low - points, points - other.high), 0)
    return (away**2).sum(axis=1) <= (limit + NEARLY_NM) ** 2


def gap_nm(one, other, limit=np.inf):
    """Shortest distance between two surfaces, or infinity where that is more than `limit`."""
    if len(one.corners) > len(other.corners):
        one, other = other, one
    if not len(one.corners):
        return np.inf
    best = np.inf
    for stride in STRIDES:
        points = one.corners[::stride]
        points = points[_near(points, other, min(best, limit))]
        if len(points):
            found = other.corner_tree.query(points, distance_upper_bound=min(best, limit) + NEARLY_NM)[0].min()
            best = min(best, float(found))
    return best if best > NEARLY_NM else 0.0


def contact_area_nm2(one, other, contact_nm):
    """Area of the faces of one surface that have another one in front of or behind them, at most contact_nm away.

    Taken between the middles of faces; the way to the nearest one may be IN_FRONT oblique, so that sides of an object near the rim of
    a contact don't count. The far side of a thin object, which looks at the other one through itself, doesn't either.
    """
    limit = contact_nm + one.slack_nm + other.slack_nm
    near = _near(one.faces, other, limit)
    if not near.any() or not len(other.faces):
        return 0.0
    distances, nearest = other.face_tree.query(one.faces[near], distance_upper_bound=limit + NEARLY_NM)
    found = np.isfinite(distances)
    near, distances, nearest = np.flatnonzero(near)[found], distances[found], nearest[found]
    along = np.abs(((other.faces[nearest] - one.faces[near]) * one.normals[near]).sum(axis=1))
    back, own = one.face_tree.query(other.faces[nearest])
    same_side = (one.normals[near] * one.normals[own]).sum(axis=1) > 0  # else the object itself lies between
    kept = (along >= IN_FRONT * distances - NEARLY_NM) & (same_side | (distances <= back + NEARLY_NM))
    return float(one.areas[near][kept].sum())


def compare_with(surfaces, place, others, voxel_size_nm, contact_nm):
    """(gap in nm, place of the nearest), [(place, contact area in nm2, its share of the object's surface, whether one is reduced)].

    Of one object among others; an infinite gap if there are none. surfaces, others: `Surfaces`, the same for objects of
    one record; place: of the object. Others are looked at in the order of the distances of their boxes, until none can be
    nearer; of equal gaps the first of these counts. The object's surface is looked up once: two large ones would push each
    other out.
    """
    gaps = box_gaps(surfaces.boxes[place], others.boxes, voxel_size_nm)
    best, nearest, contacts = np.inf, None, []
    candidates = [c for c in np.lexsort((others.instances, gaps)) if others is not surfaces or c != place]
    one = surfaces[place] if candidates else None
    for candidate in candidates:
        other = others[candidate]
        limit = max(best, contact_nm + one.slack_nm + other.slack_nm)
        if gaps[candidate] > limit:
            break
        gap = gap_nm(one, other, limit)
        if gap < best:
            best, nearest = gap, candidate
        if gap <= contact_nm + one.slack_nm + other.slack_nm:
            area = contact_area_nm2(one, other, contact_nm)
            is_reduced = one.is_reduced or other.is_reduced
            contacts += [(candidate, area, area / one.area(), is_reduced)] if area > 0 else []
    return (best, nearest), contacts


def nearest_center(surfaces, place, others):
    """(distance in nm, place) of the other object whose center is nearest; (infinity, None) if there are none."""
    n = min(2 if others is surfaces else 1, len(others.rows))
    if not n:
        return np.inf, None
    distances, places = (np.atleast_1d(a) for a in others.center_tree.query(surfaces.centers[place], n))
    kept = [(float(d), int(p)) for d, p in zip(distances, places) if others is not surfaces or p != place]
    return kept[0] if kept else (np.inf, None)


def measure_neighbors(surfaces, place, others, volume, contact_nm):
    """[(number of the neighbor or 0 for all, measure, value, flags)] of one object and the objects of one record.

    volume: has shape, voxel_size_nm and origin_nm. Measures: MEASURES; nearest ones only where there are others, areas
    only of those in contact. Flags: touches_border; border_nearer, an unseen object outside the volume, or the center of
    one, could be nearer than this one; reduced.
    """
    row, voxel_nm, shape = surfaces.rows[place], np.array(volume.voxel_size_nm, float), np.array(volume.shape)
    box = surfaces.boxes[place]
    center = (surfaces.centers[place] - volume.origin_nm) / voxel_nm + 0.5  # in voxels from the volume's corner
    borders = [(np.minimum(low, shape - high) * voxel_nm).min() for low, high in ((center, center), box.T)]
    flags = {"touches_border"} if row.touches_border else set()
    away, of_center = nearest_center(surfaces, place, others)
    (gap, of_gap), contacts = compare_with(surfaces, place, others, voxel_nm, contact_nm)
    rows = []
    for name, value, found, border_nm in zip(MEASURES, (away, gap), (of_center, of_gap), borders):
        if found is not None:
            beyond = {"border_nearer"} if value > border_nm else set()
            rows.append((others.instances[found], name, value * UM, flags | beyond))
    rows.append((0, "n_contacts", len(contacts), flags))
    for found, area, share, is_reduced in contacts:
        of_pair = flags | ({"reduced"} if is_reduced else set())
        rows.append((others.instances[found], "contact_area_um2", area * UM**2, of_pair))
        rows.append((others.instances[found], "contact_fraction", share, of_pair))
    return rows
