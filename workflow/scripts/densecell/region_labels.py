"""The labels of a region: several aligned label volumes, read slab by slab in the region's box."""

from pathlib import Path

import numpy as np

from densecell.classes import UNLABELLED
from densecell.sparse_labels import has_labels
from densecell.targets import Reader, Sources


class RegionLabels:
    """Label volumes of one stack within a region.

    volumes: opened aligned labels; box: [(start, stop)] (z, y, x) of the region in them; left_out: slices of the stack that
    alignment left out, which are unlabelled.
    """

    def __init__(self, volumes, box, left_out, classes):
        self.volumes, self.left_out, self.classes = volumes, set(left_out), classes
        self.first, self.y, self.x = box[0][0], *(slice(*side) for side in box[1:])
        self.names = [Path(v.path).name.removeprefix("labels_").removesuffix(".ome.zarr") for v in volumes]
        self.sources = Sources(classes, [v.attributes.get("annotates") for v in volumes])
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
        slabs = [v[at.start : at.stop, self.y, self.x] for v in self.volumes]
        result = np.full(slabs[0].shape, UNLABELLED, np.uint8)
        for z in kept:
            planes = [slab[z - at.start] for slab in slabs]
            result[z - at.start] = reader.read(planes, z - self.first, [z in some for some in self.incomplete])
        return result
