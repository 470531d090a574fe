"""A folder of raw stacks of which each has one fault, and the configuration that names them all. Seeded.

The stacks are blobs that change as fast along z as in the plane (in nm), of seven classes with a gray value each.
"""

import numpy as np
import tifffile
from scipy import ndimage

SIDE, N_SLICES = 192, 14

# what `./run.sh check` must find, and nothing else: (finding, volume, key)
EXPECTED = {
    ("axes_swapped", "swapped", "volumes[1].axes"),
    ("blank_slice", "blank", "volumes[2].path"),
    ("duplicate_slice", "copy", "volumes[3].path"),
    ("misaligned_slice", "moved", "volumes[4].alignment.method"),
    ("contrast_inverted", "negative", "volumes[5].path"),
    ("unreadable", "truncated", "volumes[6].path"),
    ("configuration", "", "volumes[7].path"),  # a slice number is missing
    ("label_value", "sound", "labels[0].values"),
    ("class_missing", "", "regions"),
    ("guard_gap", "sound", "regions"),
}


def pieces(n):
    """(images, labels) of n stacks, each (N_SLICES, SIDE, SIDE) uint8."""
    gray, shares = np.array([200, 120, 90, 70, 150, 50, 30]), (0.35, 0.75, 0.82, 0.88, 0.94, 0.97)
    images, labels = [], []
    for seed in range(n):
        rng = np.random.default_rng(seed)
        blobs = ndimage.gaussian_filter(rng.normal(size=(N_SLICES, SIDE, SIDE)), (1.2, 6, 6))
        labels.append(np.digitize(blobs, np.quantile(blobs, shares)).astype(np.uint8))
        images.append(np.clip(gray[labels[-1]] + rng.normal(0, 8, blobs.shape), 0, 255).astype(np.uint8))
    return images, labels


def make(folder):
    """Write the stacks into `folder`; returns the sections of the configuration that are about them."""
    (sound, swapped, blank, copy, moved, negative, truncated, gap), labels = pieces(8)
    blank[5] = 90
    copy[8] = copy[7]
    moved[6] = np.roll(moved[6], (25, -18), axis=(0, 1))
    negative = 255 - negative
    stacks = {"sound": sound, "swapped": swapped.transpose(2, 1, 0), "blank": blank, "copy": copy, "moved": moved}
    stacks |= {"negative": negative, "truncated": truncated}
    for name, stack in stacks.items():
        tifffile.imwrite(folder / f"{name}.tif", np.ascontiguousarray(stack), photometric="minisblack")
    whole = (folder / "truncated.tif").read_bytes()
    (folder / "truncated.tif").write_bytes(whole[: len(whole) * 2 // 3])
    (folder / "gap").mkdir()
    for z in [*range(4), *range(5, N_SLICES)]:
        tifffile.imwrite(folder / "gap" / f"{z:03d}.tif", gap[z])
    painted = labels[0]
    painted[:, 100:] = np.where(painted[:, 100:] == 2, 1, painted[:, 100:])  # no mitochondrion in eval
    painted[3, 20:24, 30:35] = 77
    tifffile.imwrite(folder / "labels.tif", painted, photometric="minisblack")

    return sections(folder, [*stacks, "gap"])


def sections(folder, names):
    """The configuration's sections for these stacks in `folder`; "gap" is a folder of slices, the first has the labels."""

    def volume(name):
        path = folder / (name if name == "gap" else f"{name}.tif")
        return {"name": name, "path": str(path), "axes": "zyx", "voxel_size_nm": [50, 10, 10]}

    label_source = {"name": "truth", "volume": names[0], "path": str(folder / "labels.tif"), "axes": "zyx"}
    regions = [
        {"name": "train", "volume": names[0], "role": "train", "y": [0, 100], "labels": {"reference": "truth"}},
        {"name": "eval", "volume": names[0], "role": "eval", "y": [102, SIDE], "labels": {"reference": "truth"}},
    ]
    return {
        "volumes": [volume(name) for name in names],
        "labels": [label_source],
        "regions": regions,
        "prediction": {"full_volumes": []},
        "instances": [],
        "results_dir": str(folder / "results"),
    }
