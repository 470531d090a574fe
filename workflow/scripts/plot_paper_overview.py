"""Slices, renderings, scores and volume fractions on one page: Figure 3 of Guay et al. 2021.

--panels: rows of panel records (paper_output.Slices). Below them k, mean IoU of the organelles (0 to 1) on eval and test
for each row of Table S1, with published values as black lines where the table has some, and m, the volume fraction of
each organelle (percent of the cell) for the label sources in --people and for the main ensemble.
"""

import itertools

import numpy as np
import seaborn as sns
from matplotlib.lines import Line2D

from command_line import Arguments, json_argument, run
from densecell import files, io, paper
from figure_output import display_name, save
from paper_output import FONT_POINTS, Look, Panel, Slices, class_handles, draw_page, record_with

ROLES = {"eval": "0.7", "test": "0.25"}  # role -> gray of its bars
BAR = 0.38
CHART_ASPECT = 1.45


def algorithm_name(row):
    """A row of Table S1 as people read it."""
    size = f"top {row['k']}" if row["kind"] == "ensemble" else "single"
    return f"{display_name(row['experiment'])}, {size}"


def draw_scores(axes, table):
    """Horizontal bars of MIoU(org) of every algorithm, eval and test; a line marks the published value."""
    rows = table[table["measure"] == "miou_org"]
    order = list(dict.fromkeys(zip(rows["part"], rows["experiment"], rows["kind"], rows["k"])))
    places = {key: i for i, key in enumerate(order)}
    for shift, (role, gray) in zip((-BAR / 2, BAR / 2), ROLES.items()):
        own = rows[rows["role"] == role]
        y = np.array([places[key] for key in zip(own["part"], own["experiment"], own["kind"], own["k"])], float) + shift
        axes.barh(y, own["value"], height=BAR, color=gray, label=role)
        for at, value in zip(y, own["published"]):
            axes.plot([value, value], [at - BAR / 2, at + BAR / 2], color="black", linewidth=1.3)
    names = [algorithm_name({"experiment": e, "kind": kind, "k": k}) for _, e, kind, k in order]
    axes.set_yticks(range(len(order)), names)
    for i, (before, after) in enumerate(itertools.pairwise(order)):
        if before[0] != after[0]:
            axes.axhline(i + 0.5, color="0.8", linewidth=0.6)
    axes.set(xlabel="MIoU(org)", xlim=(0, None), ylim=(len(order) - 0.4, -0.6))
    handles, _ = axes.get_legend_handles_labels()
    if rows["published"].notna().any():
        handles.append(Line2D([], [], color="black", linewidth=1.3, label="published"))
    axes.legend(handles=handles, loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False, borderaxespad=0)


def draw_fractions(axes, fractions, organelles):
    """Grouped bars: one group per organelle, one bar for each of `fractions` {name: (n_organelles,), 0 to 1}."""
    colors = sns.color_palette("colorblind", len(fractions))
    width, x = 0.8 / max(len(fractions), 1), np.arange(len(organelles))
    for i, (name, values) in enumerate(fractions.items()):
        at = x - 0.4 + (i + 0.5) * width
        axes.bar(at, 100 * values, width=width, color=colors[i], label=display_name(name))
    axes.set_xticks(x, [display_name(name).replace(" ", "\n") for name in organelles])
    axes.set(ylabel="% of the cell volume")
    axes.legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=4, frameon=False, borderaxespad=0)


def charts(args, look):
    """The panels k and m; m only where there are people to compare with."""
    table = io.read_table(args.table_s1)
    names = [algorithm_name(row) for _, row in table.iterrows()] or [""]
    left = 3 + 0.62 * 0.353 * FONT_POINTS * max(map(len, names))
    panels = [Panel("k", "", CHART_ASPECT, lambda axes: draw_scores(axes, table), (left, 8))]
    if args.people:
        organelles = [look.classes.names[i] for i in look.classes.organelles]
        chosen = files.read_json(args.chosen)
        found = paper.volume_fractions(
            io.read_table(args.fractions),
            args.compare_region,
            args.people,
            chosen["name"],
            f"top{chosen['k']}",
            args.margin_nm,
            organelles,
        )
        panels.append(Panel("m", "", CHART_ASPECT, lambda axes: draw_fractions(axes, found, organelles), (9, 8)))
    return panels


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("table_s1", "Table S1 (csv)")
    arguments.input("fractions", "volume fractions (csv)")
    arguments.input("chosen", "chosen member list of the main ensemble (json)")
    arguments.parameter("panels", "JSON list of rows of panel records", json_argument, required=True)
    arguments.parameter("people", "JSON list of label sources of the compared region", json_argument, default=[])
    arguments.parameter("compare_region", "name of the region they labelled", str, "")
    arguments.parameter("margin_nm", "margin around the first one's cell in nm", float, 100.0)
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    look = Look.from_arguments(args)
    slices = Slices(look)
    rows = [[slices.panel(record) for record in row] for row in args.panels]
    rows.append(charts(args, look))
    figure = draw_page(rows, legend=class_handles(look, slices.unlabelled))
    save(figure, args.output, args.dpi, record_with(args, slices.parents))


if __name__ == "__main__":
    run(main)
