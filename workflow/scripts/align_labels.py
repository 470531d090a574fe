"""Bring labels into the aligned, cropped volume.

Labels drawn on the raw stack move with the whole-pixel shifts of their slices; labels drawn on the aligned stack are put at
their origin. The result covers the whole aligned volume; voxels the source doesn't cover are 255 (of object numbers
4294967295).
"""

import numpy as np

from command_line import Arguments, run
from densecell import io
from densecell.parallel import in_order
from densecell.sparse_labels import has_labels

KEPT = (
    "kind",
    "annotates",
    "slices",
    "incomplete_slices",
)  # z stays what it is, so that these hold of the aligned volume too


def paste(target, plane, y, x):
    """Put `plane` (Y, X) into `target` (Y', X') with its corner at (y, x), in place; what lies outside is cut off."""
    (to_y, from_y), (to_x, from_x) = (overlap(*side) for side in zip((y, x), plane.shape, target.shape))
    target[to_y, to_x] = plane[from_y, from_x]


def overlap(offset, size, target_size):
    """(target, source) slices along one axis for `size` pixels that begin at `offset` in the target."""
    start, stop = max(offset, 0), max(min(offset + size, target_size), 0)
    stop = max(start, stop)
    return slice(start, stop), slice(start - offset, stop - offset)


def corners(labels, image, shifts, frame):
    """Where the block's first pixel lies in each slice of the aligned volume: (Z, 2) integers (y, x)."""
    origin = np.array(labels.attributes["origin_voxels"][1:])
    if frame == "aligned":
        return np.tile(origin, (image.shape[0], 1))
    return origin + shifts[["applied_y_px", "applied_x_px"]].to_numpy() - shifts[["crop_y0", "crop_x0"]].to_numpy()


def aligned_slab(labels, places, shape_yx, start, stop):
    """Slices [start, stop) of the aligned volume, of `shape_yx`, with the labels put at `places`."""
    slab = np.full((stop - start, *shape_yx), labels.fill_value, labels.dtype)
    first = labels.attributes["origin_voxels"][0]
    covered = range(max(start, first), min(stop, first + labels.shape[0]))
    if covered:
        for z, plane in zip(covered, labels[covered.start - first : covered.stop - first]):
            paste(slab[z - start], plane, *places[z].tolist())
    return slab


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "binned labels (OME-Zarr)")
    arguments.input("image", "aligned volume (OME-Zarr)")
    arguments.input("shifts", "shift table of the volume (csv)")
    arguments.parameter("frame", "raw or aligned", default="raw")
    arguments.output("output", "aligned labels (OME-Zarr)")
    arguments.setting("threads", "CPU threads", int, 1)
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    labels, image, shifts = io.open_volume(args.labels), io.open_volume(args.image), io.read_table(args.shifts)
    origin = labels.attributes["origin_voxels"]
    inside = [o + n <= total for o, n, total in zip(origin, labels.shape, image.shape)]
    if not inside[0] or (args.frame == "aligned" and not all(inside)):
        raise ValueError(
            f"{args.labels}: expected labels within the aligned volume of {image.shape} voxels (z, y, x), found {labels.shape} at origin "
            f"{tuple(origin)}. Correct labels: origin or frame (raw: drawn before binning and alignment)."
        )
    places = corners(labels, image, shifts, args.frame)
    kept = {key: labels.attributes[key] for key in KEPT if key in labels.attributes}
    options = {"fill_value": labels.fill_value, "attributes": kept}
    with io.new_volume(
        args.output, image.shape, labels.dtype, image.voxel_size_nm, image.origin_nm, args.record, **options
    ) as store:
        slabs = [slab for slab in store.slabs() if has_labels(labels, range(*slab))]
        moved = in_order(lambda slab: aligned_slab(labels, places, image.shape[1:], *slab), slabs, args.threads)
        for (start, _), slab in zip(slabs, moved):
            store.write(start, slab)


if __name__ == "__main__":
    run(main)
