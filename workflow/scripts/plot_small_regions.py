"""Draw how the scores change when small connected regions are removed from the predicted labels.

One row for each region and ensemble; left the summary scores, in the middle the IoU of each class, right the volume
fraction of each organelle, each against the smallest size that is kept (voxels) and as the change from removing nothing.
Scores change in percentage points, volume fractions in percent of their own value.
"""

import numpy as np
from matplotlib.ticker import MaxNLocator

from command_line import Arguments, json_argument, run
from densecell import io, rendering
from densecell.classes import Classes
from figure_output import MEASURES, display_name, new_figure, save

SUMMARY = {**MEASURES, "frequency_weighted_iou": "frequency-weighted IoU", "pixel_accuracy": "pixel accuracy"}
PANEL_INCHES = (3.7, 2.7)
LEAST_RANGE = 0.5  # half the height of an axis, so that nothing looks like something
STYLES = ("o-", "s--", "^-.", "D:")


def changes(rows, measure, name, relative):
    """(sizes, changes in percent) of one measure and class against size 0; relative: of the value itself."""
    rows = rows[(rows["measure"] == measure) & (rows["class"] == name)].sort_values("min_size_voxels")
    values = rows["value"].to_numpy()
    base = values[0] if relative else 1.0
    change = np.full(len(values), np.nan) if np.isnan(base) or base == 0 else 100 * (values - values[0]) / base
    return rows["min_size_voxels"].to_numpy(), change


def finish(axes, sizes, label):
    """Sizes at equal distances, a line at zero, and a range that does not blow up rounding."""
    axes.axhline(0, color="0.6", linewidth=0.8, zorder=0)
    axes.set_xticks(range(len(sizes)), sizes)
    axes.set_ylabel(label, fontsize=9)
    low, high = axes.get_ylim()
    axes.set_ylim(min(low, -LEAST_RANGE), max(high, LEAST_RANGE))
    axes.yaxis.set_major_locator(MaxNLocator(5))


def draw_row(row, rows, classes, colors):
    """The three panels of one region and ensemble."""
    sizes = sorted(set(rows["min_size_voxels"]))
    scopes = {"miou_org": "organelles"}
    for style, (measure, label) in zip(STYLES, SUMMARY.items()):
        _, change = changes(rows, measure, scopes.get(measure, "all"), False)
        row[0].plot(range(len(sizes)), change, style, color="0.2", markersize=4, linewidth=1.1, label=label)
    for j, name in enumerate(classes.names):
        color = colors[j] / 255
        style = {"color": color, "markersize": 4, "markeredgecolor": "0.3", "markeredgewidth": 0.5, "linewidth": 1.3}
        _, change = changes(rows, "iou", name, False)
        row[1].plot(range(len(sizes)), change, "o-", label=display_name(name), **style)
        if j in classes.organelles:
            _, change = changes(rows, "volume_fraction", name, True)
            row[2].plot(range(len(sizes)), change, "o-", **style)
    finish(row[0], sizes, "change in points")
    finish(row[1], sizes, "change in points")
    finish(row[2], sizes, "change in % of itself")


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("scores", "scores for each smallest size (csv)")
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    colors = rendering.class_colors(args.colors, classes.names)
    table = io.read_table(args.scores)
    groups = list(table.groupby(["region", "experiment", "predictor"], sort=False))
    width, height = PANEL_INCHES
    figure, grid = new_figure(3 * width, height * len(groups) + 0.9, len(groups), 3)
    for row, ((region, experiment, predictor), rows) in zip(grid, groups):
        draw_row(row, rows, classes, colors)
        row[0].set_title(f"{region}: {experiment}, {display_name(predictor)}", fontsize=10, loc="left")
    for axes, title in zip(grid[0], ("", "IoU of each class", "volume fraction")):
        if title:
            axes.set_title(title, fontsize=10)
    for axes in grid[-1]:
        axes.set_xlabel("smallest region kept (voxels)")
    for axes, place in zip(grid[0], ("outside upper center", "outside lower center")):
        handles, names = axes.get_legend_handles_labels()
        figure.legend(handles, names, loc=place, ncols=min(len(names), 7), frameon=False, fontsize=9)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
