"""predict_volume.py: one pass gives every output of an ensemble; context is seen and not written; strangers' lists fail."""

import json

import numpy as np
import pytest
import torch

import predict_volume
from densecell import checkpoints, files, io
from densecell.networks import build_network

CLASSES = [
    {"name": "resin", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "core", "group": "organelle"},
]
RECORD = {"params": {}, "code": "", "parents": {}}


def checkpoint(path, seed, names=("resin", "cell", "core")):
    torch.manual_seed(seed)
    network = build_network("hybrid_2d3d_333", n_classes=3, base_width=4)
    spec = {
        "network": "hybrid_2d3d_333", "options": {"base_width": 4}, "classes": list(names), "targets": list(names),
        "activation": "softmax", "decision": "argmax", "normalization": [], "window": [3, 24, 24], "seeds": {"seed": seed},
    }  # fmt: skip
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


def arguments(folder, *extra, classes=CLASSES):
    given = ["--members", folder / "top2.json", "--image", folder / "image.ome.zarr", "--classes", json.dumps(classes)]
    return [str(a) for a in (*given, "--device", "cpu", "--precision", "float32", *extra)]


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
