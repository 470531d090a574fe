"""Synthetic input of the benchmarks, seeded: a drifting texture, two label volumes, networks with their member list.

Everything is written slab by slab, so that a volume may be larger than memory.
"""

import json

import numpy as np

from densecell import files, io

CLASSES = ("background", "cell", "mitochondrion", "alpha_granule", "canalicular", "dense_granule", "dense_core")
GROUPS = ("background", "cell", *["organelle"] * 5)
CLASSES_JSON = json.dumps([{"name": n, "group": g} for n, g in zip(CLASSES, GROUPS)])
VOXEL_SIZE_NM = (50.0, 10.0, 10.0)
RECORD = {"params": {}, "code": "", "parents": {}}


def texture(side, seed=0):
    """A smooth periodic texture (side, side), mean 128, standard deviation 40."""
    frequency = np.hypot(np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)[None])
    noise = np.fft.rfft2(np.random.default_rng(seed).standard_normal((side, side)))
    plane = np.fft.irfft2(noise / (0.02 + frequency) ** 1.5, s=(side, side))
    return 128 + 40 * (plane - plane.mean()) / plane.std()


class Stack:
    """Slices (side, side) uint8 of an image and of labels that change slowly along z."""

    def __init__(self, side):
        self.base, self.patterns = texture(side), [texture(side, seed) for seed in (1, 2)]

    def image(self, z):
        """The base texture, moved by a few pixels to and fro, with fresh noise."""
        moved = np.roll(self.base, (z % 5, -(z % 3)), axis=(0, 1))
        noise = np.random.default_rng([3, z]).normal(0, 4, moved.shape)
        return np.clip(moved + noise, 0, 255).astype(np.uint8)

    def labels(self, z, shift=1.0):
        """Every class in equal parts (shift 1), or the higher ones more often."""
        mixed = np.cos(z / 20) * self.patterns[0] + np.sin(z / 20) * self.patterns[1]
        levels = shift * np.linspace(0, 1, len(CLASSES) + 1)[1:-1]
        return np.searchsorted(np.quantile(mixed, levels), mixed).astype(np.uint8)


def write_slabs(path, depth, side, make_slice, **options):
    """A uint8 volume whose slice z is make_slice(z), written slab by slab."""
    shape = (depth, side, side)
    with io.new_volume(path, shape, np.uint8, VOXEL_SIZE_NM, record=RECORD, **options) as store:
        for start, stop in store.slabs():
            store.write(start, np.stack([make_slice(z) for z in range(start, stop)]))


def write_stack(folder, depth, side):
    """image, reference and predicted as OME-Zarr, and intensity.json, in `folder`."""
    stack = Stack(side)
    attributes = {"binning": [1, 1, 1], "crop": [[0, side], [0, side]], "left_out_slices": []}
    write_slabs(folder / "image.ome.zarr", depth, side, stack.image, attributes=attributes)
    write_slabs(folder / "reference.ome.zarr", depth, side, stack.labels, fill_value=255)
    write_slabs(folder / "predicted.ome.zarr", depth, side, lambda z: stack.labels(z, 0.9))
    numbers = {"method": "zscore", "mean": 128.0, "std": 40.0, "count": depth * side**2}
    files.write_json(folder / "intensity.json", numbers, RECORD)


def write_members(folder, networks, name, options, window):
    """Checkpoints of `networks` (an instance of the network `name` each) and their member list, members.json."""
    from densecell import checkpoints  # here, as it needs torch

    members = []
    for seed, network in enumerate(networks, 1):
        spec = {
            "network": name, "options": options, "classes": list(CLASSES), "targets": list(CLASSES),
            "activation": "softmax", "decision": "argmax", "normalization": [], "window": list(window),
            "seeds": {"seed": seed},
        }  # fmt: skip
        checkpoints.write_checkpoint(folder / f"seed{seed}.safetensors", network.state_dict(), spec, RECORD)
        members.append({"experiment": "e", "seed": seed, "checkpoint": f"seed{seed}.safetensors", "eval_miou": 0.5})
    files.write_json(folder / "members.json", {"members": members}, RECORD)
