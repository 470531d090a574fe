"""Measure the texture of each object: co-occurrence of gray levels, zones of one level, and the pattern spectrum.

Object by object: its box is cut out of the instance volume and of the EM image, made isotropic where voxels aren't, and measured inside
the object alone. Orphans of a tracking are left out. Writes volume, objects, source, class, instance, measure, value, unit, flag: words with
spaces between, few_voxels (too few to measure, values nan), reduced (the box has more than max_voxels: measured in larger voxels),
touches_border (part of the object may be outside the volume). Machireddy et al. 2023; docs/method.md.
"""

from functools import partial

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io, texture
from densecell.isotropic import block_means
from densecell.objects import BOX
from densecell.parallel import in_order
from densecell.reduction import reduction_factors
from progress import Progress

COLUMNS = ["volume", "objects", "source", "class", "instance", "measure", "value", "unit", "flag"]
SLAB_VOXELS = 2**24  # of a box that are reduced at once


def read_object(image, instances, row, max_voxels):
    """(image, mask, voxel size in nm, whether it is reduced) of one object in its box, (Z, Y, X) each, of at most max_voxels.

    row: of the object table. Blocks are means of the object's own voxels, read some slices at a time.
    """
    (z0, y0, x0), (z1, y1, x1) = ([int(getattr(row, name)) for name in BOX[i::2]] for i in (0, 1))
    shape = z1 - z0, y1 - y0, x1 - x0
    factors = reduction_factors(shape, image.voxel_size_nm, max_voxels)
    is_reduced = factors != (1, 1, 1)
    depth = factors[0] * max(1, SLAB_VOXELS // (shape[1] * shape[2] * factors[0])) if is_reduced else shape[0]
    boxes = [(slice(z, min(z + depth, z1)), slice(y0, y1), slice(x0, x1)) for z in range(z0, z1, depth)]
    parts = [block_means(image[box], instances[box] == row.instance, factors) for box in boxes]
    gray, mask = (np.concatenate(arrays) for arrays in zip(*parts))
    return gray, mask, tuple(size * n for size, n in zip(image.voxel_size_nm, factors)), is_reduced


def gray_range_of(image, instances, rows, settings, threads):
    """(darkest, brightest) gray value of all objects; None without any."""

    def limits(row):
        gray, mask, _, _ = read_object(image, instances, row, settings["max_voxels"])
        return (gray[mask].min(), gray[mask].max()) if mask.any() else None

    found = [pair for pair in in_order(limits, rows, threads) if pair]
    return (float(min(low for low, _ in found)), float(max(high for _, high in found))) if found else None


def measured(image, instances, settings, gray_range, keys, row):
    """The rows of one object, as a DataFrame of COLUMNS."""
    gray, mask, voxel_nm, is_reduced = read_object(image, instances, row, settings["max_voxels"])
    values = texture.measure(gray, mask, voxel_nm, settings, gray_range)
    is_small = values["voxels"] < texture.SMALLEST_VOXELS
    flags = {"few_voxels": is_small, "reduced": is_reduced, "touches_border": row.touches_border}
    columns = {**keys, "instance": row.instance, "measure": list(values), "value": list(values.values())}
    columns["unit"] = [texture.unit(name) for name in values]
    columns["flag"] = " ".join(flag for flag, holds in flags.items() if holds)
    return pd.DataFrame(columns)[COLUMNS]


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("instances", "one number per object (OME-Zarr)")
    arguments.input("objects", "table of the objects (csv)")
    arguments.input("image", "EM image of the same voxels (OME-Zarr)")
    arguments.parameter("keys", "JSON record of volume, objects, source, class", json_argument, required=True)
    arguments.parameter("settings", "JSON record, as texture in the configuration", json_argument, required=True)
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "texture (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    image, instances = io.open_volume(args.image), io.open_volume(args.instances)
    if image.shape != instances.shape:
        raise ValueError(
            f"{args.image}: expected the shape of the objects {args.instances}, {instances.shape}, found {image.shape}"
        )
    table = io.read_table(args.objects)
    rows = list(table[table["orphan"] == 0].itertuples(index=False))
    gray_range = None
    if args.settings["range"] == "global":
        gray_range = gray_range_of(image, instances, rows, args.settings, args.threads)
    progress = Progress(len(rows), "objects")

    def parts():
        yield pd.DataFrame(columns=COLUMNS)
        job = partial(measured, image, instances, args.settings, gray_range, args.keys)
        for part in in_order(job, rows, args.threads):
            yield part
            progress.step()

    io.write_table(args.output, parts(), args.record)


if __name__ == "__main__":
    run(main)
