"""Training windows: the published count, corners in their bins, mirrored cuts."""

import numpy as np
import pytest

from densecell import windows


def test_the_papers_window_count():
    assert windows.count_windows((50, 800, 800), (5, 296, 296), (2, 100, 100)) == 828
    assert [len(windows.bins(*a)) for a in ((50, 5, 2), (800, 296, 100))] == [23, 6]
    assert windows.bins(800, 296, 100)[-1] == (500, 505)


def test_the_unet_of_the_authors_example_has_1800_windows():
    assert windows.count_windows((50, 800, 800), (1, 388, 388), (1, 80, 80)) == 1800


def test_each_corner_lies_in_its_bin_and_the_set_is_a_product():
    corners = windows.draw_corners((9, 20, 31), (5, 8, 8), (2, 5, 10), np.random.default_rng(0))
    assert len(corners) == windows.count_windows((9, 20, 31), (5, 8, 8), (2, 5, 10))
    for axis, (size, output, spacing) in enumerate(((9, 5, 2), (20, 8, 5), (31, 8, 10))):
        values = np.unique(corners[:, axis])
        bins = windows.bins(size, output, spacing)
        assert len(values) == len(bins)
        assert all(a <= v < b for v, (a, b) in zip(values, bins))
    assert not np.array_equal(corners, corners[np.lexsort(corners.T[::-1])])  # shuffled


def test_epochs_differ_and_a_seed_repeats():
    draw = [windows.draw_corners((9, 40, 40), (5, 8, 8), (2, 9, 9), np.random.default_rng(s)) for s in (1, 1, 2)]
    assert np.array_equal(draw[0], draw[1])
    assert not np.array_equal(draw[0], draw[2])


def test_mirror_does_not_repeat_the_edge():
    assert windows.mirror(-2, 8, 4).tolist() == [2, 1, 0, 1, 2, 3, 2, 1]
    assert windows.mirror(0, 3, 1).tolist() == [0, 0, 0]


def test_input_window_starts_two_pixels_before_the_label_window_for_300_to_296():
    assert windows.input_start((0, 100, 7), (5, 300, 300), (5, 296, 296)) == (0, 98, 5)


def test_cut_inside_is_a_slice_and_outside_is_numpys_reflection():
    volume = np.arange(4 * 6 * 7).reshape(4, 6, 7)
    assert np.array_equal(windows.cut(volume, (1, 2, 3), (2, 3, 4)), volume[1:3, 2:5, 3:7])
    padded = np.pad(volume, 3, mode="reflect")
    assert np.array_equal(windows.cut(volume, (-3, -3, -3), padded.shape), padded)


def test_a_window_larger_than_its_region_is_refused():
    with pytest.raises(ValueError, match="window of 8 voxels does not fit into a region of 7"):
        windows.bins(7, 8, 1)
