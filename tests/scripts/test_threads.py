"""Threads change how fast a volume is worked through, never what comes out, nor what its sidecar says."""

import importlib
import json

import numpy as np
import pytest
import stacks

SHAPE = (43, 40, 36)
KEYS = {"volume": "v", "region": "test", "reference": "reference", "experiment": "main"}
WEIGHTS = {
    "class_weight_power": 1,
    "edge_amplitude": 0.882,
    "edge_sigma_px": 2,
    "edge_threshold": 0.25,
    "edge_scale": 0.5,
    "floor": 0.01,
}
PREDICTIONS = ["--predictions", "predicted", "reference", "--predictors", '["a", "b"]', "--keys", json.dumps(KEYS)]
CLASSES = ["--classes", stacks.CLASSES_JSON]
FRACTIONS = ["compute_volume_fractions", "--settings", '{"margins_nm": [120, 30]}']
JOBS = {
    "bin_volume": ["bin_volume", "--image", "image", "--binning", "[2, 2, 3]"],
    "bin_labels": ["bin_labels", "--labels", "reference", "--binning", "[2, 2, 3]", *CLASSES],
    "measure_intensity": ["measure_intensity", "--image", "image"],
    "measure_intensity_of_floats": ["measure_intensity", "--image", "floats"],
    "normalize_region": ["normalize_region", "--image", "image", "--region", '{"name": "r", "z": [3, 42]}'],
    "build_weight_map": [
        *["build_weight_map", "--labels", "reference", "--all-labels", "reference"],
        *["--settings", json.dumps(WEIGHTS), *CLASSES],
    ],
    "confusion": ["compute_confusion_matrix", "--reference", "reference", *PREDICTIONS, *CLASSES],
    "fractions": [*FRACTIONS, "--reference", "reference", *PREDICTIONS, *CLASSES],
    "fractions_of_volumes": [*FRACTIONS, *PREDICTIONS, *CLASSES],
}


@pytest.fixture(scope="module")
def volumes(tmp_path_factory):
    """Names in the commands above -> paths of volumes."""
    folder, rng = tmp_path_factory.mktemp("volumes"), np.random.default_rng(0)
    reference = np.kron(rng.integers(0, 3, (43, 10, 9)), np.ones((1, 4, 4), int)).astype(np.uint8)
    predicted = np.where(rng.random(SHAPE) < 0.8, reference, 1).astype(np.uint8)
    reference[:, :2] = 255
    left_out = {"binning": [1, 1, 1], "left_out_slices": [7, *range(16, 24)]}
    floats = rng.normal(1000, 3, SHAPE).astype(np.float32)
    return {
        "image": stacks.save(folder / "image.ome.zarr", stacks.random_image(SHAPE), attributes=left_out),
        "floats": stacks.save(folder / "floats.ome.zarr", floats, attributes=left_out),
        "reference": stacks.imported_labels(folder / "reference.ome.zarr", reference, SHAPE),
        "predicted": stacks.save(folder / "predicted.ome.zarr", predicted),
    }


@pytest.mark.parametrize("job", JOBS)
def test_threads_change_neither_the_result_nor_its_sidecar(job, volumes, tmp_path):
    script, *arguments = [volumes.get(word, word) for word in JOBS[job]]
    sidecars = []
    for threads in ("1", "2", "5"):
        output = tmp_path / threads / "result"  # a volume's metadata hold its name
        output.parent.mkdir()
        importlib.import_module(script).main([*arguments, "--threads", threads, "--output", str(output)])
        sidecars.append(output.with_name("result.json").read_text())  # with the hash of the file or of every shard
    assert sidecars[0] == sidecars[1] == sidecars[2]
    assert "threads" not in sidecars[0]
