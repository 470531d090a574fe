"""Small stacks that tests track: slices of cells, of islands, and of what was drawn."""

import numpy as np

from densecell.propagation import nearest_labelled
from densecell.region_graph import GraphBuilder, fused, regions_of, with_protrusions
from densecell.slice_regions import painted, runs_of
from densecell.tracking import track

SETTINGS = {"min_iou": 0.3, "match": "previous", "vote": "most", "merge_tracks": False, "bidirectional": False}


def sliced(cells, islands, protrusion_px=None):
    """The SliceRegions of a stack (Z, Y, X)."""
    whole = [runs_of(fused(*planes)) for planes in zip(cells, islands)]
    return [with_protrusions(runs, protrusion_px) if protrusion_px else regions_of(runs) for runs in whole]


def graph_of(slices, nearest, drawn=None, window=None):
    """Their RegionGraph; drawn: {z: the numbers of a labelled slice}."""
    builder, drawn = GraphBuilder(window), drawn or {}
    for z, regions in enumerate(slices):
        builder.add(regions, slices[nearest[z]], runs_of(drawn[z]) if z in drawn else None)
    return builder.graph()


def tracked(cells, islands, labelled=(0,), drawn=None, window=None, protrusion_px=None, **settings):
    """(tracked volume (Z, Y, X), Tracked) of a stack."""
    nearest = nearest_labelled(len(cells), labelled)
    slices = sliced(cells, islands, protrusion_px)
    graph = graph_of(slices, nearest, drawn, window)
    found = track(graph, nearest, {**SETTINGS, **settings})
    planes = []
    for z, regions in enumerate(slices):
        own = found.instance[graph.offsets[z] : graph.offsets[z + 1]]
        planes.append(painted(regions.runs, own[regions.region]))
    return np.stack(planes), found


def empty(depth, height=12, width=30):
    """(cells, islands) of a stack with nothing in it."""
    return np.zeros((depth, height, width), np.uint32), np.zeros((depth, height, width), np.uint8)
