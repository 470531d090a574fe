"""A small volume of cells with nuclei and granules, as the scripts of contents read it: stores, tables, networks."""

import json

import numpy as np
import pandas as pd

from densecell import files, io
from densecell.assignment import CONTENTS
from densecell.contents_bias import COLUMNS
from densecell.objects import ObjectTable

VOXEL_NM = (50, 10, 10)
RECORDS = [
    {"name": "background", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "granule", "group": "organelle", "inside": "cell"},
    {"name": "core", "group": "organelle", "inside": "granule"},
]
CLASSES = json.dumps(RECORDS)
COLORS = json.dumps({"background": "#000000", "cell": "#006400", "granule": "#00008b", "core": "#8b0000"})


def class_map(grown=0):
    """Two cells of 10 x 10 x 10 and 10 x 8 x 10 voxels; a granule with its core in the first, two granules in the second, one of
    them with more than half outside. grown: voxels that the granule of the first cell is larger along x."""
    labels = np.zeros((12, 20, 26), np.uint8)
    labels[1:11, 1:11, 1:11] = 1
    labels[1:11, 1:9, 14:24] = 1
    labels[3:7, 3:7, 3 : 7 + grown] = 2
    labels[4:6, 4:6, 4:6] = 3
    labels[3:5, 3:5, 16:18] = 2
    labels[3:5, 3:5, 22:26] = 2  # half of it and no more lies in the cell
    return labels


def cells():
    numbers = np.zeros((12, 20, 26), np.uint32)
    numbers[1:11, 1:11, 1:11] = 5
    numbers[1:11, 1:9, 14:24] = 8
    return numbers


def granules():
    numbers, labels = np.zeros((12, 20, 26), np.uint32), class_map()
    for i, (left, right) in enumerate(((1, 11), (14, 20), (20, 26)), start=1):
        numbers[..., left:right][labels[..., left:right] >= 2] = i
    return numbers


def write_objects(folder, numbers, name):
    """A store of numbers and its table; their paths."""
    path, table = folder / f"{name}.ome.zarr", ObjectTable(numbers.shape, VOXEL_NM)
    io.write_volume(path, numbers, VOXEL_NM, record={})
    table.add(0, numbers)
    io.write_table(folder / f"{name}.csv", table.table(), {})
    return str(path), str(folder / f"{name}.csv")


def write_members(folder, grown=(-1, 0, 1)):
    """A folder with the class maps of networks whose first granule is smaller or larger."""
    for i, more in enumerate(grown):
        io.write_volume(folder / "members" / f"net_seed{i}.ome.zarr", class_map(more), VOXEL_NM, record={})
    return str(folder / "members")


def contents(bias=True):
    """The gathered table of one record `cells` of volume `v` with two classes, 40 cells, of which one in four is cut."""
    rows, rng = [], np.random.default_rng(0)
    for i in range(41):
        for name, share in (("background", 0.0), ("cell", 0.88), ("granule", 0.1), ("core", 0.02)):
            n = int(1000 * (1 + i % 7) * share * (1 + 0.2 * rng.random()))
            sd = 0.1 * share if i else np.nan
            number = (i % 5 if name == "granule" else pd.NA), (i % 4 if name == "granule" else pd.NA)
            told = (0.07, "volume fraction", "test (test) of w") if bias and name == "granule" else (np.nan, "", "")
            spread = (share, sd, share - sd, share + sd)
            fraction = share if i else np.nan
            rows.append(("v", "cells", i, int(i == 40), int(i % 4 == 0), "hybrid", name, n, n * 5e-6, fraction, *spread, 3, n * 5e-6, fraction, *number, *told))  # fmt: skip
    return pd.DataFrame(rows, columns=[*CONTENTS, *COLUMNS]).astype({"n_objects": "Int64", "n_confirmed": "Int64"})


def write_chosen(folder, name="hybrid", k=2):
    path = folder / f"chosen_{name}.json"
    members = [{"experiment": name, "seed": seed} for seed in range(1, k + 1)]
    files.write_json(path, {"name": name, "k": k, "members": members, "experiments": [name]}, {})
    return str(path)
