import json

import numpy as np
import pytest

import measure_neighbors
from densecell import io
from densecell.objects import count_objects

VOXEL_NM = (50, 10, 10)
KEYS = {"volume": "v", "objects": "cells", "class": "cell"}


def store(folder, name, labels):
    io.write_volume(folder / f"{name}.ome.zarr", labels, VOXEL_NM, record={})
    io.write_table(folder / f"{name}.csv", count_objects(io.open_volume(folder / f"{name}.ome.zarr")), {})


@pytest.fixture
def folder(tmp_path):
    """Cells 1 and 2 that touch, 5 apart from them; granule 3 in cell 1."""
    cells, granules = np.zeros((2, 10, 40, 60), np.uint32)
    cells[2:8, 10:30, 5:20], cells[2:8, 10:30, 20:30], cells[2:8, 10:30, 40:50] = 1, 2, 5
    granules[4:6, 15:20, 10:15] = 3
    store(tmp_path, "cells", cells)
    store(tmp_path, "granules", granules)
    return tmp_path


def measured(folder, others=("granules",), threads=1, contact_nm=30):
    arguments = ["--labels", str(folder / "cells.ome.zarr"), "--objects", str(folder / "cells.csv")]
    if others:
        arguments += ["--other-labels", *(str(folder / f"{name}.ome.zarr") for name in others)]
        arguments += ["--other-objects", *(str(folder / f"{name}.csv") for name in others)]
    arguments += ["--others", json.dumps(others), "--keys", json.dumps(KEYS), "--threads", str(threads)]
    arguments += ["--settings", json.dumps({"contact_nm": contact_nm, "max_voxels": 10**6})]
    measure_neighbors.main([*arguments, "--output", str(folder / f"neighbors{threads}.csv")])
    return io.read_table(folder / f"neighbors{threads}.csv")


def found(table, instance, measure, record="cells"):
    rows = table[(table["instance"] == instance) & (table["measure"] == measure)]
    rows = rows[rows["neighbor_objects"] == record]
    return list(zip(rows["neighbor"], rows["value"]))


def test_cells_and_granules(folder):
    table = measured(folder)
    assert list(table.columns) == [*KEYS, *measure_neighbors.COLUMNS]
    assert set(table["neighbor_objects"]) == {"cells", "granules"}
    assert found(table, 1, "nearest_gap_um") == [(2, 0)]
    assert found(table, 5, "nearest_gap_um") == [(2, pytest.approx(0.1))]
    assert found(table, 5, "nearest_center_distance_um") == [(2, pytest.approx(0.2))]
    assert found(table, 1, "n_contacts") == [(0, 1)] and found(table, 5, "n_contacts") == [(0, 0)]
    ((neighbor, area),) = found(table, 1, "contact_area_um2")
    assert neighbor == 2 and area == pytest.approx(0.3 * 0.2, rel=0.15)
    assert found(table, 1, "nearest_gap_um", "granules") == [(3, pytest.approx(0.05))]
    assert found(table, 2, "nearest_gap_um", "granules") == [(3, pytest.approx(0.05))]
    assert dict(zip(table["measure"], table["unit"]))["contact_area_um2"] == "um2"


def test_objects_of_one_record_only(folder):
    assert set(measured(folder, others=())["neighbor_objects"]) == {"cells"}


def test_faces_that_are_shared(folder):
    ((_, area),) = found(measured(folder, contact_nm=0), 1, "contact_area_um2")
    assert area == pytest.approx(0.3 * 0.2, rel=0.15)  # its rim is rounded


def test_threads_change_nothing(folder):
    measured(folder)
    measured(folder, threads=3)
    assert (folder / "neighbors1.csv").read_bytes() == (folder / "neighbors3.csv").read_bytes()


def test_without_objects(folder):
    store(folder, "granules", np.zeros((10, 40, 60), np.uint32))
    table = measured(folder)
    assert set(table[table["neighbor_objects"] == "granules"]["measure"]) == {"n_contacts"}
    store(folder, "cells", np.zeros((10, 40, 60), np.uint32))
    assert list(measured(folder).columns) == [*KEYS, *measure_neighbors.COLUMNS] and not len(measured(folder))


def test_another_volume_is_refused(folder):
    store(folder, "granules", np.zeros((3, 4, 5), np.uint32))
    with pytest.raises(ValueError, match=r"granules.ome.zarr: expected the shape of .*, found \(3, 4, 5\)"):
        measured(folder)
