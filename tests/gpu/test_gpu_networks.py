"""Each network's logits on the device agree with plain float32 on the CPU, in every precision."""

import pytest
import torch

import network_sizes
from densecell.devices import Computation
from densecell.networks import NETWORKS, build_network

# norm of the difference over norm of the logits: rounding has 24, 11 and 8 bits; on the CPU at most 0.007 and 0.05
TOLERANCES = {"float32": 1e-4, "float16": 0.02, "bfloat16": 0.08}
BEYOND_FLOAT16 = {"deeplab_resnet101"}  # untrained, its activations grow above 65,504
NORMS = [
    *((name, {}) for name in NETWORKS),
    ("hybrid_2d3d_333", {"norm": "instance"}),
    ("unet_2d", {"norm": "instance"}),
]


def small_window(name):
    """A window (Z, Y, X) that the network takes: thin if it can be, its sides as short as they may be from 40 on."""
    shapes = ((depth, side, side) for depth in (2, 8) for side in range(40, 210))
    return next(shape for shape in shapes if network_sizes.output_size(name, shape, {}))


def small_network(name, **options):
    torch.manual_seed(0)
    return build_network(name, n_classes=4, base_width=4, **options).eval()


@pytest.mark.parametrize("precision", TOLERANCES)
@pytest.mark.parametrize("channels_last", [True, False])
@pytest.mark.parametrize(("name", "options"), NORMS)
def test_logits_agree_with_the_cpu_in_float32(device, name, options, channels_last, precision):
    if device == "cpu" and precision == "float16":
        pytest.skip("float16 is for GPUs")
    if name in BEYOND_FLOAT16 and precision == "float16":
        pytest.skip("float16 cannot hold this untrained network's activations")
    x = torch.randn(1, 1, *small_window(name), generator=torch.Generator().manual_seed(1))
    computation = Computation(device, precision, channels_last, inference=True)
    with torch.no_grad():
        expected = small_network(name, **options)(x)
        found = computation.forward(computation.place(small_network(name, **options)), x)
    assert len(found) == len(expected)
    for ours, theirs in zip(found, expected):
        assert ours.device.type == device and torch.isfinite(ours).all()
        assert (ours.float().cpu() - theirs).norm() < TOLERANCES[precision] * theirs.norm()
