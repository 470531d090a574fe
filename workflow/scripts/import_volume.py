"""Import a raw stack (multipage TIFF, OME-TIFF, TIFF or PNG slices, OME-Zarr) as an OME-Zarr volume.

Integer types are kept, bool becomes uint8 and float64 float32. Refused: color images, NaN or infinite values, stacks whose
voxels are all equal, slices of different shapes, and a shape other than the declared one. Sizes are in nm, axes (z, y, x).
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io, raw_formats
from progress import Progress

STORED_TYPES = {"bool": np.uint8, "float64": np.float32, "float16": np.float32}


def stored_type(source, paths):
    """The dtype a source is stored in. Raises ValueError for color and for what is no number."""
    if len(source.shape) == 4:
        raise ValueError(
            f"{paths[0]}: expected gray values, found a color image with {source.shape[3]} samples per pixel. Save one channel "
            "(EM stacks saved as RGB hold the same values three times), in Fiji: Image > Type > 8-bit."
        )
    if source.dtype.kind not in "buif":
        raise ValueError(f"{paths[0]}: expected integers or floats, found {source.dtype}.")
    return np.dtype(STORED_TYPES.get(source.dtype.name, source.dtype.newbyteorder("=")))


def read_slab(source, start, stop, dtype):
    """Slices [start, stop) as (z, Y, X) `dtype`. Raises ValueError naming the slice with NaN or infinite values."""
    slab = np.empty((stop - start, *source.shape[1:]), dtype)
    for z in range(start, stop):
        image = source.read_slice(z)
        with np.errstate(over="ignore"):  # float64 beyond float32 becomes infinite and is refused below
            slab[z - start] = image
        n_bad = image.size - np.count_nonzero(np.isfinite(slab[z - start])) if dtype.kind == "f" else 0
        if n_bad:
            raise ValueError(
                f"slice {z} holds {n_bad} NaN or infinite values (as {dtype}). Repair the slice, or fill it with one value: it is then flagged as blank."
            )
    return slab


def describe(source, voxel_size_nm, dtype, paths):
    """One line about what is imported, to be compared with what one expects."""
    sizes = ", ".join(
        f"{axis}={n} of {size:g} nm ({n * size / 1000:.4g} um)"
        for axis, n, size in zip("ZYX", source.shape, voxel_size_nm)
    )
    n_bytes = np.prod([int(n) for n in source.shape]) * dtype.itemsize
    which = f"{paths[0]}" if len(paths) == 1 else f"{len(paths)} files, {paths[0]} to {paths[-1]}"
    return f"import_volume: {sizes}, {dtype}, {n_bytes / 1e6:,.1f} MB, from {which}"


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("paths", "one stack, or its slices in order", several=True, foreign=True)
    arguments.parameter("axes", "order of the axes in the files, e.g. zyx", required=True)
    arguments.parameter("voxel_size_nm", "JSON list (z, y, x)", json_argument, required=True)
    arguments.parameter("origin_nm", "JSON list (z, y, x): center of voxel 0", json_argument, [0, 0, 0])
    arguments.parameter("shape", "JSON list (z, y, x) the stack must have, or null", json_argument)
    arguments.output("output", "the volume (OME-Zarr)")
    args = arguments.parse(argv)

    source = raw_formats.open_source(args.paths, args.axes)
    dtype = stored_type(source, args.paths)
    print(describe(source, args.voxel_size_nm, dtype, args.paths), flush=True)
    if args.shape and tuple(args.shape) != source.shape:
        raise ValueError(
            f"{args.paths[0]}: expected the shape {tuple(args.shape)} (volumes: shape), found {source.shape} with axes {args.axes}. Correct shape, axes or path."
        )
    low, high = [], []
    progress = Progress(source.shape[0], "slices")
    with io.new_volume(args.output, source.shape, dtype, args.voxel_size_nm, args.origin_nm, args.record) as store:
        for start, stop in store.slabs():
            slab = read_slab(source, start, stop, dtype)
            low.append(slab.min())
            high.append(slab.max())
            store.write(start, slab)
            progress.step(stop - start)
        if min(low) == max(high):
            raise ValueError(f"{args.paths[0]}: every voxel of the stack is {min(low)}. Check the path and the file.")


if __name__ == "__main__":
    run(main)
