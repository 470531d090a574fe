"""Removal of small connected regions from predicted labels, and what it does to the scores.

A region is a connected set of voxels of one class (3D, faces touch). Those of fewer than `min_size` voxels are given the
label they touch most: Guay et al. 2021 (doi 10.1038/s41598-021-81590-0, Methods) drop small connected components without
naming a size, a connectivity or what fills them. The background group is left alone: a gap between touching cells is
often a thin, broken region, and filling it would join the cells.
"""

import numpy as np
from skimage.measure import label

from densecell.classes import BACKGROUND, UNLABELLED


def connected_regions(labels, groups):
    """Number the connected regions of every class but the background group's.

    labels: (Z, Y, X) uint8 class map; 255 (unlabelled) belongs to no region. groups: (n_classes,).
    Returns (regions (Z, Y, X) int, 0 where there is none; sizes (n_regions + 1,) voxels, the first one of region 0).
    """
    labels = np.asarray(labels)
    none = np.append(np.flatnonzero(np.asarray(groups) == BACKGROUND), UNLABELLED)
    regions = label(np.where(np.isin(labels, none), 0, labels.astype(np.int16) + 1), background=0, connectivity=1)
    return regions, np.bincount(regions.ravel())


def remove_small_regions(labels, groups, min_size, found=None):
    """Give each region of fewer than `min_size` voxels the label it touches most.

    A small region counts the faces between its voxels and voxels that stay as they are, by their label; the label with
    the most faces wins, of equals the smaller class number. All small regions are decided at once, so that their order
    does not matter; those that touch only other small regions wait for these to be decided. What never touches a voxel
    that stays (or only unlabelled ones) keeps its label. found: what `connected_regions` gave, to use it again.
    Returns (labels (Z, Y, X), number of regions that have another label now).
    """
    regions, sizes = found if found is not None else connected_regions(labels, groups)
    cleaned = np.array(labels)
    small = np.flatnonzero((sizes < min_size) & (np.arange(len(sizes)) > 0))
    number = np.full(len(sizes), -1)
    number[small] = np.arange(len(small))
    open_region = number[regions]  # index among the small regions that are not decided yet, -1 elsewhere
    while len(small):
        votes = _face_votes(cleaned, open_region, len(small), len(groups))
        decided = votes.any(axis=1)
        if not decided.any():
            break
        inside = open_region >= 0
        index = open_region[inside]
        cleaned[inside] = np.where(decided[index], votes.argmax(axis=1)[index], cleaned[inside])
        open_region[inside] = np.where(decided[index], -1, index)
        if decided.all():
            break
    return cleaned, len(np.unique(regions[cleaned != labels]))


def _face_votes(labels, open_region, n_regions, n_classes):
    """(n_regions, n_classes) faces between each open region and the labelled voxels outside all open regions."""
    votes = np.zeros(n_regions * n_classes, dtype=np.int64)
    for axis in range(labels.ndim):
        # views of all voxels but the last and all but the first along this axis: neighbors across a face
        lower, upper = (_without(axis, labels.ndim, end) for end in (-1, 0))
        for mine, other in ((lower, upper), (upper, lower)):
            region, outside = open_region[mine], labels[other]
            faces = (region >= 0) & (open_region[other] < 0) & (outside != UNLABELLED)
            votes += np.bincount(region[faces] * n_classes + outside[faces], minlength=len(votes))
    return votes.reshape(n_regions, n_classes)


def _without(axis, n_axes, end):
    """Index that leaves out the first (end 0) or the last (end -1) plane along an axis."""
    cut = slice(1, None) if end == 0 else slice(None, -1)
    return tuple(cut if i == axis else slice(None) for i in range(n_axes))
