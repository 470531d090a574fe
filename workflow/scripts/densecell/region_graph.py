"""The regions of all slices of a stack and which of successive slices overlap: all that tracking needs of the pixels.

Regions are the 8-connected parts of cells (equal numbers), of islands and, if asked for, of protrusions in a slice. The graph is
collected slice by slice; it holds 32 bytes of a region and 40 of an overlap, so that a stack of 2000 slices with 300 regions each takes
some 50 MB. OpenCV was chosen for distances in large slices.
"""

from dataclasses import dataclass

import cv2
import numpy as np

from densecell.slice_regions import Runs, clipped, components, overlaps, painted, runs_of, stacked

ISLAND = np.uint32(2**32 - 1)  # value of an island's run
PROTRUSION = np.uint32(2**31)  # added to the number of the cell that a protrusion hangs at
BAND = 1024  # rows that are looked at at once


@dataclass(frozen=True)
class SliceRegions:
    """Regions of a slice: its runs and the region of each, (n_runs,) from 0. Of each region: cell, its number in the split, 0 for
    islands and protrusions; home: the number of the cell that a protrusion hangs at, else 0; pixels.
    """

    runs: Runs
    region: np.ndarray
    cell: np.ndarray
    home: np.ndarray
    pixels: np.ndarray

    def parts(self, kept):
        """(runs, region) of those regions for which `kept` (n_regions,) is True."""
        runs, chosen = self.runs, kept[self.region]
        return Runs(runs.shape, *(a[chosen] for a in (runs.start, runs.stop, runs.value))), self.region[chosen]


def fused(cells, islands):
    """One slice (Y, X) uint32 of cells (their numbers) and islands (ISLAND, where no cell is). islands: (Y, X), 0 or not."""
    plane = np.array(cells, np.uint32)
    if plane.max(initial=0) >= PROTRUSION:
        raise ValueError(
            f"cells: expected numbers below {PROTRUSION}, found {plane.max()}; number the cells in the labelled slices lower"
        )
    plane[(np.asarray(islands) != 0) & (plane == 0)] = ISLAND
    return plane


def regions_of(runs):
    """SliceRegions of the runs of a fused slice, or of one with protrusions."""
    region = components(runs)
    n = int(region.max(initial=-1)) + 1
    pixels = np.bincount(region, weights=runs.length, minlength=n).astype(np.int64)
    value = np.zeros(n, np.int64)
    value[region] = runs.value
    is_protrusion = (value >= PROTRUSION) & (value != ISLAND)
    cell = np.where(value >= PROTRUSION, 0, value)
    return SliceRegions(runs, region, cell, np.where(is_protrusion, value - int(PROTRUSION), 0), pixels)


def with_protrusions(runs, width_px):
    """The SliceRegions of the runs of a fused slice whose cells are parted into bodies and protrusions.

    A protrusion is what no disk of radius width_px within the cells covers: threads, corners, and threads that touch a cell in
    this slice only (distances after Borgefors, within 2 % of the Euclidean ones). Those of fewer than width_px^2 / 4 pixels, corners mostly, stay with the body.
    """
    height, margin = runs.shape[0], int(np.ceil(2 * width_px)) + 2
    is_cell, parts = (runs.value != ISLAND).astype(np.uint8), []
    for y0 in range(0, height, BAND):
        y1 = min(y0 + BAND, height)
        rows = max(y0 - margin, 0), min(y1 + margin, height)
        thin = _thin(painted(runs, is_cell, rows, np.uint8), width_px)[y0 - rows[0] : y1 - rows[0]]
        band = painted(runs, runs.value, (y0, y1))
        band[thin] += PROTRUSION
        parts.append(runs_of(band))
    found = regions_of(stacked(parts))
    small = (found.home > 0) & (found.pixels < width_px**2 / 4)
    value = np.where(small[found.region], found.home[found.region].astype(np.uint32), found.runs.value)
    return regions_of(Runs(runs.shape, found.runs.start, found.runs.stop, value))


def _thin(mask, radius):
    """Pixels of a mask (Y, X) uint8 that no disk of this radius within it covers; the mask goes on outside of the array."""
    deep = cv2.distanceTransform(mask, cv2.DIST_L2, cv2.DIST_MASK_5) > radius
    if not deep.any():
        return mask > 0
    away = cv2.distanceTransform((~deep).view(np.uint8), cv2.DIST_L2, cv2.DIST_MASK_5)
    return (mask > 0) & (away > radius)


def drawn_numbers(regions, ids):
    """The number that most pixels of each region have in a labelled slice: (n,) int64, 0 where most have none.

    ids: Runs of the numbers that were drawn in that slice, without those of pixels nobody labelled.
    """
    numbers, inverse = np.unique(ids.value, return_inverse=True)
    i, j, shared = overlaps(regions.runs, regions.region, ids, inverse.reshape(-1))
    found = np.zeros(len(regions.pixels), np.int64)
    most = 2 * shared > regions.pixels[i]
    found[i[most]] = numbers[j[most]]
    return found


@dataclass(frozen=True)
class RegionGraph:
    """Regions of all slices, numbered from 0 in the order of slices and, within one, of their first pixels.

    offsets: (Z + 1,) the first region of each slice. cell, home, pixels (n,): as in SliceRegions; drawn (n,): the number that was
    drawn in a labelled slice, 0 where none was or the slice is no labelled one.
    Overlaps of successive slices, ordered by the upper slice: lower, upper (m,) regions; shared pixels; iou_lower, iou_upper:
    intersection over union, within a window around the one or the other if there is one (else equal). steps: (Z + 1,) the
    first overlap whose upper region lies in a slice. Overlaps of parts of cells with the nearest labelled slice:
    region (k,), labelled_cell (k,) the number of what it overlaps there, labelled_iou (k,).
    """

    offsets: np.ndarray
    cell: np.ndarray
    home: np.ndarray
    pixels: np.ndarray
    drawn: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    shared: np.ndarray
    iou_lower: np.ndarray
    iou_upper: np.ndarray
    steps: np.ndarray
    region: np.ndarray
    labelled_cell: np.ndarray
    labelled_iou: np.ndarray

    @property
    def z(self):
        """(n,) the slice of each region."""
        return np.repeat(np.arange(len(self.offsets) - 1), np.diff(self.offsets))


class GraphBuilder:
    """Collects a RegionGraph from SliceRegions, slice after slice. window: side in pixels of the square around an island
    within which it is compared with others (None: no limit)."""

    def __init__(self, window=None):
        self.window, self._before = window, None
        self._offsets, self._steps = [0], [0]
        self._regions, self._overlaps, self._labelled = [], [], []

    def add(self, slice_, labelled=None, ids=None):
        """Add the next slice. labelled: the SliceRegions of the labelled slice that is nearest to it; ids: Runs of the numbers that
        were drawn in this slice, if it is a labelled one."""
        offset = self._offsets[-1]
        drawn = np.zeros(len(slice_.cell), np.int64) if ids is None else drawn_numbers(slice_, ids)
        self._regions.append((slice_.cell, slice_.home, slice_.pixels, drawn))
        found = np.zeros((0, 5))
        if self._before is not None:
            found = self._compared(self._before, slice_)
            found[:, 0] += offset - len(self._before.cell)
            found[:, 1] += offset
        self._overlaps.append(found)
        if labelled is not None:
            self._labelled.append(_with_labelled(slice_, labelled, offset))
        self._offsets.append(offset + len(slice_.cell))
        self._steps.append(self._steps[-1] + len(found))
        self._before = slice_

    def _compared(self, a, b):
        """(m, 5) regions of a and of b that overlap, shared pixels, IoU around the one of a and around that of b."""
        i, j, shared = overlaps(a.runs, a.region, b.runs, b.region)
        iou = shared / np.maximum(a.pixels[i] + b.pixels[j] - shared, 1)
        found = np.stack([i, j, shared, iou, iou], axis=1)
        if self.window is not None:
            _compare_within(found, 0, a, b, self.window)
            _compare_within(found, 1, b, a, self.window)
        return found

    def graph(self):
        """The RegionGraph of the slices that were added."""
        of = [np.concatenate([np.zeros(0, np.int64), *(r[i] for r in self._regions)]) for i in range(4)]
        found = np.concatenate([np.zeros((0, 5)), *self._overlaps])
        lower, upper, shared = found[:, :3].astype(np.int64).T
        near = np.concatenate([np.zeros((0, 3)), *self._labelled])
        where = {"offsets": np.array(self._offsets, np.int64)} | dict(zip(("cell", "home", "pixels", "drawn"), of))
        pairs = {"lower": lower, "upper": upper, "shared": shared, "iou_lower": found[:, 3], "iou_upper": found[:, 4]}
        labelled = {
            "region": near[:, 0].astype(np.int64),
            "labelled_cell": near[:, 1].astype(np.int64),
            "labelled_iou": near[:, 2],
        }
        return RegionGraph(**where, **pairs, steps=np.array(self._steps, np.int64), **labelled)


def _with_labelled(slice_, labelled, offset):
    """(k, 3): regions of cells, numbered from `offset`, the cell of the labelled slice's part that each overlaps, their IoU."""
    own, own_region = slice_.parts(slice_.cell > 0)
    other, other_region = labelled.parts(labelled.cell > 0)
    i, j, shared = overlaps(own, own_region, other, other_region)
    iou = shared / np.maximum(slice_.pixels[i] + labelled.pixels[j] - shared, 1)
    return np.stack([i + offset, labelled.cell[j], iou], axis=1)


def _compare_within(found, side, own, other, window):
    """Put the IoU within the window around each island of `own` into column 3 + side of `found`, in place.

    The shared pixels are those of the whole regions within the window, too.
    """
    for island in np.unique(found[:, side].astype(np.int64)):
        if own.cell[island] or own.home[island]:
            continue
        mine = own.region == island
        box = _window_around(own.runs, mine, window)
        inside = _clipped_runs(own.runs, mine, box)
        rows = np.flatnonzero(found[:, side] == island)
        partners, partner_pixels = clipped(other.runs, other.region, box)
        _, j, shared = overlaps(inside, np.zeros(len(inside.start), np.int64), other.runs, other.region)
        n_own = inside.length.sum()
        for row in rows:
            partner = found[row, 1 - side]
            n_shared = shared[j == partner].sum()
            union = n_own + partner_pixels[partners == partner].sum() - n_shared
            found[row, 3 + side] = n_shared / max(union, 1)


def _window_around(runs, mine, window):
    """(y0, y1, x0, x1) of the square of side `window` around the middle of a region's pixels, cut to the slice."""
    width, length = runs.shape[1], runs.length[mine]
    row = runs.start[mine] // width
    x = (runs.start[mine] + runs.stop[mine] - 1) / 2 - row * width
    middle = [int(np.floor((v * length).sum() / length.sum() + 0.5)) for v in (row, x)]
    low = [max(m - window // 2, 0) for m in middle]
    high = [min(m - window // 2 + window, n) for m, n in zip(middle, runs.shape)]
    return low[0], high[0], low[1], high[1]


def _clipped_runs(runs, mine, box):
    """The runs of a region cut to a box."""
    width = runs.shape[1]
    row = runs.start[mine] // width
    start = np.maximum(runs.start[mine], row * width + box[2])
    stop = np.minimum(runs.stop[mine], row * width + box[3])
    kept = (row >= box[0]) & (row < box[1]) & (start < stop)
    return Runs(runs.shape, start[kept], stop[kept], runs.value[mine][kept])
