"""Cut one connected piece of a class into objects, where it is narrow or where its probability falls.

A height (distance to the border, or probability) has a peak in the middle of each object. Each peak floods its basin downhill;
then two basins become one wherever the way from the lower peak to the higher one falls by less than a depth. What is left are
the peaks of that dynamic (Grimaud 1992, doi 10.1117/12.60650), as in the h-maxima transform. Watershed: scikit-image (flooding
by priority, without lines); distances: SciPy, exact and in nm.
"""

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed


def structure_of(connectivity):
    """(3, 3, 3) bool: the neighbors of a voxel, 6 by faces, 18 by edges too, 26 by corners too."""
    return ndimage.generate_binary_structure(3, {6: 1, 18: 2, 26: 3}[connectivity])


def forward_offsets(structure):
    """The offsets (dz, dy, dx) of one half of the neighbors, so that each pair of neighbors is met once."""
    offsets = [tuple(int(i) - 1 for i in at) for at in np.argwhere(structure)]
    return [offset for offset in offsets if offset > (0, 0, 0)]


def distance_to_border(mask, spacing_nm):
    """Distance in nm of each voxel's center to that of the nearest one outside the mask; 0 outside, infinite where all is inside.

    mask: (Z, Y, X) bool, an object with a voxel more at each side but those where the volume ends: nobody knows what follows
    there, so that the end of the volume is no border of the object. spacing_nm: (z, y, x). Returns float32.
    """
    if mask.all():
        return np.full(mask.shape, np.inf, np.float32)
    return ndimage.distance_transform_edt(mask, sampling=spacing_nm).astype(np.float32)


def smoothed(height, smoothing_nm, spacing_nm):
    """A Gaussian of this standard deviation in nm over a height (Z, Y, X); 0 leaves it as it is. Beyond the box its edge goes on."""
    if not smoothing_nm or not np.isfinite(height).all():
        return height
    return ndimage.gaussian_filter(height, [smoothing_nm / s for s in spacing_nm], mode="nearest", truncate=3)


class Neighborhood:
    """The voxels of a mask (Z, Y, X) and what their neighbors hold: only as much work as there are voxels in the mask.

    structure: (3, 3, 3) neighbors of a voxel.
    """

    def __init__(self, mask, structure):
        self.mask, padded = mask, np.pad(mask, 1)
        self.shape, self._at = padded.shape, np.flatnonzero(padded)
        _, self._y, self._x = self.shape
        self._ahead = [(dz * self._y + dy) * self._x + dx for dz, dy, dx in forward_offsets(structure)]

    def spread(self, values, outside):
        """What (Z, Y, X) holds in the mask, and `outside` elsewhere, as a flat array with a border, for `pairs`."""
        flat = np.full(np.prod(self.shape), outside, values.dtype)
        flat[self._at] = values[self.mask]
        return flat

    def pairs(self, *flats):
        """For each direction ahead, the values of each voxel of the mask and of its neighbor there, for each flat array."""
        for step in self._ahead:
            yield [(flat[self._at], flat[self._at + step]) for flat in flats]

    def maxima(self, height):
        """(Z, Y, X) bool: voxels of the mask with no higher neighbor in it."""
        flat = self.spread(height, -np.inf)
        is_top = np.ones(len(flat), bool)
        for step in self._ahead:
            here, there = flat[self._at], flat[self._at + step]
            is_top[self._at] &= here >= there
            is_top[self._at + step] &= there >= here
        top = np.zeros(self.mask.shape, bool)
        top[self.mask] = is_top[self._at]
        return top


def cut(mask, height, min_depth, structure):
    """Number the objects of a connected mask (Z, Y, X) by their peaks in `height`: (Z, Y, X) int32, 1 to n, 0 outside the mask.

    min_depth: in the unit of the height; peaks of a smaller dynamic are no objects of their own, equal plateaus never are.
    structure: (3, 3, 3) neighbors of a voxel.
    """
    height = height.astype(np.float32)
    neighborhood = Neighborhood(mask, structure)
    peaks, n_peaks = ndimage.label(neighborhood.maxima(height), structure)
    if n_peaks <= 1:
        return mask.astype(np.int32)
    basins = watershed(-height, peaks, connectivity=structure, mask=mask).astype(np.int32, copy=False)
    peak_heights = np.zeros(n_peaks + 1, np.float32)
    peak_heights[peaks[peaks > 0]] = height[peaks > 0]
    return merge_shallow(basins, peak_heights[1:], *passes(basins, height, neighborhood), min_depth)


def passes(basins, height, neighborhood):
    """The highest pass between each two basins that touch: (pairs (n, 2), lower number first and ascending; heights (n,))."""
    n = int(basins.max()) + 1
    keys, heights = [], []
    for (a, b), (low, high) in neighborhood.pairs(neighborhood.spread(basins, 0), neighborhood.spread(height, 0)):
        touching = (a != b) & (b > 0)
        a, b = a[touching].astype(np.int64), b[touching].astype(np.int64)
        keys.append(np.minimum(a, b) * n + np.maximum(a, b))
        heights.append(np.minimum(low[touching], high[touching]))
    keys, heights = np.concatenate(keys), np.concatenate(heights)
    order = np.argsort(keys, kind="stable")
    keys, heights = keys[order], heights[order]
    first = np.flatnonzero(np.diff(keys, prepend=-1))
    found = np.maximum.reduceat(heights, first) if len(first) else heights
    return np.stack([keys[first] // n, keys[first] % n], axis=1), found


def merge_shallow(basins, peak_heights, pairs, pass_heights, min_depth):
    """Join basins over their passes, from the highest one down, where the lower peak rises less than min_depth above it.

    basins: (Z, Y, X) int32, 1 to n; peak_heights: (n,); pairs, pass_heights: of `passes`. Equal passes are taken in the order
    of the basins' numbers. Returns (Z, Y, X) int32, numbered from 1 by the lowest number of a basin.
    """
    parent = list(range(len(peak_heights) + 1))
    peak = [np.inf, *(float(height) for height in peak_heights)]

    def root(i):
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    for i in np.argsort(-pass_heights, kind="stable"):
        a, b = (root(int(j)) for j in pairs[i])
        depth = min(peak[a], peak[b]) - float(pass_heights[i])
        if a != b and (depth <= 0 or depth < min_depth):
            parent[max(a, b)] = min(a, b)
            peak[min(a, b)] = max(peak[a], peak[b])
    roots = np.array([root(i) for i in range(len(parent))])
    return np.unique(roots, return_inverse=True)[1].astype(np.int32)[basins]


def is_too_thin(box_shape, spacing_nm, open_ends, min_depth_nm):
    """Whether a component can't be cut by distance: none of its voxels is so far from the border that the way to another could
    fall by min_depth_nm.

    box_shape: (z, y, x) voxels of its box; open_ends: how many ends of the box are ends of the volume, for each axis.
    """
    reach = [(n + 1) / 2 if ends == 0 else n if ends == 1 else np.inf for n, ends in zip(box_shape, open_ends)]
    return bool(min(r * s for r, s in zip(reach, spacing_nm)) < min_depth_nm)


def coarsening(box_shape, spacing_nm, max_voxels):
    """How many voxels (z, y, x) become one so that a box has at most max_voxels: powers of 2, the finest axis doubled first."""
    factors = [1, 1, 1]
    # n voxels that begin anywhere lie in at most (n - 2) // factor + 2 blocks; one more at each side is the border
    while np.prod([max(n - 2, 0) // f + 4 for n, f in zip(box_shape, factors)], dtype=float) > max_voxels:
        sizes = [s * f if f < n else np.inf for n, f, s in zip(box_shape, factors, spacing_nm)]
        if not np.isfinite(min(sizes)):
            break
        factors[2 - int(np.argmin(sizes[::-1]))] *= 2
    return tuple(factors)
