import json
import shutil

import pytest
from passport_inputs import parents_of, run_record, small_results, text_output

from densecell import costs, files, passport


@pytest.fixture
def results_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)  # sidecars name paths relative to the folder that a run was started in
    return small_results(tmp_path)


def chain(results_dir, path="tables/ranking.csv"):
    return passport.Results(results_dir).chain(path)


def test_a_chain_reaches_the_raw_data_with_parents_before_children(results_dir):
    steps = chain(results_dir)
    image, runs = "imported/brain/image.ome.zarr", [f"models/unet/seed{s}/history.csv" for s in (1, 2, 3)]
    assert list(steps) == ["data/raw.tif", image, *reversed(runs), "tables/ranking.csv"]
    assert [step.kind for step in steps.values()] == ["raw"] + ["output"] * 5
    assert [step.script for step in steps.values()][1:] == ["import_volume", *["train_network"] * 3, "rank_networks"]
    raw = steps["data/raw.tif"]
    assert raw.exists and raw.content == files.hash_file("data/raw.tif")
    assert steps["tables/ranking.csv"].parents == runs
    assert not any(step.earlier for step in steps.values())


def test_records_are_found_by_the_path_of_their_output(results_dir):
    records = passport.records(results_dir)
    assert records["tables/ranking.csv"]["script"] == "rank_networks"
    assert records["tables/ranking.csv"]["record"] == files.read_sidecar(results_dir / "tables/ranking.csv")
    assert len(records) == 5


def test_a_deleted_intermediate_keeps_its_place_by_its_run_record(results_dir):
    image = results_dir / "imported/brain/image.ome.zarr"
    shutil.rmtree(image)
    files.sidecar_path(image).unlink()
    step = chain(results_dir)["imported/brain/image.ome.zarr"]
    assert not step.exists and step.script == "import_volume" and step.parents == ["data/raw.tif"]


def test_a_parent_that_was_made_again_is_named(results_dir, tmp_path):
    path = results_dir / "models/unet/seed2/history.csv"
    text_output(tmp_path, path, "loss\n99\n", "train_network", {"experiment": "unet", "seed": 2})
    assert chain(results_dir)["tables/ranking.csv"].earlier == ["models/unet/seed2/history.csv"]


def test_a_folder_that_was_moved_keeps_its_chains(results_dir, tmp_path):
    moved = tmp_path / "elsewhere"
    results_dir.rename(moved)
    assert "imported/brain/image.ome.zarr" in chain(moved)


def test_a_run_record_of_another_version_of_a_file_is_not_taken_for_its_own(results_dir, tmp_path):
    path = results_dir / "tables/ranking.csv"
    former = files.run_record_path(path).read_text()
    files.write_text(path, "rank\n2\n", {"params": {}, "code": "new", "parents": {}})
    assert not files.run_record_path(path).exists()  # writing the file took it away
    files.run_record_path(path).write_text(former)
    step = passport.Results(results_dir).step("tables/ranking.csv")
    assert step.run is None and step.script is None and step.sidecar["code"] == "new"


@pytest.mark.parametrize("damage", ["", "{", "[]", '{"record": 1}', '{"record": {}}'])
def test_a_damaged_run_record_is_as_good_as_none(results_dir, damage):
    files.run_record_path(results_dir / "tables/ranking.csv").write_text(damage)
    assert "tables/ranking.csv" not in passport.records(results_dir)
    assert chain(results_dir)["tables/ranking.csv"].run is None


@pytest.mark.parametrize("key", [*passport.TEXTS, *passport.NUMBERS, "record.content", "record.code", "record.parents"])
@pytest.mark.parametrize("part", [False, True])
def test_a_run_record_that_lacks_a_fact_is_as_good_as_none(results_dir, key, part):
    path = files.run_record_path(results_dir / "tables/ranking.csv")
    record = json.loads(path.read_text())
    record["parts"] = [{name: value for name, value in record.items() if name != "record"}]
    path.write_text(json.dumps(record))
    assert passport.read_record(path) == record
    *outer, key = key.split(".")
    facts = record["record"] if outer else record["parts"][0] if part else record
    for odd in ({}, {key: ["odd"]} if not outer else {}):
        facts.pop(key, None)
        facts.update(odd)
        path.write_text(json.dumps(record))
        assert passport.read_record(path) is None
    assert costs.jobs_of(passport.Results(results_dir).records, str)  # of the others


def test_what_was_deleted_with_its_records_is_lost_and_no_raw_data(results_dir):
    image = results_dir / "imported/brain/image.ome.zarr"
    shutil.rmtree(image)
    files.sidecar_path(image).unlink()
    files.run_record_path(image).unlink()
    step = chain(results_dir)["imported/brain/image.ome.zarr"]
    assert (step.kind, step.exists, step.parents) == ("lost", False, [])


def test_a_folder_of_outputs_stands_for_what_is_in_it(results_dir, tmp_path):
    folder = results_dir / "models/unet"
    parents = {**parents_of(tmp_path, folder)}
    files.write_text(results_dir / "all.txt", "x", {"params": {}, "code": "c", "parents": parents})
    steps = chain(results_dir, "all.txt")
    assert steps["models/unet"].kind == "folder" and len(steps["models/unet"].parents) == 3
    assert "data/raw.tif" in steps and not steps["all.txt"].earlier
    text_output(tmp_path, folder / "seed1/history.csv", "other", "train_network", {})
    assert chain(results_dir, "all.txt")["all.txt"].earlier == ["models/unet"]


def test_results_of_another_run_within_are_left_out(results_dir):
    inner = results_dir / "inner"
    (inner / "run").mkdir(parents=True)
    (inner / "run/config.ef.yaml").write_text("")
    files.write_text(inner / "tables/x.csv", "x", {"params": {}, "code": "c", "parents": {}})
    run_record(results_dir.parent.parent, inner / "tables/x.csv", "gather_tables")
    assert not [path for path in passport.records(results_dir) if "inner" in path]
    assert list(passport.records(inner)) == ["tables/x.csv"]
    assert passport.results_of(inner / "tables/x.csv") == inner


def test_a_gathered_volume_is_told_by_the_jobs_that_computed_it(results_dir, tmp_path):
    path = results_dir / "tables/ranking.csv"
    record = json.loads(files.run_record_path(path).read_text())
    part = {key: value for key, value in record.items() if key != "record"} | {"script": "predict_volume"}
    run_record(tmp_path, path, "gather_slabs", parts=[part, part])
    step = passport.Results(results_dir).step("tables/ranking.csv")
    assert step.script == "predict_volume" and len(step.jobs) == 2


def test_files_that_were_read_without_their_hash_are_parents_too(results_dir, tmp_path):
    path = results_dir / "checks/x.csv"
    reads = {"reads": ["data/raw.tif", "results/r/tables/ranking.csv"]}
    text_output(tmp_path, path, "x", "check_volume", {}, run=reads)
    steps = chain(results_dir, "checks/x.csv")
    assert steps["checks/x.csv"].parents == ["data/raw.tif", "tables/ranking.csv"]
    assert steps["data/raw.tif"].kind == "raw" and not steps["checks/x.csv"].earlier


def test_what_lies_in_no_results_folder_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"results folder of densecell.*config\.<hash>\.yaml"):
        passport.results_of(tmp_path / "x.csv")


def test_a_file_without_a_sidecar_has_no_chain(results_dir):
    (results_dir / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=r"notes\.txt: no sidecar"):
        chain(results_dir, "notes.txt")
