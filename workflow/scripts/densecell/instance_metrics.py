"""Scores of numbered objects against known ones, all from one table of how many voxels each pair of numbers shares.

The table is counted slab by slab, so a volume is read once. Voxels nobody labelled (`classes.UNLABELLED_INSTANCE` in the reference)
are never counted. Variation of information (Meila 2007, doi 10.1016/j.jmva.2006.11.013) and the adapted Rand error (Arganda-Carreras et al. 2015,
doi 10.3389/fnana.2015.00142) are scikit-image's; panoptic quality is that of Kirillov et al. 2019 (doi 10.1109/CVPR.2019.00963).
"""

import numpy as np
import pandas as pd
from scipy.sparse import csr_array
from skimage.metrics import adapted_rand_error, variation_of_information

from densecell.classes import UNLABELLED_INSTANCE

THRESHOLDS = tuple(round(0.5 + 0.05 * i, 2) for i in range(10))  # of IoU
PAIRS = ["reference", "predicted", "voxels"]
COLUMNS = ["instance", "threshold", "measure", "value", "unit"]


# ------------------------------------------------------------------------------------------------------------ counting
class PairCounts:
    """Counts the voxels of each pair of numbers, slab by slab."""

    def __init__(self):
        self._keys, self._voxels, self._waiting, self._n_waiting = np.zeros(0, np.uint64), np.zeros(0, np.int64), [], 0

    def add(self, reference, predicted):
        """Add slabs (any shape, equal for both) of numbers below 2^32; 0 is no object. Raises ValueError for other sizes."""
        reference, predicted = np.asarray(reference), np.asarray(predicted)
        if reference.shape != predicted.shape:
            raise ValueError(
                f"expected reference and objects of one size, found {reference.shape} and {predicted.shape}; make both for one volume"
            )
        a, b = np.ascontiguousarray(reference).reshape(-1), np.ascontiguousarray(predicted).reshape(-1)
        if not a.size:
            return
        differs = np.ones(a.size, bool)
        np.not_equal(a[1:], a[:-1], out=differs[1:])
        differs[1:] |= b[1:] != b[:-1]
        start = np.flatnonzero(differs)  # of stretches in which neither changes
        length = np.diff(start, append=a.size)
        known = (a[start] != UNLABELLED_INSTANCE) & (b[start] != UNLABELLED_INSTANCE)
        keys = (a[start[known]].astype(np.uint64) << np.uint64(32)) | b[start[known]].astype(np.uint64)
        self._wait(*_summed(keys, length[known]))

    def join(self, other):
        """Add what another PairCounts has counted."""
        other._join()
        self._wait(other._keys, other._voxels)

    def _wait(self, keys, voxels):
        self._waiting.append((keys, voxels))
        self._n_waiting += len(keys)
        if self._n_waiting > len(self._keys):  # joined when they have doubled, so that each is sorted a few times only
            self._join()

    def _join(self):
        parts = [(self._keys, self._voxels), *self._waiting]
        self._keys, self._voxels = _summed(*(np.concatenate(column) for column in zip(*parts)))
        self._waiting, self._n_waiting = [], 0

    def table(self):
        """A row (PAIRS) for each pair of numbers that occurs, ordered by both."""
        self._join()
        numbers = (self._keys >> np.uint64(32)).astype(np.int64), (self._keys & np.uint64(2**32 - 1)).astype(np.int64)
        return pd.DataFrame(dict(zip(PAIRS, (*numbers, self._voxels))))


def _summed(keys, voxels):
    keys, inverse = np.unique(keys, return_inverse=True)
    total = np.bincount(inverse.reshape(-1), weights=voxels, minlength=len(keys))
    return keys, total.astype(np.int64)


# ------------------------------------------------------------------------------------------------------------- objects
def sizes(pairs, side):
    """Voxels of each object of one side, "reference" or "predicted": a Series by number, without 0."""
    found = pairs.groupby(side)["voxels"].sum()
    return found[found.index != 0]


def shared_pairs(pairs):
    """The pairs of two objects, with `dice` and `iou` of each; ordered by reference, then by predicted number."""
    both = pairs[(pairs["reference"] != 0) & (pairs["predicted"] != 0)].reset_index(drop=True)
    total = sizes(pairs, "reference").loc[both["reference"]].to_numpy()
    total = total + sizes(pairs, "predicted").loc[both["predicted"]].to_numpy()
    return both.assign(dice=2 * both["voxels"] / total, iou=both["voxels"] / (total - both["voxels"]))


def dice_of_objects(pairs, first_orphan=None):
    """Dice of each known object, a DataFrame by its number: voxels, `dice_by_id`, of the object with the same number, 0 where there
    is none or where it is an orphan, as numbers from first_orphan on are; `dice_by_overlap`, of the object with which it shares most voxels (of equals the smaller number), and its number.
    """
    known, shared = sizes(pairs, "reference"), shared_pairs(pairs)
    same = shared[shared["reference"] == shared["predicted"]].set_index("reference")
    same = same[same["predicted"] < (np.inf if first_orphan is None else first_orphan)]
    most = shared.sort_values(["reference", "voxels", "predicted"], ascending=[True, False, True])
    most = most.drop_duplicates("reference").set_index("reference")
    found = pd.DataFrame({"voxels": known})
    found["dice_by_id"] = same["dice"].reindex(known.index, fill_value=0.0)
    found["dice_by_overlap"] = most["dice"].reindex(known.index, fill_value=0.0)
    found["overlapping_instance"] = most["predicted"].reindex(known.index, fill_value=0)
    return found


def matched(pairs, threshold):
    """{measure: value} of objects that are one where their IoU is above a threshold of at least 0.5, which makes them unique.

    precision: matched over predicted objects; recall: over known ones; f1; average_precision: matched over all that are there on
    either side; segmentation_quality: mean IoU of the matched; panoptic_quality: that times f1. NaN where nothing divides.
    """
    iou = shared_pairs(pairs)["iou"]
    iou = iou[iou > threshold]
    n_known, n_found, n = len(sizes(pairs, "reference")), len(sizes(pairs, "predicted")), len(iou)
    quality, f1 = _ratio(iou.sum(), n), _ratio(2 * n, n_known + n_found)
    return {
        "n_matched": float(n),
        "precision": _ratio(n, n_found),
        "recall": _ratio(n, n_known),
        "f1": f1,
        "average_precision": _ratio(n, n_known + n_found - n),
        "segmentation_quality": quality,
        "panoptic_quality": quality * f1 if n else f1,
    }


def _ratio(numerator, denominator):
    return float(numerator) / float(denominator) if denominator else float("nan")


# -------------------------------------------------------------------------------------------------------- whole volumes
def partition_measures(pairs):
    """{measure: value} of how the voxels of known objects are shared out among predicted ones; predicted 0 counts as one object.

    vi_split and vi_merge: conditional entropies in bits, of the prediction given the reference (one object in several) and the
    reverse; vi: their sum. adapted_rand_error, _precision and _recall: of pairs of voxels. NaN where there is no known object.
    """
    known = pairs[pairs["reference"] != 0]
    names = ("vi", "vi_split", "vi_merge", "adapted_rand_error", "adapted_rand_precision", "adapted_rand_recall")
    if not len(known):
        return dict.fromkeys(names, float("nan"))
    rows, columns = (np.unique(known[side], return_inverse=True)[1].reshape(-1) for side in ("reference", "predicted"))
    table = csr_array((known["voxels"].to_numpy(float), (rows, columns)))
    none = np.zeros(0, int)  # scikit-image compares the shapes of two images even where a table is given
    split, merge = variation_of_information(none, none, table=table / table.sum())
    with np.errstate(invalid="ignore"):  # objects of single voxels have no pairs
        # its names hold for rows of the prediction: precision is divided by the pairs within predicted objects
        error, precision, recall = adapted_rand_error(table=table.T.tocsr())
    values = (split + merge, split, merge, error, precision, recall)
    return dict(zip(names, (float(value) + 0.0 for value in values)))


def foreground_dice(pairs):
    """Dice of all objects together, whatever their numbers; 1 where both sides have none."""
    known, found = sizes(pairs, "reference").sum(), sizes(pairs, "predicted").sum()
    both = pairs.loc[(pairs["reference"] != 0) & (pairs["predicted"] != 0), "voxels"].sum()
    return float(2 * both / (known + found)) if known + found else 1.0


def instance_table(pairs, first_orphan=None):
    """All scores of a table of pairs, tidy (COLUMNS): of each known object (`instance`), of all (instance 0), and of all at an
    IoU (`threshold`, else NaN). Standard deviations are of a sample, NaN of fewer than two objects.
    first_orphan: of `dice_of_objects`.
    """
    objects, rows = dice_of_objects(pairs, first_orphan), []
    for name, unit in (
        ("voxels", "voxel"),
        ("dice_by_id", "1"),
        ("dice_by_overlap", "1"),
        ("overlapping_instance", ""),
    ):
        rows += [(i, np.nan, name, float(value), unit) for i, value in objects[name].items()]
    for name in ("dice_by_id", "dice_by_overlap"):
        rows.append((0, np.nan, f"mean_{name}", objects[name].mean(), "1"))
        rows.append((0, np.nan, f"sd_{name}", objects[name].std(ddof=1), "1"))
    rows.append((0, np.nan, "n_reference", float(len(objects)), "object"))
    rows.append((0, np.nan, "n_predicted", float(len(sizes(pairs, "predicted"))), "object"))
    rows.append((0, np.nan, "n_voxels", float(pairs["voxels"].sum()), "voxel"))
    rows.append((0, np.nan, "foreground_dice", foreground_dice(pairs), "1"))
    for name, value in partition_measures(pairs).items():
        rows.append((0, np.nan, name, value, "bit" if name.startswith("vi") else "1"))
    of_all = {threshold: matched(pairs, threshold) for threshold in THRESHOLDS}
    for threshold, measures in of_all.items():
        rows += [(0, threshold, n, value, "object" if n == "n_matched" else "1") for n, value in measures.items()]
    precisions = [measures["average_precision"] for measures in of_all.values()]
    rows.append((0, np.nan, "mean_average_precision", float(np.mean(precisions)), "1"))
    return pd.DataFrame(rows, columns=COLUMNS)
