"""What the figures of objects share: dots of single objects, one column per volume, with their mean, and which of them count."""

import numpy as np
from matplotlib.lines import Line2D

from figure_output import display_name

NOT_WHOLE = {"touches_border", "orphan", "container_touches_border"}  # flags of objects that no mean counts
WIDTH, BINS = 0.34, 30  # of a column's dots, to either side; rows in which dots lie side by side
EDGE = "0.25"
UNITS = {"um": "µm", "um2": "µm²", "um3": "µm³", "deg": "°"}


def in_words(name, unit):
    """A measure with its unit, as people read it."""
    unit = UNITS.get(unit, str(unit))  # a column of ones is read as numbers
    for suffix in ("_um3", "_um2", "_um", "_nm", "_percent", "_deg"):
        name = name.removesuffix(suffix)
    return display_name(name) if unit in ("1", "") else f"{display_name(name)} ({unit})"


def is_whole(flags):
    """Which objects count, by their flags, words with spaces between: (n,) bool."""
    return np.array([not NOT_WHOLE & set(str(flag).split()) for flag in flags], bool)


def swarm(values, low, high):
    """Sideways offsets (-WIDTH to WIDTH) that set dots of nearly equal values beside each other; the values' order decides, no chance.

    values: (n,) numbers; low, high: the range of the axis.
    """
    values = np.asarray(values, float)
    row = np.floor((values - low) / max(high - low, 1e-300) * BINS)
    offsets, widest = np.zeros(len(values)), 1
    for one in np.unique(row):
        at = np.flatnonzero(row == one)
        at = at[np.argsort(values[at], kind="stable")]
        sides = np.where(np.arange(len(at)) % 2, -1, 1)
        offsets[at] = sides * ((np.arange(len(at)) + 1) // 2)
        offsets[at] -= offsets[at].mean()
        widest = max(widest, len(at) / 2)
    return offsets * min(WIDTH / widest, WIDTH / 4)


def draw_columns(axes, columns, color):
    """Dots of objects above the names of their volumes, with mean and SD (n - 1) of those that are whole.

    columns: {volume: (values (n,), is_whole (n,) bool)}, values may be NaN. Objects that are not whole are hollow.
    """
    known = np.concatenate([values[np.isfinite(values)] for values, _ in columns.values()] or [np.zeros(0)])
    low, high = (known.min(), known.max()) if len(known) else (0, 1)
    names = []
    for x, (name, (values, whole)) in enumerate(columns.items()):
        kept = np.isfinite(values)
        values, whole = values[kept], whole[kept]
        places = x + swarm(values, low, high)
        size = float(np.clip(5 - len(values) / 100, 1.5, 5))
        style = {"markersize": size, "markeredgecolor": EDGE, "markeredgewidth": 0.5}
        axes.plot(places[~whole], values[~whole], "o", markerfacecolor="none", **style)
        axes.plot(places[whole], values[whole], "o", markerfacecolor=color, alpha=0.85, **style)
        counted = values[whole]
        if len(counted):
            spread = counted.std(ddof=1) if len(counted) > 1 else 0
            axes.errorbar(
                x + 0.42, counted.mean(), spread, fmt="_", color="black", markersize=9, capsize=3, linewidth=1.3
            )
        names.append(f"{display_name(name)}\nn = {len(counted)}")
    axes.set_xticks(range(len(columns)), names)
    axes.set_xlim(-0.6, len(columns) - 0.3)
    axes.spines[["top", "right"]].set_visible(False)
    if not len(known):
        axes.text(0.5, 0.5, "none could be measured", ha="center", va="center", transform=axes.transAxes, color="0.4")
        axes.set_yticks([])


def dot_legend(figure, color, what="an object"):
    """What dots and bars mean, below the panels."""
    style = {"marker": "o", "linestyle": "", "markersize": 5, "markeredgecolor": EDGE, "markeredgewidth": 0.5}
    hollow = "not whole (cut by the volume's border, or in no cell): not counted"
    handles = [
        Line2D([], [], markerfacecolor=color, label=what, **style),
        Line2D([], [], markerfacecolor="none", label=hollow, **style),
        Line2D([], [], color="black", marker="_", markersize=9, linewidth=0, label="mean of those counted, one SD"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
