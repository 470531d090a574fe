"""What the scripts of 3D pictures of objects share: meshes of records as a scene, its colors and its legend."""

import numpy as np
import pyvista as pv

from command_line import json_argument
from densecell import io, mesh_files, meshes, object_scenes, surfaces
from densecell.videos import ScenePage, scene_size
from figure_output import display_name

SINGLE_NAMES = 12  # objects that the legend names one by one


def add_object_arguments(arguments):
    """The arguments that say which objects to show and how."""
    arguments.input("image", "image of the volume (OME-Zarr), for its size")
    arguments.input("meshes", "GLB of each record of objects", several=True)
    arguments.input(
        "parents",
        "with chosen instances: parents.csv of each record whose container is shown",
        several=True,
        required=False,
    )
    arguments.parameter("records", "JSON list of name, class, within, in the same order", json_argument, required=True)
    arguments.parameter("title", "title of the pictures", required=True)
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter(
        "scene",
        "JSON record: color, class or object; instances, of the first record, or null; fenestrations",
        json_argument,
    )
    arguments.parameter("max_triangles", "triangles to which the surfaces are simplified", int, 1_000_000)


def rgb(color):
    """#rrggbb as (red, green, blue) uint8."""
    return np.array([int(color[i : i + 2], 16) for i in (1, 3, 5)], np.uint8)


def _chosen(args):
    """[{(instance, part): Mesh}] of each record: all, or the chosen objects of the first and what lies in them.

    A record comes after its container.
    """
    tables = iter(args.parents)
    names, kept, found = [record["name"] for record in args.records], {}, []
    for i, (record, path) in enumerate(zip(args.records, args.meshes, strict=True)):
        parts = {mesh_files.named_part(name): mesh for name, mesh in mesh_files.read_glb(path).items()}
        known = {n for n, _ in parts}
        if args.scene["instances"] is not None:
            known &= set(args.scene["instances"]) if i == 0 else known
            if record["within"] in names:
                parents = io.read_table(next(tables))
                known &= set(parents["instance"][parents["parent"].isin(kept.get(record["within"], set()))])
        kept[record["name"]] = known
        found.append({key: mesh for key, mesh in parts.items() if key[0] in known})
    return found


def _bounds(found):
    """Corners (x, y, z) in micrometers of the box around some meshes."""
    return (f([f(mesh.vertices, axis=0) for mesh in found], axis=0) for f in (np.min, np.max))


class Objects:
    """The objects that the arguments name: `meshes` {name: pyvista.PolyData}, `colors`, `opacities`, `legend`, `size_um` (z, y, x)."""

    def __init__(self, args):
        image, self.title = io.open_volume(args.image), display_name(args.title)
        self.meshes, self.colors, self.opacities, self.legend = {}, {}, {}, []
        found = _chosen(args)
        self.low, high = object_scenes.box_um(image.shape, image.voxel_size_nm, image.origin_nm)
        if args.scene["instances"] is not None and any(found):
            self.low, high = _bounds([mesh for parts in found for mesh in parts.values()])
        self.size_um = np.subtract(high, self.low)[::-1]
        n_triangles = sum(len(mesh.faces) for parts in found for mesh in parts.values())
        self.share = min(1.0, args.max_triangles / max(n_triangles, 1))
        opacities = object_scenes.opacities(args.records)
        for record, parts in zip(args.records, found):
            solid = {n: self._simplified(mesh) for (n, part), mesh in parts.items() if part == "surface"}
            color = args.colors[record["class"]]
            self._add_record(record, solid, color, opacities[record["name"]], args.scene["color"])
        if args.scene["fenestrations"]:
            hollow = [self._simplified(m) for parts in found for (_, part), m in parts.items() if part != "surface"]
            self._add(object_scenes.FENESTRATIONS, hollow, object_scenes.FENESTRATION_COLOR, 1.0)
            if hollow:
                self.legend.append((object_scenes.FENESTRATIONS, "", rgb(object_scenes.FENESTRATION_COLOR), 1.0))

    def _simplified(self, mesh):
        return meshes.simplified(meshes.smoothed(mesh), self.share * len(mesh.faces), exactly=True)

    def _add_record(self, record, solid, color, opacity, color_by):
        """The objects of a record, in one color or each in its own, and their entries in the legend."""
        name, shown = record["name"], min(1.0, opacity + 0.1 * (opacity < 1))
        if color_by == "class" or not solid:
            self._add(name, list(solid.values()), color, opacity)
            self.legend.append((display_name(name), "" if solid else " (none)", rgb(color), shown))
            return
        own = {n: object_scenes.object_color(n) for n in solid}
        for n, mesh in solid.items():
            self._add(f"{name} {n}", [mesh], own[n], opacity)
        if len(solid) <= SINGLE_NAMES:
            self.legend += [(f"{display_name(name)} {n}", "", rgb(own[n]), shown) for n in solid]
        else:
            text = f" ({len(solid)}, each in its color)"
            self.legend.append((display_name(name), text, np.array([255, 255, 255], np.uint8), shown))

    def _add(self, name, found, color, opacity):
        self.colors[name], self.opacities[name] = rgb(color), opacity
        if found:
            mesh = meshes.joined(found)
            points = (mesh.vertices - self.low) * [1, -1, -1]  # as in surfaces.py: two axes turned
            self.meshes[name] = pv.PolyData.from_regular_faces(points.astype(np.float32), mesh.faces)

    def scene(self, width, height):
        """(surfaces.Scene, its ScenePage) of these sizes in px; the scene is used in a with statement."""
        room = [name + remark for name, remark, *_ in self.legend]
        size = scene_size(width, height, room)
        scene = surfaces.Scene(self.meshes, self.colors, self.size_um, *size, self.opacities)
        return scene, ScenePage(width, height, self.title, self.legend, scene.um_per_px, room)
