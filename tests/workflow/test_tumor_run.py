"""Single cells of a small tumor phantom through the whole chain: split, tracked, numbered, measured, drawn, and told."""

import html
import json
import re

import numpy as np
import pytest
import workflow_runs as runs

import verify_results
from densecell import io

pytestmark = pytest.mark.slow

CELLS = ("--configfile", "tests/workflow/tiny_tumor.yaml")
SPLIT = ["mask", "selective"]


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    folder = runs.copy_project(tmp_path_factory.mktemp("cells"))
    done = runs.snakemake(folder, *CELLS)
    assert done.returncode == 0, done.stdout
    return folder


@pytest.fixture(scope="module")
def results(project):
    return project / "results/tiny_tumor"


def table(results, name):
    return io.read_table(results / f"{name}.csv")


def folder_of(objects):
    return f"instances/tumor/{objects}" + ("/tracked/selective" if objects == "cells" else "")


def numbers(results, objects):
    return io.open_volume(results / folder_of(objects) / "labels.ome.zarr")[:]


def class_map(results):
    return io.open_volume(results / "volumes/tumor/cells/labels.ome.zarr")[:]


# --------------------------------------------------------------------------------------------------------- objects
@pytest.mark.parametrize("combination", SPLIT)
def test_every_voxel_of_the_cell_mask_is_in_a_cell_or_listed(results, combination):
    found = io.open_volume(results / f"instances/tumor/cells/tracked/{combination}/labels.ome.zarr")
    assert np.array_equal(found[:] > 0, class_map(results) > 0)
    listed = table(results, f"instances/tumor/cells/tracked/{combination}/objects")
    assert listed["voxels"].sum() == (found[:] > 0).sum()
    orphans = listed[listed["orphan"] == 1]["instance"]
    assert (orphans >= found.attributes["first_orphan"]).all()


def test_cells_have_the_numbers_of_the_labelled_slices(results):
    drawn = io.open_volume(results / "aligned/tumor/labels_cell_ids.ome.zarr")[:]
    known = set(np.unique(drawn)) - {0, 2**32 - 1}
    cells = table(results, f"{folder_of('cells')}/objects")
    assert known >= set(cells[cells["orphan"] == 0]["instance"]) != set()


def test_nuclei_are_numbered_and_small_ones_left_out(results):
    found, listed = numbers(results, "nuclei"), table(results, f"{folder_of('nuclei')}/objects")
    assert sorted(set(np.unique(found)) - {0}) == listed["instance"].tolist()
    assert (listed["volume_um3"] >= 0.005).all()
    assert (class_map(results)[found > 0] == 2).all()


def test_drawn_cells_keep_their_numbers(results):
    drawn = io.open_volume(results / "aligned/tumor/labels_true_cells.ome.zarr")[:]
    assert np.array_equal(numbers(results, "drawn_cells"), np.where(drawn == 2**32 - 1, 0, drawn))


# -------------------------------------------------------------------------------------------------------- measures
def test_what_cells_hold_sums_to_the_class_map(results):
    rows = table(results, "tables/contents")
    assert set(rows["objects"]) == {"cells"} and (rows["n_members"] == 2).all()
    for name, value in (("outside", 0), ("cell", 1), ("nucleus", 2)):
        assert rows[rows["class"] == name]["voxels"].sum() == (class_map(results) == value).sum()


def test_nuclei_lie_in_cells(results):
    rows = table(results, "tables/parents")
    assert set(rows["objects"]) == {"nuclei"} and rows["share"].between(0, 1).all()


@pytest.mark.parametrize(
    "name", ["morphology", "neighbors", "texture", "objects", "instance_metrics", "cell_splitting"]
)
def test_tables_of_objects_have_rows(results, name):
    assert len(table(results, f"tables/{name}")) > 0


def test_the_ways_to_split_are_compared(results):
    rows = table(results, "tables/cell_splitting")
    assert set(rows["combination"]) == set(SPLIT)


# -------------------------------------------------------------------------------------------------------- pictures
def test_the_page_that_turns_is_one_file(results):
    text = (results / "figures/objects_3d_tumor.html").read_text()
    assert "nuclei" in text and not re.search(r'<(script|link|img)[^>]+(src|href)="?http', text)


def test_nothing_is_damaged_and_a_second_run_has_nothing_to_do(project, results, capsys):
    verify_results.main([str(results)])
    assert "0 damaged" in capsys.readouterr().out
    assert runs.dry_run(project, *CELLS) == set()


def test_the_methods_text_tells_the_objects(results):
    text = html.unescape((results / "methods.html").read_text())
    assert "optical flow" in text and "Farneb" in text and "watershed" in text


def test_every_store_tells_its_kind(results):
    attributes = json.loads((results / folder_of("nuclei") / "labels.ome.zarr/zarr.json").read_text())["attributes"]
    assert "instance" in json.dumps(attributes)
