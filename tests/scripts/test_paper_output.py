import json

import numpy as np
import paper_inputs
import picture_inputs as made_up
import pytest

import paper_output
from densecell import io, rendering
from densecell.classes import Classes


@pytest.fixture
def slices():
    classes = Classes.from_records(made_up.CLASSES)
    colors = rendering.class_colors(json.loads(made_up.COLORS), classes.names)
    return paper_output.Slices(paper_output.Look(classes, colors))


def panel(aspect, title="", drawn=None):
    return paper_output.Panel("a", title, aspect, lambda axes: drawn.append(axes) if drawn is not None else None)


def boxes(figure):
    """(left, bottom, width, height) of each Axes in mm."""
    width, height = figure.get_size_inches() * paper_output.INCH_MM
    return [np.array(axes.get_position().bounds) * (width, height, width, height) for axes in figure.axes]


def test_panels_of_a_row_are_equally_high_and_fill_180_mm():
    first, second, third = boxes(paper_output.draw_page([[panel(1), panel(2), panel(1.5)]]))
    assert first[3] == pytest.approx(second[3]) == pytest.approx(third[3])
    assert second[2] == pytest.approx(2 * first[2])
    assert third[0] + third[2] == pytest.approx(180) and first[0] == pytest.approx(0)


def test_a_lone_panel_is_not_higher_than_the_limit_and_stands_in_the_middle():
    (only,) = boxes(paper_output.draw_page([[panel(1)]]))
    assert only[3] == pytest.approx(paper_output.HIGHEST_MM) and only[0] == pytest.approx((180 - only[2]) / 2)


def test_equal_rows_are_as_high_as_the_lowest():
    found = boxes(paper_output.draw_page([[panel(1)], [panel(1)] * 5], equal=True))
    assert len({round(box[3], 6) for box in found}) == 1 and found[0][0] == pytest.approx(0)


def test_equal_rows_of_wide_panels_are_broken_before_they_get_too_low():
    found = boxes(paper_output.draw_page([[panel(3)] * 5], equal=True))
    assert len({round(box[1], 6) for box in found}) == 3  # 2, 2 and 1 panels
    assert found[0][3] >= paper_output.LOWEST_MM
    assert len({round(box[1], 6) for box in boxes(paper_output.draw_page([[panel(1)] * 5], equal=True))}) == 1


def test_a_long_title_is_wrapped_and_makes_the_page_higher():
    short = paper_output.draw_page([[panel(1, "short")] * 6])
    long = paper_output.draw_page([[panel(1, "a title of many words that needs several lines")] * 6])
    assert long.get_figheight() > short.get_figheight()


def test_the_slice_is_the_asked_one_or_the_one_with_most_classes(slices, tmp_path):
    reference = np.zeros((5, 8, 9), np.uint8)
    reference[3, 2:4, 2:4] = 1
    path = made_up.write_volume(tmp_path / "reference.ome.zarr", reference)
    assert slices.slice_of({"reference": path}) == 3
    assert slices.slice_of({"reference": path, "z": 0}) == 0
    assert slices.slice_of({"labels": path}) == 2  # the middle
    with pytest.raises(ValueError, match=r"paper.slices: expected a slice below 5 of .*, found 5"):
        slices.slice_of({"reference": path, "z": 5})


def test_labels_are_those_that_eval_chose(slices, tmp_path):
    folder = paper_inputs.write_run(tmp_path)
    assert slices.labels_path(paper_inputs.algorithm(folder, "hybrid", "ensemble")).endswith("/top2.ome.zarr")
    assert slices.labels_path(paper_inputs.algorithm(folder, "hybrid", "single")).endswith("/seed2.ome.zarr")


def test_a_mask_leaves_what_is_scored(slices):
    reference = np.array([[0, 1, 2, 255]], np.uint8)
    predicted = np.array([[3, 3, 3, 3]], np.uint8)
    found = paper_output.outside_as_background(predicted, reference, slices.look.classes)
    assert found.tolist() == [[0, 3, 3, 3]]


def test_large_slices_are_thinned_out_and_keep_their_size_in_micrometers(monkeypatch, tmp_path):
    monkeypatch.setattr(paper_output, "MOST_PIXELS", 10)
    volume = io.open_volume(made_up.write_volume(tmp_path / "v.ome.zarr", np.zeros((2, 16, 20), np.uint8)))
    plane, voxel_nm = paper_output._plane(volume, 0)
    assert plane.shape == (8, 10) and voxel_nm == (50, 20, 20)


def test_what_is_read_becomes_a_parent(slices, tmp_path):
    folder = paper_inputs.write_run(tmp_path)
    slices.panel(paper_inputs.algorithm(folder, "unet", "single", mask=True))
    assert {path.rsplit("/", 1)[1] for path in slices.parents} == {
        "reference.ome.zarr",
        "unet.json",
        "seed2.ome.zarr",
    }
