"""Alignment: synthetic stacks with a known drift, damaged slices, threads and memory, applying the shifts."""

import weakref

import numpy as np
import pytest
from scipy import ndimage

from densecell.alignment import ALIGNMENT_METHODS, _Stack, estimate_shifts
from densecell.pair_shifts import estimate_pair_shift_tiles
from densecell.shifts import aligned_to_raw, applied_shifts, apply_shift, crop_box, raw_to_aligned

MARGIN = 32


def texture(rng, size):
    """Noise with structure at 2 and 5 px, standard deviation 1."""
    fine, coarse = (ndimage.gaussian_filter(rng.normal(size=(size, size)), s, mode="wrap") for s in (2, 5))
    return (fine / fine.std() + coarse / coarse.std()) / 2**0.5


def drifting_stack(n_slices=10, size=256, noise=0.6, seed=0, jitter_px=3.0, z_correlation=0.97):
    """(stack, true content shifts (n_slices, 2)) of a texture that changes slowly in z and jitters."""
    rng = np.random.default_rng(seed)
    shifts = rng.normal(0, jitter_px, (n_slices, 2))
    shifts[0] = 0
    content, slices = texture(rng, size + 2 * MARGIN), []
    for position in np.cumsum(shifts, axis=0):
        moved = np.fft.ifft2(ndimage.fourier_shift(np.fft.fft2(content), position)).real
        inner = moved[MARGIN:-MARGIN, MARGIN:-MARGIN]
        slices.append(100 + 20 * (inner + noise * rng.normal(size=inner.shape)))
        content = z_correlation * content + (1 - z_correlation**2) ** 0.5 * texture(rng, size + 2 * MARGIN)
    return np.array(slices, np.float32), shifts


@pytest.fixture(scope="module")
def clean():
    return drifting_stack()


def shifts_of(stack, **options):
    return estimate_shifts(lambda z: stack[z], len(stack), **options)


def errors_px(table, shifts):
    return np.hypot(table["dy_px"] - shifts[:, 0], table["dx_px"] - shifts[:, 1])[1:]


def align(stack, table):
    return np.array([apply_shift(s, a) for s, a in zip(stack, applied_shifts(table), strict=True)])


# Whole stacks


def test_tiles_outvote_stripes_that_stay_on_the_screen(clean):
    stack, shifts = clean
    reference, moving = stack[0].copy(), stack[1].copy()
    stripes = 60 * np.sign(np.random.default_rng(3).normal(size=64))
    reference[:, :64] += stripes
    moving[:, :64] += stripes
    dy, dx, _, n_inliers = estimate_pair_shift_tiles(reference, moving, np.random.default_rng(0))
    assert np.hypot(dy - shifts[1, 0], dx - shifts[1, 1]) < 0.3
    assert n_inliers >= 8


@pytest.mark.parametrize(("method", "median_px", "max_px"), [("global", 0.1, 0.5), ("tiles", 0.15, 0.5)])
def test_sub_pixel_shifts_of_the_clean_stack(clean, method, median_px, max_px):
    stack, shifts = clean
    table = shifts_of(stack, method=method)
    errors = errors_px(table, shifts)
    assert np.median(errors) < median_px and errors.max() < max_px
    assert (table["flag"] == "").all()
    np.testing.assert_allclose(table["y_px"], np.cumsum(table["dy_px"]), atol=1e-9)


def test_brightness_flicker_changes_nothing(clean):
    stack, _ = clean
    flickering = stack.copy()
    flickering[1::2] = 0.7 * flickering[1::2] + 40
    before, after = shifts_of(stack), shifts_of(flickering)
    for column in ("dy_px", "dx_px"):
        np.testing.assert_allclose(after[column], before[column], atol=0.05)
    assert (after["flag"] == "").all()


def test_aligned_and_cropped_stack_has_no_fill_pixel(clean):
    stack, _ = clean
    table = shifts_of(stack)
    (y0, y1), (x0, x1) = crop_box(table, stack.shape[1:])
    shifted = [apply_shift(s, a, fill=-1) for s, a in zip(stack, applied_shifts(table), strict=True)]
    sound = np.all(np.array(shifted) != -1, axis=0)
    assert sound[y0:y1, x0:x1].all()
    assert sound.sum() == (y1 - y0) * (x1 - x0)  # and none outside: the box is the largest


def test_aligning_an_aligned_stack_finds_nothing():
    stack, _ = drifting_stack(jitter_px=0, z_correlation=0.99, noise=0.1)
    rolled = np.array([np.roll(s, (3 * z, -2 * z), axis=(0, 1)) for z, s in enumerate(stack)])
    table = shifts_of(rolled)
    (y0, y1), (x0, x1) = crop_box(table, rolled.shape[1:])
    again = shifts_of(align(rolled, table)[:, y0:y1, x0:x1])
    assert np.abs(again["dy_px"]).max() < 0.1 and np.abs(again["dx_px"]).max() < 0.1


def test_farther_neighbors_lessen_the_drift_of_a_noisy_stack():
    drifts = []
    stack, shifts = drifting_stack(noise=3.0, seed=5, n_slices=12)
    truth = np.cumsum(shifts, axis=0)
    for neighbors in ((1,), (1, 2, 4)):
        table = shifts_of(stack, neighbors=neighbors)
        drifts.append(np.hypot(table["y_px"] - truth[:, 0], table["x_px"] - truth[:, 1]).mean())
    assert drifts[1] < drifts[0] and drifts[1] < 0.5


def test_detrending_removes_a_slow_drift_and_keeps_the_jitter():
    stack, _ = drifting_stack(jitter_px=0, noise=0.1, n_slices=12)
    slanted = np.array([np.roll(s, (2 * z + 3 * (z == 6), 0), axis=(0, 1)) for z, s in enumerate(stack)])
    table = shifts_of(slanted, detrend_window=5)
    assert np.abs(table["y_px"][2:4]).max() < 0.1  # the slant is gone
    assert table["y_px"][6] == pytest.approx(3 * 4 / 5, abs=0.1)  # less its own share of the mean
    assert table["dy_px"][1:6] == pytest.approx([2] * 5, abs=0.1)


@pytest.mark.parametrize("method", ALIGNMENT_METHODS)
def test_contract_of_the_methods(clean, method):
    stack, _ = clean
    small = stack[:4, :96, :96]
    table, again = shifts_of(small, method=method, seed=3), shifts_of(small, method=method, seed=3)
    assert set(table) == {"z", "dy_px", "dx_px", "y_px", "x_px", "score", "n_inliers", "flag"}
    for column, values in table.items():
        assert values.shape == (4,)
        np.testing.assert_array_equal(values, again[column])
    assert np.isnan(table["score"][0]) and (np.abs(table["score"][1:]) <= 1).all()
    single = shifts_of(small[:1], method=method)
    assert single["y_px"].tolist() == [0] and single["x_px"].tolist() == [0] and single["flag"].tolist() == [""]


def test_method_none_moves_nothing(clean):
    table = shifts_of(clean[0], method="none")
    assert not table["y_px"].any() and not table["x_px"].any()


def test_integer_slices_give_the_shifts_of_floats(clean):
    stack = np.rint(clean[0]).clip(0, 255)
    np.testing.assert_array_equal(shifts_of(stack.astype(np.uint8))["y_px"], shifts_of(stack)["y_px"])


def test_each_slice_of_a_sound_stack_is_read_once(clean):
    stack, _ = clean
    read, reported = [], []

    def read_slice(z):
        read.append(z)
        return stack[z]

    estimate_shifts(read_slice, len(stack), progress=lambda z, n: reported.append((z, n)))
    assert read == list(range(10))
    assert reported == [(z, 10) for z in range(10)]


# Threads and memory


def damaged_stack(clean):
    stack = clean[0].copy()
    stack[2], stack[5] = 17, stack[4]
    stack[7] = np.random.default_rng(9).normal(100, 30, stack[7].shape)
    return stack


@pytest.mark.parametrize("method", ALIGNMENT_METHODS)
def test_threads_change_no_number(clean, method):
    stack = damaged_stack(clean)
    one, *more = (shifts_of(stack, method=method, neighbors=(1, 2), threads=n) for n in (1, 2, 3))
    assert (one["flag"][2], one["flag"][5]) == ("blank", "duplicate")
    assert (one["flag"][7] == "destroyed") == (method != "none")
    for table in more:
        for column, values in one.items():
            np.testing.assert_array_equal(table[column], values)


def test_slices_are_read_once_and_in_order_by_the_calling_thread(clean):
    read, reported = [], []

    def read_slice(z):
        read.append(z)
        return clean[0][z]

    estimate_shifts(read_slice, 10, threads=3, progress=lambda z, n: reported.append((z, n)))
    assert read == list(range(10))
    assert reported == [(z, 10) for z in range(10)]


@pytest.mark.parametrize("threads", [1, 2])
def test_few_slices_are_held_however_deep_the_stack(threads):
    """At most max(neighbors) + 2 slices for coming back to, and those of threads + 1 pairs in work."""
    rng, given, most = np.random.default_rng(0), [], 0

    def read_slice(z):
        nonlocal most
        plane = rng.normal(size=(32, 32))
        given.append(weakref.ref(plane))
        most = max(most, sum(g() is not None for g in given))
        return plane

    estimate_shifts(read_slice, 60, threads=threads)
    assert most <= 3 + threads + 2
    assert len(given) >= 60


def test_an_error_of_reading_comes_through_the_threads(clean):
    stack = clean[0][:, :40, :40].copy()
    stack[3, 0, 0] = np.nan
    with pytest.raises(ValueError, match="in slice 3"):
        shifts_of(stack, threads=2)


# Damaged slices


def assert_sound_slices_keep_their_positions(table, shifts, damaged):
    truth = np.cumsum(shifts, axis=0)
    sound = [z for z in range(len(shifts)) if z not in damaged]
    found = np.stack([table["y_px"], table["x_px"]], axis=1)[sound]
    found, truth = found - found[0], truth[sound] - truth[sound[0]]
    assert np.abs(found - truth).max() < 0.6


@pytest.mark.parametrize("damaged", [[4], [4, 5], [4, 6], [0], [9], [1], [8], [0, 1]])
@pytest.mark.parametrize("method", ["global", "tiles"])
def test_destroyed_slices_are_flagged_and_bridged(clean, damaged, method):
    stack, shifts = clean
    stack = stack.copy()
    stack[damaged] = np.random.default_rng(9).normal(100, 30, stack[damaged].shape)
    table = shifts_of(stack, method=method)
    assert np.flatnonzero(table["flag"] == "destroyed").tolist() == damaged
    assert (np.delete(table["flag"], damaged) == "").all()
    assert_sound_slices_keep_their_positions(table, shifts, damaged)


def test_position_of_a_destroyed_slice_is_interpolated(clean):
    stack = clean[0].copy()
    stack[4] = np.random.default_rng(9).normal(100, 30, stack[4].shape)
    y_px = shifts_of(stack)["y_px"]
    assert y_px[4] == pytest.approx((y_px[3] + y_px[5]) / 2)


@pytest.mark.parametrize("damaged", [[4], [4, 5], [0], [9]])
def test_blank_slices_are_flagged_and_bridged(clean, damaged):
    stack, shifts = clean
    stack = stack.copy()
    stack[damaged] = 17
    table = shifts_of(stack, neighbors=(1, 2))
    assert np.flatnonzero(table["flag"] == "blank").tolist() == damaged
    assert np.isnan(table["score"][damaged]).all()
    assert_sound_slices_keep_their_positions(table, shifts, damaged)


def test_stack_of_blank_slices_is_left_alone():
    table = shifts_of(np.zeros((3, 32, 32)))
    assert (table["flag"] == "blank").all() and not table["y_px"].any()


def test_duplicate_is_flagged_and_not_moved(clean):
    stack = clean[0].copy()
    stack[5] = stack[4] + np.random.default_rng(0).normal(0, 0.05, stack[4].shape)
    table = shifts_of(stack)
    assert np.flatnonzero(table["flag"] == "duplicate").tolist() == [5]
    assert table["dy_px"][5] == 0 and table["dx_px"][5] == 0


def test_stack_with_every_slice_doubled_has_no_destroyed_slice(clean):
    table = shifts_of(clean[0].repeat(2, axis=0))
    assert table["flag"].tolist() == ["", "duplicate"] * 10


def test_jump_is_flagged_and_replaced_by_the_median_nearby():
    stack, _ = drifting_stack(jitter_px=0, noise=0.1, n_slices=7)
    jumped = np.array([np.roll(s, z + 30 * (z >= 4), axis=0) for z, s in enumerate(stack)])
    table = shifts_of(jumped)  # 31 px is more than 10 % of 256 px
    assert np.flatnonzero(table["flag"] == "jump").tolist() == [4]
    assert table["dy_px"][1:] == pytest.approx([1] * 6, abs=0.1)
    allowed = shifts_of(jumped, max_shift_fraction=0.2)
    assert (allowed["flag"] == "").all()
    assert allowed["dy_px"][4] == pytest.approx(31, abs=0.3)


def test_tiles_that_disagree_are_flagged_uncertain(clean):
    rng = np.random.default_rng(0)
    stack = clean[0][:1].repeat(6, axis=0) + rng.normal(0, 8, (6, 256, 256))
    quarters = [np.s_[y : y + 128, x : x + 128] for y in (0, 128) for x in (0, 128)]
    for z in range(3, 6):
        for quarter, move in zip(quarters, [(12, 12), (-12, 12), (12, -12), (-12, -12)], strict=True):
            stack[z][quarter] = np.roll(stack[z][quarter], move, axis=(0, 1))
    table = shifts_of(stack, method="tiles")
    assert table["flag"].tolist() == ["", "", "", "uncertain", "", ""]


def test_break_in_the_content_is_uncertain_and_destroys_no_slice(clean):
    other, _ = drifting_stack(seed=8, n_slices=5)
    table = shifts_of(np.concatenate([clean[0][:5], other]), max_shift_fraction=0.5)
    assert table["flag"].tolist() == [""] * 5 + ["uncertain"] + [""] * 4


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_nan_names_the_slice(clean, bad):
    stack = clean[0].copy()
    stack[3, 0, 0] = bad
    with pytest.raises(ValueError, match="found 1 NaN or infinite pixels in slice 3"):
        shifts_of(stack)


def test_slice_of_another_size_is_named():
    slices = [np.eye(32), np.eye(32), np.eye(33)]
    with pytest.raises(ValueError, match="in slice 2"):
        estimate_shifts(slices.__getitem__, 3)


@pytest.mark.parametrize(
    ("options", "message"),
    [({"method": "gobal"}, "known: global, tiles, none"), ({"neighbors": (2, 4)}, "include 1")],
)
def test_bad_options_are_refused(options, message):
    with pytest.raises(ValueError, match=message):
        shifts_of(np.zeros((2, 8, 8)), **options)


# Applying the shifts


def table_of(y_px, x_px):
    return {"y_px": np.array(y_px, float), "x_px": np.array(x_px, float)}


def test_applied_shift_is_minus_the_rounded_position():
    table = table_of([0, 1.4, 2.6], [0, -0.4, -5])
    assert applied_shifts(table).tolist() == [[0, 0], [-1, 0], [-3, 5]]
    assert applied_shifts(table, order=1).tolist() == [[0, 0], [-1.4, 0.4], [-2.6, 5]]


def test_integer_shift_by_hand():
    labels = np.array([[1, 2, 3], [4, 5, 6]], np.uint8)
    assert apply_shift(labels, (1, -1), fill=255).tolist() == [[255, 255, 255], [2, 3, 255]]
    assert apply_shift(labels, (0, 0)).tolist() == labels.tolist()
    assert apply_shift(labels, (0, 7), fill=9).tolist() == [[9, 9, 9], [9, 9, 9]]


def test_fractional_shift_by_hand():
    ramp = np.array([[0, 10, 20, 30]] * 2, np.uint8)
    assert apply_shift(ramp, (0, 0.5), order=1, fill=99).tolist() == [[99, 5, 15, 25]] * 2
    with pytest.raises(ValueError, match="round it"):
        apply_shift(ramp, (0, 0.5))
    with pytest.raises(ValueError, match="found 2"):
        apply_shift(ramp, (0, 1), order=2)


@pytest.mark.parametrize("order", [1, 3])
def test_interpolated_whole_shift_equals_the_integer_shift(order):
    image = np.random.default_rng(0).integers(0, 256, (20, 20), dtype=np.uint8)
    assert np.array_equal(apply_shift(image, (3, -2), order=order), apply_shift(image, (3, -2)))


def test_crop_box_by_hand():
    table = table_of([0, -3, 2], [0, 0, -4])  # applied (0, 0), (3, 0), (-2, 4)
    assert crop_box(table, (20, 30)) == ((3, 18), (4, 30))
    assert crop_box(table_of([0, 0], [0, 0]), (20, 30)) == ((0, 20), (0, 30))
    assert crop_box(table_of([0, -0.4], [0, 0.4]), (20, 30), order=1) == ((1, 20), (0, 29))


def test_crop_that_leaves_nothing_tells_the_drift():
    with pytest.raises(ValueError, match="drift of 25 px in y and 0 px in x"):
        crop_box(table_of([-10, 15], [0, 0]), (20, 30))


def test_one_row_of_overlap_is_enough():
    with pytest.raises(ValueError, match="drift of 20 px in y"):
        crop_box(table_of([0, 20], [0, 0]), (20, 30))
    assert crop_box(table_of([0, 19], [0, 0]), (20, 30)) == ((0, 1), (0, 30))


@pytest.mark.parametrize("order", [0, 1])
def test_points_go_to_the_aligned_volume_and_back(order):
    table = table_of([0, 1.4, -2.6], [0, -0.4, 5])
    points = np.random.default_rng(0).uniform(0, 2, (4, 5, 3))
    there = raw_to_aligned(points, table, (3, 4), order)
    np.testing.assert_allclose(aligned_to_raw(there, table, (3, 4), order), points, atol=1e-12)
    assert not np.allclose(there, points)


def test_a_voxel_is_where_its_coordinates_say(clean):
    stack, _ = clean
    table = shifts_of(stack)
    (y0, y1), (x0, x1) = crop_box(table, stack.shape[1:])
    aligned = align(stack, table)[:, y0:y1, x0:x1]
    for raw in [(0, 100, 120), (5, 90, 64), (9, 130, 128)]:
        z, y, x = raw_to_aligned(raw, table, (y0, x0)).astype(int)
        assert aligned[z, y, x] == stack[raw]


def test_points_outside_the_stack_are_refused():
    with pytest.raises(ValueError, match="slices 0 to 1"):
        raw_to_aligned((2, 0, 0), table_of([0, 0], [0, 0]))


def test_a_slice_that_is_held_does_not_hold_the_slab_it_was_cut_from():
    slab = np.random.default_rng(0).normal(size=(4, 8, 9)).astype(np.float32)
    held = _Stack(lambda z: slab[z], "global", seed=0, n_held=2, threads=1).slice(2).values
    assert held.base is None and not np.shares_memory(held, slab)
    np.testing.assert_array_equal(held, slab[2])
