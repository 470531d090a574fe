"""The classes of a data set: their numbers are their places in the list, 255 is unlabelled."""

import json
from dataclasses import dataclass

import numpy as np

UNLABELLED = 255
GROUPS = ("background", "cell", "organelle")
BACKGROUND, CELL, ORGANELLE = range(len(GROUPS))


@dataclass(frozen=True)
class Classes:
    """Names and groups of the classes; class i is ``names[i]``."""

    names: tuple
    groups: tuple

    @classmethod
    def from_records(cls, records):
        """From a list of ``{"name": ..., "group": ...}``, as in the configuration or its JSON text."""
        if isinstance(records, str):
            records = json.loads(records)
        for record in records:
            if record["group"] not in GROUPS:
                raise ValueError(
                    f"classes.{record['name']}.group: expected one of {GROUPS}, found {record['group']!r}."
                )
        return cls(tuple(r["name"] for r in records), tuple(r["group"] for r in records))

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

    def index(self, name):
        """The number of the class called `name`; 255 for 'unlabelled'."""
        if name == "unlabelled":
            return UNLABELLED
        if name not in self.names:
            raise ValueError(f"unknown class {name!r}; known: {', '.join(self.names)}, unlabelled.")
        return self.names.index(name)
