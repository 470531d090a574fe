"""Sparse labels on the tiny phantom through the whole chain: draws, targets, held-out scores, and nothing without members."""

import html
import json

import numpy as np
import pytest
import workflow_runs as runs

import verify_results
from densecell import io

pytestmark = pytest.mark.slow

SPARSE = ("--configfile", "tests/workflow/tiny_sparse.yaml")
EXPERIMENTS = {"pair_n2": 2, "pair_n4": 4}
LABELLED = [0, 2, 5, 7, 9]  # slices in which both sources have labels
TARGETS = ["cell", "mitochondrion"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = runs.copy_project(tmp_path_factory.mktemp("sparse"))
    done = runs.snakemake(folder, *SPARSE)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def results(project):
    return project / "results/tiny_sparse"


def table(results, name):
    return io.read_table(results / f"{name}.csv")


def target(results, region, name):
    return io.open_volume(results / f"regions/{region}/targets_reference/{name}.ome.zarr")


# ------------------------------------------------------------------------------------------------ targets and draws
def test_targets_know_their_slices_and_a_cell_holds_what_lies_in_it(results):
    truth = io.open_volume(results / "aligned/subject1/labels_all.ome.zarr")[:]
    cell, mitochondrion = (target(results, "sparse", name) for name in TARGETS)
    assert cell.attributes["labelled_slices"] == [0, 2, 4, 5, 7, 9]
    assert mitochondrion.attributes["labelled_slices"] == [0, 2, 5, 6, 7, 9]
    assert np.array_equal(cell[:][LABELLED], (truth[LABELLED] != 0).astype(np.uint8))
    assert np.array_equal(mitochondrion[:][LABELLED], (truth[LABELLED] == 2).astype(np.uint8))
    assert (cell[:][[1, 3, 6, 8]] == 255).all() and (mitochondrion[:][[1, 3, 4, 8]] == 255).all()


@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_each_seed_has_a_draw_of_the_slices_that_both_targets_know(results, experiment):
    rows = table(results, f"draws/{experiment}")
    for seed in (1, 2):
        mine = rows[rows["seed"] == seed]
        assert mine["z"].tolist() == LABELLED and set(mine["region"]) == {"sparse"}
        train = mine[mine["use"] == "train"]["z"].tolist()
        assert len(train) == EXPERIMENTS[experiment] == mine["n_slices"].iloc[0]
        assert mine["distance"].tolist() == [min(abs(z - t) for t in train) for z in LABELLED]


# ------------------------------------------------------------------------------------------------ networks
@pytest.mark.parametrize("experiment", EXPERIMENTS)
def test_best_and_last_are_the_same_weights_and_members_come_by_seed(results, experiment):
    for seed in (1, 2):
        folder = results / f"models/{experiment}/seed{seed}"
        assert "eval_miou" not in set(table(folder, "history")["measure"])
    chosen = json.loads((results / f"ensembles/{experiment}/chosen.json").read_text())
    assert [m["seed"] for m in chosen["members"]] == [1, 2] and chosen["k"] == 2
    assert [m["eval_miou"] for m in chosen["members"]] == [None, None]
    assert (chosen["targets"], chosen["eval_miou_of_k"]) == (TARGETS, {})


# ------------------------------------------------------------------------------------------------ scores
@pytest.mark.parametrize("experiment", EXPERIMENTS)
@pytest.mark.parametrize("seed", [1, 2])
def test_held_out_slices_are_scored_voxel_by_voxel(results, experiment, seed):
    draws, rows = table(results, f"draws/{experiment}"), table(results, f"held_out/{experiment}/seed{seed}")
    held_out = draws[(draws["seed"] == seed) & (draws["use"] == "held_out")]
    assert sorted(rows["z"].unique()) == held_out["z"].tolist()
    for name in TARGETS:
        q = io.open_volume(results / f"held_out/{experiment}/seed{seed}/{name}.ome.zarr")[:]
        g = target(results, "sparse", name)[:]
        for z, distance in zip(held_out["z"], held_out["distance"]):
            found = rows[(rows["class"] == name) & (rows["z"] == z)]
            value = found.set_index("measure")["value"]
            passes = q[z] >= 128
            assert value["tp"] == (passes & (g[z] == 1)).sum() and value["fp"] == (passes & (g[z] == 0)).sum()
            assert value["n_valid"] == (g[z] != 255).sum() and (found["distance"] == distance).all()


def test_tables_over_draws_and_regions(results):
    metrics, budget = table(results, "tables/held_out_metrics"), table(results, "tables/label_budget")
    assert set(zip(metrics["experiment"], metrics["draw"])) == {(e, s) for e in EXPERIMENTS for s in (1, 2)}
    assert set(budget["n_slices"]) == {2, 4} and set(budget["n"]) <= {0, 1, 2}
    dice = {(r["n_slices"], r["draw"]): r["value"] for r in metrics[(metrics["class"] == "cell") & (metrics["measure"] == "dice") & (metrics["pooling"] == "pooled")].to_dict("records")}  # fmt: skip
    row = budget[(budget["class"] == "cell") & (budget["measure"] == "dice") & (budget["pooling"] == "pooled")]
    for n, mean, sd in zip(row["n_slices"], row["mean"], row["sd"]):
        values = [dice[n, seed] for seed in (1, 2)]
        assert mean == pytest.approx(np.mean(values)) and sd == pytest.approx(np.std(values, ddof=1))
    overlap = table(results, "tables/overlap_metrics")
    assert set(overlap["experiment"]) == set(EXPERIMENTS) and set(overlap["region"]) == {"test"}


def test_class_maps_are_scored_for_the_network_of_all_classes_alone(results):
    for name in ("metrics", "confusion", "volume_fractions"):
        assert set(table(results, f"tables/{name}")["experiment"]) <= {"classes", "annotation"}
    written = {path.name for path in (results / "tables").glob("*.csv")}
    assert not written & {"ranking.csv", "network_comparison.csv", "ensemble_gain.csv"}
    assert not (results / "figures/ranking.png").exists() and (results / "figures/training_curves.png").exists()


def test_a_whole_volume_is_composed_of_the_targets(results):
    labels = io.open_volume(results / "volumes/subject2/pair_n2/labels.ome.zarr")[:]
    q = {n: io.open_volume(results / f"volumes/subject2/pair_n2/probabilities/{n}.ome.zarr")[:] >= 128 for n in TARGETS}
    expected = np.where(q["cell"] & q["mitochondrion"], 2, np.where(q["cell"], 1, 0))
    assert np.array_equal(labels, expected)


# ------------------------------------------------------------------------------------------------ the run
def test_nothing_is_damaged_and_a_second_run_has_nothing_to_do(project, results, capsys):
    verify_results.main([str(results)])
    assert "0 damaged" in capsys.readouterr().out
    assert runs.dry_run(project, *SPARSE) == set()


def test_the_methods_text_tells_the_draws(results):
    text = (results / "methods.html").read_text()
    assert "pair_n2 was trained on 2 labelled slices" in text and "chose nothing" in text
    assert "ranked" not in text


def test_the_report_shows_the_budget_the_distance_and_held_out_slices(project, tmp_path):
    done = runs.snakemake(project, *SPARSE, "--report", tmp_path / "report.html")
    assert done.returncode == 0, done.stdout
    text = " ".join(html.unescape((tmp_path / "report.html").read_text()).replace("\\n", " ").split())
    for figure in ("label_budget", "held_out_distance", "held_out_slices_pair_n2", "held_out_slices_pair_n4"):
        assert f"{figure}.png" in text
    for caption in ("label_budget", "held_out_distance", "held_out_slices"):
        words = (project / f"workflow/report/{caption}.rst").read_text().split()[:5]
        assert " ".join(words) in text, caption
