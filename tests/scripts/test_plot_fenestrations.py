import numpy as np
import object_figure_inputs as made_up
import pandas as pd
import picture_inputs
import pytest

import plot_fenestrations as plot
from densecell.fenestrations import FILLINGS, fenestrated_percent

COMMON = ["--name", "nucleoli", "--volume", "v", "--color", "#c00000", "--settings", '{"max_voxels": 100000}']


def morphology():
    """Fenestrated percentages of the pierced objects, as measured, and one measure more."""
    labels, values = made_up.pierced(), {}
    for name, filling in FILLINGS.items():
        masks = [labels == i for i in (1, 2, 3)]
        values[f"fenestrated_percent_{name}"] = [
            fenestrated_percent(m, filling(m, 60, made_up.VOXEL_NM)) for m in masks
        ]
    return made_up.measures({**values, "volume_um3": [1, 2, 3]}, flags={3: "in_pieces touches_border"})


def arguments(tmp_path, rows=None):
    labels, table = made_up.object_table(tmp_path, "labels", made_up.pierced())
    path = made_up.table(tmp_path / "m.csv", morphology() if rows is None else rows, made_up.KEYS)
    words = ["--image", made_up.image(tmp_path), "--labels", labels, "--objects", table, "--morphology", path]
    return [*words, *COMMON]


def test_whole_objects_with_the_largest_cavities_come_first():
    table = pd.DataFrame(morphology(), columns=made_up.KEYS)
    table = table[table["measure"] != "volume_um3"]
    assert plot.most_fenestrated(table, 4) == [1, 2, 3]
    assert plot.most_fenestrated(table, 1) == [1]


def test_cavities_are_told_from_holes_of_slices():
    labels = made_up.pierced()
    cavities, holes = plot.holes_of(labels == 1)
    assert cavities.sum() == 2 * 4 * 4 and not holes.any() and plot.shown_slice(cavities, holes) in (4, 5)
    cavities, holes = plot.holes_of(labels == 2)
    assert not cavities.any() and holes.sum() == 6 * 4 * 4


def test_the_slice_in_the_middle_where_none_has_holes():
    nothing = np.zeros((5, 3, 3), bool)
    assert plot.shown_slice(nothing, nothing) == 2


def test_objects_are_shown_above_the_dots_of_all(tmp_path, shown):
    picture_inputs.check_picture(plot.main, arguments(tmp_path), tmp_path / "x.png")
    assert shown[0] == ["1: 1.33 %", "2: 0.00 %", "3: 10.67 %"]


def test_painted_cavities_lie_where_they_are(tmp_path, pictures):
    plot.main([*arguments(tmp_path), "--output", str(tmp_path / "x.png")])
    first = pictures[0]
    bluest = np.argwhere(first[..., 2] - first[..., 0] > 0.3)
    assert bluest.min(axis=0).tolist() == [11, 11] and bluest.max(axis=0).tolist() == [14, 14]  # 3 pixels of margin


def test_reduced_objects_lie_at_the_same_place(tmp_path, pictures):
    words = arguments(tmp_path)
    words[-1] = '{"max_voxels": 700}'
    plot.main([*words, "--output", str(tmp_path / "x.png")])
    reddest = np.argwhere(pictures[0][..., 0] - pictures[0][..., 1] > 0.15)
    assert abs(np.median(reddest, axis=0) - 12).max() <= 3 and len(reddest) > 200


def test_without_objects_there_are_no_pictures(tmp_path):
    picture_inputs.check_picture(plot.main, arguments(tmp_path, []), tmp_path / "x.png")


@pytest.fixture
def shown(monkeypatch):
    """The titles of the panels of each figure that was saved."""
    found, save = [], plot.save

    def keep(figure, *more):
        found.append([title for axes in figure.axes if (title := axes.get_title())])
        save(figure, *more)

    monkeypatch.setattr(plot, "save", keep)
    return found


@pytest.fixture
def pictures(monkeypatch):
    """What was shown of each object, (Y, X, 3)."""
    found, show = [], plot.rendering.show_slice
    monkeypatch.setattr(plot.rendering, "show_slice", lambda a, p, *m, **k: found.append(p) or show(a, p, *m, **k))
    return found
