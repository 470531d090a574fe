"""Mesh files: one GLB, PLY, STL or OBJ with all objects of a record, and the GLB read back.

Vertices are (x, y, z) in micrometers. A GLB holds a mesh for each part, named `<instance>` or `<instance>_fenestrations`, and
says units and axes in `asset.extras`; PLY holds the number of the object of each face; OBJ a group for each part; STL
triangles alone. These say the unit in their headers. No file holds colors. trimesh was chosen since it writes all four,
and equal bytes for equal meshes.
"""

import json
import struct
from pathlib import Path

import numpy as np
import trimesh
from trimesh.exchange.gltf import export_glb

from densecell import files
from densecell.meshes import Mesh, joined

UNITS = {"unit": "micrometer", "axes": ["x", "y", "z"]}
WORDS = b"unit micrometer, axes x y z"  # where a format has comments only


def part_name(instance, part):
    """What a part of an object is called in the files."""
    return str(instance) if part == "surface" else f"{instance}_{part}"


def named_part(name):
    """(instance, part) of a name in a file."""
    instance, _, part = name.partition("_")
    return int(instance), part or "surface"


def _order(part):
    return part[0], part[1] != "surface"


def _trimesh(mesh):
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


def _glb(parts):
    scene = trimesh.Scene()
    for name, mesh in parts.items():
        scene.add_geometry(_trimesh(mesh), node_name=name, geom_name=name)

    def add_units(tree):
        tree["asset"]["extras"] = UNITS

    return export_glb(scene, include_normals=False, tree_postprocessor=add_units)


def _ply(parts):
    whole = _trimesh(joined(list(parts.values())))
    numbers = [np.full(len(mesh.faces), named_part(name)[0], np.int32) for name, mesh in parts.items()]
    whole.face_attributes["instance"] = np.concatenate(numbers)
    written = whole.export(file_type="ply", vertex_normal=False)
    return written.replace(b"comment https://github.com/mikedh/trimesh", b"comment " + WORDS, 1)


def _stl(parts):
    return WORDS.ljust(80) + _trimesh(joined(list(parts.values()))).export(file_type="stl")[80:]


def _obj(parts):
    lines, first = ["# vertices x, y, z in micrometers"], 1
    for name, mesh in parts.items():
        lines += [f"o {name}", *(f"v {x:.7g} {y:.7g} {z:.7g}" for x, y, z in mesh.vertices)]
        lines += [f"f {a} {b} {c}" for a, b, c in mesh.faces + first]
        first += len(mesh.vertices)
    return ("\n".join(lines) + "\n").encode()


WRITERS = {".glb": _glb, ".ply": _ply, ".stl": _stl, ".obj": _obj}


def write_meshes(path, parts, record=None):
    """Write {name: Mesh} as the format of the path's suffix. Raises ValueError for an unknown one."""
    suffix = Path(path).suffix
    if suffix not in WRITERS:
        raise ValueError(f"{path}: expected a mesh file that ends in one of {', '.join(WRITERS)}.")
    with files.writing(path, record) as partial:
        partial.write_bytes(WRITERS[suffix](parts) if parts else _empty(suffix))


def _empty(suffix):
    """A file without a mesh, for a volume in which the objects are absent: rules need their outputs."""
    if suffix == ".glb":
        text = json.dumps({"asset": {"version": "2.0", "extras": UNITS}}).encode()
        text += b" " * (-len(text) % 4)
        return struct.pack("<4sIII4s", b"glTF", 2, 20 + len(text), len(text), b"JSON") + text
    if suffix == ".ply":
        header = f"ply\nformat ascii 1.0\ncomment {WORDS.decode()}\nelement vertex 0\n"
        header += "property float x\nproperty float y\nproperty float z\n"
        return (header + "element face 0\nproperty list uchar int vertex_indices\nend_header\n").encode()
    return WORDS.ljust(80) + bytes(4) if suffix == ".stl" else b"# no objects\n"


def read_glb(path):
    """{name: Mesh} of a GLB that `write_meshes` wrote, by number of the object. Raises ValueError for a damaged one."""
    files.check_content(path)
    if "meshes" not in _glb_tree(path):
        return {}
    try:
        scene = trimesh.load_scene(path, file_type="glb", process=False)
    except Exception as error:
        raise ValueError(f"{path}: unreadable GLB ({error}).") from error
    return {
        name: Mesh(np.array(found.vertices, np.float64), np.array(found.faces, np.int64))
        for name, found in sorted(scene.geometry.items(), key=lambda item: _order(named_part(item[0])))
    }


def _glb_tree(path):
    """The JSON part of a GLB."""
    with open(path, "rb") as handle:
        magic, _, _, length, _ = struct.unpack("<4sIII4s", handle.read(20))
        if magic != b"glTF":
            raise ValueError(f"{path}: expected a GLB file.")
        return json.loads(handle.read(length))
