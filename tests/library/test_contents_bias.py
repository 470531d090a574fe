"""How far what networks find is from what people drew."""

import numpy as np
import pandas as pd
import pytest

from densecell.contents_bias import fraction_bias, volume_bias, with_bias
from densecell.volume_fractions import PREDICTED_CELL, REFERENCE_CELL

ROLES = {"test": "test", "compare": "compare", "eval": "eval"}


def fractions(**volumes):
    """A table of volume fractions: region -> (drawn granules, found granules) in cells of 10 um3 as drawn and as found."""
    rows = []
    for region, (drawn, found) in volumes.items():
        own = ("v", region, "reference", "annotation", "reference", np.nan, REFERENCE_CELL)
        ours = ("v", region, "reference", "net", "top2", 100.0, PREDICTED_CELL)
        for keys, value in ((own, drawn), (ours, found)):
            for name, volume in (("cell", 10 - value), ("granule", value), ("all", 10)):
                rows.append((*keys, name, "volume_um3", volume, "um3"))
                rows.append((*keys, name, "volume_fraction", volume / 10, "1"))
    columns = ["volume", "region", "reference", "experiment", "predictor", "margin_nm", "denominator", "class"]
    return pd.DataFrame(rows, columns=[*columns, "measure", "value", "unit"])


def test_a_fifth_too_much_is_a_bias_of_a_fifth():
    bias, places = fraction_bias(fractions(test=(1.0, 1.2)), "net", 2, 100.0, ROLES)
    assert bias["granule"] == pytest.approx(0.2) and bias["cell"] == pytest.approx(8.8 / 9 - 1)
    assert places == "test (test) of v"


def test_unseen_regions_are_added_up_and_the_eval_region_that_chose_the_networks_is_left_out():
    table = fractions(eval=(1.0, 1.0), test=(1.0, 2.0), compare=(3.0, 3.0))
    bias, places = fraction_bias(table, "net", 2, 100.0, ROLES)
    assert bias["granule"] == pytest.approx(5 / 4 - 1) and places == "test (test) of v; compare (compare) of v"
    bias, places = fraction_bias(table[table["region"] == "eval"], "net", 2, 100.0, ROLES)
    assert bias["granule"] == 0 and places == "eval (eval) of v"


def test_other_ensembles_other_sizes_and_other_margins_say_nothing():
    table = fractions(test=(1.0, 1.2))
    for ensemble, k, margin_nm in (("other", 2, 100.0), ("net", 1, 100.0), ("net", 2, 50.0)):
        assert fraction_bias(table, ensemble, k, margin_nm, ROLES) == ({}, "")


def test_of_a_class_that_was_not_drawn_no_bias_is_known():
    bias, _ = fraction_bias(fractions(test=(0.0, 1.0)), "net", 2, 100.0, ROLES)
    assert set(bias) == {"cell"}


def overlap(*scores):
    """Pooled scores of one draw each: (precision, recall)."""
    rows = []
    for i, (precision, recall) in enumerate(scores):
        for measure, value in (("precision", precision), ("recall", recall), ("dice", 0.5)):
            rows.append(("v", "train", "unet", f"seed{i}", "nucleus", "pooled", measure, value))
    return pd.DataFrame(
        rows, columns=["volume", "region", "experiment", "predictor", "class", "pooling", "measure", "value"]
    )


def test_predicted_over_drawn_is_recall_over_precision():
    # tp 8, fp 2, fn 8: 10 predicted, 16 drawn
    assert volume_bias(overlap((0.8, 0.5)), ["unet"]) == ({"nucleus": pytest.approx(10 / 16 - 1)}, "train of v")


def test_the_mean_over_draws_leaves_out_those_without_a_precision_and_a_recall():
    bias, _ = volume_bias(overlap((0.5, 1.0), (1.0, 1.0), (np.nan, np.nan), (0.0, 0.0)), ["unet"])
    assert bias["nucleus"] == pytest.approx(0.5)
    assert volume_bias(overlap((np.nan, np.nan)), ["unet"]) == ({}, "")
    assert volume_bias(overlap((1.0, 1.0)), ["other"]) == ({}, "")
    assert volume_bias(overlap((0.5, 1.0), (1.0, 1.0)), ["unet"], "seed1")[0] == {"nucleus": 0}


def test_a_draw_that_finds_nothing_of_what_was_drawn_is_off_by_all_of_it():
    assert volume_bias(overlap((np.nan, 0.0), (1.0, 1.0)), ["unet"])[0] == {"nucleus": -0.5}
    assert volume_bias(overlap((np.nan, 0.0)), ["unet"]) == ({"nucleus": -1}, "train of v")


def test_volumes_in_unseen_regions_count_and_those_in_eval_regions_only_without():
    unseen, chosen = (overlap(score).assign(region=r) for score, r in (((1.0, 0.5), "test"), ((1.0, 1.0), "eval")))
    table = pd.concat([chosen, unseen, overlap((1.0, 0.1)).assign(region="train")])
    assert volume_bias(table, ["unet"], roles=ROLES) == ({"nucleus": -0.5}, "test (test) of v")
    assert volume_bias(chosen, ["unet"], roles=ROLES) == ({"nucleus": 0}, "eval (eval) of v")
    assert volume_bias(table[table["region"] == "train"], ["unet"], roles=ROLES) == ({}, "")


def test_each_row_is_told_its_bias():
    contents = pd.DataFrame({"source": ["a", "a", "b"], "class": ["x", "y", "x"]})
    table = with_bias(contents, {("a", "x"): (0.1, "volume", "test of v")})
    assert table["bias"].tolist()[0] == 0.1 and table["bias"].isna().tolist() == [False, True, True]
    assert table["bias_from"].tolist() == ["test of v", "", ""]
    assert with_bias(contents[:0], {}).columns.tolist()[-3:] == ["bias", "bias_of", "bias_from"]
