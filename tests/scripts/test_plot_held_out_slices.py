import json

import numpy as np
import pandas as pd
import picture_inputs
import pytest
import sparse_inputs as made_up

import plot_held_out_slices as plot
from densecell import io, overlap
from densecell.classes import Classes


def slices(scores, distances=None, empty=()):
    """Slices of one class: {draw: TP of each slice, of 10 with as many false as missed}."""
    rows = []
    for draw, found in scores.items():
        for z, tp in enumerate(found):
            sums = dict(zip(overlap.SUMS, (tp, 10 - tp, 10 - tp, 0, 0, 0, 0 if z in empty else 10, 20)))
            distance = distances[z] if distances else 1
            rows.append({"draw": draw, "region": "r", "z": z, "distance": distance, "threshold": 0.5, **sums})
    return pd.DataFrame(rows)


def chosen(table):
    return [(what.split(":")[0], row["draw"], row["z"]) for what, row in plot.chosen_slices(table)]


def test_best_median_and_worst_draw_each_in_its_median_slice():
    table = slices({1: [5, 6, 7], 2: [9, 8, 10], 3: [1, 3, 2], 4: [6, 6, 7]})
    assert chosen(table) == [
        ("best draw (seed 2)", 2, 0),
        ("median draw (seed 1)", 1, 1),
        ("worst draw (seed 3)", 3, 2),
    ]
    assert chosen(table[table["draw"] < 3]) == [("best draw (seed 2)", 2, 0), ("worst draw (seed 1)", 1, 1)]


def test_a_single_draw_shows_the_nearest_and_the_farthest_slice():
    table = slices({1: [5, 6, 7, 8]}, distances=[2, 1, 4, 4])
    assert chosen(table) == [("nearest (1 from a training slice)", 1, 1), ("farthest (4 from a training slice)", 1, 2)]
    assert chosen(slices({1: [5, 6]}, distances=[2, 2])) == [("nearest (2 from a training slice)", 1, 0)]


def test_slices_without_the_class_are_shown_only_where_there_are_no_others():
    assert chosen(slices({1: [5, 6], 2: [9, 8]}, empty=[0]))[0] == ("best draw (seed 2)", 2, 1)
    assert chosen(slices({1: [5, 6], 2: [9, 8]}, empty=[0, 1]))[0] == ("best draw (seed 2)", 2, 1)


def test_found_missed_and_false_voxels_have_colors_and_unknown_ones_stay_gray():
    image = np.full((1, 5), 1.0)
    image[0, 0] = 0
    truth, predicted = np.array([[0, 1, 1, 0, 255]], np.uint8), np.array([[False, True, False, True, True]])
    picture = plot.overlay(image, truth, predicted, ([0, 1, 0], [1, 0, 0], [0, 0, 1]))
    assert picture[0, 0].tolist() == [0, 0, 0] and picture[0, 4].tolist() == [1, 1, 1]
    assert picture[0, 1].tolist() == [0.5, 1, 0.5]
    assert picture[0, 2].tolist() == [0.5, 0.5, 1] and picture[0, 3].tolist() == [1, 0.5, 0.5]


def test_mistakes_have_colors_that_no_class_resembles():
    orange, magenta = (np.array(plot.to_rgb(color)) for color in plot.FALSE[:2])
    green, red = np.array([0, 0.4, 0]), np.array([0.9, 0.1, 0.1])
    assert plot.distinct(plot.FALSE, [green]).tolist() == orange.tolist()
    assert plot.distinct(plot.FALSE, [green, red]).tolist() == magenta.tolist()
    taken = [plot.to_rgb(color) for color in plot.FALSE]
    assert plot.distinct(plot.FALSE, taken).tolist() == orange.tolist()


def test_a_panel_shows_the_part_with_the_class():
    mask = np.zeros((300, 400), bool)
    assert plot.shown_part(mask) == (slice(None), slice(None))
    mask[100:200, 10:30] = True
    assert plot.shown_part(mask) == (slice(85, 215), slice(0, 52))


def test_classes_below_each_other_draws_side_by_side(tmp_path):
    arguments = made_up.write_held_out(tmp_path, inner=True)
    three = picture_inputs.check_picture(plot.main, arguments, tmp_path / "three.png")
    (tmp_path / "one").mkdir()
    one = picture_inputs.check_picture(
        plot.main, made_up.write_held_out(tmp_path / "one", draws=(2,)), tmp_path / "one.png"
    )
    assert three[1] > one[1]


def test_with_softmax_the_likeliest_class_decides_with_what_lies_in_it():
    """Background, nucleus with its nucleolus, nucleolus. Of 0.4 / 0.3 / 0.3 no class that is not background is likeliest, though the
    nucleus with all in it has more than a half; of 0.3 / 0.3 / 0.4 it is the nucleolus, with less than a half."""
    alone = np.array([[0.4, 0.3, 0.3, 0.1], [0.3, 0.3, 0.4, 0.8], [0.3, 0.4, 0.3, 0.1]])[:, None]
    q = np.rint(255 * np.stack([alone[0], alone[1] + alone[2], alone[2]])).astype(np.uint8)
    classes, names = Classes.from_records(made_up.RECORDS), [record["name"] for record in made_up.RECORDS]

    def found(target):
        return plot.likeliest(q, names, classes, target)[0].tolist()

    assert found("background") == [True, False, False, False]
    assert found("nucleus") == [False, True, True, True]
    assert found("nucleolus") == [False, True, False, False]


def test_a_picture_of_a_softmax_shows_what_was_scored(tmp_path, shown):
    """Without a threshold in the table all classes are read: left the nucleus has more than a half, with what lies in it, and the
    background is likeliest."""
    arguments = made_up.write_held_out(tmp_path, draws=(1,))
    names = ["background", *made_up.TARGETS]
    folder, q = tmp_path / "seed1", {name: np.zeros(made_up.SHAPE, np.uint8) for name in names}
    q["background"][:], q["nucleus"][:], q["nucleolus"][:] = 120, 135, 70
    q["background"][:, :, 40:], q["nucleus"][:, :, 40:], q["nucleolus"][:, :, 40:] = 90, 165, 65
    made_up.write_stores(folder, q)
    known = made_up.target_maps()
    truth = np.where(known["nucleus"] == 255, 255, 1 - np.minimum(known["nucleus"], 1)).astype(np.uint8)
    made_up.write_stores(tmp_path, {"background": truth})
    table = io.read_table(tmp_path / "seed1.csv")
    extra = table[table["class"] == "nucleus"].assign(**{"class": "background"})
    io.write_table(tmp_path / "seed1.csv", pd.concat([table, extra]).assign(threshold=float("nan")), {})
    at = arguments.index("--names")
    arguments[at + 1] = json.dumps(names)
    at = arguments.index("--targets")
    arguments.insert(at + 1, str(tmp_path / "background.ome.zarr"))
    plot.main([*arguments, "--output", str(tmp_path / "x.png")])
    for (_, _, predicted), name in zip(shown[::2], names):
        expected = np.zeros(predicted.shape, bool)
        if name == "background":
            expected[:, :40] = True
        elif name == "nucleus":
            expected[:, 40:] = True
        assert np.array_equal(predicted, expected), name


@pytest.fixture
def shown(monkeypatch):
    """The planes of the panels that were drawn, in order."""
    found, draw = [], plot.draw_panel
    monkeypatch.setattr(
        plot, "draw_panel", lambda axes, planes, *more: found.append(planes) or draw(axes, planes, *more)
    )
    return found


@pytest.fixture
def titles(monkeypatch):
    """The titles of the panels of each figure that was saved."""
    found, save = [], plot.save
    record = lambda figure, *more: found.append([a.get_title() for a in figure.axes]) or save(figure, *more)  # noqa: E731
    monkeypatch.setattr(plot, "save", record)
    return found


def test_slices_scored_in_finer_voxels_are_shown_as_they_were_predicted(tmp_path, shown, titles):
    arguments = made_up.write_held_out(tmp_path, draws=(1,))
    plot.main([*arguments, "--output", str(tmp_path / "same.png")])
    table = io.read_table(tmp_path / "seed1.csv")
    io.write_table(tmp_path / "seed1.csv", table.assign(region="fine", z=table["z"] - 1), {})
    z, y, x = made_up.VOXEL_NM
    finer = np.zeros((13, 120, 160), np.uint8)
    io.write_volume(tmp_path / "fine.ome.zarr", finer, (z, y / 2, x / 2), (z, -y / 4, -x / 4), record={})
    plot.main([*arguments, "--scored-target", str(tmp_path / "fine.ome.zarr"), "--output", str(tmp_path / "fine.png")])
    assert len(shown) == 8 and all(map(np.array_equal, sum(shown[:4], ()), sum(shown[4:], ())))
    assert titles[1] == [f"{title}, scored at full resolution" for title in titles[0]]
    assert all(f"\nslice {z}: " in title for title, z in zip(titles[1], (1, 5, 6, 5)))
    io.write_volume(tmp_path / "fine.ome.zarr", finer, (z / 2, y / 2, x / 2), (0, 0, 0), record={})
    io.write_table(tmp_path / "seed1.csv", table.assign(region="fine", z=table["z"] + 100), {})
    with pytest.raises(ValueError, match="expected it in one of r"):
        plot.main([*arguments, "--scored-target", str(tmp_path / "fine.ome.zarr"), "--output", str(tmp_path / "x.png")])
