"""Normalization: hand arithmetic, streaming properties, then the contract over the table."""

import json
from itertools import pairwise

import numpy as np
import pytest

from densecell.normalization import NORMALIZATIONS, IntensityStatistics, normalize

DTYPES = [np.uint8, np.uint16, np.int16, np.float32, np.float64]


def statistics_of(values, valid=None):
    return IntensityStatistics().update(values, valid)


def test_zscore_by_hand():
    values = np.array([2, 4, 4, 4, 5, 5, 7, 9], np.uint8)  # mean 5, population standard deviation 2
    parameters = statistics_of(values).fit("zscore")
    assert parameters == {"method": "zscore", "count": 8, "mean": 5.0, "std": 2.0}
    assert normalize(values, parameters).tolist() == [-1.5, -0.5, -0.5, -0.5, 0, 0, 1, 2]


def test_percentile_by_hand():
    values = np.arange(101, dtype=np.uint8)  # percentile p is p
    parameters = statistics_of(values).fit("percentile")
    assert (parameters["low"], parameters["high"]) == (1, 99)
    assert normalize(np.array([0, 1, 50, 99, 100], np.uint8), parameters).tolist() == [0, 0, 0.5, 1, 1]


def test_none_keeps_the_values():
    values = np.array([3, 3, 200], np.uint8)
    assert normalize(values, statistics_of(values).fit("none")).tolist() == [3, 3, 200]


def test_unit_divides_by_the_largest_value_of_the_type():
    for values in (np.array([0, 51, 255], np.uint8), np.array([0, 13107, 65535], np.uint16)):
        assert normalize(values, statistics_of(values).fit("unit")).tolist() == pytest.approx([0, 0.2, 1])
    constant = np.full(4, 51, np.uint8)
    assert normalize(constant, statistics_of(constant).fit("unit")).tolist() == pytest.approx([0.2] * 4)


def test_unit_of_floats_is_refused():
    with pytest.raises(ValueError, match="unit divides by the largest value of uint8 or uint16, found float32"):
        statistics_of(np.zeros(4, np.float32)).fit("unit")


@pytest.mark.parametrize("dtype", DTYPES)
def test_padding_does_not_count(dtype):
    values = np.arange(40).reshape(5, 8).astype(dtype)
    padded = np.concatenate([values, np.full((9, 8), 7, dtype)])
    counted = IntensityStatistics().update(padded, np.arange(14)[:, None] < np.full((1, 8), 12), padding=7)
    assert counted.moments() == pytest.approx(statistics_of(np.delete(values, 7)).moments())


@pytest.mark.parametrize("percent", [0, 1, 12.5, 50, 99, 100])
def test_percentile_equals_numpy(percent):
    values = np.random.default_rng(0).integers(0, 60000, 777, dtype=np.uint16)
    assert statistics_of(values).percentile(percent) == pytest.approx(np.percentile(values, percent), abs=1e-9)


@pytest.mark.parametrize("dtype", DTYPES)
def test_slabs_in_any_order_give_the_numbers_of_the_whole(dtype):
    rng = np.random.default_rng(1)
    values = rng.normal(100, 20, (12, 9, 9)).clip(0, 255).astype(dtype)
    valid = rng.random(values.shape) < 0.7
    count, mean, std = statistics_of(values, valid).moments()
    chosen = values[valid].astype(np.float64)
    assert count == chosen.size
    assert (mean, std) == pytest.approx((chosen.mean(), chosen.std()), rel=1e-12)
    for cuts in ([0, 5, 12], [0, 1, 2, 11, 12]):
        slabs = [slice(a, b) for a, b in pairwise(cuts)]
        pieces = IntensityStatistics()
        for slab in rng.permutation(len(slabs)):
            pieces.update(values[slabs[slab]], valid[slabs[slab]])
        if pieces.histogram is not None:
            assert pieces.moments() == (count, mean, std)
        assert pieces.moments() == pytest.approx((count, mean, std), rel=1e-12)


def test_large_offset_keeps_the_deviation():
    values = np.array([1e9, 1e9 + 1, 1e9 + 2])
    assert statistics_of(values).moments()[2] == pytest.approx((2 / 3) ** 0.5, rel=1e-6)


def test_more_voxels_than_a_block_of_the_accumulator(monkeypatch):
    monkeypatch.setattr("densecell.normalization.BLOCK_VOXELS", 7)
    values = np.random.default_rng(2).random((4, 5, 6))
    valid = values > 0.3
    assert statistics_of(values, valid).moments() == pytest.approx(
        (valid.sum(), values[valid].mean(), values[valid].std())
    )


def test_nan_outside_valid_is_never_read():
    values = np.array([1, 3, np.nan], np.float32)
    assert statistics_of(values, np.array([True, True, False])).moments() == (2, 2.0, 1.0)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_nan_and_infinite_voxels_are_refused_with_their_count(bad):
    with pytest.raises(ValueError, match="found 2 NaN or infinite among 3"):
        statistics_of(np.array([bad, 1.0, bad]))


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_constant_image_is_refused_by_zscore(dtype):
    statistics = IntensityStatistics()
    for n in (3, 5, 7):
        statistics.update(np.full(n, 0.1 if dtype == np.float32 else 7, dtype))
    with pytest.raises(ValueError, match="constant image"):
        statistics.fit("zscore")


def test_constant_image_is_refused_by_percentile():
    with pytest.raises(ValueError, match="constant image"):
        statistics_of(np.full(9, 7, np.uint8)).fit("percentile")


def test_percentiles_of_floats_are_refused_with_the_way_out():
    with pytest.raises(ValueError, match="choose normalization method zscore"):
        statistics_of(np.random.default_rng(3).random(9)).fit("percentile")


def test_unknown_method_lists_the_known_ones():
    with pytest.raises(ValueError, match="'zscor'; known: none, percentile, unit, zscore"):
        statistics_of(np.arange(3.0)).fit("zscor")


def test_mixed_dtypes_are_refused():
    with pytest.raises(ValueError, match="expected as uint8, found uint16"):
        statistics_of(np.zeros(2, np.uint8)).update(np.zeros(2, np.uint16))


@pytest.mark.parametrize("dtype", DTYPES)
def test_records_of_slabs_add_up_to_the_record_of_the_whole(dtype):
    values = np.random.default_rng(5).normal(100, 20, (12, 9, 9)).clip(0, 255).astype(dtype)
    whole, total = statistics_of(values), IntensityStatistics()
    for a, b in ((0, 3), (3, 3), (3, 12)):  # one without a voxel
        total.add(statistics_of(values[a:b]))
    assert total.moments() == pytest.approx(whole.moments(), rel=1e-12)
    assert total.dtype == dtype
    if whole.histogram is not None:
        assert total.histogram.tolist() == whole.histogram.tolist()


def test_adding_leaves_the_added_record_as_it_was():
    first, second = statistics_of(np.arange(3, dtype=np.uint8)), statistics_of(np.arange(9, dtype=np.uint8))
    IntensityStatistics().add(first).add(second)
    assert first.moments()[0] == 3 and second.moments()[0] == 9


def test_a_record_of_another_dtype_is_not_added():
    with pytest.raises(ValueError, match="expected as uint8, found float32"):
        statistics_of(np.zeros(2, np.uint8)).add(statistics_of(np.ones(2, np.float32)))


@pytest.mark.parametrize("method", NORMALIZATIONS)
def test_blocks_are_normalized_as_the_whole(method, monkeypatch):
    image = np.random.default_rng(6).integers(0, 255, (3, 7, 8), dtype=np.uint8)
    parameters = statistics_of(image).fit(method)
    whole = normalize(image, parameters)
    monkeypatch.setattr("densecell.normalization.BLOCK_VOXELS", 11)
    np.testing.assert_array_equal(normalize(image, parameters), whole)
    np.testing.assert_array_equal(normalize(image[:, ::2, 1:], parameters), whole[:, ::2, 1:])


def test_valid_of_another_shape_is_refused():
    with pytest.raises(ValueError, match="valid is expected in the shape"):
        statistics_of(np.zeros((2, 3)), np.ones((3, 2), bool))


@pytest.mark.parametrize("method", NORMALIZATIONS)
class TestContract:
    image = np.random.default_rng(4).integers(20, 230, (4, 8, 9), dtype=np.uint8)

    def test_parameters_survive_json_and_give_float32(self, method):
        parameters = statistics_of(self.image).fit(method)
        restored = json.loads(json.dumps(parameters))
        assert restored == parameters and parameters["method"] == method
        normalized = normalize(self.image, restored)
        assert normalized.dtype == np.float32 and normalized.shape == self.image.shape
        assert np.isfinite(normalized).all()

    def test_image_is_left_alone_and_blocks_equal_the_whole(self, method):
        image = self.image.astype(np.float32)
        before = image.copy()
        parameters = statistics_of(self.image).fit(method)
        whole = normalize(image, parameters)
        assert np.array_equal(image, before)
        assert np.array_equal(
            np.concatenate([normalize(image[:1], parameters), normalize(image[1:], parameters)]), whole
        )

    def test_order_of_intensities_is_kept(self, method):
        parameters = statistics_of(self.image).fit(method)
        assert (np.diff(normalize(np.arange(256, dtype=np.uint8), parameters)) >= 0).all()

    def test_no_valid_voxel_is_refused(self, method):
        with pytest.raises(ValueError, match="at least one valid voxel"):
            statistics_of(self.image, np.zeros(self.image.shape, bool)).fit(method)
