"""Bin a stack by block means over whole voxels, e.g. [1, 2, 2] (z, y, x).

Integer images stay integer, rounded half to even; a block cut by the border is averaged over the voxels it has. Binning
comes before alignment.
"""

from command_line import Arguments, json_argument, run
from densecell import binning, io
from densecell.parallel import in_order
from progress import Progress


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "imported volume (OME-Zarr)")
    arguments.parameter("binning", "JSON list of voxels per block (z, y, x)", json_argument, [1, 1, 1])
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "binned volume (OME-Zarr)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    image, factors = io.open_volume(args.image), args.binning
    size_nm = binning.binned_voxel_size_nm(image.voxel_size_nm, factors)
    origin_nm = binning.binned_origin_nm(image.origin_nm, image.voxel_size_nm, factors)
    shape = binning.binned_shape(image.shape, factors)

    def bin_slab(slab):
        return slab[0], binning.bin_image(image[slab[0] * factors[0] : slab[1] * factors[0]], factors)

    progress = Progress(shape[0], "slices")
    with io.new_volume(
        args.output, shape, image.dtype, size_nm, origin_nm, args.record, attributes={"binning": factors}
    ) as store:
        for start, binned in in_order(bin_slab, store.slabs(), args.threads):
            store.write(start, binned)
            progress.step(len(binned))


if __name__ == "__main__":
    run(main)
