import pandas as pd
import pytest

import rank_networks
from densecell import io

NAMES = ["background", "cell", "granule", "core"]


def write_history(path, experiment, seed, evaluations):
    """evaluations: list of (step, miou, IoU per class)."""
    rows = []
    for step, miou, iou in evaluations:
        values = [("eval_miou", "all", miou), ("training_loss", "all", 1.0)]
        values += [("eval_iou", name, value) for name, value in zip(NAMES, iou)]
        rows += [(experiment, seed, step, 1, measure, name, value, "1") for measure, name, value in values]
    columns = ["experiment", "seed", "step", "epoch", "measure", "class", "value", "unit"]
    io.write_table(path, pd.DataFrame(rows, columns=columns), {})
    return str(path)


def ranked(tmp_path, runs):
    paths = [write_history(tmp_path / f"{e}_{s}.csv", e, s, evaluations) for e, s, evaluations in runs]
    rank_networks.main(["--histories", *paths, "--output", str(tmp_path / "ranking.csv")])
    return io.read_table(tmp_path / "ranking.csv")


def test_best_evaluation_first_of_equals_and_rank_within_experiment(tmp_path):
    good = [0.9, 0.8, 0.5, 0.2]
    table = ranked(
        tmp_path,
        [
            ("a", 1, [(10, 0.4, good), (20, 0.6, good), (30, 0.6, good)]),
            ("a", 2, [(10, 0.7, good), (20, 0.5, good)]),
            ("b", 1, [(10, 0.3, good)]),
        ],
    )
    assert list(table.columns) == rank_networks.COLUMNS
    assert table[["experiment", "seed", "rank", "eval_miou", "best_step"]].to_numpy().tolist() == [
        ["a", 2, 1, 0.7, 10],
        ["a", 1, 2, 0.6, 20],
        ["b", 1, 1, 0.3, 10],
    ]
    assert not table["collapsed"].any()


def test_collapse_is_judged_on_the_last_evaluation_and_absent_classes_do_not_count(tmp_path):
    nan = float("nan")
    table = ranked(
        tmp_path,
        [
            ("a", 1, [(10, 0.6, [0.9, 0.8, 0.5, 0.2]), (20, 0.2, [0.8, 0.0, 0.0, 0.0])]),
            ("a", 2, [(10, 0.4, [0.8, 0.3, nan, nan])]),
        ],
    ).set_index("seed")
    assert table["collapsed"].to_dict() == {1: True, 2: False}
    assert table["n_classes_found"].to_dict() == {1: 1, 2: 2}


def test_refuses_a_history_without_evaluations(tmp_path):
    with pytest.raises(ValueError, match=r"a_1.csv: expected one run with evaluations"):
        ranked(tmp_path, [("a", 1, [])])


def test_runs_without_evaluation_come_by_seed_without_a_score(tmp_path):
    columns = ["experiment", "seed", "step", "epoch", "measure", "class", "value", "unit"]
    paths = []
    for seed in (7, 2):
        rows = [("a", seed, step, 1, "training_loss", "all", 1.0, "1") for step in (10, 20)]
        paths.append(str(tmp_path / f"{seed}.csv"))
        io.write_table(paths[-1], pd.DataFrame(rows, columns=columns), {})
    output = tmp_path / "ranking.csv"
    rank_networks.main(["--histories", *paths, "--evaluated", "0", "--output", str(output)])
    table = io.read_table(output)
    assert list(table.columns) == rank_networks.COLUMNS
    assert table[["rank", "seed", "best_step"]].to_numpy().tolist() == [[1, 2, 20], [2, 7, 20]]
    assert table["eval_miou"].isna().all() and not table["collapsed"].any()
