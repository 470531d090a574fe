"""Score a segmentation of a region as tissue against background: overlap, borders and gaps between touching cells.

A source is an ensemble (the labels of its chosen k and its 8-bit class probabilities) or a volume of another program
(probabilities or labels). Probabilities p are foreground where p > t, strictly, for each t of --settings; labels are one
point without a threshold. Voxels the reference leaves unlabelled are not counted. Writes volume, region, reference,
experiment (the source), predictor, role, threshold (nan for labels), class, measure, value, unit. The measures are those
of densecell.foreground and densecell.boundaries (Guay et al. 2021, doi 10.1038/s41598-021-81590-0, Fig. 4).
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import boundaries, files, foreground, io, raw_formats
from densecell.classes import BACKGROUND, UNLABELLED, Classes
from progress import Progress


class Map(NamedTuple):
    """One map of a region: `read(z)` gives a (Y, X) plane, stored probabilities or, for labels, bool foreground."""

    predictor: str
    is_probability: bool
    shape: tuple
    dtype: np.dtype
    maximum: float | None
    read: Callable


def n_files(record):
    """How many of the files belong to a source."""
    if record["kind"] == "ensemble":
        return record["n_background"] + len(record["predictors"])
    return record["n_files"]


def open_maps(record, paths, chosen, classes):
    """The maps of a source: [labels, probabilities] of an ensemble, one map of another program.

    record: {"name", "kind": "ensemble", "n_background", "predictors"}, its files being the probabilities of the background
    group and then the labels of each predictor; or {"name", "kind": "probability" or "labels", "axes", "maximum",
    "n_files"}. chosen: the member list of the ensemble's chosen k (path).
    """
    if record["kind"] == "ensemble":
        return _maps_of_ensemble(record, paths, chosen, classes)
    source = raw_formats.open_source(paths, record["axes"])
    if len(source.shape) != 3:
        raise ValueError(f"{paths[0]}: expected one value per voxel, found a color image of shape {source.shape}")
    if record["kind"] == "labels":
        return [Map("external", False, source.shape, source.dtype, None, lambda z: source.read_slice(z) > 0)]
    maximum = record["maximum"] if record["maximum"] is not None else foreground.default_maximum(source.dtype)
    return [Map("external", True, source.shape, source.dtype, maximum, source.read_slice)]


def _maps_of_ensemble(record, paths, chosen, classes):
    probabilities = [io.open_volume(path) for path in paths[: record["n_background"]]]
    predictor = f"top{files.read_json(chosen)['k']}"
    labels = io.open_volume(paths[record["n_background"] + record["predictors"].index(predictor)])

    def inside(z):
        return foreground.is_foreground(labels.read_slice(z), classes.group_ids)

    def probability(z):
        return foreground.foreground_of_background([volume.read_slice(z) for volume in probabilities])

    return [
        Map(predictor, False, labels.shape, labels.dtype, None, inside),
        Map(predictor, True, probabilities[0].shape, np.dtype(np.uint8), 255, probability),
    ]


def score(reference, maps, classes, settings, progress):
    """Rows [(predictor, threshold, class, measure, value, unit)] of the maps of one source, slice by slice."""
    pixel_nm, gap_nm, tolerance_nm = reference.voxel_size_nm[1:], settings["gap_nm"], settings["boundary_tolerance_nm"]
    thresholds = [settings["thresholds"] if m.is_probability else [None] for m in maps]
    sums = [np.zeros((len(ts), len(boundaries.SUMS))) for ts in thresholds]
    counts = [
        foreground.ThresholdCounts(ts, m.maximum, m.dtype) if m.is_probability else np.zeros((1, 2, 2), np.int64)
        for m, ts in zip(maps, thresholds)
    ]
    for z in range(reference.shape[0]):
        labels = reference.read_slice(z)
        valid, truth = labels != UNLABELLED, foreground.is_foreground(labels, classes.group_ids)
        known = boundaries.pieces(truth, valid, gap_nm, pixel_nm)
        for m, ts, total, counted in zip(maps, thresholds, sums, counts):
            plane = m.read(z)
            if m.is_probability:
                counted.add(truth, valid, plane)
            else:
                counted += foreground.count_two(truth[valid], plane[valid])
            for i, t in enumerate(ts):
                found = foreground.above(plane, m.maximum, t) if m.is_probability else plane
                seen = boundaries.pieces(found, valid, gap_nm, pixel_nm)
                total[i] += boundaries.compare(known, seen, tolerance_nm)
        progress.step()
    rows = []
    for m, ts, total, counted in zip(maps, thresholds, sums, counts):
        confusions = counted.confusions() if m.is_probability else counted
        for t, confusion, of_slices in zip(ts, confusions, total):
            at = (m.predictor, np.nan if t is None else t)
            rows += [(*at, *row) for row in foreground.overlap_rows(confusion)]
            rows += [(*at, *row) for row in boundaries.boundary_rows(of_slices)]
    return rows


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("reference", "reference labels of the region (OME-Zarr, uint8, 255 = unlabelled)")
    arguments.input("files", "files of the source, in the order that --source says", several=True, foreign=True)
    arguments.input("chosen", "member list of the ensemble's chosen k (json)", required=False)
    arguments.parameter("source", "JSON record of the source", json_argument, required=True)
    arguments.parameter("keys", "JSON record of volume, region, reference, role", json_argument, required=True)
    arguments.parameter("settings", "JSON: thresholds, boundary_tolerance_nm, gap_nm", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.output("output", "scores (csv)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    if BACKGROUND not in classes.group_ids:
        raise ValueError("classes: expected at least one of group background, found none")
    reference = io.open_volume(args.reference)
    maps = open_maps(args.source, args.files, args.chosen, classes)
    for m in maps:
        if tuple(m.shape) != reference.shape:
            raise ValueError(
                f"{args.files[0]}: expected the shape of the region {args.keys['region']}, (z, y, x) = "
                f"{reference.shape}, found {tuple(m.shape)}; crop the volume to the region, or correct its axes"
            )
    rows = score(reference, maps, classes, args.settings, Progress(reference.shape[0], "slices"))
    table = pd.DataFrame(rows, columns=["predictor", "threshold", "class", "measure", "value", "unit"])
    keys = {key: args.keys[key] for key in ("volume", "region", "reference")}
    for position, (column, value) in enumerate({**keys, "experiment": args.source["name"]}.items()):
        table.insert(position, column, value)
    table.insert(table.columns.get_loc("predictor") + 1, "role", args.keys["role"])
    io.write_table(args.output, table, args.record)


if __name__ == "__main__":
    run(main)
