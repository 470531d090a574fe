"""Draw what the checks saw of each raw stack: brightness, shifts and likeness along z, gray values against the training's, and
the slices that stand out between their neighbors.

The figures are written in the order of --volumes. Gray values are drawn as the configured normalization hands them to the network;
each is made of the 1st to 99th percentiles.
"""

import numpy as np

from command_line import Arguments, run
from densecell import files, io, rendering
from densecell.region_checks import quantiles
from figure_output import new_figure, save

OWN, TRAINED, ODD = "#0173b2", "0.45", "crimson"
UNITS = {
    "zscore": "gray value (standard deviations)",
    "percentile": "gray value (1 % to 99 %)",
    "unit": "gray value",
    "none": "gray value",
}


def draw_brightness(axes, slices, odd):
    """Mean and standard deviation of each slice, slices that stand out marked."""
    z, mean, std = (slices[c].to_numpy(float) for c in ("z", "mean", "std"))
    axes.fill_between(z, mean - std, mean + std, color=OWN, alpha=0.15, linewidth=0)
    axes.plot(z, mean, color=OWN, linewidth=1, marker="o" if len(z) < 100 else None, markersize=2.5)
    mark(axes, odd)
    axes.set(ylabel="gray value", title="mean and standard deviation")


def draw_neighbors(axes, slices, odd):
    """Distance to the content of the slice before (px) and likeness of the two, slices that stand out marked."""
    z = slices["z"].to_numpy(float)
    distance = np.hypot(slices["dy_px"].to_numpy(float), slices["dx_px"].to_numpy(float))
    axes.plot(z, distance, color=OWN, linewidth=1, marker="o" if len(z) < 100 else None, markersize=2.5)
    axes.set(xlabel="slice", ylabel="displacement (px)", title="compared with the slice before")
    axes.yaxis.label.set_color(OWN)
    right = axes.twinx()
    right.plot(z, slices["likeness"].to_numpy(float), color="#de8f05", linewidth=1)
    right.set_ylim(min(0, np.nanmin(slices["likeness"], initial=0)), 1.02)
    right.set_ylabel("correlation", color="#de8f05")
    mark(axes, odd)


def mark(axes, odd):
    """A vertical band at each slice that stands out."""
    for z in odd:
        axes.axvspan(z - 0.5, z + 0.5, color=ODD, alpha=0.2, linewidth=0)


def draw_gray_values(axes, overview, trained, method):
    """The distribution of the gray values after normalization, and those of the volumes that are trained on."""
    shown = [(name, quantiles(o, method), TRAINED) for name, o in trained.items()]
    shown.append(("this volume", quantiles(overview, method), OWN))
    low, high = min(q[0] for _, q, _ in shown), max(q[-1] for _, q, _ in shown)
    edges = np.linspace(low, max(high, low + 1e-9), 31)
    for name, q, color in shown:
        # between two percentiles lies 1 % of the pixels, spread evenly
        cumulative = np.interp(edges, q, np.arange(1, 100), left=0, right=100)
        style = {"color": color, "linewidth": 1.2, "alpha": 0.3 if color == OWN else 1, "fill": color == OWN}
        axes.stairs(np.diff(cumulative), edges, label=name, **style)
    axes.set(xlabel=UNITS[method], ylabel="% of the pixels", title="gray values")
    axes.legend(frameon=False, fontsize=7)


def draw_pictures(figure, grid, pictures, rows, odd):
    """Rows of thumbnails with a scale bar; titles of slices that stand out are colored."""
    at = 0
    for i, row in enumerate(rows):
        for j, z in enumerate(row):
            axes = figure.add_subplot(grid[i, j])
            rendering.show_slice(axes, pictures[at : at + 1][0], pictures.voxel_size_nm, cmap="gray", vmin=0, vmax=255)
            stands_out = z in odd
            axes.set_title(f"slice {z}", fontsize=8, color=ODD if stands_out else "black", pad=2)
            for spine in axes.spines.values():
                spine.set(visible=stands_out, color=ODD, linewidth=2)
            if at == 0:
                rendering.add_scale_bar(axes, pictures.voxel_size_nm)
                axes.texts[-1].set_fontsize(7)
            at += 1


def draw(volume, slices, overview, pictures, findings, trained, method):
    """The figure of one volume; slices, overview and pictures are check_volume.py's."""
    rows, odd = pictures.attributes["rows"], pictures.attributes["stand_out"]
    figure, ((unused,),) = new_figure(11, 7.5)
    unused.remove()
    told = findings[findings["volume"] == volume]
    counts = [f"{n} {severity}{'s' * (n != 1)}" for severity, n in told["severity"].value_counts().items()]
    names = ", ".join(dict.fromkeys(told["finding"].str.replace("_", " ")))
    figure.suptitle(f"{volume}: {', '.join(counts)} ({names})" if counts else f"{volume}: nothing stands out")
    if not rows:
        figure.text(0.5, 0.5, "the stack could not be opened", ha="center")
        return figure
    outer = figure.add_gridspec(1, 2, width_ratios=[1, 1.15])
    left = outer[0].subgridspec(3, 1)
    every_odd = sorted({z for f in overview["findings"] for z in f["slices"]})
    along_z = figure.add_subplot(left[0])
    draw_brightness(along_z, slices, every_odd)
    draw_neighbors(figure.add_subplot(left[1], sharex=along_z), slices, every_odd)
    if overview["std"]:
        draw_gray_values(figure.add_subplot(left[2]), overview, trained, method)
    right = outer[1].subgridspec(max(len(rows), 3), max(map(len, rows)), wspace=0.03, hspace=0.05)
    draw_pictures(figure, right, pictures, rows, odd)
    return figure


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("findings", "all findings (csv)")
    arguments.input("slices", "slice tables of check_volume.py, one per volume (csv)", several=True)
    arguments.input("overviews", "its records (json)", several=True)
    arguments.input("pictures", "its pictures (OME-Zarr)", several=True)
    arguments.parser.add_argument("--volumes", nargs="+", required=True, help="names of the volumes")
    arguments.parser.add_argument("--trained", nargs="+", default=[], help="names of those with train regions")
    arguments.parameter("method", "normalization.method", default="zscore")
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("outputs", "pictures (png)", several=True)
    args = arguments.parse(argv)
    args.record["params"] |= {"volumes": args.volumes, "trained": args.trained}

    findings = io.read_table(args.findings)
    overviews = dict(zip(args.volumes, map(files.read_json, args.overviews)))
    for volume, table, pictures, path in zip(args.volumes, args.slices, args.pictures, args.outputs, strict=True):
        trained = {n: overviews[n] for n in args.trained if n != volume and overviews[n].get("std")}
        inputs = (io.read_table(table), overviews[volume], io.open_volume(pictures))
        save(draw(volume, *inputs, findings, trained, args.method), path, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
