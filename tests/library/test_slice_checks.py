import broken_inputs
import numpy as np
import pytest
from scipy import ndimage

from densecell.slice_checks import check_stack, robust_deviation, running_median
from densecell.slice_statistics import block_means, look_of, measure_stack
from densecell.spacing_checks import implied_z_step_nm

VOXEL_NM = [50.0, 10.0, 10.0]


@pytest.fixture(scope="module")
def healthy():
    return broken_inputs.pieces(2)[0]


def check(stack, voxel_nm=VOXEL_NM, **options):
    measured = measure_stack(lambda z: stack[z], stack.shape, stack.dtype)
    return {f.finding: f for f in check_stack(measured, list(voxel_nm), **options)}


def with_slice(stack, z, values):
    changed = stack.copy()
    changed[z] = np.clip(values, 0, 255)
    return changed


# ----------------------------------------------------------------------------------------------------- by hand
def test_robust_deviation_of_numbers_that_can_be_checked():
    # median 3, absolute deviations 2, 1, 0, 1, 97, their median 1
    assert robust_deviation([1, 2, 3, 4, 100]) == pytest.approx(1.4826)


def test_running_median_leaves_nan_out_and_shortens_at_the_ends():
    assert running_median(np.array([1.0, 9.0, np.nan, 3.0]), 3).tolist() == [5, 5, 6, 3]


def test_block_means_of_incomplete_blocks():
    assert block_means(np.array([[1, 3, 8], [5, 7, 2]], np.uint8), 2).tolist() == [[4, 5]]
    assert block_means(np.array([[1, 3], [5, 7], [9, 9]], np.uint16), 2).tolist() == [[4], [9]]


@pytest.mark.parametrize("dtype", [np.uint16, np.uint32, np.uint64, np.int32, np.float16])
def test_block_means_of_large_values_do_not_wrap(dtype):
    value = 60_000 if dtype == np.float16 else np.iinfo(dtype).max // 2 + 1
    assert block_means(np.full((8, 8), value, dtype), 4) == pytest.approx(float(dtype(value)), rel=1e-6)


def test_a_look_depends_on_neither_brightness_nor_contrast_and_turns_with_a_negative(healthy):
    picture = healthy[0][0].astype(float)
    bits = [
        np.unpackbits(np.frombuffer(bytes.fromhex(look_of(p)), np.uint8))[:255]
        for p in (picture, 3 * picture + 9, -picture)
    ]
    assert (bits[0] == bits[1]).all() and (bits[0] != bits[2]).all()


def test_statistics_of_slices_that_can_be_checked():
    stack = np.zeros((2, 2, 4), np.uint8)
    stack[1] = [[0, 255, 4, 4], [4, 4, 4, 5]]
    measured = measure_stack(lambda z: stack[z], stack.shape, stack.dtype)
    row = {name: column[1] for name, column in measured.slices.items()}
    assert (row["minimum"], row["maximum"], row["mean"]) == (0, 255, 35)
    assert (row["share_low"], row["share_high"]) == (1 / 8, 1 / 8)
    assert (measured.used_values, measured.value_step) == (4, 1)
    assert row["std"] == pytest.approx(stack[1].std())


# -------------------------------------------------------------------------------------------------- healthy stacks
def test_nothing_is_found_in_a_healthy_stack(healthy):
    for stack in (healthy[0], healthy[0] / np.float32(255)):
        assert check(stack) == {}


def test_nothing_depends_on_the_number_of_threads(healthy):
    one, two = (measure_stack(lambda z: healthy[0][z], healthy[0].shape, np.uint8, threads=n) for n in (1, 2))
    for name, column in one.slices.items():
        np.testing.assert_array_equal(column, two.slices[name])
    assert one._replace(slices=None) == two._replace(slices=None)


def test_the_image_tells_the_distance_of_the_slices(healthy):
    measured = measure_stack(lambda z: healthy[0][z], healthy[0].shape, np.uint8)
    assert implied_z_step_nm(measured, VOXEL_NM) == pytest.approx(50, rel=0.3)


# ------------------------------------------------------------------------------------------------------------ faults
FAULTS = {
    "blank": ("blank_slice", lambda s, o: 90 + 0 * o),
    "duplicate": ("duplicate_slice", lambda s, o: s),
    "the same surface with new noise": (
        "repeated_slice",
        lambda s, o: s + np.random.default_rng(2).normal(0, 4, s.shape),
    ),
    "moved": ("misaligned_slice", lambda s, o: np.roll(o, (12, -9), (0, 1))),
    "negative": ("inverted_slice", lambda s, o: 255 - o),
    "noise": ("unlike_neighbors", lambda s, o: np.random.default_rng(1).normal(150, 40, s.shape)),
    "darker": ("brightness_jump", lambda s, o: o * 0.45),
    "overexposed": ("saturated_slice", lambda s, o: o * 2.0),
}


@pytest.mark.parametrize(("name", "fault"), FAULTS.values(), ids=FAULTS)
def test_a_fault_in_one_slice_is_found_there_and_nothing_else(healthy, name, fault):
    stack = healthy[0].astype(float)
    found = check(with_slice(healthy[0], 6, fault(stack[5], stack[6])))
    assert set(found) == {name} and found[name].slices == (6,)
    assert found[name].to_do and found[name].severity == "warning"


def test_a_jump_that_stays_is_one_finding_and_only_a_note_before_an_alignment(healthy):
    stack = healthy[0].copy()
    stack[8:] = np.roll(stack[8:], (14, 10), (1, 2))
    assert check(stack)["misaligned_slice"].slices == (8,)
    assert check(stack, is_aligned_later=True)["misaligned_slice"].severity == "note"


@pytest.mark.parametrize("axes", [(2, 1, 0), (1, 0, 2)])
def test_swapped_axes_are_an_error_and_hide_what_follows_from_them(healthy, axes):
    found = check(np.ascontiguousarray(healthy[0].transpose(axes)))
    assert [(f.finding, f.severity, f.key) for f in found.values()] == [("axes_swapped", "error", "axes")]


def patterned(name, image, rng):
    """(z, y, x) stacks whose axes are right, though they change slower along z than in the plane."""
    lines = rng.normal(0, 40, (1, 1, image.shape[2]))
    return {
        "pattern of the camera": 0.4 * image + 50 + rng.normal(0, 40, image.shape[1:]),
        "columns of the detector": 0.2 * image + 90 + lines + rng.normal(0, 6, image.shape),
        "slices saved four times": np.repeat(image + rng.normal(0, 15, image.shape), 4, axis=0),
        "fibers along z": 128 + 500 * ndimage.gaussian_filter(rng.normal(size=image.shape), (8, 0.7, 0.7)),
        "sheets along y and z": 128 + 500 * ndimage.gaussian_filter(rng.normal(size=image.shape), (4, 6, 0.8)),
    }[name]


@pytest.mark.parametrize(
    "name",
    [
        "pattern of the camera",
        "columns of the detector",
        "slices saved four times",
        "fibers along z",
        "sheets along y and z",
    ],
)
def test_what_looks_like_swapped_axes_but_may_be_right_stops_nothing(healthy, name):
    stack = patterned(name, healthy[0].astype(float), np.random.default_rng(0))
    found = check(np.clip(stack, 0, 255).astype(np.uint8))
    assert "error" not in {f.severity for f in found.values()}
    assert found["axes_swapped"].severity == "warning"


def test_voxel_sizes_that_cannot_be(healthy):
    assert check(healthy[0], (1, 1, 1))["voxel_size"].severity == "error"
    assert check(healthy[0], (10, 50, 50))["voxel_size"].severity == "warning"
    assert check(healthy[0], (50, 10, 30))["voxel_size"].severity == "warning"
    assert "z_spacing" in check(healthy[0], (500, 10, 10))


def test_values_of_the_whole_stack(healthy):
    stack = healthy[0]
    assert check(stack.astype(np.uint16))["range_unused"].severity == "note"
    assert "every 4th" in check(stack.astype(np.uint16) * 4)["range_unused"].found
    assert check(stack.astype(np.uint16) + 30000)["constant_offset"].severity == "note"
    assert "few_gray_values" in check(stack // 12)
    assert "saturated" in check(np.clip(stack.astype(int) * 2 - 120, 0, 255).astype(np.uint8))
    drift = np.clip(stack * 0.4 + np.linspace(0, 120, len(stack))[:, None, None], 0, 255).astype(np.uint8)
    assert "brightness_drift" in check(drift)


def test_slices_that_cannot_be_read_or_hold_nan_are_errors_and_the_others_are_checked(healthy):
    stack = healthy[0].astype(np.float32)
    stack[3, 5, 5] = np.nan
    stack[10] = stack[9]

    def read(z):
        if z in (1, 2):
            raise ValueError("file.tif: truncated")
        return stack[z] if z != 5 else stack[z, :50]

    measured = measure_stack(read, stack.shape, stack.dtype)
    found = check_stack(measured, VOXEL_NM)
    told = {(f.finding, f.slices, f.severity) for f in found}
    assert told == {
        ("unreadable", (1, 2), "error"),
        ("unreadable", (5,), "error"),
        ("not_finite", (3,), "error"),
        ("duplicate_slice", (10,), "warning"),
    }


def test_a_constant_stack_and_a_single_slice():
    assert check(np.full((4, 30, 30), 7, np.uint8))["constant_volume"].severity == "error"
    assert check(broken_inputs.pieces(1)[0][0][:1]) == {}
