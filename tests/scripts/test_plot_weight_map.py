import numpy as np
import picture_inputs as made_up
import pytest

import plot_weight_map


def arguments(tmp_path, shape):
    labels = made_up.labels()
    labels[:, :6, :6] = 255
    weights = np.where(labels == 255, 0, 0.1 + labels).astype(np.float32)[: shape[0]]
    given = ["--labels", made_up.write_volume(tmp_path / "labels.ome.zarr", labels)]
    given += ["--weights", made_up.write_volume(tmp_path / "weights.ome.zarr", weights)]
    return [*given, "--colors", made_up.COLORS, "--classes", made_up.CLASSES, "--title", "train"]


def test_draws(tmp_path):
    made_up.check_picture(plot_weight_map.main, arguments(tmp_path, (6, 30, 40)), tmp_path / "x.png")


def test_refuses_weights_of_another_shape(tmp_path):
    with pytest.raises(ValueError, match=r"weights.ome.zarr: expected the shape of"):
        plot_weight_map.main([*arguments(tmp_path, (5, 30, 40)), "--output", str(tmp_path / "x.png")])
