"""Draw the Dice of held-out slices against their distance to the nearest training slice, one column per class.

Experiments of a class below each other; a color per number of training slices. Small circles: the slices of a draw at this distance, pooled over their
voxels; lines: means over draws. Neighboring slices are alike, so scores near a training slice flatter the network.
"""

from matplotlib import colormaps
from matplotlib.lines import Line2D

from command_line import Arguments, run
from densecell import io
from densecell.draw_summary import headline
from figure_output import new_figure, save
from held_out_output import class_name, set_scores, tidy

COLORS = colormaps["viridis"]


def number_colors(numbers):
    """{number of slices: color}, from dark (few) to light (many)."""
    numbers = sorted(set(numbers))
    return {n: COLORS(0.85 * i / max(len(numbers) - 1, 1)) for i, n in enumerate(numbers)}


def draw_panel(axes, rows, colors):
    """One class of one experiment: circles of its draws, lines of their means."""
    for n, color in colors.items():
        mine = rows[rows["n_slices"] == n]
        axes.plot(mine["distance"], mine["value"], "o", color=color, alpha=0.4, markersize=3, markeredgewidth=0)
        mean = mine.groupby("distance")["value"].mean()
        axes.plot(mean.index, mean, "-", marker="_", color=color, markersize=8, linewidth=1.5)


def columns(table):
    """{class: experiments that have it}, in order of appearance."""
    found = {}
    for name, subject in table[["series", "class"]].drop_duplicates().itertuples(index=False):
        found.setdefault(subject, []).append(name)
    return found


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("scores", "scores of every draw by distance (csv)")
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    table = headline(io.read_table(args.scores))
    table = table[table["distance"].notna()]
    colors, panels_of = number_colors(table["n_slices"]), columns(table)
    n_rows = max(map(len, panels_of.values()))
    size = (1.2 + 2.9 * len(panels_of), 0.9 + 2.3 * n_rows, n_rows, len(panels_of))
    figure, panels = new_figure(*size, sharex=True, sharey="col")
    for column, (subject, names) in zip(panels.T, panels_of.items()):
        for axes, name in zip(column, names):
            rows = table[(table["series"] == name) & (table["class"] == subject)]
            draw_panel(axes, rows, colors)
            axes.set_title(class_name(subject) + (f" ({class_name(name)})" if table["series"].nunique() > 1 else ""))
        for axes in column[len(names) :]:
            axes.axis("off")
        column[len(names) - 1].set_xlabel("slices to the nearest training slice")
        column[len(names) - 1].tick_params(labelbottom=True)
        column[0].xaxis.get_major_locator().set_params(integer=True)
    for axes in panels[:, 0]:
        axes.set_ylabel("Dice")
    set_scores([(column[0], table.loc[table["class"] == name, "value"]) for column, name in zip(panels.T, panels_of)])
    tidy(panels)
    handles = [Line2D([], [], color=c, label=f"{n:g} slices trained on") for n, c in colors.items()]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(4, len(handles)), frameon=False)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
