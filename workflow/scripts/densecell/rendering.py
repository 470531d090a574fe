"""Pictures of label maps: class colors, scale bars, legends, and the choice of slices to show.

Colors are an argument of every function; 255 (unlabelled) is drawn as gray hatching, which no class has.
"""

import numpy as np
from matplotlib import patheffects
from matplotlib.colors import to_rgb
from matplotlib.patches import Patch, Rectangle

from densecell.classes import UNLABELLED

LIGHT_GRAY, DARK_GRAY = 205, 145
HATCHES_PER_SIDE = 25
SCALE_BAR_SHARE = 0.25  # of the picture's width, at most
SCALE_BAR_STEPS = (1, 2, 5)
OUTLINE = [patheffects.withStroke(linewidth=2.5, foreground="black")]


def class_colors(colors, class_names):
    """(n_classes, 3) uint8 RGB from {class name: "#rrggbb"}. Raises ValueError naming the classes without a color."""
    missing = [name for name in class_names if name not in colors]
    if missing:
        raise ValueError(
            f'figures.colors: expected a color "#rrggbb" for each class, found none for {", ".join(missing)}'
        )
    return np.array([np.rint(255 * np.array(to_rgb(colors[name]))) for name in class_names], dtype=np.uint8)


def hatching(shape):
    """(Y, X, 3) uint8 gray diagonal stripes, about HATCHES_PER_SIDE across the shorter side."""
    period = max(4, min(shape) // HATCHES_PER_SIDE)
    y, x = np.indices(shape)
    stripe = (y + x) % period < max(1, period // 3)
    return np.where(stripe, DARK_GRAY, LIGHT_GRAY).astype(np.uint8)[..., None].repeat(3, axis=2)


def color_labels(labels, colors):
    """RGB picture (Y, X, 3) uint8 of a class map (Y, X) of classes 0 to n - 1 and 255 = unlabelled.

    colors: (n, 3) uint8 from `class_colors`. Raises ValueError for a label without a color.
    """
    labels, colors = np.asarray(labels), np.asarray(colors, dtype=np.uint8)
    labelled = labels != UNLABELLED
    if (labels[labelled] >= len(colors)).any():
        found = np.unique(labels[labelled]).tolist()
        raise ValueError(f"labels: expected classes 0 to {len(colors) - 1} or 255, found {found}")
    picture = colors[np.where(labelled, labels, 0)]
    return np.where(labelled[..., None], picture, hatching(labels.shape))


def gray_range(image, low=0.5, high=99.5):
    """(darkest, brightest) values between which to show an image: two percentiles, never equal."""
    darkest, brightest = np.percentile(image, (low, high))
    return float(darkest), float(brightest if brightest > darkest else darkest + 1)


def mark_disagreement(image, wrong, color=(230, 75, 0)):
    """Gray image (Y, X) with the voxels of `wrong` (Y, X) bool painted over: RGB (Y, X, 3) uint8."""
    darkest, brightest = gray_range(image)
    gray = np.clip((np.asarray(image, np.float64) - darkest) / (brightest - darkest), 0, 1)
    picture = np.rint(90 + 165 * gray).astype(np.uint8)[..., None].repeat(3, axis=2)
    picture[wrong] = color
    return picture


def informative_slices(n_classes_per_slice, n_slices):
    """Which slices to show: from each of n_slices equal parts of the stack the one with the most classes.

    n_classes_per_slice: (Z,) number of classes in each slice. Of equal slices the one nearest the middle of its part
    is taken. Returns sorted z indices, fewer than n_slices for a thinner stack.
    """
    counts = np.asarray(n_classes_per_slice)
    chosen = []
    for part in np.array_split(np.arange(len(counts)), min(n_slices, len(counts))):
        off_center = np.abs(part - part.mean())
        chosen.append(int(part[np.lexsort((off_center, -counts[part]))[0]]))
    return chosen


def scale_bar_length_um(width_um):
    """The longest of 1, 2, 5 times a power of ten that fits SCALE_BAR_SHARE of the width, in micrometers."""
    longest = width_um * SCALE_BAR_SHARE
    power = 10.0 ** np.floor(np.log10(longest))
    return float(max(step * power for step in SCALE_BAR_STEPS if step * power <= longest * (1 + 1e-9)))


def add_scale_bar(axes, voxel_size_nm):
    """Draw a labelled scale bar into the lower right of Axes that show a (Y, X) picture in pixels.

    voxel_size_nm: (z, y, x); only x is used. White with a black outline, so that it shows on any picture.
    """
    (left, right), (bottom, top) = sorted(axes.get_xlim()), sorted(axes.get_ylim())
    width, height = right - left, top - bottom
    length_um = scale_bar_length_um(width * voxel_size_nm[2] * 1e-3)
    length_px = length_um * 1e3 / voxel_size_nm[2]
    x, y = right - 0.04 * width - length_px, top - 0.05 * height
    bar = Rectangle((x, y - 0.018 * height), length_px, 0.018 * height, color="white", path_effects=OUTLINE)
    axes.add_patch(bar)
    style = {"ha": "center", "va": "bottom", "color": "white", "fontsize": 9, "fontweight": "bold"}
    axes.text(x + length_px / 2, y - 0.035 * height, f"{length_um:g} µm", path_effects=OUTLINE, **style)


def class_legend(figure, class_names, colors, with_unlabelled=False):
    """Put a legend of the class colors below the panels of a figure with constrained layout.

    colors: (n, 3) uint8 from `class_colors`. Returns the legend.
    """
    handles = [
        Patch(facecolor=color / 255, edgecolor="0.4", label=name.replace("_", " "))
        for name, color in zip(class_names, np.asarray(colors))
    ]
    if with_unlabelled:
        light, dark = LIGHT_GRAY / 255, DARK_GRAY / 255
        handles.append(Patch(facecolor=(light,) * 3, edgecolor=(dark,) * 3, hatch="////", label="unlabelled"))
    per_row = max(2, int(figure.get_figwidth() // 1.45))
    return figure.legend(handles=handles, loc="outside lower center", ncols=min(per_row, len(handles)), frameon=False)


def show_slice(axes, picture, voxel_size_nm, **options):
    """Show a (Y, X) or (Y, X, 3) picture in physical proportions, without ticks. Returns what imshow does."""
    shown = axes.imshow(picture, aspect=voxel_size_nm[1] / voxel_size_nm[2], **options)
    axes.set(xticks=[], yticks=[])
    return shown
