"""Which slices of a raw stack stand out, and whether its gray values are plausible.

A slice stands out against its own stack: deviations are counted in robust standard deviations (1.4826 times the median
absolute deviation), with a least size below which nothing is told. The thresholds were set on phantoms with injected
faults and on real stacks (docs/checks.md has the rates).
"""

import numpy as np

from densecell.findings import Finding, at_slices
from densecell.spacing_checks import axes_and_spacing

DEVIATIONS = 8  # robust deviations of the stack from which a slice stands out
THERE_AND_BACK = 5  # the same for a slice that lies beside both neighbors, which happens twice by chance more seldom
NOT_BLANK = 0.1  # of the stack's median contrast; below, a slice is as good as blank
LOW_LIKENESS = 0.5  # of the stack's median: below, two slices don't belong together
NEGATIVE = 0.5  # the same, below 0: a negative of the neighbors, and no noise
SAME = 0.25  # share of the usual unlikeness (1 - likeness) of two neighbors below which they show the same surface
LEAST_SHIFT_SHARE = 0.01  # of the side of a slice
LEAST_BRIGHTNESS = 0.5  # of the contrast (sd within slices)
LEAST_DRIFT = 1.0
LEAST_SATURATED, LEAST_SATURATED_SLICE = 0.05, 0.2  # share of the pixels
FEW_VALUES = 32


def robust_deviation(values):
    """1.4826 times the median absolute deviation from the median; nan values are left out."""
    values = np.asarray(values, float)
    return 1.4826 * float(np.nanmedian(np.abs(values - np.nanmedian(values))))


def check_stack(stack, voxel_size_nm, is_aligned_later=False):
    """All findings about a `slice_statistics.Stack`; keys are relative to the volume's, e.g. 'axes'.

    voxel_size_nm: (z, y, x) as declared; is_aligned_later: whether the run aligns the slices, so that shifts are expected.
    """
    sound = sound_slices(stack)
    found = [*unreadable(stack), *not_finite(stack), *blank(stack, sound)]
    if not sound.any():
        constant = Finding("constant_volume", "error", "all slices", "an image", "no slice with contrast", "path",
                           "Check the path and the file.")  # fmt: skip
        return found + [constant] * (not stack.failures)
    of_axes = list(axes_and_spacing(stack, voxel_size_nm))
    if any(
        (f.finding, f.severity) == ("axes_swapped", "error") for f in of_axes
    ):  # what stands out along a wrong axis means nothing
        return [*unreadable(stack), *not_finite(stack), *of_axes]
    found += duplicates(stack, sound)
    strange, negative = strangers(stack, sound)
    found += unlike_neighbors(strange, negative)
    found += misaligned(stack, sound, is_aligned_later)
    odd, of_shares = saturated(stack, sound)
    found += of_shares
    even = sound.copy()  # what has been told once is not told again as a change of brightness
    even[[*strange, *negative, *odd]] = False
    found += brightness(stack, even)
    return [*found, *gray_values(stack), *of_axes]


def sound_slices(stack):
    """(n_slices,) bool: slices that were read and have contrast."""
    std = stack.slices["std"].astype(float)
    typical = np.nanmedian(std[std > 0]) if (std > 0).any() else np.inf
    return std > NOT_BLANK * typical


# -------------------------------------------------------------------------------------------------- what is missing
def unreadable(stack):
    """Slices that could not be read, one finding for each text."""
    places = {}
    for z, text in stack.failures.items():
        places.setdefault(text, []).append(z)
    for text, slices in places.items():
        todo = "Copy the file again, or repair it; all slices must have one size and type."
        yield at_slices("unreadable", "error", slices, "a readable image", text, "path", todo)


def not_finite(stack):
    """Slices with NaN or infinite values, which the import refuses."""
    bad = np.nan_to_num(stack.slices["not_finite"])
    if bad.any():
        todo = "Repair the slices, or fill them with one value: they are then flagged as blank."
        found = f"{int(bad.sum())} NaN or infinite values"
        yield at_slices("not_finite", "error", np.flatnonzero(bad), "finite values", found, "path", todo)


def blank(stack, sound):
    """Slices of one value, or nearly."""
    is_blank = ~sound & np.isfinite(stack.slices["std"])
    if is_blank.any() and sound.any():
        values = sorted({f"{v:g}" for v in stack.slices["mean"][is_blank].round(1)})
        todo = "Copy the slices again. Where they were never imaged: they are flagged and bridged, so keep them out of regions."
        found = f"no contrast, gray value {', '.join(values[:4])}"
        yield at_slices("blank_slice", "warning", np.flatnonzero(is_blank), "an image", found, "path", todo)


# ------------------------------------------------------------------------------------------------- against neighbors
def duplicates(stack, sound):
    """Slices equal to another one, and slices far liker to the one before than is usual in the stack."""
    first, equal = {}, {}
    for z in np.flatnonzero(sound):
        name = (stack.slices["content"][z], stack.slices["look"][z])
        if name in first:
            equal[z] = first[name]
        first.setdefault(name, z)
    if equal:
        pairs = [f"{z} = {other}" for z, other in equal.items()]
        found = ", ".join(pairs[:8]) + (f" and {len(pairs) - 8} more" if len(pairs) > 8 else "")
        todo = "Remove the copies, or put the right slices in their place: they count as tissue that isn't there."
        yield at_slices("duplicate_slice", "warning", equal, "slices that differ", found, "path", todo)
    likeness = stack.slices["likeness"].astype(float)
    known = np.isfinite(likeness) & sound
    known[list(equal)] = False
    if known.sum() < 4:
        return
    unlike = np.log(np.maximum(1 - likeness, 1e-6))
    limit = np.median(unlike[known]) - max(DEVIATIONS * robust_deviation(unlike[known]), -np.log(SAME))
    same = np.flatnonzero(known & (unlike < limit))
    if len(same):
        usual = np.median(likeness[known])
        found = f"correlation with the slice before {likeness[same].min():.3f} or more, usually {usual:.3f}"
        todo = "The knife may have missed: remove one of the two slices if they show the same surface."
        yield at_slices("repeated_slice", "warning", same, "slices of different surfaces", found, "path", todo)


def lowest_likeness(stack):
    """The correlation of neighbors below which they don't belong together; -inf where the stack is too short to tell."""
    likeness = stack.slices["likeness"].astype(float)
    if np.isfinite(likeness).sum() < 4 or np.nanmedian(likeness) <= 0:
        return -np.inf
    median = np.nanmedian(likeness)
    return min(median - DEVIATIONS * robust_deviation(likeness), LOW_LIKENESS * median)


def strangers(stack, sound):
    """(strange, negative): slices that are like neither neighbor, though they have contrast, and those that are their negative."""
    likeness, lowest = stack.slices["likeness"].astype(float), lowest_likeness(stack)
    usual = np.nanmedian(likeness) if np.isfinite(likeness).any() else np.nan
    order = np.flatnonzero(sound)
    strange, negative = [], []
    for i, z in enumerate(order):
        with_others = [likeness[z]] if i else []
        with_others += [likeness[order[i + 1]]] if i + 1 < len(order) else []
        with_others = [r for r in with_others if np.isfinite(r)]
        if not with_others or not max(with_others) < lowest:
            continue
        if len(with_others) == 1 and len(order) > 2:  # at an end: its only neighbor may be the strange one
            beyond = likeness[order[2]] if i == 0 else likeness[order[-2]]
            if beyond < lowest:
                continue
        (negative if max(with_others) < -NEGATIVE * usual else strange).append(int(z))
    return strange, negative


def unlike_neighbors(strange, negative):
    """Findings about `strangers`: damaged, of another place, or inverted."""
    if strange:
        todo = "Look at them (figure of the volume). Damaged slices are flagged and bridged; slices of another place belong elsewhere."
        yield at_slices("unlike_neighbors", "warning", strange, "slices like their neighbors",
                      "no correlation with either neighbor", "path", todo)  # fmt: skip
    if negative:
        yield at_slices("inverted_slice", "warning", negative, "one contrast in all slices",
                      "the negative of their neighbors", "path", "Invert these slices.")  # fmt: skip


def misaligned(stack, sound, is_aligned_later):
    """Slices whose content is displaced far more than is usual between neighbors of this stack."""
    shifts = np.stack([stack.slices["dy_px"], stack.slices["dx_px"]], axis=1).astype(float)
    likeness = stack.slices["likeness"].astype(float)
    usable = np.isfinite(shifts[:, 0]) & sound & (likeness >= lowest_likeness(stack))
    usable[1:] &= sound[:-1]  # across a gap, what lies nearest may be another thing
    if usable.sum() < 4:
        return
    away = np.linalg.norm(shifts - np.median(shifts[usable], axis=0), axis=1)
    scale = np.median(away[usable]) / 1.1774  # the median of a Rayleigh distribution, as shifts by chance have it
    least = max(LEAST_SHIFT_SHARE * max(stack.shape[1:]), stack.pixels_per_thumbnail_pixel)
    is_far = {n: usable & (away > max(n * scale, least)) for n in (THERE_AND_BACK, DEVIATIONS)}
    # there and back: the slice in between is the one that lies wrong
    back = np.linalg.norm(shifts[:-1] + shifts[1:], axis=1) < 0.5 * away[:-1]
    alone = np.flatnonzero(is_far[THERE_AND_BACK][:-1] & is_far[THERE_AND_BACK][1:] & back)
    jumps = np.union1d(np.flatnonzero(is_far[DEVIATIONS]), alone).astype(int)
    if not len(jumps):
        return
    largest = max(jumps, key=lambda z: away[z])
    places = [z for z in jumps if z - 1 not in alone]
    found = f"displaced by ({shifts[largest, 0]:+.0f}, {shifts[largest, 1]:+.0f}) px (y, x), usually {np.median(away[usable]):.1f} px"
    severity, todo = "warning", "Set alignment.method: global, or align the stack before."
    if is_aligned_later:
        severity, todo = (
            "note",
            "The run aligns the slices; see the figure of the alignment. Beyond max_shift_fraction it can't.",
        )
    yield at_slices(
        "misaligned_slice", severity, places, "slices that follow each other", found, "alignment.method", todo
    )


# ----------------------------------------------------------------------------------------------------- gray values
def brightness(stack, sound):
    """Slices much brighter or darker than those around them, and a slow drift along z."""
    mean = np.where(sound, stack.slices["mean"].astype(float), np.nan)
    contrast = float(np.nanmedian(stack.slices["std"][sound]))
    around = running_median(mean, 11)
    away = (mean - around) / contrast
    limit = max(DEVIATIONS * robust_deviation(away[sound]), LEAST_BRIGHTNESS)
    odd = np.flatnonzero(np.abs(np.nan_to_num(away)) > limit)
    todo = "Look at them; even out the brightness (normalization.slices: equalize or match), or leave them out."
    if len(odd):
        found = (
            f"up to {np.abs(away[odd]).max():.1f} sd from the slices around, usually {np.nanmedian(np.abs(away)):.2f}"
        )
        yield at_slices("brightness_jump", "warning", odd, "slices as bright as their neighbors", found, "path", todo)
    low, high = np.nanpercentile(around, (5, 95))
    if (high - low) / contrast > LEAST_DRIFT:
        found = f"the mean gray value wanders from {low:.4g} to {high:.4g}, {(high - low) / contrast:.1f} sd of a slice"
        todo = "Even out the brightness along z (normalization.slices); normalization.method has one mean for a whole region or volume."
        yield Finding(
            "brightness_drift", "warning", "along z", f"less than {LEAST_DRIFT:g} sd", found, "normalization", todo
        )


def running_median(values, window):
    """Median of the finite ones of `window` values around each, of fewer at the ends."""
    half = window // 2
    parts = (values[max(0, i - half) : i + half + 1] for i in range(len(values)))
    return np.array([np.nanmedian(part) if np.isfinite(part).any() else np.nan for part in parts])


def saturated(stack, sound):
    """(slices with far more pixels at the end of the type's range than the others, findings about them and the stack)."""
    found, told = [], []
    for name, word in (("share_low", "black"), ("share_high", "white")):
        shares = np.where(sound, stack.slices[name].astype(float), np.nan)
        if not np.isfinite(shares).any():
            continue
        usual, overall = np.nanmedian(shares), np.nanmean(shares)
        if usual > LEAST_SATURATED:
            todo = "Export the stack again with a wider gray range. If it is padding around the tissue, leave it out of the regions."
            text = f"{100 * overall:.1f} % of the pixels are {word}, the end of {stack.dtype}"
            found.append(
                Finding(
                    "saturated", "warning", "the volume", f"less than {100 * LEAST_SATURATED:g} %", text, "path", todo
                )
            )
        limit = usual + max(DEVIATIONS * robust_deviation(shares[sound]), LEAST_SATURATED_SLICE)
        odd = np.flatnonzero(np.nan_to_num(shares) > limit)
        if len(odd):
            text = f"up to {100 * np.nanmax(shares):.0f} % of the pixels are {word}, usually {100 * usual:.1f} %"
            todo = "Export these slices again with the gray range of the others, or leave them out."
            found.append(at_slices("saturated_slice", "warning", odd, "as few as in other slices", text, "path", todo))
        told += odd.tolist()
    return told, found


def gray_values(stack):
    """How much of the type's range is used."""
    if stack.used_values is None:
        return
    low, high = stack.percentiles[0.5], stack.percentiles[99.5]
    lowest, highest = np.nanmin(stack.slices["minimum"]), np.nanmax(stack.slices["maximum"])
    if stack.used_values < FEW_VALUES:
        todo = "Check that this is the image and not labels or a mask; export it with more gray values."
        yield Finding(
            "few_gray_values",
            "warning",
            "the volume",
            f"at least {FEW_VALUES}",
            f"{stack.used_values} gray values",
            "path",
            todo,
        )
    elif stack.dtype == "uint16" and highest <= 255:
        found = f"8-bit values ({lowest:g} to {highest:g}) in 16 bits"
        yield Finding("range_unused", "note", "the volume", "values beyond 255 in 16 bits", found, "path",
                      "Nothing, or save them as 8 bits: half the disk.")  # fmt: skip
    elif stack.value_step > 1:
        yield Finding("range_unused", "note", "the volume", "all gray values", f"every {stack.value_step}th value only", "path",
                      "Nothing; the stack was stretched from fewer bits.")  # fmt: skip
    elif lowest > 2 * (highest - lowest):
        yield Finding("constant_offset", "note", "the volume", "values from about 0", f"{lowest:g} to {highest:g}", "path",
                      "Nothing with normalization zscore or percentile; with none subtract the offset.")  # fmt: skip
    elif stack.dtype == "uint8" and high - low < FEW_VALUES:
        yield Finding("few_gray_values", "warning", "the volume", "a wide range of gray values", f"99 % lie in {low:g} to {high:g}",
                      "path", "Export the stack again with a gray range that fits it.")  # fmt: skip
