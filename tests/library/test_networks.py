"""Parameter counts after the papers, and one contract every network keeps."""

import pytest
import torch

from densecell.networks import NETWORKS, build_network
from densecell.networks.blocks import Conv3d

WINDOWS = {"hybrid_2d3d_333": (48, 40), "unet_2d": (188, 204)}
VARIANTS = [
    ("hybrid_2d3d_333", {}),
    ("hybrid_2d3d_333", {"norm": "instance"}),
    ("hybrid_2d3d_333", {"predictor_relu": False, "pyramid_input": "logits"}),
    ("unet_2d", {}),
    ("unet_2d", {"norm": "instance"}),
]


def count(network):
    return sum(p.numel() for p in network.parameters())


def small(name, **options):
    torch.manual_seed(0)
    return build_network(name, n_classes=4, base_width=4, **options)


@pytest.mark.parametrize(("name", "parameters"), [("hybrid_2d3d_333", 10_267_022), ("unet_2d", 31_030_983)])
def test_parameter_count_at_the_papers_width(name, parameters):
    with torch.device("meta"):
        assert count(build_network(name)) == parameters


def test_hybrid_parameter_groups_and_upstream_variant():
    with torch.device("meta"):
        groups = {k: sum(p.numel() for p in v) for k, v in build_network("hybrid_2d3d_333").parameter_groups().items()}
        upstream = build_network("hybrid_2d3d_333", pyramid_z_upsampling=True)
    assert groups == {"encoder_decoder": 7_881_856, "pyramid": 2_384_256, "predictors": 2 * 455}
    assert count(upstream) == 10_283_406


def test_published_window_arithmetic():
    with torch.device("meta"):
        assert build_network("hybrid_2d3d_333", base_width=2).output_shape((5, 300, 300)) == (5, 296, 296)
        assert build_network("unet_2d", base_width=1).output_shape((1, 572, 572)) == (1, 388, 388)


def test_every_network_has_a_window_here():
    assert set(WINDOWS) == set(NETWORKS)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_output_shape_is_what_forward_gives_and_every_parameter_is_in_one_group(name, options):
    network = small(name, **options)
    shape = (2, *WINDOWS[name])
    outputs = network(torch.randn(1, 1, *shape))
    assert all(o.shape == (1, 4, *network.output_shape(shape)) for o in outputs)
    grouped = [id(p) for group in network.parameter_groups().values() for p in group]
    assert sorted(grouped) == sorted(id(p) for p in network.parameters())


@pytest.mark.parametrize(("name", "options"), VARIANTS)
@pytest.mark.parametrize("depth", [1, 2, 3, 5])
def test_bfloat16_channels_last_agrees_with_float32(name, options, depth):
    """At depth 1 with one channel torch 2.13 gave garbage on the CPU; the error of bfloat16 itself is near 0.01."""
    network = small(name, **options).eval()
    x = torch.randn(1, 1, depth, *WINDOWS[name], generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        exact = network(x)[0]
        network = network.to(memory_format=torch.channels_last_3d)
        with torch.autocast("cpu", torch.bfloat16):
            fast = network(x.to(memory_format=torch.channels_last_3d))[0].float()
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


@pytest.mark.parametrize("name", NETWORKS)
def test_same_seed_same_network_and_unknown_options_are_refused(name):
    x = torch.randn(1, 1, 2, *WINDOWS[name])
    with torch.no_grad():
        assert torch.equal(small(name)(x)[0], small(name)(x)[0])
    with pytest.raises(TypeError):
        build_network(name, base_widht=8)


@pytest.mark.parametrize(("name", "shape"), [("hybrid_2d3d_333", (21, 200, 24)), ("unet_2d", (3, 300, 236))])
def test_nothing_beyond_the_receptive_field_matters(name, shape):
    network = small(name)
    x = torch.randn(1, 1, *shape, generator=torch.Generator().manual_seed(4)).requires_grad_()
    logits = network(x)[0]
    center = [n // 2 for n in logits.shape[-3:]]
    logits[0, :, center[0], center[1], center[2]].sum().backward()
    seen = x.grad[0, 0].nonzero()
    extent = (seen.max(0).values - seen.min(0).values + 1).tolist()
    assert all(e <= f for e, f in zip(extent, network.receptive_field()))
    assert extent[0] > 0.3 * network.receptive_field()[0]


@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_learns_one_window(name):
    network = small(name, norm="instance")
    shape = (2, *WINDOWS[name])
    generator = torch.Generator().manual_seed(2)
    x = torch.randn(1, 1, *shape, generator=generator)
    out = network.output_shape(shape)
    starts = [(a - b) // 2 for a, b in zip(shape, out)]
    inner = x[:, 0, starts[0] : starts[0] + out[0], starts[1] : starts[1] + out[1], starts[2] : starts[2] + out[2]]
    target = (inner > 0).long()
    optimizer = torch.optim.Adam(network.parameters(), 0.01)
    losses = []
    for _ in range(25):
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


def test_unknown_network_and_invalid_sizes_are_explained():
    with pytest.raises(ValueError, match=r"unet_2e.*did you mean 'unet_2d'"):
        build_network("unet_2e")
    with torch.device("meta"):
        with pytest.raises(ValueError, match="nearest are 572 and 588"):
            build_network("unet_2d", base_width=1).output_shape((1, 580, 572))
        with pytest.raises(ValueError, match="at least"):
            build_network("hybrid_2d3d_333", base_width=2).output_shape((5, 6, 80))
