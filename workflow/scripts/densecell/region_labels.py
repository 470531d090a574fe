"""The labels of a region: several aligned label volumes, read slab by slab in the region's box."""

from pathlib import Path

import numpy as np

from densecell.classes import OTHER, UNLABELLED, UNLABELLED_INSTANCE
from densecell.sparse_labels import has_labels
from densecell.targets import Reader, Sources


def as_class(ids, number):
    """Object numbers as a source of their one class draws it: uint8, `number` in objects, 254 (other) in none, 255 unlabelled."""
    return np.where(ids == UNLABELLED_INSTANCE, UNLABELLED, np.where(ids > 0, number, OTHER)).astype(np.uint8)


class RegionLabels:
    """Label volumes of one stack within a region.

    volumes: opened aligned labels, of classes or of numbered objects of one class; box: [(start, stop)] (z, y, x) of the region in
    them; left_out: slices of the stack that alignment left out, which are unlabelled. Raises ValueError for objects of no class or
    of several.
    """

    def __init__(self, volumes, box, left_out, classes):
        self._place(volumes, box, left_out)
        annotated = [v.attributes.get("annotates") for v in volumes]
        self.sources = Sources(classes, annotated)
        for volume, name, some in zip(volumes, self.names, annotated):
            if volume.dtype == np.uint32 and len(some or ()) != 1:
                raise ValueError(
                    f"labels.{name}.annotates: expected the one class whose objects are numbered, found {some}. Name it, such as "
                    "annotates: [cell]."
                )
        self.of_objects = [
            classes.index(some[0]) if v.dtype == np.uint32 else None for v, some in zip(volumes, annotated)
        ]

    def _place(self, volumes, box, left_out):
        self.volumes, self.left_out = volumes, set(left_out)
        self.first, self.y, self.x = box[0][0], *(slice(*side) for side in box[1:])
        self.names = [Path(v.path).name.removeprefix("labels_").removesuffix(".ome.zarr") for v in volumes]
        self.incomplete = [set(v.attributes.get("incomplete_slices", ())) for v in volumes]

    def reader(self, target=None):
        """A Reader of the class map, or of the target of a class (its number)."""
        return Reader(self.sources, self.names, target)

    def read(self, reader, start, stop):
        """Slices [start, stop) of the region as `reader` makes them, (Z, Y, X) uint8; None where no source has labels."""
        at = range(self.first + start, self.first + stop)
        kept = [z for z in at if z not in self.left_out]
        if not any(has_labels(v, kept) for v in self.volumes):
            return None
        slabs = [v[(slice(at.start, at.stop), *self._window())] for v in self.volumes]
        size_yx = (self.y.stop - self.y.start, self.x.stop - self.x.start)
        result = np.full((len(at), *size_yx), UNLABELLED, np.uint8)
        for z in kept:
            planes = [self._plane(k, slab[z - at.start]) for k, slab in enumerate(slabs)]
            result[z - at.start] = reader.read(planes, z - self.first, [z in some for some in self.incomplete])
        return result

    def _window(self):
        """The part of a slice that is read, (y, x)."""
        return self.y, self.x

    def _plane(self, k, plane):
        """What source k draws in one slice of the window: (Y, X) uint8."""
        return plane if self.of_objects[k] is None else as_class(plane, self.of_objects[k])
