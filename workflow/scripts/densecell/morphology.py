"""Size and shape of one object (Machireddy et al. 2023, doi 10.3389/fbinf.2023.1308708, Methods; docs/method.md, Shape of objects).

Masks are (Z, Y, X) bool, sizes and positions (z, y, x) in nm. Shape is that of an object's largest piece with its closed cavities
filled, as the paper fills nucleoli first; volume and surface are those of all that the object is. All that needs a surface is
taken from one mesh: volumes of voxels and areas of a smoothed mesh together gave spheres that are rounder than a sphere.
"""

from typing import NamedTuple

import numpy as np
from scipy import ndimage
from scipy.spatial import ConvexHull, QhullError
from skimage.measure import marching_cubes

from densecell.fenestrations import FILLINGS, fenestrated_percent, fill_3d

MEASURES = {  # name: unit
    "voxels": "1",
    "volume_um3": "um3",
    "equivalent_diameter_um": "um",
    "n_pieces": "1",
    "largest_piece_fraction": "1",
    "volume_mesh_um3": "um3",
    "surface_area_um2": "um2",
    "solidity": "1",
    "sphericity": "1",
    "circular_variance": "1",
    "circular_variance_vertices": "1",
    **{f"fenestrated_percent_{way}": "%" for way in FILLINGS},
    "major_axis_um": "um",
    "middle_axis_um": "um",
    "minor_axis_um": "um",
    "elongation": "1",
    "flatness": "1",
    "orientation_z": "1",
    "orientation_y": "1",
    "orientation_x": "1",
    "angle_to_z_deg": "deg",
}  # of every object; those that lie in another have proximity.MEASURES too
SIZES = ("voxels", "volume_um3", "equivalent_diameter_um")  # known however small an object is
ROUND = 0.01  # below this elongation an object has no direction
CORNERS = np.ones((3, 3, 3), bool)
TRIANGLES_AT_ONCE = 2**18  # of a mesh, that are summed
PAD = 2  # a smoothed mask is below 0.5 one voxel outside its box
UM = 1e-3


# ------------------------------------------------------------------------------------------------------------ meshes
class Mesh(NamedTuple):
    """A closed surface: vertices (n, 3) in nm from the center of the mask's first voxel, triangles (m, 3) of their numbers."""

    vertices: np.ndarray
    triangles: np.ndarray

    def corners(self):
        """The three corners of each triangle, 3 x (n, 3), of TRIANGLES_AT_ONCE after another."""
        for first in range(0, len(self.triangles), TRIANGLES_AT_ONCE):
            yield self.vertices[self.triangles[first : first + TRIANGLES_AT_ONCE].T]

    def volume(self):
        """What it encloses, without its cavities, in nm3 (the divergence theorem)."""
        return abs(sum(np.einsum("ij,ij->", a, np.cross(b, c)) for a, b, c in self.corners())) / 6

    def area(self):
        """Of all its surfaces, those of cavities too, in nm2."""
        return sum(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() for a, b, c in self.corners()) / 2


def smoothing_sigmas(voxel_size_nm, smoothing_voxels):
    """Standard deviations (z, y, x) in voxels of a Gaussian that is round in nm.

    `smoothing_voxels` of the finest voxel side, or half of the coarsest if that is more: with voxels of 50 x 10 x 10 nm a
    Gaussian of 10 nm leaves the stairs between slices, which add 4 to 5 % to the area of a ball; 25 nm leaves less than 1 %.
    """
    sigma_nm = smoothing_voxels * max(min(voxel_size_nm), max(voxel_size_nm) / 2)
    return tuple(sigma_nm / size for size in voxel_size_nm)


def object_mesh(mask, voxel_size_nm, smoothing_voxels=1.0):
    """(`Mesh`, whether it is smoothed) of a mask: marching cubes at 0.5 of the smoothed mask (Lorensen and Cline 1987).

    What is thinner than some voxels vanishes when it is smoothed; where less than half of the volume is left, the mesh is that of
    the mask itself. Closed where the mask ends at its box. None for an empty mask.
    """
    if not mask.any():
        return None, False
    values = np.pad(mask, PAD).astype(np.float32)
    if smoothing_voxels:
        sigmas = smoothing_sigmas(voxel_size_nm, smoothing_voxels)
        smoothed = ndimage.gaussian_filter(values, sigmas, mode="constant")
        if smoothed.max() > 0.5:
            mesh = _marched(smoothed, voxel_size_nm)
            if mesh.volume() >= 0.5 * np.count_nonzero(mask) * np.prod(voxel_size_nm):
                return mesh, True
    return _marched(values, voxel_size_nm), False


def _marched(values, voxel_size_nm):
    vertices, triangles, _, _ = marching_cubes(values, 0.5, spacing=tuple(map(float, voxel_size_nm)))
    return Mesh(vertices.astype(np.float64) - PAD * np.array(voxel_size_nm, float), triangles)


def hull_volume(points):
    """Volume of the convex hull of (n, 3) points; NaN where they are too few or lie in a plane."""
    try:
        return ConvexHull(points).volume
    except (QhullError, ValueError):
        return np.nan


def sphericity(volume, area):
    """Area of the ball of this volume over the area: 1 for a ball, less for all else (Wadell 1935)."""
    return np.pi ** (1 / 3) * (6 * volume) ** (2 / 3) / area


# ------------------------------------------------------------------------------------------------------------ voxels
def surface_voxels(mask):
    """Voxels with a face that is not the object's: those that an erosion by the 6 neighbors takes."""
    return mask & ~ndimage.binary_erosion(mask)


def positions_nm(mask, voxel_size_nm):
    """Centers of the voxels of a mask, from that of its first: (n, 3)."""
    return np.argwhere(mask) * np.array(voxel_size_nm, float)


def circular_variance(points_nm, center_nm):
    """Variance of the distances from the center over the square of their mean: 0 for a sphere. NaN without points."""
    distances = np.linalg.norm(np.asarray(points_nm, float) - center_nm, axis=1)
    return distances.var() / distances.mean() ** 2 if len(distances) and distances.mean() > 0 else np.nan


def principal_axes(mask, voxel_size_nm):
    """(center (3,), lengths (3,) from long to short, directions (3, 3) as rows) of the ellipsoid of equal moments, (z, y, x) in nm.

    The center is that of the voxels, from the center of the first. Voxels count as boxes, so a single one has lengths too, and a
    box of edge a has sqrt(5/3) a.
    """
    voxel_nm, n = np.array(voxel_size_nm, float), np.count_nonzero(mask)
    over = [mask.sum(axis=axis, dtype=np.int64) for axis in range(3)]  # (Y, X), (Z, X), (Z, Y)
    profiles = [over[1].sum(1), over[0].sum(1), over[0].sum(0)]  # along z, y, x
    center = np.array([profile @ np.arange(len(profile)) for profile in profiles]) / n
    steps = [np.arange(len(profile)) - c for profile, c in zip(profiles, center)]
    moments = np.diag([profile @ step**2 / n + 1 / 12 for profile, step in zip(profiles, steps)])
    for axis, (i, j) in enumerate(((1, 2), (0, 2), (0, 1))):
        moments[i, j] = moments[j, i] = steps[i] @ over[axis] @ steps[j] / n
    values, vectors = np.linalg.eigh(moments * np.outer(voxel_nm, voxel_nm))
    return center * voxel_nm, 2 * np.sqrt(5 * values[::-1]), vectors.T[::-1]


def _axes_measures(lengths_nm, directions):
    """Lengths, elongation 1 - middle / major, flatness 1 - minor / middle, and where the major axis points; see MEASURES."""
    major, middle, minor = lengths_nm
    measures = dict(zip(("major_axis_um", "middle_axis_um", "minor_axis_um"), lengths_nm * UM))
    measures |= {"elongation": 1 - middle / major, "flatness": 1 - minor / middle}
    along = directions[0] if measures["elongation"] >= ROUND else np.full(3, np.nan)
    along = along * (
        -1.0 if next((c for c in along if abs(c) > 1e-9), 0) < 0 else 1.0
    )  # of the two signs: z, else y, else x > 0
    measures |= dict(zip(("orientation_z", "orientation_y", "orientation_x"), along))
    return measures | {"angle_to_z_deg": np.degrees(np.arccos(np.minimum(abs(along[0]), 1)))}


# ----------------------------------------------------------------------------------------------------------- objects
def largest_piece(mask):
    """(its mask in a box of its own, number of pieces, its share of the voxels); pieces touch by a corner at least."""
    pieces, n = ndimage.label(mask, structure=CORNERS)
    if n == 1:
        return mask, 1, 1.0
    sizes = np.bincount(pieces.ravel())[1:]
    largest = int(sizes.argmax())  # the first of equal ones
    box = ndimage.find_objects(pieces)[largest]
    return pieces[box] == largest + 1, n, sizes[largest] / sizes.sum()


def sizes_of(voxels, voxel_size_nm):
    """Number of voxels, their volume, and the diameter of the ball of that volume."""
    volume_um3 = voxels * float(np.prod(voxel_size_nm)) * UM**3
    return dict(zip(SIZES, (voxels, volume_um3, (6 * volume_um3 / np.pi) ** (1 / 3))))


def shape_of(mask, voxel_size_nm, smoothing_voxels=1.0, closing_nm=0.0):
    """({measure: value}, flags) of all MEASURES but SIZES of one object in a mask that is not empty.

    closing_nm: radius of the ball of fenestrated_percent_closing. Flags (of FLAGS): in_pieces; unsmoothed, the surface is that of the
    voxels, whose area is too large (8 % for a ball); flat_hull, no solidity.
    """
    body, n_pieces, share = largest_piece(mask)
    outer = fill_3d(body)
    mesh, is_smoothed = object_mesh(mask, voxel_size_nm, smoothing_voxels)
    outer_mesh = mesh
    if n_pieces > 1 or np.count_nonzero(outer) > np.count_nonzero(body):
        outer_mesh, outer_is_smoothed = object_mesh(outer, voxel_size_nm, smoothing_voxels)
        is_smoothed = is_smoothed and outer_is_smoothed
    volume, hull = outer_mesh.volume(), hull_volume(outer_mesh.vertices)
    center, lengths, directions = principal_axes(outer, voxel_size_nm)
    measures = {
        "n_pieces": n_pieces,
        "largest_piece_fraction": share,
        "volume_mesh_um3": mesh.volume() * UM**3,
        "surface_area_um2": mesh.area() * UM**2,
        "solidity": volume / hull,
        "sphericity": sphericity(volume, outer_mesh.area()),
        "circular_variance": circular_variance(positions_nm(surface_voxels(outer), voxel_size_nm), center),
        "circular_variance_vertices": circular_variance(outer_mesh.vertices, center),
        **_axes_measures(lengths, directions),
    }
    for way, filling in FILLINGS.items():
        measures[f"fenestrated_percent_{way}"] = fenestrated_percent(mask, filling(mask, closing_nm, voxel_size_nm))
    flags = {"in_pieces": n_pieces > 1, "unsmoothed": not is_smoothed, "flat_hull": np.isnan(hull)}
    return measures, {flag for flag, holds in flags.items() if holds}


def measure_object(read, row, voxel_size_nm, settings):
    """({measure: value} of all MEASURES, flags) of one object; what is not known is NaN.

    read: row -> `object_masks.ObjectMask`, called for objects of enough voxels only; row: of an object table; voxel_size_nm: of the volume;
    settings: smoothing_voxels, min_voxels, closing_radius (in voxels of the finest side). Flags, beside those of `shape_of`:
    touches_border, cut by the volume's faces, so no shape to compare with; orphan; few_voxels, no shape; reduced, shape in larger voxels.
    """
    flags = {name for name in ("touches_border", "orphan") if getattr(row, name)}
    measures = dict.fromkeys(MEASURES, np.nan) | sizes_of(int(row.voxels), voxel_size_nm)
    if row.voxels < settings["min_voxels"]:
        return measures, flags | {"few_voxels"}
    read_mask = read(row)
    if read_mask.is_reduced:
        flags.add("reduced")
    if read_mask.mask.any():
        closing_nm = settings["closing_radius"] * min(voxel_size_nm)
        shape, more = shape_of(read_mask.mask, read_mask.voxel_size_nm, settings["smoothing_voxels"], closing_nm)
        measures, flags = measures | shape, flags | more
    return measures, flags
