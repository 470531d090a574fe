import numpy as np
import pandas as pd
import pytest

from densecell.annotators import (
    agreement_matrix,
    agreement_table,
    best_algorithm,
    matrix_pairs,
    pair_agreements,
    people_of,
    row_shares,
    sources_of,
)

# the paper: annotators agree by 0.571, the algorithm with them by 0.497 and 0.483
PAPER = [
    ("annotator_1", "annotation", "annotator_2", 0.571),
    ("annotator_2", "annotation", "annotator_1", 0.571),
    ("annotator_1", "hybrid", "top4", 0.497),
    ("annotator_2", "hybrid", "top4", 0.483),
]
CHOSEN = {"hybrid": "top4"}


def metrics(rows, role="compare"):
    """A metrics table of one region with equal values of both scores."""
    table = []
    for reference, experiment, predictor, value in rows:
        for scope, measure in (("organelles", "miou_org"), ("all", "miou_all")):
            table.append(("v", "compare", reference, experiment, predictor, role, scope, measure, value, "1"))
    columns = ["volume", "region", "reference", "experiment", "predictor", "role", "class", "measure", "value", "unit"]
    return pd.DataFrame(table, columns=columns)


def value_of(table, measure, experiment):
    return table.loc[(table["measure"] == measure) & (table["experiment"] == experiment), "value"].item()


def test_ceiling_and_difference_of_the_paper():
    table = agreement_table(metrics(PAPER), CHOSEN)
    assert value_of(table, "human_mean_miou_org", "annotation") == pytest.approx(0.571)
    assert value_of(table, "human_best_miou_org", "annotation") == pytest.approx(0.571)
    assert value_of(table, "mean_with_annotators_miou_org", "hybrid") == pytest.approx(0.49)
    assert value_of(table, "difference_to_human_mean_miou_org", "hybrid") == pytest.approx(0.49 - 0.571)
    pairs = table[(table["measure"] == "miou_org")]
    assert len(pairs) == 4 and set(pairs["value"]) == {0.571, 0.497, 0.483}


def test_matrix_has_the_reference_in_its_rows_and_nothing_on_the_diagonal():
    table = agreement_table(metrics(PAPER), CHOSEN)
    matrix = agreement_matrix(table, "compare", "miou_org", ["annotator_1", "annotator_2"], ["hybrid"])
    assert matrix.loc["annotator_2", "hybrid"] == 0.483 and matrix.loc["annotator_1", "annotator_2"] == 0.571
    assert np.isnan(matrix.loc["annotator_1", "annotator_1"])


def test_other_sizes_and_regions_of_other_roles_are_left_out():
    more = [*PAPER, ("annotator_1", "hybrid", "top1", 0.9), ("annotator_1", "hybrid", "random2_1", 0.9)]
    assert agreement_table(metrics(more), CHOSEN).equals(agreement_table(metrics(PAPER), CHOSEN))
    assert agreement_table(metrics(PAPER, "test"), CHOSEN).empty


def test_one_label_source_has_nobody_to_agree_with():
    table = agreement_table(metrics([("reference", "hybrid", "top4", 0.5)]), CHOSEN)
    assert table.empty and "measure" in table.columns


def test_a_truth_is_no_person_where_there_are_two_annotators():
    truth = [
        ("reference", "annotation", "annotator_1", 0.9),
        ("annotator_1", "annotation", "reference", 0.9),
        ("reference", "annotation", "annotator_2", 0.8),
        ("annotator_2", "annotation", "reference", 0.8),
        ("reference", "hybrid", "top4", 0.7),
    ]
    table = agreement_table(metrics(PAPER + truth), CHOSEN)
    assert value_of(table, "human_mean_miou_org", "annotation") == pytest.approx(0.571)
    assert value_of(table, "mean_with_annotators_miou_org", "hybrid") == pytest.approx(0.49)
    assert people_of(["annotator_1", "reference"]) == ["annotator_1", "reference"]


def test_mean_and_best_of_three_people_and_two_directions():
    rows = [("a", "b", 0.2), ("b", "a", 0.4), ("a", "c", 0.5), ("c", "a", 0.5), ("b", "c", 0.9), ("c", "b", 0.9)]
    names = {"a": "annotator_1", "b": "annotator_2", "c": "annotator_10"}
    table = agreement_table(metrics([(names[r], "annotation", names[p], v) for r, p, v in rows]), {})
    assert value_of(table, "human_mean_miou_org", "annotation") == pytest.approx((0.3 + 0.5 + 0.9) / 3)
    assert value_of(table, "human_best_miou_org", "annotation") == pytest.approx(0.9)
    assert sources_of(table[table["reference"] != ""], "compare") == ["annotator_1", "annotator_2", "annotator_10"]


def test_pairs_take_the_mean_of_their_directions():
    matrix = pd.DataFrame([[np.nan, 0.2], [0.4, np.nan]], index=["a", "b"], columns=["a", "b"])
    assert pair_agreements(matrix, ["a", "b"]) == {("a", "b"): pytest.approx(0.3)}


def test_confusion_matrices_are_those_of_figure_s4():
    assert matrix_pairs(["annotator_1", "annotator_2"], "alg") == [
        ("annotator_1", "alg"),
        ("annotator_1", "annotator_2"),
        ("annotator_2", "alg"),
    ]


def test_rows_add_up_to_one_and_an_absent_class_has_none():
    shares = row_shares([[5, 5, 0], [1, 3, 0], [0, 0, 0]], [1, 2])
    assert shares[0].tolist() == [0.25, 0.75, 0] and np.isnan(shares[1]).all()


def test_the_best_algorithm_is_the_best_on_eval_and_the_first_of_equals():
    assert best_algorithm({"a": 0.5, "b": 0.7, "c": 0.7}) == "b"
