"""Which blended tiles a volume is predicted in: of the training's size in y and x, with a margin in z as halo tiles have."""

import math

from densecell.networks.blocks import uses_window_statistics
from densecell.tile_choice import (
    DEFAULT_HALO,
    LARGEST_STATISTICS_VOXELS,
    LARGEST_TILE_VOXELS,
    SLAB,
    Layout,
    Plan,
    bytes_per_voxel,
    core_limit,
    cuts,
    fit_halo,
)
from densecell.tiling import BlendTiling, Placement

DEFAULT_OVERLAP, DEFAULT_TAPER = 0.5, 0.5  # Machireddy et al. 2023's code
FREE = (-(2**31), 2**31)  # where an input may start on an axis without bounds


def plan_blend(members, shape, inner, settings, computation, budget, *, n_stores=1, n_kept=1, n_classes=7, itemsize=4):
    """The Plan of blended tiles for a volume `shape`, of which `inner` is asked for.

    settings: tile, three numbers or words, only z may be auto, default as in training; halo: its z is the margin as in `plan_halo`;
    overlap: share of a tile that the next one covers in y and x; taper: of the window. n_kept: sums over members that are kept at
    once; the others as in `plan_halo`.
    """
    tile, halo = settings.get("tile") or ("window",) * 3, settings.get("halo")
    margin = DEFAULT_HALO[0] if not halo else halo if halo == "auto" else halo[0]
    layouts = [Layout(m, shape, [None if margin == "auto" else margin, 0, 0]) for m in members]
    if not halo:
        fit_halo(layouts, tile[0])
    planes = [_plane_of(m, tile[1:]) for m in members]
    (first, stop), step = inner[0], math.lcm(*(layout.step[0] for layout in layouts))
    limit = core_limit(tile[0], 0, layouts, stop - first)
    per_voxel = [bytes_per_voxel(m, computation) for m in members]
    on_cpu = computation.device.type == "cpu"
    statistics = any(uses_window_statistics(m.network) for m in members)
    for depth in [limit] if limit else cuts(stop - first, step, first % step):
        placements, core = blend_placements(layouts, planes, depth)
        largest = max(math.prod(p.input_shape) for p in placements)
        passes = max(n * math.prod(p.input_shape) for n, p in zip(per_voxel, placements))
        width, height = inner[2][1] - inner[2][0], inner[1][1] - inner[1][0]
        rows = (
            4 * n_classes * depth * width * core[1] * (2 * n_kept + 1)
        )  # the open ones, and a row of tiles that is finished
        kept = 4 * n_classes * 3 * math.prod(core) + n_stores * depth * core[1] * width
        strip = sum({math.prod(p.input_shape[:2]) for p in placements}) * (itemsize + 4) * shape[2]
        n_bytes = passes + rows + kept + on_cpu * (n_stores * (SLAB + depth) * height * width + strip)
        if n_bytes <= budget and largest <= (LARGEST_STATISTICS_VOXELS if statistics else LARGEST_TILE_VOXELS):
            break
    overlap, alpha = settings.get("overlap", DEFAULT_OVERLAP), settings.get("taper", DEFAULT_TAPER)
    spacing = [blend_spacing(core[a], overlap, math.lcm(*(layout.step[a] for layout in layouts))) for a in (1, 2)]
    facts = {
        "stitch": "blend",
        "tile": [list(p.input_shape) for p in placements],
        "halo": [[0 if layout.axes[0].valid else layout.axes[0].halo, 0, 0] for layout in layouts],
        "spacing": [core[0], *spacing],
        "taper": alpha,
    }
    return Plan(BlendTiling(shape, inner, core, spacing, step, alpha), placements, core[0], facts, int(n_bytes))


def blend_spacing(length, overlap, step):
    """Distance of blended tiles of `length` voxels on an axis: a multiple of the pools' `step` where that leaves one."""
    distance = int(round(length * (1 - overlap), 6))  # 160 * (1 - 0.8) is a little less than 32
    return min(length, max(step, distance // step * step, 1))


def _plane_of(member, words):
    """The (y, x) input of a member in blended tiles."""
    if "auto" in words:
        raise ValueError(
            "prediction.tile: auto in y or x, expected numbers or window with stitch: blend, whose result depends on the tile."
        )
    return tuple(member.window[axis] if word == "window" else word for axis, word in zip((1, 2), words))


def blend_placements(layouts, planes, depth):
    """(placements, core (Z, Y, X)) of blended tiles: in z as with halo, in y and x the network's output, mirrored beyond the volume."""
    inputs = [(layout.input_size(0, depth), *plane) for layout, plane in zip(layouts, planes)]
    outputs = [layout.member.network.output_shape(shape) for layout, shape in zip(layouts, inputs)]
    core = (depth, *(min(o[axis] for o in outputs) for axis in (1, 2)))
    placements = []
    for layout, i, o in zip(layouts, inputs, outputs):
        z, before = layout.axes[0], [(a - c) // 2 for a, c in zip(i, o)]
        before = [n + (c - t) // 2 if axis else n for axis, (n, c, t) in enumerate(zip(before, o, core))]
        if z.valid:
            placements.append(Placement(i, o, tuple(before)))
        else:
            bounds = [(z.low, z.low + z.length - i[0]), FREE, FREE]
            placements.append(Placement(i, o, (z.halo, *before[1:]), bounds))
    return placements, core
