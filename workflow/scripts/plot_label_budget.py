"""Draw held-out scores against the number of labelled slices that were trained on, one column per class.

Dice, precision and recall (0 to 1) below each other, pooled over the voxels of the held-out slices. Each draw is a small circle, the mean
over draws a line with one standard deviation (n - 1); one color per experiment.
"""

import numpy as np
from matplotlib.lines import Line2D

from command_line import Arguments, run
from densecell import io
from densecell.draw_summary import headline
from figure_output import experiment_palette, new_figure, save
from held_out_output import MEASURES, class_name, dodges, draw_spread, set_scores, spread_handles, tidy


def draw_panel(axes, draws, curve, palette, width):
    """One class and measure. draws, curve: its rows of scores of draws and of means, with `series`; width: of the axis."""
    offsets = dodges(palette, width)
    for name, color in palette.items():
        mean = curve[curve["series"] == name].sort_values("n_slices")
        axes.plot(mean["n_slices"] + offsets[name], mean["mean"], "-", color=color, linewidth=1.5)
        for n, values in draws[draws["series"] == name].groupby("n_slices")["value"]:
            draw_spread(axes, n + offsets[name], values, color, width)
    numbers = sorted(draws["n_slices"].unique())
    axes.set_xticks(numbers, [f"{n:g}" for n in numbers])


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("metrics", "scores of every draw (csv)")
    arguments.input("budget", "scores over draws (csv)")
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    draws, curve = (headline(io.read_table(path), MEASURES) for path in (args.metrics, args.budget))
    palette, subjects = experiment_palette(curve["series"]), list(dict.fromkeys(draws["class"]))
    width = max(np.ptp(draws["n_slices"]), 1)
    figure, panels = new_figure(1 + 2.9 * len(subjects), 6.6, len(MEASURES), len(subjects), sharex=True, sharey="col")
    for row, (measure, title) in zip(panels, MEASURES.items()):
        for axes, subject in zip(row, subjects):
            parts = [table[(table["class"] == subject) & (table["measure"] == measure)] for table in (draws, curve)]
            draw_panel(axes, *parts, palette, width)
        row[0].set_ylabel(title)
    for axes, subject in zip(panels[0], subjects):
        axes.set_title(class_name(subject))
    for axes in panels[-1]:
        axes.set_xlabel("labelled slices trained on")
    set_scores([(axes, draws.loc[draws["class"] == name, "value"]) for axes, name in zip(panels[0], subjects)])
    tidy(panels)
    handles, labels = spread_handles(panels[0, 0])
    handles = [*(Line2D([], [], color=color) for color in palette.values()), *handles]
    labels = [*map(class_name, palette), *labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(handles)), frameon=False)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
