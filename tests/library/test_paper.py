import json
import math

import pandas as pd
import pytest

from densecell import paper
from densecell.paper_items import ITEMS

CHOSEN = {"name": "net", "k": 2, "members": [{"seed": 7}, {"seed": 3}]}
PLACES = {"eval": ("e", "reference"), "test": ("t", "reference"), "compare": ("c", "annotator_1")}


def metrics():
    """eval prefers seed 7 and top2; test would prefer seed 3 and top1."""
    rows = []
    values = {
        "e": {"seed3": 0.5, "seed7": 0.6, "top1": 0.6, "top2": 0.7},
        "t": {"seed3": 0.9, "seed7": 0.4, "top1": 0.95, "top2": 0.5},
    }
    for region, scores in values.items():
        for predictor, value in scores.items():
            for measure, subject in (
                ("miou_all", "all"),
                ("miou_org", "organelles"),
                ("mean_organelle_accuracy", "organelles"),
            ):
                rows.append(("v", region, "reference", "net", predictor, subject, measure, value, "1"))
    for person, value in (("annotator_1", 0.3), ("annotator_2", 0.2)):
        rows.append(("v", "c", person, "net", "top2", "organelles", "miou_org", value, "1"))
    rows.append(("v", "c", "annotator_1", "annotation", "annotator_2", "organelles", "miou_org", 0.55, "1"))
    return pd.DataFrame(rows, columns=paper.COLUMNS)


def published():
    columns = ["table", "row", "algorithm", "kind", "role", "measure", "value"]
    rows = [
        ("S1a", "Top-4 net", "hybrid", "ensemble", "test", "miou_org", 0.446),
        ("S1b", "net", "hybrid", "single", "", "n_parameters", 10300000),
        ("poster", "ensemble", "hybrid", "ensemble", "test", "test_omiou_of_the_poster", 0.553),
        ("text", "annotator 1 with annotator 2", "hybrid", "ensemble", "compare", "miou_org", 0.571),
    ]
    return pd.DataFrame(rows, columns=columns)


def table(parts=None):
    return paper.table_s1(metrics(), PLACES, {"net": CHOSEN}, parts or {"a": ["net"], "b": ["net"]}, {"net": 42})


# ---------------------------------------------------------------------------------------------------- predictors
def test_the_ensemble_is_the_chosen_k_and_the_single_one_the_best_on_eval():
    available = ["seed3", "seed7", "top1", "top2"]
    assert paper.predictor_of(CHOSEN, "ensemble", available) == "top2"
    assert paper.predictor_of(CHOSEN, "single", available) == "seed7"


def test_a_best_network_that_is_not_predicted_singly_is_the_mean_of_one():
    assert paper.predictor_of(CHOSEN, "single", ["seed3", "top1", "top2"]) == "top1"
    with pytest.raises(ValueError, match=r"net: expected the predictor seed7 or top1 .* found seed3, top2. Add 1"):
        paper.predictor_of(CHOSEN, "single", ["seed3", "top2"])


def test_members_are_ordered_by_their_eval_score_and_only_predicted_ones_are_taken():
    ranking = pd.DataFrame({"seed": [1, 2, 3, 4], "eval_miou": [0.2, 0.9, 0.2, 0.5]})
    assert paper.ranked_singles(ranking, ["seed1", "seed3", "seed4", "top1"]) == ["seed4", "seed1", "seed3"]


# -------------------------------------------------------------------------------------------------------- tables
def test_table_s1_takes_what_eval_chose_though_test_prefers_another():
    rows = table().set_index(["part", "role", "measure"])
    assert rows.loc[("a", "eval", "miou_all"), "value"] == 0.7
    assert rows.loc[("a", "test", "miou_org"), ["value", "predictor", "k"]].tolist() == [0.5, "top2", 2]
    assert rows.loc[("b", "test", "miou_org"), ["value", "predictor", "k"]].tolist() == [0.4, "seed7", 1]


def test_parameters_stand_beside_single_networks_only():
    rows = table()
    counts = rows[rows["measure"] == "n_parameters"]
    assert counts[["part", "value", "unit"]].values.tolist() == [["b", 42, "parameter"]]


def test_without_a_test_region_there_are_no_test_rows():
    rows = paper.table_s1(metrics(), {"eval": PLACES["eval"]}, {"net": CHOSEN}, {"a": ["net"]}, {})
    assert set(rows["role"]) == {"eval"} and len(rows) == 2


def test_every_k_is_listed_and_the_one_chosen_on_eval_is_marked():
    rows = paper.every_k(metrics(), PLACES, {"net": CHOSEN}, ["net"])
    assert rows["k"].tolist() == [1, 1, 1, 2, 2, 2]
    assert rows.loc[rows["chosen_on_eval"], "k"].unique().tolist() == [2]


def test_published_numbers_are_matched_by_algorithm_kind_role_and_measure():
    rows = paper.add_published(table(), paper.published_of(published(), "table_s1"), {"net": "hybrid"})
    found = rows[rows["published"].notna()].set_index("measure")
    assert found.index.tolist() == ["miou_org", "n_parameters"]
    assert found.loc["miou_org", "difference"] == pytest.approx(0.5 - 0.446)
    assert found.loc["miou_org", "published_row"] == "Top-4 net"
    assert found.loc["n_parameters", "difference"] == 42 - 10300000


def test_another_algorithm_has_no_published_numbers():
    rows = paper.add_published(table(), published(), {"net": "unet_2d"})
    assert rows["published"].isna().all() and rows["difference"].isna().all()


def test_columns_stay_when_nothing_is_published():
    rows = paper.add_published(table(), None, {})
    assert list(rows.columns) == paper.TABLE_COLUMNS and rows["published"].isna().all()


def test_the_posters_test_column_is_held_against_both_measures_it_may_be():
    rows = paper.poster_table(metrics(), PLACES, {"net": CHOSEN}, ["net"])
    rows = paper.add_published(rows, paper.published_of(published(), "poster"), {"net": "hybrid"})
    ensemble = rows[(rows["kind"] == "ensemble") & (rows["role"] == "test")]
    assert ensemble["measure"].tolist() == ["miou_org", "mean_organelle_accuracy"]
    assert ensemble["published"].tolist() == [0.553, 0.553]
    assert rows["kind"].tolist() == ["single"] * 3 + ["ensemble"] * 3


def test_numbers_of_the_text():
    rows = paper.text_numbers(metrics(), PLACES, ["annotator_1", "annotator_2"], CHOSEN)
    rows = paper.add_published_text(rows, published()).set_index("row")
    assert rows.loc["gain of the ensemble over its best network", "value"] == pytest.approx(0.5 / 0.4 - 1)
    assert rows.loc["annotator 1 with annotator 2", ["value", "published"]].tolist() == [0.55, 0.571]
    assert rows.loc["annotator 2 with algorithm", "value"] == 0.2
    assert math.isnan(rows.loc["annotator 2 with algorithm", "published"])


def test_without_people_and_test_no_number_of_the_text_is_left():
    assert len(paper.text_numbers(metrics(), {"eval": PLACES["eval"]}, [], CHOSEN)) == 0


# --------------------------------------------------------------------------------------- parameters and fractions
def test_parameters_are_counted_without_the_buffers_of_batch_normalization():
    header = {
        "__metadata__": {"densecell": "{}"},
        "conv.weight": {"dtype": "F32", "shape": [4, 3, 2], "data_offsets": [0, 96]},
        "conv.bias": {"dtype": "F32", "shape": [4], "data_offsets": [96, 112]},
        "norm.running_mean": {"dtype": "F32", "shape": [4], "data_offsets": [112, 128]},
        "norm.num_batches_tracked": {"dtype": "I64", "shape": [], "data_offsets": [128, 136]},
    }
    assert paper.count_parameters(json.dumps(header)) == 28


def test_volume_fractions_of_people_are_their_own_and_of_the_algorithm_within_the_margin():
    columns = ["region", "reference", "experiment", "predictor", "margin_nm", "class", "measure", "value"]
    nan = math.nan
    rows = [
        ("c", "annotator_1", "annotation", "annotator_1", nan, "core", "volume_fraction", 0.01),
        ("c", "annotator_1", "annotation", "annotator_2", 100.0, "core", "volume_fraction", 0.9),
        ("c", "annotator_2", "annotation", "annotator_2", nan, "core", "volume_fraction", 0.02),
        ("c", "annotator_1", "net", "top2", 50.0, "core", "volume_fraction", 0.8),
        ("c", "annotator_1", "net", "top2", 100.0, "core", "volume_fraction", 0.03),
        ("c", "annotator_2", "net", "top2", 100.0, "core", "volume_fraction", 0.7),
    ]
    fractions = pd.DataFrame(rows, columns=columns)
    found = paper.volume_fractions(
        fractions, "c", ["annotator_1", "annotator_2"], "net", "top2", 100, ["core", "granule"]
    )
    assert [values[0] for values in found.values()] == [0.01, 0.02, 0.03]
    assert list(found) == ["annotator_1", "annotator_2", "net"] and math.isnan(found["net"][1])
    assert paper.volume_fractions(fractions, "c", [], "net", "top2", 100, ["core"]) == {}


# --------------------------------------------------------------------------------------------------------- texts
@pytest.mark.parametrize("name", ITEMS)
def test_every_figure_says_what_it_shows_what_made_it_and_what_differs(name):
    item = ITEMS[name]
    assert all(text.strip() for text in item[:4]) and item.caption.endswith(".") and item.differs.endswith(".")
