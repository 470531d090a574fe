import pandas as pd
import pytest

import gather_tables
from densecell import io


def gather(tmp_path, *tables):
    paths = []
    for i, table in enumerate(tables):
        paths.append(str(tmp_path / f"{i}.csv"))
        io.write_table(paths[-1], table, {})
    gather_tables.main(["--tables", *paths, "--output", str(tmp_path / "all.csv")])
    return io.read_table(tmp_path / "all.csv")


def test_rows_keep_their_order_and_shared_rows_come_once(tmp_path):
    first = pd.DataFrame({"class": ["a", "b"], "value": [0.1, float("nan")]})
    second = pd.DataFrame({"class": ["b", "c"], "value": [float("nan"), 3.0]})
    assert gather(tmp_path, first, second)["class"].tolist() == ["a", "b", "c"]


def test_refuses_other_columns(tmp_path):
    with pytest.raises(ValueError, match=r"1.csv: expected the columns of .*0.csv"):
        gather(tmp_path, pd.DataFrame({"class": ["a"]}), pd.DataFrame({"klass": ["a"]}))
