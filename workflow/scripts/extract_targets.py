"""Make the target of one class in a region from the labels of all its sources: 1 yes, 0 no, 255 unknown.

Yes is the class with everything that lies inside it (classes: inside). With --boundary it is the contours of the class's objects in
each slice, from the sources that number them. Attributes: `counts` [no, yes] in voxels;
`labelled_slices`, slices of the region with known voxels that all rest on complete sources; `incomplete_slices`, those in which only
some objects are drawn; `contradictions`, [slice, voxels] where sources contradict each other, which is unknown. For a train region it is an
error when sources annotate the class and nowhere drew it.
"""

from command_line import Arguments, json_argument, run
from densecell.classes import Classes
from extraction import extracted, opened


def check_drawn(reader, annotated, target, role, output):
    """Raise ValueError for a train region without a voxel of a target that its sources annotate; warn where they don't, or elsewhere.

    annotated: for each source the names of its classes, None: all.
    """
    if reader.counts[1]:
        return
    if role == "train" and any(some is None or target in some for some in annotated):
        raise ValueError(
            f"{output}: empty target: expected voxels of {target} in a train region, found none. Check values and annotates of its "
            "labels, widen the region, or label more."
        )
    print(f"{output}: WARNING: no voxel of {target} is known here.")


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "aligned labels (OME-Zarr), of each source", several=True)
    arguments.input("image", "the normalized region (OME-Zarr)")
    arguments.input("shifts", "shift table of the volume (csv)")
    arguments.parameter("target", "name of the class, or of the boundary", required=True)
    arguments.parameter("boundary", "JSON record of class and width_px, of a boundary", json_argument)
    arguments.parameter("role", "train, eval, test or compare", default="test")
    arguments.parameter("classes", "JSON list of name, group and inside", json_argument, required=True)
    arguments.output("output", "the target in the region (OME-Zarr)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    of = args.boundary
    labels, image = opened(args, classes, (args.target, of["class"], of["width_px"]) if of else None)
    reader = labels.reader() if of else labels.reader(classes.names.index(args.target))
    with extracted(labels, reader, image, args) as (store, annotated):
        check_drawn(reader, annotated, of["class"] if of else args.target, args.role, args.output)
        no, yes = reader.counts[:2].tolist()
        store.add_attributes(counts=[no, yes], labelled_slices=reader.complete, incomplete_slices=reader.incomplete)
    print(
        f"extract_targets: {args.target}: {no:,} voxels no, {yes:,} yes, {len(reader.complete)} labelled and "
        f"{len(reader.incomplete)} incomplete slices"
    )


if __name__ == "__main__":
    run(main)
