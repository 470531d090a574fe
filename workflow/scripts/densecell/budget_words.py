"""What the label budget shows, in words: how good with how many labelled slices, and how that depends on the distance to them.

Every sentence follows from the numbers in it. The draws of an experiment are its sample; slices and voxels are not.
"""

import numpy as np
import pandas as pd

from densecell.comparison import ranges_overlap
from densecell.draw_summary import headline

CLOSE = 0.01  # a mean Dice this near to the best counts as as good


def name(text):
    """A class or experiment in a sentence."""
    return str(text).replace("_", " ")


def _slices(n):
    return f"{n:g} slice{'s' if n != 1 else ''}"


def _draws(values):
    spread = f", SD {np.std(values, ddof=1):.3f}" if len(values) > 1 else ""
    return f"{np.mean(values):.3f} ({len(values)} draw{'s' if len(values) > 1 else ''}{spread})"


def describe_budget(metrics):
    """Sentences on the Dice of each experiment and class against the number of training slices.

    metrics: the scores of all draws (`draw_summary.METRIC_COLUMNS`).
    """
    sentences = []
    for (series, subject), rows in headline(metrics).groupby(["series", "class"], sort=False):
        found = {n: draws["value"].dropna().to_numpy() for n, draws in rows.groupby("n_slices")}
        found = {n: values for n, values in found.items() if len(values)}
        if found:
            sentences.append(f"{name(series)}, {name(subject)}: {_curve(found)}{_empty(rows)}")
    return sentences


def _curve(found):
    """The sentence of one curve. found: {number of slices: Dice of its draws}, ascending, none empty."""
    numbers = list(found)
    first, last = numbers[0], numbers[-1]
    if first == last:
        return f"Dice {_draws(found[first])} with {_slices(first)}."
    text = f"Dice {_draws(found[first])} with {_slices(first)}, {_draws(found[last])} with {_slices(last)}: {_change(found[first], found[last])}."
    if len(numbers) > 2:
        means = {n: np.mean(values) for n, values in found.items()}
        enough = next(n for n in numbers if means[n] >= max(means.values()) - CLOSE)
        text += f" The fewest slices whose mean is within {CLOSE:g} of the highest: {enough:g}."
    return text


def _change(few, many):
    """In words: what more slices changed, and whether the draws tell it."""
    difference = np.mean(many) - np.mean(few)
    if abs(difference) < 0.0005:
        return "no difference to three digits"
    text = f"{abs(difference):.3f} {'more' if difference > 0 else 'less'}"
    if min(len(few), len(many)) < 2:
        return f"{text}, of too few draws to tell it from their spread"
    if ranges_overlap(few, many):
        return f"{text}, while the ranges of the draws overlap"
    return f"{text}, and the ranges of the draws do not overlap"


def _empty(rows):
    """What is to be said of draws whose Dice is 1 because nothing was drawn or predicted."""
    n = int(((rows["n"] > 0) & (rows["n_empty"] == rows["n"])).sum())
    return (
        f" In {n} draw{'s' if n > 1 else ''} neither reference nor prediction had any of it, which counts as 1."
        if n
        else ""
    )


def describe_distance(distances):
    """Sentences on the Dice near to and far from the training slices, halved at the median distance of all held-out slices.

    distances: the scores of all draws by distance (`draw_summary.metrics_by_distance`).
    """
    sentences = []
    rows = headline(distances)
    rows = rows[rows["value"].notna() & rows["distance"].notna()]
    for (series, subject), mine in rows.groupby(["series", "class"], sort=False):
        limit = np.median(np.repeat(mine["distance"], mine["n"].astype(int)))
        near, far = (mean_of_draws(mine[side]) for side in (mine["distance"] <= limit, mine["distance"] > limit))
        if near is not None and far is not None:
            sentences.append(
                f"{name(series)}, {name(subject)}: Dice {near:.3f} on slices up to {limit:g} from a training slice, {far:.3f} on those "
                f"farther away ({far - near:+.3f})."
            )
    return sentences


def mean_of_draws(rows):
    """Mean over draws of their mean Dice, slices counting alike; None without rows."""
    if rows.empty:
        return None
    weighted = rows.assign(weighted_=rows["value"] * rows["n"])
    sums = weighted.groupby(["experiment", "draw"], sort=False)[["weighted_", "n"]].sum()
    return float((sums["weighted_"] / sums["n"]).mean())


def facts(metrics, columns):
    """The numbers behind the sentences as rows of the summary's table: mean and standard deviation of Dice over draws."""
    rows = []
    keys = ["volume", "region", "reference", "experiment", "class"]
    for key, draws in headline(metrics).groupby(keys, sort=False, dropna=False):
        values = draws["value"].dropna()
        about = dict(zip(keys, key))
        for predictor, value in (("draws_mean", values.mean()), ("draws_sd", values.std(ddof=1))):
            rows.append({**about, "predictor": predictor, "measure": "dice", "value": float(value), "unit": "1"})
    return pd.DataFrame(rows, columns=columns)
