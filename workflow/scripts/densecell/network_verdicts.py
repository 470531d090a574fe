"""What the table of compared experiments says, in sentences that follow from its numbers by rule.

An experiment counts as higher than another only where the Holm-corrected p-value of the rank test is below
1 - confidence. Otherwise it can't be told, and the sentence says how small that p-value could have become at all.
"""

import pandas as pd

from densecell.network_comparison import EVAL

FEW_RUNS = 5  # below, bootstrap intervals can't reach their confidence (densecell.resampling)
COLUMNS = ["experiment", "other", "score", "sentence"]


def is_told(measures, confidence):
    """Whether a pair's measures (a frame indexed by measure) tell which experiment is higher."""
    return bool(measures.at["p_value_holm", "value"] < 1 - confidence)


def sentences(table, confidence):
    """DataFrame of COLUMNS: one sentence for each experiment and each pair of each score of a `comparison_table`."""
    rows = []
    for (score, name, other), block in table.groupby(["score", "experiment", "other"], sort=False):
        measures = block.set_index("measure")
        if other:
            sizes = [_n_scored(table, score, experiment) for experiment in (name, other)]
            text = _pair_sentence(name, other, sizes, measures, confidence)
        else:
            text = _runs_sentence(name, score, measures, confidence)
        rows.append((name, other, score, text))
    return pd.DataFrame(rows, columns=COLUMNS)


def _n_scored(table, score, experiment):
    mine = table[(table["score"] == score) & (table["experiment"] == experiment) & (table["other"] == "")]
    values = mine.set_index("measure")["value"]
    return int(values["n_runs"] - values["n_not_scored"])


def p_text(p_value):
    """A p-value as text: two digits, 'below 0.0001' for the smallest."""
    if p_value < 1e-4:
        return "below 0.0001"
    return f"{p_value:.2f}" if p_value >= 0.1 else f"{p_value:.2g}"


def _interval(row, confidence):
    return f"{row['value']:.3f} ({100 * confidence:g} %: {row['low']:.3f} to {row['high']:.3f})"


def _runs_sentence(name, score, measures, confidence):
    n_runs, missing = (int(measures.at[m, "value"]) for m in ("n_runs", "n_not_scored"))
    n = n_runs - missing
    if n == 0:
        return f"{name}: none of {n_runs} run{'s' if n_runs > 1 else ''} has a score."
    if n == 1:
        text = f"{name}: one run, {measures.at['mean', 'value']:.3f}; how far runs scatter is not known."
    else:
        mean, median = (_interval(measures.loc[m], confidence) for m in ("mean", "median"))
        low, high = (measures.at[m, "value"] for m in ("min", "max"))
        text = f"{name}: mean {mean}, median {median} of {n} runs, which lie between {low:.3f} and {high:.3f}."
        if n < FEW_RUNS:
            text += " Intervals of so few runs are too narrow."
    if missing:
        text += f" {missing} of {n_runs} runs {'has' if missing == 1 else 'have'} no score and count nowhere."
    if score == EVAL:
        text += _failures(measures, n_runs, n, confidence)
    return text


def _failures(measures, n_runs, n_scored, confidence):
    limit = measures.at["low_miou", "value"]
    collapsed, below = (int(measures.at[m, "value"]) for m in ("n_collapsed", "n_below_low_miou"))
    shares = [measures.loc[m] for m in ("share_collapsed", "share_below_low_miou")]
    spans = [f"(share, {100 * confidence:g} %: {row['low']:.2f} to {row['high']:.2f})" for row in shares]
    return f" {collapsed} of {n_runs} collapsed {spans[0]}; {below} of {n_scored} stayed below {limit:g} {spans[1]}."


def _pair_sentence(name, other, sizes, measures, confidence):
    p_value, smallest = (measures.at[m, "value"] for m in ("p_value_holm", "smallest_p_value_holm"))
    n_pairs = int(measures.at["n_pairs", "value"])
    corrected, family = ("Holm-corrected p", f" over {n_pairs} pairs") if n_pairs > 1 else ("p", "")
    text = (
        f"{name} ({_count(sizes[0])}) over {other} ({_count(sizes[1])}): probability of superiority "
        f"{_interval(measures.loc['superiority'], confidence)}, {corrected} {p_text(p_value)}{family} (at best "
        f"{p_text(smallest)} with so many runs): "
    )
    if is_told(measures, confidence):
        verdict = "higher" if measures.at["superiority", "value"] > 0.5 else "lower"
    elif smallest < 1 - confidence:
        verdict = "can't tell"
    else:
        verdict = "can't tell, nor could it be told with so few runs, whatever the difference"
    return f"{text}{verdict}; {_difference(measures.loc['difference_of_means'], confidence)}."


def _difference(row, confidence):
    if pd.isna(row["low"]):
        return f"the means differ by {row['value']:.3f}, without an interval, as one run has no scatter"
    holds_0 = row["low"] <= 0 <= row["high"]
    return f"the interval of the difference of the means {'holds' if holds_0 else 'excludes'} 0: {_interval(row, confidence)}"


def _count(n):
    return f"{n} run{'s' if n > 1 else ''}"
