import numpy as np
import object_figure_inputs as made_up
import picture_inputs
import pytest

import object_output
import plot_object_features as plot

COMMON = ["--objects", "nuclei", "--color", "#e6c700"]


def arguments(tmp_path, rows):
    return ["--table", made_up.table(tmp_path / "t.csv", rows, made_up.KEYS), *COMMON]


def test_a_panel_for_each_known_measure_and_a_column_for_each_volume(tmp_path, panels):
    values = {"volume_um3": [1, 2, 3], "sphericity": [0.5, 0.6, np.nan], "n_pieces": [1, 1, 1]}
    rows = [
        row for volume in ("biopsy_1", "b2") for row in made_up.measures(values, volume, flags={2: "touches_border"})
    ]
    picture_inputs.check_picture(plot.main, arguments(tmp_path, rows), tmp_path / "x.png")
    assert [axes.get_title() for axes in panels[:2]] == ["volume", "sphericity"]
    labels = [text.get_text() for text in panels[1].get_xticklabels()]
    assert labels == ["biopsy 1\nn = 1", "b2\nn = 1"]  # one is cut, one was not measured


def test_other_objects_of_the_table_are_left_out(tmp_path, panels):
    rows = made_up.measures({"contrast": [1, 2]}) + made_up.measures({"contrast": [5] * 9}, objects="cells")
    plot.main([*arguments(tmp_path, rows), "--output", str(tmp_path / "x.png")])
    assert [text.get_text() for text in panels[0].get_xticklabels()] == ["v\nn = 2"]


def test_without_objects_the_picture_says_so(tmp_path):
    picture_inputs.check_picture(plot.main, arguments(tmp_path, []), tmp_path / "none.png")


def test_a_measure_that_nobody_could_measure(tmp_path):
    rows = made_up.measures({"contrast": [np.nan, np.nan]})
    picture_inputs.check_picture(plot.main, arguments(tmp_path, rows), tmp_path / "nan.png")


def test_words_with_units():
    assert object_output.in_words("surface_area_um2", "um2") == "surface area (µm²)"
    assert object_output.in_words("sphericity", "1") == "sphericity"


def test_what_the_border_cuts_is_not_whole():
    flags = ["", "touches_border", "in_pieces", "few_voxels orphan", "container_touches_border"]
    assert object_output.is_whole(flags).tolist() == [True, False, True, False, False]


def test_dots_of_equal_values_lie_side_by_side_within_their_column():
    offsets = object_output.swarm([1, 1, 1, 5], 1, 5)
    assert len(set(offsets[:3])) == 3 and offsets[:3].sum() == pytest.approx(0) and offsets[3] == 0
    assert abs(object_output.swarm(np.ones(1000), 0, 1)).max() <= object_output.WIDTH
    assert object_output.swarm([], 0, 1).tolist() == []


@pytest.fixture
def panels(monkeypatch):
    found, save = [], plot.save
    monkeypatch.setattr(
        plot, "save", lambda figure, *more: found.extend(a for a in figure.axes if a.axison) or save(figure, *more)
    )
    return found
