import numpy as np
import pandas as pd
import picture_inputs as made_up
import pytest

import plot_network_comparison
from densecell.network_comparison import Settings, comparison_table, scores_of_runs
from figure_output import new_figure


def runs(**scores):
    rows = [(name, i, v, bool(v < 0.2)) for name, values in scores.items() for i, v in enumerate(values)]
    return pd.DataFrame(rows, columns=["experiment", "seed", "eval_miou", "collapsed"])


def compare(ranking):
    return comparison_table(ranking, scores_of_runs(ranking, made_up.metrics(), {"hybrid": "hybrid"}), Settings())


def many(n_experiments, n):
    rng = np.random.default_rng(0)
    return {f"experiment_{i}": rng.normal(0.5, 0.1, n).clip(0, 1) for i in range(n_experiments)}


CASES = {
    "two": {"hybrid": [0.7, 0.8], "unet": [0.6, 0.1]},
    "one run": {"hybrid": [0.7]},
    "a run without a score": {"hybrid": [0.7, float("nan")], "unet": [float("nan")]},
    "eleven": many(11, 26),
    "many runs": {"unet": many(1, 500)["experiment_0"], "hybrid": [0.6, 0.5, 0.7]},
}


@pytest.mark.parametrize("scores", CASES.values(), ids=CASES)
def test_draws(tmp_path, scores):
    ranking = runs(**scores)
    arguments = ["--ranking", made_up.write_table(tmp_path / "ranking.csv", ranking)]
    arguments += ["--comparison", made_up.write_table(tmp_path / "comparison.csv", compare(ranking))]
    height, width = made_up.check_picture(plot_network_comparison.main, arguments, tmp_path / "x.png")
    compared = sum(np.isfinite(values).any() for values in scores.values()) > 1
    assert height / 60 > 0.8 * len(scores) and (width / 60 > 6.5) == compared


def test_bins_hold_all_values_and_are_finer_for_more_runs():
    values = np.array([0.113, 0.5, 0.689])
    for n in (3, 8, 500):
        edges = plot_network_comparison.bin_edges(values, n)
        assert edges[0] <= 0.113 and edges[-1] > 0.689 and np.allclose(np.diff(edges), np.diff(edges)[0])
    assert len(plot_network_comparison.bin_edges(values, 500)) > len(plot_network_comparison.bin_edges(values, 8))
    assert len(plot_network_comparison.bin_edges(np.array([0.5]), 1)) == 2


def test_a_panel_holds_every_run_its_share_and_the_mean():
    ranking = runs(a=[0.1, 0.5, 0.52, 0.71])
    measures = compare(ranking).query("experiment == 'a' and other == ''").set_index("measure")
    _, ((axes,),) = new_figure(4, 3)
    plot_network_comparison.draw_runs(axes, ranking, measures, np.arange(0, 1.1, 0.1), "tab:blue")
    assert sum(bar.get_height() for bar in axes.patches) == pytest.approx(1)
    sound, collapsed, interval, mean = (line.get_xdata() for line in axes.lines)
    assert list(sound) == [0.5, 0.52, 0.71] and list(collapsed) == [0.1]
    assert interval[0] < mean[0] < interval[1] and axes.texts[0].get_text() == "n = 4"


def test_gray_cells_can_not_be_told():
    apart = {"a": [0.1, 0.11, 0.12, 0.13], "b": [0.5, 0.51, 0.52, 0.53]}
    for scores, told in ((apart, True), ({"a": [0.5, 0.6], "b": [0.55, 0.65]}, False)):
        _, ((axes,),) = new_figure(4, 3)
        table = compare(runs(**scores))
        plot_network_comparison.draw_matrix(axes, table, "eval_miou_all", ["a", "b"], 0.95)
        gray = [np.ptp(cell.get_facecolor()[:3]) < 1e-6 for cell in axes.patches]
        assert gray == [not told] * 2 and len(axes.texts) == 2
    assert [text.get_text() for text in axes.texts] == ["0.25", "0.75"]
