"""Even gray values: hand arithmetic, what a gain and an offset leave, padding, then the contract over the table."""

import numpy as np
import pytest
import stacks

from densecell import phantom
from densecell.slice_intensity import (
    SLICE_METHODS,
    Correction,
    apply_table,
    check_method,
    check_padding,
    correct_slice,
    corrected_counts,
    image_counts,
    spaced_slices,
    table_of,
)

TABLES = [name for name, function in SLICE_METHODS.items() if function]
RNG = np.random.default_rng(3)
TEXTURE = stacks.textured_stack(1, (90, 110), [(0, 0)])[0]


def corrected(plane, method="equalize", **options):
    options.setdefault("reference", image_counts(TEXTURE.astype(plane.dtype)))
    return correct_slice(plane, Correction(method, **options))[0]


def test_equalization_by_hand():
    # 6 voxels: 0 0 64 64 128 255; cdf 2 4 5 6; less 2, over 4, times 255: 0 127.5 191.25 255, half to even
    plane = np.array([[0, 0, 64], [64, 128, 255]], np.uint8)
    assert corrected(plane).tolist() == [[0, 0, 128], [128, 191, 255]]


def test_equalization_of_16_bit_has_a_table_of_its_own():
    plane = np.array([[7, 7, 1000], [1000, 1001, 60000]], np.uint16)
    assert corrected(plane).tolist() == [[0, 0, 32768], [32768, 49151, 65535]]  # 0, 1/2, 3/4 and 1 of 65535


def test_matching_by_hand():
    # the reference has one voxel each of 10, 20, 30, 40; shares up to 5 and to 9 of the slice are 1/2 and 1
    reference = np.bincount([10, 20, 30, 40], minlength=256)
    assert corrected(np.array([[5, 5, 9, 9]], np.uint8), "match", reference=reference).tolist() == [[20, 20, 40, 40]]


def test_percentiles_by_hand():
    plane = np.arange(50, 151, dtype=np.uint8)[None]  # 1 % is 51, 99 % is 149
    found = corrected(plane, "percentile")[0]
    assert found[[0, 1, 50, 99, 100]].tolist() == [0, 0, 128, 255, 255]


@pytest.mark.parametrize("method", TABLES)
def test_a_gain_and_an_offset_that_merge_nothing_leave_nothing(method):
    plane = (TEXTURE // 2).astype(np.uint8)
    brighter = (2 * plane.astype(int) + 1).astype(np.uint8)
    np.testing.assert_allclose(
        corrected(brighter, method).astype(int), corrected(plane, method), atol=0 if method != "percentile" else 1
    )
    wide, brighter = plane.astype(np.uint16), (plane.astype(np.uint16) * 300 + 777)
    equal = {"atol": 0 if method != "percentile" else 1}
    np.testing.assert_allclose(corrected(brighter, method).astype(int), corrected(wide, method), **equal)


@pytest.mark.parametrize("method", TABLES)
def test_a_gain_below_one_leaves_little(method):
    darker = np.rint(0.7 * TEXTURE + 30).astype(np.uint8)  # merges gray values
    difference = np.abs(corrected(darker, method).astype(int) - corrected(TEXTURE, method)).mean()
    assert difference < 2 < 5 < np.abs(darker.astype(int) - TEXTURE).mean()


def test_equalization_takes_the_flicker_of_the_phantom_away():
    # painted gray values under the phantom's own gain and offset, recorded in 16 bits so that none are merged
    settings = phantom.SubjectSettings(
        shape=(10, 128, 128), flicker_sd=0.25, drift_sd_px=0, contrast=0.6, brightness=30
    )
    subject = phantom.make_subject(settings)
    plane = subject.image[0].astype(np.int64)
    recorded = [
        np.rint(100 * (gain * plane + offset + 60)).astype(np.uint16)
        for gain, offset in zip(subject.truth["gain"], subject.truth["offset"])
    ]
    assert np.std([r.mean() for r in recorded]) > 800
    first, *others = (corrected(r) for r in recorded)
    for other in others:
        np.testing.assert_array_equal(other, first)


def test_clahe_does_not_make_slices_equally_bright():
    darker = np.rint(0.6 * TEXTURE + 10).astype(np.uint8)
    left = {m: abs(corrected(darker, m).mean() - corrected(TEXTURE, m).mean()) for m in ("equalize", "clahe")}
    assert left["clahe"] > 10 * left["equalize"]


@pytest.mark.parametrize("method", TABLES)
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_no_table_turns_an_order_around(method, dtype):
    plane = RNG.integers(0, np.iinfo(dtype).max, (40, 40)).astype(dtype)
    correction = Correction(method, reference=image_counts(TEXTURE.astype(dtype)))
    table = table_of(image_counts(plane), correction, plane.dtype).astype(int)
    assert (np.diff(table) >= 0).all() and len(table) == np.iinfo(dtype).max + 1


@pytest.mark.parametrize("shape", [(3, 5), (1, 1), (300, 301)])
def test_a_table_is_applied_as_by_indexing(shape):
    table = RNG.permutation(65536).astype(np.uint16)
    plane = RNG.integers(0, 65536, shape).astype(np.uint16)
    np.testing.assert_array_equal(apply_table(plane, table), table[plane])


def test_counts_after_follow_from_those_before():
    for method in TABLES:
        correction = Correction(method, reference=image_counts(TEXTURE), padding=90)
        _, before, after = correct_slice(TEXTURE, correction)
        np.testing.assert_array_equal(corrected_counts(before, correction, TEXTURE.dtype), after)


def test_reference_slices_lie_evenly():
    assert spaced_slices(range(100), 4) == [12, 37, 62, 87]
    assert spaced_slices([2, 5, 9], 10) == [2, 5, 9]
    assert spaced_slices(range(7), 1) == [3]


def test_what_has_no_gray_values_is_refused_by_the_key():
    with pytest.raises(
        ValueError, match=r"normalization\.slices: equalize expects gray values in uint8 or uint16, found float32"
    ):
        check_method("equalize", np.dtype(np.float32))
    with pytest.raises(ValueError, match=r"unknown method 'flat' of normalization\.slices; known: equalize, match"):
        check_method("flat", np.dtype(np.uint8))
    with pytest.raises(
        ValueError, match=r"volumes\.padding: a gray value of uint8 is expected \(0 to 255\), found 256"
    ):
        check_padding(256, np.dtype(np.uint8))
    check_padding(256, np.dtype(np.uint16))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
@pytest.mark.parametrize("method", SLICE_METHODS)
class TestContract:
    def plane(self, dtype):
        return TEXTURE.astype(dtype) * (1 if dtype == np.uint8 else 200)

    def test_a_slice_keeps_its_type_and_shape_and_is_left_alone(self, method, dtype):
        plane = self.plane(dtype)
        before = plane.copy()
        found = corrected(plane, method)
        assert found.dtype == dtype and found.shape == plane.shape
        np.testing.assert_array_equal(plane, before)

    @pytest.mark.parametrize("padding", [0, 17, "top"])
    def test_padding_stays_and_changes_nothing_else(self, method, dtype, padding):
        padding = np.iinfo(dtype).max if padding == "top" else padding
        inner = self.plane(dtype)
        inner[inner == padding] = 100
        framed = np.full((inner.shape[0] + 40, inner.shape[1]), padding, dtype)
        framed[20:-20] = inner
        found = corrected(framed, method, padding=padding)
        assert (found[:20] == padding).all() and (found[-20:] == padding).all()
        assert not (found[20:-20] == padding).any()
        if method != "clahe":  # whose tiles lie elsewhere in the larger slice
            np.testing.assert_array_equal(found[20:-20], corrected(inner, method, padding=padding))

    @pytest.mark.parametrize("padding", [None, 0])
    def test_a_constant_slice_and_one_of_padding_stay(self, method, dtype, padding):
        for value in (0, 9):
            plane = np.full((12, 13), value, dtype)
            found, before, after = correct_slice(plane, Correction(method, padding, image_counts(self.plane(dtype))))
            np.testing.assert_array_equal(found, plane)
            np.testing.assert_array_equal(before, after)

    def test_a_slice_of_two_values_keeps_two(self, method, dtype):
        plane = np.zeros((32, 32), dtype)
        plane[:, 16:] = 9
        found = corrected(plane, method)
        assert found[:, 16:].min() > found[:, :16].max()
