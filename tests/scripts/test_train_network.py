"""train_network.py: what it writes and how it remembers; the learning itself is tested in the library's tests."""

import json
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest
import safetensors.torch
import torch
import yaml
from workflow_runs import REPO

import train_network
import training_inputs
from densecell import checkpoints, files, io

CLASSES = [{"name": "resin", "group": "background"}, {"name": "cell", "group": "cell"}]
RECORD = {"params": {}, "code": "", "parents": {}}
PRESETS = yaml.safe_load((REPO / "config/presets.yaml").read_text())["presets"]
ROBUST = PRESETS[1]["training"]
TRAINING = {**ROBUST, "steps": 4, "evaluate_every_steps": 2, "warmup_steps": 1, "precision": "float32"}
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


# ------------------------------------------------------------------------------------------ targets, draws, no evaluation
FIBSEM = next(p["training"] for p in PRESETS if p["name"] == "fibsem")
SPARSE = {**FIBSEM, "steps": 6, "precision": "float32", "foreground": {"min_windows": 2, "min_px": 20, "target": None}}
NESTED = [*CLASSES, {"name": "nucleus", "group": "organelle", "inside": "cell"}]
TARGETS = ["cell", "nucleus"]
SIGMOID = {
    "network": "unet_2d", "options": {"base_width": 2, "padding": "same"}, "window": [1, 32, 32], "spacing": [1, 16, 16],
    "targets": TARGETS, "activation": "sigmoid", "decision": "compose", "threshold": 0.5, "evaluate": "none",
    "training": {**SPARSE, "batch_size": 3},
}  # fmt: skip


def sparse_region(folder, name, known=(1, 4, 6), seed=0, context=1):
    """A region of 8 slices with a slice of context on each side; cells and nuclei are known in `known` only."""
    generator = np.random.default_rng(seed)
    coarse = generator.standard_normal((8 + 2 * context, 6, 7)).repeat(8, 1).repeat(8, 2).astype(np.float32)
    image = coarse + 0.1 * generator.standard_normal(coarse.shape).astype(np.float32)
    attributes = {
        "inner": [[context, 8 + context], [0, 48], [0, 56]],
        "binning": [1, 1, 1],
        "normalization": {"method": "none"},
    }
    io.write_volume(folder / f"{name}_image", image, (4, 4, 4), record=RECORD, attributes=attributes)
    inner = coarse[context : 8 + context]
    labels = {"cell": (inner > 0).astype(np.uint8), "nucleus": (inner > 1).astype(np.uint8)}
    for target, array in labels.items():
        write_target(folder, f"{name}_{target}", array, known)
    classes = np.where(labels["nucleus"], 2, labels["cell"]).astype(np.uint8)
    classes[[z for z in range(8) if z not in known]] = 255
    io.write_volume(folder / f"{name}_labels", classes, (4, 4, 4), record=RECORD)


def write_target(folder, name, array, known, elsewhere=255):
    array = np.where(np.isin(np.arange(8), known)[:, None, None], array, elsewhere).astype(np.uint8)
    attributes = {"labelled_slices": list(known), "incomplete_slices": []}
    io.write_volume(folder / name, array, (4, 4, 4), record=RECORD, attributes=attributes)


def draw_table(folder, slices, regions=("train",)):
    """The slices that seed 1 trains on; seed 2 has others."""
    rows = [
        {"seed": 1, "region": r, "z": z, "use": "train" if z in slices else "held_out"}
        for r in regions
        for z in (1, 4, 6)
    ]
    rows += [{"seed": 2, "region": r, "z": 6, "use": "train"} for r in regions]
    io.write_table(folder / "draws.csv", pd.DataFrame(rows), RECORD)


def sparse_words(folder, out, settings=SIGMOID, drawn=True, names=("train",), more=()):
    words = ["--train-images", *(folder / f"{n}_image" for n in names), "--regions", json.dumps(list(names))]
    if settings["activation"] == "sigmoid":
        words += ["--train-targets", *(folder / f"{n}_{t}" for n in names for t in TARGETS)]
    else:
        words += ["--train-labels", *(folder / f"{n}_labels" for n in names)]
    words += ["--draw", folder / "draws.csv"] if drawn else []
    words += ["--experiment", "s", "--seed", 1, "--settings", json.dumps(settings), "--classes", json.dumps(NESTED)]
    words += ["--best", out / "best.safetensors", "--last", out / "last.safetensors", "--history", out / "history.csv"]
    return [str(word) for word in [*words, *more]]


def run_sparse(folder, out, *options, **named):
    """{"best": weights, "last": weights}."""
    train_network.main(sparse_words(folder, out, *options, **named))
    return {name: safetensors.torch.load_file(out / f"{name}.safetensors") for name in ("best", "last")}


def equal(a, b):
    return all(torch.equal(a[name], b[name]) for name in a)


@pytest.mark.parametrize("evaluate", ["none", "held_out"])
def test_a_training_without_evaluation_keeps_the_last_state_and_its_losses(tmp_path, evaluate):
    sparse_region(tmp_path, "train")
    draw_table(tmp_path, [1, 4])
    weights = run_sparse(tmp_path, tmp_path / "out", {**SIGMOID, "evaluate": evaluate})
    assert equal(weights["best"], weights["last"])
    history = io.read_table(tmp_path / "out/history.csv")
    assert set(history["measure"]) == {"learning_rate", "training_loss"}
    assert sorted(history["step"].unique()) == [2, 4, 6]  # an epoch is a batch for each of two slices
    for name in ("best", "last"):
        spec = checkpoints.read_specification(tmp_path / f"out/{name}.safetensors")
        assert (spec["step"], spec["eval_miou"]) == (6, None)
        assert spec["targets"] == TARGETS and spec["threshold"] == 0.5 and spec["activation"] == "sigmoid"
        assert spec["compose"] == {"order": TARGETS, "nested": "within", "ties": "order", "outside": "resin"}
    network, _ = checkpoints.load_network(tmp_path / "out/best.safetensors", ["resin", "cell", "nucleus"])
    assert network.predictor.out_channels == 2


NETWORKS = {
    "2d": {},
    "3d": {"network": "hybrid_2d3d_333", "options": {"base_width": 2}, "window": [5, 24, 24]},
    "cross-entropy": {"training": {**SIGMOID["training"], "loss": "cross_entropy"}},
    "grid": {"training": {**SIGMOID["training"], "sampler": "grid"}},
    "softmax": {"activation": "softmax", "decision": "argmax", "targets": None},
}


def test_a_killed_training_goes_on_to_the_same_bytes(tmp_path):
    sparse_region(tmp_path, "train")
    draw_table(tmp_path, [1, 4])
    training = {**SIGMOID["training"], "steps": 20, "save_every_minutes": 1e-9}
    settings = {**SIGMOID, "evaluate": "held_out", "training": training}
    run_sparse(tmp_path, tmp_path / "whole", settings)
    restart = tmp_path / "restart.pt"
    words = sparse_words(tmp_path, tmp_path / "out", settings, more=["--restart", restart])
    command = [sys.executable, REPO / "workflow/scripts/train_network.py", *words]
    with (tmp_path / "log").open("w") as log, subprocess.Popen(command, stderr=log) as process:
        deadline = time.monotonic() + 120
        while not restart.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        process.kill()
    assert restart.exists(), (tmp_path / "log").read_text()
    done = subprocess.run(command, capture_output=True, text=True, timeout=400)
    assert "resuming at step" in done.stderr and not restart.exists()
    for name in ("best.safetensors", "last.safetensors", "history.csv"):
        assert (tmp_path / "out" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


@pytest.mark.parametrize("changes", NETWORKS.values(), ids=NETWORKS)
def test_what_lies_in_slices_that_are_not_drawn_changes_no_bit_of_the_weights(tmp_path, changes):
    settings = {**SIGMOID, **changes}
    if "training" not in changes:
        settings["training"] = {
            **settings["training"],
            "augmentation": {**ROBUST["augmentation"], "elastic_grid_px": 16},
        }
    sparse_region(tmp_path, "train")
    draw_table(tmp_path, [1, 4])
    weights = run_sparse(tmp_path, tmp_path / "a", settings)
    generator = np.random.default_rng(5)
    for target in TARGETS:
        array = io.open_volume(tmp_path / f"train_{target}")[:]
        array[[0, 2, 3, 5, 6, 7]] = generator.choice([0, 1, 255], (6, 48, 56))
        write_target(tmp_path, f"train_{target}", array, range(8))
    classes = io.open_volume(tmp_path / "train_labels")[:]
    classes[[0, 2, 3, 5, 6, 7]] = generator.choice([0, 1, 2, 255], (6, 48, 56))
    io.write_volume(tmp_path / "train_labels", classes, (4, 4, 4), record=RECORD)
    assert equal(run_sparse(tmp_path, tmp_path / "b", settings)["last"], weights["last"])
    draw_table(tmp_path, [1, 3])
    assert not equal(run_sparse(tmp_path, tmp_path / "c", settings)["last"], weights["last"])


def test_weights_under_unlabelled_voxels_change_no_bit(tmp_path):
    sparse_region(tmp_path, "train")
    draw_table(tmp_path, [1, 4])
    settings, found = {**SIGMOID, **NETWORKS["cross-entropy"]}, []
    for out, odd in (("a", 0.0), ("b", 1e20), ("c", np.nan)):
        weights = np.ones((8, 48, 56), np.float32)
        weights[[0, 2, 3, 5, 6, 7]] = odd
        io.write_volume(tmp_path / "weights", weights, (4, 4, 4), record=RECORD)
        found.append(
            run_sparse(tmp_path, tmp_path / out, settings, more=["--train-weights", tmp_path / "weights"])["last"]
        )
    assert equal(found[0], found[1]) and equal(found[0], found[2])


def test_without_a_draw_all_labelled_slices_are_trained_on(tmp_path):
    sparse_region(tmp_path, "train")
    draw_table(tmp_path, [1, 4, 6])
    for activation in ("sigmoid", "softmax"):
        settings = SIGMOID if activation == "sigmoid" else {**SIGMOID, **NETWORKS["softmax"]}
        drawn = run_sparse(tmp_path, tmp_path / "a", settings)
        assert equal(drawn["last"], run_sparse(tmp_path, tmp_path / "b", settings, drawn=False)["last"])


def test_slices_of_several_regions_make_one_batch(tmp_path):
    for seed, name in enumerate(("train", "second")):
        sparse_region(tmp_path, name, seed=seed)
    draw_table(tmp_path, [4], regions=("train", "second"))
    run_sparse(tmp_path, tmp_path / "out", names=("train", "second"))
    history = io.read_table(tmp_path / "out/history.csv")
    assert sorted(history["step"].unique()) == [2, 4, 6]
    spec = checkpoints.read_specification(tmp_path / "out/last.safetensors")
    assert len(spec["normalization"]) == 2


def test_eval_regions_of_a_sigmoid_are_scored_by_target_on_their_known_slices(tmp_path):
    sparse_region(tmp_path, "train")
    sparse_region(tmp_path, "eval", known=(2, 3, 7), seed=1)
    settings = {**SIGMOID, "evaluate": "eval", "training": {**SIGMOID["training"], "evaluate_every_steps": 3}}
    more = ["--eval-images", tmp_path / "eval_image", "--eval-targets", *(tmp_path / f"eval_{t}" for t in TARGETS)]
    run_sparse(tmp_path, tmp_path / "out", settings, drawn=False, more=more)
    history = io.read_table(tmp_path / "out/history.csv")
    assert set(history.loc[history["measure"] == "eval_iou", "class"]) == set(TARGETS)
    assert history.loc[history["measure"] == "eval_miou", "value"].between(0, 1).all()


def test_train_regions_without_a_labelled_slice_are_refused(tmp_path):
    sparse_region(tmp_path, "train", known=())
    with pytest.raises(
        ValueError, match=r"train_cell, .*train_nucleus: expected labelled slices to train on, found none"
    ):
        run_sparse(tmp_path, tmp_path / "out", drawn=False)


def test_too_few_target_maps_are_refused(tmp_path):
    sparse_region(tmp_path, "train")
    settings = {**SIGMOID, "targets": [*TARGETS, "resin"]}
    with pytest.raises(ValueError, match=r"train_nucleus: expected 3 files of labels for 1 regions, found 2"):
        run_sparse(tmp_path, tmp_path / "out", settings, drawn=False)


def test_a_table_without_training_slices_of_the_seed_is_refused(tmp_path):
    sparse_region(tmp_path, "train")
    draw_table(tmp_path, [])
    with pytest.raises(
        ValueError, match=r"draws\.csv: expected slices to train on \(use: train\) with seed 1 in train"
    ):
        run_sparse(tmp_path, tmp_path / "out")


def test_a_3d_window_around_a_drawn_slice_is_read_from_the_slices_around_it_only(tmp_path):
    """Windows of 5 slices that hold slice 4 of 8 lie in all 8, those that hold slice 1 in the first 6."""
    sparse_region(tmp_path, "train")
    reader = training_inputs.RegionReader(tmp_path / "train_image", [tmp_path / "train_cell"])
    (a,), (b,) = reader.sparse([4], 5, 5), reader.sparse([1], 5, 5)
    assert (a.image.shape[0], a.inner[0]) == (8, (0, 8))
    assert (b.image.shape[0], b.inner[0]) == (6, (0, 6))
    assert (b.labels != 255).any(-1).any(-1).tolist() == [[False, True, False, False, False, False]]
    (c,) = reader.sparse([4], 9, 3)  # windows of 9 give 3 slices: 2 on each side of slice 4, and 3 more are seen
    assert (c.image.shape[0], c.inner[0]) == (10, (3, 8))


def test_all_slabs_of_a_region_have_the_range_of_what_is_read_of_it(tmp_path):
    sparse_region(tmp_path, "train")
    reader = training_inputs.RegionReader(tmp_path / "train_image", [tmp_path / "train_cell"])
    slabs = reader.sparse([1, 4], 1, 1)
    read = np.concatenate([slab.image.numpy() for slab in slabs])
    assert len(slabs) == 2 and {slab.intensity_range for slab in slabs} == {float(read.max() - read.min())}
    assert reader.whole().intensity_range is None


def test_places_around_neighboring_slices_are_joined_and_end_with_the_region():
    assert training_inputs.slabs([3, 4, 9], 1, 10) == [(3, 4, [3]), (4, 5, [4]), (9, 10, [9])]
    assert training_inputs.slabs([1, 4, 9], 3, 10) == [(0, 7, [1, 4]), (7, 10, [9])]
    assert training_inputs.slabs([0], 5, 3) == [(0, 3, [0])]


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
