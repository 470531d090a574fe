"""Sparse label sources on their way through the scripts: files, import, binning, alignment, region, targets, weight map."""

import json

import numpy as np
import pandas as pd
import stacks
import tifffile

import align_labels
import bin_labels
import build_weight_map
import extract_labels
import extract_targets
import import_labels
from densecell import io

CLASSES = [
    {"name": "background", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "nucleus", "group": "organelle", "inside": "cell"},
    {"name": "nucleolus", "group": "organelle", "inside": "nucleus"},
    {"name": "vessel", "group": "organelle"},
]
NAMES = [c["name"] for c in CLASSES]
SHAPE = (6, 24, 26)  # of the raw stack
WEIGHTS = {"class_weight_power": 1, "edge_amplitude": 0.882, "edge_sigma_px": 2, "edge_threshold": 0.1, "edge_scale": 1, "floor": 0.01}  # fmt: skip


def save_slices(folder, planes):
    """{z: (Y, X)} as files z0000.tif, ...; their paths as texts, in order."""
    folder.mkdir(parents=True, exist_ok=True)
    for z, plane in planes.items():
        tifffile.imwrite(folder / f"z{z:04d}.tif", plane)
    return [str(folder / f"z{z:04d}.tif") for z in sorted(planes)]


def import_source(folder, name, paths, image_shape=SHAPE, classes=CLASSES, **options):
    """Import label files; options as for import_labels.py. The path of the store."""
    image = folder / "image.ome.zarr"
    if not image.exists():
        stacks.save(image, stacks.random_image(image_shape))
    output = folder / f"labels_{name}.ome.zarr"
    words = [w for key, value in options.items() for w in ("--" + key.replace("_", "-"), as_text(value))]
    arguments = ["--paths", *paths, "--image", image, "--axes", "zyx", "--classes", json.dumps(classes), *words]
    import_labels.main([*map(str, arguments), "--output", str(output)])
    return output


def as_text(value):
    return value if isinstance(value, str) and value in ("aligned", "raw", "instance") else json.dumps(value)


def bin_source(store, folder, factors, classes=CLASSES):
    folder.mkdir(exist_ok=True)
    output = folder / store.name
    words = ["--labels", store, "--binning", json.dumps(factors), "--classes", json.dumps(classes), "--output", output]
    bin_labels.main(list(map(str, words)))
    return output


def shift_table(path, applied, shape_yx):
    """The shift table of slices that are moved by `applied` (Z, 2) whole pixels, with the crop that leaves no fill."""
    applied = np.array(applied)
    table = pd.DataFrame({"z": range(len(applied)), "left_out": 0})
    table[["applied_y_px", "applied_x_px"]] = applied
    table[["y_px", "x_px"]] = -applied
    low, high = np.maximum(applied.max(axis=0), 0), np.array(shape_yx) + np.minimum(applied.min(axis=0), 0)
    table[["crop_y0", "crop_y1", "crop_x0", "crop_x1"]] = [low[0], high[0], low[1], high[1]]
    io.write_table(path, table, {})
    return table


def align_source(store, folder, shape, table, shifts, frame="raw"):
    """shape: of the aligned volume."""
    folder.mkdir(exist_ok=True)
    image, output = folder / "image.ome.zarr", folder / store.name
    if not image.exists():
        stacks.save(image, stacks.random_image(shape))
    align_labels.main(list(map(str, ["--labels", store, "--image", image, "--shifts", shifts, "--frame", frame, "--output", output])))  # fmt: skip
    return output


class Region:
    """The last steps: a region of the aligned volume with label stores `aligned`."""

    def __init__(self, folder, aligned, box, shifts, classes=CLASSES, role="test"):
        folder.mkdir(exist_ok=True)
        inner = [[0, b - a] for a, b in box]
        image = stacks.save(
            folder / "image.ome.zarr",
            stacks.random_image([b - a for a, b in box]),
            attributes={"box": box, "inner": inner},
        )
        self.folder, self.classes, self.role = folder, json.dumps(classes), role
        self.words = [
            "--labels",
            *map(str, aligned),
            "--image",
            image,
            "--shifts",
            str(shifts),
            "--classes",
            self.classes,
        ]

    def labels(self):
        output = str(self.folder / "labels.ome.zarr")
        extract_labels.main([*self.words, "--role", self.role, "--output", output])
        return io.open_volume(output)

    def target(self, name):
        output = str(self.folder / f"{name}.ome.zarr")
        extract_targets.main([*self.words, "--role", self.role, "--target", name, "--output", output])
        return io.open_volume(output)

    def boundary(self, name, class_name, width_px):
        output = str(self.folder / f"{name}.ome.zarr")
        words = ["--role", self.role, "--target", name, "--boundary"]
        extract_targets.main(
            [*self.words, *words, json.dumps({"class": class_name, "width_px": width_px}), "--output", output]
        )
        return io.open_volume(output)

    def weights(self):
        output, labels = str(self.folder / "weights.ome.zarr"), str(self.folder / "labels.ome.zarr")
        words = [
            "--labels",
            labels,
            "--all-labels",
            labels,
            "--settings",
            json.dumps(WEIGHTS),
            "--classes",
            self.classes,
        ]
        build_weight_map.main([*words, "--output", output])
        return io.open_volume(output)


def through(folder, sources, factors=(1, 1, 1), applied=None, box=None, role="test", classes=CLASSES):
    """A Region of sources {name: (paths, options of the import)} after all steps before it."""
    folder.mkdir(exist_ok=True)
    binned_shape = [-(-n // f) for n, f in zip(SHAPE, factors)]
    applied = np.zeros((binned_shape[0], 2), int) if applied is None else np.array(applied)
    table = shift_table(folder / "shifts.csv", applied, binned_shape[1:])
    crop = table.iloc[0]
    shape = (binned_shape[0], crop.crop_y1 - crop.crop_y0, crop.crop_x1 - crop.crop_x0)
    stores = []
    for name, (paths, options) in sources.items():
        store = import_source(folder, name, paths, classes=classes, **options)
        binned = bin_source(store, folder / "binned", list(factors), classes)
        stores.append(align_source(binned, folder / "aligned", shape, table, folder / "shifts.csv", options.get("frame", "raw")))  # fmt: skip
    box = box or [[0, int(n)] for n in shape]
    return Region(folder / "region", stores, box, folder / "shifts.csv", classes, role)
