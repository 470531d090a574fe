"""Score numbered objects against known ones: Dice of each object, variation of information, adapted Rand error, matched objects.

Voxels that nobody labelled are never read, and slices whose numbers the objects were made with (attribute `labelled_slices` of
split cells) and slices that the alignment left out are not scored. Orphans of the tracking count as objects, but never as the known
object that happens to have their number.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import instance_metrics, io
from densecell.classes import UNLABELLED_INSTANCE
from densecell.parallel import in_order

ROWS = 256  # that are read at once: chunks of a store


def slab_pairs(slab, reference, objects, left_out):
    """`PairCounts` of a slab without the slices that are left out, read in bands of rows."""
    counts, (start, stop) = instance_metrics.PairCounts(), slab
    kept = np.array([z - start for z in range(start, stop) if z not in left_out], int)
    for y in range(0, objects.shape[1] if len(kept) else 0, ROWS):
        band = slice(start, stop), slice(y, y + ROWS), slice(None)
        counts.add(reference[band][kept], objects[band][kept])
    return counts


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("objects", "numbered objects (OME-Zarr, uint32)")
    arguments.input("reference", "known objects of the same volume (OME-Zarr, uint32)")
    arguments.input("image", "aligned image, which tells the slices that were left out (OME-Zarr)", required=False)
    arguments.parameter(
        "keys", "JSON record: volume, objects, class, reference, combination", json_argument, required=True
    )
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "table of scores (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    objects, reference = io.open_volume(args.objects), io.open_volume(args.reference)
    if objects.shape != reference.shape:
        raise ValueError(
            f"{args.reference}: expected the size of {args.objects}, {objects.shape}, found {reference.shape}. Correct instances.reference, "
            "or delete both; they are made again."
        )
    left_out = set(objects.attributes.get("labelled_slices", ()))
    if args.image:
        left_out |= set(io.open_volume(args.image).attributes.get("left_out_slices", ()))
    counts = instance_metrics.PairCounts()
    for found in in_order(lambda slab: slab_pairs(slab, reference, objects, left_out), objects.slabs(), args.threads):
        counts.join(found)
    pairs = counts.table()
    if not len(pairs):
        raise ValueError(
            f"{args.reference}: expected a labelled voxel ({UNLABELLED_INSTANCE} is unlabelled) outside of the {len(left_out)} slices that the "
            "objects were made with or that the alignment left out, found none. Label more slices, or set instances.reference to null."
        )
    table = instance_metrics.instance_table(pairs, objects.attributes.get("first_orphan"))
    for place, (name, value) in enumerate(args.keys.items()):
        table.insert(place, name, value)
    io.write_table(args.output, table, args.record)
    whole = table[table["instance"] == 0].set_index("measure")["value"]
    print(
        f"compare_instances: {args.keys['objects']} of {args.keys['volume']}: {whole['n_reference']:.0f} known, "
        f"{whole['n_predicted']:.0f} found, mean Dice {whole['mean_dice_by_overlap']:.3f} by overlap"
    )


if __name__ == "__main__":
    run(main)
