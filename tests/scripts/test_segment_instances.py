"""segment_instances.py: objects of a class map or of drawn numbers, slab by slab, whatever the threads."""

import json

import numpy as np
import pandas as pd
import pytest
from skimage.measure import label

import segment_instances
from densecell import files, io
from densecell.classes import UNLABELLED_INSTANCE
from densecell.objects import count_objects

CLASSES = [
    {"name": "resin", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "granule", "group": "organelle", "inside": "cell"},
]
RECORD = {"params": {}, "code": "", "parents": {}}
WATERSHED = {"from": "distance", "smoothing_nm": 0, "min_depth_nm": 40, "min_depth": 0.1, "max_voxels": 2**25}


def near(shape, center, radius_nm):
    grid = np.indices(shape).reshape(3, -1).T
    return (np.linalg.norm((grid - np.array(center)) * (50, 10, 10), axis=1) <= radius_nm).reshape(shape)


@pytest.fixture
def folder(tmp_path):
    """Two cells that touch, with a granule in each, and a crumb; 21 slices are three slabs."""
    shape = (21, 50, 80)
    labels = np.zeros(shape, np.uint8)
    labels[near(shape, (9, 25, 25), 200) | near(shape, (9, 25, 55), 200)] = 1
    labels[near(shape, (9, 25, 25), 60) | near(shape, (9, 25, 55), 60)] = 2
    labels[20, 48:, 78:], labels[0, 0, 0] = 1, 255
    io.write_volume(tmp_path / "labels.ome.zarr", labels, (50, 10, 10), (100, 0, 0), record=RECORD)
    return tmp_path


def run(folder, *extra, name="cell", output="out", labels="labels.ome.zarr"):
    given = ["--labels", folder / labels, "--class-name", name, "--classes", json.dumps(CLASSES)]
    given += ["--output", folder / output / "labels.ome.zarr", "--objects", folder / output / "objects.csv"]
    segment_instances.main([str(word) for word in (*given, *extra)])
    return io.open_volume(folder / output / "labels.ome.zarr"), io.read_table(folder / output / "objects.csv")


def test_touching_cells_are_one_component_with_what_lies_in_them(folder):
    store, table = run(folder)
    classes = io.open_volume(folder / "labels.ome.zarr")[:]
    expected = label(np.isin(classes, (1, 2)), connectivity=3)
    np.testing.assert_array_equal(store[:], np.where(classes == 255, np.uint32(UNLABELLED_INSTANCE), expected))
    assert len(table) == 2 and table.voxels.tolist() == [np.isin(classes, (1, 2)).sum() - 4, 4]
    assert (store.dtype, store.voxel_size_nm, store.origin_nm) == (np.uint32, (50, 10, 10), (100, 0, 0))
    assert {key: store.attributes[key] for key in ("kind", "class", "n_objects")} == {
        "kind": "instance",
        "class": "cell",
        "n_objects": 2,
    }


def test_the_watershed_cuts_them_and_the_crumb_is_left_out(folder):
    extra = ["--method", "watershed", "--watershed", json.dumps(WATERSHED), "--min-volume-um3", "1e-4"]
    store, table = run(folder, *extra)
    assert table.instance.tolist() == [1, 2] and abs(np.diff(table.voxels))[0] < 400
    assert store.attributes["instances"]["n_components"] == 2 and store.attributes["instances"]["n_removed"] == 1
    assert store[9, 25, 25].item() == 1 and store[9, 25, 55].item() == 2 and store[20, 49, 79].item() == 0
    pd.testing.assert_frame_equal(count_objects(store), table)


def test_the_table_has_what_others_read(folder):
    _, table = run(folder, name="granule")
    assert len(table) == 2 and table.z_nm.tolist() == pytest.approx([100 + 9 * 50] * 2)
    assert table[["touches_border", "orphan"]].to_numpy().sum() == 0


def test_any_number_of_threads_gives_the_same_bytes(folder):
    extra = ["--method", "watershed", "--watershed", json.dumps(WATERSHED)]
    for threads in ("1", "3"):
        run(folder, *extra, "--threads", threads, output=threads)
    for name in ("labels.ome.zarr", "objects.csv"):
        first, second = (files.read_sidecar(folder / n / name)["content"] for n in "13")
        assert first == second
    assert {p.name for p in (folder / "1").iterdir()} == {
        "labels.ome.zarr",
        "labels.ome.zarr.json",
        "objects.csv",
        "objects.csv.json",
    }


def test_cut_where_the_probability_falls(folder):
    probability = np.full((21, 50, 80), 255, np.uint8)
    probability[:, :, 38:42] = 130
    io.write_volume(folder / "p.ome.zarr", probability, (50, 10, 10), (100, 0, 0), record=RECORD)
    settings = json.dumps({**WATERSHED, "from": "probability", "min_depth": 0.3})
    extra = ["--method", "watershed", "--watershed", settings, "--probability", folder / "p.ome.zarr"]
    store, table = run(folder, *extra)
    assert len(table) == 3 and store[9, 25, 25].item() != store[9, 25, 55].item()
    io.write_volume(folder / "p.ome.zarr", probability[1:], (50, 10, 10), (100, 0, 0), record=RECORD)
    with pytest.raises(ValueError, match=r"p.ome.zarr: expected 8-bit probabilities of \(21, 50, 80\) voxels"):
        run(folder, *extra)


def test_components_too_large_for_memory_are_cut_on_blocks_and_this_is_told(folder, capsys):
    settings = json.dumps({**WATERSHED, "max_voxels": 30_000})
    store, table = run(folder, "--method", "watershed", "--watershed", settings)
    assert "1 of 2 components were cut on blocks of voxels" in capsys.readouterr().err
    assert store.attributes["instances"]["cut_on_blocks"] == [{"blocks": [1, 1, 2], "component": 1}]
    assert len(table) == 3


def test_drawn_numbers_are_kept(folder):
    drawn = np.zeros((21, 50, 80), np.uint32)
    drawn[3:9, 10:20, 10:20], drawn[20], drawn[0, 0, 0] = 7_000_000, UNLABELLED_INSTANCE, 3
    io.write_volume(folder / "ids.ome.zarr", drawn, (50, 10, 10), (100, 0, 0), record=RECORD)
    store, table = run(folder, "--min-volume-um3", "1e-4", labels="ids.ome.zarr")
    assert table.instance.tolist() == [7_000_000] and table.voxels.tolist() == [600]
    np.testing.assert_array_equal(store[:], np.where(drawn == 3, 0, drawn))  # unlabelled stays


def test_a_class_without_a_voxel_has_an_empty_table(folder):
    io.write_volume(folder / "none.ome.zarr", np.zeros((9, 8, 8), np.uint8), (50, 10, 10), record=RECORD)
    store, table = run(folder, "--method", "watershed", "--watershed", json.dumps(WATERSHED), labels="none.ome.zarr")
    assert len(table) == 0 and store[:].max() == 0 and store.attributes["n_objects"] == 0
