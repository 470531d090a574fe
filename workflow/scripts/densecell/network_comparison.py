"""The runs of every experiment in numbers, and every experiment against every other.

A score is one number of a run: its best mean IoU over all classes on the eval regions (what Fig. S5 of Guay et al. 2021, doi
10.1038/s41598-021-81590-0, shows), or what its best checkpoint gets on the test regions.
"""

import itertools
from typing import NamedTuple

import numpy as np
import pandas as pd

from densecell.comparison import holm, rank_test, superiority, superiority_interval
from densecell.resampling import bootstrap_interval, difference_interval, share_interval

COLUMNS = ["experiment", "other", "score", "measure", "value", "low", "high", "unit"]
EVAL = "eval_miou_all"
TEST = {"test_miou_org": "miou_org", "test_miou_all": "miou_all"}


class Settings(NamedTuple):
    """confidence of intervals (0 to 1), bootstrap samples, their seed, and the mean IoU below which a run did not learn."""

    confidence: float = 0.95
    n_bootstrap: int = 10000
    seed: int = 0
    low_miou: float = 0.3


def scores_of_runs(ranking, metrics, experiment_of):
    """{score: {experiment: (n_runs,) values}}, experiments in the order of the ranking; NaN: a run without a score.

    ranking: one row per run (experiment, seed, eval_miou). metrics: the table of all measures. experiment_of:
    {ensemble: experiment} of the ensembles that one experiment forms, whose seeds are predicted singly; of several
    ensembles of an experiment the first with single networks counts. A run's test score is its mean over the test
    regions, NaN if one of them has none. Scores that no experiment has are left out.
    """
    names = list(dict.fromkeys(ranking["experiment"]))
    scores = {EVAL: {name: ranking.loc[ranking["experiment"] == name, "eval_miou"].to_numpy(float) for name in names}}
    for score, measure in TEST.items():
        rows = metrics[
            (metrics["role"] == "test")
            & (metrics["reference"] == "reference")
            & (metrics["measure"] == measure)
            & metrics["predictor"].str.fullmatch(r"seed\d+")
        ]
        found = {}
        for ensemble, experiment in experiment_of.items():
            mine = rows[rows["experiment"] == ensemble]
            if len(mine) and experiment not in found:
                per_seed = mine.groupby("predictor", sort=False)["value"]
                found[experiment] = per_seed.mean().where(~per_seed.apply(lambda v: v.isna().any())).to_numpy(float)
        if found:
            scores[score] = {name: found[name] for name in names if name in found}
    return scores


def scored(values):
    """The values that are not NaN."""
    values = np.asarray(values, np.float64)
    return values[~np.isnan(values)]


def describe_runs(values, settings):
    """[(measure, value, low, high, unit)] of the scores (n_runs,) of one experiment; intervals are NaN below two runs."""
    runs, nan = scored(values), float("nan")
    rows = [("n_runs", len(values), nan, nan, "run"), ("n_not_scored", len(values) - len(runs), nan, nan, "run")]
    if not runs.size:
        return rows
    for name, statistic in (("mean", np.mean), ("median", np.median)):
        generator = np.random.default_rng(settings.seed)
        interval = bootstrap_interval(runs, statistic, settings.confidence, settings.n_bootstrap, generator)
        rows.append((name, statistic(runs), *interval, "1"))
    spread = runs.std(ddof=1) if runs.size > 1 else nan
    return rows + [(n, v, nan, nan, "1") for n, v in (("sd", spread), ("min", runs.min()), ("max", runs.max()))]


def describe_failures(ranking, settings):
    """The same rows for the runs of one experiment that failed: collapsed ones, and those that stayed below low_miou.

    Shares are of all runs and of the runs with a score; intervals are exact.
    """
    nan, runs = float("nan"), scored(ranking["eval_miou"])
    collapsed, below = int(ranking["collapsed"].sum()), int((runs < settings.low_miou).sum())
    rows = [("n_collapsed", collapsed, nan, nan, "run")]
    if len(ranking):
        interval = share_interval(collapsed, len(ranking), settings.confidence)
        rows.append(("share_collapsed", collapsed / len(ranking), *interval, "1"))
    rows += [("low_miou", settings.low_miou, nan, nan, "1"), ("n_below_low_miou", below, nan, nan, "run")]
    if runs.size:
        interval = share_interval(below, runs.size, settings.confidence)
        rows.append(("share_below_low_miou", below / runs.size, *interval, "1"))
    return rows


def compare_pair(first, second, settings):
    """The same rows for two experiments' scores without NaN, at least one each; p-values not yet corrected."""
    nan, test = float("nan"), rank_test(first, second)
    generator = np.random.default_rng(settings.seed)
    interval = difference_interval(first, second, np.mean, settings.confidence, settings.n_bootstrap, generator)
    above = superiority(first, second)
    around = superiority_interval(above, len(first), len(second), settings.confidence)
    return [
        ("difference_of_means", np.mean(first) - np.mean(second), *interval, "1"),
        ("superiority", above, *around, "1"),
        ("p_value", test.p_value, nan, nan, "1"),
        ("smallest_p_value", test.smallest_p_value, nan, nan, "1"),
    ]


def compare_all(scores, settings):
    """Rows (COLUMNS) of all pairs of experiments in one score, and their Holm-corrected p-values.

    scores: {experiment: (n_runs,) values}. The family of the correction is the pairs of this score that so many runs could
    tell apart at all, by their smallest possible p-value (Tarone 1990, doi 10.2307/2531456); a pair outside it keeps its
    own p-value and is a family of one. Correcting the smallest possible p-values likewise gives the smallest corrected ones.
    """
    usable = {name: scored(values) for name, values in scores.items() if scored(values).size}
    pairs = list(itertools.combinations(usable, 2))
    compared = [compare_pair(usable[a], usable[b], settings) for a, b in pairs]
    nan, corrected = float("nan"), {}
    p_values = {
        m: np.array([dict(r[:2] for r in rows)[m] for rows in compared]) for m in ("p_value", "smallest_p_value")
    }
    family = p_values["smallest_p_value"] < 1 - settings.confidence
    for measure, values in p_values.items():
        corrected[f"{measure}_holm"] = values.copy()
        corrected[f"{measure}_holm"][family] = holm(values[family])
    rows = []
    for i, (pair, measures) in enumerate(zip(pairs, compared)):
        measures += [(measure, float(values[i]), nan, nan, "1") for measure, values in corrected.items()]
        measures.append(("n_pairs", int(family.sum()) if family[i] else 1, nan, nan, "pair"))
        rows += [(*pair, *row) for row in measures]
    return rows


def comparison_table(ranking, scores, settings):
    """The table of COLUMNS: experiments by themselves (other empty), then all pairs, score by score."""
    rows = []
    for score, by_experiment in scores.items():
        for name, values in by_experiment.items():
            measures = describe_runs(values, settings)
            if score == EVAL:
                measures += describe_failures(ranking[ranking["experiment"] == name], settings)
            rows += [(name, "", score, *row) for row in measures]
        rows += [(first, second, score, *row) for first, second, *row in compare_all(by_experiment, settings)]
    return pd.DataFrame(rows, columns=COLUMNS).astype({"value": float, "low": float, "high": float})
