"""What the label budget shows, in words."""

import numpy as np
import pandas as pd
import pytest

from densecell import budget_words, draw_summary, summary


def metrics(scores, subject="nucleus", name="resunet", **facts):
    """Rows of pooled Dice. scores: {number of slices: values of its draws}."""
    rows = []
    for n, values in scores.items():
        for draw, value in enumerate(values, 1):
            keys = (
                "v",
                "r",
                "reference",
                f"{name}_n{n}",
                f"seed{draw}",
                subject,
                n,
                draw,
                0.5,
                "pooled",
                "dice",
                value,
                "1",
                4,
                0,
                0,
            )
            rows.append(dict(zip(draw_summary.METRIC_COLUMNS, keys)) | facts)
    return pd.DataFrame(rows)


def test_first_against_last_with_spread_and_the_fewest_that_are_enough():
    (sentence,) = budget_words.describe_budget(metrics({7: [0.7, 0.8], 15: [0.895, 0.895], 25: [0.9, 0.9]}))
    assert sentence == (
        "resunet, nucleus: Dice 0.750 (2 draws, SD 0.071) with 7 slices, 0.900 (2 draws, SD 0.000) with 25 slices: 0.150 more, and the "
        "ranges of the draws do not overlap. The fewest slices whose mean is within 0.01 of the highest: 15."
    )


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ({7: [0.7, 0.9], 25: [0.8, 0.85]}, "0.025 more, while the ranges of the draws overlap."),
        ({7: [0.9, 0.9], 25: [0.8, 0.7]}, "0.150 less, and the ranges of the draws do not overlap."),
        ({7: [0.9], 25: [0.95]}, "0.050 more, of too few draws to tell it from their spread."),
        ({7: [0.9, 0.8], 25: [0.8, 0.9]}, "no difference to three digits."),
        ({7: [0.9]}, "resunet, nucleus: Dice 0.900 (1 draw) with 7 slices."),
        ({7: [np.nan], 25: [0.8]}, "resunet, nucleus: Dice 0.800 (1 draw) with 25 slices."),
    ],
)
def test_what_the_draws_can_tell(scores, words):
    assert budget_words.describe_budget(metrics(scores))[0].endswith(words)


def test_empty_draws_are_told_and_undefined_ones_say_nothing():
    (sentence,) = budget_words.describe_budget(metrics({7: [1, 1]}, n_empty=4))
    assert sentence.endswith("In 2 draws neither reference nor prediction had any of it, which counts as 1.")
    assert budget_words.describe_budget(metrics({7: [np.nan]})) == []


def test_near_and_far_are_halves_at_the_median_distance():
    table = metrics({7: [0.9, 0.6, 0.5]}).assign(draw=1, distance=[1, 2, 5], n=[2, 1, 1])
    (sentence,) = budget_words.describe_distance(table)
    assert sentence == (
        "resunet, nucleus: Dice 0.900 on slices up to 1.5 from a training slice, 0.550 on those farther away (-0.350)."
    )
    assert budget_words.describe_distance(table.assign(distance=1)) == []
    assert budget_words.describe_distance(table.assign(distance=np.nan)) == []


def test_numbers_behind_the_sentences():
    table = budget_words.facts(metrics({7: [0.7, 0.8], 25: [0.9]}), summary.COLUMNS)
    assert list(table.columns) == summary.COLUMNS
    values = table.set_index(["experiment", "predictor"])["value"]
    assert values["resunet_n7", "draws_mean"] == 0.75 and values["resunet_n7", "draws_sd"] == pytest.approx(
        0.0707, abs=1e-4
    )
    assert np.isnan(values["resunet_n25", "draws_sd"])
