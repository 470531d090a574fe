import json

import numpy as np
import pandas as pd
import pytest
import stacks

import normalize_region
from densecell import files, io

IMAGE = stacks.random_image((20, 30, 40))


def run(
    tmp_path,
    region,
    image=IMAGE,
    left_out=(),
    binning=(1, 1, 1),
    crop=((0, 30), (0, 40)),
    shifts=None,
    intensity=None,
    **options,
):
    attributes = {"left_out_slices": list(left_out), "binning": list(binning), "crop": [list(side) for side in crop]}
    path = stacks.save(tmp_path / "image.ome.zarr", image, origin_nm=(1, 2, 3), attributes=attributes)
    arguments = ["--image", path, "--region", json.dumps({"name": "r", **region})]
    if shifts is not None:
        io.write_table(tmp_path / "shifts.csv", pd.DataFrame(-np.array(shifts), columns=["y_px", "x_px"]), {})
        arguments += ["--shifts", str(tmp_path / "shifts.csv")]
    if intensity:
        files.write_json(tmp_path / "intensity.json", intensity, {})
        arguments += ["--scope", "volume", "--intensity", str(tmp_path / "intensity.json")]
    for name, value in options.items():
        arguments += [f"--{name}", value if isinstance(value, str) else json.dumps(value)]
    normalize_region.main([*arguments, "--output", str(tmp_path / "region.ome.zarr")])
    return io.open_volume(tmp_path / "region.ome.zarr")


def test_a_region_is_normalized_by_its_own_voxels(tmp_path):
    volume = run(tmp_path, {"z": [3, 17], "y": [4, 20], "x": None})
    values = IMAGE[3:17, 4:20].astype(float)
    assert volume.dtype == np.float32
    np.testing.assert_allclose(volume[:], (values - values.mean()) / values.std(), atol=1e-5)
    assert volume.attributes["box"] == [[3, 17], [4, 20], [0, 40]]
    assert volume.attributes["inner"] == [[0, 14], [0, 16], [0, 40]]
    assert volume.attributes["normalization"] == pytest.approx(
        {"method": "zscore", "count": values.size, "mean": values.mean(), "std": values.std()}
    )
    assert volume.origin_nm == (1 + 3 * 50, 2 + 4 * 10, 3)
    assert volume.attributes["binning"] == [1, 1, 1]


def test_padding_is_not_measured_and_the_binning_is_kept(tmp_path):
    image = IMAGE.copy()
    image[:, :12] = 0
    volume = run(tmp_path, {"y": [4, 20]}, image, binning=(1, 2, 4), padding=0)
    kept = image[:, 4:20][image[:, 4:20] > 0].astype(float)
    numbers = volume.attributes["normalization"]
    assert (numbers["count"], numbers["mean"]) == (kept.size, pytest.approx(kept.mean()))
    assert volume.attributes["binning"] == [1, 2, 4]


def test_unit_normalization_is_a_share_of_the_full_range(tmp_path):
    volume = run(tmp_path, {}, method="unit")
    np.testing.assert_allclose(volume[:], IMAGE / 255, atol=1e-6)


def test_slices_left_out_are_kept_but_not_measured(tmp_path):
    image = IMAGE.copy()
    image[5] = 255
    kept = np.delete(image, 5, axis=0).astype(float)
    volume = run(tmp_path, {}, image=image, left_out=[5])
    assert volume.attributes["normalization"]["mean"] == pytest.approx(kept.mean())
    assert volume.shape == image.shape
    assert volume[5:6].min() == pytest.approx((255 - kept.mean()) / kept.std(), abs=1e-4)


def test_scope_volume_and_context_clamped_at_the_volume(tmp_path):
    numbers = {"method": "zscore", "count": 1, "mean": 100.0, "std": 50.0}
    volume = run(tmp_path, {"z": [1, 18], "y": [10, 20], "x": [30, 40]}, intensity=numbers, context=[2, 3, 4])
    np.testing.assert_allclose(volume[:], (IMAGE[0:20, 7:23, 26:40] - 100.0) / 50, atol=1e-5)
    assert volume.attributes["inner"] == [[1, 18], [3, 13], [4, 14]]
    assert volume.attributes["box"] == [[1, 18], [10, 20], [30, 40]]
    assert volume.origin_nm == (1, 2 + 7 * 10, 3 + 26 * 10)
    with pytest.raises(ValueError, match=r"normalization\.context: expected \[0, 0, 0\] with scope region"):
        run(tmp_path, {}, context=[1, 0, 0])


@pytest.mark.parametrize(("axis", "bad"), [("z", [0, 21]), ("y", [30, 31]), ("x", [-1, 5]), ("x", [5, 5])])
def test_a_region_outside_the_volume_is_refused_with_its_key(tmp_path, axis, bad):
    size = IMAGE.shape["zyx".index(axis)]
    match = rf"regions\.r\.{axis}: expected a range within 0 to {size}, .* found \[{bad[0]}, {bad[1]}\]"
    with pytest.raises(ValueError, match=match):
        run(tmp_path, {axis: bad})


def test_a_constant_region_is_named(tmp_path):
    image = IMAGE.copy()
    image[:, :4, :4] = 9
    with pytest.raises(ValueError, match=r"regions\.r: constant image"):
        run(tmp_path, {"y": [0, 4], "x": [0, 4]}, image=image)


def test_a_region_in_raw_voxels_is_what_all_moved_slices_share(tmp_path):
    shifts = [(0, 0)] * 18 + [(2, -1), (-1, 3)]  # as applied; crop starts at (4, 5)
    options = {"crop": ((4, 34), (5, 45)), "shifts": shifts}
    region = {"frame": "raw", "z": [17, 20], "y": [12, 20], "x": None}
    assert run(tmp_path, region, **options).attributes["box"] == [[17, 20], [12 + 2 - 4, 20 - 1 - 4], [0, 40]]
    region = {"frame": "raw", "z": [0, 5], "y": [0, 20], "x": [10, 99]}
    assert run(tmp_path, region, **options).attributes["box"] == [[0, 5], [0, 16], [5, 40]]
    with pytest.raises(
        ValueError,
        match=r"regions\.r\.y: expected raw voxels that the aligned, cropped volume still holds .* found \[0, 4\]",
    ):
        run(tmp_path, {"frame": "raw", "y": [0, 4]}, **options)


def test_a_region_in_raw_voxels_is_binned_to_whole_blocks(tmp_path):
    region = {"frame": "raw", "z": [2, 8], "y": [3, 9], "x": [4, 9]}
    volume = run(tmp_path, region, binning=(2, 2, 4), shifts=[(0, 0)] * 20)
    assert volume.attributes["box"] == [[1, 4], [1, 5], [1, 3]]
