"""Export numbered objects as a compressed NIfTI file that keeps the voxel size (in µm); ITK-SNAP and 3D Slicer open it.

Numbers up to 65,535 are written with 16 bits, which is what ITK-SNAP's labels have, larger ones with 32; what nobody labelled is 0.
"""

import gzip

import numpy as np

from command_line import Arguments, run
from densecell import files, io
from densecell.classes import UNLABELLED_INSTANCE
from densecell.nifti import header, label_dtype
from progress import Progress


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("instances", "numbers of the objects (OME-Zarr, uint32)")
    arguments.input("objects", "table of the objects (csv)")
    arguments.output("output", "the NIfTI file (.nii.gz)")
    args = arguments.parse(argv)

    volume = io.open_volume(args.instances)
    largest = max(io.read_table(args.objects).instance, default=0)
    dtype = label_dtype(largest)
    progress = Progress(len(volume.slabs()), "slabs")
    with (
        files.writing(args.output, args.record) as partial,
        open(partial, "wb") as raw,
        # neither name nor time in the file, so that equal objects give equal bytes
        gzip.GzipFile("", "wb", compresslevel=6, fileobj=raw, mtime=0) as packed,
    ):
        packed.write(header(volume.shape, dtype, volume.voxel_size_nm, volume.origin_nm))
        for start, stop in volume.slabs():
            slab = volume[start:stop]
            slab = np.where(slab == UNLABELLED_INSTANCE, 0, slab)
            if slab.max() > largest:
                raise ValueError(
                    f"{args.instances}: expected numbers up to {largest}, the largest in {args.objects}, found {slab.max()}. Delete "
                    "both; the next run makes them again."
                )
            packed.write(np.ascontiguousarray(slab, dtype=dtype.newbyteorder("<")))
            progress.step()


if __name__ == "__main__":
    run(main)
