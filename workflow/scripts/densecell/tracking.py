"""Cells and islands of slices become cells in 3D: which region of a slice is which cell, decided on the graph of regions alone.

After Machireddy et al. 2023 (doi 10.3389/fbinf.2023.1308708, 2.6): parts of cells take the number of the part that they
overlap most in the slice before, going out from the labelled slices. Islands are linked from slice to slice into tracks; a track
that runs into a cell is the cell's, with all its earlier regions, and what breaks off a cell stays the cell's.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from densecell.slice_regions import in_order_of_appearance, summed

MATCHES, VOTES = ("previous", "labelled"), ("most", "first", "last")
TRACK_COLUMNS = ["track", "instance", "orphan", "first_z", "last_z", "regions", "voxels", "drawn", "from_instance"]
TRACK_COLUMNS += ["votes", "other_votes", "instances_met"]  # what is told of a track


@dataclass(frozen=True)
class Tracked:
    """What each region of a graph is: instance (n,) int64, numbers from first_orphan on for tracks that reached no cell;
    tracks: a row (TRACK_COLUMNS) for each track.
    """

    instance: np.ndarray
    first_orphan: int
    tracks: pd.DataFrame


def best_of(keys, iou, numbers):
    """Places (among the n pairs) of the best pair of each key: highest IoU above 0, of equals the smallest number.

    keys, numbers: (n,) int64; iou: (n,). Returns places ordered by key.
    """
    order = np.lexsort((numbers, -iou, keys))
    order = order[iou[order] > 0]
    first = np.ones(len(order), bool)
    first[1:] = keys[order][1:] != keys[order][:-1]
    return order[first]


# ------------------------------------------------------------------------------------------------------ parts of cells
def track_cells(graph, nearest, min_iou=0.3, match="previous"):
    """The cell of each region that is a part of one: (n,) int64, 0 where it is none, and for islands.

    nearest: (Z,) the labelled slice of each slice; in that slice the numbers of the split hold. match: previous: the part that
    overlaps most (IoU above min_iou) in the slice before it, seen from the labelled slice; where none does, and with
    labelled, the part of the labelled slice itself. After a slice without any cell there is nothing to compare with: the numbers
    of the split hold.
    """
    if match not in MATCHES:
        raise ValueError(f"track.match: expected one of {', '.join(MATCHES)}, found {match!r}")
    z, found = graph.z, np.zeros(len(graph.cell), np.int64)
    by_labelled = np.zeros(len(graph.cell), np.int64)
    best = best_of(graph.region, np.where(graph.labelled_iou > min_iou, graph.labelled_iou, 0), graph.labelled_cell)
    by_labelled[graph.region[best]] = graph.labelled_cell[best]
    anchors = np.asarray(nearest)[z] == z
    found[anchors] = graph.cell[anchors]
    for slice_ in sorted(range(len(nearest)), key=lambda i: abs(i - nearest[i])):
        own = slice(graph.offsets[slice_], graph.offsets[slice_ + 1])
        if slice_ != nearest[slice_]:
            upward = slice_ > nearest[slice_]
            if match == "previous":
                before = slice_ - 1 if upward else slice_ + 1
                if not found[graph.offsets[before] : graph.offsets[before + 1]].any():
                    found[own] = graph.cell[own]
                    continue
                _from_neighbor(graph, slice_, upward, min_iou, found)
            missing = (found[own] == 0) & (graph.cell[own] > 0)
            found[own][missing] = by_labelled[own][missing]
    return found


def _from_neighbor(graph, slice_, upward, min_iou, found):
    """Enter into `found` the cells of one slice's regions by those of the slice below (upward) or above it, in place."""
    pairs = slice(*graph.steps[slice_ : slice_ + 2]) if upward else slice(*graph.steps[slice_ + 1 : slice_ + 3])
    lower, upper = graph.lower[pairs], graph.upper[pairs]
    source, target = (lower, upper) if upward else (upper, lower)
    union = graph.pixels[source] + graph.pixels[target] - graph.shared[pairs]
    iou = graph.shared[pairs] / np.maximum(union, 1)
    iou[(found[source] == 0) | (graph.cell[target] == 0) | (iou <= min_iou)] = 0
    best = best_of(target, iou, found[source])
    found[target[best]] = found[source[best]]


# ------------------------------------------------------------------------------------------------------------- islands
@dataclass(frozen=True)
class Links:
    """Islands seen along z in one direction. before: (n,) the region each island continues, -1 for none; after: (n,) the region
    that it runs into, -1 for none: those that it overlaps most, by IoU; shared_*: (n,) pixels that it has in common with these.
    """

    before: np.ndarray
    after: np.ndarray
    shared_before: np.ndarray
    shared_after: np.ndarray
    iou_before: np.ndarray
    iou_after: np.ndarray

    @classmethod
    def of(cls, graph, cells, upward=True):
        """Links of the islands of a graph, regions where cells (n,) is 0; upward: from low to high z, or the other way."""
        sides = (graph.lower, graph.iou_lower), (graph.upper, graph.iou_upper)
        (first, iou_first), (second, iou_second) = sides if upward else sides[::-1]
        before = _best_partners(graph, cells, second, first, iou_second)
        after = _best_partners(graph, cells, first, second, iou_first)
        return cls(*(values for both in zip(before, after) for values in both))


def _best_partners(graph, cells, own, other, iou):
    """(partner, -1 for none; shared pixels; IoU), each (n,), of each island among its overlaps: the one with the highest IoU,
    of equals the cell with the smallest number, then the first island.
    """
    kept = np.flatnonzero(cells[own] == 0)
    order = np.where(cells > 0, cells, cells.max(initial=0) + 1 + np.arange(len(cells)))
    best = kept[best_of(own[kept], iou[kept], order[other[kept]])]
    n = len(graph.cell)
    partner, shared, found = np.full(n, -1), np.zeros(n, np.int64), np.zeros(n)
    partner[own[best]], shared[own[best]], found[own[best]] = other[best], graph.shared[best], iou[best]
    return partner, shared, found


def _find(parent, region):
    while parent[region] != region:
        parent[region] = parent[parent[region]]
        region = parent[region]
    return region


def grouped(n, a, b, iou, drawn):
    """Groups of n regions that are linked by pairs (a, b): (group (n,), drawn (n,)), the number drawn in each region's group.

    drawn: (n,) numbers that are known, else 0. Where a group would hold several, links are joined in the order of their IoU,
    highest first, but for those that would join different numbers (a maximum spanning forest).
    """
    links = coo_array((np.ones(len(a), bool), (a, b)), shape=(n, n))
    group = connected_components(links, directed=False)[1]
    known = np.flatnonzero(drawn)
    pairs = np.unique(np.stack([group[known], drawn[known]]), axis=1)
    several = np.bincount(pairs[0], minlength=group.max(initial=-1) + 1) > 1
    of_group = np.zeros(len(several), np.int64)
    of_group[pairs[0]] = pairs[1]
    found = of_group[group]
    if several.any():
        contested = np.flatnonzero(several[group])
        parent, number = dict(zip(contested.tolist(), contested.tolist())), dict(zip(contested, drawn[contested]))
        mine = np.flatnonzero(several[group[a]])
        for i in mine[np.lexsort((b[mine], a[mine], -iou[mine]))]:
            x, y = _find(parent, a[i]), _find(parent, b[i])
            if x != y and not (number[x] and number[y] and number[x] != number[y]):
                parent[max(x, y)], number[min(x, y)] = min(x, y), number[x] or number[y]
        roots = np.array([_find(parent, region) for region in contested])
        group[contested], found[contested] = len(several) + roots, [number[root] for root in roots]
    return group, found


def island_tracks(graph, cells, links, merge=False):
    """(track (n,), origin (n_tracks,), drawn (n_tracks,), meetings) of the islands seen in the direction of `links`.

    track: -1 for a part of a cell; a track is an island and all that continue it; what continues a part of a cell begins a
    track whose origin is that cell (else 0). drawn: the number of a track in labelled slices; where islands of several numbers
    are linked, the tracks part at the weakest link. meetings: (track, cell, z, pixels), four (m,) arrays: where regions of tracks
    run into parts of cells, or hang at them (protrusions). merge: islands that run into another track's are one track with it,
    and origins count as meetings.
    """
    n, island = len(cells), cells == 0
    continues = np.flatnonzero(island & (links.before >= 0))
    broke_off = continues[cells[links.before[continues]] > 0]
    continues = continues[island[links.before[continues]]]
    runs_on = np.flatnonzero(island & (links.after >= 0))
    meets = runs_on[cells[links.after[runs_on]] > 0]
    merges = runs_on[island[links.after[runs_on]]] if merge else runs_on[:0]
    a, b = np.concatenate([continues, merges]), np.concatenate([links.before[continues], links.after[merges]])
    iou = np.concatenate([links.iou_before[continues], links.iou_after[merges]])
    group, number = grouped(n, a, b, iou, np.where(island, graph.drawn, 0))
    track = np.full(n, -1)
    track[island] = in_order_of_appearance(group[island])
    origin, drawn = (np.zeros(track.max(initial=-1) + 1, np.int64) for _ in range(2))
    drawn[track[island]] = number[island]
    z, met, hangs = graph.z, links.after[meets], np.flatnonzero(graph.home > 0)
    found = [(track[meets], cells[met], z[meets], links.shared_after[meets])]
    found.append((track[hangs], graph.home[hangs], z[hangs], graph.pixels[hangs]))
    if merge:
        born = cells[links.before[broke_off]]
        found.append((track[broke_off], born, z[broke_off], links.shared_before[broke_off]))
    else:
        origin[track[broke_off]] = cells[links.before[broke_off]]
    return track, origin, drawn, [np.concatenate(all_) for all_ in zip(*found)]


def resolve(origin, drawn, meetings, vote="most", upward=True):
    """(cell (n_tracks,), 0 for none; votes, other_votes, instances_met (n_tracks,)) of tracks from `island_tracks`.

    A track with a drawn number is that cell's, one with an origin that one's. Of several cells that a track meets it is the one
    that it shares most pixels with (vote most; of equals the smaller number), the one met first or last on its way; votes
    are these pixels.
    """
    if vote not in VOTES:
        raise ValueError(f"track.vote: expected one of {', '.join(VOTES)}, found {vote!r}")
    track, cell, z, pixels = meetings
    cells, votes, met = (np.zeros(len(origin), np.int64) for _ in range(3))
    tracks, candidates, total = summed(track, cell, pixels)
    weight = total.astype(float)
    if vote != "most":
        when = z if (vote == "last") == upward else -z
        n_cells, latest = cell.max(initial=0) + 1, np.zeros(len(total), np.int64)
        place = np.searchsorted(tracks * n_cells + candidates, track * n_cells + cell)
        np.maximum.at(latest, place, when - when.min(initial=0) + 1)
        weight = latest + total / (total.sum() + 1)  # of those met in one slice the one with more pixels
    best = best_of(tracks, weight, candidates)
    cells[tracks[best]], votes[tracks[best]] = candidates[best], total[best]
    other = np.bincount(tracks, weights=total, minlength=len(origin)).astype(np.int64) - votes
    met = np.bincount(tracks, minlength=len(origin))
    return np.where(drawn > 0, drawn, np.where(origin > 0, origin, cells)), votes, other, met


def _cells_of_islands(graph, cells, upward, vote, merge):
    """(track (n,), cell (n,), what is told of each track) of the islands, seen upward or downward."""
    track, origin, drawn, meetings = island_tracks(graph, cells, Links.of(graph, cells, upward), merge)
    cell, *counts = resolve(origin, drawn, meetings, vote, upward)
    island = track >= 0
    found = cells.copy()
    found[island] = cell[track[island]]
    return track, found, (drawn, origin, *counts)


def track_islands(graph, cells, vote="most", merge=False, bidirectional=False, largest_drawn=0):
    """Tracked instances of all regions. cells: (n,) from `track_cells`; 0 is tracked as an island.

    bidirectional: downward too; where both directions don't say the same cell, regions are orphans. largest_drawn: the largest
    number in labelled slices: orphans get numbers above it, though that cell may be lost.
    """
    track, found, told = _cells_of_islands(graph, cells, True, vote, merge)
    if bidirectional:
        found[found != _cells_of_islands(graph, cells, False, vote, merge)[1]] = 0
    first_orphan = int(max(graph.cell.max(initial=0), found.max(initial=0), largest_drawn)) + 1
    lost = np.flatnonzero(found == 0)
    # a track may be lost in part, where the two directions differ: its lost regions are one orphan
    found[lost] = first_orphan + in_order_of_appearance(track[lost])
    return Tracked(found, first_orphan, _track_table(graph, track, found, first_orphan, *told))


def _track_table(graph, track, instance, first_orphan, *told):
    """TRACK_COLUMNS of all tracks; one that was lost in part has two rows. told: of each track its last five columns."""
    regions = np.flatnonzero(track >= 0)
    rows = pd.DataFrame({"track": track[regions], "instance": instance[regions], "z": graph.z[regions]})
    rows["voxels"], rows["regions"] = graph.pixels[regions], 1
    sums = {"first_z": ("z", "min"), "last_z": ("z", "max"), "regions": ("regions", "sum"), "voxels": ("voxels", "sum")}
    table = rows.groupby(["track", "instance"], sort=True).agg(**sums).reset_index()
    table["orphan"] = (table["instance"] >= first_orphan).astype(int)
    for name, values in zip(TRACK_COLUMNS[-len(told) :], told):
        table[name] = values[table["track"]]
    table["track"] += 1
    return table[TRACK_COLUMNS]


def track(graph, nearest, settings, largest_drawn=0):
    """Tracked of a graph. settings: min_iou, match, vote, merge_tracks, bidirectional, as in the configuration (`track`)."""
    cells = track_cells(graph, nearest, settings["min_iou"], settings["match"])
    how = settings["vote"], settings["merge_tracks"], settings["bidirectional"]
    return track_islands(graph, cells, *how, largest_drawn)
