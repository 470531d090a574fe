import json

import contents_inputs as made_up
import numpy as np
import pytest
from test_assign_organelles import assigned

import measure_contents
from densecell import io
from densecell.assignment import CONTENTS


def measured(folder, members=None, labels=None, threads=1):
    """The table of contents of the made-up cells, with the granules that were assigned to them."""
    assigned(folder, members)
    io.write_volume(
        folder / "labels.ome.zarr", made_up.class_map() if labels is None else labels, made_up.VOXEL_NM, record={}
    )
    given = ["--containers", str(folder / "cells.ome.zarr"), "--table", str(folder / "cells.csv")]
    given += ["--maps", str(folder / "labels.ome.zarr"), "--sources", '["hybrid"]', "--members", json.dumps([members])]
    given += ["--parents", str(folder / "parents.csv"), "--children", '[{"source": "hybrid", "class": "granule"}]']
    given += ["--keys", '{"volume": "v", "objects": "cells"}', "--classes", made_up.CLASSES]
    measure_contents.main([*given, "--threads", str(threads), "--output", str(folder / "contents.csv")])
    return io.read_table(folder / "contents.csv")


def test_cells_and_outside_add_up_to_the_class_map(tmp_path):
    table = measured(tmp_path)
    assert list(table.columns) == list(CONTENTS)
    totals = table.groupby("class", sort=False)["voxels"].sum()
    assert totals.tolist() == np.bincount(made_up.class_map().ravel(), minlength=4).tolist()
    voxels = table.set_index(["instance", "class"])["voxels"]
    assert voxels[5].tolist() == [0, 1000 - 64, 56, 8] and voxels[0, "granule"] == 8


def test_shares_volumes_and_numbers_of_objects(tmp_path):
    table = measured(tmp_path).set_index(["instance", "class"])
    assert table.loc[(5, "granule"), "fraction"] == 0.056 and table.loc[(5, "granule"), "with_inner_fraction"] == 0.064
    assert table.loc[(5, "granule"), "with_inner_um3"] == pytest.approx(64 * 5e-6)
    numbers = table["n_objects"].unstack()["granule"]
    assert (numbers[0], numbers[5], numbers[8]) == (1, 1, 1)
    assert table["n_confirmed"].isna().all() and set(table["n_members"]) == {0}


def test_the_spread_over_networks(tmp_path):
    table = measured(tmp_path, made_up.write_members(tmp_path)).set_index(["instance", "class"])
    row = table.loc[(5, "granule")]
    assert row["fraction_mean"] == pytest.approx(0.056) and row["fraction_sd"] == pytest.approx(0.016)
    assert (row["fraction_min"], row["fraction_max"]) == (0.04, 0.072) and row["n_confirmed"] == 1


def test_threads_change_nothing(tmp_path):
    members = made_up.write_members(tmp_path)
    for threads in (1, 3):
        measured(tmp_path / str(threads), members, threads=threads)
    first, other = ((tmp_path / n / "contents.csv").read_bytes() for n in "13")
    assert first == other


def test_classes_from_two_maps_stay_apart(tmp_path):
    measured(tmp_path)
    given = ["--containers", str(tmp_path / "cells.ome.zarr"), "--table", str(tmp_path / "cells.csv")]
    given += ["--maps", *[str(tmp_path / "labels.ome.zarr")] * 2, "--sources", '["one", "two"]']
    given += ["--parents", str(tmp_path / "parents.csv"), "--children", '[{"source": "two", "class": "granule"}]']
    given += ["--keys", '{"volume": "v", "objects": "cells"}', "--classes", made_up.CLASSES]
    measure_contents.main([*given, "--output", str(tmp_path / "two.csv")])
    table = io.read_table(tmp_path / "two.csv")
    assert table.groupby("source")["voxels"].sum().tolist() == [12 * 20 * 26] * 2
    counted = table[table["n_objects"].notna()]
    assert set(counted["source"]) == {"two"} and set(counted["class"]) == {"granule"}


def test_labels_of_one_class_are_counted(tmp_path):
    """A source that annotates granules alone: all else in it is 254."""
    labels = np.where(made_up.class_map() == 2, 2, 254)
    table = measured(tmp_path, labels=labels.astype(np.uint8)).set_index(["instance", "class"])
    assert table.loc[(5, "granule"), "fraction"] == 0.056 and table.loc[(5, "other"), "voxels"] == 1000 - 56


def test_refuses_a_class_map_of_another_size_and_unknown_classes(tmp_path):
    with pytest.raises(ValueError, match=r"labels.ome.zarr: expected \(z, y, x\) = \(12, 20, 26\)"):
        measured(tmp_path, labels=np.zeros((12, 20, 20), np.uint8))
    with pytest.raises(
        ValueError, match=r"labels.ome.zarr: expected classes from 0 to 3, or 255 for unlabelled, found \[7\]"
    ):
        measured(tmp_path / "b", labels=np.full((12, 20, 26), 7, np.uint8))


def test_refuses_containers_that_their_table_does_not_have_and_names_it(tmp_path, monkeypatch):
    monkeypatch.setattr(made_up.ObjectTable, "table", lambda self, table=made_up.ObjectTable.table: table(self)[:1])
    with pytest.raises(
        ValueError, match=r"granules.csv: expected every number of its volume, found 2 missing, such as 2"
    ):
        measured(tmp_path)
