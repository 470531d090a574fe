"""Draw how many objects each container holds, such as nucleoli of a nucleus, and how much of it they fill.

One column per volume, one dot per container, also of those that hold none; the bar beside them is the mean with one standard deviation
(n - 1). Containers that the volume's border cuts are hollow and no mean counts them. The third panel: how many containers hold 0, 1, 2, ... objects.
An object lies in the container that has more than half of its voxels (Machireddy et al. 2023).
"""

import numpy as np
from matplotlib.ticker import MaxNLocator

from command_line import Arguments, run
from densecell import io
from figure_output import display_name, new_figure, save
from object_output import EDGE, dot_legend, draw_columns

MOST = 10  # containers with more objects share the last place of the histogram


def contained(parents, objects, name, container):
    """A row per container: volume, n_objects, percent (of its volume that they fill), whole. name, container: of the two records."""
    of = {key: objects[objects["objects"] == key] for key in (name, container)}
    held = of[container][of[container]["orphan"] == 0][["volume", "instance", "volume_um3", "touches_border"]]
    inner = parents[(parents["objects"] == name) & (parents["parent"] != 0)][["volume", "instance", "parent"]]
    inner = inner.merge(of[name][["volume", "instance", "volume_um3"]], on=["volume", "instance"])
    inner = inner.groupby(["volume", "parent"])["volume_um3"].agg(n_objects="size", inner_um3="sum").reset_index()
    held = held.merge(inner, how="left", left_on=["volume", "instance"], right_on=["volume", "parent"])
    held[["n_objects", "inner_um3"]] = held[["n_objects", "inner_um3"]].fillna(0)
    percent = 100 * held["inner_um3"] / held["volume_um3"]
    return held.assign(percent=percent, whole=held["touches_border"].to_numpy() == 0)


def draw_histogram(axes, table, volumes, color, title):
    """How many containers hold so many objects: bars of the volumes side by side, lighter from one to the next, cut ones hollow on top."""
    edges = np.arange(0, min(table["n_objects"].max() if len(table) else 0, MOST) + 1)
    wide = 0.8 / len(volumes)
    for i, volume in enumerate(volumes):
        of_volume = table[table["volume"] == volume]
        places = edges + (i - (len(volumes) - 1) / 2) * wide
        numbers = of_volume["n_objects"].clip(upper=MOST)
        whole, cut = ([(numbers[kept] == n).sum() for n in edges] for kept in (of_volume["whole"], ~of_volume["whole"]))
        style = {"color": color, "alpha": 1 - 0.7 * i / len(volumes), "label": display_name(volume)}
        axes.bar(places, whole, wide, edgecolor=EDGE, **style)
        axes.bar(places, cut, wide, bottom=whole, color="none", edgecolor=EDGE)
    axes.set_xticks(edges, [f"{n:g}" if n < MOST else f"{MOST} or more" for n in edges])
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(0, max(axes.get_ylim()[1], 1))
    axes.set(xlabel=title[0], ylabel=f"number of {title[1]}")
    if len(volumes) > 1:
        axes.set_ylim(top=1.25 * axes.get_ylim()[1])
        axes.legend(frameon=False, fontsize=8, ncols=2, loc="upper center")
    axes.spines[["top", "right"]].set_visible(False)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("parents", "containers of all objects (csv)")
    arguments.input("objects", "tables of all objects (csv)")
    arguments.parameter("name", "name of the objects", required=True)
    arguments.parameter("container", "name of the objects that they lie in", required=True)
    arguments.parameter("color", "color of the objects' class, #rrggbb", required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    parents, objects = io.read_table(args.parents), io.read_table(args.objects)
    parents = parents[parents["objects"] == args.name]
    table = contained(parents, objects, args.name, args.container)
    volumes = list(dict.fromkeys(parents["volume"])) or list(dict.fromkeys(table["volume"])) or [""]
    inner, outer = display_name(args.name), display_name(args.container)
    figure, panels = new_figure(max(8.4, 3 * (0.9 + 0.75 * len(volumes))), 3.6, 1, 3)
    for axes, name, title in zip(panels[0], ("n_objects", "percent"), (f"{inner} in each", f"volume of {inner} (%)")):
        parts = {volume: table[table["volume"] == volume] for volume in volumes}
        columns = {v: (part[name].to_numpy(float), part["whole"].to_numpy(bool)) for v, part in parts.items()}
        draw_columns(axes, columns, args.color)
        axes.set_ylabel(title)
        axes.set_ylim(bottom=-0.04 * axes.get_ylim()[1])
    panels[0, 0].yaxis.set_major_locator(MaxNLocator(integer=True))
    draw_histogram(panels[0, 2], table, volumes, args.color, (inner, outer))
    lost = parents.groupby("volume")["parent"].apply(lambda parent: (parent == 0).sum())
    left_out = ", ".join(f"{n} in {display_name(volume)}" for volume, n in lost.items() if n)
    note = f"; {inner} that lie in none: {left_out}" if left_out else ""
    figure.suptitle(f"{inner} in {outer}{note}", fontsize=10)
    dot_legend(figure, args.color, f"one of the {outer}")
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
