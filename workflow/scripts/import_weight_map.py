"""Import ready-made error weights of a train region (float32, 0 where unlabelled): floor + what the file holds.

The file covers the whole volume and holds class balance + edges without the floor, as the weights released with Guay et
al. 2021 do (doi 10.1038/s41598-021-81590-0); the floor is added to every labelled voxel, as in computed maps. Refused: a
shape other than the volume's, NaN or infinite values, negative weights.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io, raw_formats
from densecell.classes import UNLABELLED
from progress import Progress


def read_weights(source, z, y, x, path):
    """One slice of the region, (Y, X) float32. Raises ValueError for what is no weight."""
    weights = np.asarray(source.read_slice(z))[y, x].astype(np.float64)
    n_bad, n_negative = int((~np.isfinite(weights)).sum()), int((weights < 0).sum())
    if n_bad or n_negative:
        found = f"{n_bad} NaN or infinite and {n_negative} negative ones"
        raise ValueError(
            f"{path}: expected weights of 0 or more, found {found} in slice {z}. Check that weight_maps: path names a file of error weights."
        )
    return weights


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("weights", "the stored weights (TIFF or OME-Zarr)", foreign=True)
    arguments.input("volume", "aligned volume on which they lie (OME-Zarr)")
    arguments.input("image", "the normalized region (OME-Zarr), for its place")
    arguments.input("labels", "labels of the region (OME-Zarr)")
    arguments.parameter("axes", "order of the axes in the file, e.g. zyx", default="zyx")
    arguments.parameter("floor", "weight added to every labelled voxel", json_argument, 0.01)
    arguments.output("output", "weights (OME-Zarr)")
    args = arguments.parse(argv)

    source, volume = raw_formats.open_source([args.weights], args.axes), io.open_volume(args.volume)
    labels, image = io.open_volume(args.labels), io.open_volume(args.image)
    if source.shape != volume.shape:
        raise ValueError(
            f"{args.weights}: expected the shape of the volume, {volume.shape} (z, y, x), found {source.shape} with axes {args.axes}. Correct weight_maps: path or axes."
        )
    (z0, _), *sides = image.attributes["box"]
    y, x = (slice(*side) for side in sides)
    progress = Progress(labels.shape[0], "slices")
    with io.new_volume(
        args.output, labels.shape, np.float32, labels.voxel_size_nm, labels.origin_nm, args.record
    ) as store:
        for start, stop in store.slabs():
            stored = [read_weights(source, z0 + z, y, x, args.weights) for z in range(start, stop)]
            labelled = labels[start:stop] != UNLABELLED
            store.write(start, np.where(labelled, np.stack(stored) + args.floor, 0).astype(np.float32))
            progress.step(stop - start)


if __name__ == "__main__":
    run(main)
