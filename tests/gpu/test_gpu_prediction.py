"""Prediction on the device gives the CPU's labels where these are clear, in memory that does not grow with the volume."""

import numpy as np
import pytest
import torch

from densecell import prediction
from densecell.devices import Computation
from densecell.networks import build_network
from densecell.outputs import ArraySink

N_CLASSES, SHAPE = 4, (6, 60, 66)
HALO = {"stitch": "halo", "halo": [2, 8, 8], "tile": [8, 64, 64]}
WAYS = {"depth": {"stitch": "depth"}, "halo": HALO}
CLEAR = 0.02  # difference of the two largest probabilities above which rounding may not change the label


def member(computation, seed=0, name="hybrid_2d3d_333", window=(3, 48, 48)):
    """An untrained network whose classes differ clearly: its last weights are enlarged."""
    torch.manual_seed(seed)
    network = build_network(name, n_classes=N_CLASSES, base_width=4, predictor_relu=False)
    with torch.no_grad():
        network.predictor_3d.weight *= 30
    return prediction.Member(computation.place(network).eval(), window)


def volume(depth=SHAPE[0], seed=1):
    return np.random.default_rng(seed).standard_normal((depth, *SHAPE[1:])).astype(np.float32)


def clear_voxels(probabilities):
    """(Z, Y, X) bool: where one class is clearly the most probable."""
    ordered = np.sort(probabilities, axis=0)
    return ordered[-1] - ordered[-2] > CLEAR


@pytest.mark.parametrize("way", WAYS)
def test_labels_are_those_of_the_cpu_where_they_are_clear(device, way):
    exact, fast = Computation("cpu", "float32", channels_last=False), Computation(device, "float32", inference=True)
    image = volume()
    expected = prediction.predict_probabilities(member(exact), image, N_CLASSES, exact, WAYS[way])
    found = prediction.predict_labels(member(fast), image, fast, WAYS[way])
    clear = clear_voxels(expected)
    assert clear.mean() > 0.8 and len(np.unique(found)) > 1
    assert np.array_equal(found[clear], expected.argmax(axis=0)[clear])


def test_probabilities_of_flips_are_those_of_the_cpu(device):
    exact, fast = Computation("cpu", "float32", channels_last=False), Computation(device, "float32", inference=True)
    expected, found = (
        prediction.predict_probabilities(member(c), volume(), N_CLASSES, c, WAYS["halo"], flips=(-1,))
        for c in (exact, fast)
    )
    assert np.abs(found - expected).max() < 1e-3
    assert np.allclose(found.sum(axis=0), 1, atol=1e-5)


def test_an_ensemble_on_the_device_is_that_of_the_cpu(device):
    labels = []
    for computation in (
        Computation("cpu", "float32", channels_last=False),
        Computation(device, "float32", inference=True),
    ):
        members, sink = [member(computation, seed) for seed in (0, 1)], ArraySink(SHAPE, n_members=2)
        plan = prediction.make_plan(members, SHAPE, WAYS["halo"], computation)
        prediction.predict(members, volume(), computation, plan, sink)
        labels.append(sink.labels)
    assert (labels[0] != labels[1]).mean() < 0.001 and len(np.unique(labels[0])) > 1


@pytest.mark.gpu
@pytest.mark.parametrize("way", WAYS)
def test_memory_on_the_gpu_does_not_grow_with_the_volume(way):
    computation, peaks = Computation("cuda", "bfloat16", inference=True), []
    for depth in (16, 16, 96):  # the first run also loads kernels and their workspaces
        torch.cuda.reset_peak_memory_stats()
        prediction.predict_labels(member(computation), volume(depth), computation, WAYS[way])
        peaks.append(torch.cuda.max_memory_allocated())
    assert peaks[2] < 1.02 * peaks[1]
