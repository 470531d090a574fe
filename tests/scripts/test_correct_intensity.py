import json

import numpy as np
import pandas as pd
import pytest
import stacks

import correct_intensity
from densecell import files, io

LAYOUT = {"binning": [1, 2, 2], "crop": [[0, 64], [0, 80]], "left_out_slices": []}


def flickering(n=20, dtype=np.uint8):
    """A texture whose slices have other gains and offsets, of which none merges values."""
    stack = stacks.textured_stack(n, (64, 80), [(0, 0)] * n).astype(int) // 4
    gains, offsets = np.resize([1, 2, 3], n), np.resize([0, 40, 11, 5], n)
    stack = stack * gains[:, None, None] + offsets[:, None, None]
    return (stack if dtype == np.uint8 else stack * 200).astype(dtype)


def run(tmp_path, array, method="equalize", threads=1, layout=None, **options):
    image = stacks.save(
        tmp_path / "image.ome.zarr", array, origin_nm=(1, 2, 3), attributes={**LAYOUT, **(layout or {})}
    )
    arguments = ["--image", image, "--method", method, "--threads", str(threads)]
    for name, value in options.items():
        arguments += [f"--{name.replace('_', '-')}", json.dumps(value)]
    outputs = ["--output", str(tmp_path / "corrected.ome.zarr"), "--slices", str(tmp_path / "slices.csv")]
    correct_intensity.main([*arguments, *outputs])
    return io.open_volume(tmp_path / "corrected.ome.zarr"), io.read_table(tmp_path / "slices.csv")


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("method", ["equalize", "match", "percentile"])
def test_flicker_is_gone_and_the_facts_of_the_volume_are_kept(tmp_path, method, dtype):
    array = flickering(dtype=dtype)
    volume, table = run(tmp_path, array, method)
    assert volume.dtype == dtype and volume.shape == array.shape
    assert volume.attributes == {**LAYOUT, "slices_corrected": method}
    assert volume.origin_nm == (1, 2, 3) and volume.voxel_size_nm == stacks.VOXEL_SIZE_NM
    assert table["mean_after"].std() < 0.05 * table["mean_before"].std()
    assert table["ks_after"].max() < 0.5 * table["ks_before"].max()
    assert table["mean_before"].to_numpy() == pytest.approx(array.mean(axis=(1, 2)))
    assert table["sd_after"].to_numpy() == pytest.approx(volume[:].std(axis=(1, 2)))
    assert (table["n_voxels"] == 64 * 80).all() and (table["flag"] == "").all()


@pytest.mark.parametrize("method", ["equalize", "match", "percentile", "clahe"])
def test_threads_change_nothing(tmp_path, method):
    sidecars = []
    for threads in (1, 2, 5):
        folder = tmp_path / str(threads)
        folder.mkdir()
        array = flickering(37, np.uint16)
        run(folder, array, method, threads, {"left_out_slices": [3]}, padding=0)
        contents = [files.read_sidecar(folder / name)["content"] for name in ("corrected.ome.zarr", "slices.csv")]
        sidecars.append(contents)
    assert sidecars[0] == sidecars[1] == sidecars[2]


def test_padding_stays_and_takes_part_in_nothing(tmp_path):
    array = np.maximum(flickering(), 1)
    framed = np.zeros((20, 64, 100), np.uint8)
    framed[:, :, 10:90] = array
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    alone, of_alone = run(tmp_path / "a", array, "match", padding=0)
    volume, table = run(tmp_path / "b", framed, "match", padding=0)
    np.testing.assert_array_equal(volume[:][:, :, 10:90], alone[:])
    assert not volume[:][:, :, :10].any() and (volume[:][:, :, 10:90] > 0).all()
    pd.testing.assert_frame_equal(table, of_alone)


def test_slices_are_flagged_for_what_they_are(tmp_path):
    array = np.maximum(flickering(24), 1)
    array[2] = 77
    array[5] = 0
    array[9, 8:56, 8:70] = 250
    volume, table = run(tmp_path, array, "equalize", layout={"left_out_slices": [15]}, padding=0)
    assert {z: flag for z, flag in zip(table["z"], table["flag"]) if flag} == {2: "constant", 5: "empty", 9: "unlike"}
    assert (volume[2:3] == 77).all() and (volume[5:6] == 0).all()
    assert table["left_out"].to_numpy().nonzero()[0].tolist() == [15]
    assert np.isnan(table["mean_before"][5]) and np.isnan(table["ks_shape"][2])


def test_a_slice_much_brighter_than_all_others_is_flagged(tmp_path):
    array = (stacks.textured_stack(20, (64, 80), [(0, 0)] * 20) // 4).astype(np.uint8)
    array[7] += 150
    assert run(tmp_path, array)[1].set_index("z")["flag"][7] == "bright_or_dark"


def test_slices_left_out_are_corrected_but_are_no_reference(tmp_path):
    array = flickering(12)
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    left_out = {"left_out_slices": [4, 5]}
    first, _ = run(tmp_path / "a", array, "match", layout=left_out)
    array[4:6] = stacks.random_image((2, 64, 80))
    second, table = run(tmp_path / "b", array, "match", layout=left_out)
    others = [z for z in range(12) if z not in (4, 5)]
    np.testing.assert_array_equal(first[:][others], second[:][others])
    assert not np.array_equal(second[4:5], array[4:5]) and (table["flag"] == "").all()


def test_a_volume_of_slices_that_are_all_left_out_is_corrected_all_the_same(tmp_path):
    volume, table = run(tmp_path, flickering(3), "match", layout={"left_out_slices": [0, 1, 2]})
    assert volume.shape == (3, 64, 80) and table["ks_before"].isna().all()


def test_the_settings_of_clahe_arrive(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    few, _ = run(tmp_path / "a", flickering(4), "clahe", clahe={"clip": 1, "tiles": [1, 1]})
    many, _ = run(tmp_path / "b", flickering(4), "clahe", clahe={"clip": 9, "tiles": [4, 4]})
    assert many[:].std() > few[:].std()


def test_what_cannot_be_corrected_is_refused_before_anything_is_written(tmp_path):
    floats = stacks.random_image((3, 20, 20)).astype(np.float32)
    floats[1, 2, 3] = np.nan
    for array, options, message in (
        (
            floats,
            {},
            r"image\.ome\.zarr: normalization\.slices: equalize expects gray values in uint8 or uint16, found float32",
        ),
        (stacks.random_image((3, 20, 20)), {"padding": 300}, r"volumes\.padding: a gray value of uint8 is expected"),
        (
            np.zeros((3, 20, 20), np.uint8),
            {"padding": 0},
            r"at least two gray values beside the padding \(0\) are expected",
        ),
        (
            np.full((3, 20, 20), 9, np.uint8),
            {"method": "match"},
            r"at least two gray values beside the padding \(None\)",
        ),
    ):
        with pytest.raises(ValueError, match=message):
            run(tmp_path, array, **options)
        assert not (tmp_path / "corrected.ome.zarr").exists()
        files.remove(tmp_path / "image.ome.zarr")
