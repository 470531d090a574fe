import errno
import json
import os
import shutil
from collections import namedtuple

import pytest

from densecell import files


def test_a_file_appears_whole_and_with_its_sidecar(tmp_path):
    path = tmp_path / "sub" / "x.txt"
    files.write_text(path, "hello", {"params": {"a": 1}})
    assert path.read_text() == "hello"
    sidecar = files.read_sidecar(path)
    assert sidecar == {"content": files.hash_text("hello"), "params": {"a": 1}}
    assert sorted(p.name for p in path.parent.iterdir()) == ["x.txt", "x.txt.json"]


def test_equal_content_gives_equal_sidecars(tmp_path):
    for name in ("a", "b"):
        files.write_json(tmp_path / name, {"y": 1, "x": [2]}, {"parents": {}})
    assert files.sidecar_path(tmp_path / "a").read_text() == files.sidecar_path(tmp_path / "b").read_text()


def test_nothing_appears_when_the_writer_fails(tmp_path):
    with pytest.raises(RuntimeError), files.writing(tmp_path / "x") as partial:
        partial.write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_the_former_file_survives_a_failure(tmp_path):
    files.write_text(tmp_path / "x", "old", {})
    with pytest.raises(RuntimeError), files.writing(tmp_path / "x", {}) as partial:
        partial.write_text("new")
        raise RuntimeError
    files.check_content(tmp_path / "x")
    assert (tmp_path / "x").read_text() == "old"


@pytest.mark.parametrize("folder", [False, True])
def test_a_stale_partial_of_a_killed_job_is_moved_aside_until_its_output_is_whole(tmp_path, folder):
    stale = tmp_path / "x.partial"
    if folder:
        stale.mkdir()
        (stale / "old").write_text("old")
    else:
        stale.write_text("old")
    with files.writing(tmp_path / "x", {}, folder=folder) as partial:
        (partial / "new" if folder else partial).write_text("new")
        aside = tmp_path / "x.stale" / "old" if folder else tmp_path / "x.stale"
        assert files.hash_file(aside) == files.hash_text("old")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["x", "x.json"]
    content = files.read_sidecar(tmp_path / "x")["content"]
    assert content == ({"new": files.hash_text("new")} if folder else files.hash_text("new"))


def test_a_full_disk_is_refused_before_anything_is_written(tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**9, 10**9 - 1000, 1000))
    with (
        pytest.raises(OSError, match=r"not enough disk space for .*x: about 5e-06 GB needed.*results_dir"),
        files.writing(tmp_path / "x", expected_bytes=5000),
    ):
        raise AssertionError("never entered")
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fills_up_is_named(tmp_path):
    with (
        pytest.raises(OSError, match=r"the disk is full: .*x could not be written") as caught,
        files.writing(tmp_path / "x"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.errno == errno.ENOSPC
    assert list(tmp_path.iterdir()) == []


def test_a_changed_file_is_detected(tmp_path):
    files.write_json(tmp_path / "x.json", [1], {})
    assert files.read_json(tmp_path / "x.json") == [1]
    (tmp_path / "x.json").write_text("[2]")
    with pytest.raises(ValueError, match=r"x\.json: its content differs"):
        files.read_json(tmp_path / "x.json")


def test_an_unreadable_sidecar_or_json_is_named(tmp_path):
    (tmp_path / "x").write_text("{")
    with pytest.raises(ValueError, match="x: not a JSON file"):
        files.read_json(tmp_path / "x")
    (tmp_path / "x.json").write_text("{")
    with pytest.raises(ValueError, match=r"sidecar x\.json is missing or unreadable"):
        files.read_sidecar(tmp_path / "x")


def test_content_id_is_that_of_the_bytes_with_or_without_sidecar(tmp_path):
    files.write_text(tmp_path / "a", "same", {})
    (tmp_path / "b").write_text("same")
    assert files.content_id(tmp_path / "a") == files.foreign_content_id(tmp_path / "b") == files.hash_text("same")
    with files.writing(tmp_path / "store", {}, folder=True) as partial:
        (partial / "zarr.json").write_text("shard")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "zarr.json").write_text("shard")
    assert files.content_id(tmp_path / "store") == files.foreign_content_id(tmp_path / "copy")
    for content_id in (files.content_id, files.foreign_content_id):
        with pytest.raises(ValueError, match="none: no such file"):
            content_id(tmp_path / "none")


@pytest.mark.parametrize("name", ["b", "copy"])
def test_what_densecell_should_have_written_is_refused_without_its_sidecar(tmp_path, name):
    (tmp_path / "b").write_text("bytes")
    (tmp_path / "copy").mkdir()
    (tmp_path / "copy" / "zarr.json").write_text("shard")
    with pytest.raises(ValueError, match=rf"{name}: its sidecar {name}.json is missing .*Delete both"):
        files.content_id(tmp_path / name)


def test_a_folder_of_results_is_known_by_its_sidecars_and_refused_where_one_is_missing(tmp_path):
    files.write_text(tmp_path / "out" / "members" / "a.csv", "a", {})
    files.write_text(tmp_path / "out" / "steps.json", "[]", {})
    before = files.content_id(tmp_path / "out")
    (tmp_path / "out" / ".snakemake_timestamp").write_text("")
    (tmp_path / "out" / "steps.json.run.json").write_text("{}")
    assert files.content_id(tmp_path / "out") == before
    files.write_text(tmp_path / "out" / "members" / "a.csv", "b", {})
    assert files.content_id(tmp_path / "out") != before
    (tmp_path / "out" / "members" / "a.csv.json").unlink()
    with pytest.raises(ValueError, match=r"a\.csv: its sidecar a\.csv\.json is missing"):
        files.content_id(tmp_path / "out")


@pytest.mark.parametrize(
    "name", [".DS_Store", "._a.csv", ".nfs000001", "Thumbs.db", "desktop.ini", ".AppleDouble/a.csv"]
)
def test_what_file_managers_leave_changes_no_content_of_ours(tmp_path, name):
    files.write_text(tmp_path / "out/a.csv", "a", {})
    with files.writing(tmp_path / "store", {}, folder=True) as partial:
        (partial / "zarr.json").write_text("metadata")
    before = files.content_id(tmp_path / "out"), files.foreign_content_id(tmp_path / "store")
    for folder in ("out", "store"):
        (tmp_path / folder / name).parent.mkdir(exist_ok=True)
        (tmp_path / folder / name).write_text("left")
    assert (files.content_id(tmp_path / "out"), files.foreign_content_id(tmp_path / "store")) == before


def test_names_with_a_dot_are_content_in_a_store_of_the_user(tmp_path):
    (tmp_path / ".zarray").write_text("{}")
    before = files.foreign_content_id(tmp_path)
    assert list(files.hash_store(tmp_path)) == [".zarray"]
    (tmp_path / ".zarray").write_text("[]")
    assert files.foreign_content_id(tmp_path) != before


def test_a_file_of_the_user_is_read_beside_any_json_and_a_changed_one_of_ours_is_refused(tmp_path):
    for text in ("{}", "not json", '{"content": "x"}', "[]"):
        (tmp_path / "raw.tif").write_text("bytes")
        (tmp_path / "raw.tif.json").write_text(text)
        assert files.foreign_content_id(tmp_path / "raw.tif") == files.hash_text("bytes")
    files.write_text(tmp_path / "phantom.tif", "bytes", {})
    assert files.foreign_content_id(tmp_path / "phantom.tif") == files.hash_text("bytes")
    (tmp_path / "phantom.tif").write_text("Bytes")
    with pytest.raises(ValueError, match=r"phantom\.tif: its content differs"):
        files.foreign_content_id(tmp_path / "phantom.tif")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ValueError, match="expected a file or a folder, found a pipe"):
        files.foreign_content_id(tmp_path / "pipe")


def test_any_changed_byte_of_a_sidecar_is_detected(tmp_path):
    files.write_json(tmp_path / "x", [1], {"params": {"a": 1.5, "b": [None, "ä"]}, "code": "c", "parents": {}})
    sidecar = (tmp_path / "x.json").read_bytes()
    record = files.read_sidecar(tmp_path / "x")
    for place, byte in enumerate(sidecar):
        for bit in (1, 16):
            (tmp_path / "x.json").write_bytes(sidecar[:place] + bytes([byte ^ bit]) + sidecar[place + 1 :])
            try:
                assert files.read_sidecar(tmp_path / "x") == record  # only white space between values
            except ValueError as error:
                assert "x: its sidecar x.json is missing or unreadable" in str(error)
    for length in range(len(sidecar) - 1):
        (tmp_path / "x.json").write_bytes(sidecar[:length])
        with pytest.raises(ValueError, match=r"its sidecar x\.json is missing or unreadable"):
            files.read_sidecar(tmp_path / "x")


def test_sidecars_hold_no_times_or_places(tmp_path):
    files.write_text(tmp_path / "x", "text", {"params": {}, "code": "c", "parents": {}})
    assert set(json.loads((tmp_path / "x.json").read_text())) == {"content", "params", "code", "parents", "seal"}


def test_an_unfinished_folder_is_continued_and_kept_until_the_caller_deletes_it(tmp_path):
    unfinished = tmp_path / "restart" / "store"
    with pytest.raises(RuntimeError), files.writing(tmp_path / "x", {}, folder=True, unfinished=unfinished) as partial:
        (partial / "first").write_text("1")
        raise RuntimeError
    assert [p.name for p in tmp_path.iterdir()] == ["restart"]
    with files.writing(tmp_path / "x", {"params": 1}, folder=True, unfinished=unfinished) as partial:
        assert (partial / "first").read_text() == "1"
        (partial / "second").write_text("2")
    content = {"first": files.hash_text("1"), "second": files.hash_text("2")}
    assert files.read_sidecar(tmp_path / "x") == {"content": content, "params": 1}
    assert files.hash_store(tmp_path / "x") == content == files.hash_store(unfinished)
    assert (tmp_path / "x" / "first").stat().st_ino == (unfinished / "first").stat().st_ino  # one copy on disk
    files.remove(unfinished)
    assert files.hash_store(tmp_path / "x") == content


def test_where_links_are_not_possible_files_are_copied(tmp_path, monkeypatch):
    def refuse(source, target):
        raise OSError(errno.EXDEV, "Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    (tmp_path / "a").write_text("text")
    files.link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "text"
    assert (tmp_path / "a").stat().st_ino != (tmp_path / "b").stat().st_ino


def test_a_link_never_replaces_a_file(tmp_path):
    for name in "ab":
        (tmp_path / name).write_text(name)
    with pytest.raises(FileExistsError):
        files.link(tmp_path / "a", tmp_path / "b")
    assert (tmp_path / "b").read_text() == "b"
