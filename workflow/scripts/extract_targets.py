"""Make the target of one class in a region from the labels of all its sources: 1 yes, 0 no, 255 unknown.

Yes is the class with everything that lies inside it (classes: inside). Attributes: `counts` [no, yes] in voxels;
`labelled_slices`, slices of the region with known voxels that all rest on complete sources; `incomplete_slices`, those in which only
some objects are drawn.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import UNLABELLED, Classes
from extract_labels import opened


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "aligned labels (OME-Zarr), of each source", several=True)
    arguments.input("image", "the normalized region (OME-Zarr)")
    arguments.input("shifts", "shift table of the volume (csv)")
    arguments.parameter("target", "name of the class", required=True)
    arguments.parameter("classes", "JSON list of name, group and inside", json_argument, required=True)
    arguments.output("output", "the target in the region (OME-Zarr)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    labels, image, shape, origin_nm = opened(args, classes)
    reader = labels.reader(classes.names.index(args.target))
    with io.new_volume(
        args.output, shape, np.uint8, image.voxel_size_nm, origin_nm, args.record, fill_value=UNLABELLED
    ) as store:
        for start, stop in store.slabs():
            slab = labels.read(reader, start, stop)
            if slab is not None:
                store.write(start, slab)
        reader.check(args.output)
        no, yes = reader.counts[:2].tolist()
        store.add_attributes(counts=[no, yes], labelled_slices=reader.complete, incomplete_slices=reader.incomplete)
    print(
        f"extract_targets: {args.target}: {no:,} voxels no, {yes:,} yes, {len(reader.complete)} labelled and "
        f"{len(reader.incomplete)} incomplete slices"
    )
    if not yes:
        print(f"{args.output}: WARNING: no voxel of {args.target} is known here.")


if __name__ == "__main__":
    run(main)
