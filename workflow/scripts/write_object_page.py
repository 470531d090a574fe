"""Write one HTML page with the objects of a volume as surfaces that turn with the mouse; classes and single objects are switched by click.

The page needs no network and no other file. Surfaces are those of the mesh files, rounded for looks and simplified until the page has
at most --page-mb megabytes.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import files, io, mesh_files, meshes, object_page
from densecell.object_page import Group, Shown
from densecell.object_scenes import FENESTRATION_COLOR, FENESTRATIONS, box_um, for_pictures, object_color, opacities
from densecell.rendering import scale_bar_length_um
from figure_output import display_name


def shown_of(record, parts, table):
    """[Shown] of the meshes of a record of objects."""
    volumes = dict(zip(table["instance"], table["volume_um3"]))
    orphans = set(table["instance"][table["orphan"] == 1])
    found = []
    for name, mesh in parts.items():
        instance, part = mesh_files.named_part(name)
        volume = volumes[instance] if part == "surface" else meshes.volume_um3(mesh)
        text = f"{instance} (orphan)" if instance in orphans else str(instance)
        color = object_color(instance) if part == "surface" else FENESTRATION_COLOR
        found.append(Shown(record["name"], text, instance, part, mesh, volume, color))
    return found


def groups_of(records, shown, colors):
    """{key: Group} of the switches: each record, and after it its fenestrations, where there are some."""
    opacity, groups = opacities(records), {}
    hollow = {one.group for one in shown if one.part != "surface"}
    for record in records:
        name = display_name(record["name"])
        groups[record["name"]] = Group(name, colors[record["class"]], opacity[record["name"]])
        if record["name"] in hollow:
            groups[f"{record['name']} {FENESTRATIONS}"] = Group(f"{name}: {FENESTRATIONS}", FENESTRATION_COLOR, 1.0)
    return groups


def fitted(shown, max_triangles):
    """The same objects with at most about `max_triangles` together, small ones joined where there are very many."""
    shown = object_page.together(shown)
    limits = meshes.shared_out([len(one.mesh.faces) for one in shown], max_triangles)
    limits = np.minimum(limits, object_page.LARGEST_TRACE)
    return [one._replace(mesh=meshes.simplified(one.mesh, limit, exactly=True)) for one, limit in zip(shown, limits)]


def page_that_fits(page_mb, title, shown, *rest):
    """(HTML of at most `page_mb` megabytes, triangles that it shows)."""
    triangles = object_page.triangles_that_fit(page_mb, len(object_page.together(shown)))
    n_all = sum(len(one.mesh.faces) for one in shown)
    while True:
        fewer = fitted(shown, triangles)
        n = sum(len(one.mesh.faces) for one in fewer)
        notes = [f"{n:,} of {n_all:,} triangles; surfaces are rounded for looks: measure in the tables, not here."]
        text = object_page.object_page(title, fewer, *rest, notes if shown else ["No objects were found."])
        if len(text.encode()) <= page_mb * 1e6:
            return text, n
        triangles = int(0.95 * min(triangles, n))


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "image of the volume (OME-Zarr), for its size")
    arguments.input("meshes", "GLB of each record of objects", several=True)
    arguments.input("objects", "tables of their objects (csv), in the same order", several=True)
    arguments.parameter("records", "JSON list of name, class, within, in the same order", json_argument, required=True)
    arguments.parameter("title", "title of the page", required=True)
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("page_mb", "size of the page at most, in megabytes", float, 12.0)
    arguments.output("output", "page (html)")
    args = arguments.parse(argv)

    image = io.open_volume(args.image)
    low, high = box_um(image.shape, image.voxel_size_nm, image.origin_nm)
    shown = []
    for record, path, table in zip(args.records, args.meshes, args.objects, strict=True):
        shown += shown_of(record, for_pictures(mesh_files.read_glb(path)), io.read_table(table))
    groups = groups_of(args.records, shown, args.colors)
    bar_um = scale_bar_length_um(float(np.subtract(high, low)[0]))
    text, n_triangles = page_that_fits(args.page_mb, args.title, shown, groups, low, high, bar_um)
    print(f"{len(shown)} surfaces with {n_triangles:,} triangles, {len(text.encode()) / 1e6:.1f} MB")
    files.write_text(args.output, text, args.record)


if __name__ == "__main__":
    run(main)
