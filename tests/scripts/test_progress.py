import pytest

import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that the test sets: clock[0] seconds."""
    now = [100.0]
    monkeypatch.setattr(progress.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(progress.sys, "argv", ["/x/align_volume.py"])
    return now


def test_prints_every_five_seconds_and_at_the_end(clock, capsys):
    bar = progress.Progress(40, "slices")
    for seconds, n in ((2, 4), (5, 4), (6, 4), (9.9, 4), (10, 4)):
        clock[0] = 100 + seconds
        bar.step(n)
    clock[0] = 111
    bar.step(20)
    assert capsys.readouterr().err.splitlines() == [
        "align_volume: 8/40 slices, 1.6 slices/s, 20 s left",
        "align_volume: 20/40 slices, 2.0 slices/s, 10 s left",
        "align_volume: 40/40 slices, 3.6 slices/s, done in 11 s",
    ]


def test_large_counts_are_readable_and_a_fast_loop_divides_by_no_zero(clock, capsys):
    progress.Progress(2_000_000, "voxels").step(2_000_000)
    assert capsys.readouterr().err == "align_volume: 2,000,000/2,000,000 voxels, 2,000,000,000 voxels/s, done in 0 s\n"
