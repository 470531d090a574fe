"""Align a binned stack by whole-pixel shifts in y and x, and crop it to the box that every slice fills.

Writes the aligned volume, a shift table and a score table. Shift table, a row per slice: dy_px, dx_px (how far the content
moved from the slice before), y_px, x_px, y_nm, x_nm (where the content lies), score (correlation), n_inliers, flag,
left_out (1: not trained on, measured or scored), applied_y_px, applied_x_px, and the crop box in the pixels of slice 0.
With --truth (the true positions in raw pixels) the score table holds errors of the shifts; their mean, pair_bias, is what
slanting tissue adds to every slice and alignment.detrend_window takes away. Method `none` moves nothing and
still flags slices.
"""

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import alignment, io
from densecell.parallel import in_order
from densecell.shifts import applied_shifts, crop_box
from progress import Progress

LEFT_OUT_FLAGS = ("blank", "duplicate", "destroyed", "jump")


def shift_table(image, settings, threads, progress):
    """The shift table of a volume, without the crop."""
    estimated = alignment.estimate_shifts(
        image.read_slice, image.shape[0], **settings, threads=threads, progress=lambda z, n: progress.step()
    )
    table = pd.DataFrame(estimated)
    _, size_y, size_x = image.voxel_size_nm
    table.insert(5, "y_nm", table["y_px"] * size_y)
    table.insert(6, "x_nm", table["x_px"] * size_x)
    table["left_out"] = table["flag"].isin(LEFT_OUT_FLAGS).astype(int)
    applied = applied_shifts(estimated).astype(int)
    table["applied_y_px"], table["applied_x_px"] = applied[:, 0], applied[:, 1]
    return table


def true_positions(truth, binning, depth):
    """Binned truth: content positions (depth, 2) in binned px (y, x) and, per slice, whether it is sound."""
    if len(truth) < (depth - 1) * binning[0] + 1 or len(truth) > depth * binning[0]:
        raise ValueError(
            f"truth: expected one row for each raw slice of {depth} slices binned by {binning[0]}, found {len(truth)}. Check volumes: truth."
        )
    group = np.arange(len(truth)) // binning[0]
    positions = truth[["dy_px", "dx_px"]].groupby(group).mean().to_numpy() / binning[1:]
    return positions, (truth["flag"] == "").groupby(group).all().to_numpy()


def score_rows(table, truth, binning):
    """(measure, value, unit) of a shift table; truth: the table of true positions or None."""
    is_left_out = table["left_out"].to_numpy() == 1
    rows = [("n_slices", len(table), "slices"), ("n_left_out", int(is_left_out.sum()), "slices")]
    if truth is None:
        return rows
    positions, is_sound = true_positions(truth, binning, len(table))
    usable = is_sound & ~is_left_out
    if not (usable[1:] & usable[:-1]).any():
        return rows  # no pair to compare
    found = table[["dy_px", "dx_px"]].to_numpy()
    differences = (found[1:] - np.diff(positions, axis=0))[usable[1:] & usable[:-1]]
    pair_errors = np.linalg.norm(differences, axis=1)
    drift = (table[["y_px", "x_px"]].to_numpy() - positions)[usable]
    drift_errors = np.linalg.norm(drift - drift[:1], axis=1)
    return [
        *rows,
        ("pair_error_median", float(np.median(pair_errors)), "px"),
        ("pair_error_max", float(pair_errors.max()), "px"),
        ("pair_bias", float(np.linalg.norm(differences.mean(axis=0))), "px"),
        ("drift_error_max", float(drift_errors.max()), "px"),
        ("true_drift_max", float(np.linalg.norm(positions - positions[:1], axis=1).max()), "px"),
        ("flagged_right", int((is_left_out & ~is_sound).sum()), "slices"),
        ("flagged_missed", int((~is_left_out & ~is_sound).sum()), "slices"),
        ("flagged_false", int((is_left_out & is_sound).sum()), "slices"),
    ]


def aligned_slab(image, table, box, start, stop):
    """Slices [start, stop) moved and cropped to `box` ((y0, y1), (x0, x1)), which every moved slice fills."""
    (y0, y1), (x0, x1) = box
    slab = np.empty((stop - start, y1 - y0, x1 - x0), image.dtype)
    moves = table[["applied_y_px", "applied_x_px"]].to_numpy()[start:stop]
    for target, plane, (y, x) in zip(slab, image[start:stop], moves):
        target[:] = plane[y0 - y : y1 - y, x0 - x : x1 - x]
    return slab


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "binned volume (OME-Zarr)")
    arguments.input("truth", "true positions (csv) to score the shifts with", required=False, foreign=True)
    arguments.parameter(
        "settings",
        "JSON record: method, max_shift_fraction, neighbors, detrend_window, seed",
        json_argument,
        {"method": "none"},
    )
    arguments.output("shifts", "shift table (csv)")
    arguments.output("score", "score table (csv): measure, value, unit", required=False)
    arguments.output("output", "aligned volume (OME-Zarr)")
    arguments.setting("threads", "CPU threads", int, 1)
    args = arguments.parse(argv)
    io.use_threads(args.threads)

    image = io.open_volume(args.image)
    depth, *shape_yx = image.shape
    progress = Progress(2 * depth, "slices")  # measured, then moved
    table = shift_table(image, args.settings, args.threads, progress)
    box = crop_box(table, shape_yx)
    for column, value in zip(("crop_y0", "crop_y1", "crop_x0", "crop_x1"), (*box[0], *box[1])):
        table[column] = value
    binning = image.attributes["binning"]
    left_out = table["z"][table["left_out"] == 1].tolist()
    attributes = {"binning": binning, "crop": [list(side) for side in box], "left_out_slices": left_out}
    shape = (depth, *(stop - start for start, stop in box))
    origin_nm = [o + c * size for o, c, size in zip(image.origin_nm, (0, box[0][0], box[1][0]), image.voxel_size_nm)]
    with io.new_volume(
        args.output, shape, image.dtype, image.voxel_size_nm, origin_nm, args.record, attributes=attributes
    ) as store:
        slabs = store.slabs()
        moved = in_order(lambda slab: aligned_slab(image, table, box, *slab), slabs, args.threads)
        for (start, stop), slab in zip(slabs, moved):
            store.write(start, slab)
            progress.step(stop - start)
    io.write_table(args.shifts, table, args.record)
    truth = io.read_foreign_table(args.truth, ("dy_px", "dx_px"), ("flag",)) if args.truth else None
    score = pd.DataFrame(score_rows(table, truth, binning), columns=["measure", "value", "unit"])
    if args.score:
        io.write_table(args.score, score, args.record)
    flagged = ", ".join(f"{z} {flag}" for z, flag in zip(table["z"], table["flag"]) if flag)
    print(f"align_volume: {image.shape} cropped to {shape} (z, y, x); flagged slices: {flagged or 'none'}")
    print(score.to_string(index=False))


if __name__ == "__main__":
    run(main)
