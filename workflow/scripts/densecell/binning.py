"""Binning: images by block mean, labels by block majority. Axes (z, y, x) throughout.

Every function works on a slab of the volume. Slabs cut at multiples of the z factor give the same result as
the whole volume at once. The last block along an axis may be incomplete; it is reduced over the voxels it
has, never padded.
"""

import numpy as np

from densecell.classes import OTHER, UNLABELLED, UNLABELLED_INSTANCE
from densecell.histograms import value_counts


def binned_shape(shape, factors):
    """Number of blocks (Z, Y, X) that `factors` (z, y, x) make of a shape, incomplete blocks included."""
    return tuple(-(-n // f) for n, f in zip(shape, _checked(factors), strict=True))


def binned_voxel_size_nm(voxel_size_nm, factors):
    """Voxel size in nm (z, y, x) after binning."""
    return tuple(float(size) * f for size, f in zip(voxel_size_nm, _checked(factors), strict=True))


def binned_origin_nm(origin_nm, voxel_size_nm, factors):
    """Origin in nm (z, y, x) after binning.

    The origin is the center of voxel 0. A block of f voxels has its center (f - 1) / 2 voxels further on,
    so binning moves the origin by that much. `voxel_size_nm` is the size before binning.
    """
    return tuple(
        float(origin) + (f - 1) / 2 * float(size)
        for origin, size, f in zip(origin_nm, voxel_size_nm, _checked(factors), strict=True)
    )


def bin_image(slab, factors):
    """Block mean of an image slab (Z, Y, X) over integer `factors` (z, y, x), in the dtype of the slab.

    Integer images: exact integer sums, the mean rounded half to even. Float images: sums in float64; a
    block that holds a NaN is NaN. Raises ValueError for integers wider than 32 bits, whose sums could
    overflow.
    """
    slab = np.asarray(slab)
    is_integer = slab.dtype.kind in "iu"
    if not (is_integer and slab.dtype.itemsize <= 4) and slab.dtype.kind != "f":
        raise ValueError(f"bin_image expects integers of at most 32 bits or floats, found {slab.dtype}; convert first")
    sum_type, mean_type = _types_of_means(slab.dtype, int(np.prod(factors)))
    binned = np.empty(binned_shape(slab.shape, factors), slab.dtype)
    for z in range(len(binned)):  # a plane at a time, so that what is in work stays in a processor's cache
        block = slab[z * factors[0] : (z + 1) * factors[0]]
        means = _block_means(block, factors, sum_type, mean_type)
        binned[z] = (np.rint(means, out=means) if is_integer else means)[0]
    return binned


def _block_means(block, factors, sum_type, mean_type):
    """Mean of each block in `mean_type`, of sums in `sum_type`."""
    sums, sizes = _block_sums(block, factors, sum_type), _block_sizes(block.shape, factors, mean_type)
    return np.divide(sums, sizes, dtype=mean_type)  # without the type, sums of 32 bits would make it float64


def _types_of_means(dtype, block_size):
    """Types of the sum and of the mean of a block, as small as is exact for integers.

    Fewer than 256 values of 16 bits add up to less than 2^24, which float32 holds, and a mean that is no tie lies at least
    1 / 510 beside one, further than float32 rounds (1 / 512 at 65535).
    """
    if dtype.kind == "f":
        return np.float64, np.float64
    if dtype.itemsize <= 2 and block_size < 256:
        return np.dtype(f"{dtype.kind}{2 * dtype.itemsize}"), np.float32
    return np.int64, np.float64


def count_classes(slab, n_classes, is_partial=False):
    """Voxels per class in a semantic label slab (uint8), int64 (n_classes,).

    Unlabelled voxels are not counted, and of a source that annotates some classes only (`is_partial`) those of none of
    them (254) neither. The counts of slabs add up to the counts of the volume. Raises ValueError for a label that is no class.
    """
    slab = np.asarray(slab)
    if slab.dtype != np.uint8:
        raise ValueError(f"semantic labels are expected as uint8, found {slab.dtype}; convert them before binning")
    counts = value_counts(slab)
    unknown = [
        int(v) for v in np.flatnonzero(counts) if v >= n_classes and v != UNLABELLED and not (is_partial and v == OTHER)
    ]
    if unknown:
        raise ValueError(
            f"labels 0 to {n_classes - 1} or {UNLABELLED} (unlabelled) are expected, found {unknown}; "
            "list every class under classes, or map these values to one"
        )
    return counts[:n_classes]


def bin_labels(slab, factors, class_counts, classes=None, is_partial=False):
    """Majority class of each block of a semantic label slab (Z, Y, X), uint8, over `factors` (z, y, x).

    `class_counts` (n_classes,) are the voxels per class in the whole volume (the summed `count_classes` of
    its slabs): a tie goes to the class rarer there (equally rare: the lower class). A block that holds an
    unlabelled voxel is unlabelled. Only blocks of several classes are voted on.

    classes: `Classes`, where some lie inside others: a class counts with everything that lies in it, and what lies in the
    class that wins takes over where it fills half of the block. is_partial: 254 is a class, too, to which no tie goes. So a
    mask of one class is 1 where at least half of the block is, the same whether nested classes were drawn with it or apart.
    """
    slab = np.asarray(slab)
    count_classes(slab, len(class_counts), is_partial)  # refuses unknown labels
    labels = np.argsort(class_counts, kind="stable").tolist() + [OTHER] * is_partial
    is_nested = classes is not None and max(classes.inside) >= 0
    vote = (lambda voxels: _nested_majority(voxels, labels, classes)) if is_nested else (lambda v: _majority(v, labels))
    winner = np.empty(binned_shape(slab.shape, factors), np.uint8)
    for z in range(len(winner)):  # a plane at a time: the votes of a slab would take ten times its memory
        winner[z] = _plane_of_majorities(slab[z * factors[0] : (z + 1) * factors[0]], factors, vote)
    return winner


def bin_instances(slab, factors):
    """Majority object of each block of a slab of object numbers (Z, Y, X) uint32, 0 none, 4294967295 unlabelled.

    A block is an object where at least half of it is one of any number, as a mask of these objects would be; then it is the one
    with most of its voxels, of equal ones the lowest number. A block that holds an unlabelled voxel is unlabelled.
    """
    slab = np.asarray(slab)
    if slab.dtype != np.uint32:
        raise ValueError(f"object numbers are expected as uint32, found {slab.dtype}; convert them before binning")
    winner = np.empty(binned_shape(slab.shape, factors), np.uint32)
    for z in range(len(winner)):
        block = slab[z * factors[0] : (z + 1) * factors[0]]
        winner[z] = _plane_of_majorities(block, factors, _majority_instance, UNLABELLED_INSTANCE)
    return winner


def _majority_instance(voxels):
    """`bin_instances` of blocks, (n,); voxels: one row for each position inside a block, 4294967295 beyond the border."""
    ordered = np.sort(voxels, axis=0)
    n_within = np.sum(ordered != UNLABELLED_INSTANCE, axis=0)
    winner, most = np.zeros(voxels.shape[1], np.uint32), np.zeros(voxels.shape[1], np.int64)
    run = np.zeros(voxels.shape[1], np.int64)
    for i, row in enumerate(ordered):  # equal numbers follow one another, the lowest first
        run = np.where(i > 0 and row == ordered[i - 1], run + 1, 1)
        wins = (run > most) & (row != 0) & (row != UNLABELLED_INSTANCE)
        winner[wins], most[wins] = row[wins], run[wins]
    n_objects = n_within - np.sum(ordered == 0, axis=0)
    return np.where(2 * n_objects >= n_within, winner, np.uint32(0))


def _plane_of_majorities(slab, factors, vote, unlabelled=UNLABELLED):
    """`bin_labels` of a slab that is one block deep: (Y, X). unlabelled: the largest label there is."""
    winner = _block_reduce(slab, factors, np.minimum)
    highest = _block_reduce(slab, factors, np.maximum)
    mixed = np.nonzero((winner != highest) & (highest != unlabelled))
    winner[mixed] = vote(_voxels_of_blocks(slab, factors, mixed, unlabelled))
    winner[highest == unlabelled] = unlabelled
    return winner[0]


def _voxels_of_blocks(slab, factors, blocks, unlabelled):
    """Labels of some blocks: in their type, one row for each position inside a block; `unlabelled` beyond the border.

    blocks: (z, y, x), each the indices of the blocks along an axis.
    """
    rest = [(0, -n % f) for n, f in zip(slab.shape, factors, strict=True)]
    whole = np.pad(slab, rest, constant_values=unlabelled)
    first = np.ravel_multi_index([i * f for i, f in zip(blocks, factors, strict=True)], whole.shape)
    steps = np.ravel_multi_index(np.indices(factors).reshape(3, -1), whole.shape)
    return np.stack([whole.reshape(-1)[first + step] for step in steps])


def _majority(voxels, labels):
    """Most frequent of the `labels` (rare first) in each column; a tie goes to the one that comes first."""
    winner = np.full(voxels.shape[1], UNLABELLED, np.uint8)
    most_votes = np.zeros(winner.shape, np.uint32)
    for label in labels:  # only strictly more votes take over
        votes = np.sum(voxels == label, axis=0, dtype=np.uint32)
        wins = votes > most_votes
        winner[wins] = label
        most_votes[wins] = votes[wins]
    return winner


def _nested_majority(voxels, labels, classes):
    """`_majority` of the outermost classes, each with all that lies in it; then, from the outside in, of what lies in the
    winner, where that fills half of the block (beyond the border there is nothing to fill)."""
    container = np.arange(256, dtype=np.uint8)
    container[: len(classes)] = [classes.containers_of(i)[-1] for i in range(len(classes))]
    winner = _majority(container[voxels], labels)
    half = np.sum(voxels != UNLABELLED, axis=0) / 2
    depth = {i: len(classes.containers_of(i)) for i in range(len(classes))}
    for level in range(2, max(depth.values()) + 1):
        outside, best = winner.copy(), half
        for label in [i for i in labels if depth.get(i) == level]:  # rare first
            votes = np.isin(voxels, classes.members_of(label)).sum(axis=0)
            wins = (outside == classes.inside[label]) & (votes >= half) & ((votes > best) | (winner == outside))
            winner[wins], best = label, np.where(wins, votes, best)
    return winner


def _block_sums(slab, factors, dtype):
    """Sum of each block in `dtype`."""
    return _block_reduce(slab, factors, lambda a, b, out: np.add(a, b, out=out, dtype=dtype), dtype)


def _block_reduce(slab, factors, combine, dtype=None):
    """`combine(a, b, out=...)` over the voxels of each block, one axis after another.

    The outermost axis comes first: its voxels lie in rows, and fewer are left for the last axis, where they don't.
    """
    for axis, factor in enumerate(factors):
        views = [slab[(slice(None),) * axis + (slice(step, None, factor),)] for step in range(factor)]
        slab = views[0].astype(dtype or slab.dtype)
        for view in views[1:]:
            part = slab[tuple(slice(n) for n in view.shape)]
            combine(part, view, out=part)
    return slab


def _block_sizes(shape, factors, dtype):
    """Voxels in each block, or one number; only the last block along an axis can have fewer than the others."""
    if all(n % f == 0 for n, f in zip(shape, factors, strict=True)):
        return dtype(np.prod(factors))
    nz, ny, nx = (np.minimum(f, n - np.arange(0, n, f)).astype(dtype) for n, f in zip(shape, factors, strict=True))
    return nz[:, None, None] * ny[:, None] * nx


def _checked(factors):
    if len(factors) != 3 or any(int(f) != f or f < 1 for f in factors):
        raise ValueError(f"binning factors are expected as three integers of at least 1 (z, y, x), found {factors}")
    return tuple(int(f) for f in factors)
