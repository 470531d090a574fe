"""Show the cells that each way to split them gives, slice by slice, beside the image and the known cells.

One row per slice, one column per way; a cell has the same color everywhere, orphans (islands that reached no cell) are light gray. White
lines are the known cells; below each panel the mean over these of the Dice with the cell of the same number (0 to 1). Slices that were
labelled to split the cells are shown only where there are no others: of each of --n-slices parts the one with the most cells.
"""

import numpy as np

from command_line import Arguments, json_argument, run
from densecell import io, object_colors, rendering
from densecell.classes import UNLABELLED_INSTANCE
from figure_output import display_name, new_figure, save

PANEL_INCHES, MOST_PX = 2.5, 900  # longer sides are shown with every second, third, ... pixel
MOST_SLICES = 40  # that are looked at to choose those that are shown
ORPHAN = (214, 214, 214)
NAMES = {
    "mask": "mask",
    "border": "mask + border",
    "flow": "optical flow alone",
    "overlay": "mask + flow (overlay)",
    "selective": "mask + border + flow\n(selective)",
    "frames": "mask + border + flow\n(through frames)",
}


def candidates(known, labelled):
    """The slices to choose from: those of the known cells that were not labelled to split by, else all of them; sorted.

    known: volume of the known cells; labelled: slices with numbers. Of many, MOST_SLICES that are spread evenly.
    """
    drawn = known.attributes.get("slices") or range(known.shape[0])
    places = sorted(set(drawn) - set(labelled)) or sorted(drawn)
    return [places[i] for i in np.unique(np.linspace(0, len(places) - 1, MOST_SLICES).round().astype(int))]


def chosen_slices(known, labelled, n_slices):
    """Of each of n_slices equal parts of the candidates the slice with the most cells, of equal ones the one in the middle."""
    places = candidates(known, labelled)
    n_cells = [len(np.setdiff1d(known.read_slice(z), (0, UNLABELLED_INSTANCE))) for z in places]
    return [places[i] for i in rendering.informative_slices(n_cells, n_slices)]


def mean_dice(known, found):
    """(mean Dice over the known cells of a slice, their number); both (Y, X) numbers, NaN without known cells."""
    inside = known != UNLABELLED_INSTANCE
    known, found = known[inside], found[inside]
    cells, places = np.unique(known, return_inverse=True)
    same = np.bincount(places, known == found, minlength=len(cells))
    sizes = np.bincount(places, minlength=len(cells))
    others, counts = np.unique(found, return_counts=True)
    of_found = np.array([counts[others == cell].sum() for cell in cells])
    dice = (2 * same / (sizes + of_found))[cells > 0]
    return (float(dice.mean()) if len(dice) else np.nan), len(dice)


def thinned(plane):
    """Every k-th pixel of a slice (Y, X), so that its longer side has at most MOST_PX, and k."""
    step = -(-max(plane.shape) // MOST_PX)
    return plane[::step, ::step], step


def draw_cells(axes, image, found, first_orphan, known, voxel_nm):
    """One slice: cells in their colors, orphans in gray, lines around the known cells. All (Y, X)."""
    (image, step), (found, _), (known, _) = thinned(image), thinned(found.astype(np.int64)), thinned(known)
    orphans = (found >= first_orphan) & (found != UNLABELLED_INSTANCE)
    picture = object_colors.paint_objects(image, np.where(orphans, 0, found))
    picture[orphans] = ORPHAN
    picture[object_colors.edges(np.where(known == UNLABELLED_INSTANCE, 0, known))] = 255
    rendering.show_slice(axes, picture, voxel_nm, interpolation="nearest")
    return step


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("image", "EM image (OME-Zarr)")
    arguments.input("ids", "the numbers of the cells in the slices that were labelled (OME-Zarr)")
    arguments.input("reference", "known cells (OME-Zarr); absent: the labelled slices", required=False)
    arguments.input("cells", "tracked cells of each way (OME-Zarr)", several=True)
    arguments.parameter("combinations", "JSON list of these ways, in the same order", json_argument, required=True)
    arguments.parameter("title", "title of the figure", str, "")
    arguments.parameter("n_slices", "number of slices", int, 3)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    image, ids = io.open_volume(args.image), io.open_volume(args.ids)
    known = io.open_volume(args.reference) if args.reference else ids
    cells = {name: io.open_volume(path) for name, path in zip(args.combinations, args.cells, strict=True)}
    for volume in (ids, known, *cells.values()):
        if volume.shape != image.shape:
            raise ValueError(f"{volume.path}: expected the shape of {args.image}, {image.shape}, found {volume.shape}")
    labelled = np.array(ids.attributes.get("slices") or range(ids.shape[0]))
    slices, voxel_nm = chosen_slices(known, labelled, args.n_slices), image.voxel_size_nm
    n_columns = 2 + len(cells)
    height = PANEL_INCHES * image.shape[1] * voxel_nm[1] / (image.shape[2] * voxel_nm[2])
    size = (PANEL_INCHES * n_columns + 0.3, (height + 0.3) * len(slices) + 1.1)
    figure, grid = new_figure(*size, len(slices), n_columns)
    for row, z in zip(grid, slices):
        gray, truth = image[z : z + 1][0], known[z : z + 1][0]
        small, step = thinned(gray)
        shown_nm = (voxel_nm[0], voxel_nm[1] * step, voxel_nm[2] * step)
        darkest, brightest = rendering.gray_range(small)
        rendering.show_slice(row[0], small, voxel_nm, cmap="gray", vmin=darkest, vmax=brightest)
        rendering.add_scale_bar(row[0], shown_nm)
        draw_cells(row[1], gray, truth, np.inf, truth, voxel_nm)
        for axes, volume in zip(row[2:], cells.values()):
            found = volume[z : z + 1][0]
            draw_cells(axes, gray, found, volume.attributes.get("first_orphan", np.inf), truth, voxel_nm)
            dice, n_cells = mean_dice(truth, found)
            axes.set_xlabel(f"Dice {dice:.3f} (n = {n_cells})")
        away = int(np.abs(labelled - z).min())
        where = "labelled" if not away else f"{away} from a labelled one"
        row[0].set_ylabel(f"slice {z}\n({where})")
    for axes, name in zip(grid[0], ["image", "known cells", *(NAMES.get(n, n) for n in cells)]):
        axes.set_title(name, fontsize=10)
    if args.title:
        figure.suptitle(display_name(args.title))
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
