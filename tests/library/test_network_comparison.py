import numpy as np
import pandas as pd
import pytest

from densecell.network_comparison import COLUMNS, EVAL, Settings, comparison_table, describe_runs, scores_of_runs
from densecell.network_verdicts import p_text, sentences

NAN = float("nan")
QUICK = Settings(n_bootstrap=300)


def ranking(**scores):
    rows = [(name, i, v, bool(v < 0.2)) for name, values in scores.items() for i, v in enumerate(values)]
    return pd.DataFrame(rows, columns=["experiment", "seed", "eval_miou", "collapsed"])


def metrics(*rows):
    """Rows (ensemble, region, role, predictor, measure, value)."""
    columns = ["experiment", "region", "role", "predictor", "measure", "value"]
    return pd.DataFrame(rows, columns=columns).assign(reference="reference")


def compare(**scores):
    table = ranking(**scores)
    return comparison_table(table, scores_of_runs(table, metrics(("x", "t", "test", "top1", "m", 0.0)), {}), QUICK)


def measures(table, name, other="", score=EVAL):
    rows = table[(table["experiment"] == name) & (table["other"] == other) & (table["score"] == score)]
    return rows.set_index("measure")


def sentence(table, name, other=""):
    found = sentences(table, QUICK.confidence)
    return found[(found["experiment"] == name) & (found["other"] == other)]["sentence"].iloc[0]


def test_runs_by_hand():
    a = measures(compare(a=[0.1, 0.5, 0.6, NAN]), "a")
    values = a["value"]
    assert values["n_runs"] == 4 and values["n_not_scored"] == 1 and values["mean"] == pytest.approx(0.4)
    assert values["median"] == 0.5 and values["min"] == 0.1 and values["max"] == 0.6
    assert values["sd"] == pytest.approx(np.sqrt(0.07))
    assert values["n_collapsed"] == 1 and values["share_collapsed"] == 0.25
    assert values["n_below_low_miou"] == 1 and values["share_below_low_miou"] == pytest.approx(1 / 3)
    assert a.at["mean", "low"] < 0.4 < a.at["mean", "high"] and list(a["unit"].unique()) == ["run", "1"]


def test_pairs_by_hand():
    table = compare(a=[1, 2, 3], b=[2, 3, 4], c=[7, 8, 9])
    assert list(table.columns) == COLUMNS
    pair = measures(table, "a", "b")["value"]
    assert pair["difference_of_means"] == -1 and pair["superiority"] == pytest.approx(2 / 9)
    apart = measures(table, "a", "c")["value"]
    assert apart["p_value"] == apart["p_value_holm"] == pytest.approx(0.1)  # three against three can't give less
    assert apart["smallest_p_value_holm"] == pytest.approx(0.1) and apart["n_pairs"] == 1


def test_pairs_that_too_few_runs_leave_open_do_not_weaken_the_others():
    """Four against four can give 2 / 70; a pair with the single run of d can't, and is not in the family."""
    table = compare(a=[1, 2, 3, 4], b=[5, 6, 7, 8], c=[9, 10, 11, 12], d=[20])
    pair = measures(table, "a", "b")["value"]
    assert pair["p_value"] == pytest.approx(2 / 70) and pair["p_value_holm"] == pytest.approx(6 / 70)
    assert pair["n_pairs"] == 3
    lone = measures(table, "a", "d")["value"]
    assert lone["n_pairs"] == 1 and lone["p_value_holm"] == lone["p_value"] == pytest.approx(0.4)
    assert "nor could it be told with so few runs" in sentence(table, "a", "d")


def test_a_run_without_a_score_is_counted_and_left_out():
    table = compare(a=[0.5, NAN], b=[NAN])
    assert measures(table, "b")["value"]["n_not_scored"] == 1 and "mean" not in measures(table, "b").index
    assert table[table["other"] != ""].empty
    assert "1 of 2 runs has no score" in sentence(table, "a")
    assert sentence(table, "b") == "b: none of 1 run has a score."


def test_equal_tables_for_an_equal_seed_and_unmoved_by_further_experiments():
    runs = {"a": [0.4, 0.5, 0.7], "b": [0.1, 0.2, 0.6]}
    first = compare(**runs)
    pd.testing.assert_frame_equal(first, compare(**runs))
    more = compare(c=[0.3], **runs)
    pd.testing.assert_frame_equal(measures(first, "a"), measures(more, "a"))
    runs = np.random.default_rng(0).normal(size=20)
    assert describe_runs(runs, QUICK)[2] != describe_runs(runs, QUICK._replace(seed=1))[2]


def test_test_scores_are_means_over_regions_by_seed():
    table = metrics(
        ("e", "t1", "test", "seed1", "miou_org", 0.2),
        ("e", "t2", "test", "seed1", "miou_org", 0.4),
        ("e", "t1", "test", "seed2", "miou_org", 0.6),
        ("e", "t2", "test", "seed2", "miou_org", NAN),
        ("e", "t1", "test", "top1", "miou_org", 0.9),
        ("e", "v", "eval", "seed1", "miou_org", 0.9),
        ("mix", "t1", "test", "top1", "miou_org", 0.9),
        ("again", "t1", "test", "seed1", "miou_org", 0.1),
    )
    scores = scores_of_runs(ranking(a=[0.5, 0.6], b=[0.4]), table, {"e": "a", "again": "a", "mix": "b"})
    assert list(scores) == [EVAL, "test_miou_org"] and list(scores["test_miou_org"]) == ["a"]
    np.testing.assert_allclose(scores["test_miou_org"]["a"], [0.3, NAN])


def test_overlap_can_not_be_told():
    table = compare(a=[0.50, 0.55, 0.60, 0.65, 0.7], b=[0.51, 0.56, 0.61, 0.64, 0.69])
    text = sentence(table, "a", "b")
    assert "can't tell" in text and "holds 0" in text and "nor could it" not in text and "higher" not in text


def test_separated_groups_are_told_in_both_directions():
    low, high = [0.1, 0.11, 0.12, 0.13, 0.14], [0.5, 0.51, 0.52, 0.53, 0.54]
    assert ": higher; the interval of the difference of the means excludes 0" in sentence(
        compare(a=high, b=low), "a", "b"
    )
    assert ": lower; " in sentence(compare(a=low, b=high), "a", "b")


def test_too_few_runs_never_tell_and_say_so():
    text = sentence(compare(a=[0.5, 0.6, 0.7], b=[0.1, 0.2, 0.3]), "a", "b")
    assert "p 0.10 (at best 0.10 with so many runs): can't tell, nor could it be told with so few runs" in text
    alone = compare(a=[0.5], b=[0.1])
    assert "without an interval, as one run has no scatter" in sentence(alone, "a", "b")
    assert sentence(alone, "a").startswith("a: one run, 0.500; how far runs scatter is not known.")


def test_the_correction_can_take_a_verdict_back():
    runs = {"a": [0.1, 0.11, 0.12, 0.13], "b": [0.5, 0.51, 0.52, 0.53]}  # p = 2 / 70 = 0.029
    assert ": lower;" in sentence(compare(**runs), "a", "b")
    assert "Holm-corrected p 0.086 over 3 pairs" in sentence(compare(**runs, c=[0.7, 0.71, 0.72, 0.73]), "a", "b")
    assert "can't tell" in sentence(compare(**runs, c=[0.7, 0.71, 0.72, 0.73]), "a", "b")


def test_p_values_as_text():
    assert [p_text(p) for p in (1, 0.123, 0.0456, 1e-9)] == ["1.00", "0.12", "0.046", "below 0.0001"]
