import os
import shutil

import pytest
from passport_inputs import small_results, text_output

from densecell import files, passport, verification


@pytest.fixture
def results_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return small_results(tmp_path)


def found(results_dir, threads=2):
    findings, checks = verification.look(passport.Results(results_dir))
    findings += verification.check(checks, threads)
    return [(f.kind, os.path.relpath(f.path, results_dir), f.text) for f in findings]


def flip(path, index=-1):
    """Change one byte."""
    content = bytearray(path.read_bytes())
    content[index] ^= 1
    path.write_bytes(bytes(content))


def test_untouched_results_are_fine(results_dir):
    assert found(results_dir) == []


def test_a_changed_byte_of_a_file_is_named(results_dir):
    flip(results_dir / "models/unet/seed2/history.csv")
    assert found(results_dir) == [("damaged", "models/unet/seed2/history.csv", "")]


@pytest.mark.parametrize("inside", ["0/c/0/0/0", "zarr.json", "0/zarr.json"])
def test_a_changed_part_of_a_volume_is_named(results_dir, inside):
    image = "imported/brain/image.ome.zarr"
    flip(results_dir / image / inside)
    assert found(results_dir) == [("damaged", image, f"{inside} was changed")]


def test_parts_of_a_volume_that_are_missing_or_were_added_are_named(results_dir):
    image = results_dir / "imported/brain/image.ome.zarr"
    (image / "0/c/0/0/0").rename(image / "0/c/0/0/7")
    name = "imported/brain/image.ome.zarr"
    assert found(results_dir) == [("damaged", name, "0/c/0/0/0 is missing"), ("damaged", name, "0/c/0/0/7 was added")]


@pytest.mark.parametrize("name", ["0/c/0/0/9", "1/zarr.json"])
def test_what_zarr_would_read_is_damage_where_it_was_added(results_dir, name):
    added = results_dir / "imported/brain/image.ome.zarr" / name
    added.parent.mkdir(exist_ok=True)
    added.write_text("x")
    assert found(results_dir) == [("damaged", "imported/brain/image.ome.zarr", f"{name} was added")]


def test_what_zarr_never_reads_is_somebody_elses(results_dir):
    for name in ("notes.txt", "0/notes.txt"):
        (results_dir / "imported/brain/image.ome.zarr" / name).write_text("x")
    assert found(results_dir) == [
        ("unknown", f"imported/brain/image.ome.zarr/{name}", "") for name in ("0/notes.txt", "notes.txt")
    ]


def test_what_file_managers_leave_is_passed_over(results_dir):
    for folder in ("", "tables", "imported/brain/image.ome.zarr", "imported/brain/image.ome.zarr/0"):
        for name in (".DS_Store", "._ranking.csv", "._ranking.csv.json", ".nfs0001", "Thumbs.db", "desktop.ini"):
            (results_dir / folder / name).write_bytes(b"\0\5\x16\7")
    (results_dir / ".Trash-1000/files").mkdir(parents=True)
    (results_dir / ".Trash-1000/files/ranking.csv").write_text("deleted")
    assert found(results_dir) == []


def test_an_edited_sidecar_is_named(results_dir):
    sidecar = files.sidecar_path(results_dir / "tables/ranking.csv")
    sidecar.write_text(sidecar.read_text().replace("c0de", "c0d3"))
    assert found(results_dir) == [
        ("damaged", "tables/ranking.csv", "its sidecar ranking.csv.json is unreadable or was edited")
    ]


def test_a_file_that_lost_its_sidecar_and_one_that_is_gone_are_named(results_dir):
    files.sidecar_path(results_dir / "imported/brain/image.ome.zarr").unlink()
    (results_dir / "tables/ranking.csv").unlink()
    assert found(results_dir) == [
        ("no sidecar", "imported/brain/image.ome.zarr", ""),
        ("missing", "tables/ranking.csv", ""),
    ]


def test_a_file_put_in_place_of_a_volume_is_damage(results_dir):
    image = results_dir / "imported/brain/image.ome.zarr"
    shutil.rmtree(image)
    image.write_text("no volume")
    assert [(kind, path) for kind, path, _ in found(results_dir)] == [("damaged", "imported/brain/image.ome.zarr")]


def test_a_result_that_is_older_than_its_input_is_named(results_dir, tmp_path):
    text_output(tmp_path, results_dir / "models/unet/seed1/history.csv", "loss\n5\n", "train_network", {})
    assert found(results_dir) == [("older", "tables/ranking.csv", "models/unet/seed1/history.csv is another one now")]


def test_raw_data_that_changed_make_what_was_read_from_them_older(results_dir, tmp_path):
    flip(tmp_path / "data/raw.tif")
    kind, path, text = found(results_dir)[0]
    assert (kind, path) == ("older", "imported/brain/image.ome.zarr") and "data/raw.tif" in text


def test_raw_data_that_changed_between_two_readings_make_the_first_reader_older(results_dir, tmp_path, monkeypatch):
    raw = tmp_path / "data/raw.tif"
    flip(raw)
    for name in ("second", "third"):
        text_output(tmp_path, results_dir / f"{name}.csv", "x", "", {}, raw={"data/raw.tif": files.hash_file(raw)})
    hashed, original = [], files.hash_file
    monkeypatch.setattr(files, "hash_file", lambda path: hashed.append(path) or original(path))
    assert [entry[:2] for entry in found(results_dir)] == [("older", "imported/brain/image.ome.zarr")]
    assert len(hashed) == len(set(hashed))  # raw data too, which three outputs name
    flip(raw, 0)
    older = ["imported/brain/image.ome.zarr", "second.csv", "third.csv"]
    assert sorted(entry[1] for entry in found(results_dir)) == older
    _, checks = verification.look(passport.Results(results_dir))
    assert verification.n_bytes(checks) == sum(check.size for check in checks) - 2 * raw.stat().st_size


def test_each_sidecar_is_read_once_however_many_outputs_name_it(results_dir, tmp_path, monkeypatch):
    parents = [results_dir / "imported/brain/image.ome.zarr", results_dir / "models"]
    for i in range(5):
        text_output(tmp_path, results_dir / f"tables/{i}.csv", "x", "", {}, *parents)
    results, read, original = passport.Results(results_dir), [], files.read_sidecar
    monkeypatch.setattr(files, "read_sidecar", lambda path: read.append(path) or original(path))
    verification.look(results)
    assert read.count(parents[0]) == 1
    assert max(map(read.count, read)) <= 2  # those in models once more, for the hash of the folder


def test_raw_data_that_are_gone_are_no_fault(results_dir, tmp_path):
    (tmp_path / "data/raw.tif").unlink()
    assert found(results_dir) == []


def test_files_of_others_are_named_and_what_a_run_leaves_is_not(results_dir):
    for name in ("notes.txt", "tables/mine.csv", "facts.json"):
        (results_dir / name).write_text("{}")
    for name in (
        "logs/x.log",
        "benchmarks/x.tsv",
        "restart/x.pt",
        "report.html",
        "tables/x.csv.partial",
        "run/costs.run.csv",
    ):
        (results_dir / name).parent.mkdir(exist_ok=True)
        (results_dir / name).write_text("x")
    assert sorted(found(results_dir)) == [
        ("unknown", name, "") for name in ("facts.json", "notes.txt", "tables/mine.csv")
    ]


def test_an_unreadable_file_is_damage_and_does_not_stop_the_check(results_dir, monkeypatch):
    def fail(path, original=files.hash_file):
        if path.name == "ranking.csv":
            raise OSError(5, "Input/output error")
        return original(path)

    monkeypatch.setattr(files, "hash_file", fail)
    assert found(results_dir) == [("damaged", "tables/ranking.csv", "unreadable (Input/output error)")]


def test_progress_counts_every_byte_and_threads_change_nothing(results_dir):
    flip(results_dir / "models/unet/seed3/history.csv")
    _, checks = verification.look(passport.Results(results_dir))
    counted = []
    one, four = (verification.check(checks, threads, counted.append) for threads in (1, 4))
    assert one == four and len(one) == 1
    assert sum(counted) == 2 * sum(check.size for check in checks)
