"""train_network.py: what it writes and how it remembers; the learning itself is tested in the library's tests."""

import json

import numpy as np
import pytest
import yaml
from workflow_runs import REPO

import train_network
from densecell import checkpoints, files, io

CLASSES = [{"name": "resin", "group": "background"}, {"name": "cell", "group": "cell"}]
RECORD = {"params": {}, "code": "", "parents": {}}
PRESETS = yaml.safe_load((REPO / "config/presets.yaml").read_text())["presets"]
TRAINING = {**PRESETS[1]["training"], "steps": 4, "evaluate_every_steps": 2, "warmup_steps": 1, "precision": "float32"}
SETTINGS = {"network": "hybrid_2d3d_333", "options": {"base_width": 4}, "window": [3, 24, 24], "spacing": [2, 8, 8], "training": TRAINING}  # fmt: skip


def region(folder, name, shape=(4, 32, 30), labels_shape=None):
    image = np.random.default_rng(len(name)).standard_normal(shape).astype(np.float32)
    attributes = {"inner": [[0, n] for n in shape], "normalization": {"method": "zscore", "mean": 1.0, "std": 2.0}}
    labels = (image > 0).astype(np.uint8)[tuple(slice(n) for n in labels_shape or shape)]
    io.write_volume(folder / f"{name}_image", image, (50, 10, 10), record=RECORD, attributes=attributes)
    io.write_volume(folder / f"{name}_labels", labels, (50, 10, 10), record=RECORD)
    io.write_volume(folder / f"{name}_weights", np.ones(labels.shape, np.float32), (50, 10, 10), record=RECORD)


def run(folder, out, seed=1, settings=SETTINGS, more=None):
    given = {f"--train-{kind}": folder / f"train_{kind}" for kind in ("labels", "weights")}
    given |= {"--train-images": folder / "train_image"}
    given |= {"--eval-images": folder / "eval_image", "--eval-labels": folder / "eval_labels"}
    given |= {"--experiment": "h", "--seed": seed, "--settings": json.dumps(settings), "--classes": json.dumps(CLASSES)}
    given |= {"--best": out / "best.safetensors", "--last": out / "last.safetensors", "--history": out / "history.csv"}
    given |= more or {}
    train_network.main([str(x) for pair in given.items() for x in pair])


def test_checkpoints_and_history_of_a_run_and_a_run_repeated(tmp_path):
    region(tmp_path, "train")
    region(tmp_path, "eval")
    for out, seed in (("a", 1), ("b", 1), ("c", 2)):
        run(tmp_path, tmp_path / out, seed)
    history = io.read_table(tmp_path / "a/history.csv")
    assert sorted(history["step"].unique()) == [2, 4]
    assert set(history["measure"]) == {"learning_rate", "training_loss", "eval_miou", "eval_iou"}
    spec = checkpoints.read_specification(tmp_path / "a/best.safetensors")
    scores = history[history["measure"] == "eval_miou"].set_index("step")["value"]
    assert spec["eval_miou"] == scores.max() == scores[spec["step"]]
    assert spec["classes"] == ["resin", "cell"]
    assert spec["normalization"] == [{"method": "zscore", "mean": 1.0, "std": 2.0}]
    assert spec["seeds"]["weights"] != spec["seeds"]["data"]
    a, b, c = ((tmp_path / out / "last.safetensors").read_bytes() for out in "abc")
    assert a == b
    assert a != c


def test_weight_and_data_seeds_can_be_set_apart(tmp_path):
    region(tmp_path, "train")
    region(tmp_path, "eval")
    for out, weights, data in (("a", 5, 6), ("b", 5, 7)):
        run(tmp_path, tmp_path / out, settings={**SETTINGS, "weight_seed": weights, "data_seed": data})
        assert checkpoints.read_specification(tmp_path / out / "last.safetensors")["seeds"] == {
            "seed": 1,
            "weights": weights,
            "data": data,
        }
    a, b = ((tmp_path / out / "last.safetensors").read_bytes() for out in "ab")
    assert a != b


def test_labels_of_another_shape_are_refused(tmp_path):
    region(tmp_path, "train", labels_shape=(4, 32, 28))
    region(tmp_path, "eval")
    with pytest.raises(ValueError, match=r"train_labels: its shape \(4, 32, 28\) is not the region's \(4, 32, 30\)"):
        run(tmp_path, tmp_path / "a")


def test_snapshots_show_one_slice_every_so_many_steps_and_change_nothing_else(tmp_path):
    region(tmp_path, "train")
    region(tmp_path, "eval")
    run(tmp_path, tmp_path / "plain")
    options = {"region": "eval", "slice": 3, "every_steps": 2}
    run(tmp_path, tmp_path / "filmed", more={
        "--snapshot-image": tmp_path / "eval_image", "--snapshot": json.dumps(options), "--snapshots": tmp_path / "filmed",
        "--restart": tmp_path / "restart.pt",
    })  # fmt: skip
    plain, filmed = (files.hash_file(tmp_path / name / "last.safetensors") for name in ("plain", "filmed"))
    assert plain == filmed
    steps = files.read_json(tmp_path / "filmed" / "steps.json")
    assert steps["steps"] == [0, 2, 4] and steps["slice"] == 3
    frames = [io.open_volume(tmp_path / "filmed" / f"{c['name']}.ome.zarr")[:].astype(int) for c in CLASSES]
    assert frames[0].shape == (3, 32, 30)
    assert np.abs(sum(frames) - 255).max() <= 1  # probabilities add up to one
    assert (frames[0][0] != frames[0][2]).any()  # it learned something
    assert not (tmp_path / "restart.pt.frames").exists()


def test_the_tile_of_evaluation_and_prediction_can_differ_from_the_window(tmp_path):
    region(tmp_path, "train")
    region(tmp_path, "eval")
    run(tmp_path, tmp_path / "out", settings={**SETTINGS, "tile": [4, 32, 32]})
    assert checkpoints.read_specification(tmp_path / "out" / "best.safetensors")["tile"] == [4, 32, 32]


@pytest.mark.parametrize("network", ["deeplab_drn", "deeplab_resnet101"])
def test_networks_with_batch_statistics_train_and_their_checkpoints_load(tmp_path, network):
    region(tmp_path, "train")
    region(tmp_path, "eval")
    settings = {**SETTINGS, "network": network, "window": [2, 24, 24], "training": {**TRAINING, "batch_size": 2}}
    for out in "ab":
        run(tmp_path, tmp_path / out, settings=settings)
    a, b = ((tmp_path / out / "last.safetensors").read_bytes() for out in "ab")
    assert a == b
    restored, _ = checkpoints.load_network(tmp_path / "a/last.safetensors", ["resin", "cell"])
    counts = {int(v) for k, v in restored.state_dict().items() if k.endswith("num_batches_tracked")}
    assert counts == {4}


def test_eval_regions_without_a_labelled_voxel_are_refused_before_the_training(tmp_path):
    region(tmp_path, "train")
    region(tmp_path, "eval")
    io.write_volume(tmp_path / "eval_labels", np.full((4, 32, 30), 255, np.uint8), (50, 10, 10), record=RECORD)
    with pytest.raises(ValueError, match=r"eval_labels: expected labelled voxels.*regions\.<name>\.labels"):
        run(tmp_path, tmp_path / "out", more={"--restart": tmp_path / "restart.pt"})
    assert not (tmp_path / "out").exists() and not (tmp_path / "restart.pt").exists()
