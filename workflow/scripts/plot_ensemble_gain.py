"""Draw what averaging gains: the score of the best k networks and of k random ones against k.

One pair of panels per ensemble: mean IoU over all classes on eval, over the organelles on test. Line: the best k by eval
score, the k that eval chose ringed. Points: single networks (k = 1) and random ensembles, with their mean and the middle
share of them as a band. Below: what the test regions say of the chosen k.
"""

import math
import textwrap

from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from command_line import Arguments, run
from densecell import files, io
from densecell.ensemble_gain import MEAN, describe_gain
from figure_output import MEASURES, experiment_palette, new_figure, save

PANELS = (("eval", "miou_all"), ("test", "miou_org"))
LARGEST_COLUMN = 4  # ensembles below each other


def draw_panel(axes, rows, chosen_k, color):
    """Scores against k, from the rows of one ensemble, role and measure (means over its regions)."""
    drawn = rows[(rows["kind"] != "ranked") & (rows["predictor"] != MEAN) & rows["value"].notna()]
    axes.plot(drawn["k"], drawn["value"], "o", color="0.45", alpha=0.35, markersize=4, markeredgewidth=0)
    means = rows[rows["predictor"] == MEAN].sort_values("k")
    axes.fill_between(means["k"], means["low"], means["high"], color="0.6", alpha=0.25, linewidth=0)
    axes.plot(means["k"], means["value"], "--", color="0.35", marker="s", markersize=3.5)
    ranked = rows[(rows["kind"] == "ranked") & rows["value"].notna()].sort_values("k")
    axes.plot(ranked["k"], ranked["value"], "-", color=color, marker="o", markersize=5)
    at_chosen = ranked[ranked["k"] == chosen_k]
    ring = {"linestyle": "", "markersize": 12, "markerfacecolor": "none", "markeredgecolor": color}
    axes.plot(at_chosen["k"], at_chosen["value"], marker="o", markeredgewidth=1.8, **ring)
    if rows.empty:
        axes.text(0.5, 0.5, "no scores", ha="center", va="center", transform=axes.transAxes, color="0.4")
        axes.set(xticks=[], yticks=[])
    else:
        axes.set_xlim(rows["k"].min() - 0.5, rows["k"].max() + 0.5)
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(y=0.12)
    axes.grid(alpha=0.3)


def draw_ensemble(figure, table, name, chosen_k, color):
    """Both panels of an ensemble, its name above and one text below."""
    for axes, (role, measure) in zip(figure.subplots(1, len(PANELS)), PANELS):
        rows = table[(table["region"] == "") & (table["role"] == role) & (table["measure"] == measure)]
        draw_panel(axes, rows[rows["ensemble"] == name], chosen_k, color)
        axes.set_title(f"{role}: {MEASURES[measure]}", fontsize=9)
        axes.set_xlabel("networks averaged, k", fontsize=9)
    figure.suptitle(name, fontweight="bold", fontsize=10)
    figure.supxlabel(textwrap.fill(describe_gain(table, name, chosen_k), 88), fontsize=8)


def add_legend(figure, table, coverage):
    """What the marks mean; random ensembles only where there are some."""
    with_random = (table["kind"] == "random").any()
    others = "single networks, random ensembles" if with_random else "single networks"
    gray = {"color": "0.35", "markersize": 4}
    handles = [
        Line2D([], [], color="tab:blue", marker="o", markersize=5, label="the best k by eval score"),
        Line2D(
            [], [], color="0.3", marker="o", linestyle="", markersize=11, fillstyle="none", label="k chosen on eval"
        ),
        Line2D([], [], marker="o", linestyle="", alpha=0.5, label=others, **gray),
        Line2D([], [], marker="s", linestyle="--", label="their mean", **gray),
    ]
    if with_random:
        handles.append(Patch(facecolor="0.6", alpha=0.35, label=f"the middle {100 * coverage:g} % of them"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("gain", "scores against ensemble size (csv)")
    arguments.input("chosen", "chosen member list of every ensemble (json)", several=True)
    arguments.parameter("coverage", "share of the draws between low and high, 0 to 1", float, 0.95)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    table = io.read_table(args.gain)
    chosen = {entry["name"]: entry["k"] for entry in map(files.read_json, args.chosen)}
    palette = experiment_palette(chosen)
    n_columns = math.ceil(len(chosen) / LARGEST_COLUMN)
    n_rows = math.ceil(len(chosen) / n_columns)
    figure, panels = new_figure(6.4 * n_columns, 3.1 * n_rows + 0.7)
    panels[0, 0].remove()
    parts = figure.subfigures(n_rows, n_columns, squeeze=False).ravel()
    for part, (name, k) in zip(parts, chosen.items()):
        draw_ensemble(part, table, name, k, palette[name])
    add_legend(figure, table, args.coverage)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
