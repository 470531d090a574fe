"""Contours of numbered objects as a target: 1 on them, 0 beside them, 255 where that is unknown; slice by slice.

Machireddy et al. 2023 (doi 10.3389/fbinf.2023.1308708) let a network predict the boundaries of cells beside their interiors. A
contour is the morphological gradient inside each object, its outermost pixels, drawn with a round pen.
"""

import numpy as np

from densecell.classes import UNLABELLED, UNLABELLED_INSTANCE, Classes
from densecell.region_labels import RegionLabels
from densecell.targets import Sources

NO, YES = 0, 1


def contour_target(ids, width_px):
    """(Y, X) uint8 of object numbers (Y, X) uint32: 1 on a contour, 0 beside all, 255 unknown.

    A pixel of an object is on its contour where one of its 4 neighbors is another object or none; neither the picture's edge nor
    an unlabelled neighbor (4294967295) makes one. Contours are drawn with a round pen of `width_px` (an even number draws one
    more), inward and outward. Unknown are unlabelled pixels and those that a contour hidden by them could reach.
    """
    is_unknown = ids == UNLABELLED_INSTANCE
    on_contour, beside_unknown = np.zeros(ids.shape, bool), np.zeros(ids.shape, bool)
    for axis in (0, 1):
        pairs = [(slice(None),) * axis + (part,) for part in (slice(1, None), slice(None, -1))]
        differ = ids[pairs[0]] != ids[pairs[1]]
        for here, there in (pairs, pairs[::-1]):
            on_contour[here] |= differ & ~is_unknown[there]
            beside_unknown[here] |= is_unknown[there]
    is_object = (ids != 0) & ~is_unknown
    on_contour &= is_object
    target = stamped(on_contour, width_px).view(np.uint8)
    if is_unknown.any():
        may_be = stamped(is_unknown | (beside_unknown & is_object), width_px)
        target[is_unknown | (may_be & (target == NO))] = UNLABELLED
    return target


def reach_px(width_px):
    """How far from a contour's pixels a pen of `width_px` reaches, in whole pixels along an axis."""
    return width_px // 2


def stamped(mask, width_px):
    """Mask (Y, X) bool dilated with a disc: all offsets with dy^2 + dx^2 <= (r + 1/2)^2, r = width_px // 2. A new array."""
    reach = reach_px(width_px)
    rows = [mask.copy()]  # rows[k]: dilated by k along x
    for k in range(1, reach + 1):
        wider = rows[-1].copy()
        wider[:, k:] |= mask[:, :-k]
        wider[:, :-k] |= mask[:, k:]
        rows.append(wider)
    found = rows[reach].copy()
    for dy in range(1, reach + 1):
        row = rows[int(np.sqrt((reach + 0.5) ** 2 - dy**2))]
        found[dy:] |= row[:-dy]
        found[:-dy] |= row[dy:]
    return found


class ContourLabels(RegionLabels):
    """The contours of a class's objects in a region, from all label volumes of object numbers that annotate it.

    volumes, box, left_out: as for RegionLabels; target: name of the contours; class_name: of the objects. Sources of the same
    slice that disagree contradict each other, as classes do. Raises ValueError where no volume annotates that class alone.
    """

    def __init__(self, volumes, box, left_out, target, class_name, width_px):
        found = [v for v in volumes if v.dtype == np.uint32 and v.attributes.get("annotates") == [class_name]]
        if not found:
            listed = ", ".join(str(v.path) for v in volumes)
            raise ValueError(
                f"boundaries.{target}: expected labels with kind: instance and annotates: [{class_name}] in the region's reference, "
                f"found none among {listed}. Add such a source to labels: reference, or take {target} out of the targets."
            )
        self.width_px, self.margin = width_px, reach_px(width_px) + 1
        self._place(found, box, left_out)
        two = Classes(("none", target), ("background", "organelle"))
        self.sources = Sources(two, [[target]] * len(found))

    def reader(self, target=YES):
        """A Reader of the contours."""
        return super().reader(target)

    def _window(self):
        """The region with as much around it, within the volume, as decides on its pixels."""
        sizes = self.volumes[0].shape[1:]
        sides = zip((self.y, self.x), sizes)
        return tuple(slice(max(s.start - self.margin, 0), min(s.stop + self.margin, n)) for s, n in sides)

    def _plane(self, k, plane):
        window = self._window()
        inner = tuple(slice(s.start - w.start, s.stop - w.start) for s, w in zip((self.y, self.x), window))
        target = contour_target(plane, self.width_px)[inner]
        return np.choose(np.minimum(target, 2), self._drawn(k)).astype(np.uint8)

    def _drawn(self, k):
        """What source k has for no, yes and unknown."""
        no, yes = self.sources.drawn[k]
        return no, yes, UNLABELLED
