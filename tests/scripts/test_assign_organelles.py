import json

import contents_inputs as made_up
import numpy as np
import pytest

import assign_organelles
from densecell import files, io
from densecell.assignment import PARENTS

KEYS = {"volume": "v", "objects": "granules", "source": "hybrid", "class": "granule", "container": "cells"}


def assigned(folder, members=None, threads=1, cells=None):
    """The table of parents of the made-up granules."""
    folder.mkdir(parents=True, exist_ok=True)
    objects, table = made_up.write_objects(folder, made_up.granules(), "granules")
    containers, _ = made_up.write_objects(folder, made_up.cells() if cells is None else cells, "cells")
    given = ["--objects", objects, "--table", table, "--containers", containers, "--keys", json.dumps(KEYS)]
    given += ["--members", members] if members else []
    given += ["--classes", made_up.CLASSES, "--threads", str(threads), "--output", str(folder / "parents.csv")]
    assign_organelles.main(given)
    return io.read_table(folder / "parents.csv")


def test_granules_find_their_cells(tmp_path):
    table = assigned(tmp_path)
    assert list(table.columns) == list(PARENTS) and set(table["container"]) == {"cells"}
    assert table["parent"].tolist() == [5, 8, 0]  # of the third just half lies in a cell
    assert table["share"].tolist() == [1, 1, 0.5] and table["voxels"].tolist() == [64, 8, 16]
    assert table["agreement_mean"].isna().all() and set(table["n_members"]) == {0}


def test_members_confirm_what_they_see_and_are_parents_of_the_table(tmp_path):
    table = assigned(tmp_path, made_up.write_members(tmp_path))
    # 4 x 4 x 4 with one plane of 16 less in one of three networks, and its core counts as granule
    assert table["agreement_mean"][0] == pytest.approx((48 / 64 + 1 + 1) / 3) and table["agreement_min"][0] == 0.75
    assert table["agreement_mean"][1] == 1 and set(table["n_members"]) == {3}
    parents = files.read_sidecar(tmp_path / "parents.csv")["parents"]
    assert sum("/members/net_seed" in path for path in parents) == 3


def test_threads_change_nothing(tmp_path):
    members = made_up.write_members(tmp_path)
    for threads in (1, 3):
        assigned(tmp_path / str(threads), members, threads)
    first, other = ((tmp_path / n / "parents.csv").read_bytes() for n in "13")
    assert first == other


def test_refuses_containers_of_another_size_and_a_folder_without_networks(tmp_path):
    with pytest.raises(ValueError, match=r"cells.ome.zarr: expected \(z, y, x\) = \(12, 20, 26\)"):
        assigned(tmp_path, cells=np.zeros((12, 20, 20), np.uint32))
    (tmp_path / "none").mkdir()
    with pytest.raises(ValueError, match="none: expected the class map of at least one network"):
        assigned(tmp_path, str(tmp_path / "none"))
