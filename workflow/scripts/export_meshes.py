"""Make closed surfaces of the objects of a volume, and of their holes, and write them as mesh files.

Vertices are x, y, z in micrometers in the volume's frame. The mesh of an object is the one that its shape is measured on; one with a box of
more than max_voxels is reduced to blocks first, and all are simplified. Each is closed, at the faces of the volume, too. The
table has a row for each part of an object: instance, part, triangles, n_vertices, volume_um3, measured_triangles and
measured_volume_um3 (before it was simplified), is_closed, block_z, block_y, block_x (voxels that were one).
"""

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io, mesh_files, meshes
from densecell.object_blocks import object_blocks
from densecell.object_surfaces import object_surfaces
from progress import Progress

COLUMNS = ["instance", "part", "triangles", "n_vertices", "volume_um3", "measured_triangles", "measured_volume_um3"]
COLUMNS += ["is_closed", "block_z", "block_y", "block_x"]


def all_surfaces(volume, table, settings):
    """{(instance, part): (Mesh of at most settings["object_triangles"], its triangles and volume before, factors)}.

    Where those held together are more than 4 * settings["max_triangles"], half of that is kept: memory doesn't grow with
    the number of objects.
    """
    progress, found, held, most = Progress(len(table), "objects"), {}, 0, 4 * settings["max_triangles"]
    for blocks in object_blocks(volume, table, settings["max_voxels"]):
        parts = object_surfaces(blocks, volume.voxel_size_nm, volume.origin_nm, settings)
        for part, mesh in parts.items():
            fewer = meshes.simplified(mesh, settings["object_triangles"])
            found[blocks.instance, part] = (fewer, len(mesh.faces), meshes.volume_um3(mesh), blocks.factors)
            held += len(fewer.faces)
        if held > most:
            found = simplified_together(found, 2 * settings["max_triangles"], settings["object_triangles"])
            held = sum(len(mesh.faces) for mesh, *_ in found.values())
            most = max(most, 2 * held)  # where volumes allow no fewer
        progress.step()
    return dict(sorted(found.items(), key=lambda item: (item[0][0], item[0][1] != "surface")))


def simplified_together(found, max_triangles, object_triangles):
    """The same with at most about `max_triangles` of all objects together, and volumes within 2 % of the measured ones.

    Each keeps the same share of what it had with at most object_triangles, however often it was simplified since.
    """
    if sum(len(mesh.faces) for mesh, *_ in found.values()) <= max_triangles:
        return found
    limits = meshes.shared_out([min(n, object_triangles) for _, n, *_ in found.values()], max_triangles)
    return {
        key: (meshes.simplified(mesh, limit, volume=volume), n, volume, factors)
        for (key, (mesh, n, volume, factors)), limit in zip(found.items(), limits)
    }


def mesh_table(found):
    """COLUMNS of all parts."""
    rows = []
    for (instance, part), (mesh, n, volume, factors) in found.items():
        sizes = (len(mesh.faces), len(mesh.vertices), meshes.volume_um3(mesh), n, volume)
        rows.append((instance, part, *sizes, int(meshes.is_closed(mesh)), *factors))
    return pd.DataFrame(rows, columns=COLUMNS)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "numbers of the objects (OME-Zarr)")
    arguments.input("objects", "their table (csv)")
    arguments.parameter(
        "settings",
        "JSON record: object_triangles, max_triangles, max_voxels, and what object_surfaces.py says",
        json_argument,
        required=True,
    )
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("meshes", "mesh files: .glb, .ply, .stl, .obj", several=True)
    arguments.output("table", "table of the meshes (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    volume = io.open_volume(args.labels)
    found = all_surfaces(volume, io.read_table(args.objects), args.settings)
    found = simplified_together(found, args.settings["max_triangles"], args.settings["object_triangles"])
    parts = {mesh_files.part_name(*key): mesh for key, (mesh, *_) in found.items()}
    if not parts:
        print("no objects: the mesh files are empty")
    for path in args.meshes:
        mesh_files.write_meshes(path, parts, args.record)
    io.write_table(args.table, mesh_table(found), args.record)


if __name__ == "__main__":
    run(main)
