"""benchmarks/predict.py: what is counted and compared, and that it runs with and without MONAI."""

import json
import math

import measuring
import numpy as np
import predict
import pytest
import torch

ROWS = [
    ("densecell, halo", 10.0, 99.0, {}),
    ("MONAI, a", 0.1, 95.0, {"sw_batch_size": 1}),
    ("MONAI, b", 0.5, 98.95, {"sw_batch_size": 2}),
    ("MONAI, c", 0.3, 98.91, {"sw_batch_size": 3}),
]


@pytest.fixture
def report(tmp_path, monkeypatch):
    """Runs main with --quick; gives what it reports."""
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    threads = torch.get_num_threads()

    def run():
        predict.main(["--quick", "--threads", "1", "--device", "cpu"])
        torch.set_num_threads(threads)
        return json.loads((tmp_path / "predict.json").read_text())

    return run


def test_equal_results_are_a_tenth_of_a_point_wide_and_the_fastest_counts():
    assert predict.best_at_equal_results(ROWS, 99.0)[0] == "MONAI, c"
    assert predict.best_at_equal_results(ROWS, 99.04)[0] == "MONAI, b"
    assert predict.best_at_equal_results(ROWS, 95.0)[0] == "MONAI, a"
    assert predict.best_at_equal_results(ROWS, 99.9) is None


def test_ratios_and_times_of_a_table_by_hand():
    """1000 voxels; MONAI computes 4000 in 8 s, densecell 1000 in 2 s, of which the two tiles take 1.5 s."""
    large = math.prod(predict.LARGE)
    ways = {
        "MONAI, usual": predict.Way(None, 4000, 4 * large, 95.0),
        "ours": predict.Way(None, 1000, large, 99.0, ("MONAI, usual",), ("bare", 2)),
        "bare": predict.Way(None, 500, large),
    }
    seconds = {"MONAI, usual": [8.0], "ours": [2.0], "bare": [0.75]}
    rows = {row[0]: row[1:] for row in predict.table(ways, seconds, 1000, 10, 10_000, "MONAI, usual")}
    minutes = 2e6 / 60
    assert rows["ours"] == pytest.approx([4, 4, 4, 0.75, 500, 1, 99, 0.5, minutes])
    assert rows["MONAI, usual"] == pytest.approx([1, 1, "", "", 125, 4, 95, 0.5, 4 * minutes])
    assert rows["bare"][1] == pytest.approx(8e6 / 1.5e6) and rows["bare"][-1] == pytest.approx(0.75 * minutes)


def test_operations_per_voxel_of_the_main_network():
    assert predict.flops_per_voxel(64, (5, 304, 304)) / 1e6 == pytest.approx(3.016, abs=0.001)


def test_it_runs_without_monai(report, monkeypatch):
    monkeypatch.setattr(predict, "sliding_window_inference", None)
    found = report()
    names = [row[0] for row in found["rows"]]
    assert [n for n in names if n.startswith("densecell")] == [
        *(f"densecell, {way}" for way in predict.OURS), "densecell, halo, from and to OME-Zarr"
    ]  # fmt: skip
    assert not any("MONAI" in name for name in names) and found["ensemble_of_four"] > 0


def test_monai_gives_the_labels_of_the_whole_volume_where_one_window_covers_it():
    pytest.importorskip("monai", reason="MONAI is a peer of the benchmarks only (requirements-bench.txt)")
    args = predict.parse(["--quick", "--precision", "float32", "--device", "cpu"])
    setup, image = predict.make_setup(4, args), predict.make_image((3, 32, 40))
    settings = {"roi_size": (3, 32, 40), "overlap": 0.25, "mode": "gaussian", "sw_batch_size": 1}
    found = predict.monai_labels(setup, image, plain=True, **settings)
    assert np.mean(found == predict.whole_labels(setup, image)) > 0.999
    assert predict.monai_computed((9, 100, 100), {**settings, "roi_size": (5, 40, 40)}) == 3 * 3 * 3 * 5 * 40 * 40


@pytest.mark.slow
def test_it_runs_with_monai(report):
    pytest.importorskip("monai", reason="MONAI is a peer of the benchmarks only (requirements-bench.txt)")
    found = report()
    rows = {row[0]: row for row in found["rows"]}
    assert rows["MONAI, usual, 1 at once"][1] == 1 and len(found["search"]) == len(predict.OURS) + 6
