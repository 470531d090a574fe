import cv2
import numpy as np
import pytest
from scipy.ndimage import gaussian_filter, map_coordinates

from densecell import optical_flow
from densecell.optical_flow import FlowSettings, estimate_flow, warp

SHAPE = (256, 320)


def texture(shape=SHAPE, sigma=2.0, seed=0):
    noise = gaussian_filter(np.random.default_rng(seed).normal(size=shape), sigma, mode="wrap")
    return np.clip(128 + 40 * noise / noise.std(), 0, 255).astype(np.uint8)


def cells(shape=SHAPE, side=40):
    y, x = np.indices(shape) // side
    return (1 + y * (shape[1] // side + 1) + x).astype(np.uint16)


def moved(plane, dy, dx):
    return np.roll(plane, (dy, dx), (0, 1))


def deformed(plane, rms, order, seed=1):
    """A slice whose content is moved smoothly: (slice, where each pixel comes from (y, x))."""
    fields = gaussian_filter(np.random.default_rng(seed).normal(size=(2, *plane.shape)), (0, 40, 40))
    fields *= rms / np.sqrt((fields**2).sum(axis=0).mean())
    at = np.indices(plane.shape) + fields
    return map_coordinates(plane, at, order=order, mode="nearest").astype(plane.dtype), fields


def test_flow_tells_where_the_content_lies_in_the_other_slice():
    # the check vector: content of the source moved by (+3 x, +2 y) to the target lies 3 px to the left and 2 px up there
    source = texture()
    flow = estimate_flow(moved(source, 2, 3), source)
    assert np.median(flow[..., 0]) == pytest.approx(-3, abs=0.05)
    assert np.median(flow[..., 1]) == pytest.approx(-2, abs=0.05)


def test_labels_are_looked_up_where_the_flow_points():
    labels = np.array([[1, 2, 3], [4, 5, 6]], np.uint32)
    flow = np.zeros((2, 3, 2), np.float32)
    flow[0, 0] = (1.4, 1.0)  # x, y
    flow[1, 2] = (-2.0, -0.4)
    np.testing.assert_array_equal(warp(labels, flow), [[5, 2, 3], [4, 5, 4]])


def test_labels_beyond_the_slice_are_those_at_its_edge():
    labels = np.arange(6, dtype=np.int32).reshape(2, 3)
    flow = np.full((2, 3, 2), (7, -9), np.float32)
    np.testing.assert_array_equal(warp(labels, flow), np.full((2, 3), 2))


def test_warping_is_that_of_opencv_for_slices_it_can_take():
    labels, flow = cells(), np.random.default_rng(0).normal(scale=5, size=(*SHAPE, 2)).astype(np.float32)
    x, y = np.meshgrid(*(np.arange(n, dtype=np.float32) for n in SHAPE[::-1]))
    expected = cv2.remap(labels, x + flow[..., 0], y + flow[..., 1], cv2.INTER_NEAREST, borderMode=cv2.BORDER_REPLICATE)
    assert (warp(labels, flow) == expected).mean() > 0.9999  # a position may be halfway between two pixels


@pytest.mark.parametrize("shift", [(0, 0), (2, -3), (-5, 4), (6, 7)])
def test_cells_follow_a_texture_that_moves(shift):
    source, labels = texture(), cells()
    found = warp(labels, estimate_flow(moved(source, *shift), source))
    inside = (slice(16, -16), slice(16, -16))
    assert (found[inside] == moved(labels, *shift)[inside]).mean() >= 0.99


def test_cells_follow_a_smooth_deformation_better_than_without_flow():
    source, labels = texture((512, 512)), cells((512, 512), 100)
    target, fields = deformed(source, rms=6, order=1)
    expected, _ = deformed(labels, rms=6, order=0)
    flow = estimate_flow(target, source)
    error = np.hypot(flow[..., 0] - fields[1], flow[..., 1] - fields[0])[32:-32, 32:-32]
    assert np.sqrt((error**2).mean()) < 0.5
    assert (warp(labels, flow) == expected).mean() > 0.995 > (labels == expected).mean()


def test_the_wrong_way_round_is_worse():
    # the authors' code: the flow of the other direction, subtracted
    source, labels = texture((512, 512)), cells((512, 512), 100)
    target, _ = deformed(source, rms=12, order=1)
    expected, _ = deformed(labels, rms=12, order=0)
    right = (warp(labels, estimate_flow(target, source)) == expected).mean()
    wrong = (warp(labels, -estimate_flow(source, target)) == expected).mean()
    assert right > wrong


@pytest.mark.parametrize("scale", [0.5, 0.3])
def test_flow_of_smaller_slices_has_the_size_and_length_of_the_large_ones(scale):
    source = texture((301, 402), sigma=4)
    flow = estimate_flow(moved(source, 4, -6), source, FlowSettings(scale=scale))
    assert flow.shape == (301, 402, 2)
    assert np.median(flow[..., 0]) == pytest.approx(6, abs=0.2)
    assert np.median(flow[..., 1]) == pytest.approx(-4, abs=0.2)


def test_settings_arrive(monkeypatch):
    given = {}

    def farneback(target, source, flow, *arguments):
        given["arguments"] = arguments
        return np.zeros((*target.shape, 2), np.float32)

    monkeypatch.setattr(cv2, "calcOpticalFlowFarneback", farneback)
    estimate_flow(texture(), texture(seed=1))
    assert given["arguments"] == (0.2, 6, 30, 3, 5, 1.1, 256)
    estimate_flow(texture(), texture(seed=1), FlowSettings(0.5, 3, 15, 2, 7, 1.5, False))
    assert given["arguments"] == (0.5, 3, 15, 2, 7, 1.5, 0)


def test_threads_of_opencv_change_no_bit():
    source = texture((600, 700))
    target, _ = deformed(source, rms=5, order=1)
    found = []
    for threads in (1, 2, 5):
        optical_flow.use_threads(threads)
        found.append(estimate_flow(target, source))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], found[2])


@pytest.mark.parametrize("shape", [(3, 200), (7, 7), (40, 40)])
def test_small_slices_have_a_flow(shape):
    flow = estimate_flow(texture(shape), texture(shape, seed=1))
    assert flow.shape == (*shape, 2) and np.isfinite(flow).all()


def test_a_slice_of_one_gray_value_has_no_flow():
    assert not estimate_flow(np.full(SHAPE, 7, np.uint8), texture()).any()
    assert not estimate_flow(texture(), np.zeros(SHAPE, np.uint8)).any()


def test_slices_that_do_not_fit_are_refused_in_words():
    with pytest.raises(ValueError, match=r"expected two uint8 slices of one size, found uint8 \(256, 320\) and uint8"):
        estimate_flow(texture(), texture((256, 300)))
    with pytest.raises(ValueError, match="found uint16"):
        estimate_flow(texture().astype(np.uint16), texture().astype(np.uint16))


def test_gray_values_of_other_types_are_spread_over_8_bit():
    planes = [np.arange(10_000, dtype=np.uint16).reshape(100, 100) * 6 + 100]
    low, high = optical_flow.gray_range(planes)
    assert (low, high) == (pytest.approx(100 + 300, rel=0.01), pytest.approx(60_100 - 300, rel=0.01))
    found = optical_flow.to_uint8(np.array([[0, 400, 30_200, 59_800, 65_535]], np.uint16), (400, 59_800))
    np.testing.assert_array_equal(found, [[0, 0, 128, 255, 255]])
    same = texture()
    assert optical_flow.to_uint8(same, None) is same
    assert not optical_flow.to_uint8(np.full((2, 2), 5, np.float32), (5, 5)).any()
