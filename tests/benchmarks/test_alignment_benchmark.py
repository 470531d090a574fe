"""benchmarks/alignment.py runs, and its peer finds the shifts that densecell finds. No time is judged."""

import json

import alignment as benchmark
import measuring
import numpy as np
from synthetic import Stack

from densecell.alignment import ALIGNMENT_METHODS, estimate_shifts


def test_quick_run_writes_a_row_for_each_method(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    benchmark.main(["--quick", "--threads", "1"])
    written = json.loads((tmp_path / "alignment.json").read_text())
    assert [row[0] for row in written["rows"]] == list(ALIGNMENT_METHODS)
    assert all(len(row) == len(benchmark.COLUMNS) for row in written["rows"])


def test_peer_finds_the_same_shifts():
    stack = Stack(256)
    image = np.stack([stack.image(z) for z in range(4)])
    ours = estimate_shifts(image.__getitem__, 4)
    ours = np.stack([ours["dy_px"], ours["dx_px"]], axis=1)[1:]
    np.testing.assert_allclose(benchmark.peer_shifts(image), ours, atol=0.15)
