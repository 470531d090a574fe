"""Cells that touch, split in one slice: seeds, lines that cut the mask, and a watershed.

Machireddy et al. 2023 (doi 10.3389/fbinf.2023.1308708): the mask of all cells is cut along lines (of a network that predicts
boundaries, and of labelled cells that optical flow has moved here), each labelled cell has a seed, and a watershed of the
distance to what is cut shares out the mask among the seeds. Small pieces are islands, which tracking gives to cells later.
Decided where the paper leaves it open: docs/method.md. Arrays are (Y, X); lengths are pixels. OpenCV was chosen for exact distances
and components of large slices, scikit-image for the watershed and skeletons.
"""

from dataclasses import dataclass
from typing import NamedTuple

import cv2
import numpy as np
from skimage.morphology import skeletonize
from skimage.segmentation import watershed

REGIONS_OF_OVERLAP = ("edges", "seeds")
CELLS_OF_A_REGION = 2  # so many cells in one piece of the mask make it a region of overlap
LEAST_SHARE = 0.05  # of a piece of the mask that a moved cell covers to count there
CORE_LEVELS = (32, 4)  # px from the outside; cores deeper than this are filled at once
ROUNDING = 1e-3  # a pixel exactly at a distance counts, whatever the rounding of float32


@dataclass(frozen=True)
class SplitSettings:
    """Sizes of the splitting, in pixels of the slice.

    min_cell_px: smallest piece of a labelled cell that gets a seed (its largest one always does); min_body_px: smallest piece of
    the mask that is split, smaller ones are islands; border_px: lines as near as this to an edge are no lines between cells;
    snap_px: how far a seed outside of the mask may be moved; regions_of_overlap: one of REGIONS_OF_OVERLAP.
    """

    min_cell_px: int = 10_000
    min_body_px: int = 5_000
    border_px: float = 5
    snap_px: float = 50
    regions_of_overlap: str = "edges"


class Seed(NamedTuple):
    """The middle of a piece of a labelled cell: its pixel (y, x), the cell's number, and the pixels of the whole cell."""

    y: int
    x: int
    cell: int
    area: int


class Split(NamedTuple):
    """A slice that is split: cells (Y, X) of the seeds' numbers, islands (Y, X) bool, and counts for its row of a table."""

    cells: np.ndarray
    islands: np.ndarray
    counts: dict


# ------------------------------------------------------------------------------------------------------- pieces and edges
def components(mask):
    """8-connected pieces of a mask: (numbers (Y, X) int32, 0 outside; areas (n + 1,), the first of the outside; boxes (n + 1, 4):
    x, y, width, height)."""
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    return numbers, stats[:, cv2.CC_STAT_AREA], stats[:, : cv2.CC_STAT_AREA]


def distance_inside(mask):
    """Exact distance of each pixel of a mask to the nearest pixel outside; the edge of the slice is no outside. (Y, X) float32."""
    return cv2.distanceTransform(mask.view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_PRECISE)


def contours(labels, unknown=None):
    """Labelled pixels with another label, or none, among their 4 neighbors: (Y, X) bool. Lines are thus two pixels wide between two labels.

    unknown: a label beside which nothing is a contour, and that has none itself.
    """
    found = np.zeros(labels.shape, bool)
    for axis in (0, 1):
        low, high = (labels[:-1], labels[1:]) if axis == 0 else (labels[:, :-1], labels[:, 1:])
        differs = low != high
        if unknown is not None:
            differs &= (low != unknown) & (high != unknown)
        for part in (slice(None, -1), slice(1, None)):
            found[part if axis == 0 else (slice(None), part)] |= differs
    return found & (labels > 0)


def edge(mask):
    """Pixels outside of a mask with a pixel of it among their 4 neighbors: (Y, X) bool."""
    return contours(~mask)


def near(mask, distance):
    """Pixels that are at most `distance` from a pixel of a mask: (Y, X) bool."""
    if not mask.any():
        return np.zeros(mask.shape, bool)
    return distance_inside(~mask) <= distance + ROUNDING


# ------------------------------------------------------------------------------------------------------------------ seeds
def find_seeds(labels, min_cell_px, unknown=None):
    """The seeds of a labelled slice, by cell and place: a `Seed` for each piece of at least `min_cell_px`, and for the largest of each cell.

    Pixels that touch another label, or the edge of the slice, are taken off first, so that pieces that hang together by a few
    pixels count by themselves; where this leaves nothing of a cell, it has no seed. A seed is the pixel farthest from the outside of
    its piece (the first of equals), which lies in the piece whatever its shape. unknown: a label that is no cell.
    """
    inner = (labels > 0) & ~contours(labels)
    if unknown is not None:
        inner &= labels != unknown
    inner[[0, -1]], inner[:, [0, -1]] = False, False
    numbers, areas, boxes = components(inner)
    distance, found = distance_inside(inner), {}
    for number in range(1, len(areas)):
        x, y, width, height = boxes[number]
        box = slice(y, y + height), slice(x, x + width)
        within = np.where(numbers[box] == number, distance[box], 0)
        at = np.unravel_index(np.argmax(within), within.shape)
        cell = int(labels[box][at])
        found.setdefault(cell, []).append((int(areas[number]), int(y + at[0]), int(x + at[1])))
    totals = dict(zip(*(column.tolist() for column in np.unique(labels, return_counts=True))))
    seeds = []
    for cell, pieces in sorted(found.items()):
        largest = max(pieces, key=lambda piece: (piece[0], -piece[1], -piece[2]))
        kept = [piece for piece in pieces if piece[0] >= min_cell_px or piece is largest]
        seeds += [Seed(y, x, cell, totals[cell]) for _, y, x in sorted(kept, key=lambda piece: piece[1:])]
    return seeds


def _snapped(seed, mask, snap_px):
    """The pixel of the mask nearest to a seed (the first of equals), or None beyond `snap_px`."""
    if mask[seed.y, seed.x]:
        return seed.y, seed.x
    reach = int(snap_px)
    top, left = max(seed.y - reach, 0), max(seed.x - reach, 0)
    y, x = np.nonzero(mask[top : seed.y + reach + 1, left : seed.x + reach + 1])
    if not len(y):
        return None
    squared = (y + top - seed.y) ** 2 + (x + left - seed.x) ** 2
    best = int(np.argmin(squared))
    return (int(y[best] + top), int(x[best] + left)) if squared[best] <= snap_px**2 else None


def place_seeds(seeds, mask, body, snap_px):
    """The seeds as they lie in a slice: ({(y, x): Seed}, counts of what was moved or dropped).

    mask: (Y, X) bool; body: its pieces that are large enough to be split. A seed outside of the mask goes to its nearest pixel within
    `snap_px`, or is dropped; one in an island is dropped, tracking tells whose it is. Of two seeds at one pixel the larger cell's stays.
    """
    placed, counts = {}, {"seeds_moved": 0, "seeds_outside": 0, "seeds_in_islands": 0, "seeds_covered": 0}
    for seed in sorted(seeds, key=lambda s: (-s.area, s.cell, s.y, s.x)):
        at = _snapped(seed, mask, snap_px)
        if at is None:
            counts["seeds_outside"] += 1
        elif not body[at]:
            counts["seeds_in_islands"] += 1
        elif at in placed:
            counts["seeds_covered"] += placed[at].cell != seed.cell
        else:
            counts["seeds_moved"] += at != (seed.y, seed.x)
            placed[at] = seed
    return placed, counts


# -------------------------------------------------------------------------------------------------------------- cutting lines
def cut_by_network(mask, boundary, border_px):
    """The mask without the middle lines of predicted boundaries: (Y, X) bool.

    boundary: (Y, X) bool, where the network sees one. Lines within `border_px` of the edge of the mask are outer contours and cut nothing.
    """
    lines = skeletonize(boundary) if boundary.any() else boundary
    return mask & ~(lines & ~near(edge(mask), border_px))


def lines_of_overlap(cut, moved, seeds, settings, unknown=None):
    """Which contours of moved cells cut, of the selective combinations: (Y, X) bool, one pixel wide.

    cut: (Y, X) bool, the mask, less the network's lines; moved: (Y, X), labelled cells moved here; seeds: `Seed`s that lie in the
    slice. "Regions with overlapping cells" are never defined by the paper. `edges`: wherever a contour is farther than `border_px`
    from all edges of `cut`, that is, runs through connected foreground. `seeds`: in pieces of `cut` with seeds of two or more cells,
    or of which two or more moved cells cover 5 % each.
    """
    lines = contours(moved, unknown) & cut
    if settings.regions_of_overlap == "edges":
        lines &= ~near(edge(cut), settings.border_px)
    else:
        numbers, areas, _ = components(cut)
        present = {(int(numbers[seed.y, seed.x]), seed.cell) for seed in seeds}
        inside = cut & (moved > 0) & (moved != (0 if unknown is None else unknown))
        pairs, counts = np.unique(
            np.stack([numbers[inside], moved[inside].astype(np.int64)]), axis=1, return_counts=True
        )
        covered = counts >= LEAST_SHARE * areas[pairs[0]]
        present |= set(map(tuple, pairs[:, covered].T.tolist()))
        cells = np.bincount([number for number, _ in present if number], minlength=len(areas))
        lines &= (cells >= CELLS_OF_A_REGION)[numbers]
    return skeletonize(lines) if lines.any() else lines


# ------------------------------------------------------------------------------------------------------------------ splitting
def body_of(mask, min_body_px):
    """The 8-connected pieces of a mask with at least `min_body_px` pixels: (Y, X) bool."""
    numbers, areas, _ = components(mask)
    large = areas >= min_body_px
    large[0] = False
    return large[numbers]


def flood(height, seeds, body):
    """Basins of -height around seeds, within `body`: (Y, X) int32 cells, 0 where no seed reaches.

    height: (Y, X) float32; seeds: {(y, x): cell}. A watershed floods from the highest pixel down, so an 8-connected piece of what is higher than
    some level is all of one cell if all seeds in it are. Such cores are filled at once, and only the rest is flooded: the same basins
    but for pixels of equal height, in a fraction of the time.
    """
    cells = np.zeros(body.shape, np.int32)
    for level in CORE_LEVELS:
        numbers, areas, _ = components((height > level) & body)
        owners = np.zeros(len(areas), np.int32)
        for (y, x), cell in seeds.items():
            other = owners[numbers[y, x]]
            owners[numbers[y, x]] = cell if other in (0, cell) else -1
        owners[0] = 0
        np.maximum(
            cells, owners[numbers], out=cells
        )  # a core of a deeper level is in one of the same cell, or of several (-1)
    for (y, x), cell in seeds.items():
        cells[y, x] = cell
    inner = cv2.erode((cells > 0).view(np.uint8), np.ones((3, 3), np.uint8)).view(bool)
    found = watershed(-height, np.where(inner, 0, cells), connectivity=2, mask=body & ~inner)
    np.copyto(found, cells, where=inner)
    return found


def split(mask, cut, seeds, settings):
    """Share out a mask among seeds: a `Split`.

    mask: (Y, X) bool; cut: (Y, X) bool, the mask without the lines between cells; seeds: `Seed`s, several of one cell may be there. The
    watershed runs on the distance to what is not in `cut`, over all of the mask's large pieces, so that pixels of lines are shared
    out too. A piece without a seed stays whole and joins the islands.
    """
    body = body_of(mask, settings.min_body_px)
    placed, counts = place_seeds(seeds, mask, body, settings.snap_px)
    cells = np.zeros(mask.shape, np.int32)
    if placed:
        cells = flood(distance_inside(cut), {at: seed.cell for at, seed in placed.items()}, body)
    unsplit, islands = body & (cells == 0), mask & (cells == 0)
    counts |= {
        "seeds": len(seeds),
        "cells": len({seed.cell for seed in placed.values()}),
        "cell_px": int(np.count_nonzero(cells)),
        "islands": len(components(islands)[1]) - 1,
        "island_px": int(np.count_nonzero(islands)),
        "unseeded": len(components(unsplit)[1]) - 1,
        "unseeded_px": int(np.count_nonzero(unsplit)),
    }
    return Split(cells, islands, counts)


def keep_contours(cells, lines, moved):
    """Cells (Y, X) in which the pixels of a moved cell's contour stay with that cell, where it is beside them; in place.

    lines: (Y, X) bool, contours that cut; moved: (Y, X), the cells whose contours they are. The watershed gives the pixels of a
    line to whichever cell reaches them first. From slice to slice that would add up: the line between two cells of a test wandered by
    half a pixel in each slice.
    """
    y, x = np.nonzero(lines & (cells > 0) & (moved > 0))
    mine, beside = moved[y, x], np.zeros(len(y), bool)
    padded = np.pad(cells, 1)
    for dy, dx in np.ndindex(3, 3):
        beside |= padded[y + dy, x + dx] == mine
    cells[y[beside], x[beside]] = mine[beside]
    return cells
