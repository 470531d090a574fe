"""Show the labels of a train region beside its error weights (no unit), in the slice with the most classes."""

from command_line import Arguments, json_argument, run
from densecell import io, rendering
from densecell.classes import UNLABELLED, Classes
from figure_output import classes_per_slice, new_figure, save

PANEL_INCHES = 4.2


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("labels", "labels of a train region (OME-Zarr, uint8, 255 = unlabelled)")
    arguments.input("weights", "its weight map (OME-Zarr, float32)")
    arguments.parameter("title", "title of the figure", str, "")
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    colors = rendering.class_colors(args.colors, classes.names)
    labels, weights = io.open_volume(args.labels), io.open_volume(args.weights)
    if labels.shape != weights.shape:
        raise ValueError(f"{args.weights}: expected the shape of {args.labels}, {labels.shape}, found {weights.shape}")
    (z,) = rendering.informative_slices(classes_per_slice(labels), 1)
    plane, voxel_nm = labels[z : z + 1][0], labels.voxel_size_nm
    height = PANEL_INCHES * plane.shape[0] * voxel_nm[1] / (plane.shape[1] * voxel_nm[2])
    figure, ((left, right),) = new_figure(2 * PANEL_INCHES + 1, height + 1.3, 1, 2)
    rendering.show_slice(left, rendering.color_labels(plane, colors), voxel_nm, interpolation="nearest")
    rendering.add_scale_bar(left, voxel_nm)
    left.set_title(f"labels, slice {z}")
    shown = rendering.show_slice(right, weights[z : z + 1][0], voxel_nm, cmap="magma", vmin=0, interpolation="nearest")
    rendering.add_scale_bar(right, voxel_nm)
    right.set_title("error weights")
    figure.colorbar(shown, ax=right, label="error weight (0: not counted)")
    rendering.class_legend(figure, classes.names, colors, bool((plane == UNLABELLED).any()))
    figure.suptitle(args.title)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
