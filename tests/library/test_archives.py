"""Listed files come out of an archive, and hostile archives are refused before anything leaves its folder."""

import struct
import tarfile

import archive_files as made_up
import pytest

from densecell import archives

GOOD = {"data/a.txt": b"first", "data/sub/b.txt": b"second", "data/c.txt": b"third"}
LIMIT = 1_000_000


def unpack(tmp_path, content, wanted, kind="zip", **limits):
    path = tmp_path / f"x.{kind}"
    path.write_bytes(content)
    archives.unpack(path, kind, wanted, tmp_path / "out", **{"most_bytes": LIMIT, **limits})
    return {p.relative_to(tmp_path / "out").as_posix(): p.read_bytes() for p in (tmp_path / "out").rglob("*.*")}


@pytest.mark.parametrize(("kind", "pack"), [("zip", made_up.zip_bytes), ("tar", made_up.tar_bytes)])
def test_only_listed_files_come_out_under_their_new_names(tmp_path, kind, pack):
    found = unpack(tmp_path, pack(GOOD), {"a.txt": "data/a.txt", "x/b.txt": "data/sub/b.txt"}, kind)
    assert found == {"a.txt": b"first", "x/b.txt": b"second"}


def test_a_file_is_found_by_its_name_alone_in_any_folder_but_not_in_those_that_macs_add(tmp_path):
    content = made_up.zip_bytes({**GOOD, "__MACOSX/data/c.txt": b"resource"})
    assert unpack(tmp_path, content, {"c.txt": "**/c.txt"}) == {"c.txt": b"third"}


def test_a_file_that_the_archive_does_not_hold_is_named(tmp_path):
    with pytest.raises(archives.ArchiveError, match=r"expected one file data/z.txt, found 3 files, such as data/a.txt"):
        unpack(tmp_path, made_up.zip_bytes(GOOD), {"z.txt": "data/z.txt"})


@pytest.mark.parametrize(
    "name", ["../evil.txt", "data/../../evil.txt", "/evil.txt", "C:/evil.txt", "data\\..\\evil.txt"]
)
@pytest.mark.parametrize(("kind", "pack"), [("zip", made_up.zip_bytes), ("tar", made_up.tar_bytes)])
def test_names_that_leave_the_folder_are_refused(tmp_path, kind, pack, name):
    with pytest.raises(archives.ArchiveError, match="expected names inside the archive's folder"):
        unpack(tmp_path, pack({**GOOD, name: b"evil"}), {"a.txt": "data/a.txt"}, kind)
    assert [p.name for p in tmp_path.rglob("*") if p.is_file()] == [f"x.{kind}"]


def test_links_in_a_zip_are_refused(tmp_path):
    content = made_up.zip_bytes({**GOOD, "data/link": b"/etc/passwd"}, links=["data/link"])
    with pytest.raises(archives.ArchiveError, match="data/link is a link or a device"):
        unpack(tmp_path, content, {"a.txt": "data/a.txt"})


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_links_and_devices_in_a_tar_are_refused(tmp_path, kind):
    content = made_up.tar_bytes({**GOOD, "data/odd": b""}, {"data/odd": kind})
    with pytest.raises(archives.ArchiveError, match="data/odd is a link or a device"):
        unpack(tmp_path, content, {"a.txt": "data/a.txt"}, "tar")


@pytest.mark.parametrize(("kind", "pack"), [("zip", made_up.zip_bytes), ("tar", made_up.tar_bytes)])
def test_bombs_are_refused_before_they_are_unpacked(tmp_path, kind, pack):
    content = pack({**GOOD, "data/zeros": bytes(2 * LIMIT)})
    assert len(content) < LIMIT / 100
    with pytest.raises(archives.ArchiveError, match="expected at most 1,000,000 bytes unpacked"):
        unpack(tmp_path, content, {"a.txt": "data/a.txt"}, kind)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("kind", "pack"), [("zip", made_up.zip_bytes), ("tar", made_up.tar_bytes)])
def test_too_many_files_are_refused(tmp_path, kind, pack):
    with pytest.raises(archives.ArchiveError, match="expected at most 2 files, found 3"):
        unpack(tmp_path, pack(GOOD), {"a.txt": "data/a.txt"}, kind, most_files=2)


def test_a_zip_that_lies_about_a_size_is_refused(tmp_path):
    content = bytearray(made_up.zip_bytes({"data/a.txt": bytes(50_000)}))
    for at in range(len(content) - 4):  # the size in both headers: 50,000 becomes 10
        if content[at : at + 4] == struct.pack("<I", 50_000):
            content[at : at + 4] = struct.pack("<I", 10)
    with pytest.raises(archives.ArchiveError):
        unpack(tmp_path, bytes(content), {"a.txt": "data/a.txt"})


@pytest.mark.parametrize(("kind", "pack"), [("zip", made_up.zip_bytes), ("tar", made_up.tar_bytes)])
def test_a_truncated_archive_is_refused(tmp_path, kind, pack):
    content = pack({"data/a.txt": bytes(range(256)) * 40, **GOOD})
    with pytest.raises(archives.ArchiveError, match=f"not a whole {kind} archive"):
        unpack(tmp_path, content[: len(content) // 2], {"c.txt": "data/c.txt"}, kind)


def test_a_web_page_is_told_from_an_archive():
    assert archives.looks_like(made_up.zip_bytes(GOOD)[:512], "zip")
    assert archives.looks_like(made_up.tar_bytes(GOOD)[:512], "tar")
    assert not archives.looks_like(b"<!DOCTYPE html><html>", "zip")
    assert "web page" in archives.content_in_words(b"\n<!DOCTYPE html><html>")
    assert archives.content_in_words(b"") == "nothing at all"
