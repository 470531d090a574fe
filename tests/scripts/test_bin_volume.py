import json

import numpy as np
import pytest
import stacks

import bin_volume
from densecell import binning, io


def run(tmp_path, array, factors):
    image = stacks.save(tmp_path / "image.ome.zarr", array, origin_nm=(0, 0, 0))
    bin_volume.main(["--image", image, "--binning", json.dumps(factors), "--output", str(tmp_path / "binned.ome.zarr")])
    return io.open_volume(tmp_path / "binned.ome.zarr")


def test_means_of_blocks_and_their_geometry(tmp_path):
    volume = run(tmp_path, np.array([[[0, 2, 10], [4, 2, 20]]], np.uint8), [1, 2, 2])
    np.testing.assert_array_equal(volume[:], [[[2, 15]]])
    assert volume.voxel_size_nm == (50, 20, 20)
    assert volume.origin_nm == (0, 5, 5)  # the center of the first block
    assert volume.attributes == {"binning": [1, 2, 2]}


@pytest.mark.parametrize("factors", [[1, 1, 1], [3, 2, 2], [2, 1, 3]])
def test_slab_by_slab_equals_the_whole(tmp_path, factors):
    array = stacks.random_image((43, 9, 10))
    np.testing.assert_array_equal(run(tmp_path, array, factors)[:], binning.bin_image(array, factors))


def test_refuses_factors_that_are_no_whole_numbers(tmp_path):
    with pytest.raises(ValueError, match="binning factors are expected as three integers"):
        run(tmp_path, stacks.random_image((4, 4, 4)), [1, 1.5, 1])
