"""What the tables say, in numbers and in words: ensembles against single networks, experiment against experiment.

Every sentence follows from the numbers in it. The runs (seeds) of an experiment are its sample; voxels are not.
"""

import itertools

import numpy as np
import pandas as pd

from densecell.comparison import ranges_overlap, rank_test

COLUMNS = ["volume", "region", "reference", "experiment", "predictor", "class", "measure", "value", "unit"]
MEANS = {"miou_all": "mean IoU over all classes", "miou_org": "mean IoU over organelles"}
SIGNIFICANCE = 0.05


def regions_of_role(metrics, role):
    """[(volume, region)] of a role, in order of appearance."""
    rows = metrics.loc[metrics["role"] == role, ["volume", "region"]].drop_duplicates()
    return list(rows.itertuples(index=False, name=None))


def scores_of(metrics, place, experiment, measure, subject=None):
    """{predictor: value} of an experiment against the reference in a (volume, region).

    subject: a class name; None for a measure that has one value. Undefined values are left out.
    """
    rows = metrics[
        (metrics["volume"] == place[0])
        & (metrics["region"] == place[1])
        & (metrics["reference"] == "reference")
        & (metrics["experiment"] == experiment)
        & (metrics["measure"] == measure)
        & metrics["value"].notna()
    ]
    rows = rows if subject is None else rows[rows["class"] == subject]
    return dict(zip(rows["predictor"], rows["value"].astype(float)))


def seed_values(scores):
    """The scores of the single networks among {predictor: value}."""
    return [value for predictor, value in scores.items() if predictor.startswith("seed")]


def describe_ensemble(metrics, place, chosen):
    """Sentences on an ensemble at its chosen k against its single networks, in one region.

    chosen: {"name", "k", "members": [{"experiment", "seed"}, ...] best first}.
    """
    name, k, best = chosen["name"], chosen["k"], chosen["members"][0]
    sentences = []
    for measure, title in MEANS.items():
        scores = scores_of(metrics, place, name, measure)
        ensemble = scores.get(f"top{k}")
        if ensemble is None:
            continue
        single = scores.get(f"seed{best['seed']}", scores.get("top1"))
        best_name = f"the best single network by eval rank ({best['experiment']}, seed {best['seed']})"
        if k == 1:
            sentences.append(
                f"{name}, {title}: {ensemble:.3f}. The k chosen on eval is 1, so this is {best_name} itself."
            )
            continue
        text = f"{name}, {title}: {ensemble:.3f} for the mean of {k} networks"
        if single is not None:
            text += f", {single:.3f} for {best_name}: {_difference(ensemble - single)}"
        sentences.append(text + "." + _against_each(ensemble, seed_values(scores)))
    return sentences


def _difference(difference):
    if abs(difference) < 0.0005:
        return "no difference to three digits"
    return f"the ensemble is {'better' if difference > 0 else 'worse'} by {abs(difference):.3f}"


def _against_each(ensemble, seeds):
    if not seeds:
        return ""
    below = sum(value < ensemble for value in seeds)
    spread = f"from {min(seeds):.3f} to {max(seeds):.3f}" if len(seeds) > 1 else f"{seeds[0]:.3f}"
    return f" It is above {below} of the {len(seeds)} single networks ({spread})."


def compare_experiments(metrics, place, first, second):
    """Compare the seeds of two experiments in one region: a list of (measure, sentence, RankTest).

    Nothing for a measure without single networks on both sides.
    """
    compared = []
    for measure, title in MEANS.items():
        ours, theirs = (seed_values(scores_of(metrics, place, name, measure)) for name in (first, second))
        if not (ours and theirs):
            continue
        test = rank_test(ours, theirs)
        sentence = (
            f"{first} against {second}, {title}: median {np.median(ours):.3f} ({min(ours):.3f} to {max(ours):.3f}, "
            f"{_count(ours)}) against {np.median(theirs):.3f} ({min(theirs):.3f} to {max(theirs):.3f}, "
            f"{_count(theirs)}). {_verdict(first, second, ours, theirs, test)}"
        )
        compared.append((measure, sentence, test))
    return compared


def _count(values):
    return f"{len(values)} seed{'s' if len(values) > 1 else ''}"


def _p(p_value):
    return f"{p_value:.2f}" if p_value >= 0.01 else f"{p_value:.1g}"


def _verdict(first, second, ours, theirs, test):
    """In words: which is better, or that it can't be told; with the p-value and the smallest one possible."""
    higher, lower = (first, second) if np.mean(ours) > np.mean(theirs) else (second, first)
    p_value = f"exact two-sided rank test: p = {_p(test.p_value)}"
    overlap = ranges_overlap(ours, theirs)
    if overlap and test.p_value >= SIGNIFICANCE:
        words = f"Can't tell: the ranges overlap ({p_value})."
    elif overlap:
        words = f"{higher} tends to be better, though the ranges overlap ({p_value})."
    elif test.p_value < SIGNIFICANCE:
        words = f"{higher} is better: each of its seeds lies above each of {lower} ({p_value})."
    else:
        words = (
            f"Each seed of {higher} lies above each of {lower}, which favors {higher}, but so few seeds do not exclude "
            f"chance ({p_value})."
        )
    if test.smallest_p_value >= SIGNIFICANCE:
        words += (
            f" With {len(ours)} and {len(theirs)} seeds this p cannot be smaller than {_p(test.smallest_p_value)}, "
            "whatever the difference."
        )
    return words


def independent_pairs(chosen):
    """Pairs of ensembles that are made of one experiment each and not of the same one: [(name, name)]."""
    single = [entry for entry in chosen if len(entry["experiments"]) == 1]
    return [
        (a["name"], b["name"]) for a, b in itertools.combinations(single, 2) if a["experiments"] != b["experiments"]
    ]


def describe_collapses(ranking):
    """One sentence per experiment: how many of its runs collapsed, and which."""
    sentences = []
    for experiment, runs in ranking.groupby("experiment", sort=False):
        collapsed = sorted(runs.loc[runs["collapsed"], "seed"])
        which = f" (seed{'s' if len(collapsed) > 1 else ''} {', '.join(map(str, collapsed))})" if collapsed else ""
        sentences.append(f"{experiment}: {len(collapsed)} of {len(runs)} runs collapsed{which}.")
    return sentences


def describe_annotators(metrics, place, chosen):
    """Sentences for a region that several people labelled: they against each other, the networks against them."""
    rows = metrics[
        (metrics["volume"] == place[0]) & (metrics["region"] == place[1]) & (metrics["measure"] == "miou_org")
    ]
    rows = rows.assign(reference=rows["reference"].astype(str))
    people = rows[(rows["experiment"] == "annotation") & (rows["reference"] > rows["predictor"])]
    if people.empty:
        return []
    pairs = [f"{row.predictor} with {row.reference} {row.value:.3f}" for row in people.itertuples()]
    networks = []
    for entry in chosen:
        mine = rows[(rows["experiment"] == entry["name"]) & (rows["predictor"] == f"top{entry['k']}")]
        networks += [f"{entry['name']} with {row.reference} {row.value:.3f}" for row in mine.itertuples()]
    title = f"Agreement in {MEANS['miou_org']}"
    return [f"{title}, people: {'; '.join(pairs)}."] + (
        [f"{title}, networks: {'; '.join(networks)}."] if networks else []
    )


def describe_fractions(fractions, place, chosen, organelles, margin_nm):
    """One sentence per ensemble: the organelle whose volume fraction is farthest, relatively, from the reference's."""
    rows = fractions[
        (fractions["volume"] == place[0])
        & (fractions["region"] == place[1])
        & (fractions["reference"] == "reference")
        & (fractions["measure"] == "volume_fraction")
        & fractions["class"].isin(organelles)
    ]
    truth = rows[(rows["experiment"] == "annotation") & (rows["predictor"] == "reference")].set_index("class")["value"]
    truth = truth[truth > 0]
    sentences = []
    for entry in chosen:
        mine = rows[(rows["experiment"] == entry["name"]) & (rows["predictor"] == f"top{entry['k']}")]
        found = mine[mine["margin_nm"] == margin_nm].set_index("class")["value"].reindex(truth.index).dropna()
        if found.empty:
            continue
        relative = found / truth[found.index] - 1
        worst = relative.abs().idxmax()
        sentences.append(
            f"{entry['name']}: volume fractions of the {len(found)} organelles deviate from the reference's by "
            f"{100 * relative.abs().median():.0f} % in the median, most for {worst.replace('_', ' ')} "
            f"({100 * found[worst]:.3g} % of the cell "
            f"against {100 * truth[worst]:.3g} %, {100 * relative[worst]:+.0f} %)."
        )
    return sentences


def scores_table(metrics, place, chosen, class_names):
    """IoU per class and the mean IoUs of every ensemble in one region, tidy, with COLUMNS.

    Predictors: seeds_mean, seeds_min, seeds_max over the single networks, and the chosen top<k>.
    """
    subjects = [(name, "iou", name) for name in class_names]
    subjects += [("all", "miou_all", None), ("organelles", "miou_org", None)]
    rows = []
    for entry in chosen:
        for subject, measure, selection in subjects:
            scores = scores_of(metrics, place, entry["name"], measure, selection)
            seeds = seed_values(scores) or [np.nan]
            values = {"seeds_mean": np.mean(seeds), "seeds_min": min(seeds), "seeds_max": max(seeds)}
            values[f"top{entry['k']}"] = scores.get(f"top{entry['k']}", np.nan)
            for predictor, value in values.items():
                rows.append((*place, "reference", entry["name"], predictor, subject, measure, float(value), "1"))
    return pd.DataFrame(rows, columns=COLUMNS)
