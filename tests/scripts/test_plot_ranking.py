import picture_inputs as made_up

import plot_ranking


def test_draws(tmp_path):
    arguments = ["--ranking", made_up.write_table(tmp_path / "ranking.csv", made_up.ranking())]
    arguments += ["--metrics", made_up.write_table(tmp_path / "metrics.csv", made_up.metrics())]
    arguments += ["--chosen", *made_up.write_chosen(tmp_path)]
    made_up.check_picture(plot_ranking.main, arguments, tmp_path / "x.png")
