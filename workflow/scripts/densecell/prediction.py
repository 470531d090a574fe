"""Prediction of a volume tile by tile by one network or an ensemble, in memory that does not grow with the volume.

A tile's probabilities are the softmax or the sigmoid of the main output; members are averaged in probability space. All members run
over a tile before the next, so the volume is read once. Reading, computing and writing overlap: one thread reads the next
tile while the network runs, one writes the last.
"""

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import torch

from densecell import windows
from densecell.blend_choice import plan_blend
from densecell.blending import blended
from densecell.composition import make_composition
from densecell.outputs import SOFTMAX, ArraySink, Decision, ProbabilitySink, on_host
from densecell.tile_choice import bytes_per_voxel, plan_depth, plan_halo
from densecell.tiling import STITCHES, BlendTiling

PENDING_WRITES = 2  # tiles that may wait to be written


@dataclass
class Member:
    """A network of an ensemble: `network` in eval mode, `window` its (Z, Y, X) input shape in training."""

    network: torch.nn.Module
    window: tuple


def make_decision(spec, classes):
    """The Decision of a network. spec: targets, activation, decision and, with sigmoid, threshold and compose, as in its checkpoint;
    classes: Classes. Raises ValueError for words that aren't known, and for a softmax over others than all classes."""
    targets, words = tuple(spec["targets"]), (spec["activation"], spec["decision"])
    if words == ("sigmoid", "compose"):
        return Decision(
            targets, "sigmoid", make_composition(targets, classes, spec.get("compose"), spec.get("threshold"))
        )
    if words != ("softmax", "argmax"):
        raise ValueError(f"activation {words[0]!r} with decision {words[1]!r} is not known here.")
    if targets != tuple(classes.names):
        found = ", ".join(targets)
        raise ValueError(f"targets: expected all classes in order with activation softmax, found {found}. Use sigmoid.")
    return Decision(targets)


def make_plan(members, shape, settings, computation, *, inner=None, budget=2**31, **held):
    """The Plan (`tile_choice`) of predicting a volume `shape`.

    settings: stitch (depth, halo or blend), tile, halo, overlap, taper; inner: three (start, stop) of the part that is asked for,
    default all; budget: bytes that halo and blended tiles may take; held: see `tile_choice.plan_halo`.
    """
    inner = [tuple(pair) for pair in inner] if inner else [(0, n) for n in shape]
    stitch = settings.get("stitch", "depth")
    if stitch not in STITCHES:
        raise ValueError(f"prediction.stitch: unknown {stitch!r}; known: {', '.join(STITCHES)}.")
    if stitch == "depth":
        return plan_depth(members, shape, inner, settings)
    make = plan_blend if stitch == "blend" else plan_halo
    return make(members, shape, inner, settings, computation, budget, **held)


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
    """What the members need for a tile, read in a thread of its own: {(start, shape): tensor (1, 1, Z, Y, X)} and the mask of what
    is settled with it.

    inside: None, or a function of a box that gives the mask of the voxels that are to be predicted.
    """

    def __init__(self, array, normalize, placements, inside, device):
        # members that read other boxes have readers of their own, so that each keeps its strip
        self.readers = {tuple(p.input_shape): BoxReader(array, normalize) for p in placements}
        self.placements, self.inside, self.device = placements, inside, device

    def __call__(self, tile):
        mask = self.inside(tile.box) if self.inside else None
        is_empty = mask is not None and not mask.any()
        if self.inside and tile.closes:
            mask = self.inside(tile.closes)
        if is_empty:
            return {}, mask
        boxes = {(p.start(tile.corner), tuple(p.input_shape)) for p in self.placements}
        found = {}
        for box in sorted(boxes):
            x = torch.from_numpy(np.ascontiguousarray(self.readers[box[1]](*box)))[None, None]
            found[box] = x.pin_memory() if self.device.type == "cuda" else x
        return found, mask


def probabilities_of(member, placement, inputs, tile, computation, flips, activation="softmax"):
    """(n_classes, z, y, x) float32 probabilities of a member for the box of a tile, on the device.

    activation: softmax over classes, or sigmoid of each; flips: axes (-3, -2, -1); all combinations of them are averaged.
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
        logits = logits[(slice(None), *crop)].float()
        found = torch.sigmoid(logits) if activation == "sigmoid" else torch.softmax(logits, dim=0)
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
    compute and what the networks' outputs mean, sink.put(box, owned, values) is called for each tile, or row of blended tiles, with
    its box in voxels of `inner`, the mask of the voxels it owns (None: all) and {key: array}, sink.flush(stop) when all slices
    below `stop` are final; both in another thread. z_range: (start, stop) in slices of `inner` that are wanted; inside(box): mask
    of voxels (of the array) to predict, the others are `background`; flips: axes z, y, x (-3 to -1) to average over.
    progress(voxels): how many voxels a tile has settled.
    """
    inner = [tuple(pair) for pair in inner] if inner else [(0, n) for n in array.shape]
    origin = [a for a, _ in inner]
    first, last = (origin[0] + z for z in (z_range or (0, inner[0][1] - inner[0][0])))
    tile_reader, wanted = TileReader(array, normalize, plan.placements, inside, computation.device), sink.wanted

    def settle(tile, values, mask):
        box = tuple(slice(b.start - o, b.stop - o) for b, o in zip(tile.box, origin))
        if values is None:
            values = wanted.outside(tile.shape(), background)
        else:
            values = {key: tensor.numpy() for key, tensor in values.items()}
            wanted.finish(values)
            if mask is not None:
                wanted.set_outside(values, mask, background)
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

    settled = blended if isinstance(plan.tiling, BlendTiling) else _computed
    results = settled(plan.tiling, wanted, len(members), computation.device)
    with ThreadPoolExecutor(1) as reading, Writing() as writing:
        for (tile, stop), fetched in _ahead(steps(), reading, tile_reader):
            if tile is None:
                writing.add(sink.flush, stop)
                continue
            inputs, mask = fetched.result()
            found = (
                probabilities_of(member, placement, inputs, tile, computation, flips, wanted.decision.activation)
                for member, placement in zip(members, plan.placements)
            )
            done = results(tile, found if inputs else None)
            if done:
                writing.add(settle, *done, mask)


def _computed(tiling, wanted, n_members, device):
    """A function of a tile and the members' probabilities (None: nothing of it is predicted) that gives the tile and what is wanted
    of it, on the host (None: nothing is predicted)."""

    def results(tile, found):
        return tile, None if found is None else on_host(wanted.compute(found))

    return results


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


def peak_memory(plan, members, computation):
    """Bytes that a prediction takes at most, estimated: of its largest tile, and of the buffers of halo tiles."""
    if plan.n_bytes:
        return plan.n_bytes
    return int(max(bytes_per_voxel(m, computation) * np.prod(p.input_shape) for m, p in zip(members, plan.placements)))


def _plane(tile):
    return (tile.box[1].stop - tile.box[1].start) * (tile.box[2].stop - tile.box[2].start)


def predict_labels(member, array, computation, settings=None, decision=SOFTMAX, inner=None, **options):
    """Labels (Z, Y, X) uint8 of an array, or of the part `inner` of it, by one network; for regions that fit in memory.

    decision: what the outputs of the network mean (`make_decision`).
    """
    sink = ArraySink(_shape(array, inner), decision=decision)
    plan = make_plan([member], array.shape, settings or {}, computation, inner=inner)
    predict([member], array, computation, plan, sink, inner=inner, **options)
    return sink.labels


def predict_probabilities(
    member, array, n_targets, computation, settings=None, activation="softmax", inner=None, z_range=None, **options
):
    """Probabilities (n_targets, Z, Y, X) float32 of an array by one network; for a few slices.

    inner: three (start, stop) of the part that is asked for, default all; z_range: (start, stop) of its slices that are returned:
    only what they need is read and computed.
    """
    sink = ProbabilitySink(n_targets, _shape(array, inner), z_range, Decision((), activation))
    plan = make_plan([member], array.shape, settings or {}, computation, inner=inner, n_classes=n_targets)
    predict([member], array, computation, plan, sink, inner=inner, z_range=z_range, **options)
    return sink.probabilities


def _shape(array, inner):
    return tuple(b - a for a, b in inner) if inner else tuple(array.shape)
