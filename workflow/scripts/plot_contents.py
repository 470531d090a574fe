"""Draw what each container of a volume holds, such as organelles of cells: shares, numbers of objects, volumes.

One column a class, bars are containers, the largest first: above its share of the container's volume (percent) with the SD over the
networks of the ensemble, below the number of its objects; pale bars are cut by the border of the volume. The dotted line is the
share in all whole containers together. At the bottom the volumes (um3) of all classes in each container.
"""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from command_line import Arguments, json_argument, run
from densecell import io
from densecell.classes import Classes
from densecell.contents_words import contained_classes, pooled_fraction, rows_of
from figure_output import display_name, new_figure, save

LARGEST = 30  # containers that are shown
PANEL_INCHES = 2.3


def bars(axes, rows, heights, color, **options):
    """Bars of containers, pale where the volume cuts them."""
    drawn = axes.bar(range(len(rows)), heights, width=0.75, color=color, edgecolor=color, **options)
    for bar, cut in zip(drawn, rows["touches_border"]):
        bar.set_alpha(0.35 if cut else 1)
    axes.set_xlim(-0.8, max(len(rows), 4) - 0.2)
    step = -(-len(rows) // 8) or 1
    axes.set_xticks(range(0, len(rows), step), [str(i) for i in rows.index[::step]], fontsize=7)


def draw_class(shares, numbers, contents, name, source, color):
    """The share and the number of objects of one class in each container; `numbers` may be None."""
    rows = rows_of(contents, name, source).head(LARGEST)
    bars(shares, rows, 100 * rows["fraction"], color)
    error = 100 * rows["fraction_sd"].fillna(0)
    if error.any():
        low = np.minimum(error, 100 * rows["fraction"])
        shares.errorbar(
            range(len(rows)), 100 * rows["fraction"], [low, error], fmt="none", ecolor="black", elinewidth=1, capsize=2
        )
    shares.axhline(100 * pooled_fraction(contents, name, source), color="0.35", linewidth=0.8, linestyle=":")
    bias = rows["bias"].iloc[0] if len(rows) else np.nan
    shares.set_title(display_name(name) + ("" if np.isnan(bias) else f"\nbias {100 * bias:+.0f} %"), fontsize=9)
    if numbers is None:
        return
    if rows["n_objects"].isna().all():
        numbers.set_axis_off()
        return
    bars(numbers, rows, rows["n_objects"], color)
    if rows["n_confirmed"].notna().any():
        numbers.plot(range(len(rows)), rows["n_confirmed"], "o", color="white", markeredgecolor="black", markersize=4)
    numbers.yaxis.set_major_locator(MaxNLocator(4, integer=True))


def draw_volumes(axes, contents, told, colors):
    """Stacked volumes of all classes in each container."""
    bottom = 0
    for name, source in told:
        rows = rows_of(contents, name, source).head(LARGEST)
        if isinstance(bottom, int):
            bottom, order = np.zeros(len(rows)), rows.index
        rows = rows.reindex(order)
        bars(axes, rows, rows["volume_um3"], colors[name], bottom=bottom)
        bottom += rows["volume_um3"].fillna(0).to_numpy()
    axes.set_ylabel("µm³")


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("contents", "contents of all containers (csv)")
    arguments.parameter("keys", "JSON record of volume, objects, class of the containers", json_argument, required=True)
    arguments.parameter("colors", "JSON record: color of each class", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name, group and inside", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    classes, table = Classes.from_records(args.classes), io.read_table(args.contents)
    contents = table[(table["volume"] == args.keys["volume"]) & (table["objects"] == args.keys["objects"])]
    told = contained_classes(contents, classes, args.keys["class"])
    is_counted = contents["n_objects"].notna().any()
    n_rows, n_columns = 2 + is_counted, max(len(told), 3)
    figure, grid = new_figure(PANEL_INCHES * n_columns + 0.5, 1.9 * n_rows + 1.2, n_rows, n_columns)
    for axes in grid.flat[len(told) : n_columns]:
        axes.set_axis_off()
    for column, (name, source) in enumerate(told):
        numbers = grid[1, column] if is_counted else None
        draw_class(grid[0, column], numbers, contents, name, source, args.colors[name])
    drawn = [axes for axes in grid.flat if axes.containers]
    places = grid[-1, 0].get_gridspec()
    for axes in (*grid[-1], *(grid[1, len(told) :] if is_counted else ())):
        axes.remove()
    volumes = figure.add_subplot(places[-1, :])
    draw_volumes(volumes, contents, told, args.colors)
    for axes in (*drawn, volumes):
        axes.set_ylim(bottom=0)
    what = display_name(args.keys["class"])
    n_all = contents.loc[(contents["instance"] > 0) & (contents["orphan"] == 0), "instance"].nunique()
    volumes.set_xlabel(
        f"number of the {what}, the largest first" + (f" ({LARGEST} of {n_all})" if n_all > LARGEST else "")
    )
    grid[0, 0].set_ylabel(f"% of {what}")
    if is_counted:
        grid[1, 0].set_ylabel("objects")
    figure.suptitle(f"{args.keys['volume']}, {display_name(args.keys['objects'])}: {n_all}", fontsize=10)
    handles = [
        Patch(color="0.5", label=f"whole {what}"),
        Patch(color="0.5", alpha=0.35, label="cut by the border of the volume"),
    ]
    if contents["fraction_sd"].notna().any():
        handles.append(Line2D([], [], color="black", label=f"SD over {contents['n_members'].max()} networks"))
    if contents["n_confirmed"].notna().any():
        dot = {"color": "white", "markeredgecolor": "black", "markersize": 4}
        handles.append(Line2D([], [], marker="o", linestyle="", label="confirmed by most networks", **dot))
    handles.append(Line2D([], [], color="0.35", linewidth=0.8, linestyle=":", label="all whole ones together"))
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False, fontsize=8)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
