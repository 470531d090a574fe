"""The regions that a training reads: whole ones, or only the slices that are drawn or labelled, each with what windows around it need."""

from dataclasses import replace

import numpy as np
import torch

from densecell import evaluation, io, sampling, windows
from densecell.classes import UNLABELLED


def drawn_slices(path, seed, regions):
    """{region: slices of it, sorted} that the table of draws says to train on with a seed. Raises ValueError if there are none."""
    table = io.read_table(path)
    rows = table[(table["seed"] == seed) & (table["use"] == "train")]
    found = {region: sorted(rows.loc[rows["region"] == region, "z"].astype(int).tolist()) for region in regions}
    if not any(found.values()):
        raise ValueError(
            f"{path}: expected slices to train on (use: train) with seed {seed} in {', '.join(regions)}, found none. "
            "Check experiments.draw and the labels of these regions."
        )
    return found


def slabs(slices, depth, n_slices):
    """[(start, stop, slices in it)] of the places that windows `depth` slices deep reach around each of `slices`, joined where they
    overlap, within a region of n_slices."""
    found = []
    for z in slices:
        start, stop = max(z - depth + 1, 0), min(z + depth, n_slices)
        if found and start < found[-1][1]:
            found[-1] = (found[-1][0], stop, [*found[-1][2], z])
        else:
            found.append((start, stop, [z]))
    return found


class RegionReader:
    """Reads one labelled region: image with context, labels (a class map, or a list of target maps) and weights (None: 1).

    Raises ValueError for labels of another shape than the region's.
    """

    def __init__(self, image_path, label_paths, weights_path=None):
        self.image = io.open_volume(image_path)
        self.inner = [tuple(pair) for pair in self.image.attributes["inner"]]
        self.box, self.shape = tuple(slice(a, b) for a, b in self.inner), tuple(b - a for a, b in self.inner)
        self.are_targets = isinstance(label_paths, list)
        self.labels = [io.open_volume(path) for path in (label_paths if self.are_targets else [label_paths])]
        self.weights = io.open_volume(weights_path) if weights_path else None
        for store in self.labels:
            if store.shape != self.shape:
                raise ValueError(f"{store.path}: its shape {store.shape} is not the region's {self.shape}.")

    def labels_of(self, start, stop):
        """(stop - start, Y, X) uint8 of the region's slices, with target maps (n_targets, stop - start, Y, X)."""
        found = [store[start:stop] for store in self.labels]
        return np.stack(found) if self.are_targets else found[0]

    def known_slices(self):
        """Slices with a labelled voxel, sorted; of target maps as their attributes tell, complete or not."""
        if self.are_targets:
            keys = ("labelled_slices", "incomplete_slices")
            return sorted({z for store in self.labels for key in keys for z in store.attributes[key]})
        found = []
        for start, stop in self.labels[0].slabs():
            labelled = (self.labels_of(start, stop) != UNLABELLED).any((1, 2))
            found += (start + np.flatnonzero(labelled)).tolist()
        return found

    def whole(self):
        """The region as sampling.Region."""
        return self._region(0, self.shape[0], range(self.shape[0]), (0, self.image.shape[0]))

    def sparse(self, slices, window_depth, output_depth):
        """sampling.Regions that hold `slices` and what windows around them read; all other slices are unlabelled."""
        before = (window_depth - output_depth) // 2
        after, origin, regions = window_depth - output_depth - before, self.inner[0][0], []
        for start, stop, of_slab in slabs(slices, output_depth, self.shape[0]):
            read = max(origin + start - before, 0), min(origin + stop + after, self.image.shape[0])
            regions.append(self._region(start, stop, of_slab, read))
        if regions:  # one range over all that is read, so that brightness varies alike in all slabs
            intensity_range = sampling.range_of([region.image for region in regions])
            regions = [replace(region, intensity_range=intensity_range) for region in regions]
        return regions

    def _region(self, start, stop, slices, read):
        """The region's slices start to stop, of which `slices` are labelled. read: (start, stop) of the stored image."""
        shape, origin = (read[1] - read[0], *self.image.shape[1:]), self.inner[0][0] - read[0]
        labels = np.full((len(self.labels), *shape) if self.are_targets else shape, UNLABELLED, np.uint8)
        weights = torch.ones(1).expand(shape) if self.weights is None else torch.zeros(shape)
        for first, last in windows.runs(slices):
            box = (slice(origin + first, origin + last), *self.box[1:])
            labels[(..., *box)] = self.labels_of(first, last)
            if self.weights is not None:
                weights[box] = torch.from_numpy(self.weights[first:last])
        image = torch.from_numpy(self.image[slice(*read)].astype(np.float32))
        inner = [(origin + start, origin + stop), *self.inner[1:]]
        binning = tuple(self.image.attributes.get("binning", (1, 1, 1)))
        return sampling.Region(image, torch.from_numpy(labels), weights, inner, binning)

    def labelled(self):
        """The region as evaluation.LabelledSlices."""
        slices = self.known_slices()
        labels = [self.labels_of(*run) for run in windows.runs(slices)] or [self.labels_of(0, 0)]
        return evaluation.LabelledSlices(self.image, self.inner, slices, np.concatenate(labels, axis=1))


def readers(images, labels, targets, n_targets, weights=()):
    """A RegionReader for each image. labels: a class map each, or else targets: n_targets target maps each, region by region."""
    expected, found = (n_targets * len(images), targets) if targets else (len(images), labels)
    if len(found) != expected:
        raise ValueError(
            f"{', '.join(map(str, found)) or 'labels'}: expected {expected} files of labels for {len(images)} regions, found {len(found)}."
        )
    if targets:
        labels = [targets[i : i + n_targets] for i in range(0, len(targets), n_targets)]
    weights = weights or [None] * len(images)
    return [RegionReader(*paths) for paths in zip(images, labels, weights, strict=True)]


def train_regions(of_regions, network, window, slices=None, sampler="grid"):
    """sampling.Regions of a list of RegionReaders. slices: for each the slices to train on; None: all that are labelled.

    Class maps without a draw are read whole for the sampler grid, whose windows lie in the whole region. Raises ValueError where no
    slice is labelled.
    """
    output, found = network.output_shape(window), []
    for i, reader in enumerate(of_regions):
        if slices is None and not reader.are_targets and sampler == "grid":
            found.append(reader.whole())
        else:
            chosen = reader.known_slices() if slices is None else slices[i]
            found += reader.sparse(chosen, window[0], output[0])
    if not found:
        names = ", ".join(str(store.path) for reader in of_regions for store in reader.labels)
        raise ValueError(
            f"{names}: expected labelled slices to train on, found none. Check the labels of the regions with role train."
        )
    return found
