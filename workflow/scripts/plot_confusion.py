"""Draw confusion matrices of the test and compare regions: rows are the reference, each adding up to 1.

One panel for each region and ensemble (at the k chosen on eval), and one for each pair of annotators where several
labelled a region. The voxel counts are in the table this is drawn from.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import files, io
from densecell.classes import Classes
from densecell.metrics import key_columns, pool
from figure_output import display_name, new_figure, save

ROLES = ("test", "compare")
PANEL_INCHES = 3.6


def select_comparisons(confusion, chosen):
    """The rows to draw: regions of ROLES; ensembles against the reference; each pair of annotators once.

    chosen: {ensemble: "top<k>"} at the chosen k.
    """
    ensemble = (confusion["reference"] == "reference") & (confusion["predictor"] == confusion["experiment"].map(chosen))
    annotators = (confusion["experiment"] == "annotation") & (confusion["reference"] > confusion["predictor"])
    # "reference" sorts after "annotator_..", so an annotator is compared with it and not the other way round
    return confusion[confusion["role"].isin(ROLES) & (ensemble | annotators)]


def arrange(selected, class_names):
    """Rows of panels: [[(keys as a dict, counts (n, n))]]; test before compare, networks before annotators."""
    rows = {}
    if len(selected):
        names = key_columns(selected)
        for key, counts in pool(selected, class_names).items():
            at = dict(zip(names, key))
            row = (ROLES.index(at["role"]), at["volume"], at["region"], at["experiment"] == "annotation")
            rows.setdefault(row, []).append((at, counts))
    return [rows[row] for row in sorted(rows)]


def draw_matrix(axes, counts, names):
    """A confusion matrix (n, n) with each row divided by its sum; a class without reference voxels is left gray."""
    axes.axis("on")
    totals = counts.sum(axis=1, keepdims=True)
    share = np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)
    axes.set_facecolor("0.85")
    shown = axes.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for (i, j), value in np.ndenumerate(share):
        text = "–" if np.isnan(value) else f"{value:.2f}"
        color = "white" if value > 0.6 else ("0.6" if value < 0.005 else "black")
        axes.text(j, i, text, ha="center", va="center", color=color, fontsize=7.5)
    labels = [display_name(name) for name in names]
    axes.set_xticks(range(len(names)), labels, rotation=45, ha="right", rotation_mode="anchor", fontsize=8)
    axes.set_yticks(range(len(names)), labels, fontsize=8)
    axes.tick_params(length=0)
    return shown


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("confusion", "all confusion tables (csv)")
    arguments.input("chosen", "chosen member list of every ensemble (json)", several=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    chosen = {entry["name"]: f"top{entry['k']}" for entry in map(files.read_json, args.chosen)}
    rows = arrange(select_comparisons(io.read_table(args.confusion), chosen), classes.names)
    n_columns = max((len(row) for row in rows), default=1)
    n_rows = max(len(rows), 1)
    figure, grid = new_figure(PANEL_INCHES * n_columns + 1.2, PANEL_INCHES * n_rows, n_rows, n_columns)
    for axes in grid.flat:
        axes.axis("off")
    for row, panels in zip(grid, rows):
        for axes, (at, counts) in zip(row, panels):
            by_person, predictor = at["experiment"] == "annotation", display_name(at["predictor"])
            shown = draw_matrix(axes, counts, classes.names)
            title = (
                f"{predictor} against {display_name(at['reference'])}"
                if by_person
                else f"{at['experiment']}, {predictor}"
            )
            axes.set_title(f"{at['region']}: {title}", fontsize=9.5)
            axes.set_ylabel(display_name(at["reference"]))
            axes.set_xlabel(predictor if by_person else "predicted")
    if rows:
        figure.colorbar(shown, ax=grid, label="share of the row's voxels", shrink=0.5 / n_rows + 0.3, aspect=25)
    else:
        grid[0, 0].text(0.5, 0.5, "no test or compare region", ha="center", va="center")
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
