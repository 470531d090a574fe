"""Blended tiles: an identity network gives the image, equal probabilities stay equal, and neither tile order nor slabs matter."""

import contextlib
import itertools

import numpy as np
import pytest
import torch
from scipy.signal.windows import tukey

from densecell import blend_choice, io, prediction, tile_choice
from densecell.classes import Classes
from densecell.composition import compose, make_composition, quantize
from densecell.devices import Computation
from densecell.networks import build_network
from densecell.outputs import ArraySink, Decision, ProbabilitySink, StoreSink
from densecell.tiling import BlendTiling, taper

CPU = Computation("cpu", "float32", False)
BLEND = {"stitch": "blend"}
CLASSES = Classes(("resin", "cell", "core"), ("background", "cell", "organelle"))


class Identity(torch.nn.Module):
    """Two targets: the image, in (0, 1), and one minus it; as logits. The output is `margin` smaller on each side in y and x."""

    shift_step = (1, 1, 1)

    def __init__(self, margin=0):
        super().__init__()
        self.margin, self.same_padding, self.calls = margin, margin == 0, 0

    def receptive_field(self):
        return (1, 1, 1)

    def output_shape(self, shape):
        return (shape[0], shape[1] - 2 * self.margin, shape[2] - 2 * self.margin)

    def forward(self, x):
        self.calls += type(x) is torch.Tensor  # memory is counted on tensors without values
        m = self.margin
        logits = torch.logit(x[:, :, :, m : x.shape[3] - m, m : x.shape[4] - m].double())
        return (torch.cat([logits, -logits], dim=1),)


class OneSided(Identity):
    """Answers by the position in the tile, so that every tile says something else."""

    def forward(self, x):
        self.calls += type(x) is torch.Tensor  # memory is counted on tensors without values
        ramp = torch.linspace(-1, 2, x.shape[-1]) + torch.linspace(-2, 1, x.shape[-2])[:, None]
        logits = torch.logit(x) + ramp
        return (torch.cat([logits, -logits], dim=1),)


def image_of(*shape):
    return np.random.default_rng(0).uniform(0.01, 0.99, shape).astype(np.float32)


def probabilities(image, window, settings=BLEND, network=None, **options):
    member = prediction.Member(network or Identity(), window)
    return prediction.predict_probabilities(member, image, 2, CPU, settings, activation="sigmoid", **options)


def test_the_window_is_tukeys_without_its_zeros():
    assert taper(3, 1).tolist() == pytest.approx([0.5, 1, 0.5])
    assert np.allclose(taper(512, 0.5), tukey(514, 0.5)[1:-1])
    assert taper(1, 0.5).tolist() == [1]
    assert taper(4, 0).tolist() == [1, 1, 1, 1]
    assert all(taper(n, alpha).min() > 0 for n in (1, 2, 3, 512, 2048) for alpha in (0, 0.1, 0.5, 1))


@pytest.mark.parametrize("size", [(700, 900), (512, 512), (300, 600), (513, 1025)])
@pytest.mark.parametrize("overlap", [0.5, 0.25])
def test_an_identity_network_gives_the_image(size, overlap):
    image = image_of(1, *size)
    found = probabilities(image, (1, 512, 512), {**BLEND, "overlap": overlap})
    assert np.abs(found[0] - image).max() <= 1e-6
    assert np.abs(found[1] - (1 - image)).max() <= 1e-6


@pytest.mark.parametrize("size", [(700, 900), (512, 512), (300, 600), (513, 1025)])
def test_equal_probabilities_of_a_half_are_foreground_everywhere(size):
    """0.5 passes 0.5, also where rounding of the blend makes it a little less: no frame, no seam."""
    image = np.full((1, *size), 0.5, np.float32)
    found = probabilities(image, (1, 512, 512))
    assert np.isfinite(found).all()
    assert (quantize(found) == 128).all()
    composition = make_composition(["cell", "core"], CLASSES, {"order": ["core", "cell"]})
    labels = prediction.predict_labels(
        prediction.Member(Identity(), (1, 512, 512)),
        image,
        CPU,
        BLEND,
        Decision(("cell", "core"), "sigmoid", composition),
    )
    assert (labels == 1).all()


@pytest.mark.parametrize(
    ("length", "overlap", "step", "spacing"), [(160, 0.8, 16, 32), (512, 0.5, 16, 256), (100, 0.9, 1, 10)]
)
def test_the_distance_of_tiles_is_not_cut_by_rounding(length, overlap, step, spacing):
    assert blend_choice.blend_spacing(length, overlap, step) == spacing


@pytest.mark.parametrize("size", [1, 2, 15, 16, 17, 23, 31, 32, 33, 50, 61])
@pytest.mark.parametrize(("overlap", "alpha"), [(0.5, 0.5), (0, 0.5), (0.25, 1), (0.9, 0), (0.5, 1)])
def test_every_row_has_a_positive_weight_and_is_closed_once(size, overlap, alpha):
    spacing = blend_choice.blend_spacing(16, overlap, 4)
    tiling = BlendTiling((1, size, size), [(0, 1), (0, size), (0, size)], (1, 16, 16), (spacing, spacing), 1, alpha)
    total, closed = np.zeros((size, size)), np.zeros((size, size), int)
    for _, _, tiles in tiling.layers():
        for tile in tiles:
            total[tile.box[1:]] += tiling.weight(tile)
            assert not closed[tile.box[1:]].any()  # nothing is added to what is finished
            if tile.closes:
                closed[tile.closes[1:]] += 1
    assert (closed == 1).all()
    assert total.min() > 0
    assert np.allclose(tiling.total_weight((None, slice(0, size), slice(0, size))), total)


@pytest.mark.parametrize("shape", [(1, 5, 70), (3, 10, 11), (9, 40, 33), (4, 16, 17), (1, 1, 1)])
@pytest.mark.parametrize("margin", [0, 2])
def test_awkward_sizes_and_networks_with_margins(shape, margin):
    """Smaller than the tile: mirrored and cropped back. A network that crops reads as much more around its tile."""
    image = image_of(*shape)
    found = probabilities(image, (3, 16, 16), network=Identity(margin))
    assert np.abs(found[0] - image).max() <= 1e-6


def weighted_mean(image, network, tile, starts):
    """The formula itself: sum of window times prediction over the sum of windows, in float64."""
    window = np.outer(tukey(tile + 2, 0.5)[1:-1], tukey(tile + 2, 0.5)[1:-1])
    total, weight = np.zeros(image.shape), np.zeros(image.shape)
    for y, x in itertools.product(*starts):
        box = (slice(y, y + tile), slice(x, x + tile))
        with torch.no_grad():
            found = torch.sigmoid(network(torch.from_numpy(image[box])[None, None, None])[0][0, 0, 0]).numpy()
        total[box] += window * found
        weight[box] += window
    return total / weight


def test_overlapping_tiles_are_averaged_as_the_formula_says():
    image, network = image_of(1, 40, 52), OneSided()
    expected = weighted_mean(image[0], network, 16, ([0, 8, 16, 24], [0, 8, 16, 24, 32, 36]))
    assert np.abs(probabilities(image, (1, 16, 16), network=network)[0, 0] - expected).max() < 1e-6


def test_the_order_of_the_tiles_changes_nothing_but_rounding(monkeypatch):
    image, network = image_of(2, 40, 52), OneSided()
    straight = probabilities(image, (1, 16, 16), network=network)
    tiles_of = BlendTiling._tiles

    def turned(self, z):
        """Each row from the right to the left; the last one in the new order closes it."""
        for _, row in itertools.groupby(tiles_of(self, z), key=lambda tile: tile.corner[1]):
            row = list(row)[::-1]
            row[0].closes, row[-1].closes = None, row[0].closes
            yield from row

    monkeypatch.setattr(BlendTiling, "_tiles", turned)
    assert np.abs(probabilities(image, (1, 16, 16), network=network) - straight).max() < 1e-6


@pytest.mark.parametrize("settings", [BLEND, {**BLEND, "tile": [4, 16, 24], "halo": [1, "auto", "auto"]}])
def test_parts_are_those_of_the_whole_and_slices_exactly(settings):
    """A part of the slices, of rows and columns, or both: the same tiles, the same sums."""
    image, network = image_of(11, 40, 52), OneSided()
    whole = probabilities(image, (3, 16, 16), settings, network=network)
    inner = [(2, 9), (5, 31), (17, 52)]
    part = probabilities(image, (3, 16, 16), settings, network=network, inner=inner)
    assert np.abs(part - whole[:, 2:9, 5:31, 17:52]).max() < 1e-6
    for z in (0, 4, 6):
        found = probabilities(image, (3, 16, 16), settings, network=network, inner=inner, z_range=(z, z + 1))
        assert np.array_equal(found, part[:, z : z + 1])


def test_one_slice_reads_and_computes_only_what_it_needs():
    class Counted:
        def __init__(self, array):
            self.array, self.shape, self.read = array, array.shape, set()

        def __getitem__(self, index):
            self.read |= set(range(*index[0].indices(self.shape[0])))
            return self.array[index]

    network, counted = Identity(), Counted(image_of(40, 30, 30))
    found = probabilities(counted, (1, 16, 16), network=network, z_range=(7, 8))
    assert np.abs(found[0, 0] - counted.array[7]).max() <= 1e-6
    assert counted.read == {7}
    assert network.calls == 9


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_every_result_of_several_members_is_decided_after_the_blend(tmp_path, activation):
    """Prefixes, single members, sets and probabilities, from single members' blends and from sums of them."""
    image, classes = image_of(11, 40, 36), Classes(("resin", "cell"), ("background", "cell"))
    members = [prediction.Member(network, (3, 16, 16)) for network in (Identity(), OneSided(), OneSided(2))]
    members[2].network.same_padding = True
    each = [
        prediction.predict_probabilities(m, image, 2, CPU, BLEND, activation=activation, inner=None)
        for m in members[:2]
    ]
    composition = make_composition(classes.names, classes) if activation == "sigmoid" else None
    decision = Decision(classes.names, activation, composition)

    def decided(chosen):
        mean = np.mean(chosen, axis=0, dtype=np.float32)
        return compose(quantize(mean), composition) if composition else mean.argmax(0).astype(np.uint8)

    keys = {"k1": ("top", 1), "k2": ("top", 2), "p1": ("probability", 1)}
    more = {**keys, "m1": ("member", 1), "s": ("set", (0, 1))}
    for number, wanted in enumerate((keys, more)):
        with contextlib.ExitStack() as stack:
            stores = {
                key: stack.enter_context(io.new_volume(tmp_path / f"{number}{name}", image.shape, np.uint8, (1, 1, 1)))
                for name, key in wanted.items()
            }
            plan = prediction.make_plan(members[:2], image.shape, BLEND, CPU)
            prediction.predict(members[:2], image, CPU, plan, StoreSink(stores, plan.depth, decision=decision))
        read = {name: io.zarr.open_group(tmp_path / f"{number}{name}", mode="r")["0"][:] for name in wanted}
        assert (read["k1"] != decided(each[:1])).mean() < 1e-4  # sums in another order
        assert (read["k2"] != decided(each)).mean() < 1e-4
        assert np.abs(read["p1"] / 255 - np.mean(each, axis=0)[1]).max() < 0.51 / 255
        if number:
            assert (read["m1"] != decided(each[1:])).mean() < 1e-4
            assert (read["s"] != decided(each)).mean() < 1e-4


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
def test_outside_the_mask_nothing_is_predicted_and_inside_the_same(activation):
    image, network = image_of(4, 60, 60), OneSided()
    classes = Classes(("resin", "cell"), ("background", "cell"))
    composition = make_composition(["cell", "resin"], classes) if activation == "sigmoid" else None
    decision = Decision(("cell", "resin"), activation, composition)
    mask = np.zeros(image.shape, bool)
    mask[:3, 40:57, 5:18] = True
    labels, calls = {}, {}
    for name, inside in (("all", None), ("masked", lambda box: mask[box])):
        network.calls, member = 0, prediction.Member(network, (1, 16, 16))
        labels[name] = prediction.predict_labels(member, image, CPU, BLEND, decision, inside=inside, background=0)
        calls[name] = network.calls
        plan = prediction.make_plan([member], image.shape, BLEND, CPU)
    assert np.array_equal(labels["masked"], np.where(mask, labels["all"], 0))
    assert len(plan.tiling) == 4 * 49 == calls["all"]
    assert calls["masked"] == 3 * 3 * 3  # slices, and tiles from rows 32, 40, 44 and columns 0, 8, 16


def test_all_rows_but_the_open_ones_are_forgotten():
    """Memory: a tall image takes what a low one takes."""
    plans = [
        prediction.make_plan([prediction.Member(Identity(), (1, 32, 32))], (4, height, 64), BLEND, CPU, n_classes=3)
        for height in (64, 640)
    ]
    written = [(tile_choice.SLAB + 1) * height * 64 for height in (64, 640)]  # buffers of whole slices
    assert plans[1].n_bytes - plans[0].n_bytes == written[1] - written[0]
    facts = plans[0].facts
    assert (facts["stitch"], facts["spacing"], facts["tile"], facts["taper"]) == (
        "blend",
        [1, 16, 16],
        [[1, 32, 32]],
        0.5,
    )


def test_real_networks_blend_like_single_tiles_where_there_is_one():
    """One tile over all of the image: blended, it is what the network gives."""
    torch.manual_seed(0)
    network = build_network("unet_2d", n_classes=3, base_width=2, padding="same").eval()
    image = image_of(2, 48, 48) - 0.5
    member = prediction.Member(network, (1, 48, 48))
    found = prediction.predict_probabilities(member, image, 3, CPU, BLEND)
    with torch.no_grad():
        expected = torch.softmax(network(torch.from_numpy(image)[None, None])[0][0], 0).numpy()
    assert np.abs(found - expected).max() < 1e-6


def test_auto_in_y_or_x_is_refused():
    with pytest.raises(ValueError, match=r"prediction.tile: auto in y or x, .*stitch: blend"):
        probabilities(image_of(1, 20, 20), (1, 16, 16), {**BLEND, "tile": [1, "auto", 16]})


def test_slices_of_a_network_without_window_statistics_go_together_where_memory_allows():
    image, network = image_of(12, 40, 40), Identity()
    settings = {**BLEND, "tile": ["auto", "window", "window"]}
    member = prediction.Member(network, (1, 16, 16))
    assert np.array_equal(
        prediction.predict_probabilities(member, image, 2, CPU, settings),
        prediction.predict_probabilities(member, image, 2, CPU, BLEND),
    )
    plan = prediction.make_plan([member], image.shape, settings, CPU, budget=2**31)
    assert plan.depth == 12


def test_sinks_of_others_work(tmp_path):
    image = image_of(9, 24, 24)
    plan = prediction.make_plan([prediction.Member(Identity(), (1, 16, 16))], image.shape, BLEND, CPU)
    for sink in (ArraySink(image.shape), ProbabilitySink(2, image.shape)):
        done = []
        member = prediction.Member(Identity(), (1, 16, 16))
        prediction.predict([member], image, CPU, plan, sink, z_range=(2, 9), progress=done.append)
        assert sum(done) == 7 * 24 * 24
