"""Training slices drawn from the labelled ones, one draw for each seed, and how far the others are from them.

Machireddy et al. 2023 train on slices that are "evenly distributed" in one place and "randomly selected" in another, ten times
with different draws. Here `even` means n equal parts of the stack with a slice of each, moved as a whole from draw to draw;
`random` means without replacement. A draw depends on its seed and on the numbers of slices only, so that two experiments with
equal seeds are trained on the same slices.
"""

import math
from fractions import Fraction

import numpy as np

TRAIN, HELD_OUT, INCOMPLETE = "train", "held_out", "incomplete"
PICKS = ("even", "random")
COLUMNS = ["experiment", "seed", "n_slices", "pick", "region", "z", "use", "distance"]


def even(n_all, n, offset=0.0):
    """Places (n,) int of n slices evenly over 0 ... n_all - 1, sorted and distinct: round(offset + (k + 1/2) n_all / n).

    offset: in slices, above -n_all / 2n - 1/2 and up to n_all / 2n - 1/2: then the point that is rounded lies in the part of the
    stack that belongs to slice k, slices reaching half a slice to both sides of their number. Halves are rounded down, so that
    places an exact slice apart stay distinct. Distances of neighbors differ by one at most. Raises ValueError for other offsets.
    """
    _check(n_all, n)
    part, offset = Fraction(n_all, n), Fraction(offset)  # exact, whatever the size of the stack
    if not -part / 2 < offset + Fraction(1, 2) <= part / 2:
        raise ValueError(
            f"offset: expected more than {float(-part / 2) - 0.5:g} and at most {float(part / 2) - 0.5:g}, found {offset}."
        )
    p, q = offset.as_integer_ratio()
    return np.array([-((q * (n - (2 * k + 1) * n_all) - 2 * n * p) // (2 * n * q)) for k in range(n)])


def n_different(n_all, n, pick):
    """How many different draws there are. Even ones: n_all / gcd(n_all, n), since more than that offsets round to the same."""
    _check(n_all, n)
    return math.comb(n_all, n) if pick == "random" else n_all // math.gcd(n_all, n)


def even_offset(n_all, n, seed):
    """The offset (Fraction, slices) of even draw number `seed`: that of seed 0 rounds to the same as 0.

    The offsets fall into `n_different` equal steps, in each of which all round to the same slices. From seed to seed it goes on
    by a golden share of the steps, the nearest number that has no common divisor with theirs: so as many seeds in a row as there
    are steps take every step once, each slice is then in equally many draws, and few seeds lie far apart, too.
    """
    steps, common = n_different(n_all, n, "even"), math.gcd(n_all, n)
    golden = steps * (math.sqrt(5) - 1) / 2
    stride = min((s for s in range(1, steps + 1) if math.gcd(s, steps) == 1), key=lambda s: abs(s - golden))
    first = -(-(n_all + n) // (2 * common)) - 1  # the step that offset 0 lies in
    step = (first + seed * stride) % steps
    return Fraction(common * (2 * step + 1) - n_all - n, 2 * n)  # its middle


def drawn(n_all, n, pick, seed):
    """Places (n,) int of the n of n_all slices that draw number `seed` trains on, sorted; n = n_all: all of them.

    The random slices of a seed for a smaller n are among those for a larger one.
    """
    _check(n_all, n)
    if pick not in PICKS:
        raise ValueError(f"pick: expected one of {', '.join(PICKS)}, found {pick!r}.")
    if pick == "even":
        return even(n_all, n, even_offset(n_all, n, seed))
    # a stream beside those that the weights and the windows of a run get from its seed
    generator = np.random.default_rng(np.random.SeedSequence(seed).spawn(1)[0])
    return np.sort(generator.permutation(n_all)[:n])


def _check(n_all, n):
    if not 1 <= n <= n_all:
        raise ValueError(f"n_slices: expected 1 to {n_all}, the number of labelled slices, found {n}.")


def distances(z, train):
    """Slices (len(z),) between each of `z` and the nearest of `train`; NaN where there are none to train on."""
    if not len(train):
        return np.full(len(z), np.nan)
    return np.abs(np.subtract.outer(np.asarray(z), np.asarray(train))).min(axis=1).astype(float)


def draw_table(labelled, incomplete, n_slices, pick, seeds):
    """Rows (dicts with COLUMNS but the experiment) of all draws, by seed, region and slice.

    labelled: {region: slices in which every target is known and complete}, sorted; the n_slices of a draw are taken from all
    of them together, region after region. incomplete: {region: slices that are known but not complete}; these are never
    trained on. n_slices: a number, or "all".
    """
    places = [(region, z) for region, slices in labelled.items() for z in slices]
    n = len(places) if n_slices == "all" else n_slices
    rows = []
    for seed in seeds:
        chosen = {places[i] for i in drawn(len(places), n, pick, seed)}
        for region, slices in labelled.items():
            use = dict.fromkeys(incomplete.get(region, ()), INCOMPLETE)
            use |= {z: TRAIN if (region, z) in chosen else HELD_OUT for z in slices}
            order = sorted(use)
            far = distances(order, [z for z in order if use[z] == TRAIN])
            facts = {"seed": seed, "n_slices": n, "pick": pick, "region": region}
            rows += [{**facts, "z": z, "use": use[z], "distance": d} for z, d in zip(order, far)]
    return rows
