"""The whole chain on the tiny phantom: what it leaves behind, and that it has nothing to do the second time."""

import datetime
import html
import json
import socket

import numpy as np
import pandas as pd
import pytest
import tifffile
import workflow_runs as runs

import verify_results
from densecell import io

pytestmark = pytest.mark.slow

KEYS = ["volume", "region", "reference", "experiment", "predictor", "class", "measure", "value", "unit"]
RUN = ["experiment", "seed"]
COLUMNS = {  # core columns and those a table adds, docs/outputs.md
    "metrics": [*KEYS, "role"],
    "confusion": [*KEYS, "role", "predicted_class", "z"],
    "volume_fractions": [*KEYS, "margin_nm", "denominator"],
    "summary": KEYS,
    "ranking": [*RUN, "rank", "eval_miou", "best_step", "collapsed", "n_classes_found"],
}
FIGURES = {
    *("training_curves", "ranking", "confusion", "volume_fractions", "weight_map_square_root_train"),
    *("alignment_subject1", "alignment_subject2", "checks_subject1", "checks_subject2", "volume_subject2_hybrid"),
    *("segmentation_eval", "segmentation_test", "segmentation_compare"),
    *("network_comparison", "ensemble_gain", "annotators_compare", "annotator_confusion_compare"),
    *("contents_subject2_cells", "number_of_mitochondria", "morphology_of_cells", "morphology_of_mitochondria"),
    *("texture_of_mitochondria", "fenestrations_subject2_cells", "fenestrations_subject2_mitochondria"),
}
PAGES = {"objects_3d_subject2"}
SHOWN_IN_3D = ("rendering", "rotation", "training_video")
ENSEMBLES, PREDICTORS = ("hybrid", "unet"), ("seed1", "seed2", "top1", "top2")


@pytest.fixture(scope="module")
def results(finished_run):
    return finished_run / "results/tiny"


def table(results, name):
    return io.read_table(results / f"tables/{name}.csv")


def written_names(folder):
    """Names of the files in a folder, without sidecars."""
    return {path.stem for path in folder.iterdir() if path.suffix != ".json"}


# ------------------------------------------------------------------------------------------------ what is there
def test_every_figure_is_there_and_is_a_picture(results):
    assert written_names(results / "figures") == FIGURES | PAGES
    for name in FIGURES:
        assert (results / f"figures/{name}.png").read_bytes().startswith(b"\x89PNG")
    assert "test" in (results / "summary.html").read_text()


def test_every_training_leaves_two_checkpoints_and_no_restart_state(results):
    for experiment in ENSEMBLES:
        for seed in (1, 2):
            folder = results / f"models/{experiment}/seed{seed}"
            assert {p.name for p in folder.iterdir()} >= {"best.safetensors", "last.safetensors", "history.csv"}
    assert not list((results / "restart").rglob("*.pt"))
    assert not [path for path in results.rglob("*") if path.suffix in (".partial", ".stale")]


def test_the_chosen_ensemble_is_one_of_those_tried(results):
    for name in ENSEMBLES:
        chosen = json.loads((results / f"ensembles/{name}/chosen.json").read_text())
        assert chosen["k"] == len(chosen["members"]) and chosen["k"] in (1, 2)
        assert set(chosen["eval_miou_of_k"]) == {"1", "2"}


def test_every_volume_opens_with_its_size_and_the_regions_fit_their_labels(results):
    stores = sorted(results.rglob("*.ome.zarr"))
    assert len(stores) > 40
    for store in stores:
        volume = io.open_volume(store)
        assert len(volume.shape) == 3 and tuple(volume.voxel_size_nm) == (50, 10, 10), store
        assert volume[:].shape == volume.shape
    for region in ("eval", "test", "compare"):
        shape = io.open_volume(results / f"regions/{region}/labels_reference.ome.zarr").shape
        for ensemble in ENSEMBLES:
            folder = results / f"predictions/{region}/{ensemble}"
            assert {p.name.split(".")[0] for p in folder.glob("*.ome.zarr")} == set(PREDICTORS)
            assert all(io.open_volume(store).shape == shape for store in folder.glob("*.ome.zarr"))


def test_the_exported_tiff_equals_the_volume(results):
    labels = io.open_volume(results / "volumes/subject2/hybrid/labels.ome.zarr")[:]
    assert np.array_equal(tifffile.imread(results / "volumes/subject2/hybrid.tif"), labels)
    assert labels.max() < 7


# ---------------------------------------------------------------------------------------------------- the tables
@pytest.mark.parametrize("name", COLUMNS)
def test_tables_have_the_declared_columns_and_no_row_twice(results, name):
    rows = table(results, name)
    assert sorted(rows.columns) == sorted(COLUMNS[name])
    keys = [c for c in rows.columns if c not in ("value", "unit", "eval_miou")]
    assert len(rows) and not rows.duplicated(keys).any()


def test_cells_and_what_lies_outside_add_up_to_the_predicted_classes(results):
    contents = table(results, "contents")
    labels = io.open_volume(results / "volumes/subject2/hybrid/labels.ome.zarr")[:]
    assert (
        contents.groupby("class", sort=False)["voxels"].sum().tolist()
        == np.bincount(labels.ravel(), minlength=7).tolist()
    )
    members = len(list((results / "volumes/subject2/hybrid/members").glob("*.ome.zarr")))
    assert set(contents["n_members"]) == {members}
    of_cells = contents[contents["instance"] > 0].groupby("instance")
    assert np.allclose(of_cells["fraction"].sum(), 1) and np.allclose(of_cells["fraction_mean"].sum(), 1)
    assert set(contents.loc[contents["bias"].notna(), "bias_of"]) == {"volume fraction"}


def test_every_object_is_assigned_or_counted_as_outside(results):
    parents, contents = table(results, "parents"), table(results, "contents")
    counted = contents[contents["class"] == "mitochondrion"].set_index("instance")["n_objects"]
    found = parents["parent"].value_counts().reindex(counted.index, fill_value=0)
    assert found.tolist() == counted.tolist() and len(parents) == counted.sum()
    objects = table(results, "objects")
    assert len(parents) == (objects["objects"] == "mitochondria").sum()


def test_numbers_are_missing_only_where_nothing_is_to_be_divided_by(results):
    metrics, confusion = table(results, "metrics"), table(results, "confusion")
    assert not metrics.drop(columns="value").isna().any().any() and not confusion.isna().any().any()
    keys = ["region", "reference", "experiment", "predictor"]
    counted = {"recall": "class", "precision": "predicted_class"}
    for measure, column in counted.items():
        totals = confusion.groupby([*keys, column])["value"].sum()
        for row in metrics[metrics["measure"] == measure].to_dict("records"):
            total = totals[tuple(row[key] for key in [*keys, "class"])]
            assert np.isnan(row["value"]) == (total == 0), row
    assert not metrics[~metrics["measure"].isin(["recall", "precision"])]["value"].isna().any()
    fractions = table(results, "volume_fractions")
    assert not fractions["value"].isna().any()
    margins = fractions[fractions["denominator"] == "predicted cell within margin"]["margin_nm"]
    assert set(margins) == {50, 100, 200}
    assert not table(results, "ranking").isna().any().any() and not table(results, "summary")["value"].isna().any()


def test_scores_and_fractions_lie_between_0_and_1(results):
    metrics, fractions = table(results, "metrics"), table(results, "volume_fractions")
    assert metrics[metrics["unit"].astype(str) == "1"]["value"].dropna().between(0, 1).all()
    shares = fractions[(fractions["measure"] == "volume_fraction") & (fractions["class"] != "all")]
    assert shares["value"].between(0, 1).all()


def test_every_region_predictor_and_annotator_is_scored(results):
    metrics = table(results, "metrics")
    found = set(metrics[["region", "reference", "experiment", "predictor"]].itertuples(index=False, name=None))
    expected = {
        (region, reference, ensemble, predictor)
        for region, reference in (
            *(("eval", "reference"), ("test", "reference")),
            *(("compare", "reference"), ("compare", "annotator_1")),
        )
        for ensemble in ENSEMBLES
        for predictor in PREDICTORS
    }
    annotators = {
        ("compare", "reference", "annotation", "annotator_1"),
        ("compare", "annotator_1", "annotation", "reference"),
    }
    assert found == expected | annotators


@pytest.mark.parametrize(("region", "masked"), [("eval", False), ("compare", False), ("test", True)])
def test_confusion_counts_every_labelled_voxel_once(results, region, masked):
    labels = io.open_volume(results / f"regions/{region}/labels_reference.ome.zarr")[:]
    scored = (labels != 255) & (labels != 0) if masked else labels != 255
    confusion = table(results, "confusion")
    mine = confusion[(confusion["region"] == region) & (confusion["reference"] == "reference")]
    for _, rows in mine.groupby(["experiment", "predictor"]):
        counts = rows.groupby("z")["value"].sum()
        assert counts.tolist() == scored.sum(axis=(1, 2)).tolist()
        per_class = rows.groupby("class")["value"].sum()
        names = ["background", "cell", "mitochondrion", "alpha_granule", "canalicular", "dense_granule", "dense_core"]
        assert [per_class.get(name, 0) for name in names] == np.bincount(labels[scored], minlength=7).tolist()


def test_the_destroyed_slice_is_found_and_left_out(results):
    shifts = io.read_table(results / "aligned/subject2/shifts.csv")
    assert shifts["left_out"].tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 0, 0]  # slice 3 = 10 // 3 is destroyed
    score = io.read_table(results / "aligned/subject2/score.csv").set_index("measure")["value"]
    assert score["flagged_right"] == 1 and score["flagged_missed"] == score["flagged_false"] == 0
    labels = io.open_volume(results / "regions/test/labels_reference.ome.zarr")[:]
    assert (labels[3] == 255).all() and (labels[2] != 255).any()


# ------------------------------------------------------------------------------------------ sidecars and report
def test_sidecars_hold_no_time_host_or_path_of_the_machine(finished_run, results):
    sidecars = [path for path in results.rglob("*.json") if path.with_suffix("").exists()]
    assert len(sidecars) > 100
    today = datetime.date.today().isoformat()
    for path in sidecars:
        text = path.read_text()
        assert not [w for w in (str(finished_run), socket.gethostname() + ".", today) if w in text], path
        absolute = [name for name in json.loads(text)["parents"] if name.startswith("/")]
        assert absolute == [], path


def test_verify_finds_nothing_damaged_and_then_a_flipped_byte(results, capsys):
    verify_results.main([str(results)])
    assert "0 damaged" in capsys.readouterr().out
    chunk = next(p for p in sorted((results / "predictions").rglob("c/**/*")) if p.is_file())
    table_path = results / "tables/metrics.csv"
    for path in (chunk, table_path):
        content = bytearray(path.read_bytes())
        content[len(content) // 2] ^= 1
        with runs.replaced(path, bytes(content)):
            with pytest.raises(SystemExit) as stop:
                verify_results.main([str(results)])
            assert stop.value.code == 1
            found = capsys.readouterr().out
        assert "1 damaged" in found and str(path).split(".ome.zarr")[0] in found
    verify_results.main([str(results)])


def test_the_report_is_one_file_with_all_figures_and_captions(finished_run, results, tmp_path):
    done = runs.snakemake(finished_run, *runs.TINY, "--report", tmp_path / "report.html")
    assert done.returncode == 0, done.stdout
    text = html.unescape((tmp_path / "report.html").read_text()).replace("\\n", " ")
    assert len(text) > 100_000
    assert [name for name in FIGURES if f"{name}.png" not in text] == []
    of_paper = {f"{name}.rst" for name in ("paper", "network", "foreground", "small_regions", *SHOWN_IN_3D)}
    of_paper.add("weight_map_comparison.rst")  # only where a released weight map is given
    of_sparse = {f"{name}.rst" for name in ("intensity", "label_budget")}
    of_sparse |= {f"held_out_{name}.rst" for name in ("slices", "distance", "contexts", "networks")}
    of_objects = {f"{name}.rst" for name in ("cells_by_method", "object_film", "object_rendering")}
    for caption in sorted((finished_run / "workflow/report").glob("*.rst")):
        if caption.name in of_paper | of_sparse | of_objects:
            continue  # most of them: tests/workflow/test_paper_run.py and test_sparse_run.py
        beginning = " ".join(caption.read_text().split()[:5])
        assert beginning in " ".join(text.split()), caption


# ------------------------------------------------------------------------------------------------- a second time
def test_a_second_run_has_nothing_to_do(finished_run):
    done = runs.snakemake(finished_run, *runs.TINY)
    assert done.returncode == 0 and "Nothing to be done" in done.stdout
    assert runs.dry_run(finished_run, *runs.TINY) == set()


def test_another_configuration_leaves_this_one_finished(finished_run):
    other = runs.dry_run(finished_run, *runs.TINY, "--config", "results_dir=results/other")
    assert {"make_phantom/subject1", "train_network/hybrid_seed1", "write_summary"} <= other
    assert "make_phantom/subject2" in runs.dry_run(finished_run)  # config.yaml, which writes to results/
    assert runs.dry_run(finished_run, *runs.TINY) == set()


def test_tables_read_the_same_in_pandas_alone(results):
    rows = pd.read_csv(results / "tables/volume_fractions.csv")
    assert sorted(rows.columns) == sorted(COLUMNS["volume_fractions"])
    assert np.allclose(rows["value"], table(results, "volume_fractions")["value"])
