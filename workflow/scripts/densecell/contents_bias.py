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
    places = rows[["volume", "region"]].drop_duplicates().itertuples(index=False, name=None)
    return "; ".join(f"{region} ({roles[region]}) of {volume}" for volume, region in places)


def volume_bias(metrics, experiments, predictor=None):
    """Bias of the volume of each target: ({target: bias}, where from), from precision and recall; ({}, "") without any.

    metrics: table of pooled overlap scores (held_out_metrics.csv, overlap_metrics.csv), of these experiments, and of one predictor or of
    all draws. The mean over draws and regions; a draw without a defined precision, or of 0, is left out.
    """
    rows = metrics[(metrics["pooling"] == "pooled") & metrics["experiment"].isin(experiments)]
    rows = rows if predictor is None else rows[rows["predictor"] == predictor]
    keys = ["volume", "region", "experiment", "predictor", "class"]
    scores = {
        m: rows[rows["measure"] == m].drop_duplicates(keys).set_index(keys)["value"] for m in ("precision", "recall")
    }
    ratio = (scores["recall"] / scores["precision"].where(scores["precision"] > 0)).dropna()
    if ratio.empty:
        return {}, ""
    regions = rows[["volume", "region"]].drop_duplicates().itertuples(index=False, name=None)
    words = "; ".join(f"{region or 'all regions'} of {volume}" for volume, region in regions)
    return (ratio.groupby("class", sort=False).mean() - 1).to_dict(), words


def with_bias(contents, biases):
    """The contents table with the columns bias (1), bias_of and bias_from, what its classes are known to be off by.

    biases: {(source, class): (bias, "volume fraction" or "volume", where from)}."""
    known = [biases.get(key, (np.nan, "", "")) for key in zip(contents["source"], contents["class"])]
    columns = pd.DataFrame(known, columns=COLUMNS, index=contents.index)
    return pd.concat([contents, columns.astype({"bias": float})], axis=1)
