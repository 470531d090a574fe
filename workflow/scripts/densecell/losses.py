"""Training losses, functions of logits, labels and weights; unlabelled voxels (255) never count.

Guay et al. 2021, Eq. (1): the weighted cross-entropy of the main output plus 0.33 times that of the auxiliary one, both
summed over the window's voxels with the same weights. The L2 terms are the optimizer's weight decay per group.
"""

from torch.nn import functional

from densecell.classes import UNLABELLED

REDUCTIONS = ("sum", "mean")


def cross_entropy(outputs, labels, weights, reduction="sum", auxiliary_weight=0.33, main_weight=1.0):
    """Weighted softmax cross-entropy: main_weight x the main output's + auxiliary_weight x each auxiliary one's.

    outputs: tuple of logits (N, n_classes, Z, Y, X); labels (N, Z, Y, X) integers, 255 = unlabelled; weights
    (N, Z, Y, X). reduction: sum over voxels (the paper's), or mean over the labelled ones.
    """
    if reduction not in REDUCTIONS:
        raise ValueError(f"experiments.training.loss_reduction: unknown {reduction!r}; known: {', '.join(REDUCTIONS)}.")
    labels = labels.long()
    total = 0.0
    for i, logits in enumerate(outputs):
        per_voxel = functional.cross_entropy(logits.float(), labels, ignore_index=UNLABELLED, reduction="none")
        total = total + (auxiliary_weight if i else main_weight) * (per_voxel * weights).sum()
    if reduction == "mean":
        total = total / (labels != UNLABELLED).sum().clamp(min=1)
    return total


LOSSES = {"cross_entropy": cross_entropy}


def get_loss(name):
    """The loss called `name`. Raises ValueError listing the known ones."""
    if name not in LOSSES:
        raise ValueError(f"experiments.training.loss: unknown loss {name!r}; known: {', '.join(LOSSES)}.")
    return LOSSES[name]
