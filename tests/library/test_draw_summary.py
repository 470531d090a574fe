"""Scores of draws, over draws, and by distance."""

import numpy as np
import pandas as pd
import pytest

from densecell import draw_summary
from densecell.overlap import SUMS, overlap_table


def rows(tp, fp, fn, *, n=7, draw=1, z=0, distance=1, region="r", complete=True, name="nuclei", subject="nucleus"):
    """The rows of one slice of binary predictions."""
    sums = dict(zip(SUMS, (tp, fp, fn, 10, tp, tp + fp, tp + fn, tp + fp + fn + 10)))
    if not complete:
        sums |= {"fp": np.nan, "tn": np.nan, "sum_pp": np.nan}
    keys = {
        "volume": "v",
        "region": region,
        "reference": "reference",
        "experiment": f"{name}_n{n}",
        "predictor": f"seed{draw}",
    }
    keys |= {"class": subject, "n_slices": n, "draw": draw, "z": z, "distance": distance, "threshold": 0.5}
    return overlap_table(sums, **keys)


def table(*parts):
    return pd.concat(parts, ignore_index=True)


def value(metrics, measure, pooling="pooled", column="value", **where):
    found = metrics[(metrics["measure"] == measure) & (metrics["pooling"] == pooling)]
    for key, wanted in where.items():
        found = found[found[key] == wanted]
    assert len(found) == 1
    return found[column].iloc[0]


def test_pooled_and_mean_over_slices_differ_and_say_so():
    metrics = draw_summary.draw_metrics(table(rows(9, 1, 1, z=0), rows(0, 0, 10, z=1)))
    assert value(metrics, "dice") == pytest.approx(18 / 30)
    assert value(metrics, "dice", "slice_mean") == pytest.approx(0.45)
    assert value(metrics, "precision") == 0.9 and value(metrics, "recall") == 9 / 20
    assert value(metrics, "dice", column="n") == value(metrics, "dice", "slice_mean", column="n") == 2


def test_undefined_slices_are_left_out_and_counted_and_empty_ones_are_1():
    metrics = draw_summary.draw_metrics(table(rows(6, 2, 2, z=0), rows(0, 0, 0, z=1)))
    assert value(metrics, "dice", "slice_mean") == pytest.approx((0.75 + 1) / 2)
    assert value(metrics, "dice", "slice_mean", column="n_empty") == 1
    assert value(metrics, "dice") == 0.75
    assert value(metrics, "precision", "slice_mean") == 0.75  # of the one slice where it is defined
    assert value(metrics, "precision", "slice_mean", column="n") == 1
    assert value(metrics, "precision", "slice_mean", column="n_left_out") == 1
    assert value(metrics, "precision", column="n_left_out") == 0


def test_all_empty_is_dice_1_and_the_rest_undefined():
    metrics = draw_summary.draw_metrics(table(rows(0, 0, 0, z=0), rows(0, 0, 0, z=1)))
    assert value(metrics, "dice") == value(metrics, "soft_dice") == 1
    assert value(metrics, "dice", column="n_empty") == 2
    assert np.isnan(value(metrics, "recall")) and value(metrics, "recall", column="n_left_out") == 2


def test_incomplete_slices_give_recall_of_what_was_drawn_and_nothing_else():
    complete = rows(6, 2, 2, z=0)
    both = draw_summary.draw_metrics(table(complete, rows(1, 0, 3, z=1, complete=False)))
    alone = draw_summary.draw_metrics(complete)
    assert value(both, "recall_of_drawn") == 0.25
    pd.testing.assert_frame_equal(both[both["measure"] != "recall_of_drawn"], alone)


def test_several_regions_are_also_pooled():
    metrics = draw_summary.draw_metrics(table(rows(9, 1, 1, region="a"), rows(0, 0, 10, region="b")))
    assert value(metrics, "dice", region="a") == 0.9 and value(metrics, "dice", region="b") == 0
    assert (
        value(metrics, "dice", region="") == pytest.approx(0.6)
        and value(metrics, "dice", region="", column="volume") == ""
    )


def test_mean_and_deviation_over_draws():
    parts = [rows(tp, 10 - tp, 10 - tp, draw=d) for d, tp in enumerate((6, 8, 10), 1)]
    budget = draw_summary.label_budget(draw_summary.draw_metrics(table(*parts, rows(5, 5, 5, n=15))))
    dice = {"measure": "dice", "pooling": "pooled"}
    seven = budget[(budget[list(dice)] == pd.Series(dice)).all(axis=1) & (budget["n_slices"] == 7)].iloc[0]
    assert (seven["mean"], seven["sd"], seven["min"], seven["max"], seven["n"]) == pytest.approx((0.8, 0.2, 0.6, 1, 3))
    fifteen = budget[(budget["measure"] == "dice") & (budget["n_slices"] == 15)].iloc[0]
    assert fifteen["n"] == 1 and np.isnan(fifteen["sd"]) and fifteen["mean"] == 0.5
    assert set(budget["series"]) == {"nuclei"}


def test_draws_without_a_value_are_left_out_and_counted():
    budget = draw_summary.label_budget(draw_summary.draw_metrics(table(rows(6, 2, 2), rows(0, 0, 4, draw=2))))
    precision = budget[(budget["measure"] == "precision") & (budget["pooling"] == "pooled")].iloc[0]
    assert precision["n"] == 1 and precision["n_left_out"] == 1 and precision["mean"] == 0.75
    empty = draw_summary.label_budget(draw_summary.draw_metrics(table(rows(0, 0, 0), rows(1, 0, 0, draw=2))))
    assert empty[(empty["measure"] == "dice")]["n_empty"].tolist() == [1, 1]


def test_the_curve_joins_the_numbers_of_slices_of_a_name():
    assert draw_summary.series_of("nuclei_n7", 7) == "nuclei"
    assert draw_summary.series_of("nuclei_n7", 10) == "nuclei_n7"
    assert draw_summary.series_of("nuclei", 10) == "nuclei" and draw_summary.series_of("nuclei", np.nan) == "nuclei"
    parts = [rows(5, 5, 5, n=n, name=name) for n in (10, 7) for name in ("b", "a")]
    budget = draw_summary.label_budget(draw_summary.draw_metrics(table(*parts)))
    pairs = list(budget[["series", "n_slices"]].drop_duplicates().itertuples(index=False, name=None))
    assert pairs == [("b", 7), ("b", 10), ("a", 7), ("a", 10)]


def test_by_distance_pools_the_slices_of_a_distance():
    parts = [rows(9, 1, 1, z=3, distance=1), rows(5, 5, 5, z=5, distance=1), rows(1, 9, 9, z=9, distance=4)]
    found = draw_summary.metrics_by_distance(table(*parts))
    assert value(found, "dice", distance=1) == pytest.approx(28 / 40) and value(found, "dice", distance=4) == 0.1
    assert value(found, "dice", distance=1, column="n") == 2
