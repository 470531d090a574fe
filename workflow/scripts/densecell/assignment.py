"""Which objects lie in which, and how much of each class lies in each: organelles of cells, nucleoli of nuclei.

An object belongs to the container that holds more than half of its voxels (the most frequent number among them), else to none.
What a container holds is counted voxel by voxel, whether or not a voxel is part of an object, so that containers and what is
outside of all of them add up to the class map. Numbers: 0 is none, `classes.UNLABELLED_INSTANCE` unlabelled; classes: 255
is unlabelled, 254 none of the classes that a source annotates. A voxel that one of two volumes leaves unlabelled is not
counted.
"""

import numpy as np
import pandas as pd

from densecell.classes import OTHER, UNLABELLED, UNLABELLED_INSTANCE

OUTSIDE = 0
NO_CLASS = "other"  # what a source that annotates some classes only calls none of them: a row of its own
MORE_THAN = 0.5  # of an object's voxels: what it takes to belong to a container, or to be confirmed by a network
SPREAD = ("mean", "sd", "min", "max")
BLOCK_ROWS = (
    1024  # of a slab that are counted at once: slices of 6000 x 4000 pixels need no more memory than some 100 MB
)
CONTENTS = (
    *(
        "volume",
        "objects",
        "instance",
        "orphan",
        "touches_border",
        "source",
        "class",
        "voxels",
        "volume_um3",
        "fraction",
    ),
    *(f"fraction_{name}" for name in SPREAD),
    *("n_members", "with_inner_um3", "with_inner_fraction", "n_objects", "n_confirmed"),
)
PARENTS = (
    *("volume", "objects", "source", "class", "instance", "voxels", "container", "parent", "share"),
    *(f"agreement_{name}" for name in SPREAD),
    "n_members",
)


def blocks(volume):
    """The volume in parts that fit in memory: [(slices, rows)], whole slabs of shards cut along y, in order."""
    rows = range(0, volume.shape[1], BLOCK_ROWS)
    return [(slice(*slab), slice(y, min(y + BLOCK_ROWS, volume.shape[1]))) for slab in volume.slabs() for y in rows]


def pair_counts(rows, columns):
    """How often each pair of values occurs at the same voxel: (rows (P,), columns (P,), voxels (P,)) int64, ascending.

    rows, columns: unsigned integers of one shape, below 2^32. Neighbors in memory mostly hold the same pair, so only stretches
    of equal voxels are sorted. Counts of parts of a volume are joined by `joined`.
    """
    first, second = np.ascontiguousarray(rows).reshape(-1), np.ascontiguousarray(columns).reshape(-1)
    if np.shape(rows) != np.shape(columns):
        raise ValueError(
            f"pair_counts: expected two volumes of one shape, found {np.shape(rows)} and {np.shape(columns)}."
        )
    begins = np.ones(first.size, bool)
    np.not_equal(first[1:], first[:-1], out=begins[1:])
    begins[1:] |= second[1:] != second[:-1]
    start = np.flatnonzero(begins)
    keys = first[start].astype(np.uint64) << np.uint64(32) | second[start].astype(np.uint64)
    return _summed(keys, np.diff(start, append=first.size))


def joined(counts):
    """The counts of several parts as one. counts: list of what `pair_counts` returns."""
    parts = [[np.zeros(0, np.int64)] * 3, *counts]
    rows, columns, voxels = (np.concatenate(arrays) for arrays in zip(*parts))
    return _summed(rows.astype(np.uint64) << np.uint64(32) | columns.astype(np.uint64), voxels)


def _summed(keys, voxels):
    """Voxels of equal keys (row * 2^32 + column) added up, ascending, as `pair_counts`."""
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1])[: len(keys)])
    summed = np.add.reduceat(voxels[order], first) if len(first) else np.zeros(0, np.int64)
    keys = keys[first]
    halves = (keys >> np.uint64(32)), keys & np.uint64(UNLABELLED_INSTANCE)
    return *(half.astype(np.int64) for half in halves), summed.astype(np.int64)


def counts_of_classes(pairs, instances, n_classes, name="class map", table="objects"):
    """Voxels of each class outside of all containers (row 0) and in each: (n_containers + 1, n_classes + 1) int64.

    The last column is of no class that the source annotates (254). pairs: `pair_counts` of container numbers and
    classes. instances: (n_containers,) their numbers, ascending, in the file `table`. name: of the class map, for messages.
    Raises ValueError for a class that does not exist, and for a container that the table of objects doesn't have.
    """
    numbers, classes, voxels = pairs
    known = (numbers != UNLABELLED_INSTANCE) & (classes != UNLABELLED)
    numbers, classes, voxels = numbers[known], classes[known], voxels[known]
    unknown = (classes >= n_classes) & (classes != OTHER)
    if unknown.any():
        found = sorted(set(classes[unknown].tolist()))[:5]
        raise ValueError(f"{name}: expected classes from 0 to {n_classes - 1}, or 255 for unlabelled, found {found}.")
    counts = np.zeros((len(instances) + 1, n_classes + 1), np.int64)
    np.add.at(counts, (_place(numbers, instances, table), np.minimum(classes, n_classes)), voxels)
    return counts


def _place(numbers, instances, table):
    """Row of each number: 0 for outside, 1 + its place among the containers else, which are in the file `table`."""
    instances = np.append(OUTSIDE, np.asarray(instances, np.int64))
    place = np.minimum(np.searchsorted(instances, numbers), len(instances) - 1)
    missing = np.unique(numbers[instances[place] != numbers])
    if len(missing):
        raise ValueError(
            f"{table}: expected every number of its volume, found {len(missing)} missing, such as {missing[0]}. Delete "
            "both; the next run makes them again."
        )
    return place


def shares(counts, total=None):
    """Share of each class in the voxels of its row: float64 as `counts` (..., rows, n_classes); NaN in a row without voxels and in
    row 0, which is no container. The others add up to 1. total: (..., rows, 1) voxels of the rows, where `counts` are not all."""
    total = (counts.sum(axis=-1, keepdims=True) if total is None else total).astype(float)
    total[..., OUTSIDE, :] = 0
    return np.divide(counts, total, out=np.full(np.shape(counts), np.nan), where=total > 0)


def spread(values):
    """Mean, standard deviation (n - 1; NaN for one), least and largest of values over the members (first axis), each of the
    other axes' shape; all NaN without members."""
    values = np.asarray(values, float)
    nothing = np.full(values.shape[1:], np.nan)
    if not len(values):
        return nothing, nothing, nothing, nothing
    sd = values.std(axis=0, ddof=1) if len(values) > 1 else nothing
    return values.mean(axis=0), sd, values.min(axis=0), values.max(axis=0)


def parents_table(pairs, objects, agreeing=(), table="objects"):
    """The container of each object: columns instance, voxels, parent, share, and the spread of the members' agreement.

    pairs: `pair_counts` of object numbers and container numbers. objects: table of the objects (instance, voxels), ascending.
    parent: the container with more than half of the voxels, 0 where none has. share: that of the container with most voxels
    (of equal ones of the least number), NaN where no voxel is labelled. agreeing: of each network (n_objects,) the share of an
    object's voxels that it calls its class. table: the file of the objects, for messages.
    """
    numbers, containers, voxels = pairs
    known = (numbers != OUTSIDE) & (numbers != UNLABELLED_INSTANCE) & (containers != UNLABELLED_INSTANCE)
    numbers, containers, voxels = numbers[known], containers[known], voxels[known]
    place = _place(numbers, objects["instance"], table) - 1
    total = np.bincount(place, voxels, minlength=len(objects))
    held = np.flatnonzero(containers != OUTSIDE)
    order = held[np.lexsort((containers[held], -voxels[held], place[held]))]
    of, first = np.unique(place[order], return_index=True)
    largest, best = np.zeros(len(objects)), np.zeros(len(objects), np.int64)
    largest[of], best[of] = voxels[order][first], containers[order][first]
    share = np.divide(largest, total, out=np.full(len(objects), np.nan), where=total > 0)
    found = objects[["instance", "voxels"]].assign(parent=np.where(share > MORE_THAN, best, OUTSIDE), share=share)
    agreeing = np.reshape(list(agreeing), (len(agreeing), len(objects)))
    for name, values in zip(SPREAD, spread(agreeing)):
        found[f"agreement_{name}"] = values
    return found.assign(n_members=len(agreeing))


def agreement(pairs, objects, table="objects"):
    """Share of each object's voxels to which a network gives its class: (n_objects,) float64.

    pairs: `pair_counts` of object numbers and 1 for the class, 0 for others. objects: as for `parents_table`."""
    counts = counts_of_classes(pairs, objects["instance"], 2, table=table)[1:]
    return counts[:, 1] / np.maximum(counts.sum(axis=1), 1)


def contents_table(counts, members, objects, classes, voxel_size_nm, children=()):
    """What each container holds of each class, in the columns from `instance` on (CONTENTS, docs/outputs.md) but `source`.

    counts: (n_containers + 1, n_classes + 1) voxels, row 0 outside of all, the last column of none of the classes: rows
    NO_CLASS, where there are any. members: the same of each network's own class map, (n_members, n_containers + 1,
    n_classes + 1), within the same containers. objects: table of the containers (instance, orphan, touches_border).
    classes: `Classes`. voxel_size_nm: (z, y, x). children: {class: table of its objects (parent, agreement_mean)}; a class
    that it doesn't have gets no number of objects.
    """
    counts, n_rows = np.asarray(counts), len(objects) + 1
    names = [*classes.names, *[NO_CLASS] * bool(counts[:, -1].any())]
    counts = counts[:, : len(names)]
    voxel_um3 = np.prod(np.asarray(voxel_size_nm, float)) * 1e-9
    inner = np.eye(len(names), dtype=bool)
    for i in range(len(classes)):
        inner[i, classes.members_of(i)] = True
    with_inner = counts @ inner.T
    table = {
        name: np.repeat(np.append(0, objects[name].to_numpy(np.int64)), len(names))
        for name in ("instance", "orphan", "touches_border")
    }
    table |= {"class": np.tile(names, n_rows), "voxels": counts.ravel()}
    table |= {"volume_um3": counts.ravel() * voxel_um3, "fraction": shares(counts).ravel()}
    members = np.reshape(members, (len(members), n_rows, len(classes) + 1))[..., : len(names)]
    for name, values in zip(SPREAD, spread(shares(members))):
        table[f"fraction_{name}"] = values.ravel()
    table["n_members"] = len(members)
    table["with_inner_um3"] = with_inner.ravel() * voxel_um3
    table["with_inner_fraction"] = shares(with_inner, counts.sum(axis=1, keepdims=True)).ravel()
    return _with_objects(pd.DataFrame(table), dict(children))


def _with_objects(table, children):
    """The table with the number of objects of each class that lie in each container, and of those that most networks confirm."""
    for name in ("n_objects", "n_confirmed"):
        table[name] = pd.array([pd.NA] * len(table), "Int64")
    for subject, objects in children.items():
        rows = table["class"] == subject
        kept = {"n_objects": objects}
        if table["n_members"].max() > 0 and not objects["agreement_mean"].isna().any():
            kept["n_confirmed"] = objects[objects["agreement_mean"] > MORE_THAN]
        for name, some in kept.items():
            numbers = some["parent"].value_counts().reindex(table.loc[rows, "instance"], fill_value=0)
            table.loc[rows, name] = numbers.to_numpy()
    return table
