import numpy as np
import pytest
import stacks
import tifffile

import export_tiff


@pytest.mark.parametrize("dtype", [np.uint8, np.uint32])
def test_a_volume_becomes_one_tiff(tmp_path, dtype):
    array = stacks.random_image((19, 20, 30), dtype=dtype)
    volume = stacks.save(tmp_path / "x.ome.zarr", array)
    export_tiff.main(["--volume", volume, "--output", str(tmp_path / "x.tif")])
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "x.tif"), array)
    assert (tmp_path / "x.tif.json").exists()


def test_a_damaged_volume_is_refused_and_no_tiff_appears(tmp_path):
    volume = stacks.save(tmp_path / "x.ome.zarr", stacks.random_image((19, 20, 30)))
    shard = tmp_path / "x.ome.zarr" / "0" / "c" / "1" / "0" / "0"
    shard.write_bytes(shard.read_bytes()[:-1])
    with pytest.raises(ValueError, match="damaged or changed since densecell wrote it"):
        export_tiff.main(["--volume", volume, "--output", str(tmp_path / "x.tif")])
    assert not list(tmp_path.glob("x.tif*"))
