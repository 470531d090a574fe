import numpy as np
import pytest
import stacks

import measure_intensity
from densecell import files


def run(tmp_path, array, left_out=(), method="zscore", more=()):
    image = stacks.save(tmp_path / "image.ome.zarr", array, attributes={"left_out_slices": list(left_out)})
    measure_intensity.main(["--image", image, "--method", method, *more, "--output", str(tmp_path / "intensity.json")])
    return files.read_json(tmp_path / "intensity.json")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_mean_and_deviation_of_the_slices_that_count(tmp_path, dtype):
    array = stacks.random_image((20, 9, 10), dtype=dtype)
    array[3], array[19] = 250, 250
    numbers = run(tmp_path, array, left_out=[3, 19])
    kept = np.delete(array, [3, 19], axis=0).astype(float)
    assert numbers == pytest.approx({"method": "zscore", "count": kept.size, "mean": kept.mean(), "std": kept.std()})


def test_percentiles(tmp_path):
    array = stacks.random_image((9, 30, 30))
    numbers = run(tmp_path, array, method="percentile")
    assert (numbers["low"], numbers["high"]) == pytest.approx(tuple(np.percentile(array, [1, 99])))


def test_padding_does_not_count(tmp_path):
    array = stacks.random_image((9, 30, 30))
    padded = np.concatenate([np.full((9, 4, 30), 255, np.uint8), array], axis=1)
    numbers = run(tmp_path, padded, more=["--padding", "255"])
    assert (numbers["count"], numbers["mean"]) == (array.size, pytest.approx(array.mean()))


def test_an_image_without_spread_or_without_valid_slices_is_refused_by_name(tmp_path):
    with pytest.raises(ValueError, match=r"image\.ome\.zarr: constant image"):
        run(tmp_path, np.full((4, 5, 6), 3, np.uint8))
    with pytest.raises(ValueError, match=r"image\.ome\.zarr: at least one valid voxel"):
        run(tmp_path, stacks.random_image((2, 5, 6)), left_out=[0, 1])
