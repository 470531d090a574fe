"""Draw sparse labels of a phantom, as people make them: a folder of one mask (0 or 255) per labelled slice.

The masks come from the true labels; each is named by its slice, z0000.tif. Of an incomplete slice every other object is
drawn. With values: cells the slices hold the numbers of the true cells (uint32, 0 none) in place of masks.
"""

from pathlib import Path

from command_line import Arguments, json_argument, run
from densecell import files, io, raw_formats
from densecell.sparse_drawing import draw_mask, draw_numbers


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "true labels of the phantom, or its cells (TIFF)")
    arguments.parameter("voxel_size_nm", "JSON list (z, y, x)", json_argument, required=True)
    arguments.parameter("drawn", "JSON record: name, values, slices, incomplete_slices", json_argument, required=True)
    arguments.output("output_folder", "folder for the masks")
    args = arguments.parse(argv)

    labels, drawn, folder = raw_formats.open_source([args.labels], "zyx"), args.drawn, Path(args.output_folder)
    files.remove(folder)
    incomplete = set(drawn["incomplete_slices"])
    for z in sorted(incomplete.union(drawn["slices"])):
        if z >= labels.shape[0]:
            raise ValueError(
                f"phantom[].sparse '{drawn['name']}': expected slices of 0 to {labels.shape[0] - 1}, found {z}; correct "
                "slices or incomplete_slices."
            )
        plane, is_complete = labels.read_slice(z), z not in incomplete
        mask = (
            draw_numbers(plane, is_complete)
            if drawn["values"] == "cells"
            else draw_mask(plane, drawn["values"], is_complete)
        )
        io.write_tiff(
            folder / f"z{z:04d}.tif", [mask[None]], (1, *mask.shape), mask.dtype, args.voxel_size_nm, args.record
        )
    print(f"draw_sparse_labels: {drawn['name']}, {len(drawn['slices'])} slices, {len(incomplete)} incomplete")


if __name__ == "__main__":
    run(main)
