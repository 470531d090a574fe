"""Prediction of a volume tile by tile by one network or an ensemble, in memory that does not grow with the volume.

A tile's probabilities are the softmax of the main output; members are averaged in probability space; each voxel takes the
tile that owns it (`tiling.Tiling`). Members may differ in network and window: their outputs are cropped to the smallest.
"""

from dataclasses import dataclass

import numpy as np
import torch

from densecell import windows
from densecell.tiling import Tiling, paper_spacing


@dataclass
class Member:
    """A network of an ensemble: `network` in eval mode, `window` its (Z, Y, X) input shape."""

    network: torch.nn.Module
    window: tuple


def tile_shapes(members, shape, window=None):
    """The tile's output shape for a box `shape`, and each member's input and output shape.

    window: input shape to use instead of the members' own. A tile is as deep as the deepest member's, at most as the
    box (a thin region gets a thin tile) where the member takes that depth; where it does not, and in y and x, tiles
    reach beyond the box, mirrored.
    """
    depth = max((window or m.window)[0] for m in members)
    inputs = [_input_shape(m.network, (depth, *(window or m.window)[1:]), shape[0]) for m in members]
    outputs = [m.network.output_shape(i) for m, i in zip(members, inputs)]
    return tuple(min(o[axis] for o in outputs) for axis in range(3)), inputs, outputs


def _input_shape(network, window, depth):
    """`window` (Z, Y, X) with its depth cut to `depth` where the network takes that and gives as many slices."""
    if depth < window[0]:
        thin = (depth, *window[1:])
        try:
            if network.output_shape(thin)[0] == depth:
                return thin
        except ValueError:
            pass
    return window


def make_tiling(members, shape, stitch="depth", halo=(0, 0, 0), window=None):
    """The tiling of a box for these members: the paper's spacing, without overlap for networks with valid padding."""
    tile, _, _ = tile_shapes(members, shape, window)
    overlapping = all(m.network.same_padding for m in members)
    return Tiling(shape, tile, stitch, paper_spacing(tile, overlapping), halo if stitch == "halo" else (0, 0, 0))


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
            strip = np.asarray(self.array[key[0] : key[1], key[2] : key[3], :])
            self._strip = self.normalize(strip) if self.normalize else strip.astype(np.float32, copy=False)
            self._key = key
        return self._strip[(z - key[0])[:, None, None], (y - key[2])[:, None], x]


@torch.no_grad()
def tile_probabilities(member, read, computation, corner, tile, input_shape, output_shape):
    """(n_classes, *tile) float32 probabilities of one member for the tile at `corner`."""
    # the tile is the center of the member's output, which is the center of its input
    shapes = zip(corner, input_shape, output_shape, tile)
    start = tuple(c - (i - o) // 2 - (o - t) // 2 for c, i, o, t in shapes)
    x = torch.from_numpy(np.ascontiguousarray(read(start, input_shape)))[None, None]
    logits = computation.forward(member.network, x)[0][0].float()
    z, y, w = ((o - t) // 2 for o, t in zip(output_shape, tile))
    logits = logits[:, z : z + tile[0], y : y + tile[1], w : w + tile[2]]
    return torch.softmax(logits, dim=0).cpu().numpy()


def predict(
    members, array, computation, sink, *, normalize=None, window=None, stitch="depth", halo=(0, 0, 0), progress=None
):
    """Predict the box `array` tile by tile.

    array: (Z, Y, X) numpy array or io.Volume; normalize: applied to what is read. sink(box, owned, probabilities) is
    called for each tile with its three slices, the mask of voxels it owns and the list of the members' probabilities
    (n_classes, z, y, x); sink.flush(stop, done) when all slices below `stop` are final. progress(voxels): how many voxels a tile
    has settled; over all tiles they add up to the box.
    """
    tile, inputs, outputs = tile_shapes(members, array.shape, window)
    tiling = make_tiling(members, array.shape, stitch, halo, window)
    read = BoxReader(array, normalize)
    corners = tiling.corners[0]
    for layer, tiles in enumerate(tiling.layers()):
        for index in tiles:
            box = tiling.box(index)
            corner = [c[i] for c, i in zip(tiling.corners, index)]
            inside = tuple(slice(0, b.stop - b.start) for b in box)
            probabilities = [
                tile_probabilities(m, read, computation, corner, tile, i, o)[(slice(None), *inside)]
                for m, i, o in zip(members, inputs, outputs)
            ]
            owned = tiling.owned(index)
            sink(box, owned, probabilities)
            if progress:
                progress(int(owned.sum()))
        # the next layer begins at the next corner: what lies before it is final
        sink.flush(corners[layer + 1] if layer + 1 < len(corners) else array.shape[0], done=layer + 1 == len(corners))


class ArraySink:
    """Keeps the labels of the mean over all members as one array; for regions that fit in memory."""

    def __init__(self, shape):
        self.labels = np.zeros(shape, dtype=np.uint8)

    def __call__(self, box, owned, probabilities):
        mean = sum(probabilities) / len(probabilities)
        self.labels[box][owned] = mean.argmax(axis=0).astype(np.uint8)[owned]

    def flush(self, stop, done):
        """Nothing to do: everything stays in memory."""


class ProbabilitySink:
    """Keeps the mean probabilities over all members as one array (n_classes, Z, Y, X); for a few slices."""

    def __init__(self, n_classes, shape):
        self.probabilities = np.zeros((n_classes, *shape), dtype=np.float32)

    def __call__(self, box, owned, probabilities):
        self.probabilities[(slice(None), *box)][:, owned] = (sum(probabilities) / len(probabilities))[:, owned]

    def flush(self, stop, done):
        """Nothing to do: everything stays in memory."""


class Rolling:
    """A rolling buffer of slices for one output volume: tiles write ahead, finished slabs go to the store.

    Only the slices between the last slab written and the deepest tile are held.
    """

    def __init__(self, store, dtype, depth):
        self.store, self.start = store, 0
        self.buffer = np.zeros((store.slab_depth + depth, *store.shape[1:]), dtype)

    def put(self, box, owned, values):
        z = slice(box[0].start - self.start, box[0].stop - self.start)
        self.buffer[z, box[1], box[2]][owned] = values[owned]

    def flush(self, stop, done):
        """Write every whole slab below `stop` (all of it when `done`), then move the buffer on."""
        depth = self.store.slab_depth
        while self.start + depth <= stop or (done and self.start < stop):
            n = min(depth, stop - self.start)
            self.store.write(self.start, self.buffer[:n])
            self.buffer[:-n] = self.buffer[n:].copy()
            self.start += n


class StoreSink:
    """Streams the outputs of an ensemble whose members are in ranking order, all in one pass.

    ensemble: {k: store} labels of the mean over the first k members; members: {i: store} labels of member i alone;
    subsets: [(member indices, store)] labels of the mean over these members; probabilities: {class: store} uint8
    probabilities (times 255) of the mean over all members.
    """

    def __init__(self, depth, ensemble, members=None, probabilities=None, subsets=()):
        self.subsets = [(tuple(indices), Rolling(s, np.uint8, depth)) for indices, s in subsets]
        self.ensemble = {k: Rolling(s, np.uint8, depth) for k, s in ensemble.items()}
        self.members = {i: Rolling(s, np.uint8, depth) for i, s in (members or {}).items()}
        self.probabilities = {c: Rolling(s, np.uint8, depth) for c, s in (probabilities or {}).items()}

    def __call__(self, box, owned, probabilities):
        total = np.zeros_like(probabilities[0])
        for i, member in enumerate(probabilities):
            total += member
            if i in self.members:
                self.members[i].put(box, owned, member.argmax(axis=0).astype(np.uint8))
            if i + 1 in self.ensemble:
                self.ensemble[i + 1].put(box, owned, total.argmax(axis=0).astype(np.uint8))
        for indices, store in self.subsets:
            store.put(box, owned, sum(probabilities[i] for i in indices).argmax(axis=0).astype(np.uint8))
        for c, store in self.probabilities.items():
            store.put(box, owned, np.rint(total[c] * (255 / len(probabilities))).astype(np.uint8))

    def flush(self, stop, done):
        subsets = [store for _, store in self.subsets]
        for store in (*self.ensemble.values(), *self.members.values(), *subsets, *self.probabilities.values()):
            store.flush(stop, done)
