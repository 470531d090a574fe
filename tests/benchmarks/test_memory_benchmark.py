"""benchmarks/memory.py: what a process takes is found, and the stages' commands fit the scripts."""

import json
import sys

import measuring
import memory
import pytest

HOLD = "x = bytearray({} * 2**20); x[::4096] = b'1' * len(x[::4096])"


@pytest.fixture(autouse=True)
def own_results(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)


def test_the_peak_is_that_of_the_process_and_not_of_this_one():
    held = bytearray(300 * 2**20)
    held[::4096] = b"1" * len(held[::4096])
    small, large = (memory.peak_bytes([sys.executable, "-c", HOLD.format(n)]) for n in (1, 101))
    assert small < 60 * 2**20
    assert 95 * 2**20 < large - small < 105 * 2**20


def test_a_failing_stage_is_told_with_its_output():
    with pytest.raises(RuntimeError, match="this went wrong"):
        memory.peak_bytes([sys.executable, "-c", "raise SystemExit('this went wrong')"])


def test_a_row_has_the_ratio_first_and_the_slope_of_a_line():
    row = memory.row("stage", {10: 100_000_000, 20: 110_000_000, 30: 120_000_000}, slice_voxels=1000)
    assert row == ["stage", 1.2, 100.0, 110.0, 120.0, pytest.approx(1_000_000), pytest.approx(1000)]


def test_an_unknown_stage_is_refused():
    with pytest.raises(SystemExit, match=r"bin_volumes is not measured; known: align_volume, bin_volume, "):
        memory.main(["--quick", "--stages", "bin_volumes"])


def test_a_stage_is_measured_at_two_depths(tmp_path):
    memory.main(["--quick", "--stages", "bin_volume"])
    report = json.loads((tmp_path / "memory.json").read_text())
    assert report["columns"][:4] == ["stage", "32 / 16 slices", "MB at 16", "MB at 32"]
    ((stage, ratio, small, large, *_),) = report["rows"]
    assert stage == "bin_volume" and ratio == pytest.approx(large / small)
    assert 30 < small < 1000


@pytest.mark.slow
def test_all_stages_are_measured(tmp_path, capsys):
    memory.main(["--quick"])
    told = capsys.readouterr().out
    for stage in memory.stages(tmp_path, tmp_path, 1):
        assert f"| {stage} |" in told
