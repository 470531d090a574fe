"""Make the gray values of the slices of an aligned volume even (normalization.slices), before regions are cut out or anything is predicted.

Methods: equalize, match (to the pooled histogram of some evenly spaced slices), percentile, clahe. Streams over the volume. Slices that
alignment left out are corrected too, and are in no reference. Table, a row per slice: z, n_voxels (without padding), mean_before,
sd_before, mean_after, sd_after (gray values), ks_before, ks_after (distance of its histogram to the pooled one), ks_shape
(brightness and contrast taken out), flag and left_out. Flags: constant (one gray value, left as it is), empty (all padding), bright_or_dark
(ks_before stands out), unlike (ks_shape stands out: other content, where a correction exaggerates).
"""

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io
from densecell import slice_distances as distances
from densecell import slice_intensity as intensity
from densecell.parallel import in_order
from progress import Progress


def reference_counts(image, padding, n, threads):
    """[(L,) counts] of n evenly spaced slices that alignment kept (of all slices, where it kept none).

    Raises ValueError where they hold fewer than two gray values: nothing could be made even by them.
    """
    left_out = set(image.attributes["left_out_slices"])
    kept = [z for z in range(image.shape[0]) if z not in left_out] or range(image.shape[0])
    chosen = intensity.spaced_slices(kept, n)
    found = list(in_order(lambda z: intensity.image_counts(image[z : z + 1], padding), chosen, threads))
    if np.count_nonzero(sum(found)) < 2:
        raise ValueError(
            f"normalization.slices: at least two gray values beside the padding ({padding}) are expected in the reference slices "
            f"{show(chosen)}, found fewer; look at the stack, correct volumes.padding, or raise normalization.reference_slices"
        )
    return found


def show(numbers):
    """The first few numbers of a list."""
    return ", ".join(map(str, numbers[:10])) + (", ..." if len(numbers) > 10 else "")


def groups_of(counts, correction, dtype):
    """The groups of gray values that histograms are kept in, (before, after), from the counts of the reference slices."""
    if intensity.SLICE_METHODS[correction.method] is None:  # spreads over the whole range
        return distances.value_groups(sum(counts)), distances.value_groups(np.ones(len(counts[0]), np.int64))
    after = np.zeros(len(counts[0]), np.int64)
    for before in counts:
        after += intensity.corrected_counts(before, correction, dtype)
    return distances.value_groups(sum(counts)), distances.value_groups(after)


def prepared(image, args):
    """(Correction, groups of gray values) of a volume. Raises ValueError for what can't be corrected."""
    intensity.check_method(args.method, image.dtype)
    intensity.check_padding(args.padding, image.dtype)
    counts = reference_counts(image, args.padding, args.reference_slices, args.threads)
    clip, tiles = args.clahe["clip"], tuple(args.clahe["tiles"])
    correction = intensity.Correction(args.method, args.padding, sum(counts), clip, tiles)
    return correction, groups_of(counts, correction, image.dtype)


def corrected_slab(image, slab, correction, groups):
    """(first slice, corrected slab, a record per slice: what `slice_table` needs)."""
    planes, records = image[slice(*slab)], []
    for plane in planes:
        plane[:], before, after = intensity.correct_slice(plane, correction)
        records.append(
            {
                "before": distances.moments(before),
                "after": distances.moments(after),
                "n_values": np.count_nonzero(before),
                "histograms": [distances.grouped(c, g) for c, g in zip((before, after), groups)],
                "curve": distances.standardized(before),
            }
        )
    return slab[0], planes, records


def slice_table(records, left_out):
    """The table of all slices."""
    n_voxels, mean, sd = (np.array(column) for column in zip(*(r["before"] for r in records)))
    table = pd.DataFrame({"z": np.arange(len(records)), "n_voxels": n_voxels, "mean_before": mean, "sd_before": sd})
    table["mean_after"], table["sd_after"] = ([r["after"][i] for r in records] for i in (1, 2))
    is_left_out = np.isin(table["z"], list(left_out))
    n_values = np.array([r["n_values"] for r in records])
    in_pool = ~is_left_out & (n_values > 1)
    for i, name in enumerate(("ks_before", "ks_after")):
        table[name] = distances.ks_to_pooled(np.array([r["histograms"][i] for r in records]), in_pool)
    table["ks_shape"] = distances.shape_distances(np.array([r["curve"] for r in records]), n_voxels, in_pool)
    flags = {
        "empty": n_values == 0,
        "constant": n_values == 1,
        "bright_or_dark": distances.outliers(table["ks_before"].to_numpy(), in_pool),
        "unlike": distances.outliers(table["ks_shape"].to_numpy(), in_pool),
    }
    table["flag"] = [" ".join(name for name, found in flags.items() if found[z]) for z in table["z"]]
    table["left_out"] = is_left_out.astype(int)
    return table


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "aligned volume (OME-Zarr)")
    arguments.parameter("method", "equalize, match, percentile or clahe", required=True)
    arguments.parameter("padding", "gray value of voxels that are no image", int)
    arguments.parameter("reference_slices", "slices whose pooled histogram is the reference", int, 10)
    arguments.parameter("clahe", "JSON record: clip, tiles (y, x)", json_argument, {"clip": 2.0, "tiles": [8, 8]})
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("output", "corrected volume (OME-Zarr)")
    arguments.output("slices", "table of the slices (csv)")
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    image = io.open_volume(args.image)
    try:
        correction, groups = prepared(image, args)
    except ValueError as error:
        raise ValueError(f"{args.image}: {error}") from error
    attributes = {**image.attributes, "slices_corrected": args.method}
    records, progress = [], Progress(image.shape[0], "slices")
    with io.new_volume(
        args.output, image.shape, image.dtype, image.voxel_size_nm, image.origin_nm, args.record, attributes=attributes
    ) as store:
        work = in_order(lambda slab: corrected_slab(image, slab, correction, groups), store.slabs(), args.threads)
        for start, slab, found in work:
            store.write(start, slab)
            records += found
            progress.step(len(slab))
    table = slice_table(records, image.attributes["left_out_slices"])
    io.write_table(args.slices, table, args.record)
    flagged = ", ".join(f"{row.z} {row.flag}" for row in table.itertuples() if row.flag)
    sound = table[(table["left_out"] == 0) & (table["flag"] == "")]
    spread = [sound[f"mean_{when}"].std(ddof=0) for when in ("before", "after")]
    print(
        f"correct_intensity: {args.method}; standard deviation of the slices' mean gray value {spread[0]:.4g} before, {spread[1]:.4g} "
        f"after; flagged slices: {flagged or 'none'}"
    )


if __name__ == "__main__":
    run(main)
