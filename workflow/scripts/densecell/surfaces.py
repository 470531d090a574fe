"""Surfaces of labelled objects in 3D: label volumes -> closed meshes in micrometers -> pictures.

Arrays are (Z, Y, X), sizes (z, y, x). A scene's coordinates are X = x, Y = -y, Z = -z in micrometers from the outer
corner of voxel 0: seen from above, slices lie as they are shown in 2D, with slice 0 on top, and nothing is mirrored.
The projection is parallel, so that a scale bar holds everywhere. pyvista (VTK) was chosen because it meshes, smooths
and renders without a screen.
"""

import numpy as np
import pyvista as pv
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from densecell.binning import bin_labels, binned_shape, binned_voxel_size_nm, count_classes
from densecell.reduction import reduction_factors

SLAB_BYTES = 2**28
SMOOTHING = {"n_iter": 30, "pass_band": 0.03}  # windowed sinc (Taubin et al. 1996)
LARGEST_CHANGE = 0.1  # of a piece's volume by smoothing, else it stays unsmoothed
AZIMUTH, ELEVATION = 30.0, 35.0  # degrees: the camera right of the front (the last row) and above slice 0
MARGIN = 1.08  # what the camera sees over what the turning box needs; leaves room for the axis names
CELL = "cell surface"  # no class has a name with a space
CELL_OPACITY = 0.13
LIGHTS = (((0, 0, 1), 0.9), ((-0.5, 1, 0.6), 0.5))  # direction from the camera's point of view, intensity
PEELS = 8  # layers of translucent surfaces that are sorted in each pixel
MARK_PX = 14  # distance of the axis names from the box
SUPERSAMPLING = 2  # pixels are means of 2 x 2: smoother edges at a third of the time of VTK's own
SURFACE_LOOK = {"ambient": 0.28, "diffuse": 0.85, "specular": 0.4, "specular_power": 12, "smooth_shading": True}
OUTLINE_COLOR, BACKGROUND = "#808080", "white"


# ------------------------------------------------------------------------------------------------------------ voxels
def read_reduced(volume, n_classes, max_voxels):
    """A label volume as an array of at most `max_voxels`, read slab by slab, and what it is then.

    volume: has shape, voxel_size_nm and slab_depth and gives slices by volume[start:stop]. Reduced blocks take their
    majority class (ties: the rarer class). Returns (labels (Z', Y', X') uint8, voxel_size_nm (z, y, x), factors).
    Raises ValueError for a label that is neither a class nor 255.
    """
    factors = reduction_factors(volume.shape, volume.voxel_size_nm, max_voxels)
    depth_that_fits = SLAB_BYTES // (volume.shape[1] * volume.shape[2] * factors[0])
    depth = factors[0] * max(1, min(depth_that_fits, -(-volume.slab_depth // factors[0])))
    ranges = [(z, min(z + depth, volume.shape[0])) for z in range(0, volume.shape[0], depth)]
    counts = np.zeros(n_classes, np.int64)
    if factors != (1, 1, 1):
        for start, stop in ranges:
            counts += count_classes(volume[start:stop], n_classes)
    labels = np.empty(binned_shape(volume.shape, factors), np.uint8)
    for start, stop in ranges:
        slab = bin_labels(volume[start:stop], factors, counts)
        labels[start // factors[0] : start // factors[0] + len(slab)] = slab
    return labels, binned_voxel_size_nm(volume.voxel_size_nm, factors), factors


# ------------------------------------------------------------------------------------------------------------ meshes
def surface(mask, voxel_size_nm):
    """Closed, smoothed surface of a boolean volume (Z, Y, X), or None if it is empty.

    Marching cubes at the borders of the voxels, closed where objects are cut by the volume's faces; then windowed-sinc
    smoothing, which keeps the volume of all but objects of a few voxels: these stay as they are, lest they vanish.
    Returns pyvista.PolyData in the scene's coordinates (micrometers).
    """
    occupied = [np.flatnonzero(mask.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1))]
    if not len(occupied[0]):
        return None
    start = [int(places[0]) for places in occupied]
    box = tuple(slice(places[0], places[-1] + 1) for places in occupied)
    padded = np.pad(mask[box], 1).astype(np.uint8)
    spacing_um = np.array(voxel_size_nm)[::-1] * 1e-3
    first_center_um = (np.array(start)[::-1] - 0.5) * spacing_um  # the padding's first voxel, from the outer corner
    grid = pv.ImageData(dimensions=padded.shape[::-1], spacing=spacing_um, origin=first_center_um)
    grid.point_data["inside"] = padded.ravel()
    mesh = grid.contour([0.5], scalars="inside", method="flying_edges")
    mesh.clear_data()
    smoothed = mesh.smooth_taubin(**SMOOTHING, normalize_coordinates=True)
    mesh.points = _unless_it_shrinks(mesh, smoothed) * np.array([1, -1, -1])  # two axes turned: still right-handed
    return mesh


def _unless_it_shrinks(mesh, smoothed):
    """Points (n, 3) of the smoothed mesh, but of the original one in pieces that would lose their volume."""
    triangles = mesh.regular_faces
    pairs = np.concatenate([triangles[:, :2], triangles[:, 1:]])
    links = coo_array((np.ones(len(pairs), bool), pairs.T), shape=(mesh.n_points,) * 2)
    n_pieces, piece = connected_components(links, directed=False)
    volumes = []
    for points in (mesh.points, smoothed.points):
        a, b, c = (points[triangles[:, i]].astype(np.float64) for i in range(3))
        signed = np.einsum("ij,ij->i", a, np.cross(b, c)) / 6
        volumes.append(np.bincount(piece[triangles[:, 0]], signed, n_pieces))
    keeps = np.abs(volumes[1] - volumes[0]) <= LARGEST_CHANGE * np.abs(volumes[0])
    return np.where(keeps[piece][:, None], smoothed.points, mesh.points)


def simplified(mesh, max_triangles):
    """The mesh with at most about `max_triangles` triangles (quadric decimation that keeps the volume)."""
    if mesh is None or mesh.n_cells <= max_triangles:
        return mesh
    return mesh.decimate(1 - max_triangles / mesh.n_cells, volume_preservation=True)


def class_surfaces(labels, voxel_size_nm, classes, max_triangles=None):
    """{class name: surface or None} of each organelle class, after CELL, the union of all that is not background.

    labels: (Z, Y, X) uint8, 255 counts as background; classes: densecell.classes.Classes. max_triangles: of all
    together, shared out by size; None: no limit.
    """
    tissue = np.append(classes.group_ids, np.zeros(256 - len(classes), np.uint8)) > 0
    meshes = {CELL: surface(tissue[labels], voxel_size_nm)}
    for number in classes.organelles:
        meshes[classes.names[number]] = surface(labels == number, voxel_size_nm)
    total = sum(mesh.n_cells for mesh in meshes.values() if mesh is not None)
    if max_triangles and total > max_triangles:
        meshes = {n: m and simplified(m, m.n_cells * max_triangles / total) for n, m in meshes.items()}
    return meshes


# ------------------------------------------------------------------------------------------------------------- scene
def _camera_axes(azimuth):
    """The picture's right and up, and the direction toward the camera, in the scene's coordinates: (3, 3)."""
    turn, tilt = np.radians((azimuth, ELEVATION))
    toward = np.array([np.sin(turn) * np.cos(tilt), -np.cos(turn) * np.cos(tilt), np.sin(tilt)])
    right = np.array([np.cos(turn), np.sin(turn), 0])
    return np.stack([right, np.cross(toward, right), toward])


class Scene:
    """Meshes in the outlined box of their region, seen by a camera that depends on the box and the picture's size only.

    meshes: {name: surface or None} from `class_surfaces`; colors: {name: (red, green, blue) uint8}; size_um: of the
    box (z, y, x); width, height: of the pictures in px; opacities: {name: 0..1}, 1 where not given, by which translucent
    surfaces are drawn from back to front. `um_per_px` holds everywhere in the picture. Use it in a with statement.
    """

    def __init__(self, meshes, colors, size_um, width, height, opacities=None):
        z, y, x = size_um
        radius, tilt = np.hypot(x, y) / 2, np.radians(ELEVATION)
        half_height = radius * np.sin(tilt) + z / 2 * np.cos(tilt)
        self.um_per_px = MARGIN * max(2 * radius / width, 2 * half_height / height)
        self.size_px = (width, height)
        self.center, self.distance = np.array([x, -y, -z]) / 2, 10 * np.linalg.norm(size_um)
        window = (width * SUPERSAMPLING, height * SUPERSAMPLING)
        self.plotter = pv.Plotter(off_screen=True, window_size=window, lighting=None)
        for direction, intensity in LIGHTS:
            light = pv.Light(light_type="camera light", intensity=intensity)
            light.position = direction
            self.plotter.add_light(light)
        self.plotter.set_background(BACKGROUND)
        self.plotter.add_mesh(pv.Box((0, x, -y, 0, -z, 0)).extract_all_edges(), color=OUTLINE_COLOR, line_width=3)
        self.actors = {}
        for name, mesh in meshes.items():
            if mesh is not None:
                opacity = CELL_OPACITY if name == CELL else (opacities or {}).get(name, 1.0)
                color = np.asarray(colors[name]) / 255
                self.actors[name] = self.plotter.add_mesh(mesh, color=color, opacity=opacity, **SURFACE_LOOK)
        if opacities:
            self.plotter.enable_depth_peeling(PEELS)
        self.plotter.disable_anti_aliasing()
        self.plotter.enable_parallel_projection()
        self.plotter.camera_set = True  # else the first picture would fit the camera to the meshes

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.plotter.close()

    def axis_places(self, azimuth=AZIMUTH):
        """(3, 2) where to write x, y and z: outside the box beside an edge along the axis, px from the upper left."""
        right, up, _ = _camera_axes(azimuth)
        places = []
        for axis in range(3):
            signs = np.insert(np.array(list(np.ndindex(2, 2))) * 2 - 1, axis, 0, axis=1)  # (4 edges, 3)
            offsets = signs * np.abs(self.center) @ np.stack([right, -up], 1) / self.um_per_px  # (4, 2) px
            lengths = np.hypot(*offsets.T)
            outermost = np.argmax(lengths + 0.01 * offsets.sum(1))  # of equal ones the lower right
            places.append(offsets[outermost] * (1 + MARK_PX / lengths[outermost]))
        return np.array(places) + np.array(self.size_px) / 2

    def picture(self, shown, azimuth=AZIMUTH):
        """(height, width, 3) uint8 of the meshes named in `shown`, from `azimuth` degrees around the stack's z axis."""
        for name, actor in self.actors.items():
            actor.SetVisibility(name in shown)
        camera = self.plotter.camera
        camera.position, camera.focal_point = self.center + self.distance * _camera_axes(azimuth)[2], self.center
        camera.up, camera.parallel_scale = (0, 0, 1), self.um_per_px * self.size_px[1] / 2
        self.plotter.reset_camera_clipping_range()
        self.plotter.render_window.Render()
        fine = np.asarray(self.plotter.screenshot(return_img=True), np.uint16)
        blocks = [fine[dy::SUPERSAMPLING, dx::SUPERSAMPLING] for dy, dx in np.ndindex(SUPERSAMPLING, SUPERSAMPLING)]
        return (sum(blocks) // len(blocks)).astype(np.uint8)
