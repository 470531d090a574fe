"""What is kept of a prediction: labels of ensembles, members and sets of members, probabilities; and where it goes.

`Wanted` turns the members' probabilities of a tile into small integers on the device; a sink takes them to memory or to stores.
Where targets don't exclude each other (sigmoid), labels follow from their 8-bit probabilities (`composition`).
"""

from dataclasses import dataclass

import numpy as np
import torch

from densecell.composition import ROUNDING, Composition, compose


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


@dataclass(frozen=True)
class Decision:
    """What the outputs of networks mean: `targets` their names, activation softmax (classes that exclude each other: the likeliest is
    taken) or sigmoid (each by itself), composition: with sigmoid, how they become classes."""

    targets: tuple
    activation: str = "softmax"
    composition: Composition | None = None

    def outside(self, background):
        """(label, function of a target's index that gives its q) where nothing is predicted; background: a class number."""
        if self.composition:
            return self.composition.outside, lambda c: 0
        return background, lambda c: 255 * (c == background)


SOFTMAX = Decision(())  # of whatever classes


def q_of(probabilities):
    """uint8 q of probabilities, a tensor, as `composition.quantize`."""
    return (probabilities * 255).add_(0.5 + ROUNDING).floor_().to(torch.uint8)


def on_host(found):
    """{key: tensor} in the machine's memory."""
    return {key: tensor.cpu() for key, tensor in found.items()}


@dataclass
class Wanted:
    """Which results a tile must give, by key.

    ensembles: numbers k, key ("top", k): labels of the mean over the first k members; members: indices, ("member", i): labels of
    one; subsets: tuples of indices, ("set", indices): labels of the mean over these; classes: ("probability", c):
    uint8, 255 times the mean over all members; mean: ("mean",): the mean probabilities, float32 (n_classes, Z, Y, X).
    decision: what the probabilities mean; with sigmoid, c counts targets, and `compute` gives the q of all targets in place of
    labels, which `finish` makes of them.
    """

    ensembles: tuple = ()
    members: tuple = ()
    subsets: tuple = ()
    classes: tuple = ()
    mean: bool = False
    decision: Decision = SOFTMAX

    @classmethod
    def of(cls, keys, decision=SOFTMAX):
        """The Wanted that gives these keys."""
        kinds = (tuple(key[1] for key in keys if key[0] == kind) for kind in ("top", "member", "set", "probability"))
        return cls(*kinds, decision=decision)

    def sizes(self, n_members):
        """Of how many members, one after another, the sums may be that `compute` is given; 1 each where single ones are wanted."""
        if self.members or self.subsets:
            return [1] * n_members
        stops = sorted({*self.ensembles, n_members})
        return [b - a for a, b in zip([0, *stops], stops)]

    def compute(self, probabilities, sizes=None):
        """{key: tensor} from the members' probabilities (n_classes, Z, Y, X) in ranking order, an iterable; or from sums over
        `sizes` of them."""
        found, kept, total, n = {}, [], None, 0
        for i, member in enumerate(probabilities):
            n += sizes[i] if sizes else 1
            if i in self.members:
                found["member", i] = self._decided(member, 1)
            if self.subsets:
                kept.append(member)
            total = (member.clone() if self.subsets else member) if total is None else total.add_(member)
            if n in self.ensembles:
                found["top", n] = self._decided(total, n)
        for indices in self.subsets:
            found["set", indices] = self._decided(sum(kept[i] for i in indices), len(indices))
        for c in self.classes:
            found["probability", c] = (
                q_of(total[c] / n) if self.decision.composition else (total[c] * (255 / n)).round_().to(torch.uint8)
            )
        if self.mean:
            found["mean",] = total / n
        return found

    def _decided(self, total, n):
        """Labels (Z, Y, X) of the sum over n members; with sigmoid the q of all targets."""
        return q_of(total / n) if self.decision.composition else labels_of(total)

    def finish(self, values):
        """Turn the arrays {key: array} of `compute` into what is kept, in place: with sigmoid, q into labels."""
        if self.decision.composition:
            for key in self.label_keys():
                values[key] = compose(values[key], self.decision.composition)

    def outside(self, shape, background):
        """{key: array} of a tile that is not predicted: class `background` with certainty; with sigmoid no target. Not for `mean`."""
        label, q = self.decision.outside(background)
        found = {key: np.full(shape, label, np.uint8) for key in self.label_keys()}
        return found | {("probability", c): np.full(shape, q(c), np.uint8) for c in self.classes}

    def set_outside(self, values, mask, background):
        """Voxels of `values` (as `finish` leaves them) outside the mask become what `outside` says, in place."""
        label, q = self.decision.outside(background)
        for key, array in values.items():
            array[~mask] = q(key[1]) if key[0] == "probability" else label

    def label_keys(self):
        """Keys of the results that are labels."""
        return [
            *(("top", k) for k in self.ensembles),
            *(("member", i) for i in self.members),
            *(("set", indices) for indices in self.subsets),
        ]


class ArraySink:
    """Keeps the labels of the mean over `n_members` as one array; for regions that fit in memory."""

    def __init__(self, shape, n_members=1, decision=SOFTMAX):
        self.wanted = Wanted(ensembles=(n_members,), decision=decision)
        self.labels = np.zeros(shape, dtype=np.uint8)

    def put(self, box, owned, values):
        (found,) = values.values()
        _settle(self.labels[box], owned, found)

    def flush(self, stop):
        """Nothing to do: everything stays in memory."""


class ProbabilitySink:
    """Keeps the mean probabilities over all members as one array (n_classes, Z, Y, X); for a few slices.

    shape: of what is predicted; z_range: (start, stop) of its slices that are kept, default all.
    """

    def __init__(self, n_classes, shape, z_range=None, decision=SOFTMAX):
        self.wanted = Wanted(mean=True, decision=decision)
        self.start, self.stop = z_range or (0, shape[0])
        self.probabilities = np.zeros((n_classes, self.stop - self.start, *shape[1:]), dtype=np.float32)

    def put(self, box, owned, values):
        low, high = max(box[0].start, self.start), min(box[0].stop, self.stop)
        if low < high:
            inside = slice(low - box[0].start, high - box[0].start)
            target = self.probabilities[:, low - self.start : high - self.start, box[1], box[2]]
            _settle(target, None if owned is None else owned[inside], values["mean",][:, inside])

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
    default all; written(z): called when all slices below z are in the stores; decision: what probabilities mean.
    """

    def __init__(self, stores, depth, z_range=None, written=None, decision=SOFTMAX):
        self.wanted = Wanted.of(stores, decision)
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
