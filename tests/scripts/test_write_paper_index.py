import json
import math

import pandas as pd
import picture_inputs as made_up
import pytest

import write_paper_index
from densecell import files, paper
from densecell.paper_items import ITEMS

CHOSEN = {name: {"name": name, "k": 2, "members": [{"seed": 2}]} for name in made_up.EXPERIMENTS}
PLACES = {"eval": ("eval", "reference"), "test": ("test", "reference")}


def published():
    columns = ["table", "row", "algorithm", "kind", "role", "measure", "value"]
    return pd.DataFrame([("S1a", "Top-4 <net>", "x", "ensemble", "test", "miou_org", 0.446)], columns=columns)


@pytest.fixture
def write(tmp_path):
    def write(theirs=None, items=None):
        table = paper.table_s1(made_up.metrics(), PLACES, CHOSEN, {"a": ["hybrid"], "b": ["unet"]}, {"unet": 1234567})
        poster = paper.poster_table(made_up.metrics(), PLACES, CHOSEN, ["hybrid"])
        text = paper.text_numbers(made_up.metrics(), PLACES, [], CHOSEN["hybrid"])
        folder = tmp_path / "paper"
        arguments = [
            "--table-s1",
            made_up.write_table(folder / "s1.csv", paper.add_published(table, theirs, {"hybrid": "x"})),
        ]
        arguments += ["--poster-table", made_up.write_table(folder / "p.csv", paper.add_published(poster, None, {}))]
        arguments += ["--text-numbers", made_up.write_table(folder / "t.csv", paper.add_published_text(text, None))]
        sentences = pd.DataFrame(
            {"experiment": ["a"], "other": ["b"], "score": ["test_miou_org"], "sentence": ["a < b."]}
        )
        arguments += ["--sentences", made_up.write_table(tmp_path / "sentences.csv", sentences)]
        (tmp_path / "figures").mkdir(exist_ok=True)
        files.write_text(tmp_path / "figures" / "x.png", "png", {})
        arguments += ["--pictures", f"{tmp_path}/figures/x.png", "--output", f"{folder}/index.html"]
        videos = json.dumps([f"{tmp_path}/videos/eval_hybrid.mp4"] if items else [])
        write_paper_index.main([*arguments, "--items", json.dumps(items or {}), "--videos", videos])
        return (folder / "index.html").read_text()

    return write


def test_every_figure_is_listed_and_says_why_it_is_left_out(write):
    html = write()
    for name, item in ITEMS.items():
        assert f'id="{name}"' in html and item.title in html
    assert "Left out. videos.rotations" in html
    assert "Left out. analysis.foreground.regions is empty." in html and "a &lt; b." in html
    assert "<summary>test MIoU(org): 1 sentence</summary>" in html


def test_pictures_are_inside_and_their_files_named(write, tmp_path):
    html = write(items={"figure_s5": [f"{tmp_path}/figures/x.png"]})
    assert "data:image/png;base64,cG5n" in html and "<code>figures/x.png</code>" in html
    assert str(tmp_path) not in html and 'href="../videos/eval_hybrid.mp4"' in html


def test_published_numbers_appear_only_where_there_are_some(write):
    assert "published row" not in write()
    html = write(published())
    assert "Top-4 &lt;net&gt;" in html and "<td>0.446</td>" in html and "1,234,567" in html


def test_numbers():
    assert write_paper_index.number(math.nan) == "–" and write_paper_index.number(0.12345) == "0.123"
    assert write_paper_index.number(-0.01, signed=True) == "-0.010"
    assert write_paper_index.number(10267022.0, "n_parameters") == "10,267,022"
