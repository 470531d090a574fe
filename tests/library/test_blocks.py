"""The blocks the networks share: what they do differently from torch gives torch's numbers."""

import pytest
import torch
from torch.nn import functional

from densecell.networks import blocks, build_network


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last_3d])
@pytest.mark.parametrize("shape", [(1, 3, 2, 8, 6), (2, 15, 3, 9, 7), (1, 1, 1, 2, 2)])
def test_pooling_a_plane_is_torchs_bit_for_bit(shape, layout, dtype):
    x = (
        torch.randint(-3, 3, shape, generator=torch.Generator().manual_seed(0))
        .to(dtype)
        .contiguous(memory_format=layout)
    )
    with torch.no_grad():
        assert torch.equal(blocks.pool_plane(x), functional.max_pool3d(x, (1, 2, 2)))


def test_pooling_has_torchs_gradient_on_ties():
    gradients = []
    for pool in (blocks.pool_plane, lambda x: functional.max_pool3d(x, (1, 2, 2))):
        x = torch.ones(1, 1, 1, 4, 4, requires_grad=True)
        pool(x).sum().backward()
        gradients.append(x.grad)
    assert torch.equal(*gradients)


def test_window_statistics_are_seen():
    """Instance statistics and pooled features of a slice depend on the tile; batch statistics of training don't."""
    with torch.device("meta"):
        built = {
            (name, norm): build_network(name, base_width=4, norm=norm)
            for name, norm in (
                ("hybrid_2d3d_333", "none"),
                ("hybrid_2d3d_333", "instance"),
                ("unet_3d_thin", "batch"),
                ("deeplab_drn", "batch"),
            )
        }
    assert [blocks.uses_window_statistics(network) for network in built.values()] == [False, True, False, True]


@pytest.mark.parametrize(("kernel", "options"), [
    ((1, 3, 3), {"padding": (0, 1, 1)}), ((1, 3, 3), {}), ((1, 3, 3), {"stride": (1, 2, 2)}),
    ((1, 3, 3), {"stride": (2, 1, 1)}), ((1, 3, 3), {"dilation": (1, 2, 2)}), ((1, 1, 1), {}), ((3, 3, 3), {"padding": 1}),
    ((1, 3, 3), {"padding": (1, 1, 1)}),
])  # fmt: skip
@pytest.mark.parametrize("shape", [(1, 4, 1, 9, 8), (2, 4, 3, 9, 8)])
def test_convolutions_and_their_gradients_are_torchs(shape, kernel, options):
    generator = torch.Generator().manual_seed(0)
    torch.manual_seed(0)
    layer = blocks.Conv3d(4, 5, kernel, **options)
    found = []
    for forward in (blocks.Conv3d.forward, torch.nn.Conv3d.forward):
        x = torch.randn(shape, generator=generator.manual_seed(0)).requires_grad_()
        y = forward(layer, x)
        found.append((y, *torch.autograd.grad(y.square().sum(), [x, layer.weight, layer.bias])))
    for ours, theirs in zip(*found):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-4)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("dimensions", [2, 3])
def test_a_kernel_of_1_with_a_stride_is_right_in_channels_last_where_torch_wrote_beyond_its_memory(
    dimensions, precision
):
    torch.manual_seed(0)
    if dimensions == 2:
        layer, layout, x = blocks.Conv2d(8, 16, 1, 2), torch.channels_last, torch.randn(2, 8, 128, 128)
    else:
        layer, layout, x = blocks.Conv3d(8, 16, 1, (1, 2, 2)), torch.channels_last_3d, torch.randn(2, 8, 2, 128, 128)
    x.requires_grad_(True)
    with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16"):
        found = layer(x.contiguous(memory_format=layout)).float()
    expected = torch.einsum("oc,nc...->no...", layer.weight.flatten(1), x[..., ::2, ::2])
    expected = expected + layer.bias.reshape(-1, *[1] * dimensions)
    tolerance = {"rtol": 0.03, "atol": 0.03} if precision == "bfloat16" else {"rtol": 1e-5, "atol": 1e-5}
    torch.testing.assert_close(found, expected, **tolerance)
    found.square().sum().backward()
    gradient = layer.weight.grad.clone()
    layer.zero_grad()
    expected.square().sum().backward()
    torch.testing.assert_close(gradient / gradient.abs().max(), layer.weight.grad / gradient.abs().max(), **tolerance)
