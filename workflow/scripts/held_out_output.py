"""What the figures of held-out scores share: names, and how draws and their mean are drawn."""

import numpy as np
from matplotlib.lines import Line2D

MEASURES = {"dice": "Dice", "precision": "precision", "recall": "recall"}
GAP = 0.03  # share of the width of the axis between experiments at the same place


def class_name(name):
    """A class as people read it."""
    return str(name).replace("_", " ")


def dodges(names, width):
    """{name: offset}: where experiments are drawn side by side at one place of an axis `width` wide."""
    names = list(names)
    return {name: (i - (len(names) - 1) / 2) * GAP * width for i, name in enumerate(names)}


def draw_spread(axes, x, values, color, width):
    """Each draw as a small circle at x; their mean with one standard deviation (n - 1) a little to its right, where there are two or
    more. width: of the axis."""
    values = np.asarray(values, float)
    values = values[~np.isnan(values)]
    axes.plot(np.full(values.size, x), values, "o", color=color, alpha=0.45, markersize=3.5, markeredgewidth=0)
    if values.size > 1:
        mean_bar(axes, x + 0.3 * GAP * width, values.mean(), values.std(ddof=1), color)


def mean_bar(axes, x, mean, spread, color):
    """A mean with one standard deviation. Returns the handle for a legend."""
    return axes.errorbar(x, mean, spread, fmt="_", color=color, markersize=7, capsize=2.5, linewidth=1.3)


def spread_handles(axes):
    """Legend entries (handles, labels) of circles and means."""
    circle = Line2D([], [], color="0.4", marker="o", markersize=3.5, linestyle="")
    return [circle, mean_bar(axes, [], [], [], "0.4")], ["a draw", "mean of the draws, one SD"]


def set_scores(columns):
    """The y axes of the panels, columns of which share theirs: from a round number below the lowest score to just above 1.

    columns: [(axes of the topmost panel, scores)].
    """
    for axes, scores in columns:
        scores = np.asarray(scores, float)
        lowest = np.nanmin(scores) if np.isfinite(scores).any() else 0
        bottom = max(0, np.floor(20 * lowest - 0.5) / 20)
        axes.set_ylim(bottom, 1 + 0.03 * (1 - bottom))


def tidy(panels):
    """No frame above and at the right of the panels."""
    for axes in panels.ravel():
        axes.spines[["top", "right"]].set_visible(False)
