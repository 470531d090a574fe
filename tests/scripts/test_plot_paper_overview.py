import json

import paper_inputs
import picture_inputs as made_up
import pytest

import plot_paper_overview
from densecell import paper


@pytest.fixture
def arguments(tmp_path):
    folder = paper_inputs.write_run(tmp_path)
    chosen = {name: {"name": name, "k": 2, "members": [{"seed": 2}]} for name in made_up.EXPERIMENTS}
    places = {"eval": ("eval", "reference"), "test": ("test", "reference")}
    table = paper.table_s1(made_up.metrics(), places, chosen, {"a": ["hybrid", "unet"], "b": ["hybrid"]}, {})
    made_up.write_table(folder / "table_s1.csv", paper.add_published(table, None, {}))
    fractions = made_up.fractions()
    made_up.write_table(folder / "fractions.csv", fractions)
    given = ["--table-s1", f"{folder}/table_s1.csv", "--fractions", f"{folder}/fractions.csv"]
    given += ["--chosen", f"{folder}/hybrid.json", "--panels", json.dumps([[paper_inputs.place(folder)]])]
    return [*given, *paper_inputs.LOOK]


def test_draws_scores_and_volume_fractions(arguments, tmp_path):
    more = [*arguments, "--people", '["reference"]', "--compare-region", "test"]
    made_up.check_picture(plot_paper_overview.main, more, tmp_path / "x.png")


def test_without_a_compared_region_there_are_only_scores(arguments, tmp_path):
    made_up.check_picture(plot_paper_overview.main, arguments, tmp_path / "x.png")


def test_algorithms_are_named_with_their_size():
    row = {"experiment": "hybrid_no_333", "kind": "ensemble", "k": 3}
    assert plot_paper_overview.algorithm_name(row) == "hybrid no 333, top 3"
    assert plot_paper_overview.algorithm_name({**row, "kind": "single"}) == "hybrid no 333, single"
