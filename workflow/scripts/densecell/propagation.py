"""Cells of a few labelled slices carried through a stack: which slice serves which, in which order, and the six ways to cut.

Every slice is served by the nearest labelled one. A walk goes from a labelled slice outward in one direction up to the middle between
it and the next; walks know nothing of each other, so they run side by side, and what they find does not depend on that.
Machireddy et al. 2023 (doi 10.3389/fbinf.2023.1308708), Table 2.
"""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from densecell.optical_flow import FlowSettings, estimate_flow, warp
from densecell.splitting import (
    Seed,
    Split,
    SplitSettings,
    contours,
    cut_by_network,
    find_seeds,
    keep_contours,
    lines_of_overlap,
    split,
)

COMBINATIONS = ("mask", "border", "flow", "overlay", "selective", "frames")
WITH_FLOW, WITH_BOUNDARY = ("flow", "overlay", "selective", "frames"), ("border", "selective", "frames")
SEEDS = ("labelled", "warped")
FLOW_STEP = 4  # the mean length of a flow is taken over every fourth pixel of both axes


class Walk(NamedTuple):
    """Slices (z) that one labelled slice serves, in the order in which they are split."""

    labelled: int
    slices: tuple


class Slice(NamedTuple):
    """A slice that is split: image (Y, X) uint8 or None, mask and boundary (Y, X) bool or None; is_left_out: its image is no use."""

    image: np.ndarray | None
    mask: np.ndarray
    boundary: np.ndarray | None
    is_left_out: bool = False


class Drawn(NamedTuple):
    """A labelled slice: its image (or None), its cells as numbers (Y, X) int32, and their seeds."""

    image: np.ndarray | None
    cells: np.ndarray
    seeds: list[Seed]
    is_left_out: bool = False


@dataclass(frozen=True)
class Plan:
    """What is done with every slice. combination: one of COMBINATIONS; unknown: the number of what nobody labelled;
    seeds: one of SEEDS, of `frames`: those of the labelled slice, or of the cells that moved to the slice."""

    combination: str
    unknown: int
    splitting: SplitSettings = field(default_factory=SplitSettings)
    flow: FlowSettings = field(default_factory=FlowSettings)
    seeds: str = "labelled"


# -------------------------------------------------------------------------------------------------------------------- walks
def nearest_labelled(n_slices, labelled):
    """The labelled slice that serves each slice: (n_slices,) int; of two equally near ones the lower."""
    labelled = np.array(sorted(labelled))
    z = np.arange(n_slices)
    after = np.searchsorted(labelled, z).clip(max=len(labelled) - 1)
    before = (after - 1).clip(min=0)
    is_before_near = np.abs(z - labelled[before]) <= np.abs(labelled[after] - z)
    return np.where(is_before_near, labelled[before], labelled[after])


def walks(n_slices, labelled, longest=None):
    """All walks of a stack: one after the other they hold each slice once, and their slices ascend from walk to walk.

    A labelled slice begins the walk upward. longest: cut walks into pieces of so many slices, where a slice needs no other one.
    """
    served, found = nearest_labelled(n_slices, labelled), []
    for g in sorted(labelled):
        mine = np.flatnonzero(served == g).tolist()
        pieces = [[z for z in mine if z < g][::-1], [z for z in mine if z >= g]]
        if longest is not None:
            pieces = [mine[i : i + longest] for i in range(0, len(mine), longest)]
        found += [Walk(g, tuple(piece)) for piece in pieces if piece]
    return found


# ------------------------------------------------------------------------------------------------------------------ numbers
def to_numbers(ids, known, unlabelled):
    """Ids (Y, X) as numbers 1 to n in the order of `known` (sorted ids), 0 for none, n + 1 for `unlabelled`; int32."""
    numbers = (np.searchsorted(known, ids) + 1).astype(np.int32)
    numbers[ids == unlabelled] = len(known) + 1
    numbers[ids == 0] = 0
    return numbers


def to_ids(numbers, known):
    """Numbers as `to_numbers` gives them, as ids again: uint32, 0 for none and for the unknown."""
    return np.array([0, *known, 0], np.uint32)[numbers]


def drawn_slice(image, ids, known, unlabelled, settings, is_left_out=False):
    """The `Drawn` of a labelled slice of ids (Y, X)."""
    cells = to_numbers(ids, known, unlabelled)
    return Drawn(image, cells, find_seeds(cells, settings.min_cell_px, len(known) + 1), is_left_out)


# -------------------------------------------------------------------------------------------------------------- combinations
def cut_of(slice_, moved, seeds, plan):
    """(the mask of a slice without the lines of a combination, the lines of moved cells among these): (Y, X) bool each.

    mask: nothing is cut. border: the network's inner lines. overlay: all contours of the cells that moved here. selective and frames:
    the network's lines and, where cells overlap, the middles of those contours.
    """
    cut, lines = slice_.mask, np.zeros(slice_.mask.shape, bool)
    if plan.combination in WITH_BOUNDARY:
        cut = cut_by_network(slice_.mask, slice_.boundary, plan.splitting.border_px)
    if plan.combination == "overlay":
        lines = contours(moved, plan.unknown)
    elif plan.combination in ("selective", "frames"):
        lines = lines_of_overlap(cut, moved, seeds, plan.splitting, plan.unknown)
    return cut & ~lines, lines


def only_moved(moved, unknown):
    """The `Split` of optical flow alone: the moved cells as they are, beyond the mask too, without islands."""
    cells = np.where(moved == unknown, 0, moved)
    n_cells = np.count_nonzero(np.bincount(cells.ravel())[1:])
    counts = dict.fromkeys(("seeds_moved", "seeds_outside", "seeds_in_islands", "seeds_covered", "seeds"), 0)
    counts |= {"cells": int(n_cells), "cell_px": int(np.count_nonzero(cells)), "islands": 0, "island_px": 0}
    return Split(cells, np.zeros(moved.shape, bool), counts | {"unseeded": 0, "unseeded_px": 0})


def split_slice(slice_, moved, seeds, plan):
    """The `Split` of one slice. moved: the labelled cells as flow brings them here, None where the combination needs none."""
    if plan.combination == "flow":
        return only_moved(moved, plan.unknown)
    cut, lines = cut_of(slice_, moved, seeds, plan)
    found = split(slice_.mask, cut, seeds, plan.splitting)
    if lines.any():
        keep_contours(found.cells, lines, np.where(moved == plan.unknown, 0, moved))
    return found


def split_walk(walk, drawn, read, plan):
    """Split the slices of a walk one after the other: yields (z, `Split`), its counts with flow_px and mask_px.

    drawn: the `Drawn` of its labelled slice; read(z): the `Slice`. `frames` moves the cells of the slice that was split
    before, beginning with those that were drawn; all others move those of the labelled slice. Of a slice that is left out there is no flow: cells come to it unmoved, and the
    next one looks at the slice before it. The labelled slice itself is split like any other.
    """
    source, source_z = drawn, walk.labelled
    for z in walk.slices:
        slice_, moved, flow_px = read(z), None, 0.0
        seeds = drawn.seeds
        if plan.combination in WITH_FLOW:
            moved = source.cells
            if z != source_z and not slice_.is_left_out and not source.is_left_out:
                flow = estimate_flow(slice_.image, source.image, plan.flow)
                moved, flow_px = warp(source.cells, flow), mean_length(flow)
        if plan.combination == "frames" and plan.seeds == "warped" and z != walk.labelled:
            seeds = find_seeds(moved, plan.splitting.min_cell_px, plan.unknown)
        found = split_slice(slice_, moved, seeds, plan)
        found.counts.update(flow_px=flow_px, mask_px=int(np.count_nonzero(slice_.mask)))
        yield z, found
        if plan.combination == "frames" and z != walk.labelled and not slice_.is_left_out:
            source, source_z = Drawn(slice_.image, found.cells, drawn.seeds), z


def mean_length(flow):
    """The mean length of a flow (Y, X, 2), over every FLOW_STEP-th pixel."""
    return float(np.hypot(*np.moveaxis(flow[::FLOW_STEP, ::FLOW_STEP], -1, 0)).mean())
