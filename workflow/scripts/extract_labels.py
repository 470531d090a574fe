"""Cut a region's labels out of the aligned labels.

Slices that alignment left out (blank, destroyed, duplicate, jump) become unlabelled (255), so they are neither trained on
nor scored. For a train region it is an error when a class has no voxel.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import binning, io
from densecell.classes import UNLABELLED, Classes


def check_counts(counts, classes, role, output):
    """Raise ValueError for a region without labels and, in training, for a class without a voxel."""
    empty = [name for name, count in zip(classes.names, counts) if not count]
    if len(empty) == len(classes):
        raise ValueError(
            f"{output}: expected labelled voxels, found none. Check where the region lies and the origin of its labels."
        )
    if role == "train" and empty:
        raise ValueError(
            f"{output}: empty class: expected voxels of every class in a train region, found none of {', '.join(empty)}. "
            "Widen the region, label more, or take the class out of classes."
        )


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "aligned labels (OME-Zarr)")
    arguments.input("image", "the normalized region (OME-Zarr)")
    arguments.input("shifts", "shift table of the volume (csv)")
    arguments.parameter("role", "train, eval, test or compare", default="test")
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("output", "labels of the region (OME-Zarr)")
    args = arguments.parse(argv)

    labels, image, classes = io.open_volume(args.labels), io.open_volume(args.image), Classes.from_records(args.classes)
    shifts = io.read_table(args.shifts)
    left_out = set(shifts["z"][shifts["left_out"] == 1])
    (z0, z1), y, x = image.attributes["box"][0], *(slice(*side) for side in image.attributes["box"][1:])
    shape = (z1 - z0, y.stop - y.start, x.stop - x.start)
    origin_nm = [
        o + a * size for o, (a, _), size in zip(image.origin_nm, image.attributes["inner"], image.voxel_size_nm)
    ]
    counts = np.zeros(len(classes), np.int64)
    with io.new_volume(
        args.output, shape, np.uint8, image.voxel_size_nm, origin_nm, args.record, fill_value=UNLABELLED
    ) as store:
        for start, stop in store.slabs():
            slab = labels[z0 + start : z0 + stop, y, x]
            slab[[z in left_out for z in range(z0 + start, z0 + stop)]] = UNLABELLED
            counts += binning.count_classes(slab, len(classes))
            store.write(start, slab)
        check_counts(counts, classes, args.role, args.output)
        store.add_attributes(class_counts=counts.tolist())


if __name__ == "__main__":
    run(main)
