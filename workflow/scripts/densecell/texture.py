"""Texture of an object: co-occurrence of gray levels, zones of one level, and the table of all measures.

Source: Machireddy et al. 2023; co-occurrence after Haralick et al. 1973 (doi 10.1109/TSMC.1973.4309314), zones after
Thibault et al. 2013 (doi 10.1109/TBME.2013.2284600). Two formulas are printed with slips; both the standard reading and, with
the ending ``_printed``, the printed one are measured (docs/method.md). Arrays are (Z, Y, X); a neighbor is a neighboring voxel, so
objects are made isotropic first where voxels are not (`isotropic.py`).
"""

import itertools

import numpy as np
from skimage.measure import label

from densecell import isotropic, pattern_spectrum

LEVELS = 32
SMALLEST_VOXELS = 50  # below, nothing is measured: as for morphology
OFFSETS = [
    o for o in itertools.product((-1, 0, 1), repeat=3) if o > (0, 0, 0)
]  # 13 of 26: the others are their opposites
CONNECTIVITIES = {6: 1, 18: 2, 26: 3}  # neighbors -> the steps along axes that skimage counts

UNITS = {"zone_size_mean": "voxels", "n_zones": "1", "voxels": "voxels", "voxel_nm": "nm"}
UNITS |= dict.fromkeys(("gray_low", "gray_high"), "gray value")


def quantize(image, mask, levels=LEVELS, gray_range=None):
    """Gray levels 1 to `levels` inside the mask, 0 outside: (Z, Y, X) uint8, or uint16 above 255 levels.

    image: (Z, Y, X) numbers; mask: bool. gray_range: (darkest, brightest), between which all levels are equally wide and values
    beyond which belong to the last ones; None: of the object itself, which makes its texture independent of brightness and
    contrast. A constant object has level 1.
    """
    values = image[mask].astype(np.float64)
    out = np.zeros(image.shape, np.uint8 if levels <= 255 else np.uint16)
    if not len(values):
        return out
    darkest, brightest = gray_range or (values.min(), values.max())
    if brightest > darkest:
        # in this order borders between levels are exact
        values = np.floor((values - darkest) * levels / (brightest - darkest))
    else:
        values = np.zeros(len(values))
    out[mask] = np.clip(values, 0, levels - 1).astype(out.dtype) + 1
    return out


# ------------------------------------------------------------------------------------------------------- co-occurrence
def neighbors(levels, offset):
    """Two views of an array, equal in shape: each voxel that has a neighbor at `offset` (dz, dy, dx), and that neighbor."""
    first = tuple(slice(max(-d, 0), n - max(d, 0)) for d, n in zip(offset, levels.shape))
    second = tuple(slice(max(d, 0), n - max(-d, 0)) for d, n in zip(offset, levels.shape))
    return levels[first], levels[second]


def pair_counts(levels, n_levels):
    """Pairs of levels of neighboring voxels: (13, n, n) int, one symmetric matrix for each offset and its opposite.

    levels: (Z, Y, X) of `quantize`; only pairs of which both voxels lie inside the mask count.
    """
    counts = np.zeros((len(OFFSETS), n_levels + 1, n_levels + 1), np.int64)
    for z in range(levels.shape[0]):  # slice by slice, so that an object needs little more memory than its levels
        pair = levels[z : z + 2].astype(np.int64)
        for matrix, offset in zip(counts, OFFSETS):
            if offset[0] >= len(pair):
                continue
            one, other = neighbors(pair[: offset[0] + 1], offset)
            matrix += np.bincount((one * (n_levels + 1) + other).ravel(), minlength=matrix.size).reshape(matrix.shape)
    counts = counts[:, 1:, 1:]
    return counts + counts.transpose(0, 2, 1)


def cooccurrence(counts):
    """The mean over directions of the shares of pairs: (n, n), sum 1; None where no two voxels are neighbors.

    counts: of `pair_counts`. A direction without pairs (a flat object has none across it) is left out of the mean.
    """
    totals = counts.sum(axis=(1, 2))
    if not totals.any():
        return None
    present = totals > 0
    return (counts[present] / totals[present, None, None]).mean(axis=0)


def cooccurrence_features(p):
    """{measure: value} of a symmetric matrix of shares (n, n); correlation of a single level is 1 by convention.

    homogeneity: sum p / (1 + (i - j)^2); contrast: sum (i - j)^2 p; variance: sum (i - mu)^2 p; correlation: (sum i j p - mu^2) /
    sigma^2. variance_printed: sum (i - j)^2 p, as the paper prints, which equals contrast. None gives NaN.
    """
    names = ("homogeneity", "correlation", "contrast", "variance", "variance_printed")
    if p is None:
        return dict.fromkeys(names, np.nan)
    i, j = np.indices(p.shape) + 1.0
    contrast = float((p * (i - j) ** 2).sum())
    mean = (p * i).sum()
    variance = float((p * (i - mean) ** 2).sum())
    correlation = float((p * (i - mean) * (j - mean)).sum() / variance) if variance > 1e-12 else 1.0
    return dict(zip(names, (float((p / (1 + (i - j) ** 2)).sum()), correlation, contrast, variance, contrast)))


# --------------------------------------------------------------------------------------------------------------- zones
def zones(levels, connectivity=26):
    """(levels, sizes) of the zones, connected voxels of one level: two int arrays. connectivity: 6, 18 or 26 neighbors."""
    labels = label(levels, background=0, connectivity=CONNECTIVITIES[connectivity])
    sizes = np.bincount(labels.ravel())[1:]
    of_zone = np.zeros(len(sizes) + 1, np.int64)
    of_zone[labels.ravel()] = levels.ravel()
    return of_zone[1:], sizes


def zone_features(zone_levels, sizes):
    """{measure: value} of the size zone matrix P(level, size), from the zones themselves; NaN where there is none.

    zone_percentage: zones / voxels; szhge: mean of level^2 / size^2 over zones (small zones of high gray level); szhge_printed: mean of
    level^2, the paper's formula, which has no size; zone_size_mean and zone_level_mean: the matrix's centroid.
    """
    names = ("n_zones", "zone_percentage", "szhge", "szhge_printed", "zone_size_mean", "zone_level_mean")
    if not len(sizes):
        return dict.fromkeys(names, np.nan)
    squared = np.square(zone_levels, dtype=np.float64)
    values = (
        len(sizes),
        len(sizes) / sizes.sum(),
        (squared / np.square(sizes, dtype=np.float64)).mean(),
        squared.mean(),
        sizes.mean(),
        zone_levels.mean(),
    )
    return {name: float(value) for name, value in zip(names, values)}


# ---------------------------------------------------------------------------------------------------------- an object
def measure(image, mask, voxel_size_nm, settings, gray_range=None):
    """{measure: value} of one object, in the order of the table.

    image, mask: (Z, Y, X) of its box; voxel_size_nm: (z, y, x); settings: levels, connectivity, resample_above and spectrum (element,
    n_max), as in the configuration; gray_range: (darkest, brightest) or None for the object's own. Of fewer than SMALLEST_VOXELS voxels
    all measures but their number are NaN. gray_low and gray_high: the range that was used.
    """
    image, mask, voxel_nm = isotropic.isotropic(image, mask, voxel_size_nm, settings["resample_above"])
    n_voxels, spectrum = int(mask.sum()), settings["spectrum"]
    enough = n_voxels >= SMALLEST_VOXELS
    mask = mask if enough else np.zeros((1, 1, 1), bool)
    image = image if enough else np.zeros((1, 1, 1), np.uint8)
    if not enough:
        gray_range = np.nan, np.nan
    elif gray_range is None:
        gray_range = image[mask].min(), image[mask].max()
    levels = quantize(image, mask, settings["levels"], gray_range)
    found = cooccurrence_features(cooccurrence(pair_counts(levels, settings["levels"])))
    found |= zone_features(*zones(levels, settings["connectivity"]))
    found |= pattern_spectrum.features(image, mask, spectrum["element"], spectrum["n_max"])
    found |= dict(zip(("gray_low", "gray_high"), map(float, gray_range)))
    return {**found, "voxels": n_voxels, "voxel_nm": voxel_nm}


def unit(name):
    """The unit of a measure of `measure`."""
    return UNITS.get(name) or pattern_spectrum.UNITS.get(name.split("_")[-1], "1")
