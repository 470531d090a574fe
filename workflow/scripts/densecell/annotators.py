"""Agreement of people with each other and with networks, and the ceiling that people set.

Every label source of a compare region is in turn the reference, so agreement is a matrix (Guay et al. 2021, doi
10.1038/s41598-021-81590-0, "Comparison with human annotators", Fig. 3 and S4). IoU of the same voxels is symmetric; with a
region's mask, or with voxels only one source left unlabelled, the two directions differ, as the row's source sets which
voxels count. An agreement between two people is the mean of the two directions.
"""

import itertools
import re

import numpy as np
import pandas as pd

from densecell.metrics import KEY_COLUMNS

ANNOTATION = "annotation"  # the experiment column of labels made by people
SCORES = ("miou_org", "miou_all")
PEOPLE = "annotators"  # the predictor column of what holds for all people together
COLUMNS = [*KEY_COLUMNS, "class", "measure", "value", "unit"]


def sources_of(metrics, region):
    """Names of the label sources of a region that serve as references there: annotators by number, `reference` last."""
    names = set(metrics.loc[metrics["region"] == region, "reference"])
    return sorted(names, key=lambda name: [name == "reference", *_natural(name)])


def _natural(name):
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def people_of(sources):
    """The sources that count as people: the annotators; with fewer than two of them, every source."""
    annotators = [name for name in sources if name != "reference"]
    return annotators if len(annotators) > 1 else list(sources)


def label_of(experiment, predictor):
    """Name of a predictor in the matrix: the label source, or the ensemble."""
    return predictor if experiment == ANNOTATION else experiment


def agreement_matrix(table, region, measure, sources, algorithms):
    """Agreement of each source (rows, the reference) with each source and algorithm (columns), as a DataFrame.

    table: tidy rows with region, reference, experiment, predictor, measure, value; one row for each pair. NaN on the
    diagonal and for pairs that were not compared.
    """
    matrix = pd.DataFrame(np.nan, index=sources, columns=[*sources, *algorithms])
    rows = table[(table["region"] == region) & (table["measure"] == measure)]
    for row in rows.itertuples():
        column = label_of(row.experiment, row.predictor)
        if row.reference in matrix.index and column in matrix.columns:
            matrix.loc[row.reference, column] = row.value
    return matrix


def pair_agreements(matrix, people):
    """{(person, person): agreement}, each pair once, the mean of its two directions."""
    return {(a, b): float(np.mean([matrix.loc[a, b], matrix.loc[b, a]])) for a, b in itertools.combinations(people, 2)}


def agreement_table(metrics, chosen):
    """Tidy table of who agrees with whom in every compare region that has two label sources or more.

    metrics: table of `metrics_table` with `role`. chosen: {ensemble: "top<k>"} at the chosen k.
    Rows: the pairs themselves (`miou_org`, `miou_all`); for all people together (predictor "annotators", no reference)
    `human_mean_*` and `human_best_*`, the mean and the highest agreement over their pairs; for each algorithm
    `mean_with_annotators_*`, its mean agreement with the people, and how far that lies above the two,
    `difference_to_human_mean_*` and `difference_to_human_best_*`.
    """
    compared = metrics[(metrics["role"] == "compare") & metrics["measure"].isin(SCORES)]
    wanted = (compared["experiment"] == ANNOTATION) | (compared["predictor"] == compared["experiment"].map(chosen))
    compared = compared[wanted]
    tables = []
    for (volume, region), rows in compared.groupby(["volume", "region"], sort=False):
        sources = sources_of(rows, region)
        if len(sources) < 2:
            continue
        tables.append(rows[COLUMNS])
        people, algorithms = people_of(sources), [name for name in chosen if name in set(rows["experiment"])]
        derived = []
        for measure in SCORES:
            scope = rows.loc[rows["measure"] == measure, "class"].iloc[0]
            matrix = agreement_matrix(rows, region, measure, sources, algorithms)
            for experiment, predictor, name, value in _derived(matrix, people, algorithms, chosen):
                at = (volume, region, "", experiment, predictor)
                derived.append((*at, scope, f"{name}_{measure}", value, "1"))
        tables.append(pd.DataFrame(derived, columns=COLUMNS))
    return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=COLUMNS)


def _derived(matrix, people, algorithms, chosen):
    """(experiment, predictor, measure, value) of the people together and of each algorithm against them."""
    pairs = list(pair_agreements(matrix, people).values())
    mean, best = float(np.mean(pairs)), max(pairs)
    yield ANNOTATION, PEOPLE, "human_mean", mean
    yield ANNOTATION, PEOPLE, "human_best", best
    for name in algorithms:
        with_people = float(matrix.loc[people, name].mean())
        yield name, chosen[name], "mean_with_annotators", with_people
        yield name, chosen[name], "difference_to_human_mean", with_people - mean
        yield name, chosen[name], "difference_to_human_best", with_people - best


def matrix_pairs(sources, algorithm):
    """[(first, second)] of the confusion matrices to show, in the order of Fig. S4: A1-Alg, A1-A2, A2-Alg, ...

    Each source with the algorithm and with each source after it; a pair is shown once, rows are the first named.
    """
    pairs = []
    for i, first in enumerate(sources):
        pairs.append((first, algorithm))
        pairs += [(first, second) for second in sources[i + 1 :]]
    return pairs


def row_shares(counts, rows):
    """Rows of a confusion matrix divided by their sums: (len(rows), n); NaN where the first named lacks the class."""
    counts = np.asarray(counts, dtype=np.float64)[list(rows)]
    totals = counts.sum(axis=1, keepdims=True)
    return np.divide(counts, totals, out=np.full(counts.shape, np.nan), where=totals > 0)


def best_algorithm(eval_miou):
    """The ensemble with the highest eval MIoU at its chosen k ({name: score}), the first of equals; never by test."""
    return max(eval_miou, key=eval_miou.get)
