"""What the figure scripts share: the look, the palette of the experiments, names, and writing a PNG."""

import re

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import seaborn as sns

from densecell import files
from densecell.classes import UNLABELLED

MEASURES = {"miou_all": "mean IoU, all classes", "miou_org": "mean IoU, organelles"}


def new_figure(width, height, n_rows=1, n_columns=1, **options):
    """A figure in inches with a 2D array of Axes, in the style of all figures."""
    sns.set_theme(context="paper", style="ticks", font_scale=1.1)
    plt.close("all")
    return plt.subplots(n_rows, n_columns, figsize=(width, height), squeeze=False, layout="constrained", **options)


def experiment_palette(names):
    """{experiment: color} from seaborn's colorblind palette, in the order of first appearance."""
    names = list(dict.fromkeys(names))
    return dict(zip(names, sns.color_palette("colorblind", max(len(names), 1))))


def display_name(name):
    """A predictor or class as people read it: top3 -> top 3, annotator_1 -> annotator 1, dense_core -> dense core."""
    return re.sub(r"\b(top|seed)(?=\d)", r"\1 ", str(name).replace("_", " "))


def classes_per_slice(volume):
    """Number of classes in each slice of a label volume: (Z,) int."""
    counts = []
    for start, stop in volume.slabs():
        counts += [len(np.setdiff1d(plane, [UNLABELLED])) for plane in volume[start:stop]]
    return np.array(counts)


def save(figure, path, dpi, record):
    """Write the figure as PNG, whole or not at all; equal figures give equal bytes."""
    with files.writing(path, record) as partial:
        figure.savefig(partial, format="png", dpi=dpi, metadata={"Software": None})
    plt.close(figure)
