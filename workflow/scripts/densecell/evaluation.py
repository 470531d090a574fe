"""Evaluation of a network in its training: which labels of the eval regions it finds, how often, and at what cost."""

import math
from dataclasses import dataclass

import numpy as np
import torch

from densecell import prediction, windows
from densecell.classes import UNLABELLED
from densecell.composition import least_q, quantize
from densecell.metrics import METRICS, confusion_counts

SLICES_AT_ONCE = 8  # of a run whose probabilities are held together


@torch.no_grad()
def evaluate(network, tile, regions, computation, group_ids):
    """IoU per class and MIoU(all) of the stitched prediction of the regions, each voxel once.

    Returns (miou, iou per class with NaN where the class is in neither); classes the reference lacks are NaN too when
    nothing of them is predicted.
    """
    network.eval()
    n_classes = len(group_ids)
    confusion = np.zeros((n_classes, n_classes), dtype=np.int64)
    member = prediction.Member(network, tile)
    for region in regions:
        labels = prediction.predict_labels(member, region.image.numpy(), computation)
        inner = tuple(slice(a, b) for a, b in region.inner)
        confusion += confusion_counts(region.labels.numpy()[inner], labels[inner], n_classes).sum(axis=0)
    network.train()
    iou = METRICS["iou"].function(confusion, group_ids)
    present = confusion.sum(axis=1) > 0
    return float(METRICS["miou_all"].function(confusion, group_ids)), np.where(present, iou, np.nan)


@dataclass
class LabelledSlices:
    """The slices of an eval region whose targets are known. image: (Z, Y, X) array-like, the region with its context; inner: three
    (start, stop) of the region in it; slices: of the region, sorted; labels: (n_targets, n_slices, Y, X) uint8, 0, 1 or 255."""

    image: object
    inner: tuple
    slices: list
    labels: np.ndarray


@torch.no_grad()
def evaluate_targets(network, tile, regions, computation, threshold=0.5):
    """(mean IoU, IoU of each target) of a network with sigmoid on LabelledSlices, each target by itself, over its known voxels.

    NaN for a target that is neither there nor predicted, which the mean leaves out. A run of slices is predicted in pieces, so that
    memory doesn't grow with it.
    """
    network.eval()
    member, counts = prediction.Member(network, tile), np.zeros((2, len(regions[0].labels)), int)
    for region in regions:
        options, plan = {"activation": "sigmoid", "inner": region.inner}, _plan_of(member, region, computation)
        for start, stop in pieces(region.slices, plan.depth):
            first = region.slices.index(start)
            labels = region.labels[:, first : first + stop - start]
            found = prediction.predict_probabilities(
                member, region.image, len(labels), computation, z_range=(start, stop), **options
            )
            passes, known = quantize(found) >= least_q(threshold), labels != UNLABELLED
            there = labels == 1
            both = (passes & there).sum((1, 2, 3))
            either = ((passes | there) & known).sum((1, 2, 3))
            counts = counts + np.stack([both, either])
    network.train()
    both, either = counts
    iou = np.where(either > 0, both / np.maximum(either, 1), np.nan)
    return float(np.nanmean(iou)) if (either > 0).any() else math.nan, iou


def pieces(slices, depth):
    """[(start, stop)] of the runs in a sorted list of slices, cut where they are longer than SLICES_AT_ONCE and than a tile's depth."""
    length = max(SLICES_AT_ONCE, depth)
    return [(z, min(z + length, stop)) for start, stop in windows.runs(slices) for z in range(start, stop, length)]


def _plan_of(member, region, computation):
    """The Plan of predicting LabelledSlices, as `prediction.predict_probabilities` makes it."""
    return prediction.make_plan([member], region.image.shape, {}, computation, inner=region.inner)


def evaluation_voxels(network, tile, regions, computation):
    """Voxels that one evaluation passes through the network: tiles times voxels of a tile's input. Of LabelledSlices all layers of
    tiles count that reach a piece of the slices, once for each piece."""
    member, total = prediction.Member(network, tile), 0
    for region in regions:
        if not isinstance(region, LabelledSlices):
            total += prediction.make_plan([member], region.image.shape, {}, computation).computed_voxels()
            continue
        plan, origin = _plan_of(member, region, computation), region.inner[0][0]
        layers = [corner for corner, _, _ in plan.tiling.layers()]
        reached = sum(
            corner < origin + stop and corner + plan.depth > origin + start
            for start, stop in pieces(region.slices, plan.depth)
            for corner in layers
        )
        total += reached * plan.computed_voxels() // len(layers)
    return total


def evaluation_schedule(settings, steps_per_epoch, window, evaluation):
    """(steps between evaluations, cost of one as a share of the training between two), both from counts alone.

    window: input (Z, Y, X) in training; evaluation: forward voxels of one. A step counts as three forward passes of its
    windows. Without evaluate_every_steps evaluations come after every epoch, or after so many epochs that they cost at
    most evaluation_share.
    """
    epoch = 3 * settings["batch_size"] * math.prod(window) * steps_per_epoch
    epochs = max(1, math.ceil(evaluation / (settings["evaluation_share"] * epoch)))
    every = settings["evaluate_every_steps"] or epochs * steps_per_epoch
    return every, evaluation * steps_per_epoch / (epoch * every)


@dataclass
class Meaning:
    """What the outputs of a network mean. group_ids: the group of each class, with softmax; activation: softmax or sigmoid;
    threshold: of the probability, with sigmoid."""

    group_ids: np.ndarray
    activation: str = "softmax"
    threshold: float = 0.5

    def evaluate(self, network, tile, regions, computation):
        """(mean IoU, IoU of each class or target)."""
        if self.activation == "sigmoid":
            return evaluate_targets(network, tile, regions, computation, self.threshold)
        return evaluate(network, tile, regions, computation, self.group_ids)
