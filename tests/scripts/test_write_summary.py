import contents_inputs
import picture_inputs as made_up
import pytest
import sparse_inputs as sparse

import summarize_draws
import write_summary
from densecell import io


def write(tmp_path, metrics, ranking=None):
    ranking = made_up.ranking() if ranking is None else ranking
    arguments = ["--metrics", made_up.write_table(tmp_path / "metrics.csv", metrics)]
    arguments += ["--ranking", made_up.write_table(tmp_path / "ranking.csv", ranking)]
    arguments += ["--chosen", *made_up.write_chosen(tmp_path), "--classes", made_up.CLASSES]
    arguments += ["--volume-fractions", made_up.write_table(tmp_path / "fractions.csv", made_up.fractions())]
    write_summary.main([*arguments, "--output", str(tmp_path / "s.html"), "--table", str(tmp_path / "s.csv")])
    return (tmp_path / "s.html").read_text(), io.read_table(tmp_path / "s.csv")


def test_answers_every_question_and_keeps_the_numbers(tmp_path):
    html, table = write(tmp_path, made_up.metrics())
    for words in (
        "hybrid against unet",
        "for the mean of 2 networks",
        "unet: 1 of 2 runs collapsed (seed 2)",
        "people:",
    ):
        assert words in html
    assert "most for" in html and "<td>dense core</td>" in html
    facts = table.set_index(["experiment", "measure"])["value"]
    assert facts["unet", "n_collapsed"] == 1 and facts["hybrid", "n_collapsed"] == 0
    assert facts["hybrid against unet", "smallest_p_value_miou_all"] == 2 / 6
    shown = table[(table["experiment"] == "hybrid") & (table["measure"] == "miou_all")].set_index("predictor")["value"]
    assert f"{shown['top2']:.3f}" in html and f"({shown['seeds_min']:.3f} to {shown['seeds_max']:.3f})" in html


def test_names_are_escaped(tmp_path):
    ranking = made_up.ranking().assign(experiment="<b>")
    html, _ = write(tmp_path, made_up.metrics(), ranking)
    assert "&lt;b&gt;: 1 of 4 runs collapsed" in html and "<b>" not in html


def test_says_so_when_there_is_no_test_region(tmp_path):
    metrics = made_up.metrics()
    html, table = write(tmp_path, metrics[metrics["role"] == "eval"])
    assert "No region has the role test" in html and set(table["measure"]) == {"n_runs", "n_collapsed"}


def test_says_what_the_label_budget_shows_without_ranked_networks(tmp_path):
    names = {name: str(tmp_path / f"{name}.csv") for name in ("output", "by-distance")}
    overlap = sparse.write_overlap(tmp_path)
    summarize_draws.main(["--overlap", *overlap, *(w for name, path in names.items() for w in (f"--{name}", path))])
    arguments = ["--held-out", names["output"], "--by-distance", names["by-distance"], "--classes", sparse.CLASSES]
    write_summary.main([*arguments, "--output", str(tmp_path / "s.html"), "--table", str(tmp_path / "s.csv")])
    html, table = (tmp_path / "s.html").read_text(), io.read_table(tmp_path / "s.csv")
    assert "How many labelled slices are enough?" in html and "Did training work?" not in html
    assert html.count("resunet, nucleolus: Dice") == 2 and "with 3 slices" in html and "from a training slice" in html
    shown = table[(table["experiment"] == "unet_n6") & (table["class"] == "nucleus")].set_index("predictor")["value"]
    assert f"{shown['draws_mean']:.3f} (3 draws, SD {shown['draws_sd']:.3f}) with 6 slices" in html


def test_says_what_each_cell_holds_without_any_score(tmp_path):
    arguments = ["--contents", made_up.write_table(tmp_path / "c.csv", contents_inputs.contents())]
    arguments += ["--containers", '[{"volume": "v", "objects": "cells", "class": "cell"}]']
    arguments += ["--classes", contents_inputs.CLASSES, "--output", str(tmp_path / "s.html")]
    write_summary.main([*arguments, "--table", str(tmp_path / "s.csv")])
    html, table = (tmp_path / "s.html").read_text(), io.read_table(tmp_path / "s.csv")
    assert "39 objects of class cell" in html and "<th>granule</th>" in html and "<td>10 ± 1 %</td>" in html
    assert html.count("<td>10 ± 1 %</td>") == 12 and "+7 % against what was drawn" in html
    assert set(table["measure"]) == {"volume_fraction", "volume_fraction_sd"} and not table["value"].isna().any()


def test_refuses_to_summarize_nothing(tmp_path):
    with pytest.raises(ValueError, match="expected --metrics with --ranking, --held-out, or --contents, found none"):
        write_summary.main(
            ["--classes", "[]", "--output", str(tmp_path / "s.html"), "--table", str(tmp_path / "s.csv")]
        )
