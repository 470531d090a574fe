"""The sizes that the dry run allows, held against the networks themselves (on torch's meta device: shapes, no values)."""

import pytest
import torch

import config_checks
import network_sizes
from densecell.networks import NETWORKS, build_network

VARIANTS = [
    *((name, {}) for name in NETWORKS),
    ("unet_2d", {"padding": "same"}),
    ("unet_3d_thin", {"crop_px": 0}),
    ("unet_3d_thin", {"crop_px": 5}),
    ("medicalnet", {"z_downsampling": False}),
    ("medicalnet", {"resnet_depth": 50}),
    ("resunet", {"form": "code"}),
    ("transunet", {"size": "small", "side_px": 64}),
]
LIMITS = (40, 700, 700)  # sizes tried in z, y, x


def on_meta(name, options):
    with torch.device("meta"):
        return build_network(name, n_classes=3, base_width=2, **options).eval()


def shape_or_none(network, shape):
    try:
        return network.output_shape(shape)
    except ValueError:
        return None


def valid_sizes(name, options):
    """The sizes up to the limits that a network takes, for each axis."""
    takes = network_sizes.NETWORK_SIZES[name]
    return [[n for n in range(1, limit) if takes(axis, n, options)] for axis, limit in enumerate(LIMITS)]


def test_every_network_has_its_sizes():
    assert set(network_sizes.NETWORK_SIZES) == set(NETWORKS)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_dry_run_knows_the_options_of_every_network(name):
    for option in network_sizes.NETWORK_OPTIONS[name]:
        value = {"base_width": 4, "norm": "instance", "pyramid_input": "logits", "padding": "same", "crop_px": 1}
        value |= {"resnet_depth": 18, "initialization": "xavier", "form": "code", "size": "small", "side_px": 64}
        with torch.device("meta"):
            build_network(name, **{"base_width": 2, option: value.get(option, False)})
    every = set().union(*network_sizes.NETWORK_OPTIONS.values())
    for option in sorted(every - set(network_sizes.NETWORK_OPTIONS[name])):
        with pytest.raises(TypeError, match=option):
            build_network(name, **{option: 1})


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_sizes_are_those_of_output_shape(name, options):
    network, least = on_meta(name, options), [sizes[0] for sizes in valid_sizes(name, options)]
    for axis, limit in enumerate(LIMITS):
        for size in range(1, limit):
            window = (*least[:axis], size, *least[axis + 1 :])
            assert network_sizes.output_size(name, window, options) == shape_or_none(network, window), window


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_sizes_are_what_comes_out_of_the_network(name, options):
    network, sizes = on_meta(name, options), valid_sizes(name, options)
    windows = {(z, y, x) for z, y, x in zip(*(axis[:6] for axis in sizes))}
    windows |= {(sizes[0][i], sizes[1][-1 - i], sizes[2][i + 1]) for i in range(2)}
    for window in sorted(windows):
        main, *auxiliary = network(torch.empty(1, 1, *window, device="meta"))
        assert tuple(main.shape[2:]) == network_sizes.output_size(name, window, options)
        assert all(a.shape == main.shape for a in auxiliary)


def test_published_windows():
    for network, window, output in (
        ("hybrid_2d3d_333", (5, 300, 300), (5, 296, 296)),
        ("unet_2d", (1, 572, 572), (1, 388, 388)),
        ("unet_2d", (1, 573, 572), None),
        ("unet_3d_thin", (5, 300, 300), (5, 296, 296)),
        ("unet_3d_thick", (16, 180, 180), (16, 180, 180)),
        ("unet_3d_thick", (15, 180, 180), None),
        ("deepvess", (7, 33, 33), (1, 5, 5)),
    ):
        assert network_sizes.output_size(network, window, {}) == output


def test_nearest_sides_enclose_an_invalid_one():
    assert network_sizes.nearest_sides("unet_2d", 580, {}) == [572, 588]
    assert network_sizes.nearest_sides("unet_2d", 100, {}) == [188]
    assert network_sizes.nearest_sides("unet_2d", 250, {"padding": "same"}) == [240, 256]
    assert network_sizes.nearest_sides("hybrid_2d3d_333", 3, {}) == [8]
    assert network_sizes.nearest_sides("resunet", 300, {}) == [288, 304]
    assert network_sizes.nearest_sides("unet_3d_thick", 14, {}, axis=0) == [12, 16]


def test_nearest_windows_change_what_does_not_fit():
    assert network_sizes.nearest_windows("unet_3d_thick", (14, 180, 182), {}) == [[12, 180, 180], [16, 180, 184]]
    assert network_sizes.nearest_windows("deepvess", (5, 34, 43), {}) == [[7, 38, 43]]
    assert network_sizes.nearest_windows("medicalnet", (5, 60, 64), {"z_downsampling": False}) == [
        [5, 56, 64],
        [5, 64, 64],
    ]


def experiment(network, window=None, tile=None, **options):
    return {"network": network, "options": options, "window": window, "tile": tile, "training": {"batch_size": 1}}


@pytest.mark.parametrize(
    ("record", "path", "expected", "hint"),
    [
        (
            experiment("unet_3d_thick", [14, 180, 180]),
            "experiments[0].window",
            "a size in z that unet_3d_thick can take; nearest to 14: 12 or 16",
            "Use [12, 180, 180] or [16, 180, 180].",
        ),
        (
            experiment("deepvess", [7, 33, 33], [6, 33, 100]),
            "experiments[0].tile",
            "a size in z that deepvess can take; nearest to 6: 7",
            "Use [7, 33, 103].",
        ),
    ],
)
def test_the_dry_run_names_the_nearest_windows(record, path, expected, hint):
    config = {"experiments": [record], "prediction": {"tile": None}}
    (finding,) = config_checks.check_networks(config)
    assert (finding.path, finding.expected, finding.hint) == (path, expected, hint)


def test_the_dry_run_takes_what_fits():
    records = [
        experiment("unet_3d_thick", [16, 180, 180]),
        experiment("medicalnet", [5, 64, 64], z_downsampling=False),
        experiment("deepvess", [7, 33, 33], [7, 233, 233]),
    ]
    config = {"experiments": records, "prediction": {"tile": None}}
    assert list(config_checks.check_networks(config)) == []
