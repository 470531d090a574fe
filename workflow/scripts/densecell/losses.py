"""Training losses, functions of logits, labels and weights; what is unlabelled (255) is never read.

Labels are class numbers (N, Z, Y, X) with softmax, and 0 or 1 for each target (N, n_targets, Z, Y, X) with sigmoid. Every output of
a network adds its loss: the main one times main_weight, each auxiliary one times auxiliary_weight, 0.33 in Guay et al. 2021,
Eq. (1). The L2 terms are the optimizer's weight decay per group.
"""

import functools

import torch
from torch.nn import functional

from densecell.classes import UNLABELLED

REDUCTIONS = ("sum", "mean")
ACTIVATIONS = ("softmax", "sigmoid")


def cross_entropy(
    outputs, labels, weights, reduction="sum", auxiliary_weight=0.33, main_weight=1.0, activation="softmax"
):
    """Weighted softmax cross-entropy (Guay et al. 2021, Eq. 1); with sigmoid the binary one of each target.

    outputs: tuple of logits (N, n, Z, Y, X); labels: see above; weights (N, Z, Y, X), for all targets alike. reduction: sum
    over voxels and targets (the paper's), or mean over those that are labelled.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"experiments.training.loss_reduction: unknown {reduction!r}; known: {', '.join(REDUCTIONS)}.")
    of_voxels = {"softmax": _softmax_entropy, "sigmoid": _binary_entropy}[_known(activation)]
    known = labels != UNLABELLED
    weights = torch.where(known, weights if activation == "softmax" else weights.unsqueeze(1), 0)
    total = 0.0
    for i, logits in enumerate(outputs):
        total = total + (auxiliary_weight if i else main_weight) * (of_voxels(logits.float(), labels) * weights).sum()
    if reduction == "mean":
        total = total / known.sum().clamp(min=1)
    return total


def _softmax_entropy(logits, labels):
    """(N, Z, Y, X)."""
    return functional.cross_entropy(logits, labels.long(), ignore_index=UNLABELLED, reduction="none")


def _binary_entropy(logits, labels):
    """(N, n_targets, Z, Y, X)."""
    return functional.binary_cross_entropy_with_logits(logits, (labels == 1).float(), reduction="none")


def dice(outputs, labels, weights, auxiliary_weight=0.33, main_weight=1.0, activation="softmax", smooth=1.0):
    """Soft Dice loss: 1 - (2 sum p g + s) / (sum p^2 + sum g^2 + s) over the whole batch, mean over classes or targets.

    Machireddy et al. 2023, Eq. (2), with s = 0 there and 1 in their code. outputs, labels: as in `cross_entropy`, with softmax
    g is 1 in the voxel's class; weights are not used. p and g are 0 where unlabelled; a target that is labelled nowhere in
    the batch is left out of the mean. With s = 0 a target that is neither there nor predicted costs nothing.
    """
    known = (labels if activation == "sigmoid" else labels.unsqueeze(1)) != UNLABELLED
    total = 0.0
    for i, logits in enumerate(outputs):
        if _known(activation) == "sigmoid":
            found, truth = torch.sigmoid(logits.float()), labels == 1
        else:
            classes = torch.arange(logits.shape[1], device=labels.device).reshape(1, -1, 1, 1, 1)
            found, truth = torch.softmax(logits.float(), dim=1), labels.unsqueeze(1) == classes
        total = total + (auxiliary_weight if i else main_weight) * _dice(found, truth.float(), known, smooth)
    return total


def _dice(found, truth, known, smooth):
    """The loss of probabilities (N, n, Z, Y, X) and 0 or 1 of the same shape, read where `known`, broadcast to it."""
    axes = (0, 2, 3, 4)
    labelled = (known.sum(axes) > 0).float().expand(found.shape[1])
    found, truth = torch.where(known, found, 0), torch.where(known, truth, 0)
    both, sizes = (found * truth).sum(axes), (found.square() + truth.square()).sum(axes)
    empty = sizes + smooth == 0
    losses = 1 - torch.where(empty, 1, (2 * both + smooth) / torch.where(empty, 1, sizes + smooth))
    return (losses * labelled).sum() / labelled.sum().clamp(min=1)


# name -> (loss, the keys of experiments.training that it takes in place of these arguments)
LOSSES = {
    "cross_entropy": (cross_entropy, {"reduction": "loss_reduction"}),
    "dice": (dice, {"smooth": "dice_smooth"}),
}


def get_loss(settings, activation="softmax"):
    """The loss of a training as a function of (outputs, labels, weights). Raises ValueError listing the known ones.

    settings: loss, auxiliary_weight, main_weight and what the loss takes, as in config/presets.yaml.
    """
    if settings["loss"] not in LOSSES:
        raise ValueError(f"experiments.training.loss: unknown loss {settings['loss']!r}; known: {', '.join(LOSSES)}.")
    function, keys = LOSSES[settings["loss"]]
    options = {argument: settings[key] for argument, key in keys.items()}
    options |= {key: settings[key] for key in ("auxiliary_weight", "main_weight")}
    return functools.partial(function, activation=_known(activation), **options)


def _known(activation):
    if activation not in ACTIVATIONS:
        raise ValueError(f"experiments.activation: unknown {activation!r}; known: {', '.join(ACTIVATIONS)}.")
    return activation
