"""Synthesize an SBF-SEM stack of platelets with known truth: classes, cells, organelles, drift, destroyed slices.

Writes image, labels, annotator_1, annotator_2 (uint8), cells and organelles (uint32) as TIFF and truth.csv with a row per
slice: z, dy_px and dx_px (where the content of the slice lies relative to slice 0), gain, offset and flag ('' or
'destroyed'). The two presets differ in contrast, noise and drift; shapes and class shares follow Guay et al. 2021 (doi
10.1038/s41598-021-81590-0).
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io, phantom

PRESETS = {"subject1": 0, "subject2": 1}  # places in phantom.two_subjects
VOLUMES = ("image", "labels", "annotator_1", "annotator_2", "cells", "organelles")


def subject_settings(record):
    """phantom.SubjectSettings of a configuration's record: name, seed, shape, voxel_size_nm, preset."""
    if record["preset"] not in PRESETS:
        raise ValueError(
            f"phantom.{record['name']}.preset: expected one of {', '.join(PRESETS)}, found {record['preset']!r}."
        )
    preset = phantom.two_subjects(tuple(record["shape"]))[PRESETS[record["preset"]]]
    return replace(preset, name=record["name"], seed=record["seed"], voxel_size_nm=tuple(record["voxel_size_nm"]))


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.parameter(
        "settings", "JSON record: name, seed, shape, voxel_size_nm, preset", json_argument, required=True
    )
    arguments.output("output_folder", "folder for the TIFFs and truth.csv")
    args = arguments.parse(argv)

    subject = phantom.make_subject(subject_settings(args.settings))
    folder = Path(args.output_folder)
    for name in VOLUMES:
        volume = getattr(subject, name)
        io.write_tiff(
            folder / f"{name}.tif", [volume], volume.shape, volume.dtype, args.settings["voxel_size_nm"], args.record
        )
    io.write_table(folder / "truth.csv", pd.DataFrame(subject.truth), args.record)
    print(f"make_phantom: {args.settings['name']}, (z, y, x) = {subject.image.shape}, {subject.cells.max()} cells")


if __name__ == "__main__":
    run(main)
