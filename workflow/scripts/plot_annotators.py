"""Draw people against people and networks in a region: agreement, volume fractions, and confusion matrices.

First picture: mean IoU over the organelles of each label source (rows) with each source and ensemble at its chosen k, and
the volume fraction of each organelle as each source and the best ensemble have it (other ensembles: small marks); predictions
within the margin around the first source's cells (Guay et al. 2021, doi 10.1038/s41598-021-81590-0, Fig. 3). Second
picture: confusion matrices of the pairs, each row of the first named adding up to 1, organelles only (Fig. S4). The best
ensemble is that of the eval regions.
"""

import numpy as np
from matplotlib.lines import Line2D

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.annotators import (
    agreement_matrix,
    best_algorithm,
    label_of,
    matrix_pairs,
    pair_agreements,
    people_of,
    row_shares,
    sources_of,
)
from densecell.classes import Classes
from densecell.metrics import key_columns, pool
from densecell.volume_fractions import PREDICTED_CELL, REFERENCE_CELL
from figure_output import display_name, experiment_palette, new_figure, save

GRAYS = ("0.3", "0.55", "0.75", "0.88")
DARK = 0.6  # shares above it are written in white


def write_values(axes, values, font_size):
    """Show a matrix in blues from 0 to 1 with its values; NaN is gray, with a dash."""
    axes.set_facecolor("0.85")
    shown = axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (i, j), value in np.ndenumerate(values):
        text = "–" if np.isnan(value) else f"{value:.2f}"
        axes.text(j, i, text, ha="center", va="center", fontsize=font_size, color="white" if value > DARK else "black")
    axes.tick_params(length=0)
    return shown


def label_axes(axes, rows, columns, font_size=8):
    """Names at the rows and, slanted, at the columns."""
    slant = {"rotation": 45, "ha": "right", "rotation_mode": "anchor"}
    axes.set_xticks(range(len(columns)), [display_name(name) for name in columns], fontsize=font_size, **slant)
    axes.set_yticks(range(len(rows)), [display_name(name) for name in rows], fontsize=font_size)


def bars_of(fractions, sources, chosen, first, margin_nm):
    """{name: rows} of volume fractions: each source's own, and each ensemble's near the cells of `first`."""
    of_class = fractions[fractions["measure"] == "volume_fraction"]
    own = of_class[of_class["denominator"] == REFERENCE_CELL]
    near = of_class[(of_class["denominator"] == PREDICTED_CELL) & (of_class["margin_nm"] == margin_nm)]
    near = near[(near["reference"] == first) & (near["predictor"] == near["experiment"].map(chosen))]
    bars = {name: own[own["predictor"] == name] for name in sources}
    return bars | {name: near[near["experiment"] == name] for name in chosen}


def percent(rows, organelle):
    """Volume fraction of an organelle in percent; NaN where there is no row."""
    values = rows.loc[rows["class"] == organelle, "value"].to_numpy()
    return 100 * values[0] if len(values) else np.nan


def circle(palette, name):
    """Style of the mark of one ensemble; the colors repeat after ten, the shapes do not."""
    style = {"marker": "osD^v"[list(palette).index(name) // 10 % 5], "linestyle": ""}
    color = {"markerfacecolor": palette[name], "markeredgecolor": "black"}
    return {**style, **color, "markersize": 5, "markeredgewidth": 0.6}


def draw_bars(axes, bars, sources, best, organelle, palette):
    """Bars of the sources and of the best ensemble, circles of the other ensembles."""
    for x, (name, gray) in enumerate(zip(sources, GRAYS * len(sources))):
        axes.bar(x, percent(bars[name], organelle), width=0.75, color=gray)
    x = len(sources)
    axes.bar(x, percent(bars[best], organelle), width=0.75, color=palette[best])
    others = [name for name in palette if name != best]
    for offset, name in zip(np.linspace(-0.25, 0.25, max(len(others), 2)), others):
        place = x + (offset if len(others) > 1 else 0)
        axes.plot(place, percent(bars[name], organelle), **circle(palette, name))
    names = [display_name(name) for name in (*sources, best)]
    axes.set_xticks(range(len(names)), names, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_ylim(bottom=0)
    axes.set_title(display_name(organelle), fontsize=9.5)


def draw_agreement(region, matrix, people, bars, best, organelles, palette):
    """The first picture: the matrix above, one panel of bars for each organelle below."""
    n_rows, n_columns = matrix.shape
    n_panels = max(len(organelles), 1)
    width = max(0.6 * n_columns + 1.6, 1.75 * n_panels + 0.6)
    heights = [0.42 * n_rows + 1.6, 2.6]
    figure, grid = new_figure(width, sum(heights) + 0.7, 2, n_panels, height_ratios=heights)
    for axes in grid[0]:
        axes.remove()
    matrix_axes = figure.add_subplot(grid[0, 0].get_gridspec()[0, :])
    write_values(matrix_axes, matrix.to_numpy(), 9)
    label_axes(matrix_axes, matrix.index, matrix.columns)
    matrix_axes.axvline(n_rows - 0.5, color="black", linewidth=1)
    agreement = np.mean(list(pair_agreements(matrix, people).values()))
    title = f"{region}: mean IoU, organelles\n{', '.join(map(display_name, people))} with each other: {agreement:.2f}"
    matrix_axes.set_title(title, fontsize=9.5)
    for axes, organelle in zip(grid[1], organelles):
        draw_bars(axes, bars, list(matrix.index), best, organelle, palette)
    grid[1, 0].set_ylabel("% of cell volume")
    handles = [Line2D([], [], label=name, **circle(palette, name)) for name in palette if name != best]
    if handles:
        figure.legend(handles=handles, loc="outside lower center", ncols=max(int(width // 2.4), 2), frameon=False)
    return figure


def draw_confusions(region, pairs, counts, classes, titles):
    """The second picture: one matrix for each pair, organelle rows only."""
    n_columns = min(3, len(pairs))
    n_rows = -(-len(pairs) // n_columns)
    rows = [classes.names[j] for j in classes.organelles]
    size = (0.5 * len(classes) * n_columns + 1.5 * n_columns + 0.9, (0.36 * len(rows) + 1.5) * n_rows + 0.3)
    figure, grid = new_figure(*size, n_rows, n_columns)
    for axes, (first, second) in zip(grid.flat, pairs):
        shown = write_values(axes, row_shares(counts[first, second], classes.organelles), 8)
        label_axes(axes, rows, classes.names)
        axes.set_title(
            f"{titles.get(first, display_name(first))} – {titles.get(second, display_name(second))}", fontsize=9.5
        )
        axes.set_ylabel(display_name(first), fontsize=9)
    for axes in list(grid.flat)[len(pairs) :]:
        axes.remove()
    figure.colorbar(shown, ax=grid, label="share of the row's voxels", shrink=0.8, aspect=25)
    figure.suptitle(region, fontsize=11)
    return figure


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("agreement", "who agrees with whom (csv)")
    arguments.input("confusion", "all confusion tables (csv)")
    arguments.input("fractions", "volume fractions (csv)")
    arguments.input("chosen", "chosen member list of every ensemble (json)", several=True)
    arguments.parameter("region", "name of the region", required=True)
    arguments.parameter("margin_nm", "margin around the first source's cells, for predictions", float, 100.0)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("confusion_output", "picture of the confusion matrices (png)")
    arguments.output("output", "picture of agreement and volume fractions (png)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    entries = [files.read_json(path) for path in args.chosen]
    chosen = {entry["name"]: f"top{entry['k']}" for entry in entries}
    best = best_algorithm({entry["name"]: entry["eval_miou_of_k"][str(entry["k"])] for entry in entries})
    agreement = io.read_table(args.agreement)
    sources = sources_of(agreement[agreement["reference"] != ""], args.region)
    if len(sources) < 2:
        raise ValueError(f"{args.agreement}: expected two label sources or more in {args.region}, found {sources}")
    matrix = agreement_matrix(agreement, args.region, "miou_org", sources, list(chosen))
    fractions = io.read_table(args.fractions)
    bars = bars_of(fractions[fractions["region"] == args.region], sources, chosen, sources[0], args.margin_nm)
    organelles = [classes.names[j] for j in classes.organelles]
    palette = experiment_palette(chosen)
    figure = draw_agreement(args.region, matrix, people_of(sources), bars, best, organelles, palette)
    save(figure, args.output, args.dpi, args.record)

    confusion = io.read_table(args.confusion)
    confusion = confusion[(confusion["region"] == args.region)]
    keep = (confusion["experiment"] == "annotation") | (
        (confusion["experiment"] == best) & (confusion["predictor"] == chosen[best])
    )
    confusion = confusion[keep]
    names, counts = key_columns(confusion), {}
    for key, matrix in pool(confusion, classes.names).items():
        at = dict(zip(names, key))
        counts[at["reference"], label_of(at["experiment"], at["predictor"])] = matrix
    titles = {best: f"{best}, {display_name(chosen[best])}"}
    pairs = matrix_pairs(sources, best)
    figure = draw_confusions(args.region, pairs, counts, classes, titles)
    save(figure, args.confusion_output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
