"""predict_volume.py: one pass gives every output of an ensemble; context is seen and not written; strangers' lists fail."""

import json

import numpy as np
import pytest
import torch

import predict_volume
from densecell import checkpoints, files, io
from densecell.networks import build_network
from densecell.slab_state import SlabState

CLASSES = [
    {"name": "resin", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "core", "group": "organelle"},
]
RECORD = {"params": {}, "code": "", "parents": {}}


def checkpoint(path, seed, names=("resin", "cell", "core"), **more):
    torch.manual_seed(seed)
    spec = {
        "network": "hybrid_2d3d_333", "options": {"base_width": 4}, "classes": list(names), "targets": list(names),
        "activation": "softmax", "decision": "argmax", "normalization": [], "window": [3, 24, 24], "seeds": {"seed": seed},
        **more,
    }  # fmt: skip
    network = build_network("hybrid_2d3d_333", n_classes=len(spec["targets"]), **spec["options"])
    checkpoints.write_checkpoint(path, network.state_dict(), spec, RECORD)


@pytest.fixture
def ensemble(tmp_path):
    """Two untrained networks, their member list, and a region of 9 x 30 x 32 with one slice of context."""
    for seed in (1, 2):
        checkpoint(tmp_path / f"seed{seed}.safetensors", seed)
    members = [{"experiment": "h", "seed": s, "checkpoint": f"seed{s}.safetensors", "eval_miou": 0.5} for s in (2, 1)]
    files.write_json(tmp_path / "top2.json", {"members": members}, RECORD)
    image = np.random.default_rng(0).standard_normal((11, 30, 32)).astype(np.float32)
    attributes = {"inner": [[1, 10], [0, 30], [0, 32]], "normalization": {"method": "zscore"}}
    io.write_volume(tmp_path / "image.ome.zarr", image, (50, 10, 10), record=RECORD, attributes=attributes)
    return tmp_path


SETTINGS = {"stitch": "depth", "precision": "float32"}


def arguments(folder, *extra, classes=CLASSES, settings=SETTINGS):
    given = ["--members", folder / "top2.json", "--image", folder / "image.ome.zarr", "--classes", json.dumps(classes)]
    return [str(a) for a in (*given, "--device", "cpu", "--settings", json.dumps(settings), *extra)]


def test_one_pass_writes_ensembles_members_and_probabilities_of_the_region_alone(ensemble):
    out = ensemble / "out"
    extra = ["--ensembles", "[1, 2]", "--ensemble-labels", out / "top1.ome.zarr", out / "top2.ome.zarr"]
    extra += [
        "--member-names",
        '[["h", 1], ["h", 2]]',
        "--member-labels",
        out / "seed1.ome.zarr",
        out / "seed2.ome.zarr",
    ]
    predict_volume.main(arguments(ensemble, *extra, "--probabilities", out / "probabilities"))
    kept = ["--ensembles", "[2]", "--ensemble-labels", out / "again.ome.zarr", "--keep-members", out / "members"]
    predict_volume.main(arguments(ensemble, *kept))
    read = {n: io.open_volume(out / f"{n}.ome.zarr") for n in ("top1", "top2", "seed1", "seed2", "members/h_seed1")}
    assert all(v.shape == (9, 30, 32) and v.dtype == np.uint8 for v in read.values())
    assert read["top1"].origin_nm == (50, 0, 0)
    assert np.array_equal(read["top1"][:], read["seed2"][:])  # the first in ranking order
    assert np.array_equal(read["members/h_seed1"][:], read["seed1"][:])
    probabilities = np.stack([io.open_volume(out / f"probabilities/{c['name']}.ome.zarr")[:] for c in CLASSES]).astype(
        int
    )
    assert np.abs(probabilities.sum(axis=0) - 255).max() <= 2
    best = probabilities.max(axis=0)
    chosen = np.take_along_axis(probabilities, read["top2"][:][None].astype(int), 0)[0]
    assert (best - chosen).max() <= 1  # rounding


def test_context_changes_what_the_first_slices_see(ensemble):
    extra = [
        "--ensembles",
        "[null]",
        "--ensemble-labels",
        ensemble / "with.ome.zarr",
        "--probabilities",
        ensemble / "p1",
    ]
    predict_volume.main(arguments(ensemble, *extra))
    image = io.open_volume(ensemble / "image.ome.zarr")[:]
    alone = {"inner": [[0, 9], [0, 30], [0, 32]], "normalization": {}}
    io.write_volume(ensemble / "image.ome.zarr", image[1:10], (50, 10, 10), record=RECORD, attributes=alone)
    extra = [
        "--ensembles",
        "[null]",
        "--ensemble-labels",
        ensemble / "without.ome.zarr",
        "--probabilities",
        ensemble / "p2",
    ]
    predict_volume.main(arguments(ensemble, *extra))
    first, second = (io.open_volume(ensemble / p / "cell.ome.zarr")[0].astype(int) for p in ("p1", "p2"))
    assert np.abs(first - second).max() > 0


def test_a_checkpoint_of_other_classes_is_refused(ensemble):
    others = [{**c, "name": c["name"] + "s"} for c in CLASSES]
    with pytest.raises(ValueError, match=r"seed2.safetensors: trained for the classes resin, cell, core"):
        predict_volume.main(arguments(ensemble, classes=others))


def test_a_member_list_changed_by_hand_is_refused(ensemble):
    path = ensemble / "top2.json"
    path.write_text(path.read_text().replace("seed1", "seed3"))
    with pytest.raises(ValueError, match=r"top2.json: its content differs"):
        predict_volume.main(arguments(ensemble))


def each_by_itself(folder, **more):
    """The members as networks of two targets, core and cell, in the place of softmax ones."""
    for seed in (1, 2):
        checkpoint(folder / f"seed{seed}.safetensors", seed, **{**SIGMOID, **more})


WINDOWED = {"stitch": "halo", "tile": ["window", "auto", "auto"], "halo": [0, "auto", "auto"], "precision": "float32"}


def volume(folder, name="image.ome.zarr", depth=21):
    image = np.random.default_rng(1).standard_normal((depth, 24, 40)).astype(np.float32)
    io.write_volume(folder / name, image, (50, 10, 10), record=RECORD, attributes={"normalization": {}})
    return image


DEEP = {
    "stitch": "halo",
    "tile": [20, "auto", "auto"],
    "halo": "auto",
    "precision": "float32",
}  # two slices inside a halo of nine


BLEND = {"stitch": "blend", "precision": "float32"}
SIGMOID = {
    "activation": "sigmoid", "decision": "compose", "targets": ["core", "cell"],
    "options": {"base_width": 4, "predictor_relu": False},  # with it no probability is below a half
}  # fmt: skip


@pytest.mark.parametrize("activation", ["softmax", "sigmoid"])
@pytest.mark.parametrize("settings", [SETTINGS, WINDOWED, DEEP, BLEND])
def test_a_killed_prediction_goes_on_where_it_was_and_gives_the_same(
    ensemble, settings, activation, monkeypatch, capsys
):
    """It dies after the second layer of shards; what was written before is not predicted again."""
    if activation == "sigmoid":
        each_by_itself(ensemble)
    volume(ensemble)
    out, extra = ensemble / "out", ["--ensembles", "[null]", "--ensemble-labels"]
    predict_volume.main(arguments(ensemble, *extra, out / "whole.ome.zarr", settings=settings))
    save, saved = SlabState.save, []

    def dying(self, done, writers):
        save(self, done, writers)
        saved.append(done)
        if len(saved) == 2:
            raise KeyboardInterrupt

    restart = [*extra, out / "again.ome.zarr", "--restart", ensemble / "restart"]
    monkeypatch.setattr(SlabState, "save", dying)
    with pytest.raises(KeyboardInterrupt):
        predict_volume.main(arguments(ensemble, *restart, settings=settings))
    assert saved == [8, 16]
    capsys.readouterr()
    monkeypatch.setattr(SlabState, "save", save)
    predict_volume.main(arguments(ensemble, *restart, settings=settings))
    assert f"going on at slice {saved[-1]} of 21" in capsys.readouterr().err
    first, second = (files.read_sidecar(out / f"{n}.ome.zarr")["content"] for n in ("whole", "again"))
    assert {k: v for k, v in first.items() if k != "zarr.json"} == {k: v for k, v in second.items() if k != "zarr.json"}
    assert not (ensemble / "restart").exists()


def test_a_restart_with_more_outputs_begins_afresh(ensemble, monkeypatch):
    """The first slices of an output that the killed job did not write would be missing."""
    volume(ensemble)
    out, extra = ensemble / "out", ["--ensembles", "[null]", "--ensemble-labels", ensemble / "out/labels.ome.zarr"]
    save = SlabState.save

    def dying(self, done, writers):
        save(self, done, writers)
        raise KeyboardInterrupt

    monkeypatch.setattr(SlabState, "save", dying)
    with pytest.raises(KeyboardInterrupt):
        predict_volume.main(arguments(ensemble, *extra, "--restart", ensemble / "restart", settings=WINDOWED))
    monkeypatch.setattr(SlabState, "save", save)
    more = [*extra, "--probabilities", out / "probabilities"]
    predict_volume.main(arguments(ensemble, *more, "--restart", ensemble / "restart", settings=WINDOWED))
    probabilities = [io.open_volume(out / f"probabilities/{c['name']}.ome.zarr")[:].astype(int) for c in CLASSES]
    assert (np.abs(sum(probabilities) - 255) <= 2).all()


def test_a_crash_while_the_restart_state_is_deleted_leaves_none(tmp_path, monkeypatch):
    """Shards may go in any order; the state that tells of them goes first."""
    state = SlabState(tmp_path / "restart", "x")
    (tmp_path / "restart/out/labels.ome.zarr").mkdir(parents=True)
    state.store(tmp_path / "out/labels.ome.zarr")
    state.save(8, [])

    def dying(path):
        raise KeyboardInterrupt

    monkeypatch.setattr("densecell.slab_state.files.remove", dying)
    with pytest.raises(KeyboardInterrupt):
        state.remove()
    monkeypatch.undo()
    assert SlabState(tmp_path / "restart", "x").done == 0


def test_voxels_outside_the_mask_are_background(ensemble):
    volume(ensemble)
    mask = np.zeros((21, 24, 40), np.uint8)
    mask[3:9, 2:20, 5:30], mask[12:, 4, 4] = 1, 255  # a cell, and voxels nobody looked at
    io.write_volume(ensemble / "mask.ome.zarr", mask, (50, 10, 10), record=RECORD)
    out = ensemble / "out"
    for name, more in (("all", []), ("masked", ["--mask", ensemble / "mask.ome.zarr"])):
        labels = ["--ensembles", "[null]", "--ensemble-labels", out / f"{name}.ome.zarr"]
        predict_volume.main(arguments(ensemble, *labels, *more, "--probabilities", out / name, settings=WINDOWED))
    read = {n: io.open_volume(out / f"{n}.ome.zarr")[:] for n in ("all", "masked")}
    assert np.array_equal(read["masked"], np.where(mask > 0, read["all"], 0))
    assert (read["all"][mask == 0] > 0).any()
    background = io.open_volume(out / "masked/resin.ome.zarr")[:]
    assert (background[mask == 0] == 255).all()
    io.write_volume(ensemble / "mask.ome.zarr", mask[:5], (50, 10, 10), record=RECORD)
    with pytest.raises(ValueError, match=r"mask.ome.zarr: expected a mask of the volume's size .*full_volumes.mask"):
        predict_volume.main(arguments(ensemble, *labels[:3], out / "x.ome.zarr", *more, settings=WINDOWED))


def test_the_plan_is_told_before_the_work_and_recorded_with_the_result(ensemble, capsys):
    volume(ensemble)
    labels = ["--ensembles", "[null]", "--ensemble-labels", ensemble / "out.ome.zarr"]
    settings = {**WINDOWED, "flips": ["x"], "memory_gb": 0.001}
    predict_volume.main(arguments(ensemble, *labels, settings=settings))
    told = capsys.readouterr().err
    assert "2 networks" in told
    assert "stitch halo" in told
    assert "of 0.001 GB" in told
    facts = io.open_volume(ensemble / "out.ome.zarr").attributes["prediction"]
    assert facts["stitch"] == "halo"
    assert facts["tile"] == [[3, 24, 40]] * 2
    assert facts["flips"] == ["x"]
    assert facts["precision"] == "float32"


def test_a_slab_that_is_no_slab_is_refused(ensemble):
    labels = ["--ensembles", "[null]", "--ensemble-labels", ensemble / "out.ome.zarr"]
    with pytest.raises(ValueError, match="--slab: expected I-of-N, such as 1-of-4, found '2/4'"):
        predict_volume.main(arguments(ensemble, *labels, "--slab", "2/4"))


# ------------------------------------------------------------------------------------------------- targets by themselves
INSIDE = [CLASSES[0], CLASSES[1], {**CLASSES[2], "inside": "cell"}]


def predicted(folder, name, *extra, classes=INSIDE, settings=BLEND):
    """(labels, q of the targets) of the ensemble, written into `folder/name`."""
    out = folder / name
    labels = ["--ensembles", "[null]", "--ensemble-labels", out / "labels.ome.zarr", "--probabilities", out]
    predict_volume.main(arguments(folder, *labels, *extra, classes=classes, settings=settings))
    read = [io.open_volume(out / f"{n}.ome.zarr") for n in ("labels", *SIGMOID["targets"])]
    return read[0], np.stack([v[:] for v in read[1:]])


@pytest.mark.parametrize("settings", [SETTINGS, WINDOWED, BLEND])
def test_labels_follow_from_the_probabilities_that_are_stored(ensemble, settings):
    each_by_itself(ensemble, threshold=0.49, compose={"nested": "within"})
    labels, q = predicted(ensemble, "out", settings=settings)
    core, cell = q >= 125  # 255 * 0.49 = 124.95
    assert core.any() and cell.any() and (core & ~cell).any()
    assert np.array_equal(labels[:], np.where(cell & core, 2, np.where(cell, 1, 0)))
    expected = {"order": ["cell", "core"], "nested": "within", "ties": "order", "outside": "resin"}
    assert labels.attributes["decision"] == {"targets": ["core", "cell"], "threshold": 0.49, "compose": expected}
    assert sorted(p.name for p in (ensemble / "out").glob("*.zarr")) == [
        "cell.ome.zarr",
        "core.ome.zarr",
        "labels.ome.zarr",
    ]


def test_members_are_averaged_as_probabilities_and_each_is_composed_too(ensemble):
    each_by_itself(ensemble)
    volume(ensemble)
    out = ensemble / "out"
    extra = ["--ensembles", "[1, 2]", "--ensemble-labels", out / "k1.ome.zarr", out / "k2.ome.zarr"]
    extra += ["--member-names", '[["h", 2]]', "--member-labels", out / "m.ome.zarr"]
    extra += ["--sets", '[[["h", 1], ["h", 2]]]', "--set-labels", out / "s.ome.zarr", "--probabilities", out]
    predict_volume.main(arguments(ensemble, *extra, classes=INSIDE, settings=WINDOWED))
    read = {p.name.removesuffix(".ome.zarr"): io.open_volume(p)[:] for p in out.glob("*.zarr")}
    assert np.array_equal(read["k1"], read["m"])
    assert np.array_equal(read["k2"], read["s"])
    cell, core = (read[name] >= 128 for name in ("cell", "core"))
    assert np.array_equal(read["k2"], np.where(cell & core, 2, np.where(cell, 1, 0)))
    assert not np.array_equal(read["k1"], read["k2"])


@pytest.mark.parametrize("settings", [WINDOWED, BLEND])
def test_outside_the_mask_no_target_is_and_labels_are_the_class_outside(ensemble, settings):
    each_by_itself(ensemble, compose={"outside": "resin"})
    volume(ensemble)
    mask = np.zeros((21, 24, 40), np.uint8)
    mask[3:9, 2:20, 5:30] = 1
    io.write_volume(ensemble / "mask.ome.zarr", mask, (50, 10, 10), record=RECORD)
    labels, q = predicted(ensemble, "all", settings=settings)
    masked, masked_q = predicted(ensemble, "masked", "--mask", ensemble / "mask.ome.zarr", settings=settings)
    assert np.array_equal(masked[:], np.where(mask > 0, labels[:], 0))
    assert np.array_equal(masked_q, np.where(mask > 0, q, 0))
    assert q[:, mask == 0].any()


def test_slabs_of_blended_targets_are_those_of_the_whole(ensemble, count=2):
    each_by_itself(ensemble)
    volume(ensemble)
    labels, q = predicted(ensemble, "whole", "--slab", "1-of-1")
    for number in range(1, count + 1):
        part, part_q = predicted(ensemble, f"{count}_{number}", "--slab", f"{number}-of-{count}")
        first, last = files.read_sidecar(ensemble / f"{count}_{number}/labels.ome.zarr")["slices"]
        assert np.array_equal(part[first:last], labels[first:last])
        assert np.array_equal(part_q[:, first:last], q[:, first:last])


@pytest.mark.parametrize(
    "more", [{"targets": ["cell", "core"]}, {"threshold": 0.4}, {"compose": {"ties": "probability"}}]
)
def test_members_that_mean_something_else_are_refused(ensemble, more):
    each_by_itself(ensemble)
    checkpoint(ensemble / "seed1.safetensors", 1, **{**SIGMOID, **more})
    with pytest.raises(
        ValueError, match=r"seed1.safetensors: expected the targets, activation, threshold and compose of the"
    ):
        predicted(ensemble, "out")


def test_a_softmax_over_some_classes_and_unknown_words_are_refused(ensemble):
    each_by_itself(ensemble, activation="softmax", decision="argmax")
    with pytest.raises(
        ValueError, match=r"seed2.safetensors: targets: expected all classes in order with activation softmax"
    ):
        predicted(ensemble, "out")
    each_by_itself(ensemble, decision="argmax")
    with pytest.raises(ValueError, match=r"activation 'sigmoid' with decision 'argmax' is not known here"):
        predicted(ensemble, "out")


def test_the_plan_of_blended_tiles_tells_memory(ensemble, capsys):
    volume(ensemble)
    labels = ["--ensembles", "[null]", "--ensemble-labels", ensemble / "out.ome.zarr"]
    predict_volume.main(arguments(ensemble, *labels, settings={**BLEND, "overlap": 0.25, "taper": 1}))
    told = capsys.readouterr().err
    assert "stitch blend, tiles of (3, 24, 24), 42 of them" in told
    assert "memory about" in told
    facts = io.open_volume(ensemble / "out.ome.zarr").attributes["prediction"]
    assert (facts["spacing"], facts["taper"], facts["halo"]) == ([1, 16, 16], 1, [[1, 0, 0]] * 2)
