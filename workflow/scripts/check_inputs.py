"""Gather what is wrong with the inputs, decide whether to go on, and write it as a table (docs/checks.md).

Adds to the findings of check_volume.py what volumes, labels and regions say about each other: label values without a class,
classes that a role lacks, regions that lie too close, the same slices in two volumes, and gray values that differ from the
training's. Label images are read in full, slice by slice. With findings of severity error it fails and lists all findings;
checks.stop_at: never lets it pass, checks.accept makes single findings notes.
"""

import itertools

import numpy as np
import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import files, findings, io, raw_formats, region_checks
from densecell.classes import Classes
from densecell.findings import Finding
from densecell.sparse_labels import Placement
from import_labels import SemanticLabels, class_mapping, value_codes

WHOLE = {
    "annotates": None,
    "slices": None,
    "boxes": None,
    "complete": True,
    "incomplete_slices": [],
}  # a source of everything


def finding_of(record, key, volume):
    """A Finding of a volume's record; its key is completed by the volume's."""
    told = record["key"] if record["key"].startswith("normalization") else f"{key}.{record['key']}"
    return Finding(**{**record, "key": told, "volume": volume, "slices": tuple(record["slices"])})


def reference_of(region):
    """Names of the label sources that make up a region's reference."""
    names = region["labels"].get("reference") or ()
    return [names] if isinstance(names, str) else list(names)


def label_boxes(labels, regions, volume, shape):
    """{region: its box (z, y, x) in the voxels of a label source} of the regions that use it as reference."""
    factors = volume["binning"] if labels["frame"] == "aligned" else (1, 1, 1)
    boxes = {}
    for region in regions:
        if labels["name"] in reference_of(region):
            box = region_checks.region_box(region, shape, volume["binning"])
            box = [(a // f - o, -(-b // f) - o) for (a, b), f, o in zip(box, factors, labels["origin"])]
            boxes[region["name"]] = [(max(a, 0), max(b, 0)) for a, b in box]
    return boxes


def with_files(sources, paths):
    """The records of label sources with their files, `n_files` of `paths` each."""
    paths = iter(paths)
    return [{**labels, "paths": list(itertools.islice(paths, labels["n_files"]))} for labels in sources]


def read_labels(labels, regions, volume, shape, classes, passing=()):
    """(findings, {region: voxels (256,) of each class}) of a source of labels; numbered objects count as their one class."""
    counts, where, key = {}, f"labels {labels['name']}", "path"
    told = {**WHOLE, **labels, "origin_voxels": labels["origin"]}
    try:
        source = raw_formats.open_source(labels["paths"], labels["axes"])
        is_color = len(source.shape) == 4 and source.shape[3] > 2
        values, is_mapped = labels["values"], is_color
        if labels["kind"] == "instance":  # every number, gray or color, is an object, and 0 is none
            values, is_mapped = None, False
        mapping = class_mapping(values, classes, is_mapped, labels["name"], told["annotates"])
        converter, key = SemanticLabels(*mapping, len(classes)), "slices" if told["slices"] else "path"
        placed = Placement(labels["name"], source.shape, labels["paths"], told, classes)
        boxes = label_boxes(labels, regions, volume, shape) if shape else {}
        counts = {name: np.zeros(256, np.int64) for name in boxes}
        for at, z in placed.index.items():
            codes = value_codes(source.read_slice(z), f"{labels['paths'][0]}, slice {z}")
            plane = placed.convert(converter, codes, at)
            for name, (in_z, in_y, in_x) in boxes.items():
                if in_z[0] <= at - placed.origin[0] < in_z[1]:
                    counts[name] += np.bincount(plane[slice(*in_y), slice(*in_x)].ravel(), minlength=256)
    except passing:
        raise
    except (ValueError, OSError) as error:
        todo = "Copy the file again, or correct path, axes and values of the labels."
        return [
            Finding(
                "unreadable",
                "error",
                where,
                "label images",
                str(error),
                f"{labels['key']}.{key}",
                todo,
                labels["volume"],
            )
        ], {}
    found = region_checks.unknown_values(labels["name"], labels["volume"], labels["key"], converter.unknown, is_color)
    facts = {**placed.attributes, "name": labels["name"], "frame": labels["frame"], "n_slices": shape and shape[0]}
    where = {name: [z + placed.origin[0] for z in box[0]] for name, box in boxes.items()}
    sparse = region_checks.sparse_labels(facts, labels["key"], volume, regions, where)
    return [*found, *sparse], counts


def annotated_classes(settings, classes):
    """{region: names of the classes that a source of its reference annotates}."""
    by_source = {s["name"]: s.get("annotates") or classes.names for s in settings["labels"]}
    return {r["name"]: {n for s in reference_of(r) for n in by_source.get(s, ())} for r in settings["regions"]}


def roughly_placed(regions, sources, volumes):
    """Names of the regions whose labels are moved against them by the shifts and the crop of the alignment."""
    frames = {labels["name"]: labels["frame"] for labels in sources}
    pairs = [(r, frames.get(s)) for r in regions if volumes[r["volume"]]["is_aligned"] for s in reference_of(r)]
    return {r["name"] for r, frame in pairs if frame not in (None, r["frame"])}


def check_all(settings, overviews, passing=()):
    """All findings. settings: what the rules tell (rules/checks.smk); overviews: {volume: record of check_volume.py}.

    passing: errors in reading labels that are raised and not told.
    """
    classes, regions = Classes.from_records(settings["classes"]), settings["regions"]
    volumes = {v["name"]: v for v in settings["volumes"]}
    shapes = {name: tuple(o["shape"]) for name, o in overviews.items() if "shape" in o}
    found = [finding_of(f, volumes[name]["key"], name) for name, o in overviews.items() for f in o["findings"]]
    counts, read = {}, set()
    for labels in settings["labels"]:
        if labels["kind"] == "semantic" or len(labels.get("annotates") or ()) == 1:
            of_labels, of_regions = read_labels(
                labels, regions, volumes[labels["volume"]], shapes.get(labels["volume"]), classes, passing
            )
            found += of_labels
            counts = {**counts, **{name: n + counts.get(name, 0) for name, n in of_regions.items()}}
            read |= {(labels["name"], name) for name in of_regions}
    for region in regions:  # of a region with a source that could not be read, or is not there yet, nothing is told
        if any((name, region["name"]) not in read for name in reference_of(region)):
            counts.pop(region["name"], None)
    region_key, rough = {r["name"]: r["key"] for r in regions}, roughly_placed(regions, settings["labels"], volumes)
    annotated = annotated_classes(settings, classes)
    found += region_checks.class_presence(counts, regions, classes.names, region_key, rough, annotated)
    guard_nm, context = settings["checks"]["guard_nm"], settings["normalization"]["context"]
    found += region_checks.guard_gaps(regions, volumes, shapes, guard_nm, context)
    looks = {name: o["looks"] for name, o in overviews.items() if "looks" in o}
    contents = {name: o["contents"] for name, o in overviews.items() if "looks" in o}
    found += region_checks.same_data(volumes, looks, contents, regions, shapes)
    known = {n: o for n, o in overviews.items() if o.get("std") and None not in o["percentiles"].values()}
    trained = sorted({r["volume"] for r in regions if r["role"] == "train"})
    keys = {name: volume["key"] for name, volume in volumes.items()}
    found += region_checks.intensities(known, trained, settings["normalization"]["method"], keys)
    return findings.in_order(findings.accepted(found, settings["checks"]["accept"]))


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input(
        "overviews", "records of check_volume.py, one per volume, in the order of the volumes", several=True
    )
    arguments.input("label_files", "the files of all label sources", several=True, foreign=True, required=False)
    arguments.parameter(
        "settings", "JSON: classes, volumes, labels, regions, normalization, checks", json_argument, required=True
    )
    arguments.output("output", "all findings (csv)")
    args = arguments.parse(argv)

    names = [v["name"] for v in args.settings["volumes"]]
    args.settings["labels"] = with_files(args.settings["labels"], args.label_files)
    found = check_all(args.settings, dict(zip(names, map(files.read_json, args.overviews))), raw_formats.PassingFailure)
    report = findings.report(found)
    if args.settings["checks"]["stop_at"] == "error" and any(f.severity == "error" for f in found):
        raise ValueError(
            f"{report}\n\nThe run stops here. Correct the errors, or go on with checks.stop_at: never, or with "
            "the names of the findings that are meant so in checks.accept (docs/checks.md)."
        )
    print(report)
    io.write_table(args.output, pd.DataFrame(findings.rows(found), columns=list(findings.COLUMNS)), args.record)


if __name__ == "__main__":
    run(main)
