"""What the contents of containers say, in numbers and in words: shares of classes in cells, how certain, how far off.

Every sentence follows from the table of contents (`assignment.CONTENTS`, with `contents_bias.COLUMNS`).
"""

import numpy as np
import pandas as pd

from densecell.assignment import NO_CLASS

INTRODUCTION = (
    "Share of its volume that each class fills. ±: standard deviation over the networks of the ensemble, in the same object. Networks that "
    "learned from the same labels err alike; how far they are off together is told as a percentage against what people drew."
)
CELLS_SHOWN = 12  # of a table on the summary page


def contained_classes(contents, classes, subject):
    """[(class, source)] of what is told of containers of the class `subject`: the classes that lie in it and those whose objects
    were assigned, each from the first class map that has any of it. contents: rows of one volume and record."""
    lying = set(classes.members_of(classes.index(subject))) - {classes.index(subject)}
    found = {}
    pairs = contents.loc[contents["class"] != NO_CLASS, ["class", "source"]].drop_duplicates()
    for name, source in pairs.itertuples(index=False):
        rows = contents[(contents["class"] == name) & (contents["source"] == source)]
        is_told = classes.index(name) in lying or rows["n_objects"].notna().any()
        if is_told and name != subject and (rows["voxels"].sum() or rows["n_objects"].sum()):
            found.setdefault(name, source)
    return sorted(found.items(), key=lambda pair: classes.index(pair[0]))


def rows_of(contents, name, source):
    """The containers' rows of one class of a class map: without what is outside and without orphans, the largest first."""
    own = contents[(contents["source"] == source) & (contents["instance"] > 0) & (contents["orphan"] == 0)]
    size = own.groupby("instance")["voxels"].sum()
    rows = own[own["class"] == name].set_index("instance")
    return rows.loc[size.sort_values(ascending=False, kind="stable").index]


def pooled_fraction(contents, name, source):
    """Share of a class in all containers together that do not touch the border of the volume; in all, where each does."""
    own = contents[(contents["source"] == source) & (contents["instance"] > 0) & (contents["orphan"] == 0)]
    whole = own[own["touches_border"] == 0]
    own = whole if whole["voxels"].sum() else own
    total = own["voxels"].sum()
    return own.loc[own["class"] == name, "voxels"].sum() / total if total else np.nan


def percent(value):
    """A share as people read it: 3.21 %, or – where there is none."""
    return "–" if pd.isna(value) else f"{100 * value:.3g} %"


def bias_words(row):
    """What is known of the systematic error of a class, from one row of it; "" where nothing is."""
    if pd.isna(row["bias"]):
        return ""
    return f"{100 * row['bias']:+.0f} % against what was drawn in {row['bias_from']} ({row['bias_of']})"


def describe_contents(contents, classes, subject):
    """Sentences on the containers of one volume and record: how many, and of each class its share, spread, number and bias."""
    told = contained_classes(contents, classes, subject)
    first = contents[contents["source"] == contents["source"].iloc[0]] if len(contents) else contents
    containers = first.drop_duplicates("instance")
    kept = containers[(containers["instance"] > 0) & (containers["orphan"] == 0)]
    n_cut, n_orphans = int(kept["touches_border"].sum()), int(containers["orphan"].sum())
    name = subject.replace("_", " ")
    sentence = f"{len(kept)} object{'s' if len(kept) != 1 else ''} of class {name}, {n_cut} of them cut by the border of the volume"
    sentences = [
        sentence
        + (f"; {n_orphans} part{'s' if n_orphans > 1 else ''} could not be assigned to any." if n_orphans else ".")
    ]
    for subject_of, source in told if len(kept) else ():
        sentences.append(_of_class(contents, subject_of, source, name))
    return sentences


def _of_class(contents, name, source, container):
    rows = rows_of(contents, name, source)
    fractions = rows["fraction"].dropna()
    text = (
        f"{name.replace('_', ' ')}: {percent(pooled_fraction(contents, name, source))} of the volume of a {container}"
    )
    if len(fractions) > 1:
        text += f" (single ones from {percent(fractions.min())} to {percent(fractions.max())})"
    spread = rows["fraction_sd"].dropna()
    if len(spread):
        text += f"; SD over {rows['n_members'].iloc[0]} networks {100 * spread.median():.3g} percentage points in the median {container}"
    if rows["n_objects"].notna().any():
        outside = contents[(contents["class"] == name) & (contents["source"] == source) & (contents["instance"] == 0)]
        text += f"; {int(rows['n_objects'].sum())} objects in them, {int(outside['n_objects'].sum())} in none"
    bias = bias_words(rows.iloc[0])
    return text + (f"; {bias}." if bias else "; nothing was drawn that tells how far this is off.")


def contents_facts(contents, classes, subject, columns):
    """The shares in single containers as rows of the summary's table: predictor <record>_<instance>, measure volume_fraction."""
    rows = []
    for name, source in contained_classes(contents, classes, subject):
        for instance, row in rows_of(contents, name, source).iterrows():
            place = (row["volume"], "", "", source, f"{row['objects']}_{instance}", name)
            if not np.isnan(row["fraction"]):
                rows.append((*place, "volume_fraction", row["fraction"], "1"))
            if not np.isnan(row["fraction_sd"]):
                rows.append((*place, "volume_fraction_sd", row["fraction_sd"], "1"))
    return pd.DataFrame(rows, columns=columns)


def contents_cells(contents, classes, subject):
    """A table to read, of the largest containers: a DataFrame of texts, one row each, `3.21 ± 0.4 %` a class."""
    table = {}
    for name, source in contained_classes(contents, classes, subject):
        rows = rows_of(contents, name, source).head(CELLS_SHOWN)
        texts = [_with_sd(fraction, sd) for fraction, sd in zip(rows["fraction"], rows["fraction_sd"])]
        numbers = [f"{i} (cut)" if cut else str(i) for i, cut in zip(rows.index, rows["touches_border"])]
        table[name.replace("_", " ")] = pd.Series(texts, index=numbers, dtype=object)
    return pd.DataFrame(table)


def _with_sd(fraction, sd):
    return percent(fraction) if pd.isna(sd) or pd.isna(fraction) else f"{100 * fraction:.3g} ± {100 * sd:.2g} %"
