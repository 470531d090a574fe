"""benchmarks/scaling.py: slabs are cut at shards, and their voxels are compared with those of one job."""

import json

import measuring
import numpy as np
import pytest
import scaling
import synthetic

from densecell import io


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_slabs_cover_every_slice_once(count):
    ranges = [scaling.slab_range(i, count, depth=37, slab_depth=8) for i in range(1, count + 1)]
    covered = [z for start, stop in ranges for z in range(start, stop)]
    assert covered == list(range(37)) and all(start % 8 == 0 or start == 37 for start, _ in ranges)


def test_a_voxel_that_differs_is_counted(tmp_path):
    labels = np.zeros((16, 4, 4), np.uint8)
    io.write_volume(scaling.labels_path(tmp_path, 1, 1), labels, (1, 1, 1), record=synthetic.RECORD)
    labels[12, 0, 0] = 1  # in the second slab
    for i in (1, 2):
        io.write_volume(scaling.labels_path(tmp_path, i, 2), labels, (1, 1, 1), record=synthetic.RECORD)
    assert scaling.equal_share(tmp_path, 1) == 1
    assert scaling.equal_share(tmp_path, 2) == 1 - 1 / labels.size


@pytest.mark.slow
def test_it_runs_and_the_result_is_the_same(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    scaling.main(["--quick", "--slabs", "2", "3"])
    rows = json.loads((tmp_path / "scaling.json").read_text())["rows"]
    assert [row[0] for row in rows] == ["1", "2", "3"] and rows[0][1] == 1
    assert all(row[-1] == 100 for row in rows)
