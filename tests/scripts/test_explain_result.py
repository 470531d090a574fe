import json
from pathlib import Path

import pytest
from passport_inputs import small_results, text_output

import explain_result
from densecell import files


@pytest.fixture
def results_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return small_results(tmp_path)


def explained(path, capsys):
    explain_result.main([str(path)])
    return " ".join(capsys.readouterr().out.split())


def test_a_table_is_told_from_the_raw_data_on(results_dir, capsys):
    text = explained("results/r/tables/ranking.csv", capsys)
    assert text.startswith("results/r/tables/ranking.csv holds the ranking")
    assert "data/raw.tif SHA-256" in text and "unet seed 1 to 3" in text


def test_sidecars_run_records_and_parts_of_a_volume_stand_for_their_output(results_dir, capsys):
    volume = Path("results/r/imported/brain/image.ome.zarr")
    expected = explained(volume, capsys)
    for path in (f"{volume}.json", f"{volume}.run.json", volume / "0/c/0/0/0", volume / "zarr.json"):
        assert explained(path, capsys) == expected


def test_a_deleted_intermediate_is_told_by_its_run_record(results_dir, capsys):
    path = results_dir / "models/unet/seed1/history.csv"
    path.unlink()
    files.sidecar_path(path).unlink()
    assert "[1 of 1 files deleted since]" in explained(path, capsys)


def test_a_folder_is_told_with_all_that_is_in_it(results_dir, capsys):
    text = explained(results_dir / "models", capsys)
    assert "is a folder of results" in text and "unet seed 1 to 3" in text


def test_a_file_that_was_changed_by_hand_is_marked(results_dir, capsys):
    (results_dir / "tables/ranking.csv").write_text("rank\n9\n")
    assert explained(results_dir / "tables/ranking.csv", capsys).startswith("CAUTION")


def test_where_raw_data_were_downloaded_from_is_told(results_dir, tmp_path, capsys):
    (tmp_path / "data/download.json").write_text(json.dumps({"source": "an archive"}))
    assert "downloaded from an archive" in explained(results_dir / "tables/ranking.csv", capsys)


def test_the_chosen_k_is_read_from_the_member_list(results_dir, tmp_path, capsys):
    path, text = results_dir / "ensembles/unet/chosen.json", json.dumps({"name": "unet", "k": 2})
    text_output(tmp_path, path, text, "choose_ensemble", {"name": "unet", "top_k": [1, 2]})
    assert "The eval regions chose the best 2 of unet." in explained(path, capsys)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("logs/rank_networks.log", "a log"),
        ("benchmarks/x.tsv", "time and memory"),
        ("report.html", "the report"),
        ("run/config.abcd.yaml", "resolved configuration"),
        ("run/costs.run.csv", "resolved configuration|times and costs"),
        ("tables/x.csv.partial", "killed job"),
        ("tables/rankin.csv", "no such file.*Did you mean tables/ranking.csv"),
        ("notes.txt", "no sidecar notes.txt.json.*file of your own"),
    ],
)
def test_what_is_no_result_is_said_to_be_what_it_is(results_dir, path, message):
    if path == "notes.txt":
        (results_dir / path).write_text("mine")
    with pytest.raises(ValueError, match=message):
        explain_result.main([str(results_dir / path)])


def test_a_path_outside_the_results_is_refused(results_dir, tmp_path):
    with pytest.raises(ValueError, match="expected a file in a results folder of densecell"):
        explain_result.main([str(tmp_path / "data/raw.tif")])
