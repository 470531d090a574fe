import numpy as np
import pandas as pd
import picture_inputs as made_up
import pytest

import plot_ensemble_gain
from densecell.ensemble_gain import gain_table
from figure_output import new_figure


def gain(with_random):
    metrics = made_up.metrics()
    if with_random:
        drawn = metrics[metrics["predictor"] == "top2"]
        drawn = [drawn.assign(predictor=f"random2_{i}", value=drawn["value"] - 0.01 * i) for i in (1, 2, 3)]
        metrics = pd.concat([metrics, *drawn])
    return gain_table(metrics, list(made_up.EXPERIMENTS), 0.95)


@pytest.mark.parametrize("roles", [("eval", "test"), ("eval",)])
@pytest.mark.parametrize("with_random", [False, True])
def test_draws(tmp_path, with_random, roles):
    table = gain(with_random)
    table = table[table["role"].isin(roles)]
    arguments = ["--gain", made_up.write_table(tmp_path / "gain.csv", table)]
    arguments += ["--chosen", *made_up.write_chosen(tmp_path)]
    made_up.check_picture(plot_ensemble_gain.main, arguments, tmp_path / "x.png")


def test_a_panel_holds_ranked_and_random_ensembles_and_the_chosen_k():
    table = gain(True).query("ensemble == 'hybrid' and region == '' and role == 'test' and measure == 'miou_org'")
    _, ((axes,),) = new_figure(4, 3)
    plot_ensemble_gain.draw_panel(axes, table, 2, "tab:blue")
    drawn, means, ranked, chosen = axes.lines
    assert sorted(drawn.get_xdata()) == [1, 1, 2, 2, 2] and list(means.get_xdata()) == [1, 2]
    assert list(ranked.get_xdata()) == [1, 2] and list(chosen.get_xdata()) == [2]
    assert chosen.get_ydata()[0] == ranked.get_ydata()[1]
    assert means.get_ydata()[1] == pytest.approx(np.mean(drawn.get_ydata()[np.array(drawn.get_xdata()) == 2]))
