"""benchmarks/preprocess.py runs, and its peers compute what densecell computes. No time is judged."""

import json

import measuring
import numpy as np
import preprocess
import pytest
from synthetic import Stack


def test_quick_run_writes_a_row_for_each_step(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    preprocess.main(["--quick"])
    written = json.loads((tmp_path / "preprocess.json").read_text())
    steps = ["weight map", "binning (1, 2, 2)", "intensity", "normalization", "confusion", "volume fractions"]
    assert [row[0] for row in written["rows"]] == steps
    assert all(len(row) == len(written["columns"]) and min(row[1:4] + row[5:]) > 0 for row in written["rows"])


@pytest.fixture(scope="module")
def compared():
    """Step -> (result of the peer, of densecell) on a small stack."""
    stack = Stack(64)
    image, reference, predicted = (
        np.stack([make(z) for z in range(3)]) for make in (stack.image, stack.labels, lambda z: stack.labels(z, 0.9))
    )
    reference[:, 40:] = 0
    return {name: (peer(), ours()) for name, (_, peer, ours) in preprocess.peers(image, reference, predicted).items()}


@pytest.mark.parametrize("step", ["weight map", "binning (1, 2, 2)", "normalization", "confusion"])
def test_peer_computes_the_same(step, compared):
    peer, ours = compared[step]
    np.testing.assert_allclose(ours, peer, rtol=0, atol=1e-6)


def test_peer_measures_the_same_intensities(compared):
    (mean, std, percentiles), numbers = compared["intensity"]
    found = [numbers[key] for key in ("mean", "std", "low", "high")]
    assert found == pytest.approx([mean, std, *percentiles])


def test_peer_counts_the_same_voxels_near_the_cell(compared):
    peer, ours = compared["volume fractions"]
    assert [counts.tolist() for counts in ours.values()] == [counts.tolist() for counts in peer]
    assert peer[0].sum() < peer[-1].sum()  # the margins differ here
