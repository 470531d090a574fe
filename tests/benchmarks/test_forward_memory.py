"""benchmarks/forward_memory.py: a process's growth is found and set against the estimate."""

import json

import forward_memory
import measuring
import pytest

from densecell.networks import build_network


def test_a_case_grows_by_about_what_its_tensors_take(tmp_path, monkeypatch):
    monkeypatch.setattr(measuring, "RESULTS", tmp_path)
    forward_memory.main(["--quick", "--threads", "1", "--precisions", "float32"])
    ((name, window, precision, over_estimate, over_live, *per_voxel),) = json.loads(
        (tmp_path / "forward_memory.json").read_text()
    )["rows"]
    assert (name, window, precision) == ("hybrid_2d3d_333, base_width 4", "(5, 96, 96)", "float32")
    assert 0 < over_estimate < over_live < 20
    assert over_live == pytest.approx(per_voxel[0] / per_voxel[2])


def test_the_small_window_is_one_that_the_network_takes():
    network = build_network("unet_2d", base_width=4)
    window = forward_memory.network_minimum(network, (1, 572, 572))
    assert network.output_shape(window) and window[1] < 572
