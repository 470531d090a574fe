"""Archives from strangers: what is listed comes out, or the archive is refused by name; nothing leaves its folder."""

import gzip
import io
import struct
import tarfile
import zipfile

import archive_files as made_up
import limits
import pytest
from hypothesis import given
from hypothesis import strategies as st
from test_fuzz_raw_formats import MUTATIONS, mutated

from densecell import archives

GOOD = {"data/a.txt": bytes(range(256)) * 4, "data/sub/b.txt": b"second", "data/c.txt": b"third" * 100}
PACKED = {
    "zip": made_up.zip_bytes(GOOD),
    "gzip": made_up.tar_bytes(GOOD),
    "tar": gzip.decompress(made_up.tar_bytes(GOOD)),
}


def assert_unpacked_or_refused(tmp_path, content, kind, most_bytes=10**6):
    """The archive's listed file, or an error with its name; and no file anywhere else."""
    path = tmp_path / "stranger.bin"
    path.write_bytes(content)
    with limits.bounded(seconds=10, n_bytes=2**28):
        try:
            archives.unpack(path, kind, {"a.txt": "data/a.txt"}, tmp_path / "out", most_bytes)
        except archives.ArchiveError as error:
            assert "stranger.bin" in str(error), error
    found = {p.relative_to(tmp_path).as_posix() for p in tmp_path.rglob("*") if not p.is_dir()}
    assert found <= {"stranger.bin", "out/a.txt"}
    (tmp_path / "out" / "a.txt").unlink(missing_ok=True)


@pytest.mark.parametrize("kind", PACKED)
@limits.FUZZ
@given(mutations=MUTATIONS)
def test_a_mutated_archive_is_unpacked_or_refused_by_name(tmp_path, kind, mutations):
    assert_unpacked_or_refused(tmp_path, mutated(PACKED[kind], mutations), "zip" if kind == "zip" else "tar")


NAMES = st.lists(
    st.sampled_from(
        ["..", ".", "", "data", "a.txt", "DATA", "A.TXT", "~", "C:", "\\", "aux", "a\n", "\0", "é", "x" * 300]
    ),
    min_size=1,
    max_size=5,
).map("/".join)


@limits.FUZZ
@given(names=st.lists(NAMES, max_size=4), as_links=st.booleans())
def test_no_name_leads_out_of_the_folder(tmp_path, names, as_links):
    members = {**dict.fromkeys(names, b"evil"), "data/a.txt": b"good"}
    assert_unpacked_or_refused(tmp_path, made_up.zip_bytes(members, links=names if as_links else ()), "zip")
    kinds = dict.fromkeys(names, tarfile.SYMTYPE) if as_links else {}
    assert_unpacked_or_refused(tmp_path, made_up.tar_bytes(members, kinds), "tar")


def tar_with_record(kind, size):
    """A compressed TAR that begins with a record of long names (pax or GNU) of `size` zero bytes."""
    info = tarfile.TarInfo("././@LongLink")
    info.type, info.size = kind, size
    buffer = io.BytesIO()
    with gzip.open(buffer, "wb", compresslevel=1) as stream:
        stream.write(info.tobuf(tarfile.GNU_FORMAT))
        for _ in range(size >> 20):
            stream.write(bytes(1 << 20))
        stream.write(gzip.decompress(PACKED["gzip"]))
    return buffer.getvalue()


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_a_record_of_names_that_unpacks_to_a_bomb_is_refused_before_memory_is_taken(tmp_path, kind):
    (tmp_path / "stranger.bin").write_bytes(tar_with_record(kind, 2**27))
    with (
        limits.bounded(seconds=10, n_bytes=2**26),
        pytest.raises(archives.ArchiveError, match=r"stranger\.bin: a header"),
    ):
        archives.unpack(tmp_path / "stranger.bin", "tar", {"a.txt": "data/a.txt"}, tmp_path / "out", 10**6)


def test_many_small_bombs_count_together(tmp_path):
    content = made_up.tar_bytes({f"data/{i}": bytes(10**5) for i in range(20)} | GOOD)
    (tmp_path / "stranger.bin").write_bytes(content)
    with pytest.raises(archives.ArchiveError, match="expected at most 1,000,000 bytes unpacked"):
        archives.unpack(tmp_path / "stranger.bin", "tar", {"a.txt": "data/a.txt"}, tmp_path / "out", 10**6)


def test_folders_count_as_files(tmp_path):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for i in range(100):
            info = tarfile.TarInfo(f"folder{i}")
            info.type = tarfile.DIRTYPE
            archive.addfile(info)
    (tmp_path / "stranger.bin").write_bytes(buffer.getvalue())
    with pytest.raises(archives.ArchiveError, match="expected at most 50 files"):
        archives.unpack(tmp_path / "stranger.bin", "tar", {"a.txt": "a.txt"}, tmp_path / "out", 10**6, most_files=50)


def test_zip64_sizes_that_lie_are_refused(tmp_path):
    """A declared size of 2^60 bytes counts as such."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("data/a.txt", b"good")
    content = bytearray(buffer.getvalue())
    start = content.index(b"PK\x01\x02")
    struct.pack_into("<I", content, start + 24, 0xFFFFFFFF)
    struct.pack_into("<H", content, start + 30, 12)  # length of the extra field
    extra = struct.pack("<HHQ", 1, 8, 2**60)
    end = start + 46 + len("data/a.txt")
    content[end:end] = extra
    close = content.index(b"PK\x05\x06")
    struct.pack_into("<I", content, close + 12, close - start)
    (tmp_path / "stranger.bin").write_bytes(content)
    with pytest.raises(archives.ArchiveError, match=r"stranger\.bin.*1,152,921,504,606,846,976"):
        archives.unpack(tmp_path / "stranger.bin", "zip", {"a.txt": "data/a.txt"}, tmp_path / "out", 10**6)


def test_a_packing_method_of_unlimited_memory_is_refused(tmp_path):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_LZMA) as archive:
        archive.writestr("data/a.txt", b"good")
    (tmp_path / "stranger.bin").write_bytes(buffer.getvalue())
    with pytest.raises(archives.ArchiveError, match="packed with method 14"):
        archives.unpack(tmp_path / "stranger.bin", "zip", {"a.txt": "data/a.txt"}, tmp_path / "out", 10**6)
