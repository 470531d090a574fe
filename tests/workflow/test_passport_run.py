"""The results of the tiny run tell how they were made, each of them, and a changed byte in any of them is found."""

import os

import pytest
import workflow_runs as runs

import explain_result
import verify_results
from densecell import files, passport, passport_text

pytestmark = pytest.mark.slow
KINDS = (".tif", ".png", ".csv", ".json", ".html", ".bib", ".safetensors", ".ome.zarr", ".nii.gz", ".glb", ".ply")
FROM_NOTHING = {"make_phantom", "make_tumor_phantom", "plot_network"}  # scripts that read no file


@pytest.fixture
def results(finished_run, monkeypatch):
    monkeypatch.chdir(finished_run)  # sidecars name paths relative to the folder that the run was started in
    return passport.Results("results/tiny")


@pytest.fixture
def outputs(results):
    return results.outputs_in(".")


def kind(path):
    return next(suffix for suffix in KINDS if path.endswith(suffix))


def one_of_each_kind(outputs):
    return list({kind(path): path for path in outputs}.values())


def test_every_output_has_a_run_record_of_its_own(results, outputs):
    assert len(outputs) > 150 and {kind(path) for path in outputs} == set(KINDS)
    for path in outputs:
        record = results.records[path]
        assert record["record"] == results.sidecar(path), path
        assert record["output"] == f"results/tiny/{path}"
        assert (
            record["config_hash"] != "unknown"
            and (results.folder / f"run/config.{record['config_hash']}.yaml").exists()
        )
        assert record["wall_s"] > 0 and record["peak_memory_bytes"] > 10e6
    assert {r["device"] for r in results.records.values()} <= {"cpu"} | {
        r["device"] for r in results.records.values() if r["device"].startswith("cuda")
    }


def test_jobs_that_compute_networks_tell_their_precision(results, outputs):
    for path in outputs:
        if path.startswith(("models/", "predictions/")):
            assert results.records[path]["precision"] in ("float32", "bfloat16"), path
    (volume,) = [path for path in outputs if path.startswith("volumes/") and path.endswith("labels.ome.zarr")]
    record = results.records[volume]
    assert record["script"] == "gather_slabs" and [part["script"] for part in record["parts"]] == ["predict_volume"]
    assert record["parts"][0]["precision"] in ("float32", "bfloat16")


def test_every_chain_reaches_the_phantom(results, outputs):
    for path in outputs:
        chain = results.chain(path)
        beginnings = {step.script for step in chain.values() if not step.parents}
        assert beginnings <= FROM_NOTHING, path
        assert beginnings, path
        assert all(step.kind == "output" and step.run and not step.earlier for step in chain.values()), path
        assert list(chain)[-1] == path


def test_every_output_can_be_explained_in_words(results, outputs):
    for path in outputs:
        chain = results.chain(path)
        text = passport_text.explain(path, chain[path], chain, {}, {}, False)
        first = text.split("\n\n")[0]
        assert first.startswith(path) and "unknown" not in first and "{" not in first, first
        assert "no run record" not in text and "earlier version" not in text


def test_the_volume_fractions_are_told_as_an_answer(results, capsys):
    explain_result.main(["results/tiny/tables/volume_fractions.csv"])
    text = " ".join(capsys.readouterr().out.split())
    for said in (
        "results/tiny/tables/volume_fractions.csv holds the share that each class has of the volume of the cells",
        "No microscope took part",
        "The slices of subject1 and subject2 were aligned",
        "4 networks were trained (hybrid seed 1 and 2: hybrid_2d3d_333, 8 steps on windows of 3 x 48 x 48 voxels, adamw; unet seed 1",
        "was chosen by the score on the eval regions (one of k = 1, 2). The eval regions chose the best",
        "hybrid in subject2",
        "margins of 50, 100, 200 nm",
    ):
        assert said in text, said


def test_explain_takes_one_of_each_kind_and_nothing_is_left_to_do(finished_run, outputs, capsys):
    for path in one_of_each_kind(outputs):
        explain_result.main([f"results/tiny/{path}"])
        assert f"results/tiny/{path} " in capsys.readouterr().out
    assert runs.dry_run(finished_run, *runs.TINY) == set()


def test_one_changed_byte_is_found_in_every_kind_of_output(results, outputs, capsys):
    verify_results.main(["results/tiny"])
    assert " 0 damaged" in capsys.readouterr().out
    for path in one_of_each_kind(outputs):
        file = results.folder / path
        if file.is_dir():
            file = max((p for p in (file / "0").rglob("*") if p.is_file()), key=lambda p: p.stat().st_size)
        content = bytearray(file.read_bytes())
        content[len(content) // 2] ^= 1
        with runs.replaced(file, bytes(content)), pytest.raises(SystemExit) as stop:
            verify_results.main(["results/tiny"])
        out = capsys.readouterr().out
        assert stop.value.code == 1 and f"results/tiny/{path}" in out and "1 damaged" in out, path
        if path.endswith(".zarr"):
            assert f"{os.path.relpath(file, results.folder / path)} was changed" in out


def test_an_intermediate_is_checked_though_nothing_is_to_be_done(finished_run, results, capsys):
    file = results.folder / "binned/subject1/image.ome.zarr/zarr.json"
    with runs.replaced(file, file.read_bytes() + b" "):
        assert runs.dry_run(finished_run, *runs.TINY) == set()
        with pytest.raises(SystemExit):
            verify_results.main(["results/tiny"])
    assert "binned/subject1/image.ome.zarr: zarr.json was changed" in capsys.readouterr().out


def test_run_records_are_no_part_of_what_is_compared(results):
    folder = results.folder / "predictions/test/hybrid"
    assert list(folder.glob("*.run.json"))
    assert not [name for name in files.hash_store(folder) if ".run." in name]
