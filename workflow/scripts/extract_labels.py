"""Cut a region's labels out of the aligned labels: of one source or of several, which are combined.

A voxel has the class that the sources tell, 255 where they don't tell every class. Slices that alignment left out (blank,
destroyed, duplicate, jump) become unlabelled, so they are neither trained on nor scored. Voxels on which sources contradict each
other are unlabelled, too, and told; many of them in a slice are an error. For a train region it is an error
when a class that a source annotates has no voxel.
"""

from command_line import Arguments, json_argument, run
from densecell.classes import UNLABELLED, Classes
from extraction import extracted, opened


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
    labels, image = opened(args, classes)
    reader = labels.reader()
    with extracted(labels, reader, image, args) as (store, annotated):
        check_counts(reader.drawn, annotated, classes, args.role, args.output)
        counts = reader.counts[: len(classes)]
        if not counts.any():
            print(f"{args.output}: WARNING: the sources tell the whole class of no voxel, only targets.")
        store.add_attributes(class_counts=counts.tolist())
        if reader.incomplete:
            store.add_attributes(incomplete_slices=reader.incomplete)


if __name__ == "__main__":
    run(main)
