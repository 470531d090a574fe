import pandas as pd
import pytest
import sparse_inputs as made_up

import summarize_draws
from densecell import io


def test_three_tables_from_the_sums_of_all_draws(tmp_path):
    paths = made_up.write_overlap(tmp_path)
    names = {name: tmp_path / f"{name}.csv" for name in ("output", "budget", "by_distance")}
    options = [word for name, path in names.items() for word in (f"--{name.replace('_', '-')}", str(path))]
    summarize_draws.main(["--overlap", *paths, *options])
    metrics, budget, distances = (io.read_table(path) for path in names.values())
    dice = metrics[(metrics["measure"] == "dice") & (metrics["pooling"] == "pooled")]
    assert len(dice) == len(paths) * len(made_up.TARGETS) and dice["value"].between(0, 1).all()
    curve = budget[(budget["measure"] == "dice") & (budget["pooling"] == "pooled")]
    assert set(curve["series"]) == {"resunet", "unet"} and set(curve["n_slices"]) == {3, 6} and (curve["n"] == 3).all()
    one = curve.iloc[0]
    mine = dice[(dice["experiment"] == one["experiment"]) & (dice["class"] == one["class"])]["value"]
    assert one["mean"] == pytest.approx(mine.mean()) and one["sd"] == pytest.approx(mine.std())
    assert set(distances["distance"]) == {1, 2, 4}


def test_a_draw_in_two_files_is_refused(tmp_path):
    first, *_ = made_up.write_overlap(tmp_path)
    table = io.read_table(first)
    parts = [tmp_path / f"{i}.csv" for i in (1, 2)]
    for path, part in zip(parts, (table[table["z"] < 5], table[table["z"] >= 5])):
        io.write_table(path, part, {})
    with pytest.raises(ValueError, match="expected all slices of 'seed1' of 'resunet_n3' in one file"):
        summarize_draws.main(["--overlap", *map(str, parts), "--output", str(tmp_path / "metrics.csv")])


def test_the_scores_of_ensembles_need_no_draw(tmp_path):
    table = pd.concat([io.read_table(p) for p in made_up.write_overlap(tmp_path)[:1]])
    for name in ("n_slices", "draw", "distance", "threshold"):
        table[name] = float("nan")
    io.write_table(tmp_path / "x.csv", table, {})
    summarize_draws.main(["--overlap", str(tmp_path / "x.csv"), "--output", str(tmp_path / "metrics.csv")])
    metrics = io.read_table(tmp_path / "metrics.csv")
    assert metrics["draw"].isna().all() and set(metrics["class"]) == set(made_up.TARGETS)
