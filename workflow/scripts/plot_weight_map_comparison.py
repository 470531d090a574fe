"""Show labels, computed and imported error weights of a train region and their difference (no unit), in one slice."""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io, rendering
from densecell.classes import UNLABELLED, Classes
from figure_output import classes_per_slice, display_name, new_figure, save

PANEL_INCHES = 3.6


def pooled(table, region, weight_map, compared_with):
    """{measure: value} over all slices of a region."""
    keys = {"region": region, "weight_map": weight_map, "compared_with": compared_with}
    for column, value in keys.items():
        table = table[table[column] == value]
    table = table[table["z"].astype(str) == ""]
    return dict(zip(table["measure"], table["value"]))


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "labels of the region (OME-Zarr, uint8, 255 = unlabelled)")
    arguments.input("computed", "computed weights (OME-Zarr)")
    arguments.input("imported", "imported weights (OME-Zarr)")
    arguments.input("table", "their comparison (csv, from compare_weight_maps)")
    arguments.parameter("region", "name of the region", str, "")
    arguments.parameter(
        "names", "JSON list: names of the computed and of the imported weight map", json_argument, required=True
    )
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    classes, (ours, theirs) = Classes.from_records(args.classes), args.names
    colors = rendering.class_colors(args.colors, classes.names)
    labels, volumes = io.open_volume(args.labels), [io.open_volume(args.computed), io.open_volume(args.imported)]
    (z,) = rendering.informative_slices(classes_per_slice(labels), 1)
    plane, voxel_nm = labels[z : z + 1][0], labels.voxel_size_nm
    computed, imported = (volume[z : z + 1][0].astype(np.float64) for volume in volumes)
    height = PANEL_INCHES * plane.shape[0] * voxel_nm[1] / (plane.shape[1] * voxel_nm[2])
    figure, panels = new_figure(2 * PANEL_INCHES + 2.4, 2 * height + 1.9, 2, 2)
    (top_left, top_right), (bottom_left, bottom_right) = panels
    rendering.show_slice(top_left, rendering.color_labels(plane, colors), voxel_nm, interpolation="nearest")
    top_left.set_title(f"labels, slice {z}")
    highest = max(computed.max(), imported.max())
    for axes, picture, title in (
        (bottom_left, computed, f"computed: {display_name(ours)}"),
        (bottom_right, imported, f"imported: {display_name(theirs)}"),
    ):
        shown = rendering.show_slice(
            axes, picture, voxel_nm, cmap="magma", vmin=0, vmax=highest, interpolation="nearest"
        )
        axes.set_title(title)
        figure.colorbar(shown, ax=axes, label="error weight")
    difference = imported - computed
    limit = float(np.abs(difference).max()) or 1.0
    shown = rendering.show_slice(
        top_right, difference, voxel_nm, cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest"
    )
    top_right.set_title("imported - computed")
    figure.colorbar(shown, ax=top_right, label="difference of weights")
    for axes in panels.ravel():
        rendering.add_scale_bar(axes, voxel_nm)
    rendering.class_legend(figure, classes.names, colors, bool((plane == UNLABELLED).any()))
    numbers = pooled(io.read_table(args.table), args.region, theirs, ours)
    text = f"correlation {numbers['pearson']:.3f}, edges {numbers['edge_scale']:.2f} times as strong (all slices)"
    figure.suptitle(f"{display_name(args.region)}: {text}")
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
