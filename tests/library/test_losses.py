"""The papers' losses by hand, and contracts over all losses, activations and networks."""

import numpy as np
import pytest
import torch

from densecell.losses import ACTIVATIONS, LOSSES, cross_entropy, dice, get_loss
from densecell.networks import NETWORKS, build_network

SETTINGS = {
    "loss": "cross_entropy",
    "loss_reduction": "sum",
    "auxiliary_weight": 0.33,
    "main_weight": 1,
    "dice_smooth": 1,
}
# position embeddings are made for one size; dropout would make every loss another
OPTIONS = {"setr_pup": {"side_px": 64}, "transunet": {"side_px": 64}}
OPTIONS |= {"deeplab_drn": {"dropout": False}, "deeplab_resnet101": {"dropout": False}}
WINDOWS = ((1, 64, 64), (2, 64, 64), (8, 64, 64), (7, 33, 33), (1, 204, 204))


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


def batch(activation, seed=0):
    """(logits, labels, weights) of two windows whose second slices are unlabelled, of four classes or targets."""
    generator = torch.Generator().manual_seed(seed)
    logits = torch.randn(2, 4, 2, 3, 3, generator=generator)
    shape = (2, 2, 3, 3) if activation == "softmax" else (2, 4, 2, 3, 3)
    labels = torch.randint(0, 4 if activation == "softmax" else 2, shape, generator=generator).to(torch.uint8)
    labels[..., 1, :, :] = 255
    return logits, labels, torch.rand(2, 2, 3, 3, generator=generator)


def loss_and_gradient(loss, logits, *others):
    logits = logits.clone().requires_grad_()
    value = loss((logits, logits), *others)
    value.backward()
    return value.detach(), logits.grad


EACH = [(name, reduction, activation) for name in LOSSES for reduction in ("sum", "mean") for activation in ACTIVATIONS]


@pytest.mark.parametrize(("name", "reduction", "activation"), EACH)
def test_what_lies_under_an_unlabelled_voxel_changes_no_bit(name, reduction, activation):
    loss = get_loss({**SETTINGS, "loss": name, "loss_reduction": reduction}, activation)
    logits, labels, weights = batch(activation)
    value, gradient = loss_and_gradient(loss, logits, labels, weights)
    assert gradient[:, :, 1].abs().max() == 0 < gradient[:, :, 0].abs().max()
    for odd in (0.0, -7.0, 1e30, float("inf"), float("nan")):
        changed = weights.clone()
        changed[:, 1] = odd
        other, same = loss_and_gradient(loss, logits, labels, changed)
        assert torch.equal(value, other) and torch.equal(gradient, same)
    changed = logits.clone()
    changed[:, :, 1] = 5 * torch.randn(changed[:, :, 1].shape)
    other, same = loss_and_gradient(loss, changed, labels, weights)
    assert torch.equal(value, other) and torch.equal(gradient, same)


@pytest.mark.parametrize(("name", "reduction", "activation"), EACH)
def test_unlabelled_slices_can_as_well_be_missing(name, reduction, activation):
    loss = get_loss({**SETTINGS, "loss": name, "loss_reduction": reduction}, activation)
    logits, labels, weights = batch(activation)
    alone = loss((logits[:, :, :1],), labels[..., :1, :, :], weights[:, :1])
    assert loss((logits,), labels, weights).item() == pytest.approx(alone.item(), rel=1e-6)


@pytest.mark.parametrize(("name", "reduction", "activation"), EACH)
def test_every_output_adds_its_share(name, reduction, activation):
    settings = {**SETTINGS, "loss": name, "loss_reduction": reduction, "auxiliary_weight": 0.25, "main_weight": 2}
    loss, (logits, labels, weights) = get_loss(settings, activation), batch(activation)
    one = loss((logits,), labels, weights).item() / 2
    assert loss((logits, logits, logits), labels, weights).item() == pytest.approx(2.5 * one, rel=1e-6)


def soft(values):
    """Logits whose sigmoid is these probabilities, as one row of voxels."""
    return torch.logit(torch.tensor(values, dtype=torch.float64)).float().reshape(1, 1, 1, 1, -1)


@pytest.mark.parametrize(("smooth", "expected"), [(0, 0.921053), (1, 0.940594)])
def test_the_dice_of_four_voxels_by_hand(smooth, expected):
    """p = (.8, .6, .2, 0), g = (1, 1, 0, 0): 2.8 / 3.04 and 3.8 / 4.04."""
    labels = torch.tensor([1, 1, 0, 0]).reshape(1, 1, 1, 1, 4)
    loss = dice((soft([0.8, 0.6, 0.2, 0.0]),), labels, None, activation="sigmoid", smooth=smooth)
    assert 1 - loss.item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("smooth", [0, 1])
def test_nothing_there_and_nothing_predicted_costs_nothing(smooth):
    logits = torch.full((1, 1, 1, 1, 4), -200.0, requires_grad=True)
    loss = dice((logits,), torch.zeros(1, 1, 1, 1, 4), None, activation="sigmoid", smooth=smooth)
    loss.backward()
    assert loss.item() == 0 and logits.grad.abs().max() == 0


def test_the_dice_is_that_of_the_whole_batch_and_the_mean_over_targets():
    """Two windows of one voxel, p 0.5 in all: target 0 in both, target 1 in one, target 2 in none and s = 0."""
    labels = torch.tensor([[1, 1, 0], [1, 0, 0]]).reshape(2, 3, 1, 1, 1)
    loss = dice((torch.zeros(2, 3, 1, 1, 1),), labels, None, activation="sigmoid", smooth=0)
    expected = [2 * 1 / (0.5 + 2), 2 * 0.5 / (0.5 + 1), 0]
    assert loss.item() == pytest.approx(1 - sum(expected) / 3)


def test_a_target_that_is_unknown_in_the_whole_batch_is_left_out_of_the_mean():
    labels = torch.tensor([[1, 255], [1, 255]]).reshape(2, 2, 1, 1, 1)
    loss = dice((torch.zeros(2, 2, 1, 1, 1),), labels, None, activation="sigmoid", smooth=0)
    assert loss.item() == pytest.approx(1 - 2 * 1 / (0.5 + 2))


def test_the_dice_of_a_softmax_takes_each_class_as_a_target():
    logits, labels, _ = batch("softmax")
    p = torch.softmax(logits, 1)[:, :, 0]
    one_hot = torch.nn.functional.one_hot(labels[:, 0].long(), 4).movedim(-1, 1)
    both, sizes = (p * one_hot).sum((0, 2, 3)), (p**2).sum((0, 2, 3)) + one_hot.sum((0, 2, 3))
    expected = 1 - ((2 * both + 1) / (sizes + 1)).mean()
    assert dice((logits,), labels, None).item() == pytest.approx(expected.item(), rel=1e-6)


def test_the_binary_cross_entropy_of_two_targets_by_hand():
    """-log sigmoid(2) twice and -log sigmoid(-1) with weights 1 and 3: 0.126928 x 1, 0.126928 x 3, 1.313262 x 3."""
    logits = torch.tensor([[2.0, 2.0], [9.0, -1.0]]).reshape(1, 2, 1, 1, 2)
    labels = torch.tensor([[1, 1], [255, 1]]).reshape(1, 2, 1, 1, 2)
    weights = torch.tensor([1.0, 3.0]).reshape(1, 1, 1, 2)
    total = cross_entropy((logits,), labels, weights, activation="sigmoid").item()
    assert total == pytest.approx(4 * 0.126928 + 3 * 1.313262, abs=1e-5)
    assert cross_entropy((logits,), labels, weights, "mean", activation="sigmoid").item() == pytest.approx(total / 3)


@pytest.mark.parametrize(("name", "reduction", "activation"), EACH)
def test_a_window_without_labels_costs_nothing(name, reduction, activation):
    loss = get_loss({**SETTINGS, "loss": name, "loss_reduction": reduction}, activation)
    logits, labels, weights = batch(activation)
    value, gradient = loss_and_gradient(loss, logits, torch.full_like(labels, 255), weights)
    assert value.item() == 0 == gradient.abs().max()


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("loss", "activation"), [(name, a) for name in LOSSES for a in ACTIVATIONS])
def test_every_network_learns_by_every_loss(name, loss, activation):
    """One step down the gradient that should take 0.1 % off the loss of a batch makes it smaller."""
    torch.manual_seed(0)
    network = build_network(name, n_classes=2, base_width=4, **OPTIONS.get(name, {}))
    window = next(w for w in WINDOWS if takes(network, w))
    output = network.output_shape(window)
    image = torch.randn(2, 1, *window)
    labels = (torch.rand(2, *([2] if activation == "sigmoid" else []), *output) < 0.3).to(torch.uint8)
    of_batch = get_loss({**SETTINGS, "loss": loss, "loss_reduction": "mean"}, activation)

    def value():
        return of_batch(network(image), labels, torch.ones(2, *output))

    before = value()
    before.backward()
    steep = sum((p.grad.double() ** 2).sum().item() for p in network.parameters() if p.grad is not None)
    assert 0 < steep < float("inf")
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.grad is not None:
                parameter -= 0.001 * before.item() / steep * parameter.grad
        assert 0.99 * before.item() < value().item() < before.item()


def takes(network, window):
    try:
        return bool(network.output_shape(window))
    except ValueError:
        return False


def test_unknown_names_list_the_known_ones():
    with pytest.raises(ValueError, match="known: cross_entropy, dice"):
        get_loss({**SETTINGS, "loss": "dise"})
    with pytest.raises(ValueError, match="known: softmax, sigmoid"):
        get_loss(SETTINGS, "tanh")
    outputs, labels, weights = three_voxels()
    with pytest.raises(ValueError, match="known: sum, mean"):
        cross_entropy(outputs, labels, weights, "average")
    assert np.isfinite(cross_entropy(outputs, labels, weights).item())
