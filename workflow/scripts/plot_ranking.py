"""Draw how the runs rank on the eval region and what averaging them gains.

Left: the eval mean IoU of every seed, collapsed runs marked. Right: mean IoU over all classes and over the organelles of
the mean of the best k networks against k, on eval and test regions, the k that eval chose ringed.
"""

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from command_line import Arguments, run
from densecell import files, io
from figure_output import MEASURES, experiment_palette, new_figure, save

LINE_OF_ROLE = {"eval": "--", "test": "-"}


def draw_seeds(axes, ranking, palette):
    """Eval mean IoU of every run, experiment by experiment, labelled with its seed."""
    names = list(dict.fromkeys(ranking["experiment"]))
    for x, name in enumerate(names):
        runs = ranking[ranking["experiment"] == name]
        for offset, run_row in zip(np.linspace(-0.28, 0.28, len(runs)) if len(runs) > 1 else [0], runs.itertuples()):
            marker = "X" if run_row.collapsed else "o"
            face = "white" if run_row.collapsed else palette[name]
            style = {"markerfacecolor": face, "markeredgecolor": palette[name], "markersize": 8}
            axes.plot(x + offset, run_row.eval_miou, marker, **style)
            if len(runs) <= 12:
                above = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center", "fontsize": 8}
                axes.annotate(run_row.seed, (x + offset, run_row.eval_miou), **above)
    axes.set_xticks(range(len(names)), names)
    axes.set(
        xlim=(-0.6, len(names) - 0.4), xlabel="experiment (numbers: seeds)", ylabel=f"{MEASURES['miou_all']}, eval"
    )
    axes.set_title("single networks")
    axes.margins(y=0.15)


def draw_gain(axes, metrics, measure, chosen, palette):
    """A measure of the top-k means against k: one color per ensemble, one line style per role."""
    rows = metrics[
        (metrics["measure"] == measure)
        & (metrics["reference"] == "reference")
        & metrics["predictor"].str.fullmatch(r"top\d+")
        & metrics["role"].isin(LINE_OF_ROLE)
    ]
    rows = rows.assign(k=rows["predictor"].str[3:].astype(int))
    for (name, role), of_role in rows.groupby(["experiment", "role"], sort=False):
        values = of_role.groupby("k")["value"].mean()
        axes.plot(values.index, values, LINE_OF_ROLE[role], color=palette[name], marker="o", markersize=4)
        if chosen.get(name) in values.index:
            ring = {"markersize": 12, "markerfacecolor": "none", "markeredgecolor": palette[name], "linestyle": ""}
            axes.plot(chosen[name], values[chosen[name]], "o", markeredgewidth=1.8, **ring)
    axes.set(xlabel="networks averaged, k", ylabel="mean IoU", title=f"ensembles: {MEASURES[measure]}")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    axes.margins(x=0.12, y=0.12)
    axes.grid(alpha=0.3)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("ranking", "ranking of the networks (csv)")
    arguments.input("metrics", "measures of all predictions (csv)")
    arguments.input("chosen", "chosen member list of every ensemble (json)", several=True, required=False)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    ranking, metrics = io.read_table(args.ranking), io.read_table(args.metrics)
    chosen = {entry["name"]: entry["k"] for entry in map(files.read_json, args.chosen)}
    palette = experiment_palette([*ranking["experiment"], *chosen])
    figure, ((seeds, miou_all, miou_org),) = new_figure(12, 4.2, 1, 3)
    draw_seeds(seeds, ranking, palette)
    draw_gain(miou_all, metrics, "miou_all", chosen, palette)
    draw_gain(miou_org, metrics, "miou_org", chosen, palette)
    handles = [Line2D([], [], color=color, marker="o", label=name) for name, color in palette.items()]
    handles += [
        Line2D([], [], color="0.3", linestyle=line, label=f"{role} region") for role, line in LINE_OF_ROLE.items()
    ]
    ring = {"color": "0.3", "linestyle": "", "markerfacecolor": "none", "markersize": 11}
    handles.append(Line2D([], [], marker="o", label="k chosen on eval", **ring))
    if ranking["collapsed"].any():
        handles.append(Line2D([], [], marker="X", label="collapsed run", **{**ring, "markersize": 8}))
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 7), frameon=False)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
