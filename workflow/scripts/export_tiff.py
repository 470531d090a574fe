"""Export a volume as one multipage TIFF that keeps its voxel size (z, y, x); ImageJ and Fiji open it."""

from command_line import Arguments, run
from densecell import io


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("volume", "volume (OME-Zarr)")
    arguments.output("output", "the TIFF")
    args = arguments.parse(argv)

    volume = io.open_volume(args.volume)
    slabs = (volume[start:stop] for start, stop in volume.slabs())
    io.write_tiff(args.output, slabs, volume.shape, volume.dtype, volume.voxel_size_nm, args.record)


if __name__ == "__main__":
    run(main)
