"""What averaging networks gains: the score of ensembles against their size, ranked ones beside random ones.

Ranked: the best k runs by eval score. Random: as many runs drawn from those that were predicted singly; a single run is a
random ensemble of one. What ranked ones have over random ones of the same size is due to the choice, the rise of the random
ones with k is due to averaging. k is chosen on eval (Guay et al. 2021, doi 10.1038/s41598-021-81590-0, don't say on what).
"""

import numpy as np
import pandas as pd

COLUMNS = ["ensemble", "region", "role", "k", "kind", "predictor", "measure", "value", "low", "high", "n", "unit"]
PREDICTORS = r"(?P<kind>top|random|seed)(?P<number>\d+)(?:_\d+)?"
KINDS = {"top": "ranked", "random": "random", "seed": "single"}
ROLES, MEASURES = ("eval", "test"), ("miou_all", "miou_org")
TITLES = {"miou_all": "mean of all classes", "miou_org": "mean of organelles"}
MEAN = "mean"  # the predictor of the rows that sum up all draws or seeds


def gain_table(metrics, ensembles, coverage):
    """The table of COLUMNS: the score of each predictor, and the mean and middle share of the random and single ones.

    metrics: the table of all measures. ensembles: their names. coverage: share of the draws (seeds) between low and high
    (percentiles), NaN for fewer than two. Rows with an empty region are means over the regions of the role; a predictor
    without a value in one of them has none. n: how many values a row stands for.
    """
    rows = metrics[
        metrics["experiment"].isin(ensembles)
        & (metrics["reference"] == "reference")
        & metrics["role"].isin(ROLES)
        & metrics["measure"].isin(MEASURES)
    ]
    parts = rows["predictor"].str.extract(f"^{PREDICTORS}$")
    rows = rows.assign(kind=parts["kind"].map(KINDS), k=parts["number"])[parts["kind"].notna()]
    rows = rows.assign(k=rows["k"].astype(int).where(rows["kind"] != "single", 1), ensemble=rows["experiment"])
    keys = ["ensemble", "region", "role", "k", "kind", "predictor", "measure"]
    over_regions = rows.assign(region="").groupby(keys, sort=False)["value"].agg(lambda v: v.mean(skipna=False))
    values = pd.concat([rows[[*keys, "value"]], over_regions.reset_index()], ignore_index=True)
    values = values.assign(low=np.nan, high=np.nan, n=1)
    table = pd.concat([values, _summaries(values, keys, coverage)], ignore_index=True).assign(unit="1")
    table = table.assign(place=table["ensemble"].map({name: i for i, name in enumerate(ensembles)}))
    order = ["place", "role", "region", "measure", "kind", "k"]
    return table.sort_values(order, kind="stable", ignore_index=True)[COLUMNS]


def _summaries(values, keys, coverage):
    """Mean and middle share of the random and the single ones of each size."""
    found = []
    keys = [key for key in keys if key != "predictor"]
    for key, rows in values[values["kind"] != "ranked"].groupby(keys, sort=False):
        scores = rows["value"].dropna()
        if len(scores):
            band = np.quantile(scores, ((1 - coverage) / 2, (1 + coverage) / 2)) if len(scores) > 1 else [np.nan] * 2
            found.append((*key, MEAN, scores.mean(), *band, len(scores)))
    return pd.DataFrame(found, columns=[*keys, "predictor", "value", "low", "high", "n"])


def scores_at(table, ensemble, role, measure, kind):
    """The rows of single predictors of a kind, means over the regions of a role, without NaN."""
    return table[
        (table["ensemble"] == ensemble)
        & (table["region"] == "")
        & (table["role"] == role)
        & (table["measure"] == measure)
        & (table["kind"] == kind)
        & (table["predictor"] != MEAN)
        & table["value"].notna()
    ]


def describe_gain(table, ensemble, k, measure="miou_org"):
    """What the test regions say of the size k that eval chose, in one text of two sentences; says what is missing."""
    text = f"Eval chose k = {k}."
    ranked = scores_at(table, ensemble, "test", measure, "ranked").set_index("k")["value"]
    if k not in ranked.index:
        return f"{text} No test score of it."
    chosen, said = ranked[k], [f"{ranked[k]:.3f}"]
    if k > 1 and 1 in ranked.index:
        gain = f" ({100 * (chosen / ranked[1] - 1):+.1f} %)" if ranked[1] > 0 else ""
        said.append(f"best single network by eval {ranked[1]:.3f}{gain}")
    for kind, title in (("random", f"random ensembles of {k}"), ("single", "single networks")):
        scores = scores_at(table, ensemble, "test", measure, kind)
        scores = scores.loc[scores["k"] == (k if kind == "random" else 1), "value"]
        if len(scores) > (kind == "single"):  # one single network is its own ensemble
            said.append(f"above {(scores < chosen).sum()} of {len(scores)} {title} (mean {scores.mean():.3f})")
    return f"{text} Test, {TITLES[measure]}: {', '.join(said)}."
