import json

import numpy as np
import pytest
import stacks

import build_weight_map
from densecell import io
from densecell.classes import Classes
from densecell.weight_maps import class_balance_weights, weight_slice

SETTINGS = {
    "name": "m",
    "class_weight_power": 1,
    "edge_amplitude": 0.882,
    "edge_sigma_px": 2,
    "edge_threshold": 0.25,
    "edge_scale": 0.5,
    "floor": 0.01,
}


def run(tmp_path, labels, counts, **settings):
    paths = [
        stacks.save(tmp_path / f"{i}.ome.zarr", labels, fill_value=255, attributes={"class_counts": c})
        for i, c in enumerate(counts)
    ]
    arguments = ["--labels", paths[0], "--all-labels", *paths, "--settings", json.dumps({**SETTINGS, **settings})]
    build_weight_map.main(
        [*arguments, "--classes", stacks.CLASSES_JSON, "--output", str(tmp_path / "weights.ome.zarr")]
    )
    return io.open_volume(tmp_path / "weights.ome.zarr")[:]


def test_without_edges_the_weight_is_the_class_balance_of_all_regions(tmp_path):
    weights = run(tmp_path, np.array([[[0, 1], [2, 255]]], np.uint8), [[60, 10, 2], [20, 10, 0]], edge_scale=0)
    np.testing.assert_allclose(weights, [[[0.01 + 2 / 80, 0.01 + 2 / 20], [0.01 + 1, 0]]], rtol=1e-6)


def test_every_slice_is_weighted_by_itself(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, (10, 12, 14)).astype(np.uint8)
    labels[3, 2] = 255
    balance = class_balance_weights([5, 6, 7], 1)
    groups = Classes.from_records(stacks.CLASSES).group_ids
    expected = [weight_slice(plane, balance, groups, 2, 0.882, 0.25, 0.01, 0.5) for plane in labels]
    weights = run(tmp_path, labels, [[5, 6, 7]])
    assert weights.dtype == np.float32
    np.testing.assert_array_equal(weights, expected)


def test_no_labelled_voxel_is_refused(tmp_path):
    with pytest.raises(ValueError, match="class_counts: expected counts >= 0 with at least one voxel"):
        run(tmp_path, np.full((1, 2, 2), 255, np.uint8), [[0, 0, 0]])
