import numpy as np
import pytest

from densecell import object_colors
from densecell.classes import UNLABELLED_INSTANCE


def distances(colors):
    """The distance of each color to its nearest other, in Oklab."""
    places = object_colors.oklab(np.asarray(colors) / 255)
    apart = np.linalg.norm(places[:, None] - places[None], axis=2) + 9 * np.eye(len(places))
    return apart.min(axis=1)


def test_white_black_and_red_in_oklab():
    found = object_colors.oklab(np.array([[1.0, 1, 1], [0, 0, 0], [1, 0, 0]]))
    assert found == pytest.approx(np.array([[1, 0, 0], [0, 0, 0], [0.62796, 0.22486, 0.12585]]), abs=1e-4)


def test_the_first_colors_differ_most():
    colors = object_colors.palette()
    assert len(np.unique(colors, axis=0)) == object_colors.N_COLORS
    assert distances(colors[:8]).min() > 0.18 and distances(colors[:24]).min() > 0.1
    assert distances(colors).min() > 0.06


def test_no_color_is_gray_as_the_image():
    assert (np.ptp(object_colors.palette().astype(int), axis=1) > 45).all()


def test_a_number_has_one_color_and_none_is_black():
    colors = object_colors.object_colors([0, 1, 2, 65, 2**32 - 2])
    assert colors[0].tolist() == [0, 0, 0] and colors[1].tolist() == colors[3].tolist() != colors[2].tolist()


def test_objects_are_painted_with_a_line_around_them():
    instances = np.array([[0, 1, 1, 1], [0, 1, 1, 1], [0, 0, 0, UNLABELLED_INSTANCE]], np.uint32)
    picture = object_colors.paint_objects(np.full((3, 4), 9.0), instances)
    assert picture[2, 0].tolist() == [0, 0, 0]  # the darkest of a constant image
    assert picture[0, 0].tolist() == picture[1, 1].tolist() == object_colors.LINE.tolist()
    color = object_colors.palette()[0]
    assert picture[0, 1].tolist() == np.rint(object_colors.OPACITY * color).tolist()
    assert len(set(picture[2, 3].tolist())) == 1 and picture[2, 3, 0] in (205, 145)  # hatched


def test_without_an_image_objects_are_on_white():
    picture = object_colors.paint_objects(None, np.array([[0, 0, 0], [0, 0, 2], [0, 0, 2]], np.uint32))
    assert picture[0, 0].tolist() == [255] * 3 and picture[2, 2].tolist() == object_colors.palette()[1].tolist()
