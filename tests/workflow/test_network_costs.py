"""Parameters and operations of the networks as the plan counts them: those of torch, of the paper and of its card."""

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

import network_costs
import plan_text
from densecell.networks import NETWORKS, build_network
from network_sizes import NETWORK_SIZES

# windows away from the paper's too
SIZES = {
    "unet_2d": [(1, 572, 572), (2, 188, 204)],
    "unet_3d_thick": [(16, 180, 180), (4, 48, 60)],
    "deepvess": [(7, 33, 33), (9, 48, 38)],
    "medicalnet": [(16, 112, 112), (8, 48, 40)],
    "deeplab_drn": [(1, 572, 572), (2, 160, 161)],
    "deeplab_resnet101": [(1, 572, 572), (2, 160, 161)],
    "resunet": [(1, 512, 512), (2, 64, 96)],
    "setr_pup": [(1, 512, 512), (2, 64, 96)],
    "transunet": [(1, 512, 512), (2, 64, 96)],
}
ELSE = [(5, 300, 300), (3, 52, 60)]


def test_every_network_has_its_costs():
    assert set(network_costs.NETWORK_COSTS) == set(NETWORK_SIZES) == set(NETWORKS)


OPTIONS = [{}, {"base_width": 8}, {"base_width": 8, "norm": "instance"}]


@pytest.mark.parametrize("options", OPTIONS, ids=["paper", "narrow", "instance norm"])
@pytest.mark.parametrize("network", NETWORKS)
def test_parameters_and_operations_are_those_of_torch(network, options):
    for window in SIZES.get(network, ELSE):
        with torch.device("meta"):
            module = build_network(network, n_classes=7, **options).eval()
            image = torch.zeros(1, 1, *window)
        with FlopCounterMode(display=False) as counter:
            module(image)
        n_parameters = sum(p.numel() for p in module.parameters())
        assert network_costs.parameters(network, 7, options) == pytest.approx(n_parameters, rel=0.002)
        counted = network_costs.forward_flops(network, window, 7, options)
        assert counted == pytest.approx(counter.get_total_flops(), rel=0.1)


@pytest.mark.parametrize("form", ["paper", "code"])
@pytest.mark.parametrize(
    "options", [{}, {"norm": "instance", "shortcut_norm": False}, {"norm": "none", "base_width": 3}]
)
def test_the_residual_unet_is_counted_exactly_in_both_forms(form, options):
    options = {"form": form, **options}
    with torch.device("meta"):
        module = build_network("resunet", n_classes=1, **options).eval()
        image = torch.zeros(1, 1, 2, 64, 48)
    with FlopCounterMode(display=False) as counter:
        module(image)
    assert network_costs.parameters("resunet", 1, options) == sum(p.numel() for p in module.parameters())
    assert network_costs.forward_flops("resunet", (2, 64, 48), 1, options) == counter.get_total_flops()


@pytest.mark.parametrize("network", ["setr_pup", "transunet"])
@pytest.mark.parametrize("size", ["small", "base", "large"])
def test_transformers_are_counted_exactly_in_every_size(network, size):
    options = {"size": size, "side_px": 128, "base_width": 8}
    with torch.device("meta"):
        module = build_network(network, n_classes=1, **options)
    assert network_costs.parameters(network, 1, options) == sum(p.numel() for p in module.parameters())


PUBLISHED = {
    "hybrid_2d3d_333": 10_267_022,
    "hybrid_2d3d_no_333": 9_916_238,
    "hybrid_2d3d_no_pyramid": 7_882_311,
    "hybrid_2d3d": 10_081_294,
    "unet_2d": 31_030_983,
    "unet_3d_thick": 2_074_727,
    "unet_3d_thin": 2_033_767,
    "deeplab_drn": 40_733_463,
    "deeplab_resnet101": 59_340_711,
}


@pytest.mark.parametrize("network", PUBLISHED)
def test_published_numbers_of_parameters(network):
    assert network_costs.parameters(network, 7, {}) == PUBLISHED[network]


def test_other_padding_and_depth():
    same = {"padding": "same"}
    assert network_costs.forward_flops("unet_2d", (1, 576, 576), 7, same) > network_costs.forward_flops(
        "unet_2d", (1, 572, 572), 7, {}
    )
    assert network_costs.parameters("medicalnet", 7, {"resnet_depth": 50}) is None


def test_the_card_is_calibrated_on_the_authors_runs():
    step = 3 * network_costs.forward_flops("hybrid_2d3d_333", (5, 300, 300), 7, {})
    assert plan_text.CARD_FLOPS / step == pytest.approx(1, abs=0.1)  # steps/s
    step = 3 * network_costs.forward_flops("unet_2d", (1, 572, 572), 7, {})
    assert 5.9 / 1.5 < plan_text.CARD_FLOPS / step < 5.9
