import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from densecell.weight_maps import class_balance_weights, edge_terms, rectify, weight_slice

GROUPS = np.array([0, 1, 2, 2, 2, 2, 2])

A = np.array(
    [
        [0, 0, 0, 0, 0, 0, 0, 0],
        [0, 0, 1, 1, 1, 1, 0, 0],
        [0, 1, 1, 1, 1, 1, 1, 0],
        [0, 1, 1, 2, 2, 1, 1, 0],
        [0, 1, 3, 2, 2, 5, 6, 0],
        [0, 1, 1, 1, 1, 1, 1, 0],
        [0, 0, 1, 1, 1, 4, 0, 0],
        [0, 0, 0, 0, 0, 0, 0, 1],
    ],
    dtype=np.uint8,
)
A_EDGES_SIGMA_1_5 = np.array(
    [
        [0.000000, 0.000000, 0.103965, 0.205826, 0.204836, 0.101135, 0.000000, 0.000000],
        [0.000000, 0.082538, 0.404958, 0.307621, 0.311863, 0.417009, 0.065703, 0.000000],
        [0.083625, 0.426097, 0.271580, 0.206329, 0.219846, 0.309489, 0.478148, 0.029089],
        [0.162939, 0.362529, 0.248101, 0.432425, 0.403077, 0.328012, 0.467652, 0.056747],
        [0.150980, 0.381891, 0.382716, 0.391561, 0.346339, 0.267145, 0.141658, 0.027961],
        [0.060105, 0.464761, 0.332095, 0.296564, 0.347791, 0.446926, 0.562669, 0.013093],
        [0.000000, 0.053157, 0.456067, 0.394096, 0.437135, 0.132575, 0.062807, 0.035109],
        [0.000000, 0.000000, 0.070562, 0.139340, 0.108989, 0.048216, 0.037277, 0.593636],
    ]
)


def disc_beside_a_border():
    """32x32: background left of x = 10, cell from there, a disc of radius 4 of class 4 around (16, 20)."""
    y, x = np.indices((32, 32))
    labels = np.where(x < 10, 0, 1).astype(np.uint8)
    labels[(y - 16) ** 2 + (x - 20) ** 2 <= 16] = 4
    return labels


def counts_of(labels):
    return np.bincount(labels[labels != 255].ravel(), minlength=7)


def balance_of(labels):
    return class_balance_weights(counts_of(labels))


# By hand


def test_balance_is_the_rarest_count_over_the_count():
    np.testing.assert_allclose(class_balance_weights([100, 50, 10]), [0.1, 0.2, 1.0])


def test_balance_with_power_one_half_is_the_square_root():
    np.testing.assert_allclose(class_balance_weights([100, 25, 4], power=0.5), [0.2, 0.4, 1.0])


def test_class_absent_from_the_volume_weighs_0_and_is_not_the_rarest():
    np.testing.assert_allclose(class_balance_weights([8, 0, 2]), [0.25, 0.0, 1.0])


@pytest.mark.parametrize("counts", [[0, 0], [3, -1]])
def test_balance_refuses_counts_without_a_meaning(counts):
    with pytest.raises(ValueError, match="class_counts"):
        class_balance_weights(counts)


def test_balance_refuses_a_power_of_0():
    with pytest.raises(ValueError, match="class_weight_power"):
        class_balance_weights([1, 2], power=0)


def test_rectify_cuts_at_the_threshold_and_keeps_the_maximum():
    # (0.5 - 0.25) * 0.75 / (0.75 - 0.25) = 0.375
    np.testing.assert_allclose(rectify([[0.1, 0.25], [0.5, 0.75]]), [[0, 0], [0.375, 0.75]])


@pytest.mark.parametrize("maximum", [0.0, 0.2, 0.25])
def test_rectify_is_0_where_nothing_exceeds_the_threshold(maximum):
    assert (rectify(np.full((3, 3), maximum)) == 0).all()


def test_a_slice_of_one_class_has_no_edges():
    assert (edge_terms(np.ones((9, 9), np.uint8), GROUPS) == 0).all()


def test_background_and_organelle_have_no_edge_with_each_other():
    labels = np.zeros((9, 9), np.uint8)
    labels[:, 4:] = 2
    assert (edge_terms(labels, GROUPS) == 0).all()


def test_two_organelles_have_no_edge_with_each_other():
    labels = np.full((9, 9), 3, np.uint8)
    labels[:, 4:] = 4
    assert (edge_terms(labels, GROUPS) == 0).all()


# Worked examples, computed independently with the paper's formula


def test_worked_example_with_sigma_1_5():
    assert counts_of(A).tolist() == [31, 25, 4, 1, 1, 1, 1]
    np.testing.assert_allclose(balance_of(A), [0.032258, 0.04, 0.25, 1, 1, 1, 1], atol=1e-6)
    total = edge_terms(A, GROUPS, sigma_px=1.5)
    assert total.max() == pytest.approx(0.593636, abs=1e-6)
    edges = rectify(total)
    np.testing.assert_allclose(edges, A_EDGES_SIGMA_1_5, atol=1e-6)
    assert edges.sum() == pytest.approx(13.874359, abs=1e-6)
    weights = weight_slice(A, balance_of(A), GROUPS, sigma_px=1.5)
    assert weights.dtype == np.float32
    assert weights.sum(dtype=np.float64) == pytest.approx(21.514359, abs=5e-6)
    expected = {(0, 0): 0.042258, (3, 3): 0.692425, (4, 2): 1.392716, (7, 7): 0.643636}
    for at, value in expected.items():
        assert weights[at] == pytest.approx(value, abs=1e-6), at


def test_worked_example_with_sigma_6():
    total = edge_terms(A, GROUPS)
    assert total.max() == pytest.approx(0.538823, abs=1e-6)
    assert rectify(total).sum() == pytest.approx(20.282784, abs=1e-6)
    weights = weight_slice(A, balance_of(A), GROUPS)
    assert weights.sum(dtype=np.float64) == pytest.approx(27.922784, abs=5e-6)
    expected = {
        (0, 0): 0.221384,
        (1, 2): 0.584348,
        (3, 3): 0.436883,
        (4, 2): 1.186795,
        (4, 6): 1.185026,
        (7, 7): 0.588823,
    }
    for at, value in expected.items():
        assert weights[at] == pytest.approx(value, abs=1e-6), at


def test_worked_example_of_a_disc_beside_a_border():
    labels = disc_beside_a_border()
    assert counts_of(labels).tolist() == [320, 655, 0, 0, 49, 0, 0]
    total = edge_terms(labels, GROUPS)
    edges = rectify(total)
    weights = weight_slice(labels, balance_of(labels), GROUPS)
    assert total.max() == pytest.approx(0.732568, abs=1e-6)
    assert weights.sum(dtype=np.float64) == pytest.approx(225.876185, abs=5e-5)
    expected = {
        (16, 20): (0.674900, 0.645025, 1.655025),
        (16, 24): (0.732568, 0.732568, 1.742568),
        (16, 16): (0.618628, 0.559599, 1.569599),
        (16, 25): (0.133049, 0.000000, 0.084809),
        (16, 15): (0.284023, 0.051649, 0.136458),
        (16, 10): (0.460799, 0.320006, 0.404815),
        (16, 9): (0.374180, 0.188512, 0.351637),
        (16, 8): (0.326228, 0.115718, 0.278843),
        (0, 9): (0.409644, 0.242350, 0.405475),
        (0, 31): (0.004580, 0.000000, 0.084809),
        (31, 0): (0.084771, 0.000000, 0.163125),
    }
    for at, values in expected.items():
        np.testing.assert_allclose((total[at], edges[at], weights[at]), values, atol=1.1e-6, err_msg=str(at))


def test_each_slice_is_rectified_by_its_own_maximum():
    stack = [A, np.where(A == 0, 1, A), np.zeros_like(A)]
    totals = [edge_terms(labels, GROUPS) for labels in stack]
    np.testing.assert_allclose([t.max() for t in totals], [0.538823, 0.772680, 0], atol=1e-6)
    np.testing.assert_allclose([rectify(t).sum() for t in totals], [20.282784, 6.160315, 0], atol=1e-6)


# Properties


def random_labels(seed, shape=(24, 20)):
    rng = np.random.default_rng(seed)
    blocks = rng.integers(0, 7, (-(-shape[0] // 4), -(-shape[1] // 4)))
    return np.kron(blocks, np.ones((4, 4), int))[: shape[0], : shape[1]].astype(np.uint8)


@pytest.mark.parametrize("seed", range(5))
def test_weights_are_bounded_and_rectification_keeps_the_maximum(seed):
    labels = random_labels(seed)
    total = edge_terms(labels, GROUPS, sigma_px=2.0)
    assert total.min() >= 0 and total.max() <= 0.882
    assert rectify(total).max() == pytest.approx(total.max())
    weights = weight_slice(labels, balance_of(labels), GROUPS, sigma_px=2.0)
    assert weights.min() >= np.float32(0.01)
    assert weights.max() <= 0.01 + 1 + 0.882


@pytest.mark.parametrize("seed", range(5))
def test_labels_under_an_invalid_voxel_change_nothing(seed):
    labels, rng = random_labels(seed), np.random.default_rng(100 + seed)
    valid = rng.random(labels.shape) < 0.7
    balance = np.linspace(0.1, 1, 7)
    expected = weight_slice(labels, balance, GROUPS, sigma_px=2.0, valid=valid)
    assert (expected[~valid] == 0).all() and (expected[valid] > 0).all()
    for scrambled in (rng.integers(0, 7, labels.shape), 255, 77):
        other = np.where(valid, labels, scrambled).astype(np.uint8)
        found = weight_slice(other, balance, GROUPS, sigma_px=2.0, valid=valid)
        np.testing.assert_array_equal(found, expected)


def four_terms(labels, sigma_px, valid):
    """The definition: each source group blurred by itself, each term kept on its own targets."""
    group = np.where(valid, GROUPS[np.where(valid, labels, 0)], -1)
    blur = [0.882 * gaussian_filter((group == g).astype(float), sigma_px, mode="reflect", truncate=4) for g in range(3)]
    total = np.zeros(labels.shape)
    for source, target in ((0, 1), (1, 0), (1, 2), (2, 1)):
        total[group == target] += blur[source][group == target]
    return total


@pytest.mark.parametrize("sigma_px", [0.5, 2.0, 6.0])
@pytest.mark.parametrize("share_valid", [1.0, 0.7])
@pytest.mark.parametrize("seed", range(3))
def test_fewer_blurs_give_the_four_terms_of_the_definition(seed, share_valid, sigma_px):
    labels = random_labels(seed, (40, 37))
    valid = np.random.default_rng(seed).random(labels.shape) < share_valid
    expected = four_terms(labels, sigma_px, valid)
    np.testing.assert_allclose(edge_terms(labels, GROUPS, sigma_px, valid=valid), expected, rtol=0, atol=2e-15)
    labels[~valid] = 255
    np.testing.assert_allclose(edge_terms(labels, GROUPS, sigma_px), expected, rtol=0, atol=2e-15)


@pytest.mark.parametrize("dtype", [np.int16, np.int64])
def test_labels_of_any_integer_type_weigh_the_same(dtype):
    labels = random_labels(0)
    labels[3, 4] = 255
    expected = weight_slice(labels, np.linspace(0.1, 1, 7), GROUPS)
    np.testing.assert_array_equal(weight_slice(labels.astype(dtype), np.linspace(0.1, 1, 7), GROUPS), expected)
    with pytest.raises(ValueError, match=r"found \[-1, 300\]"):
        weight_slice(np.array([[0, -1], [300, 255]], dtype), np.ones(7), GROUPS)


def test_unlabelled_voxels_weigh_0_without_a_valid_mask():
    labels = disc_beside_a_border()
    labels[:5] = 255
    weights = weight_slice(labels, balance_of(labels), GROUPS)
    assert (weights[:5] == 0).all() and (weights[5:] > 0).all()
    masked = weight_slice(disc_beside_a_border(), balance_of(labels), GROUPS, valid=labels != 255)
    np.testing.assert_array_equal(weights, masked)


def test_a_slice_without_a_labelled_voxel_weighs_nothing():
    assert (weight_slice(np.full((6, 6), 255, np.uint8), np.ones(7), GROUPS) == 0).all()


def test_edge_scale_multiplies_only_the_edge_term():
    without, single, double = (weight_slice(A, balance_of(A), GROUPS, edge_scale=s) for s in (0, 1, 2))
    np.testing.assert_allclose(double - single, single - without, atol=1e-6)
    np.testing.assert_allclose(without, 0.01 + balance_of(A)[A], atol=1e-7)


def test_a_label_without_a_class_is_refused_by_its_value():
    labels = A.copy()
    labels[0, 0] = 9
    with pytest.raises(ValueError, match=r"0 to 6 or 255.*\[9\]"):
        weight_slice(labels, np.ones(7), GROUPS)


def test_a_balance_of_another_length_is_refused():
    with pytest.raises(ValueError, match="7 classes, found 6"):
        weight_slice(A, np.ones(6), GROUPS)


def test_a_mask_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="valid"):
        weight_slice(A, np.ones(7), GROUPS, valid=np.ones((8, 1), bool))


def test_a_mask_of_numbers_means_what_its_truth_means():
    labels, balance = np.array([[0, 1, 9], [2, 255, 1]], np.uint8), np.ones(3)
    valid = np.array([[1, 1, 0], [1, 1, 1]], np.uint8)
    expected = weight_slice(labels, balance, [0, 1, 2], valid=valid.astype(bool))
    np.testing.assert_array_equal(weight_slice(labels, balance, [0, 1, 2], valid=valid), expected)
    np.testing.assert_array_equal(weight_slice(labels, balance, [0, 1, 2], valid=valid.tolist()), expected)
    valid[0, 2] = 1
    with pytest.raises(ValueError, match=r"found \[9\]"):
        weight_slice(labels, balance, [0, 1, 2], valid=valid)
