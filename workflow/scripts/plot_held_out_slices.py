"""Show held-out slices of an experiment: what was predicted against what was drawn, one row per class.

Columns: the draws with the best, the median and the worst Dice of the class (two draws: best and worst), each in the slice whose Dice is the median
of its held-out slices that hold the class; of a single draw the slices nearest to and farthest from its training slices. Found voxels have
the class's color, missed and false ones colors of their own; lines: the drawn and the predicted contour. A panel shows
the part of the slice that holds them. With softmax a voxel is predicted, as in the scores, where the likeliest class is the one shown or
lies in it, to the 256 steps of the stored probabilities. Slices scored on finer voxels are shown as they were predicted.
"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from command_line import Arguments, json_argument, run
from densecell import finer_grid, io, overlap, rendering
from densecell.classes import UNLABELLED, Classes
from densecell.composition import least_q
from figure_output import new_figure, save
from held_out_output import class_name

FALSE = ("#e64b00", "#d100d1", "#ffe100")  # the first that no class of the figure resembles
MISSED = ("#0072b2", "#00c8c8", "#7a3cff")
ALIKE = 0.45  # distance of RGB values (0 to 1) below which colors resemble each other
OPACITY = 0.5
PANEL_INCHES = 3.0
MARGIN, SMALLEST_PX = 0.15, 64  # around what is shown: share of its size; pixels of the shortest side


# ------------------------------------------------------------------------------------------------- which slices to show
def chosen_slices(slices):
    """[(what, row)] of the panels of one class. slices: of `overlap.by_slice`, complete ones of one class."""
    draws = dict(iter(slices.groupby("draw", sort=True)))
    if len(draws) == 1:
        return near_and_far(slices)
    pooled = {draw: float(overlap.dice(rows[list(overlap.SUMS)].sum())) for draw, rows in draws.items()}
    order = sorted(pooled, key=lambda draw: (-pooled[draw], draw))
    places = {"best": 0, "median": len(order) // 2, "worst": -1}
    if len(order) == 2:
        del places["median"]
    return [
        (f"{word} draw (seed {order[i]:g}): Dice {pooled[order[i]]:.3f}", median_slice(draws[order[i]]))
        for word, i in places.items()
    ]


def holding(slices):
    """The slices in which the class is, or all where it is in none."""
    found = slices[slices["sum_gg"] > 0]
    return found if len(found) else slices


def median_slice(slices):
    """The slice whose Dice is the median of those that hold the class; the lower of two."""
    found = holding(slices)
    found = found.assign(dice_=overlap.dice(found)).sort_values(["dice_", "region", "z"], kind="stable")
    return found.iloc[(len(found) - 1) // 2]


def near_and_far(slices):
    """The slices of one draw nearest to and farthest from its training slices; one panel where there is but one distance."""
    found = holding(slices).sort_values(["distance", "region", "z"], kind="stable")
    near, far = found.iloc[0], found[found["distance"] == found["distance"].max()]
    rows = [("nearest", near)]
    if len(far) and far.iloc[0]["distance"] > near["distance"]:
        rows.append(("farthest", far.iloc[0]))
    return [(f"{word} ({row['distance']:g} from a training slice)", row) for word, row in rows]


def likeliest(q, names, classes, target):
    """(Y, X) bool: where the likeliest class is `target` or lies in it, which decides with softmax.

    q: (n, Y, X) uint8, of the classes `names`, each with all that lies in it; classes: Classes. The first class wins ties.
    """
    numbers = [classes.index(name) for name in names]
    alone = np.asarray(q, np.int16).copy()
    for of_class, number in zip(q, numbers):
        if classes.inside[number] in numbers:
            alone[numbers.index(classes.inside[number])] -= of_class
    return np.isin(np.take(numbers, alone.argmax(axis=0)), classes.members_of(classes.index(target)))


# ------------------------------------------------------------------------------------------------------------- drawing
def shown_part(mask):
    """(y, x) slices of the part of a mask (Y, X) that holds it, with a margin; all of an empty one."""
    if not mask.any():
        return slice(None), slice(None)
    parts = []
    for axis, size in enumerate(mask.shape):
        at = np.flatnonzero(mask.any(axis=1 - axis))
        center, length = (at[0] + at[-1] + 1) / 2, at[-1] + 1 - at[0]
        half = max((0.5 + MARGIN) * length, SMALLEST_PX / 2)
        parts.append(slice(max(int(center - half), 0), min(int(np.ceil(center + half)), size)))
    return tuple(parts)


def distinct(candidates, taken):
    """The first of the candidates that resembles none of the colors `taken` (n, 3), else the one farthest from them; (3,) 0 to 1."""
    colors = np.array([to_rgb(color) for color in candidates])
    nearest = np.linalg.norm(colors[:, None] - np.reshape(taken, (1, -1, 3)), axis=2).min(axis=1)
    return colors[int(np.argmax(nearest >= ALIKE)) if (nearest >= ALIKE).any() else int(np.argmax(nearest))]


def overlay(image, truth, predicted, paints):
    """RGB (Y, X, 3) float: the gray image with found, false and missed voxels in the three colors of `paints`, (3,) 0 to 1 each.

    truth: uint8 0, 1, 255 = unknown, which stays gray; predicted: bool; both (Y, X).
    """
    darkest, brightest = rendering.gray_range(image)
    gray = np.clip((np.asarray(image, np.float64) - darkest) / (brightest - darkest), 0, 1)
    picture = gray[..., None].repeat(3, axis=2)
    known = truth != UNLABELLED
    for where, paint in (
        (predicted & (truth == 1), paints[0]),
        (predicted & known & (truth != 1), paints[1]),
        (~predicted & (truth == 1), paints[2]),
    ):
        picture[where] = (1 - OPACITY) * picture[where] + OPACITY * np.asarray(paint)
    return picture


def draw_panel(axes, planes, paints, voxel_nm):
    """One slice. planes: image, truth and predicted (Y, X); paints: as of `overlay`."""
    image, truth, predicted = planes
    part = shown_part((truth == 1) | (predicted & (truth != UNLABELLED)))
    image, truth, predicted = (plane[part] for plane in planes)
    rendering.show_slice(axes, overlay(image, truth, predicted, paints), voxel_nm)
    for mask, style in (
        (truth == 1, {"colors": "white", "linewidths": 1.3}),
        (predicted, {"colors": "black", "linewidths": 0.9}),
    ):
        if mask.any() and not mask.all():
            axes.contour(mask.astype(float), [0.5], zorder=0.9, **style)  # below the scale bar
    rendering.add_scale_bar(axes, voxel_nm)


def legend(figure, names, colors, mistakes):
    """What colors and lines mean. mistakes: the colors of false and missed voxels."""
    handles = [Patch(facecolor=color / 255, label=f"{class_name(name)}, found") for name, color in zip(names, colors)]
    handles += [Patch(facecolor=color, label=word) for color, word in zip(mistakes, ("false", "missed"))]
    words = {"white": "drawn", "black": "predicted"}
    lines = [Line2D([], [], color=color, linewidth=1.5, label=text) for color, text in words.items()]
    shown = figure.legend(
        handles=handles + lines, loc="outside lower center", ncols=4, frameon=True, facecolor="0.75", edgecolor="none"
    )
    shown.set_in_layout(True)


class Sources:
    """The stores behind the panels, by region: images, maps of the targets, and predictions of each draw."""

    def __init__(self, args, classes):
        n, self.classes = len(args.names), classes
        self.names, self.several = args.names, len(args.images) > 1
        self.images = dict(zip(args.regions, map(io.open_volume, args.images), strict=True))
        self.targets = {r: args.targets[i * n : (i + 1) * n] for i, r in enumerate(args.regions)}
        self.folders = dict(zip(args.seeds, args.predictions, strict=True))
        self.scored = io.open_volume(args.scored_target) if args.scored_target else None

    def placed(self, row, target):
        """(region, slice) of a row of the overlap table among the predicted regions."""
        if self.scored is None:
            return row["region"], int(row["z"])
        for region in self.images:
            volume = io.open_volume(self.targets[region][self.names.index(target)])
            try:
                return region, finer_grid.matching_slice(int(row["z"]), self.scored, volume)
            except ValueError:
                continue
        raise ValueError(f"slice {row['z']} of {self.scored.path}: expected it in one of {', '.join(self.images)}.")

    def planes(self, row, target):
        """((image, truth, predicted) (Y, X), voxel size in nm, slice of the predicted region) of a row of the overlap table."""
        region, z = self.placed(row, target)
        image, truth = self.images[region], io.open_volume(self.targets[region][self.names.index(target)])
        (z0, _), (y0, y1), (x0, x1) = image.attributes.get("inner", [[0, n] for n in image.shape])
        plane = image[z0 + z : z0 + z + 1, y0:y1, x0:x1][0]
        return (plane, truth[z : z + 1][0], self.predicted(row, target, region, z)), image.voxel_size_nm, z

    def predicted(self, row, target, region, z):
        """(Y, X) bool: where a target is predicted in slice z of a predicted region, as the scores take it."""
        folder = Path(self.folders[int(row["draw"])])
        folder = folder / region if self.several else folder
        softmax = np.isnan(row["threshold"])
        q = [io.open_volume(folder / f"{n}.ome.zarr")[z : z + 1][0] for n in (self.names if softmax else [target])]
        return likeliest(q, self.names, self.classes, target) if softmax else q[0] >= least_q(row["threshold"])


def main(argv=None):
    arguments = Arguments(__doc__)
    arguments.input("overlap", "overlap tables, one a draw (csv)", several=True)
    arguments.input("predictions", "folders of predicted slices, one a draw, in the same order", several=True)
    arguments.input("images", "regions of the draws (OME-Zarr)", several=True)
    arguments.input("targets", "maps of the targets: all of the first region, then of the next", several=True)
    arguments.input("scored_target", "a map in the finer region that was scored, where there is one", required=False)
    arguments.parameter("seeds", "JSON list of the draws", json_argument, required=True)
    arguments.parameter("regions", "JSON list of the regions, one an image", json_argument, required=True)
    arguments.parameter("names", "JSON list of the targets", json_argument, required=True)
    arguments.parameter("title", "title of the figure", str, "")
    arguments.parameter("colors", "JSON record of class: #rrggbb", json_argument, required=True)
    arguments.parameter("classes", "JSON list of name and group", json_argument, required=True)
    arguments.parameter("dpi", "dots per inch", int, 150)
    arguments.output("output", "picture (png)")
    args = arguments.parse(argv)

    classes = Classes.from_records(args.classes)
    sources, scored = Sources(args, classes), ", scored at full resolution" if args.scored_target else ""
    colors = rendering.class_colors(args.colors, args.names)
    false = distinct(FALSE, colors / 255)
    mistakes = (false, distinct(MISSED, [*(colors / 255), false]))
    tables = [overlap.by_slice(io.read_table(path)) for path in args.overlap]
    rows = {}
    for name in args.names:
        mine = pd.concat([t[(t["class"] == name) & t["complete"]] for t in tables], ignore_index=True)
        rows[name] = chosen_slices(mine)
    n_columns = max(map(len, rows.values()))
    figure, panels = new_figure(
        PANEL_INCHES * n_columns + 0.4, (PANEL_INCHES + 0.4) * len(rows) + 1.2, len(rows), n_columns
    )
    for (name, shown), color, row in zip(rows.items(), colors, panels):
        for axes in row[len(shown) :]:
            axes.axis("off")
        for axes, (what, place) in zip(row, shown):
            planes, voxel_nm, z = sources.planes(place, name)
            draw_panel(axes, planes, (color / 255, *mistakes), voxel_nm)
            axes.set_title(f"{what}\nslice {z}: {float(overlap.dice(place)):.3f}{scored}", fontsize=9)
        row[0].set_ylabel(class_name(name))
    if args.title:
        figure.suptitle(args.title, fontsize=10)
    legend(figure, args.names, colors, mistakes)
    save(figure, args.output, args.dpi, args.record)


if __name__ == "__main__":
    run(main)
