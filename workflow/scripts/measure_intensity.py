"""Measure the intensities of an aligned volume: the numbers that normalize it as a whole.

Streams over the volume; slices that alignment left out (blank, destroyed, duplicate, jump) and padding don't count. Writes a JSON
record with method, count (voxels), mean, std and, for percentiles, low and high, for unit, full, in gray values.
"""

from command_line import Arguments, run
from densecell import files, io
from densecell.normalization import IntensityStatistics
from densecell.parallel import in_order
from progress import Progress


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "aligned or corrected volume (OME-Zarr)")
    arguments.parameter("method", "zscore, percentile, unit or none", default="zscore")
    arguments.parameter("padding", "gray value of voxels that are no image and don't count", int)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "the numbers (json)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    image = io.open_volume(args.image)
    left_out = set(image.attributes["left_out_slices"])

    def measure(slab):
        kept = [z not in left_out for z in range(*slab)]
        values = image[slice(*slab)]
        return len(values), IntensityStatistics().update(values if all(kept) else values[kept], padding=args.padding)

    statistics, progress = IntensityStatistics(), Progress(image.shape[0], "slices")
    for n_slices, of_slab in in_order(measure, image.slabs(), args.threads):
        statistics.add(of_slab)
        progress.step(n_slices)
    try:
        numbers = statistics.fit(args.method)
    except ValueError as error:
        raise ValueError(f"{args.image}: {error}") from error
    files.write_json(args.output, numbers, args.record)


if __name__ == "__main__":
    run(main)
