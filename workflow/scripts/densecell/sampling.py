"""Training windows from labelled regions: deformed once per epoch, augmented one by one (Guay et al. 2021, Methods).

Every random draw comes from a generator keyed by (data seed, epoch, window).
"""

from dataclasses import dataclass

import numpy as np
import torch

from densecell import augmentation, windows
from densecell.classes import UNLABELLED


@dataclass
class Region:
    """A labelled region with the context around it.

    image: (Z, Y, X) float32 normalized, region plus context; labels (uint8, 255 = unlabelled) and weights (float32):
    same shape, unlabelled and 0 in the context; inner: three (start, stop) of the region in it.
    """

    image: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    inner: tuple

    @property
    def shape(self):
        return tuple(b - a for a, b in self.inner)


class Sampler:
    """The windows of one epoch over all training regions, deformed once for the epoch.

    What a window needs is made once per epoch, on the regions' device: images are deformed and mirrored as far as
    windows reach beyond them, and it is noted which windows hold a label. So a window is a slice, and taking one never
    makes the host wait for the device.
    """

    def __init__(self, regions, network, window, spacing, settings, data_seed):
        self.regions, self.window, self.spacing = regions, tuple(window), tuple(spacing)
        self.output = network.output_shape(window)
        self.settings, self.data_seed = settings["augmentation"], data_seed
        self.ranges = [float(r.image.max() - r.image.min()) for r in regions]
        self.complete = [not bool((r.labels == UNLABELLED).any()) for r in regions]
        self._epoch = None

    def count(self):
        """Windows per epoch."""
        return sum(windows.count_windows(r.shape, self.output, self.spacing) for r in self.regions)

    def start(self, epoch):
        """Draw the epoch's corners and deformation."""
        if epoch == self._epoch:
            return
        self._epoch, self.order, self.deformed = epoch, [], []
        for i, region in enumerate(self.regions):
            generator = np.random.default_rng([self.data_seed, epoch, i])
            corners = windows.draw_corners(region.shape, self.output, self.spacing, generator)
            image, labels, weights = region.image, region.labels, region.weights
            if self.settings["elastic"]:
                index = self._elastic_index(region, generator)
                image, labels, weights = (augmentation.deform(t, index) for t in (image, labels, weights))
            firsts = [tuple(int(c) + inner[0] for c, inner in zip(corner, region.inner)) for corner in corners]
            self.order += [(i, *window) for window in zip(firsts, self._labelled(i, labels, firsts))]
            self.deformed.append((*self._mirrored(region, image), labels, weights))
        if len(self.regions) > 1:
            order = np.random.default_rng([self.data_seed, epoch, len(self.regions)]).permutation(len(self.order))
            self.order = [self.order[i] for i in order]

    def _elastic_index(self, region, generator):
        """The epoch's flat source index of each pixel, on the region's device."""
        numbers = (self.settings[f"elastic_{name}"] for name in ("grid_px", "smoothing", "amplitude_px"))
        displacement = augmentation.elastic_displacement(region.image.shape[1:], generator, *numbers)
        return torch.from_numpy(augmentation.elastic_index(displacement)).to(region.image.device)

    def _labelled(self, i, labels, firsts):
        """Whether each label window that begins at one of `firsts` holds a labelled voxel: one transfer an epoch."""
        if self.complete[i]:
            return [True] * len(firsts)
        return torch.stack([(labels[self._box(first, self.output)] != UNLABELLED).any() for first in firsts]).tolist()

    def _mirrored(self, region, image):
        """(where it begins on each axis, the image mirrored as far as windows reach beyond it)."""
        axes = zip(region.inner, image.shape, self.window, self.output)
        margins = [windows.margins(*axis) for axis in axes]
        for axis, (before, after) in enumerate(margins):
            if before or after:
                index = windows.mirror(-before, before + image.shape[axis] + after, image.shape[axis])
                image = image.index_select(axis, torch.from_numpy(index).to(image.device))
        return [-before for before, _ in margins], image

    @staticmethod
    def _box(first, shape):
        return tuple(slice(f, f + n) for f, n in zip(first, shape))

    def __getitem__(self, number):
        """Window `number` of the epoch: image (1, Z, Y, X), labels and weights (Z', Y', X'); None if all unlabelled."""
        i, first, labelled = self.order[number]
        if not labelled:
            return None
        begin, image, labels, weights = self.deformed[i]
        start = windows.input_start(first, self.window, self.output)
        image = image[self._box([s - b for s, b in zip(start, begin)], self.window)]
        box = self._box(first, self.output)
        generator = np.random.default_rng([self.data_seed, self._epoch, 1_000_003, number])
        options = {k: self.settings[k] for k in ("flip", "rot90", "brightness", "contrast")}
        image, (labels, weights) = augmentation.augment_window(
            image, [labels[box], weights[box]], generator, intensity_range=self.ranges[i], **options
        )
        return image[None], labels, weights
