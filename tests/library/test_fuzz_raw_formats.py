"""Image files from strangers: damaged or hostile ones are refused by name, quickly and in little memory; none runs code."""

import io
import json
import os
import pickle
import shutil
import struct
import zlib

import imagecodecs
import limits
import numpy as np
import pytest
import tifffile
import zarr
from hypothesis import given
from hypothesis import strategies as st

import headers
from densecell import raw_formats

STACK = np.arange(5 * 40 * 30, dtype=np.uint16).reshape(5, 40, 30)
EXTREMES = st.sampled_from([0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0xFFFF, 0x10000, 8, 16])
# (place as a share of the file, what happens there)
MUTATIONS = st.lists(
    st.tuples(
        st.floats(0, 1, exclude_max=True),
        st.one_of(
            st.integers(1, 255).map(lambda n: ("flip", n)),
            EXTREMES.map(lambda n: ("int", n)),
            st.sampled_from([("cut", 0), ("zero", 40), ("double", 30), ("drop", 7)]),
        ),
    ),
    min_size=1,
    max_size=4,
)


def mutated(content, mutations, head=None):
    """`content` after some mutations, half of them within the first `head` bytes, where formats keep their structure."""
    content = bytearray(content)
    for i, (place, (kind, n)) in enumerate(mutations):
        at = int(place * min(len(content), head if head and i % 2 == 0 else len(content)))
        if kind == "flip" and content:
            content[at] ^= n
        elif kind == "int":
            content[at : at + 4] = struct.pack("<I", n)
        elif kind == "cut":
            del content[at:]
        elif kind == "zero":
            content[at : at + n] = bytes(len(content[at : at + n]))
        elif kind == "double":
            content[at:at] = content[at : at + n]
        elif kind == "drop":
            del content[at : at + n]
    return bytes(content)


def read_all(paths, axes="zyx"):
    source = raw_formats.open_source(paths, axes)
    for z in range(min(source.shape[0], 5)):
        source.read_slice(z)


def assert_read_or_refused(paths, axes="zyx"):
    """The file is read or refused by name, by the run and by the dry run."""
    with limits.bounded(seconds=10, n_bytes=2**30):
        for read in (read_all, lambda paths, axes: headers.stack_shape(paths, axes)):
            try:
                read(paths, axes)
            except ValueError as error:
                assert paths[0].name in str(error), error


def tiff(**options):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, STACK, **options)
    return buffer.getvalue()


TIFFS = {
    "plain": tiff(),
    "pages": tiff(metadata=None),
    "zlib": tiff(compression="zlib", metadata=None),
    "lzw": tiff(compression="lzw", metadata=None),
    "imagej": tiff(imagej=True, metadata={"axes": "ZYX"}),
    "ome": tiff(ome=True, metadata={"axes": "ZYX"}),
    "bigtiff": tiff(bigtiff=True, metadata=None),
    "tiled": tiff(tile=(16, 16), metadata=None),
}


@pytest.mark.parametrize("flavor", TIFFS)
@limits.FUZZ
@given(mutations=MUTATIONS)
def test_a_mutated_tiff_is_read_or_refused_by_name(tmp_path, flavor, mutations):
    path = tmp_path / "stranger.tif"
    path.write_bytes(mutated(TIFFS[flavor], mutations, head=1200))
    assert_read_or_refused([path])


@limits.FUZZ
@given(mutations=MUTATIONS)
def test_a_mutated_png_is_read_or_refused_by_name(tmp_path, mutations):
    path = tmp_path / "stranger.png"
    path.write_bytes(mutated(imagecodecs.png_encode(STACK[0]), mutations, head=60))
    assert_read_or_refused([path])


def png(width, height, data):
    """A PNG of 8-bit gray values with any header and packed data, its checksums right."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)), (b"IDAT", data), (b"IEND", b""))
    parts = (struct.pack(">I", len(d)) + kind + d + struct.pack(">I", zlib.crc32(kind + d)) for kind, d in chunks)
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("side", [2**31 - 1, 2**31, 2**32 - 1, 10**6 - 1, 0])
def test_a_png_of_an_absurd_size_is_refused_before_memory_is_taken(tmp_path, side):
    path = tmp_path / "stranger.png"
    path.write_bytes(png(side, side, zlib.compress(bytes(1000))))
    with limits.bounded(seconds=5, n_bytes=2**28), pytest.raises(ValueError, match=r"stranger\.png"):
        read_all([path])


def test_a_large_png_that_packs_well_is_read(tmp_path):
    """An empty slice of 16 million pixels in 16 kB is real: a blank slice of a large stack."""
    path = tmp_path / "blank.png"
    path.write_bytes(png(4096, 4096, zlib.compress(bytes(4097 * 4096))))
    source = raw_formats.open_source([path], "zyx")
    assert source.shape == (1, 4096, 4096) and not source.read_slice(0).any()


def patched_tag(content, tag, value):
    """A little-endian TIFF of one page with another number in a tag."""
    content = bytearray(content)
    (start,) = struct.unpack_from("<I", content, 4)
    (count,) = struct.unpack_from("<H", content, start)
    for place in range(start + 2, start + 2 + 12 * count, 12):
        if struct.unpack_from("<H", content, place)[0] == tag:
            struct.pack_into("<HII", content, place + 2, 4, 1, value)
    return bytes(content)


@pytest.mark.parametrize("value", [2**31 - 1, 2**32 - 1, 10**6])
@pytest.mark.parametrize("tags", [(256,), (257,), (256, 257, 278)], ids=["width", "height", "both"])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_a_tiff_of_an_absurd_size_is_refused_before_memory_is_taken(tmp_path, tags, value, compression):
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, STACK[0], metadata=None, compression=compression)
    content = buffer.getvalue()
    for tag in tags:
        content = patched_tag(content, tag, value)
    path = tmp_path / "stranger.tif"
    path.write_bytes(content)
    with limits.bounded(seconds=5, n_bytes=2**28), pytest.raises(ValueError, match=r"stranger\.tif"):
        read_all([path])


def test_a_tiff_whose_pages_form_a_circle_is_refused(tmp_path):
    content = bytearray(tiff(metadata=None))
    offsets = [page.offset for page in tifffile.TiffFile(io.BytesIO(content)).pages]
    (count,) = struct.unpack_from("<H", content, offsets[-1])
    struct.pack_into("<I", content, offsets[-1] + 2 + 12 * count, offsets[0])  # the next page of the last is the first
    path = tmp_path / "stranger.tif"
    path.write_bytes(content)
    with limits.bounded(seconds=5, n_bytes=2**28), pytest.raises(ValueError, match=r"stranger\.tif"):
        read_all([path])


@pytest.mark.parametrize("text", ['SizeZ="2000000000"', 'SizeZ="2000000000000000000"', 'SizeX="2000000000"'])
def test_ome_xml_of_an_absurd_size_is_refused_before_memory_is_taken(tmp_path, text):
    size, path = text.split("=")[0], tmp_path / "stranger.tif"
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX"})
    xml = tifffile.TiffFile(path).ome_metadata
    start = xml.index(size + "=")
    tifffile.imwrite(
        path,
        STACK,
        description=xml.replace(xml[start : xml.index('"', start + len(size) + 2) + 1], text),
        metadata=None,
    )
    with limits.bounded(seconds=5, n_bytes=2**29), pytest.raises(ValueError, match=r"stranger\.tif"):
        read_all([path])
    with limits.bounded(seconds=5, n_bytes=2**29), pytest.raises(ValueError, match=r"stranger\.tif"):
        headers.stack_shape([path], "zyx")


def test_ome_xml_that_names_a_file_elsewhere_is_refused(tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    tifffile.imwrite(tmp_path / "private.tif", STACK, ome=True, metadata={"axes": "ZYX"})
    xml = tifffile.TiffFile(tmp_path / "private.tif").ome_metadata
    part = '<TiffData IFD="0" PlaneCount="5"><UUID FileName="../private.tif">urn:uuid:0</UUID></TiffData>'
    start, stop = xml.index("<TiffData"), xml.index("</Pixels>")
    tifffile.imwrite(folder / "stranger.tif", STACK, description=xml[:start] + part + xml[stop:], metadata=None)
    with pytest.raises(ValueError, match=r"stranger\.tif.*outside its folder"):
        read_all([folder / "stranger.tif"])


def ome_tiff(path, change):
    """STACK as OME-TIFF with change(its XML)."""
    tifffile.imwrite(path, STACK, ome=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(path) as tiff:
        xml = tiff.ome_metadata
    tifffile.imwrite(path, STACK, description=change(xml), metadata=None)


def test_ome_xml_that_names_a_file_elsewhere_in_characters_by_number_is_refused(tmp_path):
    part = '<TiffData IFD="0" PlaneCount="5"><UUID FileName="..&#47;private.tif">urn:uuid:0</UUID></TiffData>'
    ome_tiff(tmp_path / "stranger.tif", lambda xml: xml.replace("</Pixels>", part + "</Pixels>"))
    with pytest.raises(ValueError, match=r"stranger\.tif.*outside its folder"):
        read_all([tmp_path / "stranger.tif"])
    with pytest.raises(ValueError, match=r"stranger\.tif.*outside the file's folder"):
        headers.stack_shape([tmp_path / "stranger.tif"], "zyx")


@pytest.mark.parametrize(
    "note",
    [
        '<StructuredAnnotations><XMLAnnotation ID="A:0"><Value><Source FileName="/microscope/raw/x.czi"/></Value>'
        "</XMLAnnotation></StructuredAnnotations>",
        '<!-- <TiffData><UUID FileName="../old.tif">urn:uuid:1</UUID></TiffData> -->',
    ],
    ids=["annotation", "comment"],
)
def test_ome_xml_may_tell_where_the_image_came_from(tmp_path, note):
    ome_tiff(tmp_path / "image.ome.tif", lambda xml: xml.replace("</OME>", note + "</OME>"))
    source = raw_formats.open_source([tmp_path / "image.ome.tif"], "zyx")
    np.testing.assert_array_equal([source.read_slice(z) for z in range(5)], STACK)
    assert headers.stack_shape([tmp_path / "image.ome.tif"], "zyx") == STACK.shape


def test_ome_xml_may_name_the_file_itself_at_the_place_where_it_was_written(tmp_path):
    part = '<TiffData IFD="0" PlaneCount="5"><UUID FileName="/microscope/image.ome.tif">{}</UUID></TiffData>'

    def with_own_part(xml):
        own = xml.split(' UUID="')[1].split('"')[0]
        start, stop = xml.index("<TiffData"), xml.index("</Pixels>")
        return xml[:start] + part.format(own) + xml[stop:]

    ome_tiff(tmp_path / "image.ome.tif", with_own_part)
    source = raw_formats.open_source([tmp_path / "image.ome.tif"], "zyx")
    np.testing.assert_array_equal([source.read_slice(z) for z in range(5)], STACK)
    assert headers.stack_shape([tmp_path / "image.ome.tif"], "zyx") == STACK.shape


@pytest.mark.parametrize("name", ["a.png", "a.tif"])
def test_a_pipe_in_place_of_an_image_is_refused_and_not_waited_for(tmp_path, name):
    os.mkfifo(tmp_path / name)
    with limits.bounded(seconds=2, n_bytes=2**28), pytest.raises(ValueError, match="regular file"):
        read_all([tmp_path / name])
    with limits.bounded(seconds=2, n_bytes=2**28), pytest.raises(ValueError, match="regular file"):
        headers.stack_shape([tmp_path / name], "zyx")


# ---------------------------------------------------------------------------------------------------------------- zarr
def write_zarr(path, **options):
    group = zarr.open_group(path, mode="w", zarr_format=options.pop("zarr_format", 3))
    group.attrs.update({"multiscales": [{"datasets": [{"path": "0"}]}]})
    array = group.create_array("0", shape=STACK.shape, dtype=STACK.dtype, chunks=(1, 20, 30), **options)
    array[:] = STACK
    return path


ZARRS = {
    "zstd": {},
    "sharded": {"shards": (5, 40, 30)},
    "gzip": {"compressors": zarr.codecs.GzipCodec()},
    "blosc": {"compressors": zarr.codecs.BloscCodec()},
    "plain": {"compressors": None},
    "version 2": {"zarr_format": 2},
}


@pytest.mark.parametrize("flavor", ZARRS)
def test_stores_of_every_known_codec_are_read(tmp_path, flavor):
    source = raw_formats.open_source([write_zarr(tmp_path / "a.zarr", **ZARRS[flavor])], "zyx")
    np.testing.assert_array_equal([source.read_slice(z) for z in range(5)], STACK)


def json_places(value, path=()):
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield (*path, key)
        yield from json_places(item, (*path, key))


ODD = [
    None,
    -1,
    0,
    2**31,
    2**63,
    1e400,
    "",
    "../..",
    "pickle",
    [],
    {},
    [2**40] * 3,
    {"name": "pickle"},
    True,
    "a" * 1000,
]


@pytest.mark.parametrize("flavor", ["zstd", "sharded", "version 2"])
@limits.FUZZ
@given(place=st.floats(0, 1, exclude_max=True), odd=st.sampled_from(ODD), mutations=MUTATIONS, which=st.integers(0, 2))
def test_a_mutated_store_is_read_or_refused_by_name(tmp_path, flavor, place, odd, mutations, which):
    path = tmp_path / "stranger.zarr"
    shutil.rmtree(path, ignore_errors=True)
    write_zarr(path, **ZARRS[flavor])
    described = sorted(p for p in path.rglob("*") if p.name in ("zarr.json", ".zarray", ".zattrs"))
    file = described[int(place * len(described))]
    if which == 0:
        record = {"attributes": {}, **json.loads(file.read_text())}
        places = list(json_places(record))
        *parents, last = places[int(place * 997) % len(places)]
        target = record
        for key in parents:
            target = target[key]
        target[last] = odd
        file.write_text(json.dumps(record))
    else:
        chunks = sorted(p for p in path.rglob("*") if p.is_file() and p not in described)
        file = file if which == 1 else chunks[0]
        file.write_bytes(mutated(file.read_bytes(), mutations))
    assert_read_or_refused([path])


class Bomb:
    """A pickle that makes a file when it is loaded."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("where", ["filters", "compressor"])
def test_a_store_whose_codec_unpickles_is_refused_and_runs_nothing(tmp_path, where):
    """numcodecs has a codec named pickle; a filter of it in a stranger's .zarray runs the stranger's code."""
    path, fuse = write_zarr(tmp_path / "stranger.zarr", zarr_format=2), tmp_path / "fuse"
    record = json.loads((path / "0" / ".zarray").read_text())
    hostile = {"dtype": "|O", "compressor": None, "filters": None, "fill_value": 0, where: {"id": "pickle"}}
    hostile["filters"] = [{"id": "pickle"}] if where == "filters" else None
    (path / "0" / ".zarray").write_text(json.dumps({**record, **hostile}))
    for chunk in (p for p in (path / "0").iterdir() if p.name[0].isdigit()):
        (chunk if chunk.is_file() else chunk / "0" / "0").write_bytes(pickle.dumps(Bomb(fuse)))
    with pytest.raises(ValueError, match=r"stranger\.zarr.*not read"):
        read_all([path])
    assert not fuse.exists()


@pytest.mark.parametrize("flavor", ["gzip", "zstd", "blosc", "version 2"])
def test_a_chunk_that_unpacks_to_more_than_the_array_declares_is_refused(tmp_path, flavor):
    path = write_zarr(tmp_path / "stranger.zarr", **ZARRS[flavor])
    packers = {
        "gzip": lambda b: imagecodecs.gzip_encode(b),
        "blosc": lambda b: imagecodecs.blosc_encode(b),
    }
    bomb = packers.get(flavor, imagecodecs.zstd_encode)(bytes(2**27))
    for chunk in (p for p in path.rglob("*") if p.is_file() and not p.name.endswith("json") and p.name[0] != "."):
        chunk.write_bytes(bomb)
    assert len(bomb) < 2**20
    with (
        limits.bounded(seconds=5, n_bytes=2**27),
        pytest.raises(ValueError, match=r"stranger\.zarr.*chunk that unpacks"),
    ):
        read_all([path])


def test_a_store_that_links_out_of_itself_is_refused(tmp_path):
    path = write_zarr(tmp_path / "stranger.zarr", compressors=None)
    (tmp_path / "private").write_bytes(b"x" * 1200)
    chunk = path / "0" / "c" / "0" / "0" / "0"
    chunk.unlink()
    chunk.symlink_to(tmp_path / "private")
    with pytest.raises(ValueError, match=r"stranger\.zarr.*link that leads out"):
        read_all([path])


@pytest.mark.parametrize("name", ["0/c/0/0/0", "0/zarr.json", "zarr.json"])
def test_a_pipe_in_a_store_is_refused_and_not_waited_for(tmp_path, name):
    path = write_zarr(tmp_path / "stranger.zarr")
    (path / name).unlink()
    os.mkfifo(path / name)
    with limits.bounded(seconds=3, n_bytes=2**30), pytest.raises(ValueError, match="regular file"):
        read_all([path])


@pytest.mark.parametrize("name", ["../private.zarr/0", "/etc", "..", "0/../../private.zarr/0"])
def test_a_store_cannot_name_an_array_outside_of_itself(tmp_path, name):
    write_zarr(tmp_path / "private.zarr")
    path = write_zarr(tmp_path / "stranger.zarr")
    group = zarr.open_group(path, mode="r+")
    group.attrs.update({"multiscales": [{"datasets": [{"path": name}]}]})
    with pytest.raises(ValueError, match=r"stranger\.zarr"):
        read_all([path])
    with pytest.raises(ValueError, match=r"stranger\.zarr"):
        headers.stack_shape([path], "zyx")
