import json

import picture_inputs as made_up
import pytest

import plot_network


def arguments(network, window, options):
    given = ["--network", network, "--window", json.dumps(window), "--options", json.dumps(options)]
    return [*given, "--classes", made_up.CLASSES, "--title", "first"]


@pytest.mark.parametrize(
    ("network", "window", "options"),
    [
        ("hybrid_2d3d_333", [5, 96, 96], {"base_width": 8, "norm": "instance"}),
        ("deeplab_drn", [1, 65, 70], {"base_width": 4}),
        ("deepvess", [7, 33, 33], {}),
    ],
)
def test_draws(tmp_path, network, window, options):
    made_up.check_picture(plot_network.main, arguments(network, window, options), tmp_path / "x.png")


def test_a_wrong_window_is_told(tmp_path):
    with pytest.raises(ValueError, match=r"experiments\.window"):
        plot_network.main([*arguments("unet_2d", [1, 100, 100], {}), "--output", str(tmp_path / "x.png")])
