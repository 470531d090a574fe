"""The list of public data sets: nothing in it is malformed, and files are what it says."""

import hashlib
import re
from pathlib import Path

import pytest
import yaml

import public_datasets
from densecell import archives, datasets

REPO = Path(__file__).resolve().parents[2]
RECORDS = yaml.safe_load((REPO / "workflow" / "datasets.yaml").read_text())["datasets"]
KEYS = {
    "name", "title", "urls", "archive", "archive_name", "size_bytes", "md5", "sha256", "unpacked_limit_bytes", "licence",
    "citation", "doi", "voxel_size_nm", "classes", "class_order", "notes", "place_by_hand", "files",
}  # fmt: skip


def a_record(**changes):
    file = {"path": "a.bin", "member": "d/a.bin", "shape": None, "md5": None}
    return {"name": "a", "size_bytes": None, "md5": None, "sha256": None, "files": [file], **changes}


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: r["name"])
def test_every_record_says_all_that_people_and_the_program_need(record):
    assert set(record) == KEYS
    assert all(record[key] for key in KEYS - {"size_bytes", "md5", "sha256"})
    assert record["archive"] in archives.MAGIC and "{folder}" in record["place_by_hand"]
    assert record["archive_name"] in record["place_by_hand"]
    for algorithm, digits in (("md5", 32), ("sha256", 64)):
        hashes = [record[algorithm], *(f.get(algorithm) for f in record["files"])]
        assert all(re.fullmatch(rf"[0-9a-f]{{{digits}}}", h) for h in hashes if h)
    files = datasets.listed_files(record)
    assert len({f["path"] for f in files}) == len({f["member"] for f in files}) == len(files)
    assert "license" in datasets.describe(record) and record["class_order"] in datasets.describe(record)


@pytest.mark.parametrize("record", RECORDS, ids=lambda r: r["name"])
def test_rules_and_scripts_read_the_same_files_from_it(record):
    files = {f["path"]: f["shape"] for f in datasets.listed_files(record)}
    assert public_datasets.dataset_files()[record["name"]] == files


def test_the_papers_set_is_as_published():
    record = datasets.find_record(RECORDS, "platelet")
    files = {f["path"]: f for f in datasets.listed_files(record)}
    parts = {"train": [50, 800, 800], "eval": [24, 800, 800], "test": [121, 609, 400]}
    expected = {f"{part}-{kind}.tif": shape for part, shape in parts.items() for kind in ("images", "labels")}
    expected["train-error-weights.tif"] = parts["train"]
    assert {path: f["shape"] for path, f in files.items()} == expected
    assert all(f["md5"] for f in files.values()) and record["size_bytes"] == 188_671_885
    assert "3 alpha granule, 4 canalicular" in record["classes"]


def test_series_of_slices_are_listed_one_by_one():
    series = {"path": "s/{i:02d}.tif", "member": "m/{i}.tif", "count": 2, "shape": [1, 4, 4], "md5": None}
    files = datasets.listed_files(a_record(files=[series]))
    assert [(f["path"], f["member"]) for f in files] == [("s/00.tif", "m/0.tif"), ("s/01.tif", "m/1.tif")]


def test_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"expected one of platelet, platelet_em, vnc.*found 'platelets'"):
        datasets.find_record(RECORDS, "platelets")


def test_archive_of_another_size_or_checksum_is_told(tmp_path):
    path = tmp_path / "x.zip"
    path.write_bytes(b"abc")
    sha256 = hashlib.sha256(b"abc").hexdigest()
    assert datasets.check_archive(path, a_record(size_bytes=3, sha256=sha256)) == sha256
    assert datasets.check_archive(path, a_record()) == sha256
    with pytest.raises(ValueError, match="expected 4 bytes, found 3"):
        datasets.check_archive(path, a_record(size_bytes=4))
    with pytest.raises(ValueError, match=f"expected the md5 {'0' * 32}, found {hashlib.md5(b'abc').hexdigest()}"):
        datasets.check_archive(path, a_record(md5="0" * 32))


def test_file_of_another_shape_or_checksum_is_told(tmp_path):
    path = tmp_path / "a.bin"
    path.write_bytes(b"abc")
    file = {"md5": hashlib.md5(b"abc").hexdigest(), "shape": [2, 3, 4]}
    datasets.check_file(path, file, lambda path: (2, 3, 4))
    datasets.check_file(path, file, lambda path: None)
    with pytest.raises(ValueError, match=r"a.bin: expected the shape \[2, 3, 4\] \(z, y, x\), found \[1, 3, 4\]"):
        datasets.check_file(path, file, lambda path: (1, 3, 4))
    with pytest.raises(ValueError, match=r"a.bin: expected the md5 0"):
        datasets.check_file(path, {**file, "md5": "0" * 32}, lambda path: (2, 3, 4))


def test_by_hand_gives_link_checksum_and_place():
    record = a_record(sha256="f" * 64, size_bytes=1234, place_by_hand="Put it into {folder}.")
    text = datasets.by_hand(record, "data/a", ["http://x/y.zip"])
    assert text == f"By hand: http://x/y.zip (1,234 bytes, sha256 {'f' * 64}). Put it into data/a."
    assert "no checksum is published" in datasets.by_hand({**record, "sha256": None}, "a", ["u"])
