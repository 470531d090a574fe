"""The sizes that the dry run allows, held against the networks themselves (on torch's meta device: shapes, no values)."""

import itertools

import pytest
import torch

import network_sizes
from densecell.networks import NETWORKS, build_network

VARIANTS = [("hybrid_2d3d_333", {}), ("unet_2d", {}), ("unet_2d", {"padding": "same"})]


def on_meta(name, options):
    with torch.device("meta"):
        return build_network(name, n_classes=3, base_width=2, **options)


def shape_or_none(network, shape):
    try:
        return network.output_shape(shape)
    except ValueError:
        return None


def test_every_network_has_its_sizes():
    assert set(network_sizes.NETWORK_SIZES) == set(NETWORKS) == {name for name, _ in VARIANTS}


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_sizes_are_those_of_output_shape(name, options):
    network = on_meta(name, options)
    good = next(side for side in range(1, 700) if network_sizes.output_size(name, (1, side, side), options))
    for side in range(1, 700):
        for window in ((1, side, side), (5, side, good), (2, good, side)):
            assert network_sizes.output_size(name, window, options) == shape_or_none(network, window), window


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_sizes_are_what_comes_out_of_the_network(name, options):
    network = on_meta(name, options)
    valid = [side for side in range(1, 320) if network_sizes.NETWORK_SIZES[name](side, options)]
    for y, x in itertools.pairwise(valid[:10]):
        main, *auxiliary = network(torch.empty(1, 1, 3, y, x, device="meta"))
        assert tuple(main.shape[2:]) == network_sizes.output_size(name, (3, y, x), options)
        assert all(a.shape == main.shape for a in auxiliary)


def test_published_windows():
    assert network_sizes.output_size("hybrid_2d3d_333", (5, 300, 300), {}) == (5, 296, 296)
    assert network_sizes.output_size("unet_2d", (1, 572, 572), {}) == (1, 388, 388)
    assert network_sizes.output_size("unet_2d", (1, 573, 572), {}) is None


def test_nearest_sides_enclose_an_invalid_one():
    assert network_sizes.nearest_sides("unet_2d", 580, {}) == [572, 588]
    assert network_sizes.nearest_sides("unet_2d", 100, {}) == [188]
    assert network_sizes.nearest_sides("unet_2d", 250, {"padding": "same"}) == [240, 256]
    assert network_sizes.nearest_sides("hybrid_2d3d_333", 3, {}) == [8]
