import json

import pandas as pd
import pytest
import torch

import build_ensemble
from densecell import checkpoints, files, io

CLASSES = [{"name": "background", "group": "background"}, {"name": "cell", "group": "cell"}]


def write_checkpoint(path, experiment, seed, targets=("background", "cell"), **more):
    path.parent.mkdir(parents=True)
    spec = {"network": "unet_2d", "options": {}, "activation": "softmax", "normalization": [], "window": [1, 188, 188]}
    spec |= {"classes": ["background", "cell"], "targets": list(targets), "decision": "argmax"}
    spec |= {"experiment": experiment, "seeds": {"seed": seed}, **more}
    checkpoints.write_checkpoint(path, {"w": torch.zeros(1)}, spec, {})
    return str(path)


@pytest.fixture
def results(tmp_path):
    rows = [("a", 2, 1, 0.7), ("a", 1, 2, 0.6), ("b", 1, 1, 0.65)]
    ranking = pd.DataFrame(rows, columns=["experiment", "seed", "rank", "eval_miou"]).assign(collapsed=False)
    io.write_table(tmp_path / "ranking.csv", ranking, {})
    for experiment, seed in (("a", 1), ("a", 2), ("b", 1)):
        write_checkpoint(tmp_path / "models" / experiment / f"seed{seed}" / "best.safetensors", experiment, seed)
    return tmp_path


def build(results, experiments, k, classes=CLASSES, also=(), evaluated=1):
    paths = [str(p) for e in experiments for p in sorted((results / "models" / e).rglob("*.safetensors"))]
    output = results / "ensembles" / "mine" / f"top{k}.json"
    arguments = ["--ranking", str(results / "ranking.csv"), "--checkpoints", *paths, "--name", "mine"]
    arguments += ["--experiments", json.dumps(experiments), "--top-k", str(k), "--classes", json.dumps(classes)]
    arguments += ["--evaluated", str(evaluated)]
    build_ensemble.main([*arguments, "--also", json.dumps(also), "--output", str(output)])
    return output, files.read_json(output)


def test_members_come_in_eval_order_with_paths_relative_to_the_list(results):
    output, members = build(results, ["a"], 2)
    assert [(m["experiment"], m["seed"], m["eval_miou"]) for m in members["members"]] == [("a", 2, 0.7), ("a", 1, 0.6)]
    assert members["members"][0]["checkpoint"] == "../../models/a/seed2/best.safetensors"
    assert (output.parent / members["members"][1]["checkpoint"]).exists()
    assert (members["name"], members["experiments"], members["decision"]) == ("mine", ["a"], "argmax")


def test_experiments_are_ranked_together(results):
    _, members = build(results, ["a", "b"], 3)
    assert [(m["experiment"], m["seed"]) for m in members["members"]] == [("a", 2), ("b", 1), ("a", 1)]


def test_refuses_more_members_than_networks_and_other_classes(results):
    with pytest.raises(ValueError, match=r"ensembles.mine: k: expected 1 to 2 .* found 3"):
        build(results, ["a"], 3)
    with pytest.raises(ValueError, match="trained for the classes background, cell, the configuration has tissue"):
        build(results, ["a"], 1, [{"name": "tissue", "group": "cell"}])


def test_named_networks_are_listed_whatever_their_rank_in_ranking_order(results):
    _, members = build(results, ["a"], 1, also=[["a", 1]])
    assert [(m["experiment"], m["seed"]) for m in members["members"]] == [("a", 2), ("a", 1)]
    _, members = build(results, ["a"], 1, also=[["a", 2]])
    assert [(m["experiment"], m["seed"]) for m in members["members"]] == [("a", 2)]


def test_networks_without_a_score_come_by_seed(results):
    rows = [("a", 1, 1, float("nan")), ("a", 2, 2, float("nan"))]
    ranking = pd.DataFrame(rows, columns=["experiment", "seed", "rank", "eval_miou"]).assign(collapsed=False)
    io.write_table(results / "ranking.csv", ranking, {})
    with pytest.raises(ValueError, match="networks with an eval score"):
        build(results, ["a"], 1)
    _, members = build(results, ["a"], 2, evaluated=0)
    assert [(m["seed"], m["eval_miou"]) for m in members["members"]] == [(1, None), (2, None)]


@pytest.mark.parametrize("more", [{"threshold": 0.4}, {"compose": {"ties": "probability"}}])
def test_members_become_classes_in_one_way(results, more):
    alone = {"activation": "sigmoid", "decision": "compose", "threshold": 0.5, "compose": {"ties": "order"}}
    for seed, spec in ((1, alone), (2, {**alone, **more})):
        path = results / "models" / "a" / f"seed{seed}" / "best.safetensors"
        for file in (path, files.sidecar_path(path)):
            file.unlink()
        path.parent.rmdir()
        write_checkpoint(path, "a", seed, **spec)
    with pytest.raises(ValueError, match=f"an ensemble needs networks with equal {next(iter(more))}"):
        build(results, ["a"], 2)
    assert build(results, ["a"], 1)[1]["decision"] == "compose"
