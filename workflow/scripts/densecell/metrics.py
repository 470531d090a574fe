"""Confusion tables and the overlap measures computed from them.

Voxels are counted once, per z-slice, into a tidy table: both labels of a voxel make one number, and a histogram of these
numbers is the confusion matrix. Every measure is a function of a confusion matrix
(rows = reference, columns = predicted), so a new one needs no second look at the volumes.
"""

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd

from densecell.classes import ORGANELLE, UNLABELLED
from densecell.histograms import joint_counts

KEY_COLUMNS = ["volume", "region", "reference", "experiment", "predictor"]
CONFUSION_COLUMNS = ["class", "predicted_class", "z", "measure", "value", "unit"]


def confusion_counts(reference, predicted, n_classes, valid=None, counted=None):
    """Count voxels by reference and predicted class, slice by slice.

    reference, predicted: (Z, Y, X) class maps of one slab; reference 255 = unlabelled, which is left out.
    valid: (Z, Y, X) bool or None (everywhere). counted: (n_classes,) bool or None (all), the reference classes whose
    voxels are read; to score inside the reference cell only, leave out the background.
    Returns (Z, n_classes, n_classes) int64; rows are the reference. Concatenate slabs along z.
    Raises ValueError for shapes that differ, for a reference label on a valid voxel that no class has and for such a
    prediction where the reference is read.
    """
    reference, predicted = np.asarray(reference), np.asarray(predicted)
    if reference.ndim != 3 or reference.shape != predicted.shape:
        raise ValueError(
            f"expected reference and predicted of one (Z, Y, X) shape, found {reference.shape} and "
            f"{predicted.shape}; crop both to the same region"
        )
    is_counted = np.full(n_classes, True) if counted is None else np.asarray(counted, dtype=bool)
    counts = np.zeros((len(reference), n_classes, n_classes), dtype=np.int64)
    for z in range(len(reference)):
        slice_valid = None if valid is None else valid[z]
        rows = read_labels(reference[z], n_classes, slice_valid)
        table = joint_counts(rows, n_classes + 1, read_labels(predicted[z], n_classes), n_classes + 1)[:n_classes]
        refuse_unknown_labels(reference[z], n_classes, table.sum(), slice_valid, "reference")
        if table[is_counted, n_classes].any():
            refuse_values(predicted[z][np.append(is_counted, False)[rows]], n_classes, "predicted")
        counts[z, is_counted] = table[is_counted, :n_classes]
    return counts


def read_labels(labels, n_classes, valid=None):
    """Class of each voxel that is to be read, and `n_classes` for every other label and every invalid voxel.

    labels: integers of any shape. valid: bool of that shape or None (everywhere). Returns a new array, uint8.
    """
    if labels.dtype == np.uint8:
        read = np.minimum(labels, n_classes)
    else:
        read = np.where((labels < 0) | (labels > n_classes), n_classes, labels).astype(np.uint8)
    if valid is not None:
        if np.shape(valid) != labels.shape:
            raise ValueError(f"valid: expected the shape of the labels {labels.shape}, found {np.shape(valid)}")
        np.copyto(read, n_classes, where=~np.asarray(valid, dtype=bool))
    return read


def refuse_unknown_labels(labels, n_classes, n_read, valid=None, name="labels"):
    """Raise ValueError, with their values, when valid labels other than 255 are more than the `n_read` that were read."""
    labelled = labels != UNLABELLED
    if valid is not None:
        labelled &= np.asarray(valid, dtype=bool)
    if np.count_nonzero(labelled) != n_read:
        refuse_values(labels[labelled], n_classes, name)


def refuse_values(values, n_classes, name):
    """Raise ValueError, with their values, for labels that no class has."""
    found = [value for value in np.unique(values).tolist() if not 0 <= value < n_classes]
    if found:
        raise ValueError(
            f"{name}: expected classes 0 to {n_classes - 1}, found {found}; "
            "compare the classes in the config with those the labels or the network were made with"
        )


def confusion_table(counts, class_names, z_start=0, **keys):
    """Tidy table of confusion counts, one row for each slice, reference class and predicted class.

    counts: (Z, n, n) from `confusion_counts`. z_start: index of the first slice in the volume.
    keys: the value of each of KEY_COLUMNS, and of further key columns where a comparison has them
    (a mask, a draw).
    Columns: the keys, class (reference), predicted_class, z, measure = "voxels", value, unit = "voxel".
    """
    missing = [key for key in KEY_COLUMNS if key not in keys]
    if missing:
        raise ValueError(f"confusion table: expected the key columns {KEY_COLUMNS}, found none for {missing}")
    counts, names = np.asarray(counts), np.asarray(class_names, dtype=object)
    n = len(names)
    if counts.ndim != 3 or counts.shape[1:] != (n, n):
        raise ValueError(f"counts: expected (Z, {n}, {n}) for {n} class names, found {counts.shape}")
    z, rows, columns = (index.ravel() for index in np.indices(counts.shape))
    return pd.DataFrame(
        {
            **keys,
            "class": names[rows],
            "predicted_class": names[columns],
            "z": z + z_start,
            "measure": "voxels",
            "value": counts.ravel(),
            "unit": "voxel",
        }
    )


def key_columns(table):
    """Names of the key columns of a confusion table: all that say what was compared."""
    return [column for column in table.columns if column not in CONFUSION_COLUMNS]


def pool(table, class_names=None):
    """Sum a confusion table over z: one matrix for each comparison.

    class_names: order of the classes; None takes the order in which the table first names them.
    Returns {key tuple in the order of `key_columns(table)`: (n, n) int64}. Raises ValueError for a class
    without a name in class_names and for a slice that is in the table twice, which would be counted twice.
    """
    keys = key_columns(table)
    names = list(class_names) if class_names is not None else list(pd.unique(table["class"]))
    found = set(table["class"]) | set(table["predicted_class"])
    if not found <= set(names):
        raise ValueError(f"confusion table: expected the classes {names}, found also {sorted(found - set(names))}")
    if table.duplicated([*keys, "z", "class", "predicted_class"]).any():
        raise ValueError("confusion table: expected each slice of a comparison once, found repeated rows")
    index = {name: i for i, name in enumerate(names)}
    pooled = {}
    for key, rows in table.groupby(keys, sort=False, dropna=False):
        matrix = np.zeros((len(names), len(names)), dtype=np.int64)
        at = (rows["class"].map(index).to_numpy(), rows["predicted_class"].map(index).to_numpy())
        np.add.at(matrix, at, rows["value"].to_numpy().astype(np.int64))
        pooled[key] = matrix
    return pooled


def _ratio(numerator, denominator):
    """numerator / denominator, NaN where the denominator is 0."""
    numerator, denominator = (
        np.asarray(numerator, dtype=np.float64),
        np.asarray(denominator, dtype=np.float64),
    )
    return np.divide(numerator, denominator, out=np.full(denominator.shape, np.nan), where=denominator > 0)


def _mean_defined(values):
    """Mean of the values that are not NaN; NaN where none is."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if values.size else float("nan")


def _organelles(groups):
    return np.asarray(groups) == ORGANELLE


def iou(confusion, groups=None):
    """Intersection over union of each class; NaN for a class absent from both."""
    true_positives = np.diag(confusion)
    return _ratio(true_positives, confusion.sum(axis=1) + confusion.sum(axis=0) - true_positives)


def dice(confusion, groups=None):
    """Dice coefficient of each class, 2 |A and B| / (|A| + |B|); NaN for a class absent from both."""
    return _ratio(2 * np.diag(confusion), confusion.sum(axis=1) + confusion.sum(axis=0))


def precision(confusion, groups=None):
    """Share of the voxels predicted as a class that are of it; NaN for a class that is never predicted."""
    return _ratio(np.diag(confusion), confusion.sum(axis=0))


def recall(confusion, groups=None):
    """Share of a class's reference voxels that are found; NaN for a class absent from the reference."""
    return _ratio(np.diag(confusion), confusion.sum(axis=1))


def miou_all(confusion, groups):
    """Mean IoU over all classes, MIoU(all) of Guay et al. 2021."""
    return _mean_defined(iou(confusion))


def miou_org(confusion, groups):
    """Mean IoU over the organelle classes, MIoU(org) of Guay et al. 2021."""
    return _mean_defined(iou(confusion)[_organelles(groups)])


def frequency_weighted_iou(confusion, groups):
    """IoU averaged with each class's share of the reference voxels as its weight."""
    frequency = confusion.sum(axis=1)
    return float(_ratio(np.nansum(iou(confusion) * frequency), frequency.sum()))


def mean_organelle_accuracy(confusion, groups):
    """Mean recall of the organelle classes: the diagonal of the row-normalized confusion matrix."""
    return _mean_defined(recall(confusion)[_organelles(groups)])


def pixel_accuracy(confusion, groups):
    """Share of all counted voxels whose class is right."""
    return float(_ratio(np.trace(confusion), confusion.sum()))


class Metric(NamedTuple):
    """A measure of a confusion matrix and its scope: each "class", "all" classes or the "organelles"."""

    function: Callable
    scope: str

    def __call__(self, confusion, groups):
        return self.function(np.asarray(confusion), groups)


METRICS = {
    "iou": Metric(iou, "class"),
    "dice": Metric(dice, "class"),
    "precision": Metric(precision, "class"),
    "recall": Metric(recall, "class"),
    "miou_all": Metric(miou_all, "all"),
    "miou_org": Metric(miou_org, "organelles"),
    "frequency_weighted_iou": Metric(frequency_weighted_iou, "all"),
    "mean_organelle_accuracy": Metric(mean_organelle_accuracy, "organelles"),
    "pixel_accuracy": Metric(pixel_accuracy, "all"),
}


def find_metric(name):
    """The metric of this name. Raises ValueError listing the known ones."""
    if name not in METRICS:
        raise ValueError(f"metrics: expected one of {', '.join(METRICS)}, found '{name}'")
    return METRICS[name]


def metrics_table(confusion_df, class_names, groups, metrics=tuple(METRICS)):
    """Measures of every comparison in a confusion table, pooled over its slices.

    class_names: (n,) names in label order. groups: (n,) 0 background, 1 cell, 2 organelle.
    Returns a tidy table: key columns, class (a name, "all" or "organelles"), measure, value, unit = "1". NaN
    classes are left out of means; how many were left out of the mean IoU (absent from both) and of the mean
    accuracy (absent from the reference) are the measures n_classes_left_out and
    n_classes_left_out_of_accuracy, unit "class".
    """
    if len(class_names) != len(groups):
        raise ValueError(f"groups: expected one for each of {len(class_names)} classes, found {len(groups)}")
    chosen = {name: find_metric(name) for name in metrics}
    keys = key_columns(confusion_df)
    rows = []
    for key, confusion in pool(confusion_df, class_names).items():
        for name, metric in chosen.items():
            values = np.atleast_1d(metric(confusion, groups))
            subjects = class_names if metric.scope == "class" else [metric.scope]
            rows += [(*key, *pair, "1") for pair in zip(subjects, [name] * len(values), values, strict=True)]
        undefined, unreferenced = np.isnan(iou(confusion)), np.isnan(recall(confusion))
        organelles = _organelles(groups)
        rows.append((*key, "all", "n_classes_left_out", undefined.sum(), "class"))
        rows.append((*key, "organelles", "n_classes_left_out", undefined[organelles].sum(), "class"))
        rows.append((*key, "organelles", "n_classes_left_out_of_accuracy", unreferenced[organelles].sum(), "class"))
    return pd.DataFrame(rows, columns=[*keys, "class", "measure", "value", "unit"]).astype({"value": float})
