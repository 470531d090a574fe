"""The residual U-Net: published counts of both forms, its padding, its norms, and what it refuses."""

import pytest
import torch
from torch import nn

from densecell.networks import build_network
from densecell.networks.resunet import NearestUpsampling, ResidualBlock


def count(module):
    return sum(p.numel() for p in module.parameters())


def small(**options):
    torch.manual_seed(0)
    return build_network("resunet", **{"n_classes": 2, "base_width": 4, **options})


def picture(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, 32_443_777),
        ({"base_width": 32}, 8_117_953),
        ({"base_width": 16}, 2_032_993),
        ({"shortcut_norm": False}, 32_437_889),
        ({"form": "code"}, 40_912_643),
        ({"form": "code", "base_width": 32}, 10_236_803),
    ],
)
def test_parameter_counts(options, expected):
    """One channel, one class; counted for the published description and code."""
    with torch.device("meta"):
        assert count(build_network("resunet", n_classes=1, **options)) == expected


def test_batch_norm_is_that_of_keras_and_its_momentum_an_option():
    norms = [m for m in small().modules() if isinstance(m, nn.BatchNorm2d)]
    assert {(n.eps, n.momentum) for n in norms} == {(1e-3, 0.01)}
    # blocks: encoder 2 + 3 x 4 + bridge 3, decoder 4 x 3
    assert len(norms) == 2 + 3 * 3 + 3 + 4 * 3
    assert {n.momentum for n in small(norm_momentum=0.1).modules() if isinstance(n, nn.BatchNorm2d)} == {0.1}


def test_running_statistics_take_the_momentums_share_of_a_batch():
    network, x = small(norm_momentum=0.25), 3 + picture(2, 1, 2, 32, 32)
    network.train()(x)
    first = network.encoder[0][0].convolutions
    seen = first[0](x.transpose(1, 2).reshape(4, 1, 32, 32)).mean((0, 2, 3))
    assert torch.allclose(first[1].running_mean, 0.25 * seen, atol=1e-5)


def test_a_block_of_zero_kernels_is_its_shortcut():
    block = ResidualBlock(3, 5, nn.BatchNorm2d, stride=2).eval()
    for kernel in block.convolutions.parameters():
        nn.init.zeros_(kernel)
    x = picture(1, 3, 8, 6)
    assert torch.equal(block(x), block.shortcut(x)) and block(x).shape == (1, 5, 4, 3)


def test_upsampling_doubles_pixels_and_its_kernel_reaches_right_and_down():
    """(1, 2) doubled is (1, 1, 2, 2); the sum of a pixel and those right, below and beside that: zeros beyond the border."""
    up = NearestUpsampling(1, 1, None)
    nn.init.ones_(up.convolution.weight)
    nn.init.zeros_(up.convolution.bias)
    assert up(torch.tensor([[[[1.0, 2.0]]]])).tolist() == [[[[4.0, 6.0, 8.0, 4.0], [2.0, 3.0, 4.0, 2.0]]]]


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_the_gradient_of_the_upsampling(layout):
    """A kernel of ones sums 2 x 2 outputs for each of the 2 x 2 copies of a pixel, but for the outputs left of and above the
    first: 3 instead of 4 on an axis. With deterministic algorithms, as trainings run."""
    up = NearestUpsampling(1, 1, None)
    nn.init.ones_(up.convolution.weight)
    x = torch.zeros(1, 1, 3, 3).contiguous(memory_format=layout).requires_grad_()
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        up(x).sum().backward()
    finally:
        torch.use_deterministic_algorithms(False)
    assert x.grad.tolist() == [[[[9, 12, 12], [12, 16, 16], [12, 16, 16]]]]


@pytest.mark.parametrize("norm", ["none", "batch", "instance"])
def test_the_shortcut_reads_the_input_and_not_its_relu(norm):
    """Without a norm in between a ReLU in place would change what the shortcut reads."""
    block = small(norm=norm).eval().encoder[1][0]
    x = picture(2, 4, 8, 8)
    before = x.clone()
    block(x)
    assert torch.equal(x, before)


@pytest.mark.parametrize("form", ["paper", "code"])
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_slices_do_not_see_each_other_in_evaluation(form, norm):
    network, x = small(form=form, norm=norm).eval(), picture(2, 1, 3, 32, 48)
    with torch.no_grad():
        together, alone = network(x)[0], network(x[1:, :, 1:2])[0]
    assert torch.allclose(together[1:, :, 1:2], alone, rtol=1e-4, atol=1e-4 * alone.abs().max())


def test_outputs_are_logits():
    """No sigmoid inside: the loss and the prediction apply it."""
    with torch.no_grad():
        logits = small().eval()(10 * picture(1, 1, 1, 32, 32))[0]
    assert logits.min() < 0 or logits.max() > 1


@pytest.mark.parametrize(("form", "length"), [("paper", 256), ("code", 336)])
def test_the_receptive_field_holds_in_both_forms(form, length):
    network = small(form=form).eval()
    x = picture(1, 1, 1, length, 16).requires_grad_()
    network(x)[0][0, :, 0, length // 2, 8].sum().backward()
    rows = x.grad[0, 0, 0].any(dim=1).nonzero()
    seen, field = int(rows.max() - rows.min()) + 1, network.receptive_field()[1]
    assert 0.6 * field < seen <= field < length


def test_initial_kernels_are_glorot_uniform_and_biases_zero():
    network = small(base_width=16)
    kernel = network.encoder[2][0].convolutions[5].weight  # 64 -> 64, 3 x 3
    limit = (6 / ((64 + 64) * 9)) ** 0.5
    assert 0.99 * limit < kernel.abs().max() <= limit
    assert not any(m.bias.any() for m in network.modules() if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d)))


def test_what_is_refused_says_what_to_do():
    with pytest.raises(
        ValueError, match=r"experiments.window.*multiples of 16.*nearest are \(1, 288, 304\) and \(1, 304, 304\)"
    ):
        small()(picture(1, 1, 1, 300, 304))
    with pytest.raises(ValueError, match=r"options\.form: unknown 'text'; known: paper, code"):
        small(form="text")
    with pytest.raises(ValueError, match=r"options\.norm: unknown 'group'; known: none, instance, batch"):
        small(norm="group")
    with pytest.raises(ValueError, match=r"options\.norm_momentum: expected a number from 0 to 1, found 2"):
        small(norm_momentum=2)
    with pytest.raises(ValueError, match="base_width: expected a number >= 1, found 0"):
        small(base_width=0)
    with pytest.raises(ValueError, match=r"batch statistics of one value.*batch_size: 2"):
        small().train()(picture(1, 1, 1, 16, 16))
    with pytest.raises(ValueError, match=r"instance statistics of one pixel.*at least 32 pixels"):
        small(norm="instance")(picture(1, 1, 1, 16, 16))
    assert small(norm="instance")(picture(1, 1, 1, 16, 32))[0].shape == (1, 2, 1, 16, 32)


@pytest.mark.parametrize("form", ["paper", "code"])
def test_a_backward_pass_in_channels_last_with_deterministic_algorithms_is_right(form):
    """torch 2.13's nearest upsampling and strided 1 x 1 convolutions wrote beyond their memory there."""
    torch.manual_seed(0)
    network, x = (
        build_network("resunet", n_classes=1, base_width=4, form=form, norm="none"),
        torch.randn(3, 1, 1, 128, 128),
    )
    gradients = []
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        for layout, plane in ((torch.contiguous_format,) * 2, (torch.channels_last_3d, torch.channels_last)):
            network.zero_grad()
            network.to(memory_format=plane)
            network(x.contiguous(memory_format=layout))[0].square().mean().backward()
            gradients.append(torch.cat([p.grad.flatten() for p in network.parameters()]))
    finally:
        torch.use_deterministic_algorithms(False)
    torch.testing.assert_close(gradients[1], gradients[0], rtol=1e-3, atol=1e-3 * float(gradients[0].abs().max()))
