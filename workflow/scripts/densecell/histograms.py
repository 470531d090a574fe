"""How often each value of an 8-bit or 16-bit array occurs."""

import numpy as np

BLOCK_BYTES = 1 << 18  # np.bincount widens to 64 bits: a block and its widened copy stay in a processor's cache
FEW = 1 << 16  # below, the table of 65536 pairs costs more than it saves


def value_counts(values):
    """Number of voxels of each value: (256,) int64 for uint8, (65536,) int64 for uint16.

    values: any shape. uint8 voxels are counted two at a time, as pairs of neighbors in memory, which halves the steps of
    np.bincount; the counts of the pairs add up to those of the voxels.
    """
    flat = np.ascontiguousarray(values).reshape(-1)
    if flat.dtype == np.uint16:
        return _counts_of_words(flat)
    if flat.dtype != np.uint8:
        raise ValueError(f"value_counts expects uint8 or uint16, found {flat.dtype}; convert first")
    if flat.size < FEW:
        return np.bincount(flat, minlength=256)
    even = flat.size - flat.size % 2
    pairs = _counts_of_words(flat[:even].view(np.uint16)).reshape(256, 256)
    counts = pairs.sum(axis=0) + pairs.sum(axis=1)
    if even < flat.size:
        counts[flat[-1]] += 1
    return counts


def joint_counts(rows, n_rows, columns, n_columns):
    """Number of voxels with row i and column j: (n_rows, n_columns) int64.

    rows, columns: uint8 of one shape, below n_rows and n_columns. Both become one number of the fewest bytes that hold it,
    so that one histogram counts them.
    """
    n = n_rows * n_columns
    fused = rows.astype(np.uint8 if n <= 256 else np.uint16)
    fused *= n_columns
    fused += columns
    return value_counts(fused)[:n].reshape(n_rows, n_columns)


def _counts_of_words(words):
    """np.bincount of uint16 values, block by block: (65536,) int64."""
    counts = np.zeros(1 << 16, np.int64)
    step = BLOCK_BYTES // words.itemsize
    for start in range(0, words.size, step):
        found = np.bincount(words[start : start + step])  # as long as its largest value, which is often small
        counts[: found.size] += found
    return counts
