import json

import numpy as np
import pytest

import draw_slices
from densecell import draws, io


def target(path, labelled, incomplete=()):
    """A target map that says which of 20 slices are labelled; the draw reads no voxel."""
    maps = np.full((20, 4, 4), 255, np.uint8)
    attributes = {"counts": [0, 0], "labelled_slices": list(labelled), "incomplete_slices": list(incomplete)}
    io.write_volume(path, maps, (20, 5, 5), record={}, attributes=attributes)
    return str(path)


def draw(tmp_path, maps, regions=("block",), n_slices=2, pick="even", seeds=(1, 2), evaluate="held_out"):
    """The table of a draw; maps: (labelled, incomplete) of each target, region after region."""
    paths = [target(tmp_path / f"{i}.ome.zarr", *slices) for i, slices in enumerate(maps)]
    arguments = ["--targets", *paths, "--experiment", "nuclei", "--regions", json.dumps(regions)]
    arguments += ["--draw", json.dumps({"n_slices": n_slices, "pick": pick}), "--seeds", json.dumps(seeds)]
    arguments += ["--evaluate", evaluate, "--output", str(tmp_path / "draws.csv")]
    draw_slices.main(arguments)
    return io.read_table(tmp_path / "draws.csv")


def used(table, use, seed=1):
    return table[(table["use"] == use) & (table["seed"] == seed)]["z"].tolist()


def test_columns_and_what_is_recorded(tmp_path):
    table = draw(tmp_path, [([0, 3, 8, 9], [])])
    assert list(table.columns) == draws.COLUMNS
    assert len(table) == 8 and table["seed"].tolist() == [1] * 4 + [2] * 4
    assert set(table["experiment"]) == {"nuclei"} and set(table["n_slices"]) == {2} and set(table["pick"]) == {"even"}
    for seed in (1, 2):
        train = used(table, "train", seed)
        assert len(train) == 2 and sorted(train + used(table, "held_out", seed)) == [0, 3, 8, 9]
        mine = table[table["seed"] == seed]
        assert mine["distance"].tolist() == [min(abs(z - t) for t in train) for z in mine["z"]]


def test_a_slice_counts_where_every_target_is_known_and_complete(tmp_path):
    table = draw(tmp_path, [([0, 3, 5, 8, 9], [7]), ([0, 3, 7, 9, 12], [5])], n_slices="all", evaluate="none")
    assert used(table, "train") == [0, 3, 9]
    assert used(table, "incomplete") == [5, 7]  # 8 and 12 are known for one of the two only
    assert used(table, "held_out") == []


def test_regions_are_drawn_from_together(tmp_path):
    table = draw(tmp_path, [([0, 1, 2], []), ([4, 5, 6], [])], regions=["a", "b"], n_slices=3)
    for seed in (1, 2):
        assert ((table["use"] == "train") & (table["seed"] == seed)).sum() == 3
    assert table[table["region"] == "b"]["z"].unique().tolist() == [4, 5, 6]


def test_equal_seeds_draw_equal_slices_and_write_equal_bytes(tmp_path):
    first = draw(tmp_path, [(range(0, 20, 2), [])], n_slices=3, pick="random", seeds=[4, 7])
    content = (tmp_path / "draws.csv").read_bytes()
    again = draw(tmp_path, [(range(0, 20, 2), [])], n_slices=3, pick="random", seeds=[7])
    assert used(first, "train", 7) == used(again, "train", 7)
    draw(tmp_path, [(range(0, 20, 2), [])], n_slices=3, pick="random", seeds=[4, 7])
    assert (tmp_path / "draws.csv").read_bytes() == content


MISTAKES = {
    "more than there are": ({"n_slices": 5}, "expected at most 4.*found 5"),
    "nothing left": ({"n_slices": 4}, r"4 of 4 labelled slices.*nothing is left to evaluate.*evaluate: none"),
    "all, nothing left": ({"n_slices": "all"}, "nothing is left to evaluate"),
    "no labelled slice": ({"maps": [([], [3])]}, "found none in its train regions"),
    "no common slice": ({"maps": [([1, 2], []), ([3], [])]}, "found none in its train regions"),
    "too few maps": ({"maps": [([1], []), ([2], []), ([3], [])], "regions": ["a", "b"]}, "found 3"),
}


@pytest.mark.parametrize(("changes", "told"), MISTAKES.values(), ids=MISTAKES)
def test_what_is_refused(tmp_path, changes, told):
    with pytest.raises(ValueError, match=told):
        draw(tmp_path, **{"maps": [([0, 3, 8, 9], [])], **changes})
    assert not (tmp_path / "draws.csv").exists()


def test_all_slices_may_be_trained_on_where_nothing_is_evaluated(tmp_path):
    assert used(draw(tmp_path, [([0, 3, 8, 9], [])], n_slices=4, evaluate="none"), "train") == [0, 3, 8, 9]


def test_the_log_tells_how_many_draws_differ(tmp_path, capsys):
    slices = [(range(8), [11])]
    draw(tmp_path, slices, n_slices=3, seeds=[1, 2, 3])
    said = capsys.readouterr().out
    assert "3 draws of 3 of 8 labelled slices, 3 of them different." in said and "WARNING" not in said
    draw(tmp_path, slices, n_slices=4, seeds=[1, 2, 3])
    said = capsys.readouterr().out
    assert "3 draws of 4 of 8 labelled slices, 2 of them different." in said
    assert "WARNING" in said and "2 different draws of 4 of 8 slices exist with pick: even" in said
    draw(tmp_path, slices, n_slices=7, pick="random", seeds=list(range(9)))
    said = capsys.readouterr().out
    assert "WARNING" in said and "8 different draws of 7 of 8 slices exist with pick: random" in said


def test_seeds_that_train_on_all_slices_are_no_warning(tmp_path, capsys):
    draw(tmp_path, [(range(8), [])], n_slices="all", evaluate="none")
    said = capsys.readouterr().out
    assert "2 draws of 8 of 8 labelled slices, 1 of them different." in said and "WARNING" not in said
