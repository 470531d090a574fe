"""Small stacks and labels for the tests of the scripts: written by the scripts' own writers, read back as arrays."""

import json

import numpy as np

from densecell import io

CLASSES = [
    {"name": "background", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "granule", "group": "organelle"},
]
CLASSES_JSON = json.dumps(CLASSES)
VOXEL_SIZE_NM = (50.0, 10.0, 10.0)


def random_image(shape, seed=0, dtype=np.uint8):
    """Noise without structure."""
    return np.random.default_rng(seed).integers(0, 255, shape).astype(dtype)


def textured_stack(n_slices, shape_yx, steps, seed=0):
    """A stack of one smooth texture whose content moves by whole pixels: steps (n_slices, 2) are its positions (y, x)."""
    rng = np.random.default_rng(seed)
    margin = 16
    world = rng.normal(size=(shape_yx[0] + 2 * margin, shape_yx[1] + 2 * margin))
    for axis in (0, 1):  # a box filter of 5 px, so that neighboring pixels correlate
        world = sum(np.roll(world, k, axis) for k in range(-2, 3)) / 5**0.5
    noise = rng.normal(scale=0.1, size=(n_slices, *shape_yx))
    planes = [world[margin - y : margin - y + shape_yx[0], margin - x : margin - x + shape_yx[1]] for y, x in steps]
    return np.clip(128 + 40 * (np.stack(planes) + noise), 0, 255).astype(np.uint8)


def save(path, array, voxel_size_nm=VOXEL_SIZE_NM, **options):
    """Write an array as a volume with its sidecar; returns the path as text."""
    io.write_volume(path, array, voxel_size_nm, record={}, **options)
    return str(path)


def load(path):
    """The whole array of a volume."""
    return io.open_volume(path)[:]


def imported_labels(path, array, image_shape, origin=(0, 0, 0), frame="raw", n_classes=3, **options):
    """Write semantic labels (or instances, if uint32) as import_labels does."""
    kind = "semantic" if array.dtype == np.uint8 else "instance"
    attributes = {"kind": kind, "frame": frame, "origin_voxels": list(origin), "image_shape": list(image_shape)}
    if kind == "semantic":
        attributes["class_counts"] = [int((array == c).sum()) for c in range(n_classes)]
    return save(path, array, fill_value=255 if kind == "semantic" else 2**32 - 1, attributes=attributes, **options)
