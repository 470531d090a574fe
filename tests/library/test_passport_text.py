import shutil

import pytest
from passport_inputs import small_results, text_output

from densecell import files, passport, passport_text


@pytest.fixture
def results_dir(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return small_results(tmp_path, n_seeds=30)


def explained(results_dir, path="tables/ranking.csv", chosen=None, downloads=None, changed=False):
    chain = passport.Results(results_dir).chain(path)
    text = passport_text.explain(path, chain[path], chain, chosen or {}, downloads or {}, changed)
    return " ".join(text.split())


def test_siblings_become_one_step_and_the_paragraph_tells_the_way(results_dir):
    text = explained(results_dir)
    assert text.startswith("tables/ranking.csv holds the ranking of the trained networks")
    assert "The image stacks of brain were read (voxels of 50 x 10 x 10 nm in z, y and x)." in text
    assert (
        "30 networks were trained (unet seed 1 to 30: unet_2d, 8 steps on windows of 1 x 4 x 4 voxels, adamw)" in text
    )
    assert "unet seed 1 to 30" in text
    assert "1 import_volume (from raw data) 1 file" in text
    assert "2 train_network (from 1) 30 files" in text
    assert "3 rank_networks (from 2) 1 file" in text
    assert "30 jobs on cpu in float32, 1.0 min together, up to 3 MB, code c0de" in text


def test_checksums_versions_machine_commit_and_configuration_are_told(results_dir):
    text = explained(results_dir, downloads={"data/raw.tif": "a published archive"})
    assert f"data/raw.tif SHA-256 when it was read: {files.hash_file('data/raw.tif')}" in text
    assert "downloaded from a published archive" in text
    assert "Python 3.11.7; numpy 2.4.6" in text and "desk; Linux" in text
    assert f"commit {'1' * 40}" in text and "run/config.abcd.yaml" in text
    assert "2026-01-01T10:00:00Z to 2026-01-01T11:00:30Z" in text
    assert "no longer true" not in text


def test_parameters_that_differ_among_siblings_are_named_and_not_listed(results_dir):
    lines = explained(results_dir)
    assert (
        "network=unet_2d, window=[1, 4, 4]; training: batch_size=1, learning_rate=0.003, optimizer=adamw, steps=8"
        in lines
    )


def test_what_is_gone_or_outdated_or_unknown_is_said(results_dir, tmp_path):
    (tmp_path / "data/raw.tif").unlink()
    files.run_record_path(results_dir / "models/unet/seed1/history.csv").unlink()
    params = {"experiment": "unet", "seed": 2}
    text_output(
        tmp_path,
        results_dir / "models/unet/seed2/history.csv",
        "x",
        "train_network",
        params,
        run={"git_commit": "unknown"},
    )
    text = explained(results_dir, changed=True)
    assert text.startswith("CAUTION: this file was changed")
    assert "data/raw.tif (gone)" in text and "only the checksum is left" in text
    assert "tables/ranking.csv was made from an earlier version of models/unet/seed2/history.csv" in text
    assert "models/unet/seed1/history.csv: no run record" in text
    assert "outside a git repository" in text


def test_the_chosen_k_follows_the_step_that_chose_it(results_dir, tmp_path):
    path = results_dir / "ensembles/unet/chosen.json"
    text_output(
        tmp_path, path, "{}", "choose_ensemble", {"name": "unet", "top_k": [1, 3]}, results_dir / "tables/ranking.csv"
    )
    text = explained(results_dir, "ensembles/unet/chosen.json", chosen={"unet": 3})
    assert "(one of k = 1, 3). The eval regions chose the best 3 of unet." in text


def test_groups_come_after_those_they_were_made_from(results_dir):
    groups = passport_text.groups_of(passport.Results(results_dir).chain("tables/ranking.csv"))
    assert [group.script for group in groups] == ["import_volume", "train_network", "rank_networks"]
    assert len(groups[1].jobs) == 30


def test_lines_stay_within_the_width_but_for_single_words(results_dir):
    chain = passport.Results(results_dir).chain("tables/ranking.csv")
    text = passport_text.explain("x", chain["tables/ranking.csv"], chain, {}, {}, False)
    assert all(len(line) <= passport_text.WIDTH or len(line.split()) <= 2 for line in text.splitlines())


@pytest.mark.parametrize(("seconds", "text"), [(0.04, "0.0 s"), (59, "59.0 s"), (90, "1.5 min"), (5400, "1.5 h")])
def test_durations(seconds, text):
    assert passport_text.duration(seconds) == text


def test_a_result_that_was_deleted_with_its_records_is_not_told_as_raw_data(results_dir):
    image = results_dir / "imported/brain/image.ome.zarr"
    shutil.rmtree(image)
    files.sidecar_path(image).unlink()
    files.run_record_path(image).unlink()
    text = explained(results_dir)
    assert "1 train_network (from deleted results) 30 files" in text and "SHA-256 when it was read" not in text
    assert "imported/brain/image.ome.zarr: densecell's, its records were deleted" in text
