import object_figure_inputs as made_up
import pandas as pd
import picture_inputs
import pytest

import plot_objects_per_container as plot

OBJECTS = ["volume", "objects", "instance", "volume_um3", "touches_border", "orphan"]
PARENTS = ["volume", "objects", "instance", "parent"]
COMMON = ["--name", "nucleoli", "--container", "nuclei", "--color", "#c00000"]
NUCLEI = [("v", "nuclei", i, 10.0, int(i == 3), int(i == 9)) for i in (1, 2, 3, 9)]
NUCLEOLI = [("v", "nucleoli", i, 0.5 * i, 0, 0) for i in (1, 2, 3)]
LIE_IN = [("v", "nucleoli", 1, 1), ("v", "nucleoli", 2, 1), ("v", "nucleoli", 3, 0)]


def arguments(tmp_path, parents=LIE_IN, objects=(*NUCLEI, *NUCLEOLI)):
    paths = made_up.table(tmp_path / "p.csv", parents, PARENTS), made_up.table(tmp_path / "o.csv", objects, OBJECTS)
    return ["--parents", paths[0], "--objects", paths[1], *COMMON]


def test_containers_without_objects_count_and_orphans_do_not():
    tables = pd.DataFrame(LIE_IN, columns=PARENTS), pd.DataFrame([*NUCLEI, *NUCLEOLI], columns=OBJECTS)
    found = plot.contained(*tables, "nucleoli", "nuclei").set_index("instance")
    assert found["n_objects"].to_dict() == {1: 2, 2: 0, 3: 0}
    assert found["percent"].to_dict() == pytest.approx({1: 15, 2: 0, 3: 0})
    assert found["whole"].to_dict() == {1: True, 2: True, 3: False}


def test_numbers_are_of_their_own_volume():
    parents = [*LIE_IN, ("w", "nucleoli", 1, 1)]
    objects = [*NUCLEI, *NUCLEOLI, ("w", "nuclei", 1, 5.0, 0, 0), ("w", "nucleoli", 1, 1.0, 0, 0)]
    tables = pd.DataFrame(parents, columns=PARENTS), pd.DataFrame(objects, columns=OBJECTS)
    found = plot.contained(*tables, "nucleoli", "nuclei").set_index(["volume", "instance"])
    assert found.loc[("w", 1), "n_objects"] == 1 and found.loc[("w", 1), "percent"] == pytest.approx(20)
    assert found.loc[("v", 1), "n_objects"] == 2


def test_dots_and_histogram(tmp_path, titles):
    picture_inputs.check_picture(plot.main, arguments(tmp_path), tmp_path / "x.png")
    assert titles[0] == "nucleoli in nuclei; nucleoli that lie in none: 1 in v"


def test_two_volumes(tmp_path):
    parents = [(v, *row[1:]) for v in ("a", "b") for row in LIE_IN]
    objects = [(v, *row[1:]) for v in ("a", "b") for row in (*NUCLEI, *NUCLEOLI)]
    picture_inputs.check_picture(plot.main, arguments(tmp_path, parents, objects), tmp_path / "x.png")


def test_no_objects_or_no_containers(tmp_path):
    picture_inputs.check_picture(plot.main, arguments(tmp_path, [], NUCLEI), tmp_path / "x.png")
    picture_inputs.check_picture(plot.main, arguments(tmp_path, [], []), tmp_path / "y.png")


@pytest.fixture
def titles(monkeypatch):
    found, save = [], plot.save
    monkeypatch.setattr(plot, "save", lambda figure, *more: found.append(figure.get_suptitle()) or save(figure, *more))
    return found
