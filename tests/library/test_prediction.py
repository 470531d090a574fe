"""Prediction: what each voxel gets, in one pass, streamed, for any shape of region."""

import tracemalloc

import numpy as np
import pytest
import torch

from densecell import io, prediction
from densecell.devices import Computation
from densecell.networks import build_network
from densecell.tiling import Tiling

CPU = Computation("cpu", "float32", False)


class Threshold(torch.nn.Module):
    """Class 1 where the input is above `level`; the output is `margin` smaller on each side in y and x."""

    same_padding = True

    def __init__(self, level, margin=0):
        super().__init__()
        self.level, self.margin = level, margin

    def output_shape(self, shape):
        return (shape[0], shape[1] - 2 * self.margin, shape[2] - 2 * self.margin)

    def forward(self, x):
        m = self.margin
        x = x[:, :, :, m : x.shape[3] - m, m : x.shape[4] - m]
        return (torch.cat([torch.zeros_like(x), 4 * (x - self.level)], dim=1),)


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


@pytest.mark.parametrize("shape", [(9, 40, 33), (3, 40, 33), (9, 10, 11), (1, 5, 70)])
@pytest.mark.parametrize("options", [{}, {"stitch": "halo", "halo": (1, 2, 2)}])
@pytest.mark.parametrize("margin", [0, 2])
def test_a_voxelwise_network_gives_its_own_answer_everywhere(shape, options, margin):
    """Thinner and smaller regions than the window included: tiles are thinner in z and mirrored in y and x."""
    image = noise(*shape)
    sink = prediction.ArraySink(shape)
    prediction.predict([prediction.Member(Threshold(0.3, margin), (5, 16, 16))], image, CPU, sink, **options)
    assert np.array_equal(sink.labels, (image > 0.3).astype(np.uint8))


def test_members_with_different_margins_are_cropped_to_the_smaller_output():
    image = noise(6, 30, 30)
    sink = prediction.ArraySink(image.shape)
    members = [prediction.Member(Threshold(0, 3), (1, 16, 16)), prediction.Member(Threshold(0, 0), (5, 16, 16))]
    prediction.predict(members, image, CPU, sink)
    assert prediction.tile_shapes(members, image.shape)[0] == (5, 10, 10)
    assert np.array_equal(sink.labels, image > 0)


def test_the_ensemble_averages_probabilities_not_votes():
    """Two members lean weakly to class 0, one strongly to class 1: the mean of probabilities says 1."""
    image = np.zeros((1, 8, 8), np.float32)
    members = [prediction.Member(Threshold(level), (1, 8, 8)) for level in (0.05, 0.05, -2)]
    sink = prediction.ArraySink(image.shape)
    prediction.predict(members, image, CPU, sink)
    assert (sink.labels == 1).all()


def test_one_pass_streams_every_prefix_every_member_and_probabilities(tmp_path):
    image = noise(21, 24, 24)
    levels = (0.0, 0.5, -0.5)
    members = [prediction.Member(Threshold(level), (5, 12, 12)) for level in levels]

    def store(name):
        return io.new_volume(tmp_path / name, image.shape, np.uint8, (1, 1, 1))

    with store("k1") as k1, store("k3") as k3, store("m1") as m1, store("p1") as p1:
        prediction.predict(members, image, CPU, prediction.StoreSink(5, {1: k1, 3: k3}, {1: m1}, {1: p1}))
    read = {name: io.zarr.open_group(tmp_path / name, mode="r")["0"][:] for name in ("k1", "k3", "m1", "p1")}
    probability = [1 / (1 + np.exp(-4 * (image - level))) for level in levels]
    assert np.array_equal(read["k1"], image > 0)
    assert np.array_equal(read["m1"], image > 0.5)
    assert np.array_equal(read["k3"], np.mean(probability, axis=0) > 0.5)
    assert np.abs(read["p1"] / 255 - np.mean(probability, axis=0)).max() < 0.51 / 255


def test_sets_of_members_are_averaged_like_any_ensemble(tmp_path):
    image = noise(9, 16, 16)
    levels = (0.0, 0.5, -0.5)
    members = [prediction.Member(Threshold(level), (5, 12, 12)) for level in levels]
    with io.new_volume(tmp_path / "set", image.shape, np.uint8, (1, 1, 1)) as store:
        prediction.predict(members, image, CPU, prediction.StoreSink(5, {}, subsets=[((1, 2), store)]))
    probability = [1 / (1 + np.exp(-4 * (image - level))) for level in levels[1:]]
    assert np.array_equal(io.zarr.open_group(tmp_path / "set", mode="r")["0"][:], np.mean(probability, axis=0) > 0.5)


class Deep(Threshold):
    """Takes depths that are multiples of four; with `shrink`, loses that many slices on each side."""

    def __init__(self, level, shrink=0):
        super().__init__(level)
        self.shrink = shrink

    def output_shape(self, shape):
        if shape[0] % 4 or shape[0] <= 2 * self.shrink:
            raise ValueError("multiples of four")
        return (shape[0] - 2 * self.shrink, *shape[1:])

    def forward(self, x):
        return super().forward(x[:, :, self.shrink : x.shape[2] - self.shrink])


@pytest.mark.parametrize("depth", [1, 3, 8, 11])
@pytest.mark.parametrize("shrink", [0, 2])
def test_networks_that_need_more_slices_than_there_are_see_mirrored_ones(depth, shrink):
    image = noise(depth, 20, 20)
    members = [prediction.Member(Deep(0.1, shrink), (8, 16, 16)), prediction.Member(Threshold(0.1), (5, 16, 16))]
    sink = prediction.ArraySink(image.shape)
    prediction.predict(members, image, CPU, sink)
    assert np.array_equal(sink.labels, image > 0.1)
    probabilities = prediction.ProbabilitySink(2, image.shape)
    prediction.predict(members[:1], image, CPU, probabilities)
    assert np.allclose(probabilities.probabilities.sum(axis=0), 1, atol=1e-6)


def test_streaming_equals_memory_for_a_real_network_and_the_deepest_tile_wins(tmp_path):
    torch.manual_seed(0)
    network = build_network("hybrid_2d3d_333", n_classes=3, base_width=4).eval()
    member = prediction.Member(network, (5, 24, 24))
    image = noise(12, 40, 32)
    sink = prediction.ArraySink(image.shape)
    prediction.predict([member], image, CPU, sink)
    with io.new_volume(tmp_path / "v", image.shape, np.uint8, (1, 1, 1)) as store:
        prediction.predict([member], image, CPU, prediction.StoreSink(5, {1: store}))
    assert np.array_equal(io.zarr.open_group(tmp_path / "v", mode="r")["0"][:], sink.labels)

    tiling = Tiling(image.shape, (5, 24, 24))
    index = (1, 1, 0)
    box, owned = tiling.box(index), tiling.owned(index)
    with torch.no_grad():
        alone = network(torch.from_numpy(image[box])[None, None])[0][0].argmax(0).numpy()
    assert np.array_equal(sink.labels[box][owned], alone[owned])


def test_the_input_of_300_gives_labels_centered_at_an_offset_of_two():
    """A network that crops 2 px a side must be fed 2 px before its tile."""
    image = noise(5, 60, 60)
    sink = prediction.ArraySink(image.shape)
    prediction.predict([prediction.Member(Threshold(0.0, 2), (5, 20, 20))], image, CPU, sink)
    assert np.array_equal(sink.labels, image > 0)


def peak_of_prediction(folder, depth):
    """Peak bytes of NumPy's allocations while a volume of `depth` slices is predicted from store to store."""
    record = {"params": {}, "code": "", "parents": {}}
    with io.new_volume(folder / "in", (depth, 160, 160), np.float32, (1, 1, 1), record=record) as store:
        for start, stop in store.slabs():
            store.write(start, noise(stop - start, 160, 160))
    image = io.open_volume(folder / "in")
    members = [prediction.Member(Threshold(level), (5, 80, 80)) for level in (0.0, 0.2)]
    tracemalloc.start()
    with io.new_volume(folder / "out", image.shape, np.uint8, (1, 1, 1), record=record) as store:
        prediction.predict(members, image, CPU, prediction.StoreSink(5, {2: store}), normalize=lambda x: x - 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


def test_memory_does_not_grow_with_the_number_of_slices(tmp_path):
    peaks = [peak_of_prediction(tmp_path / str(depth), depth) for depth in (16, 96)]
    assert peaks[1] < 1.2 * peaks[0]
    assert peaks[1] < 96 * 160 * 160 * 4  # less than the image of the whole volume
