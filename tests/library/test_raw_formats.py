import struct
import zlib

import imagecodecs
import numpy as np
import pytest
import tifffile
import zarr

from densecell import io, raw_formats

STACK = np.arange(5 * 6 * 7, dtype=np.uint16).reshape(5, 6, 7) * 3
AXES = ("zyx", "zxy", "yzx", "yxz", "xzy", "xyz")


def in_order(array, axes):
    """A (Z, Y, X) array with its dimensions in the order `axes`."""
    return np.ascontiguousarray(np.transpose(array, ["zyx".index(a) for a in axes]))


def read(paths, axes="zyx"):
    source = raw_formats.open_source(paths, axes)
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
        raw_formats.open_source([tmp_path / "x.tif"], axes)


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


def one_bit_png(width, height):
    """An empty mask as a PNG of one bit a pixel."""

    def chunk(name, content):
        return struct.pack(">I", len(content)) + name + content + struct.pack(">I", zlib.crc32(name + content))

    rows = zlib.compress(bytes((1 + width // 8) * height), 9)
    header = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def fax_tiff(side):
    """An empty mask as a TIFF of one bit a pixel, packed as CCITT group 4: a bit a row."""
    rows = b"\xff" * (side // 8) + b"\0\x10\x01"
    tags = [(256, side), (257, side), (258, 1), (259, 4), (262, 0), (273, 122), (277, 1), (278, side), (279, len(rows))]
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + struct.pack("<I", 0) + rows


def test_empty_masks_of_one_bit_are_read_however_small_their_files(tmp_path):
    (tmp_path / "mask.png").write_bytes(one_bit_png(8192, 8192))  # 8 kB
    (tmp_path / "mask.tif").write_bytes(fax_tiff(20_000))  # 3 kB
    for name, side in (("mask.png", 8192), ("mask.tif", 20_000)):
        source = raw_formats.open_source([tmp_path / name], "zyx")
        assert source.shape == (1, side, side) and not source.read_slice(0).any()


def test_which_bound_a_slice_exceeds_is_told(tmp_path):
    (tmp_path / "x.png").write_bytes(b"")
    with pytest.raises(ValueError, match=r"expected at most 17,179,869,184"):
        raw_formats.check_size(tmp_path / "x.png", 2**35)
    with pytest.raises(ValueError, match=r"100,000,000 bytes, which a file of 0 bytes can't hold"):
        raw_formats.check_size(tmp_path / "x.png", 100_000_000)


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

    read_slice = raw_formats.by_slabs(read_range, 5, 2, STACK[0].nbytes)
    for z in (0, 1, 4, 2, 3):
        np.testing.assert_array_equal(read_slice(z), STACK[z])
    assert calls == [(0, 2), (4, 5), (2, 4)]
    assert raw_formats.by_slabs(lambda a, b: [b - a], 5, 8, 2**31)(3) == 1  # slices of 2 GiB are held one by one


def test_ome_zarr_metadata_can_be_read_as_a_source(tmp_path):
    io.write_volume(tmp_path / "x.ome.zarr", STACK, (1, 1, 1), record={})
    np.testing.assert_array_equal(read([tmp_path / "x.ome.zarr"]), STACK)
