"""Check a raw stack: slices that stand out, gray values, axes and voxel size; reads every slice once, writes no image.

Writes a table with a row per slice (docs/outputs.md), a JSON record with the findings, the distribution of the gray values
and the correlations along the axes, and a small volume of pictures of the slices that stand out with their neighbors. What is
wrong with the stack is told in the record and never fails this job: check_inputs.py gathers all and decides.
"""

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run, tell
from densecell import files, io, raw_formats
from densecell.findings import Finding
from densecell.slice_checks import check_stack
from densecell.slice_statistics import COLUMNS, THUMBNAIL_PX, block_means, measure_stack
from densecell.source_files import source_files
from densecell.spacing_checks import implied_z_step_nm
from progress import Progress

N_SHOWN = 5  # slices that stand out, each shown between its neighbors


def open_gray(paths, axes, passing=()):
    """(source, findings): the raw stack, or None and why it can't be one. Errors of the types `passing` are raised."""
    try:
        source = raw_formats.open_source(paths, axes)
    except passing:
        raise
    except (ValueError, OSError) as error:
        todo = "Copy the file again, or correct path and axes."
        return None, [
            Finding("unreadable", "error", "the volume", "a stack that can be opened", str(error), "path", todo)
        ]
    if len(source.shape) == 4 or source.dtype.kind not in "buif":
        found = f"{source.shape[3]} samples per pixel" if len(source.shape) == 4 else str(source.dtype)
        todo = "Save one channel as gray values (Fiji: Image > Type > 8-bit)."
        return None, [Finding("color", "error", "the volume", "one gray value per pixel", found, "path", todo)]
    return source, []


def examine(paths, axes, voxel_size_nm, is_aligned_later, threads=1, with_progress=True, passing=()):
    """(source, Stack, findings) of a raw stack; the first two are None where it can't be opened. Errors of the types `passing` are
    raised and not told."""
    source, found = open_gray(paths, axes, passing)
    if source is None:
        return None, None, found
    progress = Progress(source.shape[0], "slices") if with_progress else None
    tell = (lambda z, n: progress.step()) if progress else None
    stack = measure_stack(source.read_slice, source.shape, source.dtype, threads, tell, passing)
    return source, stack, check_stack(stack, list(voxel_size_nm), is_aligned_later)


def overview(stack, voxel_size_nm, found):
    """What check_inputs.py needs to know of a volume, as JSON holds it."""
    record = {"findings": [f._asdict() for f in found]}
    if stack is None:
        return record
    means, stds = (stack.slices[c].astype(float) for c in ("mean", "std"))
    mean = float(np.nanmean(means)) if np.isfinite(means).any() else None
    std = float(np.sqrt(np.nanmean(stds**2 + (means - mean) ** 2))) if mean is not None else None
    return record | {
        "shape": stack.shape,
        "dtype": stack.dtype,
        "mean": mean,
        "std": std,
        "percentiles": {str(p): none_if_nan(v) for p, v in stack.percentiles.items()},
        "correlations": _without_nan(stack.correlations),
        "implied_z_step_nm": none_if_nan(implied_z_step_nm(stack, voxel_size_nm)),
        "looks": stack.slices["look"],
        "contents": stack.slices["content"],
    }


def none_if_nan(value):
    """A number, or None for nan, which JSON can't hold."""
    return None if not np.isfinite(value) else float(value)


def _without_nan(correlations):
    return {
        axis: [none_if_nan(v) for v in r] if isinstance(r, list) else none_if_nan(r) for axis, r in correlations.items()
    }


def shown_slices(found, stack):
    """The slices of the pictures: those that stand out, each between its neighbors; first, middle and last if none does."""
    n_slices = stack.shape[0]
    worst = list(dict.fromkeys(z for f in found if f.slices for z in f.slices if z not in stack.failures))[:N_SHOWN]
    centers = [min(max(z, 1), max(n_slices - 2, 0)) for z in sorted(worst)]
    rows = [[min(z + k, n_slices - 1) for k in (-1, 0, 1) if z + k >= 0] for z in centers]
    return worst, rows or [sorted({0, n_slices // 2, n_slices - 1})]


def pictures(source, rows, factor, limits):
    """(n, Y, X) uint8 thumbnails of the slices in `rows`, limits (darkest, brightest) shown as 0 and 255."""
    darkest, brightest = limits
    shown = []
    for z in (z for row in rows for z in row):
        try:
            values = source.read_slice(z)
            values = values.view(np.uint8) if values.dtype == bool else values
            thumbnail = np.nan_to_num(block_means(values, factor))
        except raw_formats.PassingFailure:
            raise
        except (ValueError, OSError):
            thumbnail = np.full([-(-n // factor) for n in source.shape[1:]], darkest)
        shown.append(np.clip((thumbnail - darkest) / max(brightest - darkest, 1e-9) * 255, 0, 255).astype(np.uint8))
    return np.stack(shown)


def main(argv=None):
    arguments = Arguments(__doc__)
    # no `input`, whose bytes are hashed for the record: that would read the stack twice, and import_volume.py does it
    arguments.parser.add_argument("--paths", nargs="+", required=True, help="one stack, or its slices in order")
    arguments.parameter("axes", "order of the axes in the files, e.g. zyx", required=True)
    arguments.parameter("voxel_size_nm", "JSON list (z, y, x)", json_argument, required=True)
    arguments.parameter("alignment", "alignment.method of the volume", default="none")
    arguments.setting("threads", "CPU threads", int, 1)
    arguments.output("slices", "table with a row per slice (csv)")
    arguments.output("overview", "findings and distribution (json)")
    arguments.output("pictures", "slices that stand out (OME-Zarr)")
    args = arguments.parse(argv)
    args.paths = source_files(args.paths)
    tell(reads=args.paths)

    # what may pass, such as a permission that lacks, fails the job, so that it runs again and no later run is stopped by it
    source, stack, found = examine(
        args.paths,
        args.axes,
        args.voxel_size_nm,
        args.alignment != "none",
        args.threads,
        passing=(raw_formats.PassingFailure,),
    )
    table = pd.DataFrame(stack.slices) if stack else pd.DataFrame(columns=list(COLUMNS))
    io.write_table(args.slices, table, args.record)
    worst, rows, shown, factor = [], [], np.zeros((1, 1, 1), np.uint8), 1
    if stack:
        worst, rows = shown_slices(found, stack)
        factor = -(-max(stack.shape[1:]) // THUMBNAIL_PX)
        limits = [stack.percentiles[p] for p in (0.5, 99.5)]
        shown = pictures(source, rows, factor, limits if np.isfinite(limits).all() else (0, 1))
    size = [args.voxel_size_nm[0], *(s * factor for s in args.voxel_size_nm[1:])]
    attributes = {"rows": rows, "stand_out": worst}
    io.write_volume(args.pictures, shown, size, record=args.record, attributes=attributes)
    files.write_json(args.overview, overview(stack, args.voxel_size_nm, found), args.record)
    for f in found:
        print(f"check_volume: {f.severity}: {f.finding}, {f.place}: {f.found}")


if __name__ == "__main__":
    run(main)
