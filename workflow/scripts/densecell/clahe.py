"""Contrast-limited adaptive histogram equalization of one slice (Zuiderveld 1994), with padding left out.

It evens out the contrast of places within a slice. It doesn't make the brightness of slices equal: much of what a slice is brighter
than its neighbors stays.
"""

import itertools

import numpy as np

N_BINS = 256


def clahe(plane, counts, clip=2.0, tiles=(8, 8), padding=None):
    """Equalized slice (Y, X) of the dtype of `plane`, uint8 or uint16, over its whole range.

    counts: its voxels of each gray value without the padding. Each of tiles (y, x) gets a histogram of 256 bins, cut off at `clip`
    times the mean of a bin; what is cut off is spread evenly over all bins. Between the centers of four tiles their tables are
    mixed bilinearly. uint8: a bin is a gray value; uint16: 1/256 of the slice's range, linear within. A tile of nothing but
    padding takes the table of the nearest other one. Voxels of the padding come out as if they were tissue: the caller's to put back.
    """
    present = np.flatnonzero(counts)
    first, last = (0, N_BINS - 1) if plane.dtype == np.uint8 else (present[0], present[-1])
    at_bin = np.clip((np.arange(len(counts)) - first + 1) * (N_BINS / (last - first + 1)), 0, N_BINS)
    bin_of = np.maximum(np.ceil(at_bin) - 1, 0).astype(np.uint8)
    edges = [np.linspace(0, n, min(t, n) + 1).astype(int) for n, t in zip(plane.shape, tiles)]
    tables = _tables(plane, bin_of, edges, clip, padding)
    tables = [[None if t is None else _at(t, at_bin, len(counts)) for t in row] for row in tables]
    return _mixed(plane, _filled(tables), [(e[1:] + e[:-1]) / 2 for e in edges])


def _tables(plane, bin_of, edges, clip, padding):
    """Clipped, cumulated histogram of each tile as shares, (N_BINS + 1,) from 0 to 1; None for a tile of padding."""
    rows = []
    for y in itertools.pairwise(edges[0]):
        rows.append([])
        for x in itertools.pairwise(edges[1]):
            tile = plane[slice(*y), slice(*x)]
            tile = tile.reshape(-1) if padding is None else tile[tile != padding]
            counts = np.bincount(bin_of[tile], minlength=N_BINS).astype(float)
            limit = clip * tile.size / N_BINS
            excess = np.maximum(counts - limit, 0).sum()
            shares = np.cumsum(np.minimum(counts, limit) + excess / N_BINS) / max(tile.size, 1)
            rows[-1].append(np.concatenate([[0], shares]) if tile.size else None)
    return rows


def _at(shares, at_bin, n_values):
    """Table of every gray value, float32 from 0 to n_values - 1."""
    return (np.interp(at_bin, np.arange(N_BINS + 1), shares) * (n_values - 1)).astype(np.float32)


def _filled(tables):
    """The tables with those of empty tiles taken from the nearest tile that has one, the first of equally near ones."""
    places = [(i, j) for i, row in enumerate(tables) for j, table in enumerate(row) if table is not None]

    def nearest(i, j):
        a, b = min(places, key=lambda place: (place[0] - i) ** 2 + (place[1] - j) ** 2)
        return tables[a][b]

    return [[nearest(i, j) for j in range(len(row))] for i, row in enumerate(tables)]


def _pieces(centers, n):
    """[(start, stop, tile before, tile after, weight of the one after (stop - start,))] along an axis of n pixels."""
    at = np.arange(n) + 0.5
    after = np.searchsorted(centers, at)
    pieces = []
    for k in np.unique(after):
        start, stop = np.searchsorted(after, [k, k + 1])
        a, b = max(k - 1, 0), min(k, len(centers) - 1)
        span = centers[b] - centers[a]
        weight = (at[start:stop] - centers[a]) / span if span else np.zeros(stop - start)
        pieces.append((start, stop, a, b, weight.astype(np.float32)))
    return pieces


def _mixed(plane, tables, centers):
    """Every pixel by the tables of the four tiles around it, rounded."""
    result = np.empty_like(plane)
    columns = _pieces(centers[1], plane.shape[1])
    for y0, y1, a, b, down in _pieces(centers[0], plane.shape[0]):
        for x0, x1, c, d, right in columns:
            part = plane[y0:y1, x0:x1]
            left_above, left_below = tables[a][c][part], tables[b][c][part]
            left_above += (left_below - left_above) * down[:, None]
            right_above, right_below = tables[a][d][part], tables[b][d][part]
            right_above += (right_below - right_above) * down[:, None]
            left_above += (right_above - left_above) * right
            result[y0:y1, x0:x1] = np.rint(left_above)
    return result
