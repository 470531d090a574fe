"""Training windows from labelled regions: deformed once per epoch, augmented one by one (Guay et al. 2021, Methods).

Two samplers: `grid`, a window in each bin of the spacing, and `foreground`, batches of which some windows hold enough of a rare
target (Machireddy et al. 2023). Every random draw comes from a generator keyed by (data seed, epoch, window).
"""

import math
from dataclasses import dataclass, replace

import numpy as np
import torch

from densecell import augmentation, windows
from densecell.classes import UNLABELLED


@dataclass
class Region:
    """A labelled region, or some slices of one, with the context around it.

    image: (Z, Y, X) float32 normalized, region plus context; labels (uint8, 255 = unlabelled) and weights (float32):
    same shape, unlabelled and 0 in the context; with sigmoid labels are (n_targets, Z, Y, X), 0 or 1 for each target. inner:
    three (start, stop) of the region in it; binning: raw voxels in a voxel (z, y, x); intensity_range: max - min of the image, of
    which brightness takes its share, None: of this part (parts of a region have that of all that is read of it).
    """

    image: torch.Tensor
    labels: torch.Tensor
    weights: torch.Tensor
    inner: tuple
    binning: tuple = (1, 1, 1)
    intensity_range: float | None = None

    @property
    def shape(self):
        return tuple(b - a for a, b in self.inner)

    @property
    def box(self):
        return tuple(slice(a, b) for a, b in self.inner)

    def widened(self, shape):
        """The region, mirrored to at least `shape` where it is smaller, half on each side."""
        tensors, inner = [self.image, self.labels, self.weights], []
        for axis, ((a, b), size, length) in enumerate(zip(self.inner, self.image.shape, shape)):
            start = a - max(0, length - (b - a)) // 2
            stop = max(start + length, b)
            before, after = max(0, -start), max(0, stop - size)
            if before or after:
                index = torch.from_numpy(windows.mirror(-before, before + size + after, size)).to(self.image.device)
                tensors = [t.index_select(t.ndim - 3 + axis, index) for t in tensors]
            inner.append((start + before, stop + before))
        return replace(self, image=tensors[0], labels=tensors[1], weights=tensors[2], inner=tuple(inner))


def range_of(images):
    """Max - min over all voxels of a list of tensors."""
    return float(max(image.max() for image in images) - min(image.min() for image in images))


class Sampler:
    """The windows of one epoch over all training regions, deformed once for the epoch.

    What a window needs is made once per epoch, on the regions' device: images are deformed and mirrored as far as
    windows reach beyond them, and it is noted which windows hold a label. So a window is a slice, and taking one never
    makes the host wait for the device.
    """

    def __init__(self, regions, network, window, spacing, settings, data_seed, targets=()):
        self.regions, self.window, self.spacing = regions, tuple(window), tuple(spacing)
        self.output = network.output_shape(window)
        self.settings, self.data_seed = settings["augmentation"], data_seed
        self.ranges = [range_of([r.image]) if r.intensity_range is None else r.intensity_range for r in regions]
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
            image, labels, weights = self._deform(region, generator)
            firsts = [tuple(int(c) + inner[0] for c, inner in zip(corner, region.inner)) for corner in corners]
            self.order += [(i, *window) for window in zip(firsts, self._labelled(i, labels, firsts))]
            self.deformed.append((*self._mirrored(region, image), labels, weights))
        if len(self.regions) > 1:
            order = np.random.default_rng([self.data_seed, epoch, len(self.regions)]).permutation(len(self.order))
            self.order = [self.order[i] for i in order]

    def _deform(self, region, generator):
        """Image, labels and weights of a region as they are in this epoch."""
        tensors = region.image, region.labels, region.weights
        if not self.settings["elastic"]:
            return tensors
        index = self._elastic_index(region, generator)
        return tuple(augmentation.deform(t, index) for t in tensors)

    def _elastic_index(self, region, generator):
        """The epoch's flat source index of each pixel, on the region's device."""
        numbers = (self.settings[f"elastic_{name}"] for name in ("grid_px", "smoothing", "amplitude_px"))
        displacement = augmentation.elastic_displacement(region.image.shape[1:], generator, *numbers)
        return torch.from_numpy(augmentation.elastic_index(displacement)).to(region.image.device)

    def _labelled(self, i, labels, firsts):
        """Whether each label window that begins at one of `firsts` holds a labelled voxel: one transfer an epoch."""
        if self.complete[i]:
            return [True] * len(firsts)
        return torch.stack(
            [(labels[(..., *self._box(first, self.output))] != UNLABELLED).any() for first in firsts]
        ).tolist()

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
        """Window `number` of the epoch: image (1, Z, Y, X), labels ((n_targets,) Z', Y', X') and weights (Z', Y', X'); None if all
        unlabelled."""
        i, first, labelled = self.order[number]
        if not labelled:
            return None
        begin, image, labels, weights = self.deformed[i]
        start = windows.input_start(first, self.window, self.output)
        image = image[self._box([s - b for s, b in zip(start, begin)], self.window)]
        box = self._box(first, self.output)
        generator = np.random.default_rng([self.data_seed, self._epoch, 1_000_003, number])
        options = {k: self.settings[k] for k in ("flip", "flip_axes", "rot90", "brightness", "contrast")}
        image, (labels, weights) = augmentation.augment_window(
            image, [labels[(..., *box)], weights[box]], generator, intensity_range=self.ranges[i], **options
        )
        return image[None], labels, weights


class ForegroundSampler(Sampler):
    """Batches of which at least min_windows windows hold at least min_px raw pixels of a rare target, an epoch being one batch per
    labelled slice.

    Slices take turns in shuffled order, those with enough of the target for the first windows of a batch and all of them for the
    others, which lie anywhere where there are labels. Windows are drawn from lists of what qualifies, never by trial; no
    augmentation takes voxels out of a window. Regions smaller than a window are mirrored, copies count as pixels. An epoch whose
    deformation would leave too little of the target isn't deformed. settings: also batch_size and foreground (min_windows, min_px,
    target: a name in `targets` or None, the rarest); targets: names of the classes or targets, in the order of the labels.
    Raises ValueError, naming the target, where no window holds enough of it.
    """

    def __init__(self, regions, network, window, spacing, settings, data_seed, targets=()):
        self.batch_size, self.options, self.targets = settings["batch_size"], settings["foreground"], list(targets)
        output, self.slices = network.output_shape(window), []
        regions = [(region, region.widened(output)) for region in regions]
        for i, (region, wide) in enumerate(regions):
            labelled = (region.labels[(..., *region.box)] != UNLABELLED).any(-1).any(-1)
            labelled = labelled.any(0) if labelled.ndim == 2 else labelled
            shift = wide.inner[0][1] - wide.inner[0][0] - region.shape[0]
            self.slices += [(i, z + shift // 2) for z in torch.nonzero(labelled)[:, 0].tolist()]
        super().__init__([wide for _, wide in regions], network, window, spacing, settings, data_seed)
        if self.options["min_windows"] > self.batch_size:
            raise ValueError(
                f"experiments.training.foreground.min_windows: expected at most batch_size, {self.batch_size}, found "
                f"{self.options['min_windows']}."
            )
        self.target = self._choose_target()
        self._whole = [(*self._mirrored(r, r.image), r.labels, r.weights) for r in self.regions]
        self._indices_of_whole = self._indices([r.labels for r in self.regions])
        if self.options["min_windows"] and not self._suffice(self._indices_of_whole):
            raise ValueError(
                f"experiments.training.foreground: expected a window {self.output} (z, y, x) with at least "
                f"{self.options['min_px']} raw pixels of '{self.targets[self.target]}' in the {len(self.slices)} training slices, found "
                f"none ({self._count(self.target)} voxels of it in all). Lower min_px, use a larger window, draw more slices, label more, "
                "or set foreground.target to another class."
            )

    def count(self):
        """Windows per epoch."""
        return len(self.slices) * self.batch_size

    def start(self, epoch):
        """Draw the epoch's slices, deformation and windows."""
        if epoch == self._epoch:
            return
        self._epoch, self.deformed, indices = epoch, self._whole, self._indices_of_whole
        if self.settings["elastic"]:
            generators = [np.random.default_rng([self.data_seed, epoch, i]) for i in range(len(self.regions))]
            deformed = list(map(self._deform, self.regions, generators))
            of_deformed = self._indices([labels for _, labels, _ in deformed])
            if self._suffice(of_deformed):
                indices = of_deformed
                self.deformed = [(*self._mirrored(r, v[0]), *v[1:]) for r, v in zip(self.regions, deformed)]
        generator = np.random.default_rng([self.data_seed, epoch, 1_000_033])
        rare = _turns(self._rare(indices), self.count(), generator)
        anywhere = _turns(self.slices, self.count(), generator)
        self.order = []
        for number in range(self.count()):
            is_rare = number % self.batch_size < self.options["min_windows"]
            i, z = next(rare if is_rare else anywhere)
            key = [self.data_seed, epoch, 1_000_033, number + 1]  # 0 would be the generator above
            start = indices[i][0 if is_rare else 1].draw(z, np.random.default_rng(key))
            self.order.append((i, tuple(s + a for s, (a, _) in zip(start, self.regions[i].inner)), True))

    def _indices(self, labels):
        """(foreground, labelled) of each region: the windows that may be drawn."""
        found = []
        for region, of_region in zip(self.regions, labels):
            of_region = of_region[(..., *region.box)].cpu().numpy()
            known = of_region != UNLABELLED
            known = known.any(0) if known.ndim == 4 else known
            least = math.ceil(self.options["min_px"] / (region.binning[1] * region.binning[2]))
            mask = self._mask(of_region, self.target)
            found.append((windows.ForegroundIndex(mask, self.output, least), windows.LabelledIndex(known, self.output)))
        return found

    def _rare(self, indices):
        return [(i, z) for i, z in self.slices if indices[i][0].has(z)]

    def _suffice(self, indices):
        """Whether each slice has labels and one of them enough of the target."""
        enough = self._rare(indices) or not self.options["min_windows"]
        return bool(enough) and all(indices[i][1].has(z) for i, z in self.slices)

    @staticmethod
    def _mask(labels, target):
        return labels == target if labels.ndim == 3 else labels[target] == 1

    def _count(self, target):
        """Voxels of a target in the training slices."""
        return sum(int(self._mask(r.labels[(..., *r.box)], target).sum()) for r in self.regions)

    def _choose_target(self):
        """The number of the target of which windows must hold enough: as told, or the rarest."""
        name = self.options["target"]
        if name is None:
            return min(range(len(self.targets)), key=self._count)
        if name not in self.targets:
            raise ValueError(
                f"experiments.training.foreground.target: expected one of {', '.join(self.targets)}, found {name!r}."
            )
        return self.targets.index(name)


def _turns(items, n, generator):
    """Yields n of the items: all of them in shuffled order, again and again."""
    for _ in range(math.ceil(n / max(1, len(items)))):
        yield from (items[i] for i in generator.permutation(len(items)))


SAMPLERS = {"grid": Sampler, "foreground": ForegroundSampler}


def make_sampler(regions, network, window, spacing, settings, data_seed, targets):
    """The sampler that settings["sampler"] names. Raises ValueError listing the known ones."""
    name = settings["sampler"]
    if name not in SAMPLERS:
        raise ValueError(f"experiments.training.sampler: unknown {name!r}; known: {', '.join(SAMPLERS)}.")
    return SAMPLERS[name](regions, network, window, spacing, settings, data_seed, targets)
