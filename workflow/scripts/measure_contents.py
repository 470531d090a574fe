"""Count how many voxels of each class lie in each container and outside of all, and what share of the container that is.

--maps are class maps, the containers' own first; --members a folder for each of them with the class maps of its single networks, or
"". Writes volume, objects, instance (0: outside of all containers), orphan, touches_border, source, class, voxels, volume_um3,
fraction of the container's voxels (0 to 1), its mean, SD, least and largest value over the members, n_members, the volume (um3) and
fraction with everything that lies in the class, and of the objects of --parents the number in the container (n_objects) and of
those that the members confirm (n_confirmed). Guay et al. 2021 (doi 10.1038/s41598-021-81590-0), Fig. 3; Machireddy et al. 2023,
Fig. 10. Read block by block; nothing depends on --threads.
"""

import pandas as pd

from command_line import Arguments, json_argument, run
from contents_input import member_maps, open_of_shape
from densecell import io
from densecell.assignment import CONTENTS, blocks, contents_table, counts_of_classes, joined, pair_counts
from densecell.classes import Classes
from densecell.parallel import in_order


def count(containers, maps, instances, n_classes, table, threads=1):
    """`counts_of_classes` in each container, of each class map, as a list. table: path of the containers' table, for messages."""

    def of_block(box):
        numbers = containers[box]
        return [pair_counts(numbers, labels[box]) for labels in maps]

    parts = zip(*in_order(of_block, blocks(containers), threads))
    counted = zip(maps, map(joined, parts))
    return [counts_of_classes(pairs, instances, n_classes, labels.path, table) for labels, pairs in counted]


def children_of(paths, children, source):
    """{class: table} of the objects in the containers that come from one class map; of two of one class the first.

    children: [{"source", "class"}, ...] of the tables at `paths`."""
    found = {}
    for path, child in zip(paths, children, strict=True):
        if child["source"] == source:
            found.setdefault(child["class"], io.read_table(path))
    return found


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("containers", "numbers of the containers (OME-Zarr)")
    arguments.input("table", "their table (csv)")
    arguments.input("maps", "class maps (OME-Zarr)", several=True)
    arguments.input("parents", "containers of objects (csv)", several=True, required=False)
    arguments.parameter("children", "JSON list of source and class of these objects", json_argument, [])
    arguments.parameter("sources", "JSON list of the names of the class maps", json_argument, required=True)
    arguments.setting("members", "JSON list: folder with the class maps of the networks, or null", json_argument)
    arguments.parameter("keys", "JSON record of volume, objects", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name, group and inside", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "contents of the containers (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    classes, containers = Classes.from_records(args.classes), io.open_volume(args.containers)
    objects, tables = io.read_table(args.table), []
    for path, source, folder in zip(args.maps, args.sources, args.members or [None] * len(args.maps), strict=True):
        maps = [open_of_shape(path, containers), *member_maps(folder, args.record, containers)]
        counts, *members = count(containers, maps, objects["instance"], len(classes), args.table, args.threads)
        children = children_of(args.parents, args.children, source)
        table = contents_table(counts, members, objects, classes, containers.voxel_size_nm, children)
        tables.append(table.assign(**args.keys, source=source)[[*CONTENTS]])
    io.write_table(args.output, pd.concat(tables, ignore_index=True), args.record)


if __name__ == "__main__":
    run(main)
