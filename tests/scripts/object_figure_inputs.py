"""Small made-up objects that the tests of their figures share: a volume with cells, nuclei and nucleoli, and tables of them."""

import numpy as np
import pandas as pd

from densecell import io
from densecell.objects import count_objects

VOXEL_NM = (40, 20, 20)
SHAPE = (12, 60, 80)
KEYS = ["volume", "objects", "source", "class", "instance", "measure", "value", "unit", "flag"]


def write(folder, name, array, **options):
    path = folder / f"{name}.ome.zarr"
    io.write_volume(path, array, VOXEL_NM, record={}, **options)
    return str(path)


def image(folder):
    return write(folder, "image", np.random.default_rng(0).integers(60, 200, SHAPE).astype(np.uint8))


def table(path, rows, columns):
    io.write_table(path, pd.DataFrame(rows, columns=columns), {})
    return str(path)


def cells():
    """Two cells side by side, 1 and 3, and a small one, 7."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[:, 10:50, 5:40], labels[:, 10:50, 40:75], labels[:, 52:58, 60:70] = 1, 3, 7
    return labels


def pierced():
    """1: a box with a closed cavity in slices 4 and 5; 2: one with a channel along z; 3: at the border, with a larger cavity."""
    labels = np.zeros(SHAPE, np.uint32)
    labels[2:8, 10:30, 10:30], labels[2:8, 34:54, 10:30], labels[2:8, 20:40, 60:80] = 1, 2, 3
    labels[4:6, 18:22, 18:22] = 0
    labels[:, 40:44, 18:22] = 0
    labels[3:7, 26:34, 66:74] = 0
    return labels


def object_table(folder, name, labels):
    """(path of the volume, path of the table) of the objects of an array."""
    path = write(folder, name, labels)
    io.write_table(folder / f"{name}.csv", count_objects(io.open_volume(path)), {})
    return path, str(folder / f"{name}.csv")


def measures(values, volume="v", objects="nuclei", flags=()):
    """Rows of KEYS: {measure: values of the objects 1, 2, ...}; flags: {instance: flag}."""
    return [
        (volume, objects, "main", "nucleus", i, measure, value, "1", dict(flags).get(i, ""))
        for measure, column in values.items()
        for i, value in enumerate(column, start=1)
    ]
