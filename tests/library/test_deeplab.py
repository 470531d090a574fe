"""DeepLab v3+: published counts of its parts, strides, dilations, and what batch statistics and dropout do."""

import pytest
import test_training as tiny
import torch
from torch import nn

from densecell import checkpoints, sampling, training
from densecell.devices import Computation
from densecell.networks import build_network
from densecell.networks.deeplab import Dropout, PooledFeatures
from densecell.networks.drn import DRND54
from densecell.networks.resnet import Bottleneck, ResNet101

BOTH = ("deeplab_drn", "deeplab_resnet101")
STRIDES = {"deeplab_drn": 8, "deeplab_resnet101": 16}


def count(module):
    return sum(p.numel() for p in module.parameters())


def small(name, **options):
    torch.manual_seed(0)
    return build_network(name, n_classes=4, **{"base_width": 4, **options})


def picture(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("name", "backbone", "aspp", "total", "one_channel"),
    [
        ("deeplab_drn", 35_296_176, 4_131_840, 40_733_463, 40_731_895),
        ("deeplab_resnet101", 42_500_160, 15_535_104, 59_340_711, 59_334_439),
    ],
)
def test_parameter_counts_of_the_parts(name, backbone, aspp, total, one_channel):
    with torch.device("meta"):
        network = build_network(name)
        assert (count(network.backbone), count(network.aspp), count(network.decoder)) == (backbone, aspp, 1_305_447)
        assert count(network) == total
        assert count(build_network(name, gray_to_rgb=False)) == one_channel
        assert count(build_network(name, n_channels=3)) == total


@pytest.mark.parametrize(
    ("backbone", "features", "low_level"),
    [(DRND54, (512, 10, 12), (256, 20, 24)), (ResNet101, (2048, 5, 6), (256, 20, 24))],
)
def test_strides_and_widths_of_the_backbones(backbone, features, low_level):
    with torch.device("meta"):
        network = backbone(3, 64, nn.BatchNorm2d)
        found = network(torch.empty(2, 3, 80, 96))
    assert [tuple(f.shape[1:]) for f in found] == [features, low_level]
    assert (network.n_features, network.n_low_level) == (features[0], low_level[0])
    assert 80 // features[1] == backbone.output_stride


def dilations(module):
    """Dilation of each 3 x 3 convolution, in order."""
    return [c.dilation[0] for c in module.modules() if isinstance(c, nn.Conv2d) and c.kernel_size == (3, 3)]


def test_dilations():
    with torch.device("meta"):
        drn, resnet = (build_network(name) for name in BOTH)
    assert dilations(drn.aspp) == [12, 24, 36]
    assert dilations(resnet.aspp) == [6, 12, 18]
    b = drn.backbone
    assert dilations(b.stage4) + dilations(b.stage5) == [2] * 6 + [4] * 3
    assert dilations(b.stage6) + dilations(b.stage7) == [2, 1]
    assert [len(s) for s in (b.stage2, b.stage3, b.stage4, b.stage5)] == [3, 4, 6, 3]
    r = resnet.backbone
    assert dilations(r.stage4) == [2, 4, 8]  # multi-grid (1, 2, 4) times 2
    assert [len(s) for s in (r.stage1, r.stage2, r.stage3, r.stage4)] == [3, 4, 23, 3]
    assert set(dilations(nn.ModuleList([r.stage1, r.stage2, r.stage3]))) == {1}
    convolutions = [c for network in (drn, resnet) for c in network.modules() if isinstance(c, nn.Conv2d)]
    assert all(c.padding[0] == c.dilation[0] * (c.kernel_size[0] // 2) for c in convolutions)


def test_a_bottleneck_of_zero_kernels_is_the_relu_of_its_input():
    block = Bottleneck(8, 2, nn.BatchNorm2d).eval()
    for kernel in block.convolutions.parameters():
        nn.init.zeros_(kernel)
    x = picture(1, 8, 5, 6)
    assert torch.equal(block(x), x.relu())


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("norm", ["batch", "instance"])
def test_any_size_above_the_stride_comes_out_as_it_went_in(name, norm):
    network, least = small(name, norm=norm).eval(), STRIDES[name] + 1
    with torch.no_grad():
        for shape in ((1, least, least), (3, least + 1, 41), (2, 37, least)):
            assert network(picture(1, 1, *shape))[0].shape[2:] == network.output_shape(shape) == shape
    network.train()(picture(2, 1, 1, least, least))
    for shape in ((1, least - 1, 40), (1, 40, least - 1), (0, 40, 40)):
        with pytest.raises(ValueError, match=rf"experiments.window.*at least \(1, {least}, {least}\); found"):
            network.output_shape(shape)


@pytest.mark.parametrize("name", BOTH)
def test_slices_do_not_see_each_other_in_evaluation(name):
    network, x = small(name).eval(), picture(2, 1, 3, 40, 48)
    with torch.no_grad():
        together, alone = network(x)[0], network(x[1:, :, 1:2])[0]
    assert torch.allclose(together[1:, :, 1:2], alone, rtol=1e-4, atol=1e-4 * alone.abs().max())


@pytest.mark.parametrize("name", BOTH)
def test_gray_is_repeated_to_three_channels(name):
    """The same weights as a network of three channels, given the slice three times."""
    gray, rgb = small(name).eval(), small(name, n_channels=3).eval()
    rgb.load_state_dict(gray.state_dict())
    x = picture(1, 1, 1, 40, 48)
    with torch.no_grad():
        assert torch.equal(gray(x)[0], rgb(x.expand(-1, 3, -1, -1, -1))[0])


def test_one_slice_has_no_batch_statistics_and_the_error_names_the_key():
    network = small("deeplab_drn").train()
    with pytest.raises(ValueError, match=r"experiments.training.batch_size: .*at least two slices.*found one"):
        network(picture(1, 1, 1, 40, 40))
    network.eval()(picture(1, 1, 1, 40, 40))
    small("deeplab_drn", norm="instance").train()(picture(1, 1, 1, 40, 40))


def test_a_last_batch_of_one_slice_takes_the_running_statistics_of_the_pooled_features():
    torch.manual_seed(0)
    pooled = PooledFeatures(3, 5, nn.BatchNorm2d).train()
    x = picture(4, 3, 6, 7)
    pooled(x)
    before = {k: v.clone() for k, v in pooled.state_dict().items()}
    alone = pooled(x[:1])
    assert all(torch.equal(v, before[k]) for k, v in pooled.state_dict().items())
    assert torch.equal(alone, pooled.eval()(x[:1]))


def test_batch_statistics_go_into_the_running_ones_in_training_only():
    network, x = small("deeplab_drn"), 3 + picture(2, 1, 2, 40, 40)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    network.eval()(x)
    assert {int(n.num_batches_tracked) for n in norms} == {0}
    network.train()(x)
    assert {int(n.num_batches_tracked) for n in norms} == {1}
    first = network.backbone.stem[0]
    expected = 0.1 * first[0](x.transpose(1, 2).reshape(4, 1, 40, 40).repeat(1, 3, 1, 1)).mean((0, 2, 3))
    assert torch.allclose(first[1].running_mean, expected, atol=1e-5)


def test_dropout_keeps_the_mean_and_goes_on_where_a_restored_one_was():
    torch.manual_seed(0)
    dropout, x = Dropout(0.5), torch.ones(1, 4, 100, 100)
    first, second = dropout(x), dropout(x)
    assert set(first.unique().tolist()) == {0.0, 2.0}
    assert abs(first.mean() - 1) < 0.03
    assert not torch.equal(first, second)
    state = {k: v.clone() for k, v in dropout.state_dict().items()}
    third = dropout(x)
    restored = Dropout(0.5)
    restored.load_state_dict(state)
    assert torch.equal(restored(x), third)
    assert torch.equal(dropout.eval()(x), x)


def test_initializations_and_unknown_options():
    kaiming, xavier = small("deeplab_drn", base_width=16), small("deeplab_drn", base_width=16, initialization="xavier")
    kernel = kaiming.decoder.refine[0][0].weight  # 76 -> 64, 3 x 3
    assert abs(kernel.std() - (2 / (64 * 9)) ** 0.5) < 0.002
    assert xavier.decoder.refine[0][0].weight.abs().max() <= (6 / ((76 + 64) * 9)) ** 0.5
    assert not kaiming.decoder.predictor.bias.any()
    for option, known in (("norm", "batch, instance"), ("initialization", "kaiming, xavier")):
        with pytest.raises(ValueError, match=rf"experiments.options.{option}: unknown 'x'; known: {known}"):
            small("deeplab_drn", **{option: "x"})
    with pytest.raises(ValueError, match="base_width: expected a number >= 1, found 0"):
        small("deeplab_drn", base_width=0)


def test_only_the_last_convolution_is_a_predictor():
    groups = small("deeplab_drn").parameter_groups()
    assert list(groups) == ["encoder_decoder", "predictors"]
    assert [tuple(p.shape) for p in groups["predictors"]] == [(4, 16, 1, 1), (4,)]


@pytest.mark.parametrize("name", BOTH)
@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_layouts_and_precisions_agree_and_have_gradients(name, channels_last, precision):
    network, x = small(name, dropout=False).eval(), picture(1, 1, 2, 40, 48)
    with torch.no_grad():
        exact = network(x)[0]
    computation = Computation("cpu", precision, channels_last)
    found = computation.forward(computation.place(network), x)[0].float()
    assert (found - exact).norm() < (1e-4 if precision == "float32" else 0.06) * exact.norm()
    found.square().mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in network.parameters())


def train(settings, seed=0, restart=None):
    """(network, Run) of a tiny training; three windows of one slice an epoch in batches of two, so one is left alone."""
    torch.manual_seed(seed)
    network = build_network("deeplab_drn", n_classes=3, base_width=4)
    sampler = sampling.Sampler([tiny.region(0, (3, 24, 24))], network, (1, 24, 24), (1, 24, 24), settings, data_seed=3)
    regions, computation = [tiny.region(5, (3, 24, 24))], Computation("cpu", "float32", True)
    run = training.train(
        network, sampler, regions, settings, computation, tiny.GROUPS, restart=restart, say=lambda _: None
    )
    return network, run


@pytest.mark.parametrize("kill_at", [2, 3])
def test_killed_and_resumed_equals_never_interrupted(kill_at):
    """Batch statistics and the count of the dropout go on; `kill_at` is after a whole and after a leftover batch."""
    settings = tiny.settings_of(steps=6, batch_size=2, evaluate_every_steps=2, save_every_minutes=0, optimizer="adam")
    network, whole = train(settings)
    kept = tiny.Kept(kill_at)
    with pytest.raises(KeyboardInterrupt):
        train(settings, restart=kept)
    kept.kill_at = None
    resumed_network, resumed = train(settings, seed=1, restart=kept)
    assert resumed.history == whole.history
    assert all(torch.equal(a, b) for a, b in zip(network.state_dict().values(), resumed_network.state_dict().values()))
    assert all(torch.equal(whole.best_state[k], resumed.best_state[k]) for k in whole.best_state)
    assert network.training and int(network.backbone.stem[0][1].num_batches_tracked) == 6
    assert int(network.aspp.pooled.norm.num_batches_tracked) == 3  # not the leftover batches


def test_a_checkpoint_keeps_batch_statistics_and_predicts_the_same(tmp_path):
    network = small("deeplab_drn")
    network.train()(picture(2, 1, 1, 40, 40))
    spec = {"network": "deeplab_drn", "options": {"base_width": 4}, "window": [1, 40, 40], "seeds": {}}
    spec |= {"classes": list("abcd"), "targets": list("abcd"), "normalization": []}
    spec |= {"activation": "softmax", "decision": "argmax"}
    checkpoints.write_checkpoint(tmp_path / "x.safetensors", network.state_dict(), spec)
    restored, _ = checkpoints.load_network(tmp_path / "x.safetensors")
    assert not restored.training
    state = restored.state_dict()
    assert all(torch.equal(v, state[k]) and v.dtype == state[k].dtype for k, v in network.state_dict().items())
    assert state["backbone.stem.0.1.num_batches_tracked"] == 1
    x = picture(1, 1, 2, 40, 40)
    with torch.no_grad():
        assert torch.equal(network.eval()(x)[0], restored(x)[0])
