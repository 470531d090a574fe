"""Draw held-out scores of experiments that differ in one thing, such as the network or the context, side by side.

--values gives that thing for each experiment: a word, or a number (then the axis is in its order). One column per class; Dice,
precision and recall (0 to 1) below each other, pooled over the voxels of the held-out slices: each draw as a small circle, the mean over draws with
one standard deviation (n - 1); one color per number of training slices.
"""

from matplotlib.lines import Line2D

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.draw_summary import headline
from figure_output import experiment_palette, new_figure, save
from held_out_output import MEASURES, class_name, dodges, draw_spread, set_scores, spread_handles, tidy

WIDTH = 4  # of the axis by which experiments are drawn side by side, places


def places(values):
    """{value: place on the axis}: numbers in order, words as they come."""
    found = list(dict.fromkeys(values))
    numeric = all(isinstance(value, (int, float)) for value in found)
    return {value: i for i, value in enumerate(sorted(found) if numeric else found)}


def draw_panel(axes, rows, at, palette):
    """One class and measure: rows with `value_of`, what the experiments differ in."""
    offsets = dodges(palette, WIDTH)
    for n, color in palette.items():
        mine = rows[rows["n_slices"] == n]
        for value, draws in mine.groupby("value_of", sort=False)["value"]:
            draw_spread(axes, at[value] + offsets[n], draws, color, WIDTH)
        if not any(isinstance(value, str) for value in at):
            mean = mine.groupby("value_of")["value"].mean()
            axes.plot([at[v] + offsets[n] for v in mean.index], mean, "-", color=color, alpha=0.5, linewidth=1)
    axes.set_xlim(-0.5, len(at) - 0.5)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("metrics", "scores of every draw (csv)")
    arguments.parameter("values", "JSON record of experiment: word or number", json_argument, required=True)
    arguments.parameter("title", "what the axis shows", str, "")
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    table = headline(io.read_table(args.metrics), MEASURES)
    table = table[table["experiment"].isin(args.values)]
    if table.empty:
        raise ValueError(
            f"{args.metrics}: expected one of the experiments {', '.join(args.values)}, found none of them"
        )
    table = table.assign(value_of=table["experiment"].map(args.values))
    at, subjects = (
        places(args.values[e] for e in dict.fromkeys(table["experiment"])),
        list(dict.fromkeys(table["class"])),
    )
    palette = experiment_palette(sorted(table["n_slices"].unique()))
    width = max(2.4, 0.8 + 0.55 * len(at))
    figure, panels = new_figure(1 + width * len(subjects), 6.8, len(MEASURES), len(subjects), sharex=True, sharey="col")
    for row, (measure, title) in zip(panels, MEASURES.items()):
        for axes, subject in zip(row, subjects):
            mine = table[(table["class"] == subject) & (table["measure"] == measure)]
            draw_panel(axes, mine, at, palette)
        row[0].set_ylabel(title)
    slanted = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if any(isinstance(v, str) for v in at) else {}
    for axes, subject in zip(panels[0], subjects):
        axes.set_title(class_name(subject))
    for axes in panels[-1]:
        axes.set_xticks(list(at.values()), [class_name(v) if isinstance(v, str) else f"{v:g}" for v in at], **slanted)
        axes.set_xlabel(args.title)
    set_scores([(axes, table.loc[table["class"] == name, "value"]) for axes, name in zip(panels[0], subjects)])
    tidy(panels)
    handles, labels = spread_handles(panels[0, 0])
    handles = [*(Line2D([], [], color=color) for color in palette.values()), *handles]
    labels = [*(f"{n:g} slices trained on" for n in palette), *labels]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(2, len(handles)), frameon=False)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
