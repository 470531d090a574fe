"""A data set arrives whole and verified or not at all, and what a person put there by hand counts."""

import hashlib
import io

import archive_files as made_up
import numpy as np
import pytest
import tifffile
import yaml

import download_dataset
from densecell import files


def tiff(shape, seed):
    buffer = io.BytesIO()
    array = np.random.default_rng(seed).integers(0, 99, shape).astype(np.uint8)
    tifffile.imwrite(buffer, array, photometric="minisblack")
    return buffer.getvalue()


CONTENT = {"images.tif": tiff((3, 20, 30), 0), "labels.tif": tiff((3, 20, 30), 1)}
ARCHIVE = made_up.zip_bytes({f"set/{name}": data for name, data in CONTENT.items()} | {"set/other.txt": b"no"})


def md5(data):
    return hashlib.md5(data).hexdigest()


class Case:
    """A list with one data set, a folder, a cache, and a server of the archive."""

    def __init__(self, folder, server, url, **changes):
        self.folder, self.cache, self.server = folder / "data" / "mini", folder / "cache", server
        listed = [
            {"path": n, "member": f"set/{n}", "shape": [3, 20, 30], "md5": md5(data)} for n, data in CONTENT.items()
        ]
        self.record = {
            "name": "mini", "title": "A mini set", "urls": [url], "archive": "zip", "archive_name": "mini.zip",
            "size_bytes": len(ARCHIVE), "md5": md5(ARCHIVE), "sha256": None, "unpacked_limit_bytes": 1_000_000,
            "licence": "CC0", "citation": "Nobody", "doi": "10.0/0", "voxel_size_nm": [50, 10, 10], "classes": "0, 1",
            "class_order": "3 is the alpha granule", "notes": "none", "place_by_hand": "Put mini.zip into {folder}.",
            "files": listed, **changes,
        }  # fmt: skip
        self.list = folder / "list.yaml"

    def run(self, *arguments):
        self.list.write_text(yaml.safe_dump({"datasets": [self.record]}))
        given = ["--dataset", "mini", "--output", self.folder, "--list", self.list, "--cache", self.cache]
        options = ["--attempts", "3", "--wait-s", "0", "--timeout-s", "5"]
        download_dataset.main([*map(str, given), *options, *map(str, arguments)])

    def found(self):
        return sorted(p.relative_to(self.folder).as_posix() for p in self.folder.rglob("*") if p.is_file())


@pytest.fixture
def case(tmp_path):
    server = made_up.Server(ARCHIVE)
    with made_up.serving(server) as url:
        yield Case(tmp_path, server, url)


def test_downloads_checks_unpacks_and_tells_what_it_is(case, capsys):
    case.run()
    assert case.found() == ["download.json", "images.tif", "labels.tif"]
    assert (case.folder / "images.tif").read_bytes() == CONTENT["images.tif"]
    facts = files.read_json(case.folder / "download.json")
    assert facts["sha256"] == hashlib.sha256(ARCHIVE).hexdigest() and facts["verified"] == "checksum"
    assert not (case.folder.parent / "mini.partial").exists()
    text = capsys.readouterr().out
    for phrase in ("A mini set", "CC0", "Nobody", "50 x 10 x 10 nm", "3 is the alpha granule", "2 files are now in"):
        assert phrase in text


def test_a_second_time_does_nothing(case, capsys):
    case.run()
    case.run()
    assert len(case.server.log) == 1
    assert "all 2 files are in" in capsys.readouterr().out


def test_a_deleted_file_comes_back_from_the_cache_without_the_network(case, capsys):
    case.run()
    (case.folder / "labels.tif").unlink()
    case.run()
    assert len(case.server.log) == 1 and case.found() == ["download.json", "images.tif", "labels.tif"]
    assert "taken from the cache" in capsys.readouterr().out


def test_a_damaged_cache_is_fetched_again(case):
    case.run()
    (archive,) = case.cache.iterdir()
    archive.write_bytes(b"PK\x03\x04 damaged")
    (case.folder / "labels.tif").unlink()
    case.run()
    assert len(case.server.log) == 2 and "labels.tif" in case.found()


def test_goes_on_after_a_cut_line_also_in_a_later_run(case):
    case.server.cut = [1000, 500, 200]
    with pytest.raises(ValueError, match=r"mini could not be fetched: .*the connection ended at"):
        case.run("--attempts", "3")
    case.run()
    assert [asked for _, asked in case.server.log] == [None, "bytes=1000-", "bytes=1500-", "bytes=1700-"]
    assert case.found() == ["download.json", "images.tif", "labels.tif"]


def test_wrong_checksum_leaves_nothing_and_says_what_to_do(case):
    case.record["md5"] = "0" * 32
    expected = rf"expected the md5 {'0' * 32}, found {md5(ARCHIVE)}.* It was deleted. Run the same command once more"
    with pytest.raises(ValueError, match=expected):
        case.run()
    assert not case.folder.exists() and list(case.cache.iterdir()) == []


def test_wrong_checksum_of_a_file_inside_leaves_nothing(case):
    case.record["files"][1]["md5"] = "0" * 32
    with pytest.raises(ValueError, match=r"labels.tif: expected the md5 0+, found"):
        case.run()
    assert not case.folder.exists() and not (case.folder.parent / "mini.partial").exists()


def test_wrong_shape_of_a_file_inside_leaves_nothing(case):
    case.record["files"][0] |= {"shape": [3, 20, 31], "md5": None}
    with pytest.raises(
        ValueError, match=r"images.tif: expected the shape \[3, 20, 31\] \(z, y, x\), found \[3, 20, 30\]"
    ):
        case.run()
    assert not case.folder.exists()


def test_without_a_published_checksum_it_warns_and_records(case, capsys):
    case.record |= {"md5": None, "size_bytes": None}
    case.run()
    sha256 = hashlib.sha256(ARCHIVE).hexdigest()
    assert (
        f"WARNING: no checksum is published for this archive, so it could not be verified. Its sha256 is {sha256}"
        in (capsys.readouterr().out)
    )
    assert files.read_json(case.folder / "download.json")["verified"] == "not verified: no checksum is published"


def test_offline_is_one_sentence_with_link_checksum_and_place(case):
    case.record["urls"] = ["http://127.0.0.1:9/mini.zip"]
    with pytest.raises(ValueError) as error:
        case.run()
    text = str(error.value)
    assert text.startswith("mini could not be fetched: no connection to 127.0.0.1")
    for phrase in ("http://127.0.0.1:9/mini.zip", md5(ARCHIVE), f"Put mini.zip into {case.folder}."):
        assert phrase in text


def test_the_next_link_is_tried(case):
    case.record["urls"] = ["http://127.0.0.1:9/mini.zip", *case.record["urls"]]
    case.run()
    assert "images.tif" in case.found()


def test_missing_page_and_web_page(case):
    case.server.status = 404
    with pytest.raises(ValueError, match=r"the server answers 404 .* By hand"):
        case.run()
    case.server.status, case.server.kind, case.server.content = 200, "application/zip", b"<html>quota</html>" * 20
    with pytest.raises(ValueError, match="expected a zip archive, found a web page"):
        case.run()
    assert not case.folder.exists() and list(case.cache.iterdir()) == []


def test_archive_put_by_hand_is_checked_and_used(case):
    case.folder.mkdir(parents=True)
    (case.folder / "mini.zip").write_bytes(ARCHIVE)
    case.run()
    assert case.server.log == [] and {"images.tif", "mini.zip"} <= set(case.found())
    assert files.read_json(case.folder / "download.json")["source"] == "mini.zip"


def test_wrong_archive_put_by_hand_is_refused_and_kept(case):
    case.folder.mkdir(parents=True)
    (case.folder / "mini.zip").write_bytes(ARCHIVE[:-30])
    with pytest.raises(ValueError, match=rf"mini.zip: expected {len(ARCHIVE):,} bytes, found .* Get it again"):
        case.run()
    assert case.found() == ["mini.zip"] and case.server.log == []


def test_files_put_by_hand_are_used_without_a_download(case, capsys):
    case.folder.mkdir(parents=True)
    for name, data in CONTENT.items():
        (case.folder / name).write_bytes(data)
    case.run()
    assert case.server.log == [] and "nothing to do" in capsys.readouterr().out


def test_a_file_of_ones_own_is_never_overwritten(case):
    case.folder.mkdir(parents=True)
    (case.folder / "images.tif").write_bytes(b"mine")
    with pytest.raises(ValueError, match=r"images.tif: expected the md5 .*\n.*Move such files elsewhere"):
        case.run()
    assert (case.folder / "images.tif").read_bytes() == b"mine" and case.server.log == []


def test_hostile_archive_leaves_nothing(case):
    evil = made_up.zip_bytes({**{f"set/{n}": d for n, d in CONTENT.items()}, "../../evil.txt": b"evil"})
    case.server.content = evil
    case.record |= {"md5": md5(evil), "size_bytes": len(evil)}
    with pytest.raises(ValueError, match="expected names inside the archive's folder"):
        case.run()
    assert not case.folder.exists() and not list(case.folder.parents[2].rglob("evil.txt"))


def test_a_broken_archive_without_a_checksum_is_not_kept(case):
    case.record |= {"md5": None, "size_bytes": None}
    case.server.content = ARCHIVE[:-40]
    with pytest.raises(ValueError, match="not a whole zip archive"):
        case.run()
    assert not case.folder.exists() and list(case.cache.iterdir()) == []
    case.server.content = ARCHIVE
    case.run()
    assert "images.tif" in case.found()


def test_another_link_and_an_archive_elsewhere(case, tmp_path):
    url, case.record["urls"] = case.record["urls"][0], ["http://127.0.0.1:9/x"]
    case.run("--url", url)
    assert len(case.server.log) == 1
    (tmp_path / "elsewhere.zip").write_bytes(ARCHIVE)
    case.folder = tmp_path / "data" / "again"
    case.run("--archive", tmp_path / "elsewhere.zip")
    assert len(case.server.log) == 1 and "labels.tif" in case.found()


def test_several_sets_go_below_the_root(case, tmp_path):
    case.list.write_text(yaml.safe_dump({"datasets": [case.record, {**case.record, "name": "twin"}]}))
    options = ["--list", str(case.list), "--cache", str(case.cache), "--data-root", str(tmp_path / "root")]
    download_dataset.main(["--dataset", "mini,twin", *options])
    assert (tmp_path / "root/mini/images.tif").exists() and (tmp_path / "root/twin/labels.tif").exists()
    with pytest.raises(ValueError, match="expected one name together with --output"):
        download_dataset.main(["--dataset", "mini,twin", *options, "--output", "x"])
    with pytest.raises(ValueError, match=r"expected one of mini, twin, found ''"):
        download_dataset.main(["--dataset", "", *options])


def test_the_published_list_is_the_default(capsys):
    with pytest.raises(ValueError, match="expected one of platelet, platelet_em, vnc, urocell, lucchi_pp"):
        download_dataset.main(["--dataset", "nothing"])
