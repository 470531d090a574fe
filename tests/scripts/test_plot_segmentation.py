import json

import numpy as np
import picture_inputs as made_up
import pytest

import plot_segmentation


@pytest.fixture
def region(tmp_path):
    """Arguments of a region stored with context, with an unlabelled corner, and two predictions."""
    reference = made_up.labels()
    reference[:, :5, :5] = 255
    image = np.random.default_rng(0).normal(size=(8, 34, 44)).astype(np.float32)
    inner = {"inner": [[1, 7], [2, 32], [2, 42]]}
    arguments = ["--image", made_up.write_volume(tmp_path / "image.ome.zarr", image, attributes=inner)]
    arguments += ["--reference", made_up.write_volume(tmp_path / "reference.ome.zarr", reference)]
    predictions = [made_up.write_volume(tmp_path / f"{i}.ome.zarr", made_up.labels(wrong=0.1, seed=i)) for i in (1, 2)]
    arguments += ["--predictions", *predictions, "--predictors", json.dumps(["hybrid seed1", "hybrid top2"])]
    return [*arguments, "--colors", made_up.COLORS, "--classes", made_up.CLASSES, "--title", "test"]


def test_rows_are_slices_and_columns_volumes(region, tmp_path):
    one = made_up.check_picture(plot_segmentation.main, region, tmp_path / "one.png")
    more = [*region, "--n-slices", "3", "--difference", "hybrid top2"]
    three = made_up.check_picture(plot_segmentation.main, more, tmp_path / "three.png")
    assert three[0] > 2 * one[0] * 0.8 and three[1] > one[1]


def test_draws_without_a_reference(region, tmp_path):
    start = region.index("--reference")
    made_up.check_picture(plot_segmentation.main, region[:start] + region[start + 2 :], tmp_path / "x.png")


def test_refuses_shapes_and_names_that_do_not_fit(region, tmp_path):
    small = made_up.write_volume(tmp_path / "small.ome.zarr", made_up.labels((5, 30, 40)))
    wrong = list(region)
    wrong[wrong.index("--reference") + 1] = small
    with pytest.raises(ValueError, match=r"small.ome.zarr: expected the shape of the region \(6, 30, 40\)"):
        plot_segmentation.main([*wrong, "--output", str(tmp_path / "x.png")])
    with pytest.raises(ValueError, match="difference: expected a reference and one of"):
        plot_segmentation.main([*region, "--difference", "top9", "--output", str(tmp_path / "x.png")])
    assert not (tmp_path / "x.png").exists()
