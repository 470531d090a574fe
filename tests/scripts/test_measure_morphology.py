import json

import numpy as np
import pytest
from solids import ball, cut

import measure_morphology
from densecell import io
from densecell.morphology import MEASURES
from densecell.objects import count_objects

VOXEL_NM, ORIGIN_NM = (10, 10, 10), (1000, 200, 30)
KEYS = {"volume": "v", "objects": "nucleoli", "class": "nucleolus"}
SETTINGS = {"smoothing_voxels": 1, "min_voxels": 50, "closing_radius": 3, "max_voxels": 10**7}


def store(folder, name, labels, first_orphan=None):
    io.write_volume(folder / f"{name}.ome.zarr", labels, VOXEL_NM, ORIGIN_NM, record={})
    table = count_objects(io.open_volume(folder / f"{name}.ome.zarr"), first_orphan)
    io.write_table(folder / f"{name}.csv", table, {})


@pytest.fixture
def folder(tmp_path):
    """Nucleus 4, a ball of 15 in a volume of 40^3; nucleolus 1 in its middle, 2 of a few voxels, 3 at the border, 7 with a hole."""
    nuclei, nucleoli = np.zeros((2, 40, 40, 40), np.uint32)
    nuclei[2:35, 2:35, 2:35][ball(15)] = 4
    nucleoli[13:24, 13:24, 13:24][ball(4)] = 1
    nucleoli[18, 18, 28:31] = 2
    nucleoli[35:40, 0:5, 0:5] = 3
    nucleoli[24:32, 13:24, 13:24][cut(ball(4), np.ones((1, 1, 1), bool))[1:9]] = 7
    store(tmp_path, "nuclei", nuclei)
    store(tmp_path, "labels", nucleoli, first_orphan=7)
    parents = count_objects(io.open_volume(tmp_path / "labels.ome.zarr"))[["instance"]].assign(parent=[4, 4, 0, 4])
    io.write_table(tmp_path / "parents.csv", parents, {})
    return tmp_path


def measured(folder, within=True, threads=1, **settings):
    arguments = ["--labels", str(folder / "labels.ome.zarr"), "--objects", str(folder / "labels.csv")]
    if within:
        arguments += ["--parents", str(folder / "parents.csv"), "--containers", str(folder / "nuclei.ome.zarr")]
        arguments += ["--container-table", str(folder / "nuclei.csv")]
    arguments += [
        "--keys",
        json.dumps(KEYS),
        "--settings",
        json.dumps({**SETTINGS, **settings}),
        "--threads",
        str(threads),
    ]
    measure_morphology.main([*arguments, "--output", str(folder / f"morphology{threads}.csv")])
    return io.read_table(folder / f"morphology{threads}.csv")


def values(table, instance):
    rows = table[table["instance"] == instance]
    return dict(zip(rows["measure"], rows["value"]))


def test_a_row_for_each_object_and_measure(folder):
    table = measured(folder)
    assert list(table.columns) == [*KEYS, "instance", "measure", "value", "unit", "flag"]
    assert table["instance"].drop_duplicates().tolist() == [1, 2, 3, 7]
    for instance, n in ((1, 3), (2, 3), (3, 0), (7, 3)):
        assert len(values(table, instance)) == (table["instance"] == instance).sum() == len(MEASURES) + n
    assert values(table, 1)["volume_um3"] == pytest.approx(257e-6)
    assert values(table, 1)["volume_mesh_um3"] == pytest.approx(200.2e-6, rel=1e-3)
    units = dict(zip(table["measure"], table["unit"]))
    assert units["proximity"] == "1" and units["surface_area_um2"] == "um2" and units["angle_to_z_deg"] == "deg"


def test_flags(folder):
    table = measured(folder)
    of = table[table["measure"] == "volume_um3"].set_index("instance")["flag"].to_dict()
    assert of == {1: "", 2: "few_voxels", 3: "touches_border", 7: "orphan"}
    assert values(table, 7)["fenestrated_percent_fill3d"] > 0
    assert np.isnan(values(table, 2)["sphericity"]) and values(table, 2)["voxels"] == 3


def test_proximity_in_the_head(folder):
    table = measured(folder)
    assert values(table, 1)["proximity"] == 0
    near = values(table, 2)  # 11 voxels from the middle
    assert near["center_distance_um"] == pytest.approx(0.11)
    assert near["proximity"] == pytest.approx(0.11 / (0.11 + near["membrane_distance_um"]))
    assert 0.04 < near["membrane_distance_um"] < 0.055
    assert "proximity" not in values(table, 3)


def test_containers_cut_by_the_volume_are_told(folder):
    nuclei = io.open_volume(folder / "nuclei.ome.zarr")[:]
    nuclei[18, 18, :20] = 4
    store(folder, "nuclei", nuclei)
    table = measured(folder)
    flags = table[table["measure"] == "proximity"].set_index("instance")["flag"].to_dict()
    assert flags == {1: "container_touches_border", 2: "container_touches_border", 7: "container_touches_border orphan"}


def test_large_objects_are_reduced_and_told(folder):
    table = measured(folder, within=False, max_voxels=500)
    assert set(table[table["instance"] == 1]["flag"]) == {"reduced unsmoothed"}  # a ball of 2 voxels vanishes
    assert values(table, 1)["volume_um3"] == pytest.approx(257e-6)  # that of all voxels
    assert values(table, 1)["major_axis_um"] == pytest.approx(0.08, rel=0.1)
    assert set(table[table["instance"] == 3]["flag"]) == {"touches_border"}
    within = measured(folder, max_voxels=500)
    assert "container_reduced" in set(within[within["measure"] == "proximity"]["flag"])


def test_in_a_container_that_vanishes_when_reduced_proximity_is_not_known(folder):
    nuclei, nucleoli = np.zeros((2, 40, 40, 40), np.uint32)
    nuclei[np.arange(40), np.arange(40), np.arange(40)] = 4  # a thread in a large box
    nucleoli[20, 20, 20] = 1
    store(folder, "nuclei", nuclei)
    store(folder, "labels", nucleoli)
    parents = count_objects(io.open_volume(folder / "labels.ome.zarr"))[["instance"]].assign(parent=4)
    io.write_table(folder / "parents.csv", parents, {})
    table = measured(folder, max_voxels=1000)
    rows = table[table["measure"].isin(measure_morphology.PROXIMITY)]
    assert len(rows) == len(measure_morphology.PROXIMITY) and rows["value"].isna().all()
    assert set(rows["flag"]) == {"container_reduced container_touches_border"}


def test_threads_and_what_is_held_change_nothing(folder, monkeypatch):
    measured(folder)
    monkeypatch.setattr(measure_morphology, "OBJECTS_AT_ONCE", 1)
    measured(folder, threads=3)
    assert (folder / "morphology1.csv").read_bytes() == (folder / "morphology3.csv").read_bytes()


def test_a_stack_of_thick_slices(folder):
    labels = np.zeros((30, 100, 100), np.uint32)
    mask = ball(400, (50, 10, 10))
    labels[2 : 2 + len(mask), 5 : 5 + mask.shape[1], 5 : 5 + mask.shape[2]][mask] = 12
    io.write_volume(folder / "labels.ome.zarr", labels, (50, 10, 10), record={})
    io.write_table(folder / "labels.csv", count_objects(io.open_volume(folder / "labels.ome.zarr")), {})
    found = values(measured(folder, within=False), 12)
    assert found["volume_um3"] == pytest.approx(4 / 3 * np.pi * 0.4**3, rel=0.01)
    assert found["surface_area_um2"] == pytest.approx(4 * np.pi * 0.4**2, rel=0.01)
    assert found["equivalent_diameter_um"] == pytest.approx(0.8, rel=0.01)


def test_without_objects_there_are_columns_only(folder):
    store(folder, "labels", np.zeros((4, 5, 6), np.uint32))
    table = measured(folder, within=False)
    assert list(table.columns) == [*KEYS, "instance", "measure", "value", "unit", "flag"] and not len(table)


def test_what_nobody_labelled_is_no_object(folder):
    labels = io.open_volume(folder / "labels.ome.zarr")[:]
    labels[labels == 3] = 2**32 - 1
    store(folder, "labels", labels)
    assert set(measured(folder, within=False)["instance"]) == {1, 2, 7}
