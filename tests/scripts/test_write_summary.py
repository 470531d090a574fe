import picture_inputs as made_up

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
