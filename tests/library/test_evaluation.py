"""Evaluation in training: targets of a sigmoid by hand, over their known voxels and slices only."""

import numpy as np
import pytest
import torch
from torch import nn

from densecell import evaluation
from densecell.devices import Computation


class Brightness(nn.Module):
    """Two targets, each by itself: bright and dark. A gray value x gives probabilities sigmoid(x) and sigmoid(-x)."""

    shift_step, same_padding = (1, 1, 1), False

    def forward(self, x):
        return (torch.cat([x, -x], dim=1),)

    def output_shape(self, shape):
        return tuple(shape)

    def receptive_field(self):
        return (1, 1, 1)


def scored(image, labels, slices, threshold=0.5, inner=None):
    inner = inner or [(0, n) for n in image.shape]
    region = evaluation.LabelledSlices(image.astype(np.float32), inner, slices, labels.astype(np.uint8))
    meaning = evaluation.Meaning(None, "sigmoid", threshold)
    return meaning.evaluate(Brightness(), (1, 4, 4), [region], Computation("cpu", "float32"))


def test_four_known_voxels_by_hand():
    """Bright: 2 found of 3, 1 too many: 2 / 4. Dark: 1 found of 1, 0 too many, 1 unknown: 1 / 1. Mean 0.75."""
    image = np.array([[[9, 9, 9, -9]]])
    bright, dark = [1, 1, 0, 1], [0, 0, 255, 1]
    miou, iou = scored(image, np.array([bright, dark]).reshape(2, 1, 1, 4), [0])
    assert iou.tolist() == [0.5, 1] and miou == 0.75


def test_a_target_neither_there_nor_predicted_is_nan_and_left_out_of_the_mean():
    image = np.full((1, 4, 4), 9)
    miou, iou = scored(image, np.stack([np.ones((1, 4, 4)), np.zeros((1, 4, 4))]), [0])
    assert iou[0] == 1 == miou and np.isnan(iou[1])
    assert np.isnan(scored(-image, np.stack([np.zeros((1, 4, 4)), np.full((1, 4, 4), 255)]), [0])[0])


def test_only_known_slices_are_scored_and_what_lies_under_unknown_voxels_changes_nothing():
    generator = np.random.default_rng(0)
    image, labels = generator.standard_normal((6, 8, 9)), generator.choice([0, 1, 255], (2, 3, 6, 9))
    inner = [(1, 6), (2, 8), (0, 9)]  # a slice and two rows of context
    first = scored(image, labels, [0, 1, 4], inner=inner)
    image[0], image[3:5], image[:, :2] = 5, -5, 5
    second = scored(image, labels, [0, 1, 4], inner=inner)
    assert first[0] == second[0] and 0 < first[0] < 1
    unknown = (labels == 255).all(axis=0)
    for place, z in enumerate((1, 2, 5)):
        image[z, 2:][unknown[place]] *= -1
    third = scored(image, labels, [0, 1, 4], inner=inner)
    assert third[1].tolist() == first[1].tolist()


@pytest.mark.parametrize(("threshold", "passes"), [(0.5, True), (0.7, True), (0.75, False)])
def test_a_target_is_where_its_probability_reaches_the_threshold(threshold, passes):
    image = np.full((1, 4, 4), np.log(0.72 / 0.28))
    labels = np.stack([np.ones((1, 4, 4)), np.full((1, 4, 4), 255)])
    assert scored(image, labels, [0], threshold)[1][0] == passes


def test_an_evaluation_of_few_slices_costs_their_share():
    region = evaluation.LabelledSlices(np.zeros((10, 8, 8), np.float32), [(0, 10), (0, 8), (0, 8)], [1, 5], None)
    found = evaluation.evaluation_voxels(Brightness(), (1, 8, 8), [region], Computation("cpu", "float32"))
    assert found == 2 * 8 * 8


class Counted(Brightness):
    """Counts the voxels that pass through it."""

    same_padding, voxels = True, 0

    def forward(self, x):
        self.voxels += x.numel()
        return super().forward(x)


@pytest.mark.parametrize("depth", [1, 3, 5])
@pytest.mark.parametrize("slices", [[1, 5, 6, 17], list(range(20)), [19]])
def test_the_cost_of_sparse_slices_is_what_passes_through_the_network(depth, slices):
    """A window of several slices computes more than the slices it is asked for."""
    inner = [(3, 23), (0, 12), (0, 12)]
    image = np.random.default_rng(0).standard_normal((25, 12, 12)).astype(np.float32)
    labels = np.ones((2, len(slices), 12, 12), np.uint8)
    region, network = evaluation.LabelledSlices(image, inner, slices, labels), Counted()
    computation, tile = Computation("cpu", "float32"), (depth, 8, 8)
    cost = evaluation.evaluation_voxels(network, tile, [region], computation)
    evaluation.evaluate_targets(network, tile, [region], computation)
    assert network.voxels == cost >= len(slices) * 12 * 12


def test_long_runs_of_slices_are_predicted_in_pieces_with_the_same_result(monkeypatch):
    assert evaluation.pieces([0, 1, 2, *range(10, 30)], 5) == [(0, 3), (10, 18), (18, 26), (26, 30)]
    assert evaluation.pieces(range(20), 12) == [(0, 12), (12, 20)]
    generator = np.random.default_rng(0)
    image, labels = generator.standard_normal((20, 6, 7)), generator.choice([0, 1, 255], (2, 19, 6, 7))
    cut, held = scored(image, labels, list(range(19))), []
    predict = evaluation.prediction.predict_probabilities

    def recorded(*args, **options):
        held.append(options["z_range"])
        return predict(*args, **options)

    monkeypatch.setattr(evaluation.prediction, "predict_probabilities", recorded)
    monkeypatch.setattr(evaluation, "SLICES_AT_ONCE", 100)
    whole = scored(image, labels, list(range(19)))
    assert held == [(0, 19)] and cut[0] == whole[0] and cut[1].tolist() == whole[1].tolist()


def test_no_known_slice_at_all_gives_nan_for_each_target():
    miou, iou = scored(np.zeros((2, 4, 4)), np.zeros((2, 0, 4, 4)), [])
    assert np.isnan(miou) and np.isnan(iou).tolist() == [True, True]
