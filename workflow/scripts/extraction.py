"""What the scripts share that cut a region out of aligned labels: its label sources, and the store that is written slab by slab."""

import contextlib

import numpy as np

from densecell import io
from densecell.classes import UNLABELLED
from densecell.contours import ContourLabels
from densecell.region_labels import RegionLabels
from densecell.targets import TOLD_SLICES


def opened(args, classes, contours=None):
    """(RegionLabels, the region's image) of the arguments labels, image and shifts of a script.

    contours: (target, class, width_px) of contours instead of classes, which makes it ContourLabels."""
    volumes, image = [io.open_volume(path) for path in args.labels], io.open_volume(args.image)
    shifts = io.read_table(args.shifts)
    place = (volumes, image.attributes["box"], shifts["z"][shifts["left_out"] == 1])
    return ContourLabels(*place, *contours) if contours else RegionLabels(*place, classes), image


@contextlib.contextmanager
def extracted(labels, reader, image, args):
    """Write what `reader` makes of RegionLabels to args.output; (store, annotated) for checks and attributes before it is kept.

    annotated: for each source the names of its classes, None: all. Slabs without labels stay 255 unwritten. Contradictions of
    sources are told in the log and in the store; ValueError for many in a slice.
    """
    shape = tuple(b - a for a, b in image.attributes["box"])
    firsts = [first for first, _ in image.attributes["inner"]]
    origin_nm = [o + a * size for o, a, size in zip(image.origin_nm, firsts, image.voxel_size_nm)]
    options = {"fill_value": UNLABELLED}
    with io.new_volume(args.output, shape, np.uint8, image.voxel_size_nm, origin_nm, args.record, **options) as store:
        for start, stop in store.slabs():
            slab = labels.read(reader, start, stop)
            if slab is not None:
                store.write(start, slab)
        reader.check(args.output)
        if reader.contradictions:
            print(f"{args.output}: WARNING: {reader.warning()}")
            store.add_attributes(contradictions=reader.contradictory()[:TOLD_SLICES])
        yield store, [v.attributes.get("annotates") for v in labels.volumes]
