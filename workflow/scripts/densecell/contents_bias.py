"""How far what networks find is from what people drew, class by class: the systematic error that a spread over networks hides.

The bias of a class is predicted / drawn - 1, so 0.1 is a tenth too much. Of the volume fraction where whole regions are labelled
(`volume_fractions.py`), of the volume where the targets are scored on their own (there predicted / drawn = recall / precision).
"""

import numpy as np
import pandas as pd

from densecell.volume_fractions import PREDICTED_CELL, REFERENCE_CELL

COLUMNS = ("bias", "bias_of", "bias_from")
UNSEEN = ("test", "compare")  # roles of regions that neither trained a network nor chose one


def fraction_bias(fractions, ensemble, k, margin_nm, roles):
    """Bias of each class's volume fraction: ({class: bias}, where from), of an ensemble at its k; ({}, "") without regions.

    fractions: table of volume fractions. margin_nm: within which predictions count. roles: {region: role}. The volumes of all
    regions that played no part in training or choosing are added up before they are divided; without any, those of role eval.
    """
    rows = fractions[(fractions["measure"] == "volume_um3") & (fractions["reference"] == "reference")]
    ours = rows[
        (rows["experiment"] == ensemble)
        & (rows["predictor"] == f"top{k}")
        & (rows["denominator"] == PREDICTED_CELL)
        & (rows["margin_nm"] == margin_nm)
    ]
    drawn = rows[(rows["denominator"] == REFERENCE_CELL) & (rows["predictor"] == "reference")]
    for wanted in (UNSEEN, ("eval",)):
        regions = [r for r in drawn["region"].unique() if roles.get(r) in wanted and r in set(ours["region"])]
        if regions:
            found = _fractions(ours[ours["region"].isin(regions)])
            truth = _fractions(drawn[drawn["region"].isin(regions)])
            found = found.reindex(truth.index)
            bias = (found / truth.where(truth > 0) - 1).dropna()
            return bias.to_dict(), _places(drawn[drawn["region"].isin(regions)], roles)
    return {}, ""


def _fractions(rows):
    """Share of each class in the volumes of all these regions."""
    volumes = rows.groupby("class", sort=False)["value"].sum()
    return volumes.drop("all") / volumes["all"]


def _places(rows, roles):
    return "; ".join(_place(row, roles) for row in rows[["volume", "region"]].drop_duplicates().itertuples())


def _place(row, roles):
    return f"{row.region} ({roles[row.region]}) of {row.volume}"


def volume_bias(metrics, experiments, predictor=None, roles=None):
    """Bias of the volume of each target: ({target: bias}, where from), from precision and recall; ({}, "") without any.

    metrics: table of pooled overlap scores (held_out_metrics.csv, overlap_metrics.csv), of these experiments, and of one predictor or of
    all draws. roles: {region: role}; then as in `fraction_bias` only regions that played no part in training or choosing
    count, without any those of role eval. The mean over draws and regions; where nothing is found and something drawn (no
    precision, recall 0) the bias is -1; a draw in which nothing was drawn, or nothing found was right, is left out.
    """
    rows = metrics[(metrics["pooling"] == "pooled") & metrics["experiment"].isin(experiments)]
    rows = rows if predictor is None else rows[rows["predictor"] == predictor]
    if roles is None:
        return _volume_bias(rows, lambda row: f"{row.region or 'all regions'} of {row.volume}")
    for wanted in (UNSEEN, ("eval",)):
        bias, words = _volume_bias(rows[rows["region"].map(roles).isin(wanted)], lambda row: _place(row, roles))
        if bias:
            return bias, words
    return {}, ""


def _volume_bias(rows, place):
    """`volume_bias` of rows of scores. place: of a row the words for its region."""
    keys = ["volume", "region", "experiment", "predictor", "class"]
    scores = {
        m: rows[rows["measure"] == m].drop_duplicates(keys).set_index(keys)["value"] for m in ("precision", "recall")
    }
    precision, recall = scores["precision"], scores["recall"]
    ratio = recall / precision.where(precision > 0)
    ratio = ratio.mask(precision.isna() & (recall == 0), 0.0).dropna()
    if ratio.empty:
        return {}, ""
    words = "; ".join(place(row) for row in rows[["volume", "region"]].drop_duplicates().itertuples())
    return (ratio.groupby("class", sort=False).mean() - 1).to_dict(), words


def with_bias(contents, biases):
    """The contents table with the columns bias (1), bias_of and bias_from, what its classes are known to be off by.

    biases: {(source, class): (bias, "volume fraction" or "volume", where from)}."""
    known = [biases.get(key, (np.nan, "", "")) for key in zip(contents["source"], contents["class"])]
    columns = pd.DataFrame(known, columns=COLUMNS, index=contents.index)
    return pd.concat([contents, columns.astype({"bias": float})], axis=1)
