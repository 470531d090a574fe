import json

import numpy as np
import pandas as pd
import pytest

from densecell.ensembling import (
    choose_k,
    is_collapsed,
    mean_probabilities,
    member_list,
    prefix_means,
    rank,
)

TARGETS = ["background", "cell", "mitochondrion"]


def scores(**columns):
    """Four networks; seed 3 is best, seeds 1 and 2 are equal."""
    table = {
        "experiment": ["main"] * 4,
        "seed": [4, 2, 3, 1],
        "checkpoint": ["c4", "c2", "c3", "c1"],
        "eval_miou": [0.2, 0.5, 0.6, 0.5],
        "collapsed": [True, False, False, False],
        "targets": [TARGETS] * 4,
        "decision": ["argmax"] * 4,
    }
    return pd.DataFrame(table | columns)


def k_scores(miou, role="eval"):
    return pd.DataFrame({"k": range(1, len(miou) + 1), "role": role, "eval_miou": miou})


# Collapse


@pytest.mark.parametrize(
    "iou, collapsed",
    [
        ([0.9, 0.06, 0.0, 0.0], False),  # half of the classes is enough
        ([0.9, 0.05, 0.0, 0.0], True),  # 0.05 itself is not above 0.05
        ([0.9, 0.5, 0.0, 0.0, 0.0], True),  # two of five
        ([0.9, 0.5, 0.0, np.nan, np.nan], False),  # two of the three in the reference
    ],
)
def test_collapsed_is_fewer_than_half_of_the_classes_in_the_reference(iou, collapsed):
    assert is_collapsed(iou) is collapsed


def test_collapse_without_a_class_in_the_reference_is_refused():
    with pytest.raises(ValueError, match="at least one class"):
        is_collapsed([np.nan, np.nan])


# Ranking


def test_best_first_and_ties_by_seed():
    ranking = rank(scores())
    assert ranking["seed"].tolist() == [3, 1, 2, 4]
    assert ranking["rank"].tolist() == [1, 2, 3, 4]
    assert ranking["collapsed"].tolist() == [False, False, False, True]


@pytest.mark.parametrize("seed", range(3))
def test_ranking_does_not_depend_on_the_order_of_the_rows(seed):
    shuffled = scores().sample(frac=1, random_state=seed)
    pd.testing.assert_frame_equal(rank(shuffled), rank(scores()))
    pd.testing.assert_frame_equal(rank(rank(shuffled)), rank(scores()))


def test_a_network_never_evaluated_comes_last_and_is_never_a_member():
    ranking = rank(scores(eval_miou=[0.2, 0.5, np.nan, 0.5]))
    assert ranking["seed"].tolist() == [1, 2, 4, 3]
    with pytest.raises(ValueError, match="1 to 3"):
        member_list(ranking, 4)


def test_ranking_names_a_missing_column_and_refuses_a_repeated_seed():
    with pytest.raises(ValueError, match=r"missing \['collapsed'\]"):
        rank(scores().drop(columns="collapsed"))
    with pytest.raises(ValueError, match="repeated"):
        rank(scores(seed=[1, 1, 2, 3]))


# Member lists


def test_member_list_holds_the_first_k_in_order_and_survives_json():
    members = member_list(rank(scores()), 2)
    assert members == {
        "members": [
            {"experiment": "main", "seed": 3, "checkpoint": "c3", "eval_miou": 0.6},
            {"experiment": "main", "seed": 1, "checkpoint": "c1", "eval_miou": 0.5},
        ],
        "targets": TARGETS,
        "decision": "argmax",
    }
    assert json.loads(json.dumps(members)) == members


def test_members_may_come_from_different_experiments_with_equal_targets():
    ranking = rank(scores(experiment=["main", "unet", "main", "unet"], seed=[1, 1, 2, 2]))
    assert [m["experiment"] for m in member_list(ranking, 4)["members"]] == ["main", "unet", "unet", "main"]


@pytest.mark.parametrize(
    "column, values",
    [
        ("targets", [TARGETS, TARGETS, TARGETS, TARGETS[::-1]]),
        ("decision", ["argmax", "argmax", "argmax", {"threshold": 0.5}]),
    ],
)
def test_members_whose_targets_or_decisions_differ_are_refused(column, values):
    ranking = rank(scores(**{column: values}))
    assert len(member_list(ranking, 1)["members"]) == 1
    with pytest.raises(ValueError, match=f"{column}.*seed 1"):
        member_list(ranking, 2)


@pytest.mark.parametrize("k", [0, 5])
def test_an_ensemble_size_that_cannot_be_filled_is_refused(k):
    with pytest.raises(ValueError, match=f"1 to 4.*found {k}"):
        member_list(rank(scores()), k)


# Choosing k


@pytest.mark.parametrize("miou, k", [([0.5, 0.7, 0.6], 2), ([0.5, 0.7, 0.7], 2), ([0.5], 1), ([0.5, np.nan], 1)])
def test_highest_eval_score_and_the_smaller_of_equals(miou, k):
    assert choose_k(k_scores(miou)) == k
    assert choose_k(k_scores(miou)[::-1]) == k


@pytest.mark.parametrize("role", ["test", None])
def test_a_row_that_is_not_of_the_eval_role_is_refused(role):
    table = k_scores([0.5, 0.6])
    table.loc[1, "role"] = role
    with pytest.raises(ValueError, match="only 'eval'"):
        choose_k(table)


def test_choosing_among_no_scores_or_repeated_sizes_is_refused():
    with pytest.raises(ValueError, match="at least one k"):
        choose_k(k_scores([np.nan]))
    with pytest.raises(ValueError, match="one row for each k"):
        choose_k(pd.concat([k_scores([0.5]), k_scores([0.6])]))


# Averaging


def test_prefixes_are_means_in_ranking_order():
    members = [np.array([1.0, 0.0]), np.array([0.0, 1.0]), np.array([0.5, 0.5])]
    found = list(prefix_means(members))
    np.testing.assert_allclose(found, [[1, 0], [0.5, 0.5], [0.5, 0.5]])
    assert all(mean.dtype == np.float32 for mean in found)


@pytest.mark.parametrize("k", [1, 2, 5])
def test_mean_equals_the_last_prefix_stays_a_probability_and_leaves_members_alone(k):
    members = np.random.default_rng(k).dirichlet(np.ones(7), (k, 2, 3)).astype(np.float32)
    before = members.copy()
    mean = mean_probabilities(iter(members))
    np.testing.assert_allclose(mean, members.mean(axis=0), atol=1e-7)
    np.testing.assert_allclose(mean.sum(axis=-1), 1, atol=1e-6)
    np.testing.assert_array_equal(mean, list(prefix_means(members))[-1])
    np.testing.assert_array_equal(members, before)


def test_the_mean_is_taken_of_probabilities_and_can_decide_otherwise_than_a_vote():
    members = [np.array([0.51, 0.49]), np.array([0.51, 0.49]), np.array([0.0, 1.0])]
    assert mean_probabilities(members).argmax() == 1


def test_members_of_different_shapes_and_no_members_are_refused():
    with pytest.raises(ValueError, match="member 2"):
        mean_probabilities([np.zeros((2, 3)), np.zeros((2, 4))])
    with pytest.raises(ValueError, match="at least one"):
        mean_probabilities([])
