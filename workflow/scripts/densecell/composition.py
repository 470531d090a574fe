"""One class map from the probabilities of several targets, each of which a network gives by itself (sigmoid).

A target passes where its probability is at least the threshold (in steps of 1/255). Where several pass, the map is painted target by
target, so that the later one covers the earlier one; a class that lies in another (`classes[].inside`) is painted after it, and counts
only where the other passes too unless told otherwise. Everything follows from the 8-bit probabilities that are stored, so that stored
probabilities and labels agree. A target that is a boundary is of no class: it is stored, and claims nothing in the map.
"""

import math
from dataclasses import dataclass

import numpy as np

from densecell.classes import BACKGROUND

NESTED, TIES = ("within", "anywhere"), ("order", "probability")
DEFAULT_THRESHOLD = 0.5
# a mean of equal probabilities, or a blend of them, may miss the half by the rounding of float32: far less than this
ROUNDING = 2**-10
BLOCK_VOXELS = 2**18  # voxels that are composed at once: a few arrays of this size stay in the processor's cache


def quantize(probabilities):
    """Probabilities in [0, 1] as uint8 q = round(255 p), halves upward: 0.5 gives 128, whatever the rounding of float32."""
    return np.floor(np.asarray(probabilities, np.float32) * np.float32(255) + np.float32(0.5 + ROUNDING)).astype(
        np.uint8
    )


def least_q(threshold):
    """The least q that passes a threshold, ceil(255 threshold): 128 for 0.5, to which probabilities from 0.5 on are rounded."""
    if not 0 < threshold <= 1:
        raise ValueError(f"threshold: expected a number above 0 and at most 1, found {threshold!r}.")
    return math.ceil(round(255 * threshold, 6))  # 255 * 0.2 is no whole number in floating point


@dataclass(frozen=True)
class Composition:
    """How targets become classes.

    targets: names, in the order of the probabilities; numbers: the class number of each, None for boundaries, which claim
    nothing; containers: of each target the index of the nearest target that its class lies in, -1 for none; order: indices of
    those with a class, painted first to last; nested, ties: words of NESTED and TIES; outside: the class number of what no
    target claims; threshold: number in (0, 1].
    """

    targets: tuple
    numbers: tuple
    containers: tuple
    order: tuple
    nested: str
    ties: str
    outside: int
    threshold: float

    def record(self, classes):
        """order, nested, ties and outside in names, as JSON can hold them."""
        order, outside = [self.targets[i] for i in self.order], classes.names[self.outside]
        return {"order": order, "nested": self.nested, "ties": self.ties, "outside": outside}

    def holders(self, target):
        """Indices of all targets that a target lies in, the nearest first."""
        found, at = [], self.containers[target]
        while at >= 0:
            found.append(at)
            at = self.containers[at]
        return found


def make_composition(targets, classes, record=None, threshold=None):
    """The Composition of `targets` (names) among `classes` (Classes).

    record: order, nested, ties and outside as in experiments[].compose, None or absent ones are the defaults: outer classes first,
    then by class number; within; order; the first class of group background. threshold: None means 0.5. Raises ValueError for
    unknown words, an order that isn't one of the targets with a class, and a class painted before the one it lies in.
    """
    record = {key: value for key, value in (record or {}).items() if value is not None}
    numbers = [None if name in classes.boundaries else classes.index(name) for name in targets]
    holders = [() if number is None else _holders(number, classes) for number in numbers]
    containers = [next((numbers.index(h) for h in found if h in numbers), -1) for found in holders]
    painted = [i for i, number in enumerate(numbers) if number is not None]
    names = record.get("order") or [targets[i] for i in sorted(painted, key=lambda i: (len(holders[i]), numbers[i]))]
    if sorted(names) != sorted(targets[i] for i in painted):
        expected = ", ".join(targets[i] for i in painted)
        raise ValueError(f"compose.order: expected each of {expected} once, found {', '.join(map(str, names))}.")
    order = [list(targets).index(name) for name in names]
    for word, known in (("nested", NESTED), ("ties", TIES)):
        if record.get(word, known[0]) not in known:
            raise ValueError(f"compose.{word}: expected one of {', '.join(known)}, found {record[word]!r}.")
    for place, i in enumerate(order):
        if containers[i] in order[place:]:
            outer, inner = targets[containers[i]], targets[i]
            raise ValueError(
                f"compose.order: {outer} would cover {inner}, which lies in it; put {inner} after {outer}."
            )
    threshold = DEFAULT_THRESHOLD if threshold is None else threshold
    least_q(threshold)
    return Composition(
        tuple(targets), tuple(numbers), tuple(containers), tuple(order), record.get("nested", NESTED[0]),
        record.get("ties", TIES[0]), _outside(record.get("outside"), classes), threshold,
    )  # fmt: skip


def _holders(number, classes):
    """Numbers of the classes that a class lies in, the nearest first."""
    inside, found = getattr(classes, "inside", None) or (-1,) * len(classes), []
    while inside[number] >= 0 and inside[number] not in found:
        number = inside[number]
        found.append(number)
    return found


def _outside(name, classes):
    """The class number of what no target claims."""
    if name is not None:
        return classes.index(name)
    if BACKGROUND not in classes.group_ids:
        raise ValueError("compose.outside: no class is of group background; name the class of what no target claims.")
    return int(np.argmax(classes.group_ids == BACKGROUND))


def passing(q, composition):
    """(n_targets, ...) bool: where each target counts. q: (n_targets, ...) uint8.

    With nested: within, a target counts only where all targets that it lies in pass as well.
    """
    found = np.asarray(q) >= least_q(composition.threshold)
    if composition.nested == "within":
        for i in composition.order:  # what a target lies in comes before it
            if composition.containers[i] >= 0:
                found[i] &= found[composition.containers[i]]
    return found


def compose(q, composition):
    """The class map (Z, Y, X) uint8 of 8-bit probabilities q (n_targets, Z, Y, X).

    With ties: order the last of the passing targets in `order` wins. With ties: probability it is the likeliest of those
    that pass and hold no other that passes (a class inside another always covers it), the last in `order` of equal ones.
    """
    q = np.asarray(q)
    if q.dtype != np.uint8 or len(q) != len(composition.targets):
        raise ValueError(f"q: expected uint8 of {len(composition.targets)} targets, found {q.dtype} of {len(q)}.")
    labels = np.full(q.shape[1:], composition.outside, np.uint8)
    flat, out = q.reshape(len(q), -1), labels.reshape(-1)
    for start in range(0, out.size, BLOCK_VOXELS):
        block = slice(start, start + BLOCK_VOXELS)
        _paint(flat[:, block], out[block], composition)
    return labels


def _paint(q, labels, composition):
    """Paint the targets into `labels` (n,), in place. q: (n_targets, n) uint8."""
    found, by_probability = passing(q, composition), composition.ties == "probability"
    if by_probability:
        for i in reversed(composition.order):  # inner ones first, so that each is taken off all that hold it
            for holder in composition.holders(i):
                found[holder] &= ~found[i]
    # the largest key wins: the place in the order, behind the probability where that goes first; 0 is outside
    keys = np.zeros(labels.shape, np.uint16 if by_probability else np.uint8)
    for place, i in enumerate(composition.order, start=1):
        key = found[i].view(np.uint8) * np.uint8(place)
        if by_probability:
            key = key.astype(np.uint16) | (found[i] * q[i]).astype(np.uint16) << 8
        np.maximum(keys, key, out=keys)
    numbers = [composition.outside, *(composition.numbers[i] for i in composition.order)]
    np.take(np.array(numbers, np.uint8), keys & np.uint8(255), out=labels, mode="clip")
