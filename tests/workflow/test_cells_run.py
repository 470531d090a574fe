"""Numbered cells of the tiny phantom through the whole chain: boundary, prediction, six ways to split, tracks, what lies in the cells."""

import numpy as np
import pytest
import workflow_runs as runs

import verify_results
from densecell import io
from densecell.classes import UNLABELLED_INSTANCE
from densecell.contours import contour_target

pytestmark = pytest.mark.slow

CELLS = ("--configfile", "tests/workflow/tiny_cells.yaml")
COMBINATIONS = ("mask", "border", "flow", "overlay", "selective", "frames")
LABELLED, INCOMPLETE = [0, 3, 6, 9], 5


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = runs.copy_project(tmp_path_factory.mktemp("cells"))
    done = runs.snakemake(folder, *CELLS)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def results(project):
    return project / "results/tiny_cells"


def volume(results, name):
    return io.open_volume(results / f"{name}.ome.zarr")


# ------------------------------------------------------------------------------------------------ numbers and boundaries
def test_some_slices_are_numbered_as_all_of_them_truly_are(results):
    ids, truth = (volume(results, f"aligned/subject1/labels_{name}") for name in ("cell_ids", "true_cells"))
    assert ids.attributes["slices"] == sorted([*LABELLED, INCOMPLETE])
    assert not (truth[:] == UNLABELLED_INSTANCE).any()
    for z in range(10):
        expected = truth[z] if z in LABELLED else np.full(truth.shape[1:], UNLABELLED_INSTANCE)
        if z != INCOMPLETE:
            np.testing.assert_array_equal(ids[z], expected)
    drawn = ids[INCOMPLETE] != UNLABELLED_INSTANCE
    assert np.array_equal(ids[INCOMPLETE][drawn], truth[INCOMPLETE][drawn]) and (ids[INCOMPLETE][drawn] > 0).all()


def test_targets_are_the_insides_and_contours_of_the_numbered_cells(results):
    ids = volume(results, "aligned/subject1/labels_cell_ids")
    cell, boundary = (volume(results, f"regions/numbered/targets_reference/{n}") for n in ("cell", "cell_boundary"))
    for z in LABELLED:
        assert np.array_equal(cell[z], (ids[z] > 0).astype(np.uint8))
        assert np.array_equal(boundary[z], contour_target(ids[z], 3))
    assert cell.attributes["labelled_slices"] == boundary.attributes["labelled_slices"] == LABELLED


def test_the_boundary_is_predicted_and_scored_and_claims_nothing(results):
    q = volume(results, "volumes/subject1/cells/probabilities/cell_boundary")
    labels, cell = (
        volume(results, "volumes/subject1/cells/labels"),
        volume(results, "volumes/subject1/cells/probabilities/cell"),
    )
    assert (q.dtype, q.shape) == (np.uint8, labels.shape)
    assert np.array_equal(labels[:], (cell[:] >= 128).astype(np.uint8))
    scores = io.read_table(results / "tables/held_out_metrics.csv")
    assert set(scores["class"]) == {"cell", "cell_boundary"}


# ------------------------------------------------------------------------------------------------ cells
@pytest.mark.parametrize("combination", COMBINATIONS)
def test_every_combination_gives_numbered_cells_within_the_mask(results, combination):
    """But for flow alone, which moves the drawn cells and asks no network."""
    mask = (volume(results, "volumes/subject1/cells/labels")[:] > 0) | (combination == "flow")
    split = volume(results, f"instances/subject1/cells/split/{combination}/cells")[:]
    tracked = volume(results, f"instances/subject1/cells/tracked/{combination}/labels")[:]
    numbers = set(
        np.unique(volume(results, "aligned/subject1/labels_cell_ids")[LABELLED[0] : LABELLED[-1] + 1]).tolist()
    )
    assert not (split[~mask] > 0).any() and not (tracked[~mask] > 0).any()
    assert set(np.unique(split).tolist()) <= numbers


def test_splitting_is_compared_by_combination(results):
    rows = io.read_table(results / "tables/cell_splitting.csv")
    assert set(rows["combination"]) == set(COMBINATIONS)
    assert (results / "instances/subject1/cells/tracked/selective/metrics.csv").exists()


def test_organelles_belong_to_cells_and_nothing_is_lost(results):
    parents = io.read_table(results / "instances/subject1/mitochondria/parents.csv")
    cells = io.read_table(results / "instances/subject1/cells/tracked/selective/objects.csv")
    assert set(parents["parent"]) <= {0, *cells["instance"]}


# ------------------------------------------------------------------------------------------------ the run
def test_nothing_is_damaged_and_a_second_run_has_nothing_to_do(project, results, capsys):
    verify_results.main([str(results)])
    assert "0 damaged" in capsys.readouterr().out
    assert runs.dry_run(project, *CELLS) == set()
