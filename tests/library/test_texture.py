import numpy as np
import pytest

from densecell import texture

STEPS = np.array([[0, 0, 1, 1], [0, 0, 1, 1], [0, 2, 2, 2], [2, 2, 3, 3]], np.uint8)[None]
FLAT = STEPS + 1  # one slice, levels 1 to 4
SETTINGS = {
    "levels": 4,
    "connectivity": 26,
    "resample_above": 1.5,
    "spectrum": {"element": "cube", "n_max": 3},
}


def cooccurrence(levels, n=4, pooled=False):
    counts = texture.pair_counts(levels, n)
    return texture.cooccurrence_features(counts.sum(axis=0) / counts.sum() if pooled else texture.cooccurrence(counts))


def zones(levels, connectivity=26):
    return texture.zone_features(*texture.zones(levels, connectivity))


def ball(shape=(21, 21, 21), radius=8.5):
    at = np.indices(shape) - (np.array(shape) // 2)[:, None, None, None]
    return (at**2).sum(axis=0) <= radius**2


# ------------------------------------------------------------------------------------------------------------- vectors
def test_a_flat_object_has_four_directions():
    expected = {"homogeneity": 0.699306, "correlation": 0.514752, "contrast": 0.951389, "variance": 0.980312}
    found = cooccurrence(FLAT)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    assert found["variance_printed"] == found["contrast"]
    assert (texture.pair_counts(FLAT, 4).sum(axis=(1, 2)) > 0).sum() == 4


def test_pooled_counts_would_give_other_numbers():
    expected = {"homogeneity": 0.707143, "correlation": 0.528430, "contrast": 0.928571, "variance": 0.984552}
    found = cooccurrence(FLAT, pooled=True)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)


def test_zones_of_the_flat_object():
    levels, sizes = texture.zones(FLAT)
    assert sorted(zip(levels.tolist(), sizes.tolist())) == [(1, 5), (2, 4), (3, 5), (4, 2)]
    expected = {"n_zones": 4, "zone_percentage": 0.25, "szhge": 1.1625, "szhge_printed": 7.5}
    assert zones(FLAT) == pytest.approx({**expected, "zone_size_mean": 4.0, "zone_level_mean": 2.5})


def test_a_checkerboard():
    board = (np.indices((4, 4, 4)).sum(axis=0) % 2 + 1).astype(np.uint8)
    expected = {"homogeneity": 0.730769, "correlation": -0.076923, "contrast": 0.538462, "variance": 0.25}
    found = cooccurrence(board)
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)
    levels, sizes = texture.zones(board)
    assert (levels.tolist(), sizes.tolist()) == ([1, 2], [32, 32])
    found = zones(board)
    assert (found["zone_percentage"], found["szhge"], found["szhge_printed"]) == (0.03125, 0.00244140625, 2.5)
    assert zones(board, 6)["n_zones"] == 64 and zones(board, 6)["zone_percentage"] == 1


def test_a_constant_object_has_correlation_1_by_convention():
    constant = np.ones((3, 3, 3), np.uint8)
    found = cooccurrence(constant)
    assert (found["homogeneity"], found["correlation"], found["contrast"]) == (1, 1, 0)
    assert zones(constant)["zone_percentage"] == pytest.approx(1 / 27)


def test_the_flat_object_four_times_in_z():
    expected = {"homogeneity": 0.722436, "correlation": 0.554968, "contrast": 0.878205, "variance": 0.986676}
    found = cooccurrence(np.repeat(FLAT, 4, axis=0))
    assert {name: found[name] for name in expected} == pytest.approx(expected, abs=1e-6)


# ---------------------------------------------------------------------------------------------------------- properties
def test_every_one_of_26_neighbors_is_counted_once():
    full = np.ones((3, 3, 3), np.uint8)
    pairs = sum((3 - abs(z)) * (3 - abs(y)) * (3 - abs(x)) for z, y, x in texture.OFFSETS)
    assert len(texture.OFFSETS) == 13 and texture.pair_counts(full, 1).sum() == 2 * pairs


def test_only_pairs_within_the_mask_count():
    row = np.array([[[1, 0, 2, 2]]], np.uint8)  # one pair, of 2 and 2
    assert texture.pair_counts(row, 2).sum(axis=0).tolist() == [[0, 0], [0, 2]]


def test_turning_the_object_changes_nothing():
    levels = np.random.default_rng(0).integers(0, 5, (6, 7, 8)).astype(np.uint8)
    expected = {**cooccurrence(levels), **zones(levels)}
    for turned in (levels.transpose(2, 0, 1), levels[::-1], levels[:, ::-1, ::-1]):
        assert {**cooccurrence(turned), **zones(turned)} == pytest.approx(expected)


def test_a_single_voxel_has_no_pair():
    assert np.isnan(list(cooccurrence(np.ones((1, 1, 1), np.uint8)).values())).all()


def test_levels_are_equally_wide_from_the_darkest_to_the_brightest():
    image = np.arange(9, dtype=np.uint8).reshape(1, 1, 9)
    assert texture.quantize(image, image >= 0, 4)[0, 0].tolist() == [1, 1, 2, 2, 3, 3, 4, 4, 4]
    inside = image > 4  # 5 to 8: outside it nothing counts, and is 0
    assert texture.quantize(image, inside, 4)[0, 0].tolist() == [0, 0, 0, 0, 0, 1, 2, 3, 4]
    assert texture.quantize(image, inside, 4, (0, 8))[0, 0].tolist() == [0, 0, 0, 0, 0, 3, 4, 4, 4]
    assert texture.quantize(image, inside, 300).dtype == np.uint16


@pytest.mark.parametrize("levels", [8, 32, 200])
def test_a_value_at_the_border_of_two_levels_belongs_to_the_upper_one(levels):
    for width in range(1, 256):
        values = np.arange(width + 1)
        image = values.astype(np.uint8)[None, None]
        expected = np.minimum(values * levels // width, levels - 1) + 1  # in whole numbers
        assert texture.quantize(image, image >= 0, levels).ravel().tolist() == expected.tolist()


def test_values_beyond_a_given_range_belong_to_the_last_levels():
    image = np.array([[[-5.0, 0.0, 1.0, 9.0]]])
    assert texture.quantize(image, image > -9, 2, (0, 2))[0, 0].tolist() == [1, 1, 2, 2]


def test_range_object_is_invariant_to_brightness_and_contrast():
    rng, mask = np.random.default_rng(1), ball()
    image = rng.integers(0, 100, mask.shape).astype(np.uint8)
    expected = texture.measure(image, mask, (4, 4, 4), SETTINGS)
    brighter = texture.measure(2 * image + 30, mask, (4, 4, 4), SETTINGS)
    limits = {name: 2 * expected[name] + 30 for name in ("gray_low", "gray_high")}
    assert brighter == pytest.approx({**expected, **limits})
    darker = texture.measure(image // 2, mask, (4, 4, 4), SETTINGS, (0, 100))
    assert darker["contrast"] < texture.measure(image, mask, (4, 4, 4), SETTINGS, (0, 100))["contrast"]


def test_what_lies_outside_the_object_has_no_effect():
    rng, mask = np.random.default_rng(2), ball()
    image = rng.integers(0, 256, mask.shape).astype(np.uint8)
    other = np.where(mask, image, rng.integers(0, 256, mask.shape)).astype(np.uint8)
    padded = [np.pad(a, 3) for a in (image, mask)]
    expected = texture.measure(image, mask, (4, 4, 4), SETTINGS)
    assert texture.measure(other, mask, (4, 4, 4), SETTINGS) == expected
    assert texture.measure(*padded, (4, 4, 4), SETTINGS) == pytest.approx(expected)


def test_finer_grain_has_more_contrast_and_smaller_zones():
    rng, mask = np.random.default_rng(3), ball((25, 25, 25), 11)
    fine = rng.integers(0, 256, mask.shape).astype(np.uint8)
    coarse = np.kron(rng.integers(0, 256, (7, 7, 7)), np.ones((4, 4, 4), int))[:25, :25, :25].astype(np.uint8)
    a, b = (texture.measure(image, mask, (4, 4, 4), SETTINGS) for image in (fine, coarse))
    assert a["contrast"] > 2 * b["contrast"] and a["zone_percentage"] > b["zone_percentage"]
    assert a["correlation"] < b["correlation"] and a["bright_mean"] < b["bright_mean"]


def test_too_few_voxels_give_nan_and_their_number():
    mask = np.ones((1, 7, 7), bool)
    found = texture.measure(np.arange(49).reshape(1, 7, 7), mask, (4, 4, 4), SETTINGS)
    assert found["voxels"] == 49 and np.isnan(found["contrast"]) and np.isnan(found["bright_mean"])


def test_thick_slices_are_measured_in_isotropic_voxels():
    mask = np.ones((10, 50, 50), bool)
    image = np.random.default_rng(4).integers(0, 256, mask.shape).astype(np.uint8)
    found = texture.measure(image, mask, (50, 10, 10), SETTINGS)
    assert (found["voxels"], found["voxel_nm"]) == (1000, 50)
    blocks = image.reshape(10, 10, 5, 10, 5).mean(axis=(2, 4))
    expected = texture.measure(blocks, np.ones((10, 10, 10), bool), (50, 50, 50), SETTINGS)
    assert found == pytest.approx(expected)


def test_every_measure_has_a_unit():
    found = texture.measure(np.arange(64).reshape(4, 4, 4), np.ones((4, 4, 4), bool), (4, 4, 4), SETTINGS)
    units = {name: texture.unit(name) for name in found}
    assert units["zone_size_mean"] == "voxels" and units["bright_mean"] == "steps" and units["contrast"] == "1"
    assert set(units.values()) == {"1", "voxels", "steps", "bit", "nm", "gray value"}
