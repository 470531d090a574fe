import contents_inputs as made_up
import pandas as pd
import picture_inputs
import pytest

import gather_contents
from densecell import io
from densecell.assignment import CONTENTS

ENSEMBLES = '{"hybrid": {"granule": "hybrid", "core": "hybrid"}, "drawn": {}}'


def gathered(folder, *arguments):
    """The gathered table of two records, one from an ensemble and one from a label source."""
    table = made_up.contents()[[*CONTENTS]]
    paths = [
        picture_inputs.write_table(folder / f"{i}.csv", t) for i, t in enumerate((table, table.assign(source="drawn")))
    ]
    given = ["--contents", *paths, "--chosen", made_up.write_chosen(folder), "--ensembles", ENSEMBLES]
    gather_contents.main([*given, *arguments, "--output", str(folder / "all.csv")])
    return io.read_table(folder / "all.csv")


def fractions():
    """Volumes in a test region: a tenth of the cell drawn, 0.11 found, within 100 nm; the test tables have fractions alone."""
    rows = []
    for experiment, predictor, margin_nm, denominator, granule in (
        ("annotation", "reference", float("nan"), "reference cell", 1.0),
        ("hybrid", "top2", 100.0, "predicted cell within margin", 1.1),
    ):
        for name, volume in (("cell", 10 - granule), ("granule", granule), ("all", 10.0)):
            keys = ("w", "test", "reference", experiment, predictor, margin_nm, denominator)
            rows.append((*keys, name, "volume_um3", volume, "um3"))
    columns = ["volume", "region", "reference", "experiment", "predictor", "margin_nm", "denominator", "class"]
    return pd.DataFrame(rows, columns=[*columns, "measure", "value", "unit"])


def overlap(region="train", predictor="seed1", recall=0.5):
    rows = [
        ("w", region, "hybrid", predictor, "core", "pooled", *score)
        for score in (("precision", 0.5), ("recall", recall))
    ]
    return pd.DataFrame(
        rows, columns=["volume", "region", "experiment", "predictor", "class", "pooling", "measure", "value"]
    )


def test_classes_get_their_bias_from_regions_and_else_from_held_out_slices(tmp_path):
    given = [
        "--volume-fractions",
        picture_inputs.write_table(tmp_path / "f.csv", fractions()),
        "--roles",
        '{"test": "test"}',
    ]
    given += ["--held-out", picture_inputs.write_table(tmp_path / "h.csv", overlap())]
    table = gathered(tmp_path, *given)
    assert len(table) == 2 * len(made_up.contents())
    found = table[table["source"] == "hybrid"].drop_duplicates("class").set_index("class")
    assert found.loc["granule", "bias"] == pytest.approx(0.1) and found.loc["core", "bias"] == 0
    assert found["bias_of"].to_dict() == {"background": "", "cell": "", "granule": "volume fraction", "core": "volume"}
    assert found.loc["granule", "bias_from"] == "test (test) of w"
    assert table.loc[table["source"] == "drawn", "bias"].isna().all()


def test_without_any_score_nothing_is_known(tmp_path):
    table = gathered(tmp_path)
    assert table["bias"].isna().all() and set(table["bias_from"]) == {""}


def test_targets_in_regions_get_their_bias_from_those_that_chose_no_network(tmp_path):
    tables = [overlap("eval", "top2"), overlap("test", "top2", 0.4)]
    given = ["--overlap", picture_inputs.write_table(tmp_path / "o.csv", pd.concat(tables))]
    table = gathered(tmp_path, *given, "--roles", '{"test": "test", "eval": "eval"}')
    found = table[(table["source"] == "hybrid") & (table["class"] == "core")].iloc[0]
    assert found["bias"] == pytest.approx(-0.2) and found["bias_from"] == "test (test) of w"
