"""Prediction of a volume tile by tile by one network or an ensemble, in memory that does not grow with the volume.

A tile's probabilities are the softmax of the main output; members are averaged in probability space. All members run over a
tile before the next, so the volume is read once. Reading, computing and writing overlap: one thread reads the next
tile while the network runs, one writes the last.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from densecell import windows
from densecell.outputs import ArraySink, ProbabilitySink
from densecell.tile_choice import bytes_per_voxel, plan_depth, plan_halo
from densecell.tiling import STITCHES

PENDING_WRITES = 2  # tiles that may wait to be written


@dataclass
class Member:
    """A network of an ensemble: `network` in eval mode, `window` its (Z, Y, X) input shape in training."""

    network: torch.nn.Module
    window: tuple


def make_plan(members, shape, settings, computation, *, inner=None, budget=2**31, **held):
    """The Plan (`tile_choice`) of predicting a volume `shape`.

    settings: stitch (depth or halo), tile, halo; inner: three (start, stop) of the part that is asked for, default
    all; budget: bytes that halo tiles may take; held: see `tile_choice.plan_halo`.
    """
    inner = [tuple(pair) for pair in inner] if inner else [(0, n) for n in shape]
    stitch = settings.get("stitch", "depth")
    if stitch not in STITCHES:
        raise ValueError(f"prediction.stitch: unknown {stitch!r}; known: {', '.join(STITCHES)}.")
    if stitch == "depth":
        return plan_depth(members, shape, inner, settings)
    return plan_halo(members, shape, inner, settings, computation, budget, **held)


class BoxReader:
    """Reads mirrored boxes of a (Z, Y, X) array-like, keeping the strip of rows that neighboring tiles share.

    array: numpy array or io.Volume; normalize: applied to what is read.
    """

    def __init__(self, array, normalize=None):
        self.array, self.normalize = array, normalize
        self._key, self._strip = None, None

    def __call__(self, start, shape):
        """The box of `shape` (Z, Y, X) at `start`, float32; positions outside are mirrored."""
        z, y, x = (windows.mirror(s, n, size) for s, n, size in zip(start, shape, self.array.shape))
        key = (z.min(), z.max() + 1, y.min(), y.max() + 1)
        if key != self._key:
            self._strip = None  # the old one is not needed while the new one is read
            strip = np.asarray(self.array[key[0] : key[1], key[2] : key[3], :])
            self._strip = self.normalize(strip) if self.normalize else strip.astype(np.float32, copy=False)
            self._key = key
        if all(s >= 0 and s + n <= size for s, n, size in zip(start, shape, self.array.shape)):
            return self._strip[:, :, start[2] : start[2] + shape[2]]
        return self._strip[(z - key[0])[:, None, None], (y - key[2])[:, None], x]


class TileReader:
    """What the members need for a tile, read in a thread of its own: {(start, shape): tensor (1, 1, Z, Y, X)} and the mask.

    inside: None, or a function of a box that gives the mask of the voxels that are to be predicted.
    """

    def __init__(self, array, normalize, placements, inside, device):
        # members that read other boxes have readers of their own, so that each keeps its strip
        self.readers = {tuple(p.input_shape): BoxReader(array, normalize) for p in placements}
        self.placements, self.inside, self.device = placements, inside, device

    def __call__(self, tile):
        mask = self.inside(tile.box) if self.inside else None
        if mask is not None and not mask.any():
            return {}, mask
        boxes = {(p.start(tile.corner), tuple(p.input_shape)) for p in self.placements}
        found = {}
        for box in sorted(boxes):
            x = torch.from_numpy(np.ascontiguousarray(self.readers[box[1]](*box)))[None, None]
            found[box] = x.pin_memory() if self.device.type == "cuda" else x
        return found, mask


def probabilities_of(member, placement, inputs, tile, computation, flips):
    """(n_classes, z, y, x) float32 probabilities of a member for the box of a tile, on the device.

    flips: axes (-3, -2, -1); all combinations of them are averaged.
    """
    x = inputs[placement.start(tile.corner), tuple(placement.input_shape)]
    x = x.to(computation.device, non_blocking=True)
    crop = placement.crop(tile.corner, tile.box)
    total = None
    for axes in flip_sets(flips):
        logits = computation.forward(member.network, torch.flip(x, axes) if axes else x)[0][0]
        logits = torch.flip(logits, axes) if axes else logits
        if computation.precision == "float16" and not torch.isfinite(logits).all():
            raise ValueError(
                f"prediction.precision: float16 overflowed at voxel {tile.corner} (z, y, x); its largest number is 65,504. "
                "Use bfloat16 or float32."
            )
        found = torch.softmax(logits[(slice(None), *crop)].float(), dim=0)
        total = found if total is None else total.add_(found)
    return total / (2 ** len(flips)) if flips else total


def flip_sets(axes):
    """All combinations of axes, none first."""
    return [c for n in range(len(axes) + 1) for c in itertools.combinations(axes, n)]


@torch.no_grad()
def predict(
    members,
    array,
    computation,
    plan,
    sink,
    *,
    normalize=None,
    inner=None,
    z_range=None,
    inside=None,
    background=0,
    flips=(),
    progress=None,
):
    """Predict a volume, or the part `inner` of it, tile by tile.

    array: (Z, Y, X) numpy array or io.Volume; normalize: applied to what is read. sink (`outputs`): sink.wanted says what to
    compute, sink.put(box, owned, values) is called for each tile with its box in voxels of `inner`, the mask of the voxels
    it owns (None: all) and {key: array}, sink.flush(stop) when all slices below `stop` are final; both in another thread.
    z_range: (start, stop) in slices of `inner` that are wanted; inside(box): mask of voxels (of the array) to predict, the others are
    `background`; flips: axes z, y, x (-3 to -1) to average over. progress(voxels): how many voxels a tile has settled.
    """
    inner = [tuple(pair) for pair in inner] if inner else [(0, n) for n in array.shape]
    origin = [a for a, _ in inner]
    first, last = (origin[0] + z for z in (z_range or (0, inner[0][1] - inner[0][0])))
    tile_reader = TileReader(array, normalize, plan.placements, inside, computation.device)

    def settle(tile, values, mask):
        box = tuple(slice(b.start - o, b.stop - o) for b, o in zip(tile.box, origin))
        if mask is not None:
            _set_outside(values, mask, background)
        sink.put(box, tile.owned, values)
        if progress:
            low, high = (min(max(z, first), last) - tile.box[0].start for z in (tile.box[0].start, tile.box[0].stop))
            inside_range = tile.owned[low:high].sum() if tile.owned is not None else (high - low) * _plane(tile)
            progress(int(inside_range))

    def steps():
        """The tiles in order, and (None, stop) after each layer."""
        for corner, final, tiles in plan.tiling.layers():
            if first < last and corner < last and corner + plan.depth > first:
                yield from ((tile, None) for tile in tiles)
                yield None, final - origin[0]

    with ThreadPoolExecutor(1) as reading, Writing() as writing:
        for (tile, stop), fetched in _ahead(steps(), reading, tile_reader):
            if tile is None:
                writing.add(sink.flush, stop)
            else:
                inputs, mask = fetched.result()
                values = _values(members, plan, inputs, tile, computation, flips, sink.wanted, background)
                writing.add(settle, tile, values, mask)


class Writing:
    """Calls functions one after another in a thread of its own, at most PENDING_WRITES behind; none after one that failed,
    whose error `add` or the end of the block raises."""

    def __enter__(self):
        self.pool, self.waiting, self.stopped = ThreadPoolExecutor(1), [], False
        return self

    def add(self, function, *args):
        """Queue a call; wait while too many are queued."""
        self.waiting.append(self.pool.submit(self._call, function, args))
        while len(self.waiting) > PENDING_WRITES:
            self.waiting.pop(0).result()

    def _call(self, function, args):
        if self.stopped:
            return
        try:
            function(*args)
        except BaseException:
            self.stopped = True
            raise

    def __exit__(self, kind, error, traceback):
        self.stopped |= kind is not None
        self.pool.shutdown()
        if not kind:
            for future in self.waiting:
                future.result()


def _ahead(steps, reading, tile_reader):
    """(step, future of its input), the next tile's input already being read."""
    waiting = None
    for step in steps:
        fetched = reading.submit(tile_reader, step[0]) if step[0] is not None else None
        if waiting:
            yield waiting
        waiting = step, fetched
    if waiting:
        yield waiting


def _values(members, plan, inputs, tile, computation, flips, wanted, background):
    """{key: array} of a tile; where nothing of it is to be predicted, background."""
    if not inputs:
        return wanted.outside(tile.shape(), background)
    found = wanted.compute(
        probabilities_of(member, placement, inputs, tile, computation, flips)
        for member, placement in zip(members, plan.placements)
    )
    return {key: tensor.cpu().numpy() for key, tensor in found.items()}


def _set_outside(values, mask, background):
    """Voxels outside the mask become background, in place."""
    for key, array in values.items():
        if key[0] == "probability":
            array[~mask] = 255 * (key[1] == background)
        else:
            array[~mask] = background


def peak_memory(plan, members, computation):
    """Bytes that a prediction takes at most, estimated: of its largest tile, and of the buffers of halo tiles."""
    if plan.n_bytes:
        return plan.n_bytes
    return int(max(bytes_per_voxel(m, computation) * np.prod(p.input_shape) for m, p in zip(members, plan.placements)))


def _plane(tile):
    return (tile.box[1].stop - tile.box[1].start) * (tile.box[2].stop - tile.box[2].start)


def predict_labels(member, array, computation, settings=None, **options):
    """Labels (Z, Y, X) uint8 of an array by one network; for regions that fit in memory."""
    sink = ArraySink(array.shape)
    plan = make_plan([member], array.shape, settings or {}, computation)
    predict([member], array, computation, plan, sink, **options)
    return sink.labels


def predict_probabilities(member, array, n_classes, computation, settings=None, **options):
    """Probabilities (n_classes, Z, Y, X) float32 of an array by one network; for a few slices."""
    sink = ProbabilitySink(n_classes, array.shape)
    plan = make_plan([member], array.shape, settings or {}, computation)
    predict([member], array, computation, plan, sink, **options)
    return sink.probabilities
