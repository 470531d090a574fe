"""What the scripts of the paper's figures share: slices of regions, panels in rows on a page of 180 mm, and legends."""

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import matplotlib
import numpy as np
from matplotlib import patheffects
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from densecell import files, io, paper, raw_formats, rendering
from densecell.classes import BACKGROUND, UNLABELLED, Classes
from figure_output import classes_per_slice

INCH_MM = 25.4
WIDTH_MM, GAP_MM, HIGHEST_MM = 180, 2.0, 62  # of the page; between panels; of a row of panels
LOWEST_MM = 22  # of equal rows; wide panels get fewer columns
LINE_MM, LETTER_MM, CHARACTER_MM = 3.2, 4.6, 1.42  # one line of text, a panel's letter, a character of its title
LEGEND_COLUMNS = 8
FONT_POINTS, LETTER_POINTS = 7, 9
MOST_PIXELS = 2000  # a side of a slice that is drawn; larger ones are thinned out
STYLE = {
    "font.size": FONT_POINTS,
    "axes.titlesize": FONT_POINTS,
    "axes.labelsize": FONT_POINTS,
    "xtick.labelsize": FONT_POINTS,
    "ytick.labelsize": FONT_POINTS,
    "legend.fontsize": FONT_POINTS,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


class Panel(NamedTuple):
    """One part of a page: `draw` gets its Axes. aspect: width / height. margins_mm: (left, bottom) for tick labels."""

    letter: str
    title: str
    aspect: float
    draw: Callable
    margins_mm: tuple = (0, 0)


class Look(NamedTuple):
    """How labels are drawn: the classes, their colors (n, 3) uint8."""

    classes: Classes
    colors: np.ndarray

    @classmethod
    def from_arguments(cls, args):
        classes = Classes.from_records(args.classes)
        return cls(classes, rendering.class_colors(args.colors, classes.names))


# -------------------------------------------------------------------------------------------------------------- pages
def draw_page(rows, equal=False, legend=None):
    """A figure of WIDTH_MM with rows of panels; in each row they are equally high and fill the width, up to HIGHEST_MM.

    equal: all rows are as high as the lowest, so that panels of one aspect are equally large, and rows that would be
    lower than LOWEST_MM are broken. legend: handles for the bottom of the page.
    """
    rows = _broken([row for row in rows if row]) if equal else [row for row in rows if row]
    heights = [min(HIGHEST_MM, (WIDTH_MM - GAP_MM * (len(row) - 1)) / sum(p.aspect for p in row)) for row in rows]
    heights = [min(heights)] * len(rows) if equal else heights
    titles = [[_wrapped(p, height) for p in row] for row, height in zip(rows, heights)]
    headings = [LINE_MM * max([len(t) for t in row] + [1]) + 1.3 for row in titles]
    footer = 1.5 + LINE_MM * 1.4 * -(-len(legend) // LEGEND_COLUMNS) if legend else 0
    total = sum(heights) + sum(headings) + GAP_MM * (len(rows) + 1) + footer
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH_MM / INCH_MM, total / INCH_MM))
        top = total - GAP_MM
        for row, height, heading, lines in zip(rows, heights, headings, titles):
            top -= heading + height
            used = sum(p.aspect for p in row) * height + GAP_MM * (len(row) - 1)
            left = 0 if equal else (WIDTH_MM - used) / 2
            for panel, text in zip(row, lines):
                _draw_panel(figure, panel, text, (left, top, panel.aspect * height, height), total)
                left += panel.aspect * height + GAP_MM
            top -= GAP_MM
        if legend:
            spacing = {"handlelength": 1.4, "columnspacing": 1.6, "handletextpad": 0.5, "borderaxespad": 0.2}
            columns = min(LEGEND_COLUMNS, len(legend))
            figure.legend(handles=legend, loc="lower center", ncols=columns, frameon=False, **spacing)
    return figure


def _broken(rows):
    """The rows broken into rows of at most so many panels that those are LOWEST_MM high; two at the least."""
    widest = max(panel.aspect for row in rows for panel in row)
    n = max(2, int((WIDTH_MM + GAP_MM) // (widest * LOWEST_MM + GAP_MM)))
    return [row[i : i + n] for row in rows for i in range(0, len(row), n)]


def _wrapped(panel, height):
    width = panel.aspect * height - (LETTER_MM if panel.letter else 0)
    return textwrap.wrap(panel.title, max(8, int(width / CHARACTER_MM)))


def _draw_panel(figure, panel, lines, box, total):
    left, bottom, width, height = box
    inset_left, inset_bottom = panel.margins_mm
    inner = (left + inset_left, bottom + inset_bottom, width - inset_left, height - inset_bottom)
    axes = figure.add_axes([v / side for v, side in zip(inner, (WIDTH_MM, total) * 2)])
    panel.draw(axes)
    top = (bottom + height + 1.3) / total  # of the baseline of the lowest line
    if panel.letter:
        figure.text(left / WIDTH_MM, top, panel.letter, fontsize=LETTER_POINTS, fontweight="bold")
    start = left + (LETTER_MM if panel.letter else 0)
    for i, line in enumerate(reversed(lines)):
        figure.text(start / WIDTH_MM, top + i * LINE_MM / total, line)


def class_handles(look, with_unlabelled=False):
    """Legend handles of the classes, as `rendering.class_legend` has them."""
    pairs = zip(look.classes.names, look.colors)
    handles = [Patch(facecolor=color / 255, edgecolor="0.4", label=name.replace("_", " ")) for name, color in pairs]
    if with_unlabelled:
        handles.append(Patch(facecolor="0.8", edgecolor="0.55", hatch="////", label="unlabelled"))
    return handles


# ------------------------------------------------------------------------------------------------------------- slices
class Slices:
    """Opens the volumes of panels, chooses the slice to show, and keeps which files were read (`parents`).

    A panel record has `letter` and `title` and names a `picture` (PNG), or `labels`, or `folder` (of predictions),
    `chosen` and `kind` (single or ensemble), or else an `image`. `reference`: from which the slice is chosen; `z`: the
    slice or null; `mask`: predictions are shown only where the reference is not background.
    """

    def __init__(self, look):
        self.look, self.parents, self.unlabelled = look, {}, False
        self._chosen_slices = {}

    def open(self, path):
        """Open a volume and note it as a parent."""
        self.parents[str(path)] = files.content_id(path)
        return io.open_volume(path)

    def labels_path(self, record):
        """The label volume of a panel: as given, or the one that the eval regions chose."""
        if record.get("labels"):
            return record["labels"]
        self.parents[record["chosen"]] = files.content_id(record["chosen"])
        name = paper.predictor_of(files.read_json(record["chosen"]), record["kind"], predictors_below(record["folder"]))
        return f"{record['folder']}/{name}.ome.zarr"

    def slice_of(self, record):
        """Slice of the region: the one asked for, or the one with the most classes in the reference, or the middle."""
        z, reference = record.get("z"), record.get("reference")
        volume = self.open(reference or record.get("labels") or record["image"])
        if z is not None and z >= volume.shape[0]:
            raise ValueError(f"paper.slices: expected a slice below {volume.shape[0]} of {volume.path}, found {z}")
        if z is None and reference:
            if reference not in self._chosen_slices:
                counts = classes_per_slice(volume)
                self._chosen_slices[reference] = rendering.informative_slices(counts, 1)[0]
            z = self._chosen_slices[reference]
        return volume.shape[0] // 2 if z is None else z

    def image(self, letter, title, record):
        """Panel of the image of a record."""
        volume, z = self.open(record["image"]), self.slice_of(record)
        box = volume.attributes.get("inner", [[0, n] for n in volume.shape])
        plane, voxel_nm = _plane(volume, z, box)
        low, high = rendering.gray_range(plane)

        def draw(axes):
            rendering.show_slice(axes, plane, voxel_nm, cmap="gray", vmin=low, vmax=high)
            _finish(axes, voxel_nm)

        return Panel(letter, title, _aspect(plane, voxel_nm), draw)

    def labels(self, letter, title, record):
        """Panel of the labels of a record, in class colors."""
        volume, z = self.open(self.labels_path(record)), self.slice_of(record)
        plane, voxel_nm = _plane(volume, z)
        if record.get("mask"):
            reference, _ = _plane(self.open(record["reference"]), z)
            plane = outside_as_background(plane, reference, self.look.classes)
        self.unlabelled |= bool((plane == UNLABELLED).any())
        picture = rendering.color_labels(plane, self.look.colors)

        def draw(axes):
            rendering.show_slice(axes, picture, voxel_nm, interpolation="nearest")
            _finish(axes, voxel_nm)

        return Panel(letter, title, _aspect(plane, voxel_nm), draw)

    def picture(self, letter, title, record):
        """Panel of a rendering (PNG): its scene alone, with scale bar and note at the size of this page."""
        path = record["picture"]
        self.parents[path] = files.content_id(path)
        files.check_content(path)
        about = files.read_sidecar(path)["picture"]
        left, top, width, height = about["scene_box_px"]
        scene = raw_formats.read_png(path)[top : top + height, left : left + width]

        def draw(axes):
            axes.imshow(scene)
            _scene_scale_bar(axes, width, height, about["um_per_px"])
            if about["note"]:
                box = {"facecolor": "white", "edgecolor": "none", "pad": 1}
                text = textwrap.fill(about["note"], 16)
                axes.text(width / 2, height / 2, text, ha="center", va="center", bbox=box)
            _bare(axes)

        return Panel(letter, title, width / height, draw)

    def panel(self, record):
        """The panel a record describes: a picture, labels or an image, whichever it names first in this order."""
        if record.get("picture"):
            kind = self.picture
        else:
            kind = self.labels if record.get("labels") or record.get("folder") else self.image
        return kind(record["letter"], record["title"], record)


def predictors_below(folder):
    """Names of the predictors whose labels lie in a folder of predictions, sorted."""
    return sorted(path.name.removesuffix(".ome.zarr") for path in Path(folder).glob("*.ome.zarr"))


def outside_as_background(labels, reference, classes):
    """The labels with the first background class where the reference is background: what is scored remains."""
    groups = classes.group_ids
    known = reference != UNLABELLED
    outside = known & (groups[np.where(known, reference, 0)] == BACKGROUND)
    return np.where(outside, np.flatnonzero(groups == BACKGROUND)[0], labels).astype(labels.dtype)


def _plane(volume, z, box=None):
    """Slice z (of the box inside the volume), thinned out to at most MOST_PIXELS a side: (Y, X), its voxel size."""
    (z0, _), (y0, y1), (x0, x1) = box or [[0, n] for n in volume.shape]
    plane = volume[z0 + z : z0 + z + 1, y0:y1, x0:x1][0]
    step = -(-max(plane.shape) // MOST_PIXELS)
    z_nm, y_nm, x_nm = volume.voxel_size_nm
    return plane[::step, ::step], (z_nm, y_nm * step, x_nm * step)


def _aspect(plane, voxel_nm):
    return plane.shape[1] * voxel_nm[2] / (plane.shape[0] * voxel_nm[1])


def _finish(axes, voxel_nm):
    rendering.add_scale_bar(axes, voxel_nm)
    bar, text = axes.patches[-1], axes.texts[-1]
    text.set(fontsize=FONT_POINTS, ha="right", x=bar.get_x() + bar.get_width())  # it may be wider than the bar
    _bare(axes)


def _scene_scale_bar(axes, width, height, um_per_px):
    """A scale bar for a scene (of parallel projection) of width x height px, over the smaller one drawn there."""
    length_um = rendering.scale_bar_length_um(width * um_per_px)
    length_px, right, bottom = length_um / um_per_px, 0.98 * width, 0.99 * height
    covered = (right - length_px - 0.03 * width, 0.95 * height)
    axes.add_patch(Rectangle(covered, width, height, color="white", linewidth=0))
    axes.add_patch(Rectangle((right - length_px, bottom - 0.014 * height), length_px, 0.014 * height, color="black"))
    halo = [patheffects.withStroke(linewidth=2, foreground="white")]
    style = {"ha": "right", "va": "bottom", "fontsize": FONT_POINTS, "path_effects": halo}
    axes.text(right, bottom - 0.025 * height, f"{length_um:g} µm", **style)


def _bare(axes):
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set_visible(False)


def record_with(args, parents):
    """The record of a run with further parents ({path: content id}): files found only while drawing."""
    return {**args.record, "parents": {**args.record["parents"], **parents}}
