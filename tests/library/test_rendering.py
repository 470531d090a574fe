import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest

from densecell import rendering

COLORS = rendering.class_colors({"a": "#000000", "b": "#ff00ff", "c": "#00ff80"}, ["a", "b", "c"])


def test_colors_by_hand():
    assert COLORS.tolist() == [[0, 0, 0], [255, 0, 255], [0, 255, 128]]
    with pytest.raises(ValueError, match=r"figures.colors: .* none for b"):
        rendering.class_colors({"a": "#000000"}, ["a", "b"])


def test_each_class_gets_its_color_and_unlabelled_gray_stripes():
    labels = np.full((40, 60), 255, np.uint8)
    labels[0, :3] = [0, 1, 2]
    picture = rendering.color_labels(labels, COLORS)
    assert picture.dtype == np.uint8 and picture[0, :3].tolist() == COLORS.tolist()
    grays = picture[1:]
    assert (grays[..., 0] == grays[..., 1]).all() and (grays[..., 0] == grays[..., 2]).all()
    assert set(np.unique(grays)) == {rendering.LIGHT_GRAY, rendering.DARK_GRAY}
    with pytest.raises(ValueError, match="expected classes 0 to 2 or 255, found"):
        rendering.color_labels(np.array([[3]], np.uint8), COLORS)


@pytest.mark.parametrize("width_um, length_um", [(4.0, 1.0), (3.9, 0.5), (0.9, 0.2), (100, 20), (8, 2)])
def test_scale_bar_is_a_round_length_within_a_quarter(width_um, length_um):
    assert rendering.scale_bar_length_um(width_um) == pytest.approx(length_um)


def test_scale_bar_has_its_length_in_pixels():
    figure, axes = plt.subplots()
    axes.imshow(np.zeros((100, 400)))
    rendering.add_scale_bar(axes, (50, 5, 10))
    (bar,) = axes.patches
    assert bar.get_width() == pytest.approx(100) and axes.texts[0].get_text() == "1 µm"
    plt.close(figure)


def test_slices_with_most_classes_one_of_each_part():
    assert rendering.informative_slices([1, 3, 2, 2], 1) == [1]
    assert rendering.informative_slices([2, 2, 2, 2, 2], 1) == [2]
    assert rendering.informative_slices([1, 3, 2, 2, 5, 1], 2) == [1, 4]
    assert rendering.informative_slices([4, 4], 5) == [0, 1]


def test_gray_range_of_a_constant_image_is_not_empty():
    low, high = rendering.gray_range(np.full((3, 3), 7.0))
    assert low == 7 and high > low


def test_disagreement_is_painted_over_gray():
    wrong = np.array([[True, False]])
    picture = rendering.mark_disagreement(np.array([[0.0, 1.0]]), wrong)
    assert picture[0, 0].tolist() == [230, 75, 0] and len(set(picture[0, 1].tolist())) == 1
