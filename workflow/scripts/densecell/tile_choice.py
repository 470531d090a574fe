"""Which tiles a volume is predicted in: their margins from the receptive field, their size from the memory at hand.

A margin costs what it covers, so tiles are as large as fits: of all ways to cut the volume into equal cores, the one that
computes the fewest voxels within the memory budget is taken.
"""

import math
from dataclasses import dataclass

import numpy as np

from densecell.networks.blocks import uses_window_statistics
from densecell.networks.memory import RESIDENT_FACTOR, peak_bytes
from densecell.tiling import DepthTiling, HaloTiling, Placement, paper_spacing

# 128 channels of so many voxels are 2^31 values, the limit of 32-bit indices in many kernels
LARGEST_TILE_VOXELS = 2**24
# Networks that take statistics of their window answer differently in tiles of other sizes, so theirs may not depend on the
# machine: so many voxels of input at most, e.g. (5, 912, 912); beyond (5, 208, 208) scores hardly change (docs/benchmarks.md)
LARGEST_STATISTICS_VOXELS = 2**22
GPU_FACTOR = 1.5  # room for the workspaces of cuDNN; not measured yet
SLAB = 8  # slices of a shard, which buffers of results hold beside a tile's
PROBE = 512  # pixels a side of the window whose memory tells the bytes per voxel; at 128 the weights counted too much
# Five slices at a time as in training, of which the inner three are kept: on two data sets 0.007 and 0.016 above the paper's tiles
# with instance norm and within 0.002 of them without, at well below their cost (docs/benchmarks.md)
DEFAULT_TILE, DEFAULT_HALO = ("window", "auto", "auto"), (1, "auto", "auto")
LARGEST_COUNT = 400  # cuts of an axis that are considered


@dataclass
class Plan:
    """How a box is predicted.

    tiling: DepthTiling, HaloTiling or BlendTiling; placements: one per member; depth: slices of a tile; facts: what is recorded with
    the result (stitch, tile, halo); n_bytes: estimated peak memory of activations and buffers, but of depth tiles.
    """

    tiling: object
    placements: list
    depth: int
    facts: dict
    n_bytes: int | None = None

    def computed_voxels(self):
        """Input voxels over all tiles and members."""
        return len(self.tiling) * sum(math.prod(p.input_shape) for p in self.placements)


def input_length(network, window, axis, length):
    """The smallest input size on an axis from which the network gives at least `length` voxels.

    window: an input (Z, Y, X) that the network takes, for the other axes.
    """
    size = max(1, length)
    for candidate in range(size, size + 1000):
        shape = [*window[:axis], candidate, *window[axis + 1 :]]
        try:
            if network.output_shape(shape)[axis] >= length:
                return candidate
        except ValueError:
            continue
    raise ValueError(
        f"prediction.tile: this network takes no input that gives {length} voxels on the {'zyx'[axis]} axis."
    )


class Axis:
    """One axis of a network over a volume of `size`, with margin `halo` (voxels, or None for the receptive field)."""

    def __init__(self, member, axis, size, halo):
        network, window = member.network, member.window
        self.step = network.shift_step[axis]
        field = network.receptive_field()[axis]
        self.margin = (window[axis] - network.output_shape(window)[axis]) // 2
        self.valid = not network.same_padding
        # a network that sees a whole slice has no margin that suffices: the paper's overlap of a third, a sixth a side
        seen = window[axis] // 6 if math.isinf(field) else (field - 1) // 2
        halo = seen if halo is None else min(halo, seen)  # never more than the network sees
        self.halo = -(-max(halo, self.margin) // self.step) * self.step
        if self.valid:
            return
        # the volume as the network would take it whole: as much before it as the output loses, then a size that it takes
        self.low = -(-(-self.margin // self.step) * self.step)
        needed = -(-(size + self.margin - self.low) // self.step) * self.step
        self.length = input_length(network, window, axis, needed - 2 * self.margin)

    def input_of(self, core):
        """Input size for a core of `core` voxels."""
        return min(core + 2 * self.halo, self.length)


class Layout:
    """A member over a volume in halo tiles: input sizes and the placement for each shape of core."""

    def __init__(self, member, shape, halo):
        self.member = member
        self.axes = [Axis(member, axis, n, h) for axis, (n, h) in enumerate(zip(shape, halo))]
        self.step = tuple(a.step for a in self.axes)

    def input_size(self, axis, core):
        a = self.axes[axis]
        if a.valid:
            return input_length(self.member.network, self.member.window, axis, core)
        return a.input_of(core)

    def placement(self, core):
        shape = tuple(self.input_size(axis, n) for axis, n in enumerate(core))
        output = self.member.network.output_shape(shape)
        if self.axes[0].valid:
            return Placement(shape, output, tuple((i - o) // 2 for i, o in zip(shape, output)))
        bounds = [(a.low, a.low + a.length - n) for a, n in zip(self.axes, shape)]
        return Placement(shape, output, tuple(a.halo for a in self.axes), bounds)


def cuts(length, step, first):
    """Sizes of equal cores that an axis can be cut into, multiples of `step`, the largest first; `first`: how far the first
    core begins before what is asked for."""
    whole = -(-(length + first) // step)
    counts = np.unique(np.geomspace(1, whole, LARGEST_COUNT).astype(int))
    return sorted({int(-(-whole // n)) * step for n in counts}, reverse=True)


def choose_core(layouts, inner, limits, budget, bytes_per_voxel, kept_bytes, held_bytes):
    """The core (Z, Y, X) that computes the fewest voxels within `budget` bytes, and its bytes.

    inner: three (start, stop); limits: for each axis a core size, or None to choose; bytes_per_voxel: of each layout's
    network per input voxel; kept_bytes: per voxel of a core; held_bytes: (bytes of a slice in all buffers, bytes of a row of
    the strip that is read). Where the buffers alone take more than the budget, tiles are chosen without them; where nothing
    fits, the smallest is taken.
    """
    step = tuple(math.lcm(*(layout.step[axis] for layout in layouts)) for axis in range(3))
    options = []
    for axis, ((a, b), limit) in enumerate(zip(inner, limits)):
        options.append([limit] if limit else cuts(b - a, step[axis], a % step[axis]))
    shape = tuple(len(o) for o in options)
    n_tiles = np.ones(shape)
    voxels, activations, largest, row_sizes = np.zeros(shape), np.zeros(shape), np.zeros(shape), {}

    def spread(values, axis):
        return np.asarray(values, float).reshape([-1 if i == axis else 1 for i in range(3)])

    for axis, (a, b) in enumerate(inner):
        n_tiles = n_tiles * spread([-(-(b - a // step[axis] * step[axis]) // core) for core in options[axis]], axis)
    for layout, n_bytes in zip(layouts, bytes_per_voxel):
        sizes = [[layout.input_size(axis, core) for core in options[axis]] for axis in range(3)]
        tile = spread(sizes[0], 0) * spread(sizes[1], 1) * spread(sizes[2], 2)
        row_sizes[str(sizes[:2])] = sizes[:2]  # members that read the same boxes share a strip
        voxels, activations = voxels + n_tiles * tile, np.maximum(activations, n_bytes * tile)
        largest = np.maximum(largest, tile)
    core = spread(options[0], 0) * spread(options[1], 1) * spread(options[2], 2)
    rows = sum(spread(sizes, 0) * spread(other, 1) for sizes, other in row_sizes.values())
    tiles = activations + kept_bytes * core
    needed = tiles + held_bytes[0] * (SLAB + spread(options[0], 0)) + held_bytes[1] * rows
    statistics = any(uses_window_statistics(layout.member.network) for layout in layouts)
    allowed = largest <= (LARGEST_STATISTICS_VOXELS if statistics else LARGEST_TILE_VOXELS)
    fits = allowed & (needed <= budget)
    fits = fits if fits.any() else allowed & (tiles <= budget)
    # fewer tiles where the voxels are equal
    score = np.where(fits, voxels * (1 + 1e-9 * n_tiles), np.inf) if fits.any() else needed
    best = np.unravel_index(np.argmin(score), shape)
    return tuple(o[i] for o, i in zip(options, best)), int(needed[best])


def fit_halo(layouts, depth):
    """Reduce the margin in z of networks whose tile of `depth` (a number or word) would have nothing inside it, as of those that
    pool z and were trained on few slices."""
    for layout in layouts:
        axis, size = layout.axes[0], layout.member.window[0] if depth == "window" else depth
        if depth != "auto" and not axis.valid:
            axis.halo = max(axis.margin, min(axis.halo, (size - axis.step) // 2 // axis.step * axis.step))


def core_limit(word, axis, layouts, extent):
    """The core size that `prediction.tile` asks for on an axis; None: free to choose."""
    if word == "auto":
        return None
    step = math.lcm(*(layout.step[axis] for layout in layouts))
    cuts = [a.margin if (a := layout.axes[axis]).valid else a.halo for layout in layouts]
    if word == "window":
        core = max(layout.member.window[axis] - 2 * cut for layout, cut in zip(layouts, cuts))
    else:
        core = word - 2 * max(cuts)
    whole = -(-extent // step) * step
    if core >= whole or (word != "window" and word >= whole and not any(layout.axes[axis].valid for layout in layouts)):
        return whole
    if core // step < 1:
        raise ValueError(
            f"prediction.tile: {word} leaves nothing on the {'zyx'[axis]} axis inside a halo of {max(cuts)} voxels a "
            "side; use a larger tile, auto, or a smaller prediction.halo."
        )
    return core // step * step


def plan_halo(members, shape, inner, settings, computation, budget, *, n_stores=1, n_kept=1, n_classes=7, itemsize=4):
    """The Plan of halo tiles for a volume `shape`, of which `inner` is asked for.

    settings: tile and halo, three numbers or words each; without both DEFAULT_TILE and DEFAULT_HALO, with a halo alone tile is
    auto; budget: bytes; n_stores, n_kept: stores that are written and members whose
    probabilities are kept at once; itemsize: bytes of a stored voxel.
    """
    halo, tile = settings.get("halo"), settings.get("tile")
    tile = tile or (["auto"] * 3 if halo else DEFAULT_TILE)
    if any(getattr(m.network, "tile_as_window", False) for m in members):  # position embeddings fit the training window
        tile = [tile[0], *("window" if word == "auto" else word for word in tile[1:])]
    default = not halo
    halo = ["auto"] * 3 if halo == "auto" else halo or DEFAULT_HALO
    layouts = [Layout(m, shape, [None if h == "auto" else h for h in halo]) for m in members]
    if default:
        fit_halo(layouts, tile[0])
    limits = [core_limit(word, axis, layouts, b - a) for axis, (word, (a, b)) in enumerate(zip(tile, inner))]
    per_voxel = [bytes_per_voxel(m, computation) for m in members]
    kept = 4 * n_classes * (n_kept + 2) + n_stores + 1
    on_cpu = computation.device.type == "cpu"  # else the buffers are in the machine's memory, not in the card's
    held = (on_cpu * n_stores * math.prod(b - a for a, b in inner[1:]), on_cpu * (itemsize + 4) * shape[2])
    core, n_bytes = choose_core(layouts, inner, limits, budget, per_voxel, kept, held)
    step = tuple(math.lcm(*(layout.step[axis] for layout in layouts)) for axis in range(3))
    placements = [layout.placement(core) for layout in layouts]
    facts = {
        "stitch": "halo",
        "tile": [list(p.input_shape) for p in placements],
        "halo": [[0 if a.valid else a.halo for a in layout.axes] for layout in layouts],
    }
    return Plan(HaloTiling(inner, core, step), placements, core[0], facts, n_bytes)


def resident_bytes(network, shape, computation):
    """Memory that a process takes for forward passes over an input `shape` (Z, Y, X), estimated, in bytes."""
    live = peak_bytes(network, shape, computation)
    factor = RESIDENT_FACTOR if computation.device.type == "cpu" else GPU_FACTOR
    return factor * live


def bytes_per_voxel(member, computation):
    """Peak memory of a forward pass per input voxel, from a window of the member's depth and about PROBE pixels a side."""
    network, window = member.network, member.window
    sides = [input_length(network, window, axis, PROBE - network_margin(member, axis)) for axis in (1, 2)]
    shape = (window[0], *sides)
    return resident_bytes(network, shape, computation) / math.prod(shape)


def network_margin(member, axis):
    """Voxels that the output is smaller than the input on an axis."""
    return member.window[axis] - member.network.output_shape(member.window)[axis]


def plan_depth(members, shape, inner, settings):
    """The Plan of the paper's tiles: as large as the members' windows, or `tile` of the settings."""
    window = settings.get("tile")
    tile, inputs, outputs = tile_shapes(members, shape, window and tuple(window))
    overlapping = all(m.network.same_padding for m in members)
    placements = []
    for i, o in zip(inputs, outputs):
        before = tuple((a - b) // 2 + (b - t) // 2 for a, b, t in zip(i, o, tile))
        placements.append(Placement(i, o, before))
    tiling = DepthTiling(shape, tile, paper_spacing(tile, overlapping), inner)
    facts = {"stitch": "depth", "tile": [list(i) for i in inputs], "halo": None}
    return Plan(tiling, placements, tile[0], facts)


def tile_shapes(members, shape, window=None):
    """The tile's output shape for a box `shape`, and each member's input and output shape.

    window: input shape to use instead of the members' own. A tile is as deep as the deepest member's, at most as the
    box (a thin region gets a thin tile) where the member takes that depth; where it does not, and in y and x, tiles
    reach beyond the box, mirrored.
    """
    depth = max((window or m.window)[0] for m in members)
    inputs = [_thin(m.network, (depth, *(window or m.window)[1:]), shape[0]) for m in members]
    outputs = [m.network.output_shape(i) for m, i in zip(members, inputs)]
    return tuple(min(o[axis] for o in outputs) for axis in range(3)), inputs, outputs


def _thin(network, window, depth):
    """`window` (Z, Y, X) with its depth cut to `depth` where the network takes that and gives as many slices."""
    if depth < window[0]:
        thin = (depth, *window[1:])
        try:
            if network.output_shape(thin)[0] == depth:
                return thin
        except ValueError:
            pass
    return window
