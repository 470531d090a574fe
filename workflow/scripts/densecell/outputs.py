"""What is kept of a prediction: labels of ensembles, members and sets of members, probabilities; and where it goes.

`Wanted` turns the members' probabilities of a tile into small integers on the device; a sink takes them to memory or to stores.
"""

from dataclasses import dataclass

import numpy as np
import torch


def labels_of(probabilities):
    """(n_classes, Z, Y, X) -> (Z, Y, X) uint8: the class of the largest value, the lower class on ties.

    A running maximum, as torch's argmax over classes took 25 times as long on a CPU (117 against 4.5 ns a voxel).
    """
    best = probabilities[0].clone()
    labels = torch.zeros(best.shape, dtype=torch.uint8, device=best.device)
    for c in range(1, len(probabilities)):
        above = (probabilities[c] > best).to(torch.uint8)
        torch.maximum(labels, above.mul_(c), out=labels)
        torch.maximum(best, probabilities[c], out=best)
    return labels


@dataclass
class Wanted:
    """Which results a tile must give, by key.

    ensembles: numbers k, key ("top", k): labels of the mean over the first k members; members: indices, ("member", i): labels of
    one; subsets: tuples of indices, ("set", indices): labels of the mean over these; classes: ("probability", c):
    uint8, 255 times the mean over all members; mean: ("mean",): the mean probabilities, float32 (n_classes, Z, Y, X).
    """

    ensembles: tuple = ()
    members: tuple = ()
    subsets: tuple = ()
    classes: tuple = ()
    mean: bool = False

    def compute(self, probabilities):
        """{key: tensor} from the members' probabilities (n_classes, Z, Y, X) in ranking order, an iterable."""
        found, kept, total, n = {}, [], None, 0
        for i, member in enumerate(probabilities):
            n = i + 1
            if i in self.members:
                found["member", i] = labels_of(member)
            if self.subsets:
                kept.append(member)
            total = (member.clone() if self.subsets else member) if total is None else total.add_(member)
            if n in self.ensembles:
                found["top", n] = labels_of(total)
        for indices in self.subsets:
            found["set", indices] = labels_of(sum(kept[i] for i in indices))
        for c in self.classes:
            found["probability", c] = (total[c] * (255 / n)).round_().to(torch.uint8)
        if self.mean:
            found["mean",] = total / n
        return found

    def outside(self, shape, background):
        """{key: array} of a tile that is not predicted: class `background` with certainty. Not for `mean`."""
        found = {key: np.full(shape, background, np.uint8) for key in self.label_keys()}
        return found | {("probability", c): np.full(shape, 255 * (c == background), np.uint8) for c in self.classes}

    def label_keys(self):
        """Keys of the results that are labels."""
        return [
            *(("top", k) for k in self.ensembles),
            *(("member", i) for i in self.members),
            *(("set", indices) for indices in self.subsets),
        ]


class ArraySink:
    """Keeps the labels of the mean over `n_members` as one array; for regions that fit in memory."""

    def __init__(self, shape, n_members=1):
        self.wanted = Wanted(ensembles=(n_members,))
        self.labels = np.zeros(shape, dtype=np.uint8)

    def put(self, box, owned, values):
        (found,) = values.values()
        _settle(self.labels[box], owned, found)

    def flush(self, stop):
        """Nothing to do: everything stays in memory."""


class ProbabilitySink:
    """Keeps the mean probabilities over all members as one array (n_classes, Z, Y, X); for a few slices."""

    def __init__(self, n_classes, shape):
        self.wanted = Wanted(mean=True)
        self.probabilities = np.zeros((n_classes, *shape), dtype=np.float32)

    def put(self, box, owned, values):
        _settle(self.probabilities[(slice(None), *box)], owned, values["mean",])

    def flush(self, stop):
        """Nothing to do: everything stays in memory."""


def _settle(target, owned, values):
    """Write `values` into the view `target` (..., Z, Y, X) where `owned` (None: everywhere)."""
    if owned is None:
        target[...] = values
    else:
        np.copyto(target, values, where=owned)


class Rolling:
    """A rolling buffer of slices for one output volume: tiles write ahead, finished slabs go to the store.

    Only the slices between the last slab written and the deepest tile are held. z_range: (start, stop), the slices that
    are written; start is a multiple of the store's slab depth.
    """

    def __init__(self, store, depth, z_range):
        self.store, (self.start, self.stop) = store, z_range
        self.buffer = np.zeros((store.slab_depth + depth, *store.shape[1:]), np.uint8)

    def put(self, box, owned, values):
        low, high = max(box[0].start, self.start), min(box[0].stop, self.stop)
        if low < high:
            inside = slice(low - box[0].start, high - box[0].start)
            target = self.buffer[low - self.start : high - self.start, box[1], box[2]]
            _settle(target, None if owned is None else owned[inside], values[inside])

    def flush(self, stop):
        """Write every whole slab below `stop`, and the rest at the end, then move the buffer on."""
        depth, stop = self.store.slab_depth, min(stop, self.stop)
        while self.start + depth <= stop or self.start < stop == self.stop:
            n = min(depth, stop - self.start)
            self.store.write(self.start, self.buffer[:n])
            self.buffer[:-n] = self.buffer[n:].copy()
            self.start += n


class StoreSink:
    """Streams results to stores, slab by slab.

    stores: {key of a Wanted: store} (`io.StoreWriter`); depth: slices of a tile; z_range: slices that are written,
    default all; written(z): called when all slices below z are in the stores.
    """

    def __init__(self, stores, depth, z_range=None, written=None):
        def numbers(kind):
            return tuple(key[1] for key in stores if key[0] == kind)

        self.wanted = Wanted(numbers("top"), numbers("member"), numbers("set"), numbers("probability"))
        first = next(iter(stores.values()))
        self.rolling = {key: Rolling(s, depth, z_range or (0, first.shape[0])) for key, s in stores.items()}
        self.written = written

    def put(self, box, owned, values):
        for key, rolling in self.rolling.items():
            rolling.put(box, owned, values[key])

    def flush(self, stop):
        before = self._start()
        for rolling in self.rolling.values():
            rolling.flush(stop)
        if self.written and self._start() > before:
            self.written(self._start())

    def _start(self):
        return next(iter(self.rolling.values())).start
