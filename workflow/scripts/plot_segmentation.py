"""Show slices of a region: the image, the reference and the predictions side by side, in class colors.

One row per slice (--n-slices, spread over the region; the slices with the most classes), one column per volume, with a
scale bar (micrometers). --difference names a predictor whose disagreement with the reference is shown in one more
column. The image may be stored with context around the region (attribute `inner`).
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io, rendering
from densecell.classes import UNLABELLED, Classes
from figure_output import classes_per_slice, display_name, new_figure, save

PANEL_INCHES = 2.9


def read_plane(volume, z, box=None):
    """Slice z of a volume, or of the box ((z0, z1), (y0, y1), (x0, x1)) inside it: (Y, X)."""
    if box is None:
        return volume[z : z + 1][0]
    (z0, _), (y0, y1), (x0, x1) = box
    return volume[z0 + z : z0 + z + 1, y0:y1, x0:x1][0]


def draw_row(row, image, labels, colors, voxel_nm, difference):
    """Draw one slice: image, then each label map of `labels` (name -> (Y, X)), then the disagreement."""
    darkest, brightest = rendering.gray_range(image)
    rendering.show_slice(row[0], image, voxel_nm, cmap="gray", vmin=darkest, vmax=brightest)
    rendering.add_scale_bar(row[0], voxel_nm)
    for axes, plane in zip(row[1:], labels.values()):
        rendering.show_slice(axes, rendering.color_labels(plane, colors), voxel_nm, interpolation="nearest")
    if difference:
        labelled = labels["reference"] != UNLABELLED
        wrong = labelled & (labels[difference] != labels["reference"])
        rendering.show_slice(row[-1], rendering.mark_disagreement(image, wrong), voxel_nm, interpolation="nearest")
        row[-1].set_xlabel(f"{100 * wrong.sum() / max(labelled.sum(), 1):.1f} % of the labelled voxels differ")


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "image of the region (OME-Zarr)")
    arguments.input("reference", "reference labels of the region; may be absent", required=False)
    arguments.input("predictions", "predicted labels of the region", several=True)
    arguments.parameter("predictors", "JSON list of their names, in the same order", json_argument, required=True)
    arguments.parameter("difference", "predictor to compare with the reference; absent: none")
    arguments.parameter("title", "title of the figure", str, "")
    arguments.parameter("n_slices", "number of slices", int, 1)
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    colors = rendering.class_colors(args.colors, classes.names)
    image = io.open_volume(args.image)
    box = image.attributes.get("inner", [[0, n] for n in image.shape])
    shape = tuple(stop - start for start, stop in box)
    volumes = {"reference": io.open_volume(args.reference)} if args.reference else {}
    volumes |= {n: io.open_volume(p) for n, p in zip(args.predictors, args.predictions, strict=True)}
    for name, volume in volumes.items():
        if volume.shape != shape:
            raise ValueError(f"{volume.path}: expected the shape of the region {shape}, found {volume.shape} ({name})")
    if args.difference and not {args.difference, "reference"} <= set(volumes):
        raise ValueError(f"difference: expected a reference and one of {args.predictors}, found {args.difference!r}")

    n_classes = classes_per_slice(volumes["reference"]) if args.reference else np.ones(shape[0])
    slices = rendering.informative_slices(n_classes, args.n_slices)
    voxel_nm = image.voxel_size_nm
    names = ["image", *volumes] + (["difference"] if args.difference else [])
    height = PANEL_INCHES * shape[1] * voxel_nm[1] / (shape[2] * voxel_nm[2])
    size = (PANEL_INCHES * len(names) + 0.3, (height + 0.15) * len(slices) + 1.1)
    figure, grid = new_figure(*size, len(slices), len(names))
    unlabelled = False
    for row, z in zip(grid, slices):
        labels = {name: read_plane(volume, z) for name, volume in volumes.items()}
        unlabelled |= any((plane == UNLABELLED).any() for plane in labels.values())
        draw_row(row, read_plane(image, z, box), labels, colors, voxel_nm, args.difference)
        row[0].set_ylabel(f"slice {z} (z = {(box[0][0] + z) * voxel_nm[0] * 1e-3 + image.origin_nm[0] * 1e-3:.2f} µm)")
    for axes, name in zip(grid[0], names):
        axes.set_title(f"{display_name(args.difference)} ≠ reference" if name == "difference" else display_name(name))
    rendering.class_legend(figure, classes.names, colors, unlabelled)
    figure.suptitle(args.title)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
