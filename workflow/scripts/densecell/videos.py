"""Pages of a fixed size in pixels, the frames of videos and 3D pictures: a title, panels, a scale bar, a legend.

A page is laid out once with matplotlib; then only its pictures and texts change. Colors are arguments.
"""

from itertools import pairwise

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from densecell import rendering

DPI = 100
TITLE_PX, LEGEND_ROW_PX = 36, 24
ENTRY_PX, LETTER_PX = 48, 7  # of a legend: patch and gaps, and the mean width of a letter
PANEL_PX, CAPTION_PX, GAP_PX, RAMP_PX = 300, 26, 12, 8  # of grids of panels; a panel's longer side
READABLE_LUMINANCE = 0.35  # of the bright end of a color ramp; white is 1
LUMINANCE = np.array([0.2126, 0.7152, 0.0722])  # of linear red, green and blue (ITU-R BT.709)
GAMMA = 2.2


def even(n):
    """The smallest even number of at least n; the color format of videos needs even sides."""
    return int(np.ceil(n / 2)) * 2


# ------------------------------------------------------------------------------------------------------------- colors
def luminance(color):
    """Relative luminance of an RGB color in 0..1: 0 black, 1 white."""
    return float(LUMINANCE @ np.asarray(color, float) ** GAMMA)


def color_ramp(color):
    """(256, 3) uint8 from black through a class color to a tint of it that is bright enough to read.

    color: (red, green, blue) uint8. Brightness rises evenly: from black to the color, to the same hue at its fullest
    and toward white, as far as READABLE_LUMINANCE; a bright color is itself the end.
    """
    color = np.asarray(color, float) / 255
    stops = [color * 0, color, color / max(color.max(), 1 / 255), np.ones(3)]
    path = np.concatenate([np.linspace(a, b, 100) for a, b in pairwise(stops)])
    brightness = np.array([luminance(c) for c in path]) ** (1 / GAMMA)
    end = np.searchsorted(brightness, max(brightness[99], READABLE_LUMINANCE ** (1 / GAMMA))) + 1
    steps = np.linspace(0, brightness[end - 1], 256)
    return np.rint(255 * np.stack([np.interp(steps, brightness[:end], path[:end, i]) for i in range(3)], 1)).astype(
        np.uint8
    )


def likeliest_class(probabilities):
    """Class map (Y, X) uint8 of probabilities (n_classes, Y, X); of equal ones the lower class."""
    return np.argmax(np.asarray(probabilities), axis=0).astype(np.uint8)


# -------------------------------------------------------------------------------------------------------------- pages
class Page:
    """A white page of `width` x `height` px (made even) with a title; panels are placed in px from the upper left."""

    def __init__(self, width, height, title):
        self.width, self.height = even(width), even(height)
        self.figure = Figure(figsize=(self.width / DPI, self.height / DPI), dpi=DPI, facecolor="white")
        self.canvas = FigureCanvasAgg(self.figure)
        middle = 1 - TITLE_PX / 2 / self.height
        self.title = self.figure.text(0.5, middle, title, ha="center", va="center", fontsize=11)

    def add_panel(self, left, top, width, height, caption=""):
        """Axes that fill a box of the page, with a caption above them."""
        box = (left / self.width, 1 - (top + height) / self.height, width / self.width, height / self.height)
        axes = self.figure.add_axes(box)
        axes.set(xticks=[], yticks=[])
        axes.set_title(caption, fontsize=10, pad=5)
        return axes

    def add_legend(self, names, colors, n_columns, opacities=None):
        """The class colors at the bottom of the page. names: as they are shown; opacities: 1 where not given."""
        handles = [
            Patch(facecolor=(*np.asarray(color) / 255, opacity), edgecolor="0.4", label=name)
            for name, color, opacity in zip(names, colors, opacities or [1] * len(names), strict=True)
        ]
        style = {"fontsize": 9, "frameon": False, "handlelength": 1.4, "columnspacing": 1.2, "borderaxespad": 0.2}
        self.figure.legend(handles=handles, loc="lower center", ncols=n_columns, **style)

    def pixels(self):
        """The page as it is now: (height, width, 3) uint8."""
        self.canvas.draw()
        return np.asarray(self.canvas.buffer_rgba())[..., :3].copy()


def legend_columns(width, names):
    """How many entries of a legend stand side by side on a page of `width` px."""
    entry = ENTRY_PX + LETTER_PX * max(map(len, names))
    return max(1, min(len(names), width // entry))


def legend_height(width, names):
    """Height in px of the legend of a page of `width` px."""
    return LEGEND_ROW_PX * -(-len(names) // legend_columns(width, names)) + 6


class ScenePage(Page):
    """A page with one 3D picture, its scale bar and a legend, for stills and rotations.

    legend: [(name as shown, remark, (red, green, blue) uint8, opacity)]; um_per_px: of the picture; room: the names
    for which the legend has room (those of another page whose picture is to have the same size).
    """

    def __init__(self, width, height, title, legend, um_per_px, room=()):
        super().__init__(width, height, title)
        names, remarks, colors, opacities = map(list, zip(*legend))
        self.scene_size = scene_size(width, height, room or names)
        texts = [name + remark for name, remark in zip(names, remarks)]
        self.add_legend(texts, colors, legend_columns(self.width, names), opacities)
        self.axes = self.add_panel(0, TITLE_PX, *self.scene_size)
        self.axes.axis("off")
        blank = np.full((self.scene_size[1], self.scene_size[0], 3), 255, np.uint8)
        self.shown = self.axes.imshow(blank, aspect="auto", interpolation="nearest")
        self._add_scale_bar(um_per_px)
        self.marks = [self.axes.text(0, 0, axis, ha="center", va="center", color="0.35", fontsize=10) for axis in "xyz"]
        self.note = self.axes.text(0.5, 0.5, "", transform=self.axes.transAxes, ha="center", va="center", fontsize=14)

    def _add_scale_bar(self, um_per_px):
        width, height = self.scene_size
        length_um = rendering.scale_bar_length_um(width * um_per_px)
        length_px, left, top = length_um / um_per_px, width - GAP_PX, height - GAP_PX
        self.axes.add_patch(Rectangle((left - length_px, top), length_px, 4, color="black"))
        self.axes.text(left - length_px / 2, top - 4, f"{length_um:g} µm", ha="center", va="bottom", fontsize=10)

    def draw(self, picture, axis_places, note=""):
        """The page with a (height, width, 3) picture of `scene_size`; (height, width, 3) uint8.

        axis_places: (3, 2) where to write x, y and z in the picture, px from the upper left; note: text in its middle.
        """
        self.shown.set_data(picture)
        for mark, place in zip(self.marks, axis_places, strict=True):
            mark.set_position(place)
        self.note.set_text(note)
        return self.pixels()


def scene_size(width, height, names):
    """(width, height) in px that a ScenePage with these names in its legend leaves for its picture."""
    return even(width), even(height) - TITLE_PX - legend_height(even(width), names)


class PanelPage(Page):
    """A grid of equal panels with captions that show (Y, X, 3) pictures of one slice; a scale bar in the first.

    captions: of the panels, row by row; shape: (Y, X) of the pictures; voxel_size_nm (z, y, x); legend: [(name,
    color)] or none; ramps: a (256, 3) color ramp for each panel, drawn below it as 0 to 1, or none.
    """

    def __init__(self, captions, n_columns, shape, voxel_size_nm, legend=(), ramps=()):
        size = np.array([shape[0] * voxel_size_nm[1], shape[1] * voxel_size_nm[2]])
        panel_height, panel_width = np.maximum(np.rint(PANEL_PX * size / size.max()), 40).astype(int)
        n_rows = -(-len(captions) // n_columns)
        below = RAMP_PX + 14 if len(ramps) else 0
        pitch = panel_height + CAPTION_PX + GAP_PX + below
        width = even(n_columns * panel_width + (n_columns + 1) * GAP_PX)
        names = [name for name, _ in legend]
        foot = legend_height(width, names) if legend else 0
        super().__init__(width, TITLE_PX + n_rows * pitch + foot, "")
        self.pictures = []
        for i, caption in enumerate(captions):
            left = GAP_PX + (i % n_columns) * (panel_width + GAP_PX)
            top = TITLE_PX + CAPTION_PX + i // n_columns * pitch
            axes = self.add_panel(left, top, panel_width, panel_height, caption)
            self.pictures.append(axes.imshow(np.zeros((*shape, 3), np.uint8), aspect="auto"))
            if i == 0:
                rendering.add_scale_bar(axes, voxel_size_nm)
            if len(ramps):
                self._add_ramp(ramps[i], left, top + panel_height + 4, panel_width)
        if legend:
            self.add_legend(names, [color for _, color in legend], legend_columns(width, names))

    def _add_ramp(self, ramp, left, top, width):
        axes = self.add_panel(left + width * 0.2, top, width * 0.6, RAMP_PX)
        axes.imshow(ramp[None], aspect="auto")
        for x, align, text in ((-0.03, "right", "0"), (1.03, "left", "1")):
            axes.text(x, 0.5, text, transform=axes.transAxes, ha=align, va="center", fontsize=8)

    def draw(self, title, pictures):
        """The page with this title and these pictures ((Y, X, 3) uint8; None: unchanged); (height, width, 3) uint8."""
        self.title.set_text(title)
        for shown, picture in zip(self.pictures, pictures, strict=True):
            if picture is not None:
                shown.set_data(picture)
        return self.pixels()
