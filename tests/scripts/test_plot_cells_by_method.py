import json

import numpy as np
import object_figure_inputs as made_up
import picture_inputs
import pytest

import plot_cells_by_method as plot
from densecell.classes import UNLABELLED_INSTANCE


@pytest.fixture
def arguments(tmp_path):
    """Slices 2 and 9 were labelled; one way found the cells, another took the second for the first, with an orphan."""
    cells, ids = made_up.cells(), np.full(made_up.SHAPE, UNLABELLED_INSTANCE, np.uint32)
    ids[[2, 9]] = cells[[2, 9]]
    worse = np.where(cells == 3, 1, cells)
    worse[worse == 7] = 12
    paths = [made_up.write(tmp_path, "good", cells, attributes={"first_orphan": 10})]
    paths += [made_up.write(tmp_path, "worse", worse, attributes={"first_orphan": 10})]
    known = {"reference": made_up.write(tmp_path, "known", cells)}
    known["ids"] = made_up.write(tmp_path, "ids", ids, attributes={"slices": [2, 9]}, fill_value=UNLABELLED_INSTANCE)
    words = [word for name, path in known.items() for word in (f"--{name}", path)]
    words += ["--image", made_up.image(tmp_path), "--cells", *paths, "--combinations", json.dumps(["mask", "overlay"])]
    return [*words, "--title", "cells of v"]


def test_dice_is_the_mean_over_the_known_cells_of_the_slice():
    known = np.array([[1, 1, 2, 2, 0, UNLABELLED_INSTANCE]], np.uint32)
    assert plot.mean_dice(known, known) == (1, 2)
    assert plot.mean_dice(known, np.array([[1, 1, 1, 1, 0, 2]])) == (pytest.approx((4 / 6 + 0) / 2), 2)
    dice, n = plot.mean_dice(np.zeros((1, 3), int), np.ones((1, 3), int))
    assert np.isnan(dice) and n == 0


def test_a_row_for_each_slice_and_a_column_for_each_way(arguments, tmp_path):
    one = picture_inputs.check_picture(plot.main, [*arguments, "--n-slices", "1"], tmp_path / "one.png")
    two = picture_inputs.check_picture(plot.main, [*arguments, "--n-slices", "2"], tmp_path / "two.png")
    assert two[0] > one[0] and one[1] == two[1]


def test_scores_and_distances_are_told(arguments, tmp_path, texts):
    plot.main([*arguments, "--n-slices", "2", "--output", str(tmp_path / "x.png")])
    assert texts["x"].count("Dice 1.000 (n = 3)") == 2 and len(texts["x"]) == 4
    assert any("1 from a labelled one" in text or "2 from" in text for text in texts["y"])


def test_labelled_slices_are_shown_where_there_are_no_others(arguments, tmp_path, texts):
    at = arguments.index("--reference")
    plot.main([*arguments[:at], *arguments[at + 2 :], "--n-slices", "2", "--output", str(tmp_path / "x.png")])
    assert texts["y"] == ["slice 2\n(labelled)", "slice 9\n(labelled)"]


def test_of_many_slices_some_are_looked_at(tmp_path):
    volume = plot.io.open_volume(made_up.write(tmp_path, "many", np.ones((100, 2, 2), np.uint32)))
    places = plot.candidates(volume, np.arange(0, 100, 2))
    assert (
        len(places) == plot.MOST_SLICES and places[0] == 1 and places[-1] == 99 and not any(z % 2 == 0 for z in places)
    )
    assert plot.candidates(volume, np.arange(5, 100)) == [0, 1, 2, 3, 4]


def test_orphans_are_gray(arguments, tmp_path, monkeypatch):
    shown = []
    show = plot.rendering.show_slice
    monkeypatch.setattr(plot.rendering, "show_slice", lambda a, p, *m, **k: shown.append(p) or show(a, p, *m, **k))
    plot.main([*arguments, "--n-slices", "1", "--output", str(tmp_path / "x.png")])
    known, _, worse = shown[1:]
    assert worse[55, 65].tolist() == list(plot.ORPHAN) != known[55, 65].tolist()
    assert np.array_equal(known[30, 20], worse[30, 20])


def test_large_slices_are_thinned():
    assert plot.thinned(np.zeros((900, 100)))[1] == 1
    plane, step = plot.thinned(np.zeros((1801, 50)))
    assert plane.shape == (601, 17) and step == 3


def test_a_volume_of_another_shape_is_refused(arguments, tmp_path):
    made_up.write(tmp_path, "worse", np.zeros((3, 4, 5), np.uint32))
    with pytest.raises(ValueError, match=r"worse.ome.zarr: expected the shape of .* found \(3, 4, 5\)"):
        plot.main([*arguments, "--output", str(tmp_path / "x.png")])


@pytest.fixture
def texts(monkeypatch):
    """The labels of the axes of the figure that was saved."""
    found, save = {"x": [], "y": []}, plot.save

    def keep(figure, *more):
        found["x"] += [a.get_xlabel() for a in figure.axes if a.get_xlabel()]
        found["y"] += [a.get_ylabel() for a in figure.axes if a.get_ylabel()]
        save(figure, *more)

    monkeypatch.setattr(plot, "save", keep)
    return found
