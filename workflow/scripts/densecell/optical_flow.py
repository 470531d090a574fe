"""Dense optical flow between two slices, and labels that move with it.

Farneback's method (2003, doi 10.1007/3-540-45103-X_50) as OpenCV has it, chosen since Machireddy et al. 2023
(doi 10.3389/fbinf.2023.1308708) name its parameters and no other free library estimates flow of slices of 24 million pixels in seconds.
A flow is found for each pixel of the slice that labels are brought to, and tells where in the other slice its content lies. So labels
are looked up once for each pixel, by the nearest neighbor: an exact backward warp, which leaves no holes and makes no new ids.
"""

import math
from dataclasses import dataclass

import cv2
import numpy as np

BLOCK_ROWS = 64  # rows that are warped at once: their arrays stay in the processor's cache
RANGE = (0.005, 0.995)  # shares of the gray values that go to 0 and to 255
SMALLEST_SIDE = 8  # pixels of a slice below which no polynomials can be fitted


@dataclass(frozen=True)
class FlowSettings:
    """How flow is estimated; the paper's values, and Gaussian windows, which it leaves open.

    pyramid_scale: of each level to the one below, in (0, 1); levels: at most, OpenCV ends where a level would be smaller than
    32 px; window: px of the averaging window (the paper's filter size); iterations: on each level; neighborhood: px, odd, of the
    polynomials; sigma: px, of their Gaussian; gaussian: a Gaussian averaging window in place of a box; scale: of the slices that
    flow is computed on to those given, in (0, 1].
    """

    pyramid_scale: float = 0.2
    levels: int = 6
    window: int = 30
    iterations: int = 3
    neighborhood: int = 5
    sigma: float = 1.1
    gaussian: bool = True
    scale: float = 1


def use_threads(threads):
    """Let OpenCV use this many threads; no result depends on it."""
    cv2.setNumThreads(threads)


def estimate_flow(target, source, settings=None):
    """Where in `source` the content of each pixel of `target` lies, relative to it: (Y, X, 2) float32, pixels (x, y).

    target, source: (Y, X) uint8 slices. target(y, x) ~ source(y + f[y, x, 1], x + f[y, x, 0]). Zero where a slice has one gray value, or a side
    of fewer than 8 px: nothing is known there. Raises ValueError for slices of different sizes or of another type.
    """
    settings = settings or FlowSettings()
    if target.shape != source.shape or {target.dtype, source.dtype} != {np.dtype(np.uint8)}:
        found = f"{target.dtype} {target.shape} and {source.dtype} {source.shape}"
        raise ValueError(f"optical flow: expected two uint8 slices of one size, found {found}.")
    sides = target.shape
    if min(sides) < SMALLEST_SIDE or target.min() == target.max() or source.min() == source.max():
        return np.zeros((*sides, 2), np.float32)
    if settings.scale < 1:
        small = tuple(max(math.ceil(n * settings.scale), SMALLEST_SIDE) for n in sides)
        target, source = (cv2.resize(plane, small[::-1], interpolation=cv2.INTER_AREA) for plane in (target, source))
    flow = cv2.calcOpticalFlowFarneback(
        target,
        source,
        None,
        settings.pyramid_scale,
        settings.levels,
        settings.window,
        settings.iterations,
        settings.neighborhood,
        settings.sigma,
        cv2.OPTFLOW_FARNEBACK_GAUSSIAN if settings.gaussian else 0,
    )
    if settings.scale < 1:
        factors = np.array([sides[1] / small[1], sides[0] / small[0]], np.float32)
        flow = cv2.resize(flow, sides[::-1], interpolation=cv2.INTER_LINEAR) * factors
    return flow


def warp(labels, flow):
    """Labels of the source slice brought to the target slice: (Y, X) of the same type.

    flow: (Y, X, 2) as `estimate_flow` gives it. What would come from beyond the slice gets the label at its edge.
    """
    height, width = labels.shape
    warped, columns = np.empty_like(labels), np.arange(width, dtype=np.float32)
    for top in range(0, height, BLOCK_ROWS):
        block = flow[top : top + BLOCK_ROWS]
        rows = np.arange(top, top + len(block), dtype=np.float32)[:, None]
        y = np.clip(np.rint(block[..., 1] + rows), 0, height - 1).astype(np.int32)
        x = np.clip(np.rint(block[..., 0] + columns), 0, width - 1).astype(np.int32)
        warped[top : top + BLOCK_ROWS] = labels[y, x]
    return warped


def gray_range(planes):
    """The gray values that become 0 and 255 of a stack that is not of 8 bit: its quantiles of 0.005 and 0.995.

    planes: a few slices of it. One range for a stack, since flow compares gray values of different slices.
    """
    values = np.concatenate([plane.ravel()[:: max(plane.size // 2**20, 1)] for plane in planes])
    return tuple(float(v) for v in np.quantile(values, RANGE))


def to_uint8(plane, limits):
    """A slice as uint8; one that is uint8 stays as it is. limits: `gray_range` of its stack."""
    if plane.dtype == np.uint8:
        return plane
    low, high = limits
    scaled = (plane.astype(np.float32) - np.float32(low)) * np.float32(255 / max(high - low, 1e-12))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)
