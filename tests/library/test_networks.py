"""Parameter counts after the papers, and one contract every network keeps."""

import pytest
import torch

import network_sizes
from densecell.devices import Computation
from densecell.networks import NETWORKS, build_network
from densecell.networks.blocks import BatchNorm3d, Conv3d, center_crop

COUNTS = {  # one channel in, seven classes, default width; Table S1 of Guay et al. 2021 gives millions
    "hybrid_2d3d_333": 10_267_022,  # 10.3; also its No Multi-Loss, which differs in the loss only
    "hybrid_2d3d_no_333": 9_916_238,  # 9.9
    "hybrid_2d3d_no_pyramid": 7_882_311,  # 7.9
    "hybrid_2d3d": 10_081_294,  # not published
    "unet_2d": 31_030_983,  # 31.0
    "unet_3d_thick": 2_074_727,  # 2.1
    "unet_3d_thin": 2_033_767,  # 2.0
    "deeplab_drn": 40_733_463,  # 40.7
    "deeplab_resnet101": 59_340_711,  # 59.3
    "deepvess": 1_340_655,  # not published
    "resunet": 32_444_167,  # with one class 32,443,777
    "setr_pup": 89_583_623,  # not published
    "transunet": 105_902_839,  # not published
}
WINDOWS = {  # a small window of each network
    "hybrid_2d3d_333": (2, 48, 40),
    "hybrid_2d3d_no_333": (2, 48, 40),
    "hybrid_2d3d_no_pyramid": (2, 48, 40),
    "hybrid_2d3d": (2, 48, 40),
    "unet_2d": (2, 188, 204),
    "unet_3d_thick": (8, 24, 20),
    "unet_3d_thin": (2, 24, 28),
    "deepvess": (8, 38, 33),
    "medicalnet": (8, 32, 24),
    "deeplab_drn": (2, 40, 48),
    "deeplab_resnet101": (2, 40, 48),
    "resunet": (2, 48, 64),
    "setr_pup": (2, 48, 64),
    "transunet": (2, 48, 64),
}
VARIANTS = [
    *((name, {}) for name in NETWORKS),
    ("hybrid_2d3d_333", {"norm": "instance"}),
    ("hybrid_2d3d_333", {"predictor_relu": False, "pyramid_input": "logits"}),
    ("hybrid_2d3d_no_pyramid", {"predictor_relu": False}),
    ("unet_2d", {"norm": "instance"}),
    ("unet_3d_thin", {"crop_px": 0, "norm": "instance"}),
    ("medicalnet", {"z_downsampling": False, "norm": "instance"}),
    ("medicalnet", {"resnet_depth": 50, "norm": "none"}),
    ("resunet", {"form": "code"}),
    ("resunet", {"form": "code", "norm": "instance", "shortcut_norm": False}),
    ("resunet", {"norm": "none"}),
    ("setr_pup", {"norm": "instance", "size": "small", "side_px": 64}),
    ("transunet", {"norm": "none", "size": "small"}),
]
# windows longer than the network's receptive field on an axis or two: there it can be seen
LONG = [
    ("hybrid_2d3d_333", (21, 200, 24)),
    ("hybrid_2d3d_no_333", (21, 24, 200)),
    ("hybrid_2d3d_no_pyramid", (13, 24, 200)),
    ("hybrid_2d3d", (21, 200, 24)),
    ("unet_2d", (3, 300, 236)),
    ("unet_3d_thick", (80, 80, 8)),
    ("unet_3d_thin", (37, 80, 12)),
    ("deepvess", (9, 43, 43)),
    ("medicalnet", (288, 16, 16)),
    ("medicalnet", (16, 16, 288)),
    ("resunet", (2, 256, 48)),
    ("resunet", (1, 32, 336)),
]


def count(network):
    return sum(p.numel() for p in network.parameters())


def small(name, **options):
    torch.manual_seed(0)
    return build_network(name, n_classes=4, base_width=4, **options)


def depths(name, options):
    """1, 2, 3, 5 where the network takes them, else its small window's."""
    plane = WINDOWS[name][1:]
    return [d for d in (1, 2, 3, 5) if network_sizes.output_size(name, (d, *plane), options)] or [WINDOWS[name][0]]


def test_parameter_counts_of_the_paper():
    with torch.device("meta"):
        assert {name: count(build_network(name)) for name in COUNTS} == COUNTS


def test_parameter_count_of_our_medicalnet():
    """No count is published; these are measured and keep it from changing unnoticed."""
    with torch.device("meta"):
        counts = [count(build_network("medicalnet", resnet_depth=depth)) for depth in (10, 50)]
    assert counts == [14_514_631, 46_707_399]


def test_hybrid_parameter_groups_and_upstream_variant():
    with torch.device("meta"):
        groups = {k: sum(p.numel() for p in v) for k, v in build_network("hybrid_2d3d_333").parameter_groups().items()}
        upstream = build_network("hybrid_2d3d_333", pyramid_z_upsampling=True)
    assert groups == {"encoder_decoder": 7_881_856, "pyramid": 2_384_256, "predictors": 2 * 455}
    assert count(upstream) == 10_283_406


def test_published_windows_come_out_as_published():
    with torch.device("meta"):
        for name, window, output in (
            ("hybrid_2d3d_333", (5, 300, 300), (5, 296, 296)),
            ("unet_2d", (1, 572, 572), (1, 388, 388)),
            ("unet_3d_thick", (16, 180, 180), (16, 180, 180)),
            ("unet_3d_thin", (5, 300, 300), (5, 296, 296)),
            ("deepvess", (7, 33, 33), (1, 5, 5)),
        ):
            network = build_network(name, base_width=2)
            outputs = network(torch.empty(1, 1, *window))
            assert all(o.shape == (1, 7, *output) for o in outputs) and network.output_shape(window) == output


def test_every_network_has_a_window_here():
    assert set(WINDOWS) == set(NETWORKS)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_shapes_groups_and_gradients(name, options):
    """Outputs are of output_shape's size; the main one's gradient reaches every parameter, each in one group."""
    network = small(name, **options)
    outputs = network(torch.randn(2, 1, *WINDOWS[name]))
    assert all(o.shape == (2, 4, *network.output_shape(WINDOWS[name])) for o in outputs)
    outputs[0].square().mean().backward()
    assert [k for k, p in network.named_parameters() if p.grad is None or not p.grad.any()] == []
    grouped = [id(p) for group in network.parameter_groups().values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize(("name", "options", "depth"), [(n, o, d) for n, o in VARIANTS for d in depths(n, o)])
def test_bfloat16_channels_last_agrees_with_float32(name, options, depth):
    """At depth 1 with one channel torch 2.13 gave garbage on the CPU; the error of bfloat16 itself is near 0.01."""
    network = small(name, **options).eval()
    x = torch.randn(1, 1, depth, *WINDOWS[name][1:], generator=torch.Generator().manual_seed(1))
    fast = Computation("cpu", "bfloat16", channels_last=True)
    with torch.no_grad():
        exact = network(x)[0]
        fast = fast.forward(fast.place(network), x)[0].float()
    assert torch.isfinite(fast).all()
    assert (fast - exact).norm() < 0.06 * exact.norm()


@pytest.mark.parametrize("kernel", [(3, 3, 3), (1, 3, 3)])
@pytest.mark.parametrize(
    "shape", [(1, 1, 1, 9, 8), (1, 3, 1, 9, 8), (1, 1, 4, 9, 8), (2, 3, 4, 9, 8), (1, 12, 5, 400, 4)]
)
def test_the_detours_of_the_convolution_are_the_same_sums(kernel, shape):
    torch.manual_seed(0)
    ours = Conv3d(shape[1], 5, kernel, padding=tuple(k // 2 for k in kernel)).double()
    x = torch.randn(shape, dtype=torch.float64)
    padded = torch.nn.functional.pad(x, [k for size in reversed(kernel) for k in (size // 2, size // 2)])
    expected = torch.einsum(
        "nczyxijk,ocijk->nozyx", padded.unfold(2, kernel[0], 1).unfold(3, 3, 1).unfold(4, 3, 1), ours.weight
    )
    assert torch.allclose(ours(x), expected + ours.bias[:, None, None, None], atol=1e-10)


@pytest.mark.parametrize(("stride", "dilation"), [((2, 2, 2), 1), ((1, 2, 2), 1), (1, (1, 2, 2)), (1, 2)])
@pytest.mark.parametrize("shape", [(1, 1, 1, 9, 8), (2, 3, 4, 9, 8)])
def test_the_detours_keep_stride_and_dilation(stride, dilation, shape):
    torch.manual_seed(0)
    ours = Conv3d(shape[1], 5, 3, stride, dilation, dilation).double()
    x = torch.randn(shape, dtype=torch.float64)
    expected = torch.nn.functional.conv3d(x, ours.weight, ours.bias, stride, dilation, dilation)
    assert torch.allclose(ours(x), expected, atol=1e-10)


@pytest.mark.parametrize(("kernel", "stride"), [(3, 1), (7, (2, 2, 2))])
@pytest.mark.parametrize("depth", [1, 2, 3, 4, 6])
@pytest.mark.parametrize(("n_channels", "side"), [(1, 16), (4, 16), (32, 120)])
@pytest.mark.parametrize("bfloat16", [False, True])
def test_gradients_of_channels_last_convolutions(kernel, stride, depth, n_channels, side, bfloat16):
    """With fewer slices than the kernel is deep, torch 2.13 gave the kernel an uninitialized gradient on the CPU."""
    torch.manual_seed(0)
    ours = Conv3d(n_channels, 4, kernel, stride, kernel // 2)
    x = torch.randn(1, n_channels, depth, side, 16)
    weight = ours.weight.detach().double().requires_grad_()
    outputs = torch.nn.functional.conv3d(x.double(), weight, ours.bias.detach().double(), stride, kernel // 2)
    gradient = torch.randn(outputs.shape)
    exact = torch.autograd.grad(outputs, weight, gradient.double())[0]
    ours, x = (t.to(memory_format=torch.channels_last_3d) for t in (ours, x))
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        found = ours(x)
    found_gradient = torch.autograd.grad(found, ours.weight, gradient.to(found.dtype))[0]
    assert (found - outputs).norm() < 0.02 * outputs.norm()
    assert (found_gradient - exact).norm() < 0.02 * exact.norm()


@pytest.mark.parametrize("name", NETWORKS)
def test_same_seed_same_network_and_unknown_options_are_refused(name):
    x = torch.randn(2, 1, *WINDOWS[name])
    with torch.no_grad():
        assert torch.equal(small(name)(x)[0], small(name)(x)[0])
    with pytest.raises(TypeError):
        build_network(name, base_widht=8)


@pytest.mark.parametrize(("name", "shape"), LONG)
def test_outputs_see_their_surroundings_and_nothing_beyond_the_receptive_field(name, shape):
    network = small(name).eval()
    x = torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(4)).requires_grad_()
    logits = network(x)[0]
    center = [n // 2 for n in logits.shape[-3:]]
    logits[0, :, center[0], center[1], center[2]].sum().backward()
    seen = x.grad[0, 0].nonzero()
    first, last = seen.min(0).values.tolist(), seen.max(0).values.tolist()
    for axis, (a, b, field) in enumerate(zip(first, last, network.receptive_field())):
        at = center[axis] + (shape[axis] - logits.shape[2 + axis]) // 2
        assert b - a + 1 <= field and a <= at <= b
        if shape[axis] > field:  # the field isn't cut off: the voxel is in its middle, but for the phase of the pools
            assert abs((a + b) / 2 - at) <= 10 and b - a + 1 > 0.3 * field


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_one_window(name):
    network, shape = small(name, norm="instance"), WINDOWS[name]
    target = (torch.arange(shape[2]) > shape[2] // 2).expand(2, *shape).long()
    x = target[:, None] + 0.5 * torch.randn(2, 1, *shape, generator=torch.Generator().manual_seed(2))
    target = center_crop(target, network.output_shape(shape))
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(network(x)[0], target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.6 * losses[0]


def test_slices_of_the_unet_do_not_see_each_other():
    network = small("unet_2d", norm="instance").eval()
    x = torch.randn(1, 1, 3, 188, 188, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        together, alone = network(x)[0], network(x[:, :, 1:2])[0]
    assert torch.allclose(together[:, :, 1:2], alone, atol=1e-5)


def test_only_the_mixed_convolutions_and_the_pyramid_join_slices():
    x = torch.randn(1, 1, 3, 16, 16, generator=torch.Generator().manual_seed(3))
    for name, main, auxiliary in (("hybrid_2d3d_333", 1, 1), ("hybrid_2d3d_no_333", 1, 0), ("hybrid_2d3d", 1, 0)):
        network = small(name, predictor_relu=False)
        with torch.no_grad():
            together, alone = network(x), network(x[:, :, 1:2])
        joined = [not torch.allclose(a[:, :, 1:2], b, atol=1e-5) for a, b in zip(together, alone)]
        assert joined == [main, auxiliary]


def test_the_thin_unet_is_the_uncropped_one_without_its_border():
    x = torch.randn(1, 1, 3, 20, 24)
    with torch.no_grad():
        cropped, whole = small("unet_3d_thin")(x)[0], small("unet_3d_thin", crop_px=0)(x)[0]
    assert torch.equal(cropped, whole[..., 2:-2, 2:-2])


def test_deepvess_on_a_large_input_is_every_patch_by_itself():
    network = small("deepvess").eval()
    x = torch.randn(2, 1, 8, 43, 38, generator=torch.Generator().manual_seed(5))
    with torch.no_grad():
        whole = network(x)[0]
        for z in range(2):
            for y in range(0, 15, 5):
                for column in range(0, 10, 5):
                    patch = network(x[:, :, z : z + 7, y : y + 33, column : column + 33])[0]
                    assert torch.allclose(whole[:, :, z : z + 1, y : y + 5, column : column + 5], patch, atol=1e-5)


def test_batch_statistics_of_a_single_value_are_explained():
    network, x = small("medicalnet"), torch.randn(2, 1, 8, 8, 8)
    with pytest.raises(ValueError, match=r"batch statistics of one value.*batch_size: 2"):
        network(x[:1])
    network(x)
    assert any(isinstance(layer, BatchNorm3d) for layer in network.modules())
    assert network.eval()(x[:1])[0].shape == (1, 4, 8, 8, 8)


def test_unknown_network_and_invalid_sizes_are_explained():
    with pytest.raises(ValueError, match=r"unet_2e.*did you mean 'unet_2d'"):
        build_network("unet_2e")
    with torch.device("meta"):
        with pytest.raises(ValueError, match="nearest are 572 and 588"):
            build_network("unet_2d", base_width=1).output_shape((1, 580, 572))
        for name, shape, message in (
            ("hybrid_2d3d_333", (5, 6, 80), r"nearest is \(5, 8, 80\)"),
            ("unet_3d_thick", (14, 180, 182), r"nearest are \(12, 180, 180\) and \(16, 180, 184\)"),
            ("unet_3d_thin", (5, 301, 4), r"nearest are \(5, 300, 8\) and \(5, 304, 8\)"),
            ("deepvess", (5, 34, 30), r"nearest are \(7, 33, 33\) and \(7, 38, 33\)"),
            ("medicalnet", (5, 60, 64), r"nearest are \(8, 56, 64\) and \(8, 64, 64\)"),
        ):
            with pytest.raises(ValueError, match=message):
                build_network(name, base_width=2).output_shape(shape)


@pytest.mark.parametrize("name", network_sizes.EVEN_BASE_WIDTH)
def test_odd_widths_are_refused_where_some_convolutions_are_half_as_wide(name):
    with torch.device("meta"), pytest.raises(ValueError, match="base_width: expected an even number >= 2, found 5"):
        build_network(name, base_width=5)


@pytest.mark.parametrize("name", sorted(set(NETWORKS) - set(network_sizes.EVEN_BASE_WIDTH)))
def test_other_widths_may_be_odd(name):
    with torch.device("meta"):
        assert count(build_network(name, base_width=5)) > 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"resnet_depth": 12}, "resnet_depth: expected one of 10, 18, 34, 50, found 12"),
        ({"norm": "group"}, "norm: unknown 'group'; known: none, instance, batch"),
    ],
)
def test_options_of_medicalnet_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        build_network("medicalnet", base_width=2, **options)
