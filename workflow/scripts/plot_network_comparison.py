"""Draw the distributions of the runs' best eval scores, one panel per experiment, and who is above whom.

Left (Fig. S5 of Guay et al. 2021, doi 10.1038/s41598-021-81590-0): share of the runs per bin of the mean IoU over all classes,
each run as a tick (collapsed ones as crosses), the mean with its interval above. Right: probability of superiority of the
row's experiment over the column's, on eval and, where seeds were predicted singly, on the test regions; gray where the
Holm-corrected rank test can't tell.
"""

import numpy as np
from matplotlib import colormaps
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.lines import Line2D
from matplotlib.patches import Patch, Rectangle

from command_line import Arguments, run
from densecell import io
from densecell.network_comparison import EVAL
from densecell.network_verdicts import is_told
from figure_output import MEASURES, experiment_palette, new_figure, save

BIN_WIDTHS = (0.005, 0.01, 0.02, 0.025, 0.05, 0.1)
MATRICES = {EVAL: f"eval, {MEASURES['miou_all']}", "test_miou_org": f"test, {MEASURES['miou_org']}"}
COLORS = colormaps["PuOr_r"]
CAN_NOT_TELL = "0.85"
CELL = 0.5  # inches
NARROWEST = 0.1  # mean IoU that the x axis spans at least


def bin_edges(values, largest_n):
    """Edges of equal bins that hold all values: of round width, about four per cube root of the largest group's runs."""
    wanted = np.clip(4 * np.cbrt(largest_n), 8, 40)
    width = next((w for w in BIN_WIDTHS if np.ptp(values) / w <= wanted), BIN_WIDTHS[-1])
    first, last = np.floor(values.min() / width), np.floor(values.max() / width) + 1
    return width * np.arange(first, last + 1)


def draw_runs(axes, runs, measures, edges, color):
    """The panel of one experiment: histogram (from two runs on), ticks below it, the mean above."""
    scores = runs.loc[runs["eval_miou"].notna()]
    values, collapsed = scores["eval_miou"].to_numpy(float), scores["collapsed"].to_numpy(bool)
    top = 1.0
    if values.size > 1:
        shares, _, _ = axes.hist(values, edges, weights=np.full(values.size, 1 / values.size), color=color, alpha=0.55)
        top = shares.max()
    axes.plot(values[~collapsed], np.full((~collapsed).sum(), -0.13 * top), "|", color="0.2", markersize=7)
    axes.plot(values[collapsed], np.full(collapsed.sum(), -0.13 * top), "x", color="tab:red", markersize=5)
    if values.size:
        mean = measures.loc["mean"]
        axes.plot([mean["low"], mean["high"]], [1.16 * top] * 2, color="black", linewidth=1.6)
        axes.plot(mean["value"], 1.16 * top, "o", color="black", markersize=5)
    missing = len(runs) - values.size
    text = f"n = {values.size}" + (f", {missing} without score" if missing else "")
    axes.annotate(text, (0, 1), (4, -3), "axes fraction", textcoords="offset points", va="top", fontsize=8)
    axes.set(ylim=(-0.28 * top, 1.36 * top), yticks=[0, top] if values.size > 1 else [])
    axes.set_yticklabels(["0", f"{top:.2g}"] if values.size > 1 else [])
    axes.spines[["top", "right"]].set_visible(False)


def draw_distributions(figure, ranking, table, low_miou):
    """Stacked panels with one x axis and one set of bins. Returns whether the line at low_miou is among them."""
    names = list(dict.fromkeys(ranking["experiment"]))
    palette, values = experiment_palette(names), ranking["eval_miou"].dropna().to_numpy(float)
    edges = bin_edges(values, ranking.groupby("experiment")["eval_miou"].count().max()) if values.size else None
    panels = figure.subplots(len(names), 1, sharex=True, squeeze=False)[:, 0]
    mine = table[(table["score"] == EVAL) & (table["other"] == "")]
    for axes, name in zip(panels, names):
        measures = mine[mine["experiment"] == name].set_index("measure")
        draw_runs(axes, ranking[ranking["experiment"] == name], measures, edges, palette[name])
        axes.set_ylabel(name, rotation=0, ha="right", va="center", labelpad=6)
    panels[-1].set_xlabel(f"best {MEASURES['miou_all']}, on eval")
    panels[0].set_title("share of the runs")
    if edges is None:
        return False
    center, half = (edges[-1] + edges[0]) / 2, max(0.55 * (edges[-1] - edges[0]), NARROWEST / 2)
    panels[-1].set_xlim(center - half, center + half)
    with_limit = center - half < low_miou < center + half
    for axes in panels if with_limit else []:
        axes.axvline(low_miou, color="0.5", linestyle=":", linewidth=1)
    return with_limit


def draw_matrix(axes, table, score, names, confidence):
    """Probability of superiority of the row over the column; gray where it can't be told, blank where not compared."""
    size = len(names)
    axes.set(xlim=(-0.5, size - 0.5), ylim=(size - 0.5, -0.5), aspect="equal")
    pairs = table[(table["score"] == score) & (table["other"] != "")]
    for (first, second), block in pairs.groupby(["experiment", "other"], sort=False):
        measures = block.set_index("measure")
        told, value = is_told(measures, confidence), measures.at["superiority", "value"]
        for row, column, above in ((first, second, value), (second, first, 1 - value)):
            color = COLORS(above) if told else CAN_NOT_TELL
            y, x = names.index(row), names.index(column)
            axes.add_patch(Rectangle((x - 0.5, y - 0.5), 1, 1, facecolor=color, edgecolor="white"))
            dark = told and abs(above - 0.5) > 0.3
            axes.text(x, y, f"{above:.2f}", ha="center", va="center", fontsize=8, color="white" if dark else "0.15")
    axes.set_xticks(range(size), names, rotation=40, ha="right", rotation_mode="anchor")
    axes.set_yticks(range(size), names)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_title(MATRICES[score])


def draw_matrices(figure, table, found, names, confidence):
    """The matrices of the scores found, below each other, with one color bar."""
    panels = figure.subplots(len(found), 1, squeeze=False)[:, 0]
    for axes, score in zip(panels, found):
        draw_matrix(axes, table, score, names, confidence)
    shown = ScalarMappable(Normalize(0, 1), COLORS)
    bar = figure.colorbar(shown, ax=list(panels), shrink=0.5, aspect=18)
    bar.set_label("probability that a run of the row\nscores above one of the column")


def add_legend(figure, collapsed, limit, confidence, with_matrix):
    """What the marks mean, below both halves. collapsed, with_matrix: whether such marks occur; limit: None if not."""
    handles = [
        Line2D([], [], color="0.2", marker="|", linestyle="", label="run"),
        Line2D([], [], color="black", marker="o", markersize=5, label=f"mean, {100 * confidence:g} % interval"),
    ]
    if collapsed:
        handles.insert(1, Line2D([], [], color="tab:red", marker="x", linestyle="", label="collapsed run"))
    if limit is not None:
        handles.append(Line2D([], [], color="0.5", linestyle=":", label=f"mean IoU {limit:g}"))
    if with_matrix:
        handles.append(Patch(facecolor=CAN_NOT_TELL, label="can't tell"))
    figure.legend(handles=handles, loc="outside lower center", ncols=len(handles), frameon=False)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("ranking", "ranking of the networks (csv)")
    arguments.input("comparison", "the compared experiments (csv)")
    arguments.parameter("confidence", "of the intervals and tests, 0 to 1", float, 0.95)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    ranking, table = io.read_table(args.ranking), io.read_table(args.comparison)
    names = list(dict.fromkeys(ranking["experiment"]))
    low_miou = table.loc[table["measure"] == "low_miou", "value"].iloc[0]
    found = [score for score in MATRICES if ((table["score"] == score) & (table["other"] != "")).any()]
    height = max(1.3 + 0.85 * len(names), len(found) * (CELL * len(names) + 1.9), 2.8)
    widths = [6.2, 4.2 + CELL * len(names)][: 2 if found else 1]
    figure, panels = new_figure(sum(widths), height)
    panels[0, 0].remove()
    halves = figure.subfigures(1, len(widths), squeeze=False, width_ratios=widths)[0]
    with_limit = draw_distributions(halves[0], ranking, table, low_miou)
    if found:
        draw_matrices(halves[1], table, found, names, args.confidence)
    collapsed = ranking["collapsed"].any()
    add_legend(figure, collapsed, low_miou if with_limit else None, args.confidence, bool(found))
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
