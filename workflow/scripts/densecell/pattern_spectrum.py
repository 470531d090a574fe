"""Pattern spectrum of an object: how much of its gray values lies in bright and in dark spots of each size.

After Maragos 1989 (doi 10.1109/34.192465), as in Machireddy et al. 2023 (who call it power spectrum in one place): the sum of the gray values
falls with each larger opening, and by how much is the spectrum; closings give the same for dark spots. The structuring elements nest
(each is the one before, dilated), without which a spectrum can be negative; digital balls do not.
"""

import numpy as np

ELEMENTS = ("cube", "rounded")
MOMENTS = ("mean", "sd", "skewness", "entropy")
FLOAT_STEPS = 65535  # gray values of floating-point images are rounded to so many
UNITS = {"mean": "steps", "sd": "steps", "entropy": "bit"}


def _step(values, pick, i, element):
    """The i-th (from 1) of the small steps that build an element: 3 x 3 x 3 voxels, or, rounded, a voxel and its 6 neighbors in turn.

    pick: np.minimum (erosion) or np.maximum (dilation); what lies outside of the array is 0. Plain comparisons of shifted arrays: with
    SciPy's filters a spectrum of 200^3 uint8 took 3 (cube) and 5 (rounded) times as long.
    """
    out = values.copy()
    for axis in range(values.ndim):
        source = values if element == "rounded" and i % 2 else out.copy()
        later, earlier = (np.moveaxis(out, axis, 0)[1:], np.moveaxis(out, axis, 0)[:-1])
        source = np.moveaxis(source, axis, 0)
        pick(later, source[:-1], out=later)
        pick(earlier, source[1:], out=earlier)
        if pick is np.minimum:
            np.moveaxis(out, axis, 0)[[0, -1]] = 0
    return out


def _dilated(values, n, element):
    for i in range(1, n + 1):
        values = _step(values, np.maximum, i, element)
    return values


def opened_sums(values, n, element="cube"):
    """The sum of the values after openings of the sizes 0 to n: (n + 1,) float.

    values: (Z, Y, X) numbers >= 0, 0 outside of the object, which is also taken for what lies outside of the array: an object borrows
    nothing from outside. element: cube, (2 i + 1)^3 voxels at size i, or rounded, steps by 6 and 26 neighbors in turn.
    """
    if element not in ELEMENTS:
        raise ValueError(f"texture.spectrum.element: expected one of {', '.join(ELEMENTS)}, found {element!r}")
    sums, eroded = [values.sum(dtype=np.float64)], values
    for i in range(1, n + 1):
        eroded = _step(eroded, np.minimum, i, element)
        if not eroded.any():
            return np.array(sums + [0.0] * (n + 1 - i))
        sums.append(_dilated(eroded, i, element).sum(dtype=np.float64))
    return np.array(sums)


def spectrum(image, mask, n_max=8, element="cube"):
    """(openings, closings): PS of the sizes 0 to n_max and -1 to -n_max, shares of the object's gray value.

    PS_n = (m(opening n) - m(opening n + 1)) / m: bright spots that hold the element of size n and not the next. PS_-n = (m(closing n) -
    m(closing n - 1)) / m: dark ones that closing n fills, so that they hold n - 1 and not n. image: (Z, Y, X) numbers; mask: bool. Gray values count from the
    darkest of the object, so brightness has no effect; floating-point ones are rounded to FLOAT_STEPS. Closings are openings of the inverted object (outside it nothing). All NaN
    where the object is constant or empty.
    """
    nothing = np.full(n_max + 1, np.nan), np.full(n_max, np.nan)
    if not mask.any():
        return nothing
    darkest, brightest = image[mask].min(), image[mask].max()
    if brightest <= darkest:
        return nothing
    if image.dtype.kind == "f":  # whole numbers take a quarter of the memory and a fraction of the time
        image = np.rint((np.clip(image, darkest, brightest) - darkest) * (FLOAT_STEPS / (brightest - darkest)))
        image, darkest, brightest = image.astype(np.uint16), np.uint16(0), np.uint16(FLOAT_STEPS)
    whole = np.dtype(f"u{image.dtype.itemsize}")  # differences of signed numbers wrap, and fit when unsigned
    bright = np.where(mask, image - darkest, 0).astype(whole)
    dark = np.where(mask, brightest - image, 0).astype(whole)
    total = bright.sum(dtype=np.float64)
    openings = -np.diff(opened_sums(bright, n_max + 1, element)) / total
    closings = -np.diff(opened_sums(dark, n_max, element)) / total
    return np.maximum(openings, 0), np.maximum(closings, 0)  # rounding


def moments(sizes, weights):
    """(mean, SD, skewness, entropy in bit) of sizes with weights >= 0; NaN without weight, skewness 0 where all weight is at one size."""
    total = weights.sum()
    if not total > 0:
        return (np.nan,) * 4
    p = weights / total
    mean = (p * sizes).sum()
    variance = (p * (sizes - mean) ** 2).sum()
    skewness = (p * (sizes - mean) ** 3).sum() / variance**1.5 if variance > 1e-12 else 0.0
    held = p[p > 0]
    return tuple(map(float, (mean, np.sqrt(variance), skewness, max(-(held * np.log2(held)).sum(), 0.0))))


def features(image, mask, element="cube", n_max=8):
    """{measure: value}: moments of both sides of the spectrum, and how much of the object's gray value each side holds.

    bright_mean ... bright_entropy, bright_share (openings; the rest is in larger spots); dark_... (closings, sizes as positive numbers).
    """
    found = {}
    for side, weights, first in zip(("bright", "dark"), spectrum(image, mask, n_max, element), (0, 1)):
        sizes = np.arange(first, first + len(weights))
        found |= {f"{side}_{name}": value for name, value in zip(MOMENTS, moments(sizes, weights))}
        found[f"{side}_share"] = float(weights.sum())
    return found
