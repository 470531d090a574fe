import pandas as pd
import pytest

import choose_ensemble
from densecell import files, io

COLUMNS = ["region", "reference", "experiment", "predictor", "role", "class", "measure", "value"]


def choose(tmp_path, scores, role="eval", extra=()):
    """scores: {k: [miou_all of each eval region]}."""
    rows = [
        (f"r{i}", "reference", "main", f"top{k}", role, "all", "miou_all", value)
        for k, values in scores.items()
        for i, value in enumerate(values)
    ]
    io.write_table(tmp_path / "metrics.csv", pd.DataFrame([*rows, *extra], columns=COLUMNS), {})
    lists = []
    for k in scores:
        lists.append(str(tmp_path / f"top{k}.json"))
        files.write_json(lists[-1], {"name": "main", "members": [{"seed": s} for s in range(k)]}, {})
    arguments = ["--metrics", str(tmp_path / "metrics.csv"), "--name", "main", "--member-lists", *lists]
    arguments += ["--top-k", str(list(scores)), "--output", str(tmp_path / "chosen.json")]
    choose_ensemble.main(arguments)
    return files.read_json(tmp_path / "chosen.json")


def test_highest_mean_over_regions_wins_and_its_members_are_written(tmp_path):
    chosen = choose(tmp_path, {1: [0.5, 0.5], 2: [0.9, 0.3], 3: [0.6, 0.4]})
    assert chosen["k"] == 2 and len(chosen["members"]) == 2 and chosen["name"] == "main"
    assert chosen["eval_miou_of_k"] == pytest.approx({"1": 0.5, "2": 0.6, "3": 0.5})


def test_smaller_size_wins_a_tie_and_other_rows_do_not_count(tmp_path):
    extra = [("r0", "annotator_1", "main", "top3", "eval", "all", "miou_all", 0.99)]
    extra += [("r0", "reference", "other", "top3", "eval", "all", "miou_all", 0.99)]
    assert choose(tmp_path, {3: [0.5], 1: [0.5]}, extra=extra)["k"] == 1


def test_refuses_test_scores(tmp_path):
    with pytest.raises(ValueError, match="expected only 'eval', found"):
        choose(tmp_path, {1: [0.5]}, role="test")
    seen = [("t", "reference", "main", "top1", "test", "all", "miou_all", 0.5)]
    with pytest.raises(ValueError, match="expected only 'eval', found"):
        choose(tmp_path, {1: [0.5]}, extra=seen)


def without_scores(tmp_path, sizes):
    lists = []
    for k in sizes:
        lists.append(str(tmp_path / f"top{k}.json"))
        files.write_json(lists[-1], {"name": "main", "members": [{"seed": s} for s in range(k)]}, {})
    arguments = ["--name", "main", "--member-lists", *lists, "--top-k", str(sizes)]
    choose_ensemble.main([*arguments, "--output", str(tmp_path / "chosen.json")])
    return files.read_json(tmp_path / "chosen.json")


def test_without_scores_the_one_size_is_taken_and_two_are_refused(tmp_path):
    chosen = without_scores(tmp_path, [3])
    assert (chosen["k"], len(chosen["members"]), chosen["eval_miou_of_k"]) == (3, 3, {})
    with pytest.raises(ValueError, match=r"ensembles.main.top_k: expected one size.*found \[1, 2\]"):
        without_scores(tmp_path, [1, 2])
