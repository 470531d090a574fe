import numpy as np
import pandas as pd
import picture_inputs as made_up

import choose_threshold
from densecell import io


def part(source, region, role, scores):
    columns = ["experiment", "region", "role", "threshold", "class", "measure", "value"]
    return pd.DataFrame([(source, region, role, t, "all", "miou", v) for t, v in scores.items()], columns=columns)


def test_marks_the_threshold_of_eval_in_every_region_and_one_half(tmp_path):
    parts = {
        "a": part("other", "eval", "eval", {0.3: 0.9, 0.5: 0.8}),
        "b": part("other", "test", "test", {0.3: 0.1, 0.5: 0.8}),
        "c": part("unseen", "test", "test", {0.3: 0.9, 0.5: 0.8, np.nan: 0.7}),
    }
    paths = [made_up.write_table(tmp_path / f"{name}.csv", table) for name, table in parts.items()]
    choose_threshold.main(["--scores", *paths, "--output", str(tmp_path / "all.csv")])
    table = io.read_table(tmp_path / "all.csv")
    assert table["choice"].tolist() == ["eval", "fixed", "eval", "fixed", "", "fixed", ""]
