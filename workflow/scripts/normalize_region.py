"""Cut a region out of an aligned volume, with context around it, and normalize its intensities (float32).

Scope `region`: by the statistics of the region's own voxels (Guay et al. 2021, doi 10.1038/s41598-021-81590-0); scope
`volume`: by those of the whole volume (--intensity). Slices that alignment left out and padding don't count. The stored attributes:
`box`, the region in the aligned volume; `inner`, the region in the stored box; `normalization`, the numbers used; `binning`, the raw
voxels of one (z, y, x).
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.normalization import IntensityStatistics, normalize
from densecell.parallel import in_order
from densecell.shifts import raw_to_aligned


def aligned_box(region, image):
    """[(start, stop)] (z, y, x) of a region given in the aligned volume. Raises ValueError where it lies outside."""
    box = []
    for axis, size in zip("zyx", image.shape):
        start, stop = region.get(axis) or (0, size)
        if not 0 <= start < stop <= size:
            raise ValueError(
                f"regions.{region['name']}.{axis}: expected a range within 0 to {size}, the size of the aligned, cropped volume, found "
                f"[{start}, {stop}]. Make the range smaller, or give it in raw voxels (frame: raw)."
            )
        box.append((start, stop))
    return box


def raw_box(region, image, shifts):
    """[(start, stop)] in the aligned volume of a region given in raw voxels: what every slice's moved box has in common.

    Parts that alignment cropped away are cut off.
    """
    binning, crop = image.attributes["binning"], image.attributes["crop"]
    ranges = {a: (r[0] // f, -(-r[1] // f)) for a, f in zip("zyx", binning) if (r := region.get(a))}
    z = aligned_box({"name": region["name"], "z": ranges.get("z")}, image)[0]
    first, last = ([[i, *(ranges.get(a, (0, 0))[end] for a in "yx")] for i in range(*z)] for end in (0, 1))
    starts, stops = (raw_to_aligned(c, shifts, (crop[0][0], crop[1][0])).astype(int) for c in (first, last))
    box = [z]
    for column, (axis, size) in enumerate(zip("yx", image.shape[1:]), 1):
        start, stop = (
            (max(starts[:, column].max(), 0), min(stops[:, column].min(), size)) if axis in ranges else (0, size)
        )
        if start >= stop:
            raise ValueError(
                f"regions.{region['name']}.{axis}: expected raw voxels that the aligned, cropped volume still holds in all slices, found "
                f"{list(region[axis])}, of which alignment leaves nothing. Move or widen the range."
            )
        box.append((int(start), int(stop)))
    return box


def region_statistics(image, box, method, threads=1, padding=None):
    """The numbers that normalize the voxels of `box` by themselves, those of the gray value `padding` left out."""
    left_out = set(image.attributes["left_out_slices"])

    def measure(start):
        stop = min(start + image.slab_depth, box[0][1])
        kept = [z not in left_out for z in range(start, stop)]
        values = image[start:stop, slice(*box[1]), slice(*box[2])]
        return IntensityStatistics().update(values if all(kept) else values[kept], padding=padding)

    statistics = IntensityStatistics()
    for of_slab in in_order(measure, range(*box[0], image.slab_depth), threads):
        statistics.add(of_slab)
    return statistics.fit(method)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "aligned or corrected volume (OME-Zarr)")
    arguments.input("shifts", "shift table of the volume (csv), for regions in raw voxels", required=False)
    arguments.input("intensity", "numbers of the whole volume (json), for scope volume", required=False)
    arguments.parameter("region", "JSON record: name, frame, z, y, x (null: all)", json_argument, required=True)
    arguments.parameter("method", "zscore, percentile, unit or none", default="zscore")
    arguments.parameter("padding", "gray value of voxels that are no image and don't count", int)
    arguments.parameter("scope", "region or volume", default="region")
    arguments.parameter("context", "JSON list of voxels around the region (z, y, x)", json_argument, [0, 0, 0])
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "normalized region (OME-Zarr)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    image, region, name = io.open_volume(args.image), args.region, args.region["name"]
    if args.scope == "region" and any(args.context):
        raise ValueError(
            f"normalization.context: expected [0, 0, 0] with scope region, found {args.context}. Set scope: volume."
        )
    in_raw = region.get("frame") == "raw"
    box = raw_box(region, image, io.read_table(args.shifts)) if in_raw else aligned_box(region, image)
    try:
        numbers = (
            files.read_json(args.intensity)
            if args.scope == "volume"
            else region_statistics(image, box, args.method, args.threads, args.padding)
        )
    except ValueError as error:
        raise ValueError(f"regions.{name}: {error}") from error
    outer = [(max(a - c, 0), min(b + c, n)) for (a, b), c, n in zip(box, args.context, image.shape)]
    inner = [[a - o, b - o] for (a, b), (o, _) in zip(box, outer)]
    attributes = {"box": [list(r) for r in box], "inner": inner, "normalization": numbers}
    attributes["binning"] = image.attributes["binning"]
    shape = tuple(b - a for a, b in outer)
    origin_nm = [o + a * size for o, (a, _), size in zip(image.origin_nm, outer, image.voxel_size_nm)]
    z0, y, x = outer[0][0], slice(*outer[1]), slice(*outer[2])

    def normalize_slab(slab):
        return slab[0], normalize(image[z0 + slab[0] : z0 + slab[1], y, x], numbers)

    with io.new_volume(
        args.output, shape, np.float32, image.voxel_size_nm, origin_nm, args.record, attributes=attributes
    ) as store:
        for start, normalized in in_order(normalize_slab, store.slabs(), args.threads):
            store.write(start, normalized)
    print(
        f"normalize_region: {name}: z, y, x = {box} of the aligned volume, mean {numbers['mean']:.6g}, std {numbers['std']:.6g}"
    )


if __name__ == "__main__":
    run(main)
