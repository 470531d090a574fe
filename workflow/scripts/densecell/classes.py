"""The classes of a data set: their numbers are their places in the list, 255 is unlabelled.

A class may lie inside another (a nucleolus in its nucleus). A label map tells the innermost class of a voxel; the target
of a class holds everything that lies in it.
"""

import json
from dataclasses import dataclass

import numpy as np

UNLABELLED = 255
UNLABELLED_INSTANCE = 2**32 - 1  # of volumes of object numbers (uint32), where 0 is: labelled, and no object
OTHER = 254  # in sources that annotate some classes only: annotated, and none of these
GROUPS = ("background", "cell", "organelle")
BACKGROUND, CELL, ORGANELLE = range(len(GROUPS))


@dataclass(frozen=True)
class Classes:
    """Names and groups of the classes; class i is ``names[i]`` and lies in class ``inside[i]`` (-1: in none)."""

    names: tuple
    groups: tuple
    inside: tuple = ()
    boundaries: tuple = ()  # names of targets that are contours of objects: of no class, and no voxel of a map is theirs

    def __post_init__(self):
        if not self.inside:
            object.__setattr__(self, "inside", (-1,) * len(self.names))
        for i, name in enumerate(self.names):
            if len(set(self.containers_of(i))) < len(self.containers_of(i)):
                raise ValueError(
                    f"classes.{name}.inside: expected containers that end in one which lies in none, found a circle."
                )

    @classmethod
    def from_records(cls, records):
        """From a list of ``{"name": ..., "group": ..., "inside": name or None, "boundaries": [name, ...]}``, as in the
        configuration or its JSON text; the boundaries are those of the class's objects."""
        if isinstance(records, str):
            records = json.loads(records)
        for record in records:
            if record["group"] not in GROUPS:
                raise ValueError(
                    f"classes.{record['name']}.group: expected one of {GROUPS}, found {record['group']!r}."
                )
        names = tuple(r["name"] for r in records)
        for record in records:
            if record.get("inside") is not None and record["inside"] not in names:
                raise ValueError(
                    f"classes.{record['name']}.inside: expected one of {', '.join(names)}, found {record['inside']!r}."
                )
        inside = tuple(-1 if r.get("inside") is None else names.index(r["inside"]) for r in records)
        boundaries = tuple(name for r in records for name in r.get("boundaries", ()))
        return cls(names, tuple(r["group"] for r in records), inside, boundaries)

    def __len__(self):
        return len(self.names)

    @property
    def group_ids(self):
        """(n_classes,) uint8: 0 background, 1 cell, 2 organelle."""
        return np.array([GROUPS.index(g) for g in self.groups], dtype=np.uint8)

    @property
    def organelles(self):
        """Numbers of the organelle classes."""
        return [i for i, group in enumerate(self.groups) if group == "organelle"]

    def containers_of(self, index):
        """Numbers of the classes that class `index` lies in, itself first, from the inside out; of a circle its first round
        and the class that closes it."""
        found = [index]
        while self.inside[found[-1]] >= 0 and len(found) == len(set(found)):
            found.append(self.inside[found[-1]])
        return found

    def members_of(self, index):
        """Numbers of class `index` and of everything that lies in it, ascending."""
        return [i for i in range(len(self)) if index in self.containers_of(i)]

    def drawn_as(self, annotated=None):
        """What a source that annotates these classes (names; None: all) draws for each class: (n_classes,) uint8.

        The innermost annotated class that it is or lies in, else 254 (other).
        """
        known = range(len(self)) if annotated is None else [self.names.index(self._known(name)) for name in annotated]
        drawn = [next((c for c in self.containers_of(i) if c in known), OTHER) for i in range(len(self))]
        return np.array(drawn, np.uint8)

    def _known(self, name):
        if name not in self.names:
            raise ValueError(f"annotates: unknown class {name!r}; known: {', '.join(self.names)}.")
        return name

    def index(self, name):
        """The number of the class called `name`; 255 for 'unlabelled', 254 for 'other'."""
        words = {"unlabelled": UNLABELLED, "other": OTHER}
        if name in words:
            return words[name]
        if name not in self.names:
            raise ValueError(f"unknown class {name!r}; known: {', '.join(self.names)}, {', '.join(words)}.")
        return self.names.index(name)
