"""benchmarks/intensity.py runs from phantoms to scores. Neither times nor scores are judged."""

import json

import intensity
import measuring
import pytest


@pytest.mark.slow
def test_quick_run_writes_a_row_for_each_method(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    intensity.main(["--quick"])
    written = json.loads((tmp_path / "intensity.json").read_text())
    assert [row[0] for row in written["rows"]] == ["none", "equalize", "match", "percentile", "clahe"]
    assert all(len(row) == len(written["columns"]) for row in written["rows"])
    assert all(0 <= value <= 1 for scores in written["scores"].values() for seed in scores for value in seed)
