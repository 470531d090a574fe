"""Synthesize a FIB-SEM stack of a tumor with known truth: classes, cells, organelles, filopodia, drift, curtains.

Writes image and labels (uint8), cells and organelles (uint32) as TIFF, features.csv with a row per object, and truth.csv
with a row per slice: z, dy_px and dx_px (where the content of the slice lies relative to slice 0), gain, offset and flag
(''). The two presets differ in contrast, noise, drift, shape of the nuclei, holes of the nucleoli and gaps between
cells; cells are `miniature` times smaller than life.
"""

from dataclasses import replace
from pathlib import Path

import pandas as pd

from command_line import Arguments, json_argument, run
from densecell import io, tumor_phantom

PRESETS = {"biopsy1": 0, "biopsy2": 1}  # places in tumor_phantom.two_samples
VOLUMES = ("image", "labels", "cells", "organelles")


def sample_settings(record):
    """tumor_phantom.SampleSettings of a configuration's record: name, seed, shape, voxel_size_nm, preset, miniature,
    filopodia (null: the preset's).
    """
    if record["preset"] not in PRESETS:
        raise ValueError(
            f"phantom.{record['name']}.preset: expected one of {', '.join(PRESETS)}, found {record['preset']!r}."
        )
    preset = tumor_phantom.two_samples(tuple(record["shape"]))[PRESETS[record["preset"]]]
    tissue = preset.tissue
    if record["filopodia"] is not None:
        tissue = replace(tissue, filopodia=record["filopodia"])
    return replace(
        preset,
        name=record["name"],
        seed=record["seed"],
        voxel_size_nm=tuple(record["voxel_size_nm"]),
        miniature=record["miniature"],
        tissue=tissue,
    )


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.parameter(
        "settings",
        "JSON record: name, seed, shape, voxel_size_nm, preset, miniature, filopodia",
        json_argument,
        required=True,
    )
    arguments.output("output_folder", "folder for the TIFFs, features.csv and truth.csv")
    args = arguments.parse(argv)

    sample = tumor_phantom.make_sample(sample_settings(args.settings))
    folder = Path(args.output_folder)
    for name in VOLUMES:
        volume = getattr(sample, name)
        io.write_tiff(
            folder / f"{name}.tif", [volume], volume.shape, volume.dtype, args.settings["voxel_size_nm"], args.record
        )
    io.write_table(folder / "features.csv", pd.DataFrame(sample.features), args.record)
    io.write_table(folder / "truth.csv", pd.DataFrame(sample.truth), args.record)
    kinds = pd.Series(sample.features["kind"]).value_counts().sort_index()
    counts = ", ".join(f"{n} {kind}" for kind, n in kinds.items())
    print(f"make_tumor_phantom: {args.settings['name']}, (z, y, x) = {sample.image.shape}; {counts}")


if __name__ == "__main__":
    run(main)
