"""Measure how far the objects of a volume are from each other and from those of other records, and how much of them touches.

Writes the columns of --keys (volume, objects, class), then instance, neighbor_objects, neighbor (0: all), measure, value, unit,
flag. Surfaces are read object by object; what is held of them is bounded, and one with a box above max_voxels is reduced (flag).
docs/method.md, Neighbors and contacts.
"""

from functools import partial

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.block_cache import BlockCache, reading_order
from densecell.neighbors import MEASURES, Surfaces, measure_neighbors
from densecell.object_masks import read_object
from densecell.parallel import in_order

COLUMNS = ["instance", "neighbor_objects", "neighbor", "measure", "value", "unit", "flag"]


def open_surfaces(labels, table, max_voxels):
    """(volume, `Surfaces`) of the objects of a store."""
    volume = io.open_volume(labels)
    return volume, Surfaces(partial(read_object, BlockCache(volume), max_voxels=max_voxels), io.read_table(table))


def tables(surfaces, others, volume, order, contact_nm, keys, threads):
    """For each record the rows of all objects, as a table. others: {name of the record: `Surfaces`}; order: in which they are measured."""
    for name, of_record in others.items():

        def measure(place, of_record=of_record):
            return measure_neighbors(surfaces, place, of_record, volume, contact_nm)

        found = dict(zip(order, in_order(measure, order, threads)))
        rows = [
            (surfaces.instances[place], name, neighbor, what, value, MEASURES[what], " ".join(sorted(flags)))
            for place in range(len(order))
            for neighbor, what, value, flags in found[place]
        ]
        table = pd.DataFrame(rows, columns=COLUMNS)
        for place, (key, value) in enumerate(keys.items()):
            table.insert(place, key, value)
        yield table


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "numbers of the objects (OME-Zarr)")
    arguments.input("objects", "their table (csv)")
    arguments.input("other_labels", "numbers of the objects of other records (OME-Zarr)", several=True, required=False)
    arguments.input("other_objects", "their tables (csv), in the same order", several=True, required=False)
    arguments.parameter("others", "JSON list of these records' names, in the same order", json_argument, [])
    arguments.parameter("keys", "JSON record of volume, objects, class", json_argument, required=True)
    arguments.parameter("settings", "JSON record of contact_nm and max_voxels", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "neighbors of each object (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    max_voxels, contact_nm = args.settings["max_voxels"], args.settings["contact_nm"]
    volume, surfaces = open_surfaces(args.labels, args.objects, max_voxels)
    order = reading_order(io.read_table(args.objects)).tolist()
    others = {args.keys["objects"]: surfaces}
    for name, labels, table in zip(args.others, args.other_labels, args.other_objects, strict=True):
        other_volume, others[name] = open_surfaces(labels, table, max_voxels)
        if other_volume.shape != volume.shape:
            raise ValueError(
                f"{labels}: expected the shape of {args.labels}, {volume.shape}, found {other_volume.shape}; compare records "
                "of one volume"
            )
    io.write_table(
        args.output, tables(surfaces, others, volume, order, contact_nm, args.keys, args.threads), args.record
    )


if __name__ == "__main__":
    run(main)
