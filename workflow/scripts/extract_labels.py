"""Cut a region's labels out of the aligned labels: of one source or of several, which are combined.

A voxel has the class that the sources tell, 255 where they don't tell every class. Slices that alignment left out (blank,
destroyed, duplicate, jump) become unlabelled, so they are neither trained on nor scored. Voxels on which sources contradict each
other are unlabelled, too, and told; many of them in a slice are an error. For a train region it is an error
when a class that a source annotates has no voxel.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import UNLABELLED, Classes
from densecell.region_labels import RegionLabels
from densecell.targets import TOLD_SLICES


def check_counts(drawn, annotated, classes, role, output):
    """Raise ValueError for a region without labels and, in training, for an annotated class without a voxel.

    drawn: (sources, 256) voxels of each value; annotated: for each source the names of its classes, None: all.
    """
    if not drawn[:, :UNLABELLED].any():
        raise ValueError(
            f"{output}: expected labelled voxels, found none. Check where the region lies and the origin of its labels."
        )
    names = [classes.names if some is None else some for some in annotated]
    empty = [n for i, n in enumerate(classes.names) if any(n in some for some in names) and not drawn[:, i].any()]
    if role == "train" and empty:
        raise ValueError(
            f"{output}: empty class: expected voxels of every class in a train region, found none of {', '.join(empty)}. "
            "Widen the region, label more, or take the class out of classes."
        )


def opened(args, classes):
    """(RegionLabels, the region's image, its inner shape and origin in nm) of the arguments of a script."""
    volumes, image = [io.open_volume(path) for path in args.labels], io.open_volume(args.image)
    shifts, box = io.read_table(args.shifts), image.attributes["box"]
    labels = RegionLabels(volumes, box, shifts["z"][shifts["left_out"] == 1], classes)
    origin_nm = [
        o + a * size for o, (a, _), size in zip(image.origin_nm, image.attributes["inner"], image.voxel_size_nm)
    ]
    return labels, image, tuple(b - a for a, b in box), origin_nm


def check_contradictions(reader, store, output):
    """Tell the contradictions of sources in the log and in the store; ValueError for many in a slice."""
    reader.check(output)
    if reader.contradictions:
        print(f"{output}: WARNING: {reader.warning()}")
        store.add_attributes(contradictions=reader.contradictory()[:TOLD_SLICES])


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "aligned labels (OME-Zarr), of each source", several=True)
    arguments.input("image", "the normalized region (OME-Zarr)")
    arguments.input("shifts", "shift table of the volume (csv)")
    arguments.parameter("role", "train, eval, test or compare", default="test")
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("output", "labels of the region (OME-Zarr)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    labels, image, shape, origin_nm = opened(args, classes)
    reader = labels.reader()
    with io.new_volume(
        args.output, shape, np.uint8, image.voxel_size_nm, origin_nm, args.record, fill_value=UNLABELLED
    ) as store:
        for start, stop in store.slabs():
            slab = labels.read(reader, start, stop)
            if slab is not None:
                store.write(start, slab)
        check_contradictions(reader, store, args.output)
        annotated = [v.attributes.get("annotates") for v in labels.volumes]
        check_counts(reader.drawn, annotated, classes, args.role, args.output)
        counts = reader.counts[: len(classes)]
        if not counts.any():
            print(f"{args.output}: WARNING: the sources tell the whole class of no voxel, only targets.")
        store.add_attributes(class_counts=counts.tolist())
        if reader.incomplete:
            store.add_attributes(incomplete_slices=reader.incomplete)


if __name__ == "__main__":
    run(main)
