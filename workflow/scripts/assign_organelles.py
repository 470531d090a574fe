"""Find the container that each object lies in: the one with more than half of the object's voxels, else 0, unassigned.

Writes volume, objects, source, class, instance, voxels, container, parent, share (of the container with most voxels, 0 to 1), and
of --members, the class maps of single networks, the mean, SD, least and largest share of the object to which one gives its class
(agreement_*, 0 to 1; n_members). Machireddy et al. 2023, Methods. Read block by block; nothing depends on --threads.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from contents_input import member_maps, open_of_shape
from densecell import io
from densecell.assignment import PARENTS, agreement, blocks, joined, pair_counts, parents_table
from densecell.classes import UNLABELLED, Classes
from densecell.parallel import in_order


def count(objects, containers, maps, class_lut, threads=1):
    """The pairs of objects and containers, and for each class map those of objects and whether it says their class.

    objects, containers: volumes of numbers. maps: class maps of one shape with them. class_lut: (256,) uint8, 1 for the class of
    the objects and what lies in it, 255 for unlabelled. Returns a list of `pair_counts`, the containers' first.
    """

    def of_block(box):
        numbers = objects[box]
        if not numbers.any():
            return [pair_counts(numbers[:0], numbers[:0])] * (1 + len(maps))
        return [pair_counts(numbers, containers[box]), *(pair_counts(numbers, class_lut[m[box]]) for m in maps)]

    return [joined(parts) for parts in zip(*in_order(of_block, blocks(objects), threads))]


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("objects", "numbers of the objects (OME-Zarr)")
    arguments.input("table", "their table (csv)")
    arguments.input("containers", "numbers of the containers (OME-Zarr)")
    arguments.setting("members", "folder with a class map of each network (OME-Zarr)")
    arguments.parameter(
        "keys", "JSON record of volume, objects, source, class, container", json_argument, required=True
    )
    arguments.parameter("classes", "JSON list of name, group and inside", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "containers of the objects (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    classes, objects = Classes.from_records(args.classes), io.open_volume(args.objects)
    containers = open_of_shape(args.containers, objects)
    members = member_maps(args.members, args.record, objects)
    lut = np.zeros(256, np.uint8)
    lut[classes.members_of(classes.index(args.keys["class"]))] = 1
    lut[UNLABELLED] = UNLABELLED
    table = io.read_table(args.table)
    lying, *agreeing = count(objects, containers, members, lut, args.threads)
    agreeing = [agreement(pairs, table, args.table) for pairs in agreeing]
    parents = parents_table(lying, table, agreeing, args.table)
    io.write_table(args.output, parents.assign(**args.keys)[[*PARENTS]], args.record)


if __name__ == "__main__":
    run(main)
