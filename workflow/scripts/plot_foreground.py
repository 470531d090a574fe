"""Show a region as tissue against background: each source's map, its cut at a threshold, and the scores of all thresholds.

One slice (the one with the most classes) of the image and the reference, then of each source: the labels of an ensemble,
the probability map, and the map cut at the threshold that the eval regions chose (0.5 where none could be chosen). The
mean IoU in a title is that of the whole region. The last panel shows it against the threshold, the chosen one marked;
a dashed line is a source of labels (Guay et al. 2021, doi 10.1038/s41598-021-81590-0, Fig. 4).
"""

import numpy as np

from command_line import Arguments, json_argument, run
from compute_foreground import n_files, open_maps
from densecell import foreground, io, rendering
from densecell.classes import BACKGROUND, CELL, UNLABELLED, Classes
from figure_output import classes_per_slice, display_name, experiment_palette, new_figure, save

PANEL_INCHES = 3.1
COLUMNS = ("labels", "probability", "cut")  # of each source's row


def two_colors(colors, group_ids):
    """(2, 3) uint8: the colors of the first background and the first cell class."""
    return np.array([colors[list(group_ids).index(group)] for group in (BACKGROUND, CELL)])


def mean_iou_at(table, threshold):
    """The mean IoU of a source's rows at a threshold (None: labels); NaN where there is none."""
    at = table["threshold"].isna() if threshold is None else table["threshold"] == threshold
    values = table.loc[at & (table["measure"] == "miou"), "value"]
    return float(values.iloc[0]) if len(values) else float("nan")


def threshold_to_show(rows):
    """(threshold, how it was chosen) of a source's rows: that of eval, else 0.5, else the first of the sweep."""
    for choice, words in (("eval", "chosen on eval"), ("fixed", "fixed")):
        found = rows.loc[rows["choice"] == choice, "threshold"]
        if len(found):
            return float(found.iloc[0]), words
    return float(rows["threshold"].dropna().iloc[0]), "first of the sweep"


def panels_of(name, maps, rows, z, valid, colors):
    """{column: (title, picture, keyword arguments of imshow)} of one source; probability maps are fractions of 1."""
    panels = {}
    for m in maps:
        plane = m.read(z)
        if not m.is_probability:
            picture = rendering.color_labels(np.where(valid, plane, UNLABELLED), colors)
            what = "labels" if m.predictor == "external" else f"{display_name(m.predictor)}, labels"
            panels["labels"] = (f"{name} {what}\nMIoU {mean_iou_at(rows, None):.3f}", picture, {})
            continue
        threshold, words = threshold_to_show(rows)
        probability = foreground.as_probabilities(plane, m.maximum)
        panels["probability"] = (f"{name}\nprobability of tissue", probability, {"cmap": "pink", "vmin": 0, "vmax": 1})
        cut = np.where(valid, foreground.above(plane, m.maximum, threshold), UNLABELLED)
        title = f"{name}, p > {threshold:g} ({words})\nMIoU {mean_iou_at(rows, threshold):.3f}"
        panels["cut"] = (title, rendering.color_labels(cut, colors), {})
    return panels


def draw_sweep(axes, table, names):
    """Mean IoU against the threshold, one line for each source; labels as dashed lines."""
    for name, color in experiment_palette(names).items():
        rows = table[(table["experiment"] == name) & (table["measure"] == "miou")]
        sweep = rows[rows["threshold"].notna()].sort_values("threshold")
        if len(sweep):
            axes.plot(sweep["threshold"], sweep["value"], "o-", color=color, markersize=3, label=name)
            best = sweep[sweep["choice"] == "eval"]
            axes.plot(best["threshold"], best["value"], "*", color=color, markersize=13, markeredgecolor="black")
        for value in rows.loc[rows["threshold"].isna(), "value"]:
            axes.axhline(value, color=color, linestyle="--", linewidth=1.2, label=f"{name}, labels")
    axes.plot([], [], "*", color="0.8", markersize=11, markeredgecolor="black", label="chosen on eval")
    axes.set(xlabel="threshold", ylabel="mean IoU of the region", ylim=(0, 1), title="all thresholds")
    axes.legend(fontsize=7.5, frameon=True, framealpha=0.7, loc="lower left")


def draw_panel(axes, panel, voxel_nm):
    """One picture with its title, and with a color bar where it is a probability map."""
    title, picture, options = panel
    shown = rendering.show_slice(axes, picture, voxel_nm, interpolation="nearest", **options)
    axes.set_title(title, fontsize=9.5)
    if options.get("cmap") == "pink":
        axes.figure.colorbar(shown, cax=axes.inset_axes([1.02, 0, 0.04, 1]))


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("scores", "foreground scores with the chosen thresholds (csv)")
    arguments.input("image", "image of the region (OME-Zarr)")
    arguments.input("reference", "reference labels of the region")
    arguments.input("files", "files of all sources, one source after the other", several=True, foreign=True)
    arguments.input("chosen", "member lists of the ensembles' chosen k, in their order", several=True, required=False)
    arguments.parameter("sources", "JSON list of the sources' records", json_argument, required=True)
    arguments.parameter("region", "name of the region", required=True)
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    colors = two_colors(rendering.class_colors(args.colors, classes.names), classes.group_ids)
    table = io.read_table(args.scores)
    table = table[table["region"] == args.region]
    image, reference = io.open_volume(args.image), io.open_volume(args.reference)
    box = image.attributes.get("inner", [[0, n] for n in image.shape])
    z = rendering.informative_slices(classes_per_slice(reference), 1)[0]
    labels = reference.read_slice(z)
    valid, truth = labels != UNLABELLED, foreground.is_foreground(labels, classes.group_ids)
    (z0, _), (y0, y1), (x0, x1) = box
    gray = image[z0 + z : z0 + z + 1, y0:y1, x0:x1][0]
    darkest, brightest = rendering.gray_range(gray)
    gray_options = {"cmap": "gray", "vmin": darkest, "vmax": brightest}
    first = [
        (f"{args.region}, slice {z}", gray, gray_options),
        ("reference", rendering.color_labels(np.where(valid, truth, UNLABELLED), colors), {}),
    ]
    sources = []
    paths, chosen = list(args.files), list(args.chosen)
    for record in args.sources:
        mine, paths = paths[: n_files(record)], paths[n_files(record) :]
        maps = open_maps(record, mine, chosen.pop(0) if record["kind"] == "ensemble" else None, classes)
        rows = table[table["experiment"] == record["name"]]
        sources.append(panels_of(record["name"], maps, rows, z, valid, colors))

    voxel_nm = image.voxel_size_nm
    n_rows = 1 + len(sources)
    height = PANEL_INCHES * gray.shape[0] * voxel_nm[1] / (gray.shape[1] * voxel_nm[2])
    height = min(height, 2 * PANEL_INCHES) + 0.5  # with the title
    heights = [max(height, 0.8 * PANEL_INCHES)] + [height] * len(sources)  # the curves need some
    size = (PANEL_INCHES * len(COLUMNS) + 0.8, sum(heights) + 0.1 * n_rows + 0.4)
    figure, grid = new_figure(*size, n_rows, len(COLUMNS), height_ratios=heights)
    for axes, panel in zip(grid[0], first):
        draw_panel(axes, panel, voxel_nm)
    rendering.add_scale_bar(grid[0, 0], voxel_nm)
    draw_sweep(grid[0, 2], table, [record["name"] for record in args.sources])
    for row, panels in zip(grid[1:], sources):
        for axes, column in zip(row, COLUMNS):
            if column in panels:
                draw_panel(axes, panels[column], voxel_nm)
            else:
                axes.axis("off")
    rendering.class_legend(figure, ["background", "tissue"], colors, not valid.all())
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
