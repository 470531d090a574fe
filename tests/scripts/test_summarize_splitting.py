import numpy as np
import pytest
from test_compare_instances import KEYS

import summarize_splitting
from densecell import instance_metrics, io


def scores(tmp_path, combination, wrong):
    """A table of scores of two cells, `wrong` of the ten voxels of the second of which are not found."""
    counts = instance_metrics.PairCounts()
    counts.add(np.repeat([1, 2], 10), np.concatenate([np.ones(10, int), np.repeat([2, 0], [10 - wrong, wrong])]))
    table = instance_metrics.instance_table(counts.table())
    for place, (name, key) in enumerate({**KEYS, "combination": combination}.items()):
        table.insert(place, name, key)
    path = tmp_path / f"{combination}.csv"
    io.write_table(path, table, {})
    return str(path)


def test_a_row_for_each_way_in_the_order_of_the_paper(tmp_path):
    paths = [scores(tmp_path, name, wrong) for name, wrong in (("selective", 0), ("mask", 5), ("overlay", 0))]
    summarize_splitting.main(["--scores", *paths, "--output", str(tmp_path / "table.csv")])
    table = io.read_table(tmp_path / "table.csv")
    assert table["combination"].tolist() == ["mask", "overlay", "selective"]
    assert table["way"].tolist() == ["mask", "mask + optical flow", "mask + border + optical flow, selective"]
    assert table.loc[0, ["n_cells", "mean_dice"]].tolist() == [2, pytest.approx((1 + 2 * 5 / 15) / 2)]
    assert table.loc[0, "sd_dice"] == pytest.approx(np.std([1, 2 * 5 / 15], ddof=1))
    assert table["foreground_dice"].tolist() == [pytest.approx(2 * 15 / 35), 1, 1]
