"""Ranking trained networks, choosing an ensemble's size, and averaging its members.

Networks are ranked by the mean IoU over all classes of their best checkpoint on the eval region; Top-k is the
mean of the first k networks' probabilities (Guay et al. 2021, doi 10.1038/s41598-021-81590-0, Methods and
Table S1). Nothing here may see a test score.
"""

import numpy as np

from densecell import specifications

COLLAPSE_IOU = 0.05
RANKING_COLUMNS = ["experiment", "seed", "eval_miou", "collapsed"]
MEMBER_COLUMNS = ["experiment", "seed", "checkpoint", "eval_miou", "targets", "decision"]
MEANINGS = ["threshold", "compose"]  # of decision compose, texts; absent columns are not compared
K_COLUMNS = ["k", "role", "eval_miou"]


def is_collapsed(iou_per_class):
    """Whether fewer than half of the reference's classes reach an IoU above 0.05: a collapsed run.

    iou_per_class: (n_classes,) eval IoU at the end of the budget; NaN for a class absent from the reference,
    which is not counted.
    """
    iou = np.asarray(iou_per_class, dtype=np.float64)
    iou = iou[~np.isnan(iou)]
    if not iou.size:
        raise ValueError("iou_per_class: expected the IoU of at least one class of the reference, found only NaN")
    return bool((iou > COLLAPSE_IOU).sum() < iou.size / 2)


def rank(scores):
    """Order networks from best to worst by eval_miou; equal ones by seed, then by experiment.

    scores: DataFrame with at least RANKING_COLUMNS, one row a network; eval_miou is the MIoU(all) of the best
    checkpoint in [0, 1], NaN (never evaluated) comes last. Collapsed runs keep their place and their mark.
    Returns a copy with a first column `rank`, 1 = best.
    """
    _need_columns(scores, RANKING_COLUMNS, "scores")
    if scores.duplicated(["experiment", "seed"]).any():
        raise ValueError("scores: expected one row for each experiment and seed, found repeated ones")
    ranking = scores.drop(columns="rank", errors="ignore").sort_values(
        ["eval_miou", "seed", "experiment"], ascending=[False, True, True], kind="stable", na_position="last"
    )
    ranking = ranking.reset_index(drop=True)
    ranking.insert(0, "rank", np.arange(1, len(ranking) + 1))
    return ranking


def member_list(ranking, k, evaluated=True):
    """The first k networks of a ranking as a dict that JSON can hold; a single network is an ensemble of one.

    ranking: DataFrame from `rank` with the columns `targets` (a sequence of names) and `decision` besides.
    evaluated: False where no eval region ranks the networks; all of them count then, in the ranking's order, and their
    eval_miou is None. Returns {"members": [{"experiment", "seed", "checkpoint", "eval_miou"}, ...], "targets", "decision"}.
    Raises ValueError if fewer than k networks have a score or if their targets, decisions or columns of MEANINGS differ.
    """
    _need_columns(ranking, MEMBER_COLUMNS, "ranking")
    scored = ranking[ranking["eval_miou"].notna()] if evaluated else ranking
    if not 1 <= k <= len(scored):
        raise ValueError(f"k: expected 1 to {len(scored)} (networks with an eval score), found {k}; train more seeds")
    chosen = scored.head(k)
    targets, decision = list(chosen["targets"].iloc[0]), chosen["decision"].iloc[0]
    members = []
    for row in chosen.to_dict("records"):
        for name, found, expected in (
            ("targets", list(row["targets"]), targets),
            ("decision", row["decision"], decision),
            *((name, row[name], chosen[name].iloc[0]) for name in MEANINGS if name in chosen),
        ):
            if found != expected:
                raise ValueError(
                    f"{name}: expected those of the first member, {expected}, found {found} in experiment "
                    f"'{row['experiment']}' seed {row['seed']}; an ensemble needs networks with equal {name}"
                )
        members.append(
            {
                "experiment": str(row["experiment"]),
                "seed": int(row["seed"]),
                "checkpoint": str(row["checkpoint"]),
                "eval_miou": float(row["eval_miou"]) if evaluated else None,
            }
        )
    return {"members": members, "targets": targets, "decision": decision}


def checked_members(record, source):
    """The members of a member list that may come from elsewhere.

    record: what its JSON file `source` holds. Raises ValueError, naming that file, for entries without a checkpoint that is a
    safetensors file by a relative path, a name for the experiment and a whole number for the seed: outputs are named after
    these two.
    """
    members = record.get("members") if isinstance(record, dict) else None
    if not isinstance(members, list) or not members:
        raise ValueError(f"{source}: expected a member list (JSON with members), found none.")
    for i, entry in enumerate(members):
        entry = entry if isinstance(entry, dict) else {}
        checkpoint, seed = entry.get("checkpoint"), entry.get("seed")
        is_relative = isinstance(checkpoint, str) and not checkpoint.startswith("/") and checkpoint.isprintable()
        if not is_relative or not checkpoint.endswith(".safetensors"):
            raise ValueError(
                f"{source}: members[{i}].checkpoint is {checkpoint!a}, expected a relative path to .safetensors."
            )
        if not specifications.is_name(entry.get("experiment")) or not specifications.is_whole(seed, 2**64):
            found = (entry.get("experiment"), seed)
            raise ValueError(f"{source}: members[{i}] is {found!a}, expected the name of an experiment and a seed.")
    return members


def choose_k(scores):
    """Ensemble size with the highest eval_miou; the smaller one of equals.

    scores: DataFrame with K_COLUMNS, one row for each k. Raises ValueError if a row's role is not "eval": a
    size chosen on a test region would make that region part of the training.
    """
    _need_columns(scores, K_COLUMNS, "scores")
    roles = sorted(set(scores["role"].astype(str)) - {"eval"})
    if roles:
        raise ValueError(f"role: expected only 'eval', found {roles}; the ensemble size is chosen on eval regions")
    if scores["k"].duplicated().any():
        raise ValueError(f"scores: expected one row for each k, found {scores['k'].tolist()}; pool regions first")
    defined = scores[scores["eval_miou"].notna()]
    if defined.empty:
        raise ValueError("scores: expected an eval_miou for at least one k, found none")
    return int(defined.sort_values(["eval_miou", "k"], ascending=[False, True])["k"].iloc[0])


def prefix_means(member_probabilities):
    """Yield the mean of the first 1, 2, 3, ... members: Top-1, Top-2, ... in one pass.

    member_probabilities: iterable of arrays of one shape, e.g. (C, Z, Y, X) in [0, 1], in ranking order.
    Yields float32 arrays of that shape, each its own; only the running sum is kept.
    """
    total = None
    for n, probabilities in enumerate(member_probabilities, start=1):
        if total is None:
            total = np.zeros(np.shape(probabilities), dtype=np.float32)
        elif np.shape(probabilities) != total.shape:
            raise ValueError(
                f"member {n}: expected probabilities of shape {total.shape}, found {np.shape(probabilities)}"
            )
        total += probabilities
        yield total / np.float32(n)


def mean_probabilities(member_probabilities):
    """Mean of the members' probabilities, float32, equal weights. Raises ValueError for no members."""
    mean = None
    for running_mean in prefix_means(member_probabilities):
        mean = running_mean
    if mean is None:
        raise ValueError("members: expected at least one, found none")
    return mean


def _need_columns(table, columns, name):
    missing = [column for column in columns if column not in table.columns]
    if missing:
        raise ValueError(f"{name}: expected the columns {columns}, found {list(table.columns)}; missing {missing}")
