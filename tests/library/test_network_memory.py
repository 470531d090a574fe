"""Peak memory of a forward pass on fake tensors: networks that can be counted by hand, then every network."""

import pytest
import torch
from torch import nn

from densecell.devices import Computation
from densecell.networks import NETWORKS, build_network
from densecell.networks.memory import peak_bytes

VOXELS = 2 * 8 * 8
SHAPE = (2, 8, 8)
PLAIN = Computation("cpu", "float32", channels_last=False)
WINDOWS = {"unet_2d": (1, 188, 188), "deepvess": (7, 33, 33), "medicalnet": (8, 32, 32), "unet_3d_thick": (8, 32, 32)}


class Both(nn.Module):
    """The input and two convolutions of it, concatenated: all are alive at once."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv3d(1, 2, 1), nn.Conv3d(1, 3, 1)

    def forward(self, x):
        return (torch.cat([x, self.first(x), self.second(x)], dim=1),)


def test_a_convolution_holds_its_input_and_its_output():
    assert peak_bytes(nn.Conv3d(1, 4, 1), SHAPE, PLAIN) == (1 + 4) * VOXELS * 4


def test_a_chain_frees_what_is_no_longer_used():
    """The widest neighbors count, beside the input, which the caller holds: 1 + 4 + 8, not 1 + 4 + 8 + 2 channels."""
    chain = nn.Sequential(nn.Conv3d(1, 4, 1), nn.Conv3d(4, 8, 1), nn.Conv3d(8, 2, 1))
    assert peak_bytes(chain, SHAPE, PLAIN) == (1 + 4 + 8) * VOXELS * 4


def test_concatenation_holds_parts_and_whole():
    assert peak_bytes(Both(), SHAPE, PLAIN) == (1 + 2 + 3 + 6) * VOXELS * 4


def test_views_and_operators_in_place_count_once():
    network = nn.Sequential(nn.Conv3d(1, 4, 1), nn.ReLU(inplace=True), nn.Flatten(2))
    assert peak_bytes(network, SHAPE, PLAIN) == (1 + 4) * VOXELS * 4


def test_bfloat16_counts_the_cast_input_and_weights():
    """Input in 4 bytes and in 2, output in 2; autocast keeps the four kernel values and biases in 2 bytes each."""
    computation = Computation("cpu", "bfloat16", channels_last=False)
    assert peak_bytes(nn.Conv3d(1, 4, 1), SHAPE, computation) == VOXELS * (4 + 2 + 4 * 2) + 2 * 4 * 2


def test_a_size_that_no_memory_holds_is_no_trouble():
    shape = (1000, 10_000, 10_000)
    assert peak_bytes(nn.Conv3d(1, 4, 1), shape, PLAIN) == (1 + 4) * 4 * 10**11


def test_memory_grows_with_the_window_and_the_width():
    def peak(width, side):
        return peak_bytes(build_network("hybrid_2d3d_333", base_width=width), (5, side, side), PLAIN)

    assert peak(4, 64) < peak(4, 128) < peak(8, 128)
    assert peak(4, 256) == 4 * peak(4, 128)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", NETWORKS)
def test_every_network_runs_and_stays_as_it_was(name, precision):
    torch.manual_seed(0)
    shape = WINDOWS.get(name, (2, 48, 48))
    network = build_network(name, base_width=4).eval()
    before = {k: v.clone() for k, v in network.state_dict().items()}
    computation = Computation("cpu", precision)
    found = peak_bytes(computation.place(network), shape, computation)
    voxels = shape[0] * shape[1] * shape[2]
    assert found > voxels * 4  # the input alone
    assert all(torch.equal(before[k], v) and type(v) is type(before[k]) for k, v in network.state_dict().items())
    with torch.no_grad():
        assert torch.isfinite(computation.forward(network, torch.randn(1, 1, *shape))[0]).all()
