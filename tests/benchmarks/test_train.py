"""benchmarks/train.py runs, and its columns hold what their headings say."""

import json

import measuring
import pytest
import torch
import train


def test_a_quick_run_reports_ratios_and_shares(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    threads = torch.get_num_threads()
    train.main(["--quick", "--steps", "2", "--threads", "1", "--device", "cpu", "--precision", "float32"])
    torch.set_num_threads(threads)
    found = json.loads((tmp_path / "train.json").read_text())
    assert found["columns"] == list(train.COLUMNS)
    assert [row[0] for row in found["rows"]] == [case[0] for case in train.QUICK_CASES]
    for row in found["rows"]:
        assert all(value > 0 for value in row[3:])
        assert row[9] <= 0.1  # the share that is counted is the preset's at most


def test_more_steps_than_windows_are_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    monkeypatch.setattr(train, "REGIONS", {"quick": ((3, 32, 32), (3, 32, 32))})
    with pytest.raises(SystemExit, match=r"--steps: expected at most the 1 windows of an epoch, found 2"):
        train.main(["--quick", "--steps", "2", "--threads", str(torch.get_num_threads()), "--device", "cpu"])
