"""benchmarks/tracking.py writes a row for each stage. Neither times nor memory are judged."""

import json

import measuring
import numpy as np
import pytest
import tracking


def test_slices_of_the_tissue_hold_cells_islands_and_a_texture():
    cells, islands, image = tracking.Tissue(200, 300, 12).at(3)
    assert cells.shape == islands.shape == image.shape == (200, 300)
    assert len(np.unique(cells)) == 13 and islands.any() and not (islands.astype(bool) & (cells > 0)).any()


@pytest.mark.slow
def test_quick_run_writes_a_row_for_each_stage(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    tracking.main(["--quick", "--only", "cost"])
    written = json.loads((tmp_path / "tracking.json").read_text())
    assert [row[0] for row in written["rows"]] == list(tracking.stages(tmp_path, 1))
    assert all(len(row) == len(written["columns"]) for row in written["rows"])
