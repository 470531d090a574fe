import json

import numpy as np
import pandas as pd
import pytest
import stacks

import track_cells
from densecell import io
from densecell.classes import UNLABELLED_INSTANCE

SETTINGS = {
    "min_iou": 0.3,
    "match": "previous",
    "vote": "most",
    "window": None,
    "merge_tracks": False,
    "bidirectional": False,
    "labelled_islands": True,
    "protrusion_px": None,
}


def stack(depth=20):
    """Cell 4, an island that joins it in slice 14, one that meets nothing, and what is drawn in slice 3."""
    cells = np.zeros((depth, 300, 40), np.uint32)
    islands = np.zeros(cells.shape, np.uint8)
    cells[:, 5:290, 5:20] = 4
    islands[:14, 100:104, 23:26] = 1
    cells[14:, 100:104, 20:26] = 4
    islands[9:12, 200:203, 30:34] = 1
    drawn = np.full(cells.shape, UNLABELLED_INSTANCE, np.uint32)
    drawn[3] = cells[3]
    return cells, islands, drawn


def run(tmp_path, cells, islands, drawn, nearest=3, threads=1, **settings):
    paths = {"cells": cells, "islands": islands, "ids": drawn}
    options = []
    for name, volume in paths.items():
        options += [f"--{name}", stacks.save(tmp_path / f"{name}.ome.zarr", volume, origin_nm=(0, 10, 10))]
    table = pd.DataFrame({"z": range(len(cells)), "labelled_z": nearest})
    io.write_table(tmp_path / "split.csv", table, {})
    options += ["--split", tmp_path / "split.csv", "--settings", json.dumps({**SETTINGS, **settings})]
    folder = tmp_path / f"threads_{threads}"
    outputs = {"output": folder / "labels.ome.zarr", "objects": folder / "objects.csv", "tracks": folder / "tracks.csv"}
    options += [word for name, path in outputs.items() for word in (f"--{name}", path)]
    options += ["--class-name", "cell", "--threads", threads]
    track_cells.main([str(word) for word in options])
    return io.open_volume(outputs["output"]), io.read_table(outputs["objects"]), io.read_table(outputs["tracks"])


def test_cells_islands_and_orphans_become_one_volume_with_its_tables(tmp_path):
    volume, objects, tracks = run(tmp_path, *stack())
    assert volume.dtype == np.uint32 and volume.attributes == {
        "kind": "instance", "class": "cell", "labelled_slices": [3], "n_objects": 2, "first_orphan": 5,
    }  # fmt: skip
    assert (volume[:][:, 102, 24] == 4).all() and (volume[9:12][:, 201, 31] == 5).all()
    assert objects[["instance", "voxels", "orphan"]].to_numpy().tolist() == [
        [4, 20 * 285 * 15 + 14 * 12 + 6 * 24, 0],
        [5, 36, 1],
    ]
    assert objects.loc[1, ["z0", "z1", "y0", "y1", "x0", "x1"]].tolist() == [9, 12, 200, 203, 30, 34]
    assert objects.loc[1, "y_nm"] == 10 + 201 * volume.voxel_size_nm[1]
    assert tracks[["instance", "orphan", "first_z", "last_z", "voxels"]].to_numpy().tolist() == [
        [4, 0, 0, 13, 168],
        [5, 1, 9, 11, 36],
    ]


def test_threads_and_bands_change_no_byte(tmp_path, monkeypatch):
    inputs = stack()
    first = run(tmp_path, *inputs)
    monkeypatch.setattr(track_cells, "ROWS", 7)
    second = run(tmp_path, *inputs, threads=2)
    np.testing.assert_array_equal(first[0][:], second[0][:])
    for a, b in zip(first[1:], second[1:]):
        pd.testing.assert_frame_equal(a, b)
    kept = [json.loads((tmp_path / f"threads_{n}" / "labels.ome.zarr.json").read_text())["content"] for n in (1, 2)]
    assert kept[0] == kept[1]


def test_what_is_drawn_on_an_island_is_used_unless_told_otherwise(tmp_path):
    cells, islands, drawn = stack()
    drawn[3, 100:104, 23:26] = 9
    assert (run(tmp_path, cells, islands, drawn)[0][:14][:, 102, 24] == 9).all()
    assert (run(tmp_path, cells, islands, drawn, labelled_islands=False)[0][:][:, 102, 24] == 4).all()


def test_protrusions_are_tracked_where_asked_for(tmp_path):
    cells, islands, drawn = stack()
    cells[14:, 100:104, 23:26] = 0
    cells[8:10, 100:104, 20:26], islands[8:10, 100:104, 23:26] = 4, 0  # it touches the cell in slices 8 and 9
    drawn[3, 100:104, 23:26] = 9
    assert run(tmp_path, cells, islands, drawn)[0][:14][:, 102, 24].tolist() == [9] * 8 + [4] * 6
    volume, *_ = run(tmp_path, cells, islands, drawn, protrusion_px=4)
    assert volume[:14][:, 102, 24].tolist() == [9] * 14
    assert (volume[:][:, 20:80, 8:16] == 4).all()


def test_volumes_of_other_sizes_are_refused(tmp_path):
    cells, islands, drawn = stack()
    with pytest.raises(ValueError, match=r"islands.ome.zarr: expected the size of .*, found \(19, 300, 40\)"):
        run(tmp_path, cells, islands[1:], drawn)


@pytest.mark.parametrize("nearest", [25, -1, [3] * 19 + [4]])
def test_a_table_without_a_labelled_slice_for_each_is_refused(tmp_path, nearest):
    with pytest.raises(ValueError, match=r"split.csv: expected a labelled slice for each of 20 slices"):
        run(tmp_path, *stack(), nearest=nearest)


def test_no_orphan_gets_the_number_of_a_cell_that_was_drawn_and_lost(tmp_path):
    cells, islands, drawn = stack()
    drawn[3, 250:260, 30:36] = 5  # drawn where the mask has nothing
    for options in ({}, {"labelled_islands": False}):
        volume, objects, _ = run(tmp_path, cells, islands, drawn, **options)
        assert volume.attributes["first_orphan"] == 6 and objects["instance"].tolist() == [4, 6]
