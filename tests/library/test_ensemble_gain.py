import numpy as np
import pandas as pd
import pytest

from densecell.ensemble_gain import COLUMNS, describe_gain, gain_table

NAN = float("nan")


def metrics(values, region="t", role="test", experiment="e"):
    """{predictor: organelle score} as rows of the table of measures."""
    rows = [(experiment, region, role, name, "miou_org", value) for name, value in values.items()]
    columns = ["experiment", "region", "role", "predictor", "measure", "value"]
    return pd.DataFrame(rows, columns=columns).assign(reference="reference")


SCORES = {"seed3": 0.2, "seed7": 0.4, "top1": 0.4, "top2": 0.5, "random2_1": 0.3, "random2_2": 0.6}


def pick(table, **keys):
    for column, value in keys.items():
        table = table[table[column] == value]
    return table


def test_sizes_kinds_and_means_by_hand():
    table = gain_table(metrics(SCORES), ["e"], 0.5)
    assert list(table.columns) == COLUMNS
    means = pick(table, predictor="mean", region="t").set_index("kind")
    assert means.at["single", "k"] == 1 and means.at["single", "value"] == pytest.approx(0.3)
    assert means.at["random", "k"] == 2 and means.at["random", "value"] == pytest.approx(0.45)
    # the middle half of 0.2 and 0.4
    assert means.at["single", "low"] == pytest.approx(0.25) and means.at["single", "high"] == pytest.approx(0.35)
    assert list(means["n"]) == [2, 2]
    ranked = pick(table, kind="ranked", region="t")
    assert list(ranked["k"]) == [1, 2] and list(ranked["value"]) == [0.4, 0.5]
    assert ranked[["low", "high"]].isna().all(axis=None)


def test_means_over_regions_need_a_value_in_each():
    both = pd.concat([metrics(SCORES), metrics({**SCORES, "top2": NAN, "seed3": 0.4}, region="u")])
    over = pick(gain_table(both, ["e"], 0.95), region="").set_index("predictor")["value"]
    assert over["seed3"] == pytest.approx(0.3) and np.isnan(over["top2"])


def test_without_random_draws_or_singles_only_the_ranked_ones_remain():
    table = gain_table(metrics({"top1": 0.4, "top2": 0.5}), ["e"], 0.95)
    assert set(table["kind"]) == {"ranked"} and len(table) == 4
    assert describe_gain(table, "e", 2) == (
        "Eval chose k = 2. Test, mean of organelles: 0.500, best single network by eval 0.400 (+25.0 %)."
    )


def test_other_references_roles_and_ensembles_are_left_out():
    rows = pd.concat(
        [
            metrics(SCORES),
            metrics(SCORES, experiment="annotation"),
            metrics(SCORES, region="c", role="compare"),
            metrics(SCORES).assign(reference="annotator_1"),
            metrics({"chosen": 0.9}),
        ]
    )
    pd.testing.assert_frame_equal(gain_table(rows, ["e"], 0.5), gain_table(metrics(SCORES), ["e"], 0.5))


def test_what_test_says_of_the_choice():
    table = gain_table(metrics(SCORES), ["e"], 0.95)
    text = describe_gain(table, "e", 2)
    assert "0.500, best single network by eval 0.400 (+25.0 %)" in text
    assert "above 1 of 2 random ensembles of 2 (mean 0.450), above 2 of 2 single networks (mean 0.300)." in text
    assert describe_gain(table, "e", 1).startswith("Eval chose k = 1. Test, mean of organelles: 0.400, above 1 of 2")
    assert describe_gain(table, "e", 5) == "Eval chose k = 5. No test score of it."
