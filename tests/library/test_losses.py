"""The paper's loss by hand, and a contract over all losses."""

import numpy as np
import pytest
import torch

from densecell.losses import LOSSES, cross_entropy, get_loss


def three_voxels():
    """Three voxels with labels 0, 1, 6 (a worked example)."""
    logits_3d = torch.tensor([[2, 0, 0, 1, 0, 0, 0], [0, 3, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0.5, 0, 1]])
    logits_2d = torch.tensor([[1.0, 0, 0, 0, 0, 0, 0], [0, 1, 0, 0, 0, 0, 0], [0, 0, 0, 0, 0, 0, 2]])
    outputs = tuple(x.T.reshape(1, 7, 1, 1, 3) for x in (logits_3d, logits_2d))
    return outputs, torch.tensor([0, 1, 6]).reshape(1, 1, 1, 3), torch.tensor([0.03, 0.31, 1.21]).reshape(1, 1, 1, 3)


def test_three_voxels_by_hand():
    outputs, labels, weights = three_voxels()
    single = [cross_entropy(outputs[:1], labels, (torch.arange(3) == i).reshape(1, 1, 1, 3)).item() for i in range(3)]
    assert single == pytest.approx([0.715181, 0.261381, 1.237193], abs=1e-6)
    assert cross_entropy(outputs, labels, weights).item() == pytest.approx(1.967607, abs=1e-6)
    assert cross_entropy(outputs, labels, weights, "mean").item() == pytest.approx(1.967607 / 3, abs=1e-6)


@pytest.mark.parametrize("name", LOSSES)
@pytest.mark.parametrize("reduction", ["sum", "mean"])
def test_unlabelled_voxels_never_count(name, reduction):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(1, 4, 2, 3, 3, generator=generator, requires_grad=True)
    labels = torch.randint(0, 4, (1, 2, 3, 3), generator=generator)
    labels[0, 1] = 255
    weights = torch.rand(1, 2, 3, 3, generator=generator)
    loss = get_loss(name)((logits,), labels, weights, reduction)
    loss.backward()
    assert logits.grad[:, :, 1].abs().max() == 0
    alone = get_loss(name)((logits[:, :, :1],), labels[:, :1], weights[:, :1], reduction)
    assert loss.item() == alone.item()


def test_a_window_without_labels_costs_nothing():
    loss = cross_entropy((torch.randn(1, 3, 1, 2, 2),), torch.full((1, 1, 2, 2), 255), torch.ones(1, 1, 2, 2), "mean")
    assert loss.item() == 0


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="known: cross_entropy"):
        get_loss("dise")
    outputs, labels, weights = three_voxels()
    with pytest.raises(ValueError, match="known: sum, mean"):
        cross_entropy(outputs, labels, weights, "average")
    assert np.isfinite(cross_entropy(outputs, labels, weights).item())
