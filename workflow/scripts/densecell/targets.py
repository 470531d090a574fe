"""What several label sources say together about each voxel: its class, and for a target yes, no or unknown.

A source draws for each voxel the innermost class that it annotates, 254 (other) where the voxel is in none of them, and 255 where
it says nothing. So each value leaves a set of classes possible, and sources that know the same voxel leave the
intersection. A target is told only where the sources that know the voxel could have said both yes and no: who looks for
nuclei alone says nothing of nucleoli, nor of cells. No set at all is a contradiction: a few voxels of it in a slice are unknown,
many stop the run.
"""

import functools

import numpy as np

from densecell.classes import OTHER, UNLABELLED
from densecell.histograms import value_counts

CONTRADICTION = -1
# Masks drawn by hand never nest to the pixel, and where two that exclude each other fill half of a binned block, both have it: rims of
# objects, well under 1 % of a slice. A class that was mixed up, or slices that were shifted, contradict in whole objects.
MOST_CONTRADICTORY = 0.01  # of the voxels of a slice that more than one source knows
LISTED = 6
TOLD_SLICES = 1000  # in the attributes of a store, which are read whole


class Sources:
    """Label sources of one volume that are combined.

    classes: `Classes`. annotated: for each source the names of the classes it annotates, None: all.
    """

    def __init__(self, classes, annotated):
        self.classes = classes
        self.drawn = [tuple(classes.drawn_as(names).tolist()) for names in annotated]
        self.members = [frozenset(classes.members_of(i)) for i in range(len(classes))]
        self._class_of = functools.cache(self._tell_class)
        self._answer = functools.cache(self._tell_target)

    def possible(self, values, incomplete):
        """The classes that a voxel with these `values` (one for each source) can have, as a set.

        incomplete: for each source whether only some objects are drawn in the slice, so that what lies in a drawn one may not be.
        """
        classes = frozenset(range(len(self.classes)))
        for value, drawn, is_incomplete in zip(values, self.drawn, incomplete):
            if value != UNLABELLED:
                drawn_so = {i for i in classes if drawn[i] == value}
                classes &= self.members[value] if is_incomplete and value != OTHER else drawn_so
        return classes

    def tells_apart(self, values, members, others, sources=None):
        """Whether the sources that know a voxel draw every class of `members` differently from every one of `others`."""
        known = [d for k, (v, d) in enumerate(zip(values, self.drawn)) if v != UNLABELLED and k in (sources or [k])]
        seen = [{tuple(d[i] for d in known) for i in group} for group in (members, others)]
        return bool(known) and not seen[0] & seen[1]

    def _tell_class(self, values, incomplete):
        """The class of a voxel; 255 where not every class is told, -1 for a contradiction."""
        possible, n_classes = self.possible(values, incomplete), len(self.classes)
        if not possible:
            return CONTRADICTION
        known = [d for v, d in zip(values, self.drawn) if v != UNLABELLED]
        tells_all = len({tuple(d[i] for d in known) for i in range(n_classes)}) == n_classes
        return next(iter(possible)) if tells_all and len(possible) == 1 else UNLABELLED

    def _tell_target(self, values, incomplete, index):
        """(1, 0 or 255 for target `index`, or -1 for a contradiction; whether that rests on complete sources alone)."""
        possible, members = self.possible(values, incomplete), self.members[index]
        others = frozenset(range(len(self.classes))) - members
        if not possible:
            return CONTRADICTION, False
        if not self.tells_apart(values, members, others):
            return UNLABELLED, False
        complete = [k for k, is_incomplete in enumerate(incomplete) if not is_incomplete]
        answer = 1 if possible <= members else UNLABELLED if possible & members else 0
        return answer, bool(complete) and self.tells_apart(values, members, others, complete)

    def check_values(self, names, rows):
        """Raise ValueError for a value that a source can't have."""
        for k, name in enumerate(names):
            unknown, known = sorted({row[k] for row in rows} - {*self.drawn[k], UNLABELLED}), sorted(set(self.drawn[k]))
            if unknown:
                all_classes = known == list(range(len(self.classes)))
                listed = f"0 to {known[-1]}" if all_classes else ", ".join(map(str, known))
                raise ValueError(
                    f"{name}: labels {listed} or {UNLABELLED} (unlabelled) are expected, "
                    f"found {unknown}; list every class under classes and annotates, or map these values to one."
                )


class Reader:
    """Combines the sources slice by slice, counts, and keeps contradictions until the end; they are unknown (255) in what it makes.

    names: of the sources, for messages. target: number of a class, None for the class map.
    """

    def __init__(self, sources, names, target=None):
        self.sources, self.names, self.target = sources, names, target
        self.counts = np.zeros(256, np.int64)
        self.drawn = np.zeros((len(names), 256), np.int64)
        self.complete, self.incomplete = [], []
        self.contradictions = {}  # slice -> {values: voxels}
        self.shared = {}  # slice with contradictions -> voxels that more than one source knows

    def read(self, planes, z, incomplete):
        """One slice, (Y, X) uint8: the classes or the target, of the sources' `planes` (255 where they don't reach).

        incomplete: for each source whether it is incomplete in this slice.
        """
        codes, n_codes, rows = joint_values(planes)
        self.sources.check_values(self.names, [values for values, _, _ in rows])
        table, incomplete = np.full(n_codes, UNLABELLED, np.uint8), tuple(map(bool, incomplete))
        is_known, is_complete, shared = False, True, 0
        for values, code, count in rows:
            shared += count * (sum(value != UNLABELLED for value in values) > 1)
            if self.target is None:
                answer, rests = self.sources._class_of(values, incomplete), not any(incomplete)
            else:
                answer, rests = self.sources._answer(values, incomplete, self.target)
            if answer == CONTRADICTION:
                self.contradictions.setdefault(z, {})[values] = count
                continue
            table[code] = answer
            self.counts[answer] += count
            is_known |= answer != UNLABELLED
            is_complete &= answer == UNLABELLED or rests
            for k, value in enumerate(values):
                self.drawn[k, value] += count
        if z in self.contradictions:
            self.shared[z] = shared
        if is_known:
            (self.complete if is_complete else self.incomplete).append(z)
        is_same = n_codes == 256 and all(table[code] == code for _, code, _ in rows)
        return codes if is_same else table[codes]

    def check(self, where):
        """Raise ValueError for slices in which the sources contradict each other in more than MOST_CONTRADICTORY of what they share."""
        found = [z for z, n in self.contradictory() if n > MOST_CONTRADICTORY * self.shared[z]]
        if found:
            raise ValueError(
                f"{where}: expected label sources that agree where they know the same, found contradictions:\n"
                + self.listed(found)
                + "\n  Correct the labels, their values, annotates, or classes: inside, or take one of the sources out of labels: reference."
            )

    def warning(self):
        """What to tell of contradictions, as text; '' without any."""
        found = self.contradictory()
        if not found:
            return ""
        return (
            f"label sources contradict each other on {sum(n for _, n in found):,} voxels, which are unknown ({UNLABELLED}) here "
            f"(at most {MOST_CONTRADICTORY:.0%} of what they share in a slice):\n{self.listed([z for z, _ in found])}"
        )

    def contradictory(self):
        """[[slice, voxels on which sources contradict each other], ...] of the slices that have some."""
        return [[z, sum(rows.values())] for z, rows in self.contradictions.items()]

    def listed(self, slices):
        """A line for each of the first of these slices: how many voxels, and what the sources say on most of them."""
        lines = []
        for z in slices[:LISTED]:
            rows = self.contradictions[z]
            values, count = max(rows.items(), key=lambda item: item[1])
            said = " and ".join(f"{self.said(v)} of {n}" for n, v in zip(self.names, values) if v != UNLABELLED)
            lines.append(f"    slice {z}: {sum(rows.values())} voxels, {count} of them {said}")
        more = len(slices) - LISTED
        return "\n".join(lines + [f"    and {more} more slices"] * (more > 0))

    def said(self, value):
        return "other" if value == OTHER else self.sources.classes.names[value]


def joint_values(planes):
    """(codes (Y, X), number of codes, rows): which combination of values each voxel has.

    planes: (Y, X) uint8, one for each source. rows: (values, code, voxels) of each combination that occurs.
    """
    codes, rows, n_codes = planes[0], [()], 256
    for k, plane in enumerate(planes):
        if k:
            kind = np.uint16 if len(rows) <= 256 else np.int64
            place = np.zeros(n_codes, kind)
            place[[code for _, code, _ in rows]] = (np.arange(len(rows)) * 256).astype(kind)
            codes, n_codes = place[codes] + plane, len(rows) * 256
        before = [values for values, _, _ in rows] if k else [()]
        is_small = codes.dtype != np.int64
        counts = value_counts(codes) if is_small else np.bincount(codes.ravel(), minlength=n_codes)
        present = np.flatnonzero(counts).tolist()
        rows = [((*before[code // 256], code % 256), code, int(counts[code])) for code in present]
    return codes, n_codes, rows
