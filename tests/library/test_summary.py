import pandas as pd
import pytest

from densecell import summary

PLACE = ("v", "test")
COLUMNS = ["volume", "region", "reference", "experiment", "predictor", "role", "class", "measure", "value", "unit"]


def metrics(scores, role="test"):
    """scores: {experiment: {predictor: (miou_all, miou_org)}}."""
    rows = []
    for experiment, predictors in scores.items():
        for predictor, values in predictors.items():
            for measure, subject, value in zip(("miou_all", "miou_org"), ("all", "organelles"), values):
                rows.append((*PLACE, "reference", experiment, predictor, role, subject, measure, value, "1"))
    return pd.DataFrame(rows, columns=COLUMNS)


def chosen(name, k, seed=2, experiments=None):
    members = [{"experiment": name, "seed": seed}]
    return {"name": name, "k": k, "members": members, "experiments": experiments or [name]}


def seeds(*values):
    return {f"seed{i}": (value, value - 0.1) for i, value in enumerate(values, start=1)}


def test_ensemble_against_the_best_by_eval_rank_and_against_each():
    table = metrics({"a": {**seeds(0.7, 0.6, 0.8), "top3": (0.75, 0.4)}})
    first, second = summary.describe_ensemble(table, PLACE, chosen("a", 3))
    assert "0.750 for the mean of 3 networks, 0.600 for the best single network by eval rank (a, seed 2)" in first
    assert "the ensemble is better by 0.150" in first
    assert "above 2 of the 3 single networks (from 0.600 to 0.800)" in first
    assert "the ensemble is worse by 0.100" in second and "above 0 of the 3" in second


def test_an_ensemble_of_one_is_not_compared_with_itself():
    table = metrics({"a": {**seeds(0.7, 0.6), "top1": (0.6, 0.5)}})
    sentences = summary.describe_ensemble(table, PLACE, chosen("a", 1))
    assert len(sentences) == 2 and all("k chosen on eval is 1" in s and "better" not in s for s in sentences)


def test_an_ensemble_of_several_experiments_is_compared_with_its_top_1():
    table = metrics({"both": {"top1": (0.6, 0.5), "top2": (0.6001, 0.7)}})
    first, second = summary.describe_ensemble(table, PLACE, chosen("both", 2, experiments=["a", "b"]))
    assert "no difference to three digits" in first and "above" not in first
    assert "better by 0.200" in second


@pytest.mark.parametrize(
    "ours, theirs, words",
    [
        ((0.7, 0.8, 0.9), (0.1, 0.2, 0.3), "Each seed of a lies above each of b, which favors a, but so few seeds"),
        ((0.1, 0.2, 0.3), (0.7, 0.8, 0.9), "Each seed of b lies above each of a, which favors b, but so few seeds"),
        ((0.2, 0.8, 0.5), (0.3, 0.4, 0.6), "Can't tell: the ranges overlap"),
        ((0.6, 0.7, 0.8, 0.9), (0.1, 0.2, 0.3, 0.4), "a is better: each of its seeds lies above each of b"),
        ((0.39, 0.6, 0.7, 0.8, 0.9), (0.1, 0.2, 0.3, 0.35, 0.4), "a tends to be better, though the ranges overlap"),
    ],
)
def test_verdicts_follow_from_ranges_and_p(ours, theirs, words):
    table = metrics({"a": seeds(*ours), "b": seeds(*theirs)})
    compared = summary.compare_experiments(table, PLACE, "a", "b")
    assert [measure for measure, *_ in compared] == ["miou_all", "miou_org"]
    assert words in compared[0][1]
    limited = "cannot be smaller than 0.10" in compared[0][1]
    assert limited == (len(ours) == 3)


def test_nothing_to_compare_without_single_networks():
    table = metrics({"a": seeds(0.5), "b": {"top2": (0.5, 0.5)}})
    assert summary.compare_experiments(table, PLACE, "a", "b") == []


def test_only_ensembles_of_different_single_experiments_are_paired():
    entries = [chosen("a", 1), chosen("b", 1), chosen("a_again", 1, experiments=["a"])]
    entries.append(chosen("both", 1, experiments=["a", "b"]))
    assert summary.independent_pairs(entries) == [("a", "b"), ("b", "a_again")]


def test_collapses_are_counted_and_named():
    ranking = pd.DataFrame({"experiment": ["a", "a", "b"], "seed": [2, 1, 1], "collapsed": [True, True, False]})
    assert summary.describe_collapses(ranking) == [
        "a: 2 of 2 runs collapsed (seeds 1, 2).",
        "b: 0 of 1 runs collapsed.",
    ]


def test_scores_table_has_mean_and_range_over_seeds():
    table = summary.scores_table(metrics({"a": {**seeds(0.4, 0.6), "top2": (0.7, 0.6)}}), PLACE, [chosen("a", 2)], [])
    values = table[table["measure"] == "miou_all"].set_index("predictor")["value"].to_dict()
    assert values == pytest.approx({"seeds_mean": 0.5, "seeds_min": 0.4, "seeds_max": 0.6, "top2": 0.7})
    assert list(table.columns) == summary.COLUMNS


def test_farthest_volume_fraction_is_named():
    rows = []
    for experiment, predictor, margin, values in (
        ("annotation", "reference", float("nan"), (0.1, 0.02)),
        ("a", "top2", 100.0, (0.11, 0.01)),
        ("a", "top2", 50.0, (0.5, 0.5)),
    ):
        for name, value in zip(("granule", "dense_core"), values):
            rows.append((*PLACE, "reference", experiment, predictor, margin, name, "volume_fraction", value))
    columns = ["volume", "region", "reference", "experiment", "predictor", "margin_nm", "class", "measure", "value"]
    fractions = pd.DataFrame(rows, columns=columns)
    (text,) = summary.describe_fractions(fractions, PLACE, [chosen("a", 2)], ["granule", "dense_core"], 100.0)
    assert "2 organelles deviate" in text and "30 % in the median" in text
    assert "most for dense core (1 % of the cell against 2 %, -50 %)" in text
