"""What the contents of containers say in words."""

import numpy as np
import pandas as pd
import pytest

from densecell import contents_words
from densecell.assignment import CONTENTS
from densecell.classes import Classes
from densecell.contents_bias import COLUMNS

CLASSES = Classes.from_records(
    [
        {"name": "background", "group": "background"},
        {"name": "cell", "group": "cell"},
        {"name": "granule", "group": "organelle", "inside": "cell"},
        {"name": "debris", "group": "organelle"},
    ]
)


def contents(cut=(0, 1), granules=(10, 30), numbers=(2, 3), bias=0.07, orphans=0):
    """Two cells of 100 voxels, the second cut by the border, with granules; 5 voxels of granules outside."""
    rows = []
    for i, (granule, n) in enumerate(((5, 1), *zip(granules, numbers))):
        for name, voxels in (("background", 0), ("cell", 100 - granule), ("granule", granule), ("debris", 0)):
            told = (bias, "volume fraction", "test (test) of w") if name == "granule" else (np.nan, "", "")
            is_cell = i > 0
            share = voxels / 100 if is_cell else np.nan
            sd = share / 10 if is_cell else np.nan
            number = n if name == "granule" else pd.NA
            flags = (i, int(i > len(granules) - orphans), int(is_cell and cut[i - 1]))
            measured = (voxels, voxels * 1e-6, share, share, sd, share, share, 3, voxels * 1e-6, share, number, number)
            rows.append(("v", "cells", *flags, "net", name, *measured, *told))
    table = pd.DataFrame(rows, columns=[*CONTENTS, *COLUMNS])
    return table.astype({"n_objects": "Int64", "n_confirmed": "Int64"})


def test_says_how_many_how_much_how_certain_and_how_far_off():
    first, granules = contents_words.describe_contents(contents(), CLASSES, "cell")
    assert first == "2 objects of class cell, 1 of them cut by the border of the volume."
    assert granules == (
        "granule: 10 % of the volume of a cell (single ones from 10 % to 30 %); SD over 3 networks 2 percentage points in the median cell; "
        "5 objects in them, 1 in none; +7 % against what was drawn in test (test) of w (volume fraction)."
    )


def test_what_a_source_calls_none_of_its_classes_counts_and_is_not_told():
    table = contents()
    other = table[table["class"] == "cell"].assign(**{"class": "other", "voxels": 100})
    found = contents_words.describe_contents(pd.concat([table, other]), CLASSES, "cell")
    assert len(found) == 2 and found[1].startswith("granule: 5 % of the volume of a cell")


def test_cells_that_are_cut_count_where_no_other_is_there():
    assert contents_words.pooled_fraction(contents(cut=(1, 1)), "granule", "net") == pytest.approx(0.2)
    assert contents_words.pooled_fraction(contents(cut=(0, 0)), "granule", "net") == pytest.approx(0.2)


def test_orphans_are_told_and_not_counted():
    table = contents(orphans=1)
    first, granules = contents_words.describe_contents(table, CLASSES, "cell")
    assert first.startswith("1 object of class cell") and "1 part could not be assigned" in first
    assert "single ones" not in granules
    assert contents_words.rows_of(table, "granule", "net").index.tolist() == [1]


def test_an_unknown_bias_is_said_to_be_unknown():
    text = contents_words.describe_contents(contents(bias=np.nan), CLASSES, "cell")[1]
    assert text.endswith("nothing was drawn that tells how far this is off.")


def test_only_what_lies_in_the_container_is_told():
    assert contents_words.contained_classes(contents(), CLASSES, "cell") == [("granule", "net")]
    assert contents_words.contained_classes(contents(granules=(0, 0), numbers=(0, 0)), CLASSES, "cell") == [
        ("granule", "net")
    ]


def test_without_containers_only_that_is_said():
    table = contents()
    (sentence,) = contents_words.describe_contents(table[table["instance"] == 0], CLASSES, "cell")
    assert sentence.startswith("0 objects")


def test_the_table_to_read_has_the_largest_first_and_the_facts_all():
    table = contents_words.contents_cells(contents(), CLASSES, "cell")
    assert table["granule"].to_dict() == {"1": "10 ± 1 %", "2 (cut)": "30 ± 3 %"}
    columns = ["volume", "region", "reference", "experiment", "predictor", "class", "measure", "value", "unit"]
    facts = contents_words.contents_facts(contents(), CLASSES, "cell", columns)
    values = facts.set_index(["predictor", "measure"])["value"]
    assert values["cells_2", "volume_fraction"] == 0.3 and values["cells_1", "volume_fraction_sd"] == pytest.approx(
        0.01
    )
    assert not facts["value"].isna().any()
