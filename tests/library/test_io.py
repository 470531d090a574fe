import os
import subprocess
import sys
from pathlib import Path

import imagecodecs
import numpy as np
import pandas as pd
import pytest
import tifffile
import zarr

from densecell import files, io

STACK = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7) * 3
AXES = ("zyx", "zxy", "yzx", "yxz", "xzy", "xyz")


def in_order(array, axes):
    """A (Z, Y, X) array with its dimensions in the order `axes`."""
    return np.ascontiguousarray(np.transpose(array, ["zyx".index(a) for a in axes]))


def read(paths, axes="zyx"):
    source = io.open_source(paths, axes)
    array = np.stack([source.read_slice(z) for z in range(source.shape[0])])
    assert array.shape == source.shape
    assert array.dtype == source.dtype
    return array


def write_png(path, array):
    path.write_bytes(imagecodecs.png_encode(np.ascontiguousarray(array)))
    return path


# ------------------------------------------------------------------------------------------------------------- TIFFs
FLAVORS = {
    "plain": {},
    "pages": {"metadata": None},
    "compressed": {"compression": "zlib"},
    "imagej": {"imagej": True, "metadata": {"axes": "ZYX"}},
    "ome": {"ome": True, "metadata": {"axes": "ZYX"}},
    "bigtiff": {"bigtiff": True, "metadata": None},
    "big_endian": {"byteorder": ">"},
    "tiled": {"tile": (16, 16)},
}


@pytest.mark.parametrize("flavor", FLAVORS)
def test_reads_every_flavor_of_tiff(tmp_path, flavor):
    tifffile.imwrite(tmp_path / "x.tif", STACK, **FLAVORS[flavor])
    np.testing.assert_array_equal(read([tmp_path / "x.tif"]), STACK)


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}], ids=["raw", "compressed"])
def test_reads_a_tiff_with_its_axes_in_any_order(tmp_path, axes, options):
    tifffile.imwrite(tmp_path / "x.tif", in_order(STACK, axes), photometric="minisblack", **options)
    np.testing.assert_array_equal(read([tmp_path / "x.tif"], axes), STACK)


@pytest.mark.parametrize("axes", AXES)
def test_a_single_image_is_a_stack_of_one_slice(tmp_path, axes):
    plane = STACK[0] if axes.replace("z", "") == "yx" else STACK[0].T
    tifffile.imwrite(tmp_path / "x.tif", plane)
    np.testing.assert_array_equal(read([tmp_path / "x.tif"], axes), STACK[:1])
    np.testing.assert_array_equal(read([write_png(tmp_path / "x.png", plane)], axes), STACK[:1])


def test_a_hyperstack_of_one_channel_is_a_stack_and_of_two_is_refused(tmp_path):
    axes = {"imagej": True, "metadata": {"axes": "TZCYX"}}
    tifffile.imwrite(tmp_path / "one.tif", STACK[None, :, None], **axes)
    np.testing.assert_array_equal(read([tmp_path / "one.tif"]), STACK)
    tifffile.imwrite(tmp_path / "two.tif", np.stack([STACK, STACK], axis=1)[None], **axes)
    with pytest.raises(ValueError, match=r"two\.tif: axes 'zyx' name 3 dimensions, the file has 4"):
        read([tmp_path / "two.tif"])


@pytest.mark.parametrize("options", [{}, {"imagej": True}])
def test_color_stacks_keep_their_samples_at_the_end(tmp_path, options):
    colors = np.random.default_rng(0).integers(0, 255, (4, 6, 7, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "x.tif", colors, photometric="rgb", **options)
    np.testing.assert_array_equal(read([tmp_path / "x.tif"]), colors)


def test_images_of_different_shapes_in_one_tiff_are_refused(tmp_path):
    with tifffile.TiffWriter(tmp_path / "x.tif") as tiff:
        tiff.write(STACK[0], metadata=None)
        tiff.write(STACK[0, :4], metadata=None)
    with pytest.raises(
        ValueError, match=r"x\.tif: expected images of one shape, found 2 series of shapes \(6, 7\), \(4, 7\)"
    ):
        read([tmp_path / "x.tif"])


@pytest.mark.parametrize("flavor", FLAVORS)
@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_a_truncated_tiff_is_refused_and_never_filled_up(tmp_path, flavor, share):
    stack = np.random.default_rng(0).integers(0, 60000, (12, 40, 50), dtype=np.uint16)
    tifffile.imwrite(tmp_path / "whole.tif", stack, **FLAVORS[flavor])
    content = (tmp_path / "whole.tif").read_bytes()
    (tmp_path / "part.tif").write_bytes(content[: int(share * len(content))])
    with pytest.raises(ValueError, match=r"part\.tif: .*(truncated|unreadable)"):
        read([tmp_path / "part.tif"])


def test_foreign_and_missing_files_are_named(tmp_path):
    (tmp_path / "x.tif").write_text("not an image")
    with pytest.raises(ValueError, match=r"x\.tif: unreadable or truncated"):
        read([tmp_path / "x.tif"])
    for name in ("none.tif", "none.png", "none.zarr"):
        with pytest.raises(ValueError, match=f"{name}: no such file"):
            read([tmp_path / name])
    (tmp_path / "x.mrc").write_text("")
    with pytest.raises(ValueError, match=r"x\.mrc: no reader for '\.mrc'; known: \.png"):
        read([tmp_path / "x.mrc"])


@pytest.mark.parametrize("axes", ["", "zy", "zyy", "zyxc"])
def test_axes_must_be_a_permutation_of_zyx(tmp_path, axes):
    with pytest.raises(ValueError, match="axes: expected a permutation of zyx"):
        io.open_source([tmp_path / "x.tif"], axes)


# ------------------------------------------------------------------------------------------------------------ slices
@pytest.mark.parametrize("suffix", ["png", "tif"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_files_of_one_slice_each_in_the_given_order(tmp_path, suffix, dtype):
    stack = STACK.astype(dtype)
    paths = [tmp_path / f"s{i}.{suffix}" for i in (10, 9, 2, 1, 0)]
    for path, plane in zip(paths, stack):
        write_png(path, plane) if suffix == "png" else tifffile.imwrite(path, plane)
    np.testing.assert_array_equal(read(paths), stack)
    np.testing.assert_array_equal(read(paths, "zxy"), np.swapaxes(stack, 1, 2))


def test_slices_that_differ_are_named(tmp_path):
    paths = [write_png(tmp_path / "0.png", STACK[0]), write_png(tmp_path / "1.png", STACK[0, :5])]
    with pytest.raises(
        ValueError, match=r"1\.png: slice 1 is \(5, 7\) uint16, the first one .*0\.png.* \(6, 7\) uint16"
    ):
        read(paths)
    write_png(paths[1], STACK[0].astype(np.uint8))
    with pytest.raises(ValueError, match=r"1\.png: slice 1 is \(6, 7\) uint8"):
        read(paths)


def test_a_stack_among_slices_is_refused(tmp_path):
    for i in range(2):
        tifffile.imwrite(tmp_path / f"{i}.tif", STACK)
    with pytest.raises(
        ValueError, match=r"0\.tif: expected one slice per file, as several files are given, found 5 images"
    ):
        read([tmp_path / "0.tif", tmp_path / "1.tif"])


def test_a_truncated_slice_is_named(tmp_path):
    noise = np.random.default_rng(0).integers(0, 255, (40, 50), dtype=np.uint8)
    content = write_png(tmp_path / "0.png", noise).read_bytes()
    (tmp_path / "1.png").write_bytes(content[: len(content) // 2])
    tifffile.imwrite(tmp_path / "0.tif", noise)
    (tmp_path / "1.tif").write_bytes((tmp_path / "0.tif").read_bytes()[:1000])
    for suffix in ("png", "tif"):
        with pytest.raises(ValueError, match=rf"1\.{suffix}: .*truncated"):
            read([tmp_path / f"0.{suffix}", tmp_path / f"1.{suffix}"])


# -------------------------------------------------------------------------------------------------------- foreign Zarr
@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("version", ["bare", "0.4", "0.5"])
def test_reads_ome_zarr_of_both_versions(tmp_path, axes, version):
    array, path = in_order(STACK, axes), tmp_path / "x.zarr"
    if version == "bare":
        zarr.create_array(path, data=array, chunks=(2, 3, 4))
    else:
        group = zarr.open_group(path, mode="w", zarr_format=2 if version == "0.4" else 3)
        scales = {"multiscales": [{"datasets": [{"path": "full"}, {"path": "half"}]}]}
        group.attrs.update(scales if version == "0.4" else {"ome": scales})
        data = array[None, None] if version == "0.4" else array  # time and channel come first
        group.create_array("full", data=data, chunks=(1,) * (data.ndim - 3) + (2, 3, 4))
        group.create_array("half", data=array[::2, ::2, ::2])
    np.testing.assert_array_equal(read([path], axes), STACK)


def test_ome_zarr_with_two_channels_or_nothing_inside_is_refused(tmp_path):
    zarr.create_array(tmp_path / "two.zarr", data=np.stack([STACK, STACK]))
    with pytest.raises(
        ValueError, match=r"two\.zarr: axes 'zyx' name 3 dimensions, the array has shape \(2, 5, 6, 7\)"
    ):
        read([tmp_path / "two.zarr"])
    zarr.open_group(tmp_path / "empty.zarr", mode="w")
    with pytest.raises(ValueError, match=r"empty\.zarr: "):
        read([tmp_path / "empty.zarr"])


def test_slices_are_read_by_slabs_in_any_order():
    calls = []

    def read_range(start, stop):
        calls.append((start, stop))
        return STACK[start:stop]

    read_slice = io.by_slabs(read_range, 5, 2, STACK[0].nbytes)
    for z in (0, 1, 4, 2, 3):
        np.testing.assert_array_equal(read_slice(z), STACK[z])
    assert calls == [(0, 2), (4, 5), (2, 4)]
    assert io.by_slabs(lambda a, b: [b - a], 5, 8, 2**31)(3) == 1  # slices of 2 GiB are held one by one


# ------------------------------------------------------------------------------------------------------------- volumes
def test_a_volume_round_trips_with_its_geometry(tmp_path):
    array = np.random.default_rng(0).integers(0, 9, (19, 30, 40), dtype=np.uint8)
    io.write_volume(tmp_path / "x.ome.zarr", array, (50, 10, 10), (1, 2, 3), record={}, attributes={"a": [1]})
    volume = io.open_volume(tmp_path / "x.ome.zarr")
    assert (volume.shape, volume.dtype) == (array.shape, array.dtype)
    assert (volume.voxel_size_nm, volume.origin_nm) == ((50, 10, 10), (1, 2, 3))
    assert volume.attributes == {"a": [1]}
    np.testing.assert_array_equal(volume[:], array)
    np.testing.assert_array_equal(volume[3:12, 5:9, 7:30], array[3:12, 5:9, 7:30])
    np.testing.assert_array_equal(volume.read_slice(9), array[9])
    assert volume.slabs() == [(0, 8), (8, 16), (16, 19)]


def test_voxels_never_written_hold_the_fill_value(tmp_path):
    with io.new_volume(tmp_path / "x.ome.zarr", (20, 8, 8), np.uint8, (1, 1, 1), record={}, fill_value=255) as store:
        store.write(8, np.ones((8, 8, 8), np.uint8))
        store.add_attributes(late=2)
    volume = io.open_volume(tmp_path / "x.ome.zarr")
    assert volume.fill_value == 255
    assert volume.attributes == {"late": 2}
    np.testing.assert_array_equal(np.unique(volume[:8]), [255])
    np.testing.assert_array_equal(np.unique(volume[8:16]), [1])


def test_ome_zarr_metadata_can_be_read_as_a_source(tmp_path):
    io.write_volume(tmp_path / "x.ome.zarr", STACK, (1, 1, 1), record={})
    np.testing.assert_array_equal(read([tmp_path / "x.ome.zarr"]), STACK)


@pytest.mark.parametrize("shape", [(1, 1, 1), (20, 1024, 1024), (1000, 20_000, 20_000), (30_000, 10_000, 10_000)])
def test_chunks_fill_shards_and_files_stay_few(shape):
    chunk, shard = io.chunk_and_shard(shape)
    assert all(s % c == 0 for c, s in zip(chunk, shard))
    assert np.prod([-(-n // s) for n, s in zip(shape, shard)]) <= io.LARGEST_FILE_COUNT
    assert all(c <= n for c, n in zip(chunk, shape))


def test_a_damaged_shard_is_detected_by_its_hash(tmp_path):
    array = np.random.default_rng(0).integers(0, 255, (20, 8, 8), dtype=np.uint8)
    path = tmp_path / "x.ome.zarr"
    io.write_volume(path, array, (1, 1, 1), record={})
    shard = path / "0" / "c" / "1" / "0" / "0"
    content = bytearray(shard.read_bytes())
    content[3] ^= 1
    shard.write_bytes(content)
    volume = io.open_volume(path)
    np.testing.assert_array_equal(volume[:8], array[:8])
    with pytest.raises(ValueError, match=r"0/c/1/0/0: damaged or changed since densecell wrote it"):
        volume[7:9]
    shard.unlink()
    with pytest.raises(ValueError, match="damaged or changed"):
        io.open_volume(path)[8:]


def test_a_volume_without_sidecar_or_with_changed_metadata_is_refused(tmp_path):
    path = tmp_path / "x.ome.zarr"
    with pytest.raises(ValueError, match=r"x\.ome\.zarr: no such volume"):
        io.open_volume(path)
    io.write_volume(path, STACK, (1, 1, 1), record={})
    (path / "zarr.json").write_text((path / "zarr.json").read_text() + " ")
    with pytest.raises(ValueError, match=r"zarr\.json: damaged or changed"):
        io.open_volume(path)
    files.remove(files.sidecar_path(path))
    with pytest.raises(ValueError, match="sidecar"):
        io.open_volume(path)


def test_equal_volumes_have_equal_hashes(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        io.write_volume(tmp_path / name / "x.ome.zarr", STACK, (1, 1, 1), record={})
    assert files.content_id(tmp_path / "a" / "x.ome.zarr") == files.content_id(tmp_path / "b" / "x.ome.zarr")


# --------------------------------------------------------------------------------------------------- exports and tables
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.uint32, np.float32])
def test_a_tiff_export_keeps_voxels_and_voxel_size_and_is_reproducible(tmp_path, dtype):
    stack = STACK.astype(dtype)
    for name in ("a.tif", "b.tif"):
        io.write_tiff(tmp_path / name, [stack[:2], stack[2:]], stack.shape, dtype, (50, 10, 4), {})
    assert files.hash_file(tmp_path / "a.tif") == files.hash_file(tmp_path / "b.tif")
    np.testing.assert_array_equal(tifffile.imread(tmp_path / "a.tif"), stack)
    with tifffile.TiffFile(tmp_path / "a.tif") as tiff:
        tags = tiff.pages[0].tags
        pixels_per_um = [np.divide(*tags[name].value) for name in ("XResolution", "YResolution")]
        metadata = tiff.imagej_metadata or tiff.shaped_metadata[0]
    assert pixels_per_um == pytest.approx([250, 100])
    assert metadata["spacing"] == pytest.approx(0.05)


def test_a_table_round_trips_to_the_last_digit(tmp_path):
    table = pd.DataFrame({"flag": ["", "blank"], "value": [0.1 + 0.2, np.nan], "n": [1, 2]})
    io.write_table(tmp_path / "x.csv", table, {})
    io.write_table(tmp_path / "parts.csv", (table[i : i + 1] for i in range(len(table))), {})
    assert (tmp_path / "parts.csv").read_bytes() == (tmp_path / "x.csv").read_bytes()
    pd.testing.assert_frame_equal(io.read_table(tmp_path / "x.csv"), table)
    (tmp_path / "x.csv").write_text("flag\n1\n")
    with pytest.raises(ValueError, match=r"x\.csv: its content differs"):
        io.read_table(tmp_path / "x.csv")


def test_a_table_whose_columns_differ_from_the_first_ones_is_refused(tmp_path):
    first, other = pd.DataFrame({"a": [1], "b": [2]}), pd.DataFrame({"b": [2], "a": [1]})
    with pytest.raises(
        ValueError, match=r"x\.csv: expected the columns .*\['a', 'b'\], in table 3 too, found \['b', 'a'\]"
    ):
        io.write_table(tmp_path / "x.csv", iter([first, first, other]), {})
    assert list(tmp_path.iterdir()) == []


def test_zarr_packs_chunks_with_as_many_threads_as_it_is_given(tmp_path):
    program = """
import sys, threading
import numpy as np
from densecell import io
io.use_threads(int(sys.argv[1]))
io.write_volume(sys.argv[2], np.random.default_rng(0).random((8, 600, 600)), (1, 1, 1), record={})
io.open_volume(sys.argv[2])[:]
print(sum(thread.name.startswith("zarr_pool") for thread in threading.enumerate()))
"""
    for threads in (1, 2):  # 9 chunks
        command = [sys.executable, "-c", program, str(threads), str(tmp_path / f"{threads}.ome.zarr")]
        scripts = str(Path(io.__file__).parents[1])
        done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": scripts})
        assert done.stdout.strip() == str(threads), done.stderr
