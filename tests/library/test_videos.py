import numpy as np
import pytest

from densecell import videos

COLORS = {
    "cell": (0, 100, 0),
    "mitochondrion": (255, 0, 255),
    "alpha": (0, 0, 139),
    "canalicular": (255, 255, 0),
    "core": (139, 0, 0),
    "black": (0, 0, 0),
}


@pytest.mark.parametrize("name", COLORS)
def test_ramp_runs_from_black_through_the_color_and_ends_readable(name):
    color = np.array(COLORS[name])
    ramp = videos.color_ramp(color)
    brightness = [videos.luminance(c / 255) for c in ramp.astype(float)]
    assert ramp.shape == (256, 3) and not ramp[0].any()
    assert brightness[-1] >= videos.READABLE_LUMINANCE - 0.02
    assert (np.diff(brightness) > -0.01).all()
    assert np.abs(ramp.astype(int) - color).sum(axis=1).min() < 12


def test_bright_color_is_the_end_of_its_ramp():
    assert videos.color_ramp((255, 255, 0))[-1].tolist() == [255, 255, 0]


def test_likeliest_class_by_hand_and_ties_go_to_the_lower():
    probabilities = np.array([[[10, 100]], [[200, 100]], [[45, 55]]], np.uint8)
    assert videos.likeliest_class(probabilities).tolist() == [[1, 0]]


def test_legend_breaks_into_rows():
    assert videos.legend_columns(640, ["mitochondrion"] * 6) == 4
    assert videos.legend_columns(640, ["a", "b"]) == 2
    assert videos.legend_columns(100, ["a long name of a class"]) == 1
    assert videos.legend_height(640, ["mitochondrion"] * 6) == 2 * videos.LEGEND_ROW_PX + 6


def test_scene_page_holds_the_picture_pixel_by_pixel():
    size = videos.scene_size(401, 301, ["granule"])
    picture = np.random.default_rng(0).integers(0, 200, (size[1], size[0], 3)).astype(np.uint8)
    picture[-40:] = 255  # where the scale bar goes
    page = videos.ScenePage(401, 301, "title", [("granule", "", (0, 0, 139), 1)], 0.01)
    frame = page.draw(picture, np.full((3, 2), -1000))
    assert frame.shape == (302, 402, 3) and frame.dtype == np.uint8
    assert (frame[videos.TITLE_PX : videos.TITLE_PX + size[1] - 40] == picture[:-40]).mean() > 0.999
    bar = (frame[videos.TITLE_PX + size[1] - videos.GAP_PX + 1] == 0).all(axis=1).sum()
    assert bar == pytest.approx(100, abs=1)  # 1 µm: the longest round length within a quarter of 402 px
    assert (page.draw(picture, np.full((3, 2), -1000), "none predicted") != frame).any()


def test_panels_show_their_pictures():
    ramps = [videos.color_ramp((255, 255, 0))] * 4
    page = videos.PanelPage(["a", "b", "c", "d"], 3, (30, 60), (50, 10, 10), ramps=ramps)
    red = np.zeros((30, 60, 3), np.uint8)
    red[...] = (255, 0, 0)
    blank = page.draw("step 0", [None] * 4)
    frame = page.draw("step 0", [red, None, None, None])
    assert frame.shape[0] % 2 == frame.shape[1] % 2 == 0
    changed = (blank != frame).any(axis=2)
    one_panel = videos.PANEL_PX * videos.PANEL_PX / 2
    assert changed.sum() == pytest.approx(one_panel, rel=0.05)  # less its scale bar
    assert (frame[changed] == (255, 0, 0)).all(axis=1).mean() > 0.95
    with pytest.raises(ValueError, match="zip"):
        page.draw("step 0", [red])
