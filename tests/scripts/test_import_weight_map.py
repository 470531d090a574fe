import numpy as np
import pytest
import stacks
import tifffile

import import_weight_map
from densecell import io

VOLUME = (4, 10, 12)
BOX = [[1, 3], [2, 8], [0, 12]]
WEIGHTS = np.random.default_rng(0).random(VOLUME).astype(np.float32)


def run(tmp_path, weights, floor=0.01, axes="zyx"):
    tifffile.imwrite(tmp_path / "weights.tif", weights, photometric="minisblack")
    shape = tuple(b - a for a, b in BOX)
    labels = np.zeros(shape, np.uint8)
    labels[0, 0] = 255
    given = ["--weights", str(tmp_path / "weights.tif"), "--axes", axes, "--floor", str(floor)]
    given += ["--volume", stacks.save(tmp_path / "volume.ome.zarr", np.zeros(VOLUME, np.uint8))]
    given += ["--image", stacks.save(tmp_path / "image.ome.zarr", np.zeros(shape, np.float32), attributes={"box": BOX})]
    given += ["--labels", stacks.save(tmp_path / "labels.ome.zarr", labels)]
    import_weight_map.main([*given, "--output", str(tmp_path / "out.ome.zarr")])
    return io.open_volume(tmp_path / "out.ome.zarr")


@pytest.mark.parametrize("axes", ["zyx", "xyz"])
def test_the_region_is_cut_out_and_gets_the_floor_but_not_where_it_is_unlabelled(tmp_path, axes):
    stored = WEIGHTS if axes == "zyx" else WEIGHTS.transpose(2, 1, 0)
    found = run(tmp_path, stored, axes=axes)
    expected = WEIGHTS[1:3, 2:8] + 0.01
    expected[0, 0] = 0
    assert found.dtype == np.float32 and found.voxel_size_nm == stacks.VOXEL_SIZE_NM
    np.testing.assert_allclose(found[:], expected, rtol=1e-6)


def test_whole_numbers_are_weights_too(tmp_path):
    assert run(tmp_path, np.full(VOLUME, 2, np.uint16), floor=0.5)[:].max() == 2.5


def test_another_shape_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"expected the shape of the volume, \(4, 10, 12\) .* found \(3, 10, 12\)"):
        run(tmp_path, WEIGHTS[:3])


@pytest.mark.parametrize(
    ("value", "found"), [(-0.1, "0 NaN or infinite and 1 negative"), (np.nan, "1 NaN"), (np.inf, "1 NaN")]
)
def test_what_is_no_weight_is_refused_with_its_slice(tmp_path, value, found):
    weights = WEIGHTS.copy()
    weights[2, 5, 5] = value
    with pytest.raises(ValueError, match=rf"expected weights of 0 or more, found {found}.* in slice 2"):
        run(tmp_path, weights)
    assert not (tmp_path / "out.ome.zarr").exists()
