"""benchmarks/equal_time.py: one step of an experiment is timed, and the table says how many fit into a time."""

import json

import equal_time
import measuring


def test_the_first_experiment_of_a_configuration_is_timed(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    equal_time.main(["--quick", "--seconds", "30"])
    (row,) = json.loads((tmp_path / "equal_time.json").read_text())["rows"]
    assert row[0].startswith("resunet, ") and row[1:3] == ["(1, 192, 192)", "5"]
    assert int(row[4]) == round(30 * row[3])


def test_networks_of_a_grid_are_timed_once():
    found = equal_time.experiments(equal_time.ROOT / "config" / "vnc_sparse.yaml")
    assert [e["network"] for e in found] == ["resunet", "unet_2d", "hybrid_2d3d_333"]
    assert found[0]["targets"] == ["mitochondrion", "membrane"]
