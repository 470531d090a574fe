"""Bin labels by block majority, to fit their binned stack.

Of classes a tie goes to the class rarer in the source (never to 254, none of the classes that it annotates), and a block that holds an
unlabelled voxel, or that the source covers only in part, is unlabelled (255). Of object numbers a block is one where at least
half of it is an object, the one with most voxels, of equal ones the lowest; unlabelled is 4294967295. Labels drawn on the aligned
stack are drawn on binned voxels and are copied. Axes are (z, y, x).
"""

from command_line import Arguments, json_argument, run
from densecell import binning, io
from densecell.classes import Classes
from densecell.parallel import in_order
from densecell.sparse_labels import binned_slices, has_labels


def checked_factors(labels, factors, path):
    """The factors to use. Raises ValueError for an origin between blocks."""
    if labels.attributes["frame"] == "aligned":
        return [1, 1, 1]
    origin = labels.attributes["origin_voxels"]
    if any(o % f for o, f in zip(origin, factors)):
        raise ValueError(
            f"{path}: expected an origin (labels: origin) divisible by the binning {factors} (z, y, x), found {origin}. "
            "Crop the label block to whole blocks."
        )
    return factors


def cut_blocks(labels, factors):
    """Whether the source ends inside a block although the stack goes on, for each axis (z, y, x)."""
    stops = [o + n for o, n in zip(labels.attributes["origin_voxels"], labels.shape)]
    return [stop % f != 0 and stop != n for stop, f, n in zip(stops, factors, labels.attributes["image_shape"])]


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "imported labels (OME-Zarr)")
    arguments.parameter("binning", "JSON list of voxels per block (z, y, x)", json_argument, [1, 1, 1])
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "binned labels (OME-Zarr)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    labels, classes = io.open_volume(args.labels), Classes.from_records(args.classes)
    factors = checked_factors(labels, args.binning, args.labels)
    shape = binning.binned_shape(labels.shape, factors)
    size_nm = binning.binned_voxel_size_nm(labels.voxel_size_nm, args.binning)
    origin_nm = binning.binned_origin_nm(labels.origin_nm, labels.voxel_size_nm, args.binning)
    is_cut = cut_blocks(labels, factors)
    attributes = {
        **labels.attributes,
        "origin_voxels": [o // f for o, f in zip(labels.attributes["origin_voxels"], factors)],
        **binned_slices(labels.attributes, factors[0], labels.attributes["image_shape"][0]),
    }
    is_copied, is_instance = list(factors) == [1, 1, 1], labels.attributes["kind"] == "instance"
    counts = None if is_copied or is_instance else labels.attributes["class_counts"]
    if counts and len(counts) != len(classes):
        raise ValueError(
            f"{args.labels}: expected the counts of {len(classes)} classes, found {len(counts)}. Import the labels again."
        )

    first, is_partial = labels.attributes["origin_voxels"][0], "annotates" in labels.attributes

    def bin_slab(slab):
        start, stop = slab
        if not has_labels(labels, range(first + start * factors[0], first + stop * factors[0])):
            return start, None
        binned = labels[start * factors[0] : stop * factors[0]]
        if not is_copied:
            if is_instance:
                binned = binning.bin_instances(binned, factors)
            else:
                binned = binning.bin_labels(binned, factors, counts, classes, is_partial)
            if is_cut[0] and stop == shape[0]:
                binned[-1] = labels.fill_value
            binned[:, -1 if is_cut[1] else shape[1] :] = labels.fill_value
            binned[:, :, -1 if is_cut[2] else shape[2] :] = labels.fill_value
        return start, binned

    options = {"fill_value": labels.fill_value, "attributes": attributes}
    with io.new_volume(args.output, shape, labels.dtype, size_nm, origin_nm, args.record, **options) as store:
        for start, binned in in_order(bin_slab, store.slabs(), args.threads):
            if binned is not None:
                store.write(start, binned)


if __name__ == "__main__":
    run(main)
