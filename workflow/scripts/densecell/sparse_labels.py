"""Where the slices of a label source lie in its stack, and which of their voxels are labelled."""

import re
from collections import Counter
from pathlib import Path

import numpy as np

from densecell.classes import BACKGROUND, OTHER


def slice_numbers(files):
    """The number of each file of a series of slices: the one in which the names differ, such as 7 and 12 for s1_z0007.tif and
    s1_z0012.tif. Of a single file its only number.

    Raises ValueError, in plain words, where the names don't tell. The same as in workflow/rules/headers.py.
    """
    parts = [re.split(r"(\d+)", Path(f).stem) for f in files]
    odd = next((f for f, p in zip(files, parts) if len(p) != len(parts[0]) or p[0::2] != parts[0][0::2]), None)
    if odd is not None:
        raise ValueError(f"{Path(files[0]).name} and {Path(odd).name} differ in more than a number")
    columns = list(zip(*parts))[1::2]
    varying = [column for column in columns if len(set(map(int, column))) > 1] or columns
    if len(varying) != 1:
        found = f"{len(varying)} numbers" + (" that differ" if len(files) > 1 else "") if columns else "no number"
        raise ValueError(
            f"{found} in the name{'s' * (len(files) > 1)} {Path(files[0]).name}" + ", ..." * (len(files) > 1)
        )
    return [int(n) for n in varying[0]]


def slice_positions(slices, numbers, n_slices):
    """z of each slice of a source in its frame, or None where they follow one after the other.

    slices: a list, "by_name" (then they are `numbers`, of the files' names) or None. Raises ValueError for another
    count than `n_slices` and for a slice that is there twice.
    """
    if slices is None:
        return None
    found = list(numbers if slices == "by_name" else slices)
    if len(found) != n_slices:
        raise ValueError(f"slices: expected a z for each of the {n_slices} slices of the source, found {len(found)}")
    twice = sorted(z for z, n in Counter(found).items() if n > 1)
    if twice:
        raise ValueError(f"slices: expected each z once, found {', '.join(map(str, twice[:8]))} more than once")
    return found


def within_boxes(boxes, z, origin_yx, shape_yx):
    """(Y, X) bool: which pixels of slice z lie in one of the boxes; None for all. Raises nothing for boxes that reach further.

    boxes: records with z, y and x, half-open ranges in the frame (None: all), or None; origin_yx: the slice's first pixel.
    """
    if boxes is None:
        return None
    inside = np.zeros(shape_yx, bool)
    for box in boxes:
        if box.get("z") is None or box["z"][0] <= z < box["z"][1]:
            ranges = [box.get(axis) or (o, o + n) for axis, o, n in zip("yx", origin_yx, shape_yx)]
            inside[tuple(slice(max(a - o, 0), max(b - o, 0)) for (a, b), o in zip(ranges, origin_yx))] = True
    return inside


def not_drawn(classes, annotates):
    """Numbers that say nothing in an incomplete slice: other, and background unless `annotates` names it."""
    groups = classes.group_ids
    background = [
        i for i, name in enumerate(classes.names) if groups[i] == BACKGROUND and name not in (annotates or ())
    ]
    return [*background, OTHER]


class Placement:
    """Where the slices of a source lie in its frame, which parts of them are labelled, and which are incomplete.

    name: of the source, for messages; shape: of its stack (Z, Y, X, ...); paths: its files; told: what the configuration says of
    it: origin_voxels, slices, boxes, complete, incomplete_slices, annotates. index: {z in the frame: slice of the source};
    shape: (Z, Y, X) of the block that holds it; attributes: what later steps have to know. Raises ValueError where that
    doesn't fit together.
    """

    def __init__(self, name, shape, paths, told, classes):
        try:
            numbers = slice_numbers(paths) if told["slices"] == "by_name" else None
            positions = slice_positions(told["slices"], numbers, shape[0])
        except ValueError as error:
            raise ValueError(f"labels.{name}: {error}. Correct labels.{name}.slices or path.") from error
        self.origin, self.boxes = told["origin_voxels"], told["boxes"]
        if positions is not None and self.origin[0]:
            raise ValueError(
                f"labels.{name}.origin: expected 0 in z where slices are given, found {self.origin[0]}. The numbers of slices "
                "count from the first slice of the stack."
            )
        places = range(self.origin[0], self.origin[0] + shape[0]) if positions is None else positions
        self.index = {z: i for i, z in enumerate(places)}
        self.shape = (max(self.index) + 1 - self.origin[0], *shape[1:3])
        self.incomplete = set(told["incomplete_slices"] or ()) if told["complete"] else set(self.index)
        absent = sorted(self.incomplete - set(self.index))
        if absent:
            raise ValueError(
                f"labels.{name}.incomplete_slices: expected slices that the source has, found {', '.join(map(str, absent[:8]))}. "
                "They count from the first slice of the stack."
            )
        self.unsaid = not_drawn(classes, told["annotates"])
        facts = {
            "annotates": told["annotates"],
            "slices": sorted(self.index) if positions is not None else None,
            "incomplete_slices": sorted(self.incomplete),
        }
        self.attributes = {key: value for key, value in facts.items() if value}

    def slices_within(self, start, stop):
        """z in the frame of the slices that are there, of [start, stop) of the stored block."""
        return [z for z in range(self.origin[0] + start, self.origin[0] + stop) if z in self.index]

    def convert(self, converter, codes, z):
        """Slice z of the frame, (Y, X), of its stored values as `converter` makes it."""
        within = within_boxes(self.boxes, z, self.origin[1:], codes.shape)
        at = z - self.origin[0]  # messages count in the source where it is whole
        return converter.convert(codes, at, within=within, unsaid=self.unsaid if z in self.incomplete else ())


def binned_slices(attributes, factor, n_slices):
    """The attributes slices and incomplete_slices of sparse labels after binning by `factor` in z.

    n_slices: of the stack. A block is labelled where all its slices are, and incomplete where one of them is.
    """
    found = {}
    if "slices" in attributes:
        labelled = set(attributes["slices"])
        blocks = sorted({z // factor for z in labelled})
        found["slices"] = [b for b in blocks if labelled.issuperset(range(b * factor, min((b + 1) * factor, n_slices)))]
    if "incomplete_slices" in attributes:
        found["incomplete_slices"] = sorted({z // factor for z in attributes["incomplete_slices"]})
    return found


def has_labels(volume, slices):
    """Whether a label volume may hold labels in one of these slices: it is whole, or sparse with one of them."""
    labelled = volume.attributes.get("slices")
    return bool(slices) if labelled is None else not set(labelled).isdisjoint(slices)
