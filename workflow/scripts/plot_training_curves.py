"""Draw training loss and eval mean IoU of all runs against optimizer steps, one color per experiment, one line per seed."""

import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.ticker import LogLocator, NullFormatter

from command_line import Arguments, run
from densecell import io
from figure_output import MEASURES, experiment_palette, new_figure, save


def draw(axes, history, measure, palette):
    """One line per run of a measure against steps; a dot at the highest value of eval_miou."""
    rows = history[(history["measure"] == measure) & (history["class"] == "all")]
    for (experiment, _), run_rows in rows.groupby(["experiment", "seed"], sort=False):
        run_rows = run_rows.sort_values("step")
        style = {"color": palette[experiment], "linewidth": 1.2, "alpha": 0.85}
        marker = {"marker": "."} if len(run_rows) == 1 else {}
        axes.plot(run_rows["step"], run_rows["value"], **style, **marker)
        if measure == "eval_miou" and run_rows["value"].notna().any():
            best = run_rows.loc[run_rows["value"].idxmax()]
            axes.plot(
                best["step"], best["value"], "o", color=palette[experiment], markersize=5, markeredgecolor="black"
            )
    axes.set_xlabel("optimizer steps")
    axes.set_xlim(left=0)
    axes.grid(alpha=0.3)


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("histories", "history.csv of every run", several=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    history = pd.concat([io.read_table(path) for path in args.histories], ignore_index=True)
    palette = experiment_palette(history["experiment"])
    figure, ((loss, miou),) = new_figure(9.5, 4, 1, 2)
    draw(loss, history, "training_loss", palette)
    loss.set(yscale="log", ylabel="training loss (log scale)")
    loss.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    loss.yaxis.set_major_formatter("{x:g}")
    loss.yaxis.set_minor_formatter(NullFormatter())
    draw(miou, history, "eval_miou", palette)
    miou.set(ylabel=f"{MEASURES['miou_all']}, eval region", ylim=(0, 1))
    n_runs = history[["experiment", "seed"]].drop_duplicates()["experiment"].value_counts()
    handles = [
        Line2D([], [], color=color, label=f"{name} ({n_runs[name]} seeds)" if n_runs[name] > 1 else f"{name} (1 seed)")
        for name, color in palette.items()
    ]
    handles.append(
        Line2D([], [], color="0.6", marker="o", markeredgecolor="black", linestyle="", label="kept checkpoint")
    )
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 5), frameon=False)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
