"""Show the objects with the most holes, each in the slice that cuts most of them, and how fenestrated all objects of the volume are.

Holes are what filling adds to the object: closed cavities, and lighter such as are closed only within the slice. Above each picture the
object's number and its closed cavities in percent of the filled object. Below: that percentage in three ways, one dot per object: fill3d
closed cavities, fill2d_z holes of single slices, closing such as a closing with a ball fills too (Machireddy et al. 2023; docs/method.md).
"""

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch

from command_line import Arguments, json_argument, run
from densecell import io, rendering
from densecell.fenestrations import fill_2d_z, fill_3d
from densecell.object_masks import read_object
from figure_output import display_name, new_figure, save
from object_output import dot_legend, draw_columns, is_whole

WAYS = {
    "fenestrated_percent_fill3d": "closed cavities",
    "fenestrated_percent_fill2d_z": "holes of slices",
    "fenestrated_percent_closing": "holes after closing",
}
CAVITY, HOLE = "#00c8ff", "#b0f0b0"  # neither gray nor a class color of the presets
OPACITY, MARGIN, MOST_PX = 0.5, 0.12, 700
PANEL_INCHES = 2.7


def most_fenestrated(table, n_objects):
    """Numbers of the n objects with the largest share of closed cavities, of equal ones of the other holes; whole ones before others."""
    wide = table.pivot(index="instance", columns="measure", values="value")[list(WAYS)].dropna()
    flags = table.groupby("instance")["flag"].first()
    wide = wide.assign(cut=~is_whole(flags[wide.index]), number=wide.index)
    order = wide.sort_values(["cut", *WAYS, "number"], ascending=[True, False, False, False, True])
    return order.index[:n_objects].tolist()


def holes_of(mask):
    """(closed cavities, holes closed within their slice only) of an object: two (Z, Y, X) bool."""
    cavities = fill_3d(mask) & ~mask
    return cavities, fill_2d_z(mask) & ~mask & ~cavities


def shown_slice(cavities, holes):
    """The slice with the most pixels of cavities, of equal ones of holes, of equal ones in the middle."""
    counts = cavities.sum(axis=(1, 2)), holes.sum(axis=(1, 2))
    off_center = np.abs(np.arange(len(cavities)) - (len(cavities) - 1) / 2)
    return int(np.lexsort((off_center, -counts[1], -counts[0]))[0])


def picture_of(image, parts):
    """RGB (Y, X, 3) float of a gray slice with parts, [(mask (Y, X), color)], painted over."""
    darkest, brightest = rendering.gray_range(image)
    gray = np.clip((np.asarray(image, np.float64) - darkest) / (brightest - darkest), 0, 1)
    picture = gray[..., None].repeat(3, axis=2)
    for mask, color in parts:
        picture[mask] = (1 - OPACITY) * picture[mask] + OPACITY * np.array(to_rgb(color))
    return picture


def draw_object(axes, image, row, found, color):
    """One object in its slice with the tissue around it. found: `object_masks.ObjectMask`; row: of the object table."""
    cavities, holes = holes_of(found.mask)
    z = shown_slice(cavities, holes)
    factors = found.factors
    at = min(row.z0 + z * factors[0] + factors[0] // 2, row.z1 - 1)
    pads = [int(np.ceil(MARGIN * n)) for n in found.mask.shape[1:]]
    low = [max(start - pad * factor, 0) for start, pad, factor in zip((row.y0, row.x0), pads, factors[1:])]
    high = [min(stop + pad * f, n) for stop, pad, f, n in zip((row.y1, row.x1), pads, factors[1:], image.shape[1:])]
    gray = image[at : at + 1, low[0] : high[0], low[1] : high[1]][0]
    around = [(row.y0 - low[0], high[0] - row.y1), (row.x0 - low[1], high[1] - row.x1)]
    parts = []
    for mask, paint in ((found.mask, color), (holes, HOLE), (cavities, CAVITY)):
        fine = mask[z].repeat(factors[1], 0).repeat(factors[2], 1)[: row.y1 - row.y0, : row.x1 - row.x0]
        parts.append((np.pad(fine, around), paint))
    step = -(-max(gray.shape) // MOST_PX)
    thin = picture_of(gray[::step, ::step], [(mask[::step, ::step], paint) for mask, paint in parts])
    rendering.show_slice(axes, thin, image.voxel_size_nm, interpolation="nearest")
    rendering.add_scale_bar(axes, [size * step for size in image.voxel_size_nm])
    axes.set_xlabel(f"slice {at}")


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "EM image (OME-Zarr)")
    arguments.input("labels", "numbers of the objects (OME-Zarr)")
    arguments.input("objects", "their table (csv)")
    arguments.input("morphology", "their measures (csv)")
    arguments.parameter("name", "name of the objects", required=True)
    arguments.parameter("volume", "name of the volume", required=True)
    arguments.parameter("color", "color of their class, #rrggbb", required=True)
    arguments.parameter("n_objects", "how many objects are shown", int, 4)
    arguments.parameter("settings", "JSON record: max_voxels, of the key morphology", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    image, labels = io.open_volume(args.image), io.open_volume(args.labels)
    table, morphology = io.read_table(args.objects), io.read_table(args.morphology)
    morphology = morphology[morphology["measure"].isin(WAYS)]
    percent = morphology.set_index(["instance", "measure"])["value"]
    shown = most_fenestrated(morphology, args.n_objects) if len(morphology) else []
    figure, grid = new_figure(PANEL_INCHES * args.n_objects + 0.4, 2 * PANEL_INCHES + 1.4, 2, args.n_objects)
    for axes in grid.ravel():
        axes.axis("off")
    for axes, instance in zip(grid[0], shown):
        row = next(table[table["instance"] == instance].itertuples(index=False))
        axes.axis("on")
        draw_object(axes, image, row, read_object(labels, row, args.settings["max_voxels"]), args.color)
        axes.set_title(f"{instance}: {percent[instance, 'fenestrated_percent_fill3d']:.2f} %")
    dots = figure.add_subplot(grid[1, 0].get_gridspec()[1, :])
    of_ways = {title: morphology[morphology["measure"] == way] for way, title in WAYS.items()}
    draw_columns(
        dots, {t: (rows["value"].to_numpy(float), is_whole(rows["flag"])) for t, rows in of_ways.items()}, args.color
    )
    dots.set_ylabel("fenestrated (%)")
    figure.suptitle(f"{display_name(args.name)} of {display_name(args.volume)}")
    handles = [Patch(color=args.color, label=display_name(args.name)), Patch(color=CAVITY, label="closed cavity")]
    handles += [Patch(color=HOLE, label="closed within the slice only")]
    dots.legend(handles=handles, frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3)
    dot_legend(figure, args.color)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
