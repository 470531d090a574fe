"""A small volume with two cells, a nucleus with a hole and what lies in it, as stores and tables, for the tests of 3D pictures."""

import json

import numpy as np

from densecell import io, objects

VOXEL_NM = (20, 10, 10)
SHAPE = (24, 60, 90)
RECORDS = [
    {"name": "cells", "class": "cell", "within": None},
    {"name": "nuclei", "class": "nucleus", "within": "cells"},
    {"name": "nucleoli", "class": "nucleolus", "within": "nuclei"},
]
COLORS = {"cell": "#006400", "nucleus": "#ffd400", "nucleolus": "#ff0000"}
SETTINGS = {"max_voxels": 100_000, "object_triangles": 3000, "max_triangles": 20_000, "fenestrations": "fill3d"}
SETTINGS |= {"smoothing_voxels": 1, "closing_radius": 3, "min_voxels": 20}
SCENE = {"color": "class", "instances": None, "fenestrations": True}


def ball(center, radius_nm):
    """(Z, Y, X) bool: voxels within a radius of a voxel (z, y, x)."""
    distances = [(n - c) * size for n, c, size in zip(np.indices(SHAPE), center, VOXEL_NM)]
    return sum(d.astype(float) ** 2 for d in distances) <= radius_nm**2


def volumes():
    """{name: (Z, Y, X) uint32} of the three records: cells 3 and 12, nuclei 5 in cell 3 and 6 in cell 12, nucleolus 4 in nucleus 5."""
    cells, nuclei, nucleoli = (np.zeros(SHAPE, np.uint32) for _ in RECORDS)
    cells[ball((12, 30, 25), 220)], cells[ball((12, 30, 70), 180)] = 3, 12
    nuclei[ball((12, 30, 25), 160) & ~ball((12, 30, 17), 60)], nuclei[ball((12, 30, 70), 80)] = 5, 6
    nucleoli[ball((12, 30, 30), 60)] = 4
    return {"cells": cells, "nuclei": nuclei, "nucleoli": nucleoli}


def write(folder):
    """Write image, stores, tables and parents below a folder; returns it."""
    io.write_volume(folder / "image.ome.zarr", np.full(SHAPE, 100, np.uint8), VOXEL_NM, record={})
    for name, array in volumes().items():
        io.write_volume(folder / f"{name}.ome.zarr", array, VOXEL_NM, record={})
        io.write_table(folder / f"{name}.csv", objects.count_objects(io.open_volume(folder / f"{name}.ome.zarr")), {})
    for name, pairs in {"nuclei": {5: 3, 6: 12}, "nucleoli": {4: 5}}.items():
        (folder / f"{name}_parents.csv").write_text(
            "instance,parent\n" + "".join(f"{a},{b}\n" for a, b in pairs.items())
        )
        io.write_table(folder / f"{name}_parents.csv", io.read_table(folder / f"{name}_parents.csv"), {})
    return folder


def export_arguments(folder, name, *suffixes, **settings):
    """Arguments of export_meshes for a record."""
    return [
        *("--labels", str(folder / f"{name}.ome.zarr"), "--objects", str(folder / f"{name}.csv")),
        *("--settings", json.dumps({**SETTINGS, **settings})),
        *("--meshes", *(str(folder / f"{name}{suffix}") for suffix in suffixes or (".glb",))),
        *("--table", str(folder / f"{name}_meshes.csv")),
    ]


def picture_arguments(folder, *names, scene=SCENE):
    """Arguments of render_objects and film_objects for some records."""
    records = [record for record in RECORDS if record["name"] in names]
    inner = [record["name"] for record in records if record["within"] in names]
    return [
        *("--image", str(folder / "image.ome.zarr"), "--meshes", *(str(folder / f"{name}.glb") for name in names)),
        *("--records", json.dumps(records), "--title", "sample_1, all", "--colors", json.dumps(COLORS)),
        *("--scene", json.dumps(scene)),
        *(
            ["--parents", *(str(folder / f"{name}_parents.csv") for name in inner)]
            if inner and scene["instances"]
            else []
        ),
    ]
