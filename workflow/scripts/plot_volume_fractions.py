"""Draw the volume fraction of each organelle: reference, annotators, every network, and the chosen ensembles.

One row per region (and whole volume), one column per organelle, each with its own scale (percent of the cell volume).
Bars are references and ensembles at the chosen k and margin; dots are single networks; thin lines span the margins
around the reference cell (nm) within which predictions were counted.
"""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.classes import Classes
from densecell.volume_fractions import LABELLED_TISSUE, PREDICTED_CELL, REFERENCE_CELL
from figure_output import display_name, experiment_palette, new_figure, save

GRAYS = ("0.35", "0.6", "0.75", "0.85")
PANEL_INCHES = 2.1


def bars_of_region(table, chosen):
    """What to draw for one region: a list of (name, experiment or None, rows of the bar, rows of its dots)."""
    bars = []
    for name, rows in table[table["denominator"] == REFERENCE_CELL].groupby("predictor", sort=False):
        bars.append((name, None, rows, rows.iloc[:0]))
    bars.sort(key=lambda bar: bar[0] != "reference")
    predicted = table[(table["denominator"] == LABELLED_TISSUE) | (table["reference"] == "reference")]
    for name, k in chosen.items():
        rows = predicted[predicted["experiment"] == name]
        rows = rows[rows["denominator"].isin((PREDICTED_CELL, LABELLED_TISSUE))]
        if len(rows):
            seeds = rows[rows["predictor"].str.startswith("seed")]
            bars.append((name, name, rows[rows["predictor"].isin((f"top{k}", "chosen"))], seeds))
    return bars


def draw_organelle(axes, bars, organelle, margin_nm, palette):
    """Bars, dots and margin ranges of one organelle in one region, in percent."""

    def percent(rows):
        at = (rows["class"] == organelle) & (rows["measure"] == "volume_fraction")
        return rows[at], 100 * rows.loc[at, "value"].to_numpy()

    grays = iter(GRAYS * len(bars))
    for x, (_, experiment, rows, seeds) in enumerate(bars):
        color = palette[experiment] if experiment else next(grays)
        at_margin = rows["margin_nm"].isna() | (rows["margin_nm"] == margin_nm)
        _, height = percent(rows[at_margin])
        axes.bar(x, height[0] if len(height) else np.nan, width=0.7, color=color, alpha=0.75 if experiment else 1)
        _, dots = percent(seeds[seeds["margin_nm"].isna() | (seeds["margin_nm"] == margin_nm)])
        spread = np.linspace(-0.2, 0.2, len(dots)) if len(dots) > 1 else np.zeros(len(dots))
        axes.plot(x + spread, dots, "o", color=color, markersize=4.5, markeredgecolor="black", markeredgewidth=0.7)
        _, of_margins = percent(rows)
        if experiment and len(of_margins) > 1:
            axes.plot([x + 0.3] * 2, [of_margins.min(), of_margins.max()], color="black", linewidth=1)
    own = [percent(rows)[1] for name, experiment, rows, _ in bars if experiment is None and name == "reference"]
    if own and len(own[0]):
        axes.axhline(own[0][0], color="0.35", linewidth=0.8, linestyle=":")
    axes.set_ylim(bottom=0)
    axes.margins(y=0.1)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("fractions", "volume fractions (csv)")
    arguments.input("chosen", "chosen member list of every ensemble (json)", several=True)
    arguments.parameter("margin_nm", "margin of the bars and dots in nm", float, 100.0)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    table = io.read_table(args.fractions)
    margins_nm = sorted(set(table["margin_nm"].dropna()))
    if margins_nm and args.margin_nm not in margins_nm:
        raise ValueError(f"analysis.volume_fractions.margin_nm: expected one of {margins_nm}, found {args.margin_nm:g}")
    classes = Classes.from_records(args.classes)
    organelles = [classes.names[i] for i in classes.organelles]
    chosen = {entry["name"]: entry["k"] for entry in map(files.read_json, args.chosen)}
    palette = experiment_palette(chosen)
    places = [(place, rows) for place, rows in table.groupby(["volume", "region"], sort=False)]
    size = (PANEL_INCHES * max(len(organelles), 2) + 0.5, 2.3 * len(places) + 1.2)
    figure, grid = new_figure(*size, len(places), max(len(organelles), 1))
    for row, ((volume, region), rows) in zip(grid, places):
        bars = bars_of_region(rows, chosen)
        for axes, organelle in zip(row, organelles):
            draw_organelle(axes, bars, organelle, args.margin_nm, palette)
            names = [display_name(name) for name, *_ in bars]
            axes.set_xticks(range(len(names)), names, rotation=40, ha="right", rotation_mode="anchor", fontsize=8)
            axes.set_xlim(-0.6, max(len(names), 3) - 0.4)
        row[0].set_ylabel(f"{region or volume + ', whole volume'}\n% of cell volume")
    for axes, organelle in zip(grid[0], organelles):
        axes.set_title(display_name(organelle))
    handles = [Patch(color=GRAYS[0], label="reference, annotators")]
    handles += [Patch(color=color, label=f"{name}, chosen k") for name, color in palette.items()]
    dot = {"markerfacecolor": "0.8", "markeredgecolor": "black", "markersize": 5}
    handles.append(Line2D([], [], marker="o", linestyle="", label="single networks", **dot))
    if len(margins_nm) > 1:
        low, high = margins_nm[0], margins_nm[-1]
        handles.append(Line2D([], [], color="black", linewidth=1, label=f"margin {low:g} to {high:g} nm"))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), frameon=False)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
