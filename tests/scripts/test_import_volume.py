import json
import shutil
from collections import namedtuple

import imagecodecs
import numpy as np
import pytest
import stacks
import tifffile
import zarr

import import_volume
from densecell import files, io


def run(tmp_path, paths, axes="zyx", shape=None, origin_nm=(0, 0, 0)):
    arguments = ["--paths", *map(str, paths), "--axes", axes, "--voxel-size-nm", "[50, 10, 10]"]
    arguments += ["--origin-nm", json.dumps(origin_nm), "--shape", json.dumps(shape)]
    import_volume.main([*arguments, "--output", str(tmp_path / "image.ome.zarr")])
    return io.open_volume(tmp_path / "image.ome.zarr")


def saved(tmp_path, array, name="raw.tif", **options):
    tifffile.imwrite(tmp_path / name, array, photometric="minisblack", **options)
    return [tmp_path / name]


def refused(tmp_path, match, paths, error=ValueError, **options):
    """The import is refused, and leaves nothing behind."""
    with pytest.raises(error, match=match):
        run(tmp_path, paths, **options)
    assert not list(tmp_path.glob("image.ome.zarr*"))


@pytest.mark.parametrize(
    ("stored", "expected"),
    [
        ("bool", "uint8"),
        ("uint8", "uint8"),
        ("uint16", "uint16"),
        ("int16", "int16"),
        (">u2", "uint16"),
        ("float32", "float32"),
        ("float64", "float32"),
    ],
)
def test_number_types(tmp_path, capsys, stored, expected):
    stack = (
        (stacks.random_image((10, 5, 6)) > 99).astype(stored)
        if stored == "bool"
        else stacks.random_image((10, 5, 6)).astype(stored)
    )
    zarr.create_array(tmp_path / "raw.zarr", data=stack)
    volume = run(tmp_path, [tmp_path / "raw.zarr"], origin_nm=(1, 2, 3))
    assert volume.dtype == expected
    np.testing.assert_array_equal(volume[:], stack)
    assert (volume.voxel_size_nm, volume.origin_nm) == ((50, 10, 10), (1, 2, 3))
    assert (
        f"Z=10 of 50 nm (0.5 um), Y=5 of 10 nm (0.05 um), X=6 of 10 nm (0.06 um), {expected}" in capsys.readouterr().out
    )


def test_axes_order_the_stack(tmp_path):
    stack = stacks.random_image((4, 5, 6))
    np.testing.assert_array_equal(run(tmp_path, saved(tmp_path, np.transpose(stack, (1, 2, 0))), "yxz")[:], stack)


def test_wrong_axes_show_in_the_declared_shape(tmp_path):
    paths = saved(tmp_path, stacks.random_image((4, 5, 6)))
    assert run(tmp_path, paths, shape=[4, 5, 6]).shape == (4, 5, 6)
    shutil.rmtree(tmp_path / "image.ome.zarr")
    files.remove(tmp_path / "image.ome.zarr.json")
    refused(
        tmp_path,
        r"expected the shape \(4, 5, 6\) \(volumes: shape\), found \(6, 4, 5\) with axes yxz",
        paths,
        axes="yxz",
        shape=[4, 5, 6],
    )
    refused(tmp_path, "axes: expected a permutation of zyx, found 'zyc'", paths, axes="zyc")


def test_missing_file(tmp_path):
    refused(tmp_path, r"none\.tif: no such file", [tmp_path / "none.tif"])


def test_truncated_files(tmp_path):
    noise = stacks.random_image((8, 60, 60))
    saved(tmp_path, noise)
    content = (tmp_path / "raw.tif").read_bytes()
    (tmp_path / "cut.tif").write_bytes(content[: len(content) // 2])
    refused(tmp_path, r"cut\.tif: .*truncated", [tmp_path / "cut.tif"])
    (tmp_path / "0.png").write_bytes(imagecodecs.png_encode(noise[0]))
    (tmp_path / "1.png").write_bytes(imagecodecs.png_encode(noise[0])[:1000])
    refused(tmp_path, r"1\.png: unreadable or truncated", [tmp_path / "0.png", tmp_path / "1.png"])


def test_slices_of_different_shapes(tmp_path):
    paths = [
        *saved(tmp_path, stacks.random_image((5, 6)), "0.tif"),
        *saved(tmp_path, stacks.random_image((5, 7)), "1.tif"),
    ]
    refused(tmp_path, r"1\.tif: slice 1 is \(5, 7\)", paths)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_and_infinity_name_slice_and_count(tmp_path, bad):
    stack = stacks.random_image((3, 5, 6)).astype(np.float32)
    stack[1, :2, 0] = bad
    refused(tmp_path, "slice 1 holds 2 NaN or infinite values", saved(tmp_path, stack))


def test_float64_beyond_float32_is_refused(tmp_path):
    stack = stacks.random_image((3, 5, 6)).astype(np.float64)
    stack[2, 0, 0] = 1e300
    zarr.create_array(tmp_path / "raw.zarr", data=stack)
    refused(tmp_path, r"slice 2 holds 1 NaN or infinite values \(as float32\)", [tmp_path / "raw.zarr"])


def test_constant_stack(tmp_path):
    refused(tmp_path, "every voxel of the stack is 7", saved(tmp_path, np.full((20, 5, 6), 7, np.uint8)))


def test_one_constant_slice_is_fine(tmp_path):
    stack = stacks.random_image((20, 5, 6))
    stack[8:16] = 7  # a whole slab
    np.testing.assert_array_equal(run(tmp_path, saved(tmp_path, stack))[:], stack)


def test_color_images(tmp_path):
    tifffile.imwrite(tmp_path / "rgb.tif", stacks.random_image((4, 5, 6, 3)), photometric="rgb")
    refused(
        tmp_path,
        r"rgb\.tif: expected gray values, found a color image with 3 samples per pixel",
        [tmp_path / "rgb.tif"],
    )


def test_full_disk(tmp_path, monkeypatch):
    paths = saved(tmp_path, stacks.random_image((8, 64, 64)))
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9, 0))
    refused(tmp_path, "not enough disk space for .*image.ome.zarr", paths, error=OSError)


def test_what_a_killed_import_left_is_never_continued(tmp_path):
    stale = tmp_path / "image.ome.zarr.partial"
    stale.mkdir()
    (stale / "zarr.json").write_text("half")
    stack = stacks.random_image((4, 5, 6))
    np.testing.assert_array_equal(run(tmp_path, saved(tmp_path, stack))[:], stack)
    assert not list(tmp_path.glob("*.partial")) and not list(tmp_path.glob("*.stale"))


def test_record_names_parents_and_parameters(tmp_path):
    paths = saved(tmp_path, stacks.random_image((4, 5, 6)))
    run(tmp_path, paths)
    sidecar = files.read_sidecar(tmp_path / "image.ome.zarr")
    assert sidecar["parents"] == {str(paths[0]): files.hash_file(paths[0])}
    assert sidecar["params"] == {"axes": "zyx", "voxel_size_nm": [50, 10, 10], "origin_nm": [0, 0, 0], "shape": None}
