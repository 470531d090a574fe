"""Prediction: what each voxel gets, in one pass, streamed, for any shape of region and both ways to stitch."""

import contextlib
import tracemalloc

import numpy as np
import pytest
import torch

from densecell import io, prediction, windows
from densecell.devices import Computation
from densecell.networks import build_network
from densecell.outputs import ArraySink, ProbabilitySink, StoreSink
from densecell.tile_choice import Layout
from densecell.tiling import DepthTiling

CPU = Computation("cpu", "float32", False)


class Threshold(torch.nn.Module):
    """Class 1 where the input is above `level`; the output is `margin` smaller on each side in y and x."""

    shift_step = (1, 1, 1)

    def __init__(self, level, margin=0):
        super().__init__()
        self.level, self.margin, self.same_padding = level, margin, margin == 0

    def receptive_field(self):
        return (1, 1, 1)

    def output_shape(self, shape):
        return (shape[0], shape[1] - 2 * self.margin, shape[2] - 2 * self.margin)

    def forward(self, x):
        m = self.margin
        x = x[:, :, :, m : x.shape[3] - m, m : x.shape[4] - m]
        return (torch.cat([torch.zeros_like(x), 4 * (x - self.level)], dim=1),)


def noise(*shape):
    return np.random.default_rng(0).standard_normal(shape).astype(np.float32)


def run(members, image, sink, settings=None, **options):
    inner = options.get("inner")
    plan = prediction.make_plan(members, image.shape, settings or {}, CPU, inner=inner)
    prediction.predict(members, image, CPU, plan, sink, **options)
    return plan


HALO = {"stitch": "halo", "halo": [1, 2, 2], "tile": [5, 16, 16]}


@pytest.mark.parametrize("shape", [(9, 40, 33), (3, 40, 33), (9, 10, 11), (1, 5, 70)])
@pytest.mark.parametrize("settings", [{}, HALO, {"stitch": "halo"}, {"stitch": "halo", "halo": "auto"}])
@pytest.mark.parametrize("margin", [0, 2])
def test_a_voxelwise_network_gives_its_own_answer_everywhere(shape, settings, margin):
    """Thinner and smaller regions than the window included: tiles are thinner in z and mirrored in y and x."""
    image = noise(*shape)
    sink = ArraySink(shape)
    run([prediction.Member(Threshold(0.3, margin), (5, 16, 16))], image, sink, settings)
    assert np.array_equal(sink.labels, (image > 0.3).astype(np.uint8))


@pytest.mark.parametrize("settings", [{}, HALO])
def test_the_part_asked_for_is_that_of_the_whole(settings):
    image, inner = noise(9, 40, 33), [(2, 8), (5, 40), (0, 30)]
    sink = ArraySink(tuple(b - a for a, b in inner))
    run([prediction.Member(Threshold(0.3), (5, 16, 16))], image, sink, settings, inner=inner)
    assert np.array_equal(sink.labels, (image > 0.3)[2:8, 5:40, 0:30])


@pytest.mark.parametrize("settings", [{}, {"stitch": "halo", "tile": [3, 24, 16]}])
def test_members_with_different_margins_share_one_tiling(settings):
    image = noise(6, 30, 30)
    sink = ArraySink(image.shape, 2)
    members = [prediction.Member(Threshold(0, 3), (1, 16, 16)), prediction.Member(Threshold(0, 0), (5, 16, 16))]
    plan = run(members, image, sink, settings)
    if not settings:
        assert plan.tiling.tile == (5, 10, 10)
    assert np.array_equal(sink.labels, image > 0)


def test_the_ensemble_averages_probabilities_not_votes():
    """Two members lean weakly to class 0, one strongly to class 1: the mean of probabilities says 1."""
    image = np.zeros((1, 8, 8), np.float32)
    members = [prediction.Member(Threshold(level), (1, 8, 8)) for level in (0.05, 0.05, -2)]
    sink = ArraySink(image.shape, 3)
    run(members, image, sink)
    assert (sink.labels == 1).all()


@pytest.mark.parametrize("settings", [{}, HALO])
def test_one_pass_streams_every_prefix_every_member_every_set_and_probabilities(tmp_path, settings):
    image = noise(21, 24, 24)
    levels = (0.0, 0.5, -0.5)
    members = [prediction.Member(Threshold(level), (5, 12, 12)) for level in levels]
    keys = {"k1": ("top", 1), "k3": ("top", 3), "m1": ("member", 1), "p1": ("probability", 1), "s": ("set", (1, 2))}
    with contextlib.ExitStack() as stack:
        stores = {
            key: stack.enter_context(io.new_volume(tmp_path / name, image.shape, np.uint8, (1, 1, 1)))
            for name, key in keys.items()
        }
        run(members, image, StoreSink(stores, 5), settings)
    read = {name: io.zarr.open_group(tmp_path / name, mode="r")["0"][:] for name in keys}
    probability = [1 / (1 + np.exp(-4 * (image - level))) for level in levels]
    assert np.array_equal(read["k1"], image > 0)
    assert np.array_equal(read["m1"], image > 0.5)
    assert np.array_equal(read["k3"], np.mean(probability, axis=0) > 0.5)
    assert np.array_equal(read["s"], np.mean(probability[1:], axis=0) > 0.5)
    assert np.abs(read["p1"] / 255 - np.mean(probability, axis=0)).max() < 0.51 / 255


@pytest.mark.parametrize("settings", [{}, HALO])
def test_parts_of_the_slices_written_one_by_one_are_the_whole(tmp_path, settings):
    """What a slab job or a resumed job writes does not depend on where it began."""
    image, member = noise(29, 24, 24), prediction.Member(Threshold(0.1), (5, 16, 16))
    reached = []
    with io.new_volume(tmp_path / "v", image.shape, np.uint8, (1, 1, 1)) as store:
        depth = store.slab_depth
        for z_range in ((0, depth), (2 * depth, 29), (depth, 2 * depth)):
            sink = StoreSink({("top", 1): store}, 5, z_range, written=reached.append)
            run([member], image, sink, settings, z_range=z_range)
    assert np.array_equal(io.zarr.open_group(tmp_path / "v", mode="r")["0"][:], image > 0.1)
    assert reached == [8, 24, 29, 16]


def test_nothing_is_predicted_outside_the_mask():
    image = noise(6, 40, 40)
    mask = np.zeros(image.shape, bool)
    mask[:, :20, 5:18] = True
    calls = []

    class Counting(Threshold):
        def forward(self, x):
            calls.append(1)
            return super().forward(x)

    sink = ArraySink(image.shape)
    settings = {"stitch": "halo", "tile": [6, 20, 20]}
    members = [prediction.Member(Counting(-9), (5, 16, 16))]
    plan = prediction.make_plan(members, image.shape, settings, CPU)
    calls.clear()
    prediction.predict(members, image, CPU, plan, sink, inside=lambda box: mask[box], background=0)
    assert np.array_equal(sink.labels, mask)  # class 1 everywhere inside
    assert (len(calls), len(plan.tiling)) == (1, 4)


def test_flips_are_averaged():
    """A network that answers by the position in its input; flipped and averaged it answers alike everywhere."""

    class Ramp(Threshold):
        def forward(self, x):
            ramp = torch.arange(x.shape[-1], dtype=x.dtype).expand_as(x) - (x.shape[-1] - 1) / 2
            return (torch.cat([torch.zeros_like(x), ramp], dim=1),)

    member, image = prediction.Member(Ramp(0), (1, 8, 8)), noise(1, 8, 8)
    plain = prediction.predict_probabilities(member, image, 2, CPU)
    assert np.allclose(plain[1, 0, 0], 1 / (1 + np.exp(-(np.arange(8) - 3.5))))
    flipped = prediction.predict_probabilities(member, image, 2, CPU, flips=(-1,))
    assert np.allclose(flipped[1], 0.5)
    assert prediction.flip_sets((-2, -1)) == [(), (-2,), (-1,), (-2, -1)]


def test_progress_adds_up_to_the_slices_asked_for():
    image, done = noise(9, 24, 24), []
    member = prediction.Member(Threshold(0.1), (5, 16, 16))
    for settings in ({}, HALO):
        done.clear()
        run([member], image, ArraySink(image.shape), settings, z_range=(2, 9), progress=done.append)
        assert sum(done) == 7 * 24 * 24


def test_an_empty_range_of_slices_computes_nothing():
    calls, image = [], noise(9, 24, 24)

    class Counting(Threshold):
        def forward(self, x):
            calls.append(1)
            return super().forward(x)

    for settings in ({}, HALO):
        member = prediction.Member(Counting(0.1), (5, 16, 16))
        plan = prediction.make_plan([member], image.shape, settings, CPU)
        calls.clear()
        prediction.predict([member], image, CPU, plan, ArraySink(image.shape), z_range=(9, 9))
        assert calls == []


def test_members_that_read_other_boxes_read_each_strip_once():
    """Rows of tiles along x share the strip they need, each member its own."""

    class Counted:
        def __init__(self, array):
            self.array, self.shape, self.voxels = array, array.shape, 0

        def __getitem__(self, index):
            found = self.array[index]
            self.voxels += found.size
            return found

    image = noise(4, 32, 400)
    members = [prediction.Member(Threshold(0, 3), (1, 22, 22)), prediction.Member(Threshold(0, 0), (4, 16, 16))]
    counted, sink = Counted(image), ArraySink(image.shape, 2)
    plan = prediction.make_plan(members, image.shape, {"stitch": "halo", "tile": [4, 22, 22]}, CPU)
    prediction.predict(members, counted, CPU, plan, sink)
    assert np.array_equal(sink.labels, image > 0)
    assert len(plan.tiling) > 40
    assert counted.voxels < 4 * image.size


def test_overflow_in_float16_is_told():
    class Overflowing(Threshold):
        def forward(self, x):
            return (torch.cat([x, x * torch.inf], dim=1),)

    computation = Computation("cpu", "float16", False, inference=True)
    member, image = prediction.Member(Overflowing(0), (1, 16, 16)), noise(1, 16, 16)
    with pytest.raises(ValueError, match=r"prediction.precision: float16 overflowed .*Use bfloat16 or float32"):
        prediction.predict_labels(member, image, computation)


def test_an_error_in_the_writing_thread_ends_the_prediction():
    class Full(ArraySink):
        def flush(self, stop):
            raise OSError("the disk is full")

    image = noise(9, 24, 24)
    with pytest.raises(OSError, match="the disk is full"):
        run([prediction.Member(Threshold(0.1), (5, 16, 16))], image, Full(image.shape))


# name, options, window, tile, shape: several tiles on the axis that is cut, sizes that are no multiples of the pools
EXACT = [
    ("hybrid_2d3d_333", {"base_width": 4}, (5, 96, 96), [21, 48, 48], (24, 20, 29)),
    ("hybrid_2d3d_333", {"base_width": 2}, (5, 96, 96), [3, 208, 64], (3, 250, 20)),
    ("hybrid_2d3d_no_pyramid", {"base_width": 2}, (5, 96, 96), [11, 184, 48], (12, 190, 9)),
    ("unet_2d", {"base_width": 2}, (1, 188, 188), [2, 204, 204], (3, 60, 30)),
    ("unet_2d", {"base_width": 2, "padding": "same"}, (1, 192, 192), [2, 272, 48], (2, 290, 20)),
    ("unet_3d_thin", {"base_width": 2}, (5, 60, 60), [33, 100, 44], (34, 110, 9)),
    ("unet_3d_thick", {"base_width": 2}, (16, 60, 60), [84, 84, 16], (86, 90, 9)),
    ("medicalnet", {"base_width": 2, "norm": "none"}, (16, 64, 64), [8, 576, 16], (4, 590, 11)),
    ("deepvess", {"base_width": 4}, (7, 33, 33), [9, 43, 48], (8, 37, 44)),
]


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("name", "options", "window", "tile", "shape"), EXACT)
def test_halo_tiles_give_what_the_whole_volume_gives_at_once(name, options, window, tile, shape, precision):
    """To 1e-6 of a probability, as docs/method.md states. The whole volume is mirrored up to a size that the network takes."""
    computation = Computation("cpu", precision)
    torch.manual_seed(0)
    member = prediction.Member(build_network(name, n_classes=3, **options).eval(), window)
    image = noise(*shape)
    layout = Layout(member, shape, [None] * 3)
    size = tuple(
        layout.input_size(axis, n) if layout.axes[0].valid else layout.axes[axis].length for axis, n in enumerate(shape)
    )
    output = member.network.output_shape(size)
    start = [-((i - o) // 2) if layout.axes[0].valid else a.low for i, o, a in zip(size, output, layout.axes)]
    x = torch.from_numpy(windows.cut(image, start, size).copy())[None, None]
    first = [-s - (i - o) // 2 for s, i, o in zip(start, size, output)]
    with torch.no_grad():
        whole = torch.softmax(computation.forward(member.network, x)[0][0].float(), 0)
    whole = whole[(slice(None), *(slice(f, f + n) for f, n in zip(first, shape)))].numpy()
    sink = ProbabilitySink(3, shape)
    settings = {"stitch": "halo", "halo": "auto", "tile": tile}
    plan = prediction.make_plan([member], shape, settings, computation)
    prediction.predict([member], image, computation, plan, sink)
    assert len(plan.tiling) > 1
    assert whole.std() > 1e-4
    assert np.abs(sink.probabilities - whole).max() < 1e-6


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
    sink = ArraySink(image.shape, 2)
    run(members, image, sink)
    assert np.array_equal(sink.labels, image > 0.1)
    found = prediction.predict_probabilities(members[0], image, 2, CPU)
    assert np.allclose(found.sum(axis=0), 1, atol=1e-6)


def test_streaming_equals_memory_for_a_real_network_and_the_deepest_tile_wins(tmp_path):
    torch.manual_seed(0)
    network = build_network("hybrid_2d3d_333", n_classes=3, base_width=4).eval()
    member = prediction.Member(network, (5, 24, 24))
    image = noise(12, 40, 32)
    labels = prediction.predict_labels(member, image, CPU)
    with io.new_volume(tmp_path / "v", image.shape, np.uint8, (1, 1, 1)) as store:
        run([member], image, StoreSink({("top", 1): store}, 5))
    assert np.array_equal(io.zarr.open_group(tmp_path / "v", mode="r")["0"][:], labels)

    layers = list(DepthTiling(image.shape, (5, 24, 24)).layers())
    tile = list(layers[1][2])[2]
    with torch.no_grad():
        alone = network(torch.from_numpy(image[tile.box])[None, None])[0][0].argmax(0).numpy()
    assert np.array_equal(labels[tile.box][tile.owned], alone[tile.owned])


def test_the_input_of_300_gives_labels_centered_at_an_offset_of_two():
    """A network that crops 2 px a side must be fed 2 px before its tile."""
    image = noise(5, 60, 60)
    member = prediction.Member(Threshold(0.0, 2), (5, 20, 20))
    assert np.array_equal(prediction.predict_labels(member, image, CPU), image > 0)


def peak_of_prediction(folder, depth, settings):
    """Peak bytes of NumPy's allocations while a volume of `depth` slices is predicted from store to store."""
    record = {"params": {}, "code": "", "parents": {}}
    with io.new_volume(folder / "in", (depth, 160, 160), np.float32, (1, 1, 1), record=record) as store:
        for start, stop in store.slabs():
            store.write(start, noise(stop - start, 160, 160))
    image = io.open_volume(folder / "in")
    members = [prediction.Member(Threshold(level), (5, 80, 80)) for level in (0.0, 0.2)]
    tracemalloc.start()
    with io.new_volume(folder / "out", image.shape, np.uint8, (1, 1, 1), record=record) as store:
        run(members, image, StoreSink({("top", 2): store}, 8), settings, normalize=lambda x: x - 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return peak


@pytest.mark.parametrize("settings", [{}, {"stitch": "halo", "tile": [8, 96, 96]}])
def test_memory_does_not_grow_with_the_number_of_slices(tmp_path, settings):
    peaks = [peak_of_prediction(tmp_path / str(depth), depth, settings) for depth in (48, 144)]
    assert peaks[1] < 1.5 * peaks[0]  # a tile or two may wait to be written
    assert peaks[1] < 144 * 160 * 160 * 4  # less than the image of the whole volume
