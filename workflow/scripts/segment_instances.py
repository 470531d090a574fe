"""Number the objects of a class in a class map: each connected component, or each piece that a watershed cuts it into.

An object is made of the voxels of its class and of every class that lies in it. The volume is read slab by slab and several times;
no result depends on slabs or threads. Objects below the smallest volume are left out. Writes a volume of numbers (uint32, 0: none,
4294967295: unlabelled in the class map), which begin at 1 and follow the objects' first voxels in a scan, and a table with one row for
each object. Labels that hold numbers already are kept as they were drawn.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.classes import UNLABELLED, UNLABELLED_INSTANCE, Classes
from densecell.instances import ClassMask, Components, Drawn, Numbered
from densecell.parallel import in_order
from densecell.pieces import Cut, Pieces
from progress import Progress

LARGEST_SHARED_SLAB = 2**26  # voxels; slabs that are larger are worked on one by one, whatever the threads
FROM = {"distance": "min_depth_nm", "probability": "min_depth"}  # what is flooded -> the key of its smallest depth


def open_probability(path, volume):
    """The 8-bit probability of the class. Raises ValueError unless it has the size and the place of the class map."""
    found = io.open_volume(path)
    if found.dtype != np.uint8 or (found.shape, found.origin_nm) != (volume.shape, volume.origin_nm):
        raise ValueError(
            f"{path}: expected 8-bit probabilities of {volume.shape} voxels at {volume.origin_nm} nm, like {volume.path}, found "
            f"{found.dtype} of {found.shape} at {found.origin_nm}. Delete it; the next run makes it again."
        )
    return found


def at_once(volume, threads):
    """How many slabs are worked on at a time, so that memory has a bound: some 13 bytes a voxel of each."""
    return threads if volume.slab_depth * volume.shape[1] * volume.shape[2] <= LARGEST_SHARED_SLAB else 1


def objects_of(volume, args, scratch):
    """(the objects of a class map, numbered; facts about how, for the volume's attributes)."""
    grid = (volume.voxel_size_nm, volume.origin_nm)
    if volume.dtype == np.uint32:
        return Numbered(Drawn(volume, volume.slabs(), *grid), args.min_volume_um3, keep=True), {"method": "drawn"}
    classes, settings = Classes.from_records(args.classes), args.watershed
    mask = ClassMask(volume, classes.members_of(classes.index(args.class_name)))
    progress = Progress(len(volume.slabs()), "slabs")
    parts = Components(mask, volume.slabs(), args.connectivity, *grid, at_once(volume, args.threads), progress.step)
    facts = {"method": args.method, "connectivity": args.connectivity, "n_components": parts.n}
    if args.method == "watershed":
        probability = open_probability(args.probability, volume) if settings["from"] == "probability" else None
        cut = Cut(settings[FROM[settings["from"]]], settings["smoothing_nm"], settings["max_voxels"])
        progress = Progress(max(parts.n, 1), "components")
        parts = Pieces(parts, cut, scratch, probability, args.threads, progress.step)
        coarse = [{"blocks": list(parts.coarse[i]), "component": int(i)} for i in sorted(parts.coarse)]
        facts |= {"watershed": settings, "cut_on_blocks": coarse}
        if coarse:
            print(
                f"segment_instances: {len(coarse)} of {facts['n_components']} components were cut on blocks of voxels, as their "
                f"boxes have more than {settings['max_voxels']:,} voxels (watershed.max_voxels); which: cut_on_blocks in the metadata",
                file=sys.stderr,
                flush=True,
            )
    return Numbered(parts, args.min_volume_um3), facts


def numbers_of(objects, volume, i):
    """The numbers of slab i, and what nobody labelled there: (Z', Y, X) uint32. volume: what the objects come from."""
    slab = objects.labels(i)
    if volume.dtype == np.uint8:
        start, stop = objects.slabs[i]
        slab[volume[start:stop] == UNLABELLED] = UNLABELLED_INSTANCE
    return slab


def write_objects(args):
    """Number the objects and write their store and their table."""
    volume = io.open_volume(args.labels)
    Path(args.output).parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=Path(args.output).parent) as scratch:
        objects, facts = objects_of(volume, args, scratch)
        table = objects.objects.table()
        facts |= {"n_removed": objects.n_removed, "removed_um3": objects.removed_um3}
        attributes = {"kind": "instance", "class": args.class_name, "n_objects": len(table), "instances": facts}
        grid = (volume.voxel_size_nm, volume.origin_nm)
        with io.new_volume(args.output, volume.shape, np.uint32, *grid, args.record, attributes=attributes) as store:
            progress = Progress(len(objects.slabs), "slabs")
            places = range(len(objects.slabs))
            slabs = in_order(lambda i: numbers_of(objects, volume, i), places, at_once(volume, args.threads))
            for (start, _), slab in zip(objects.slabs, slabs):
                store.write(start, slab)
                progress.step()
    io.write_table(args.objects, table, args.record)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "class map (OME-Zarr, uint8, 255 = unlabelled) or drawn numbers (uint32)")
    arguments.input("probability", "8-bit probability of the class, to cut where it falls (OME-Zarr)", required=False)
    arguments.parameter("class_name", "the class", str, required=True)
    arguments.parameter("classes", "JSON list of name, group, inside", json_argument, required=True)
    arguments.parameter("method", "components or watershed", str, "components")
    arguments.parameter("connectivity", "6, 18 or 26 neighbors of a voxel", int, 26)
    arguments.parameter("watershed", "JSON: from, smoothing_nm, min_depth_nm, min_depth, max_voxels", json_argument, {})
    arguments.parameter("min_volume_um3", "smaller objects are left out", float, 0.0)
    arguments.output("output", "numbers of the objects (OME-Zarr, uint32)")
    arguments.output("objects", "table of the objects (csv)")
    arguments.setting("threads", "CPU threads", int, 1)
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    try:
        write_objects(args)
    except OSError as error:  # the scratch file may fill the disk, too
        files.tell_full_disk(args.output, error)
        raise


if __name__ == "__main__":
    run(main)
