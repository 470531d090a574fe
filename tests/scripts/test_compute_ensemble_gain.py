import picture_inputs as made_up

import compute_ensemble_gain
from densecell import io


def test_gathers_both_ensembles_and_roles(tmp_path):
    metrics = made_up.metrics()
    arguments = [
        "--metrics",
        made_up.write_table(tmp_path / "metrics.csv", metrics),
        "--ensembles",
        '["unet", "hybrid"]',
    ]
    compute_ensemble_gain.main([*arguments, "--output", str(tmp_path / "gain.csv")])
    table = io.read_table(tmp_path / "gain.csv")
    assert list(table["ensemble"].unique()) == ["unet", "hybrid"] and set(table["role"]) == {"eval", "test"}
    assert set(table["region"]) == {"", "eval", "test"} and set(table["kind"]) == {"ranked", "single"}
    key = {"experiment": "unet", "region": "test", "predictor": "top2", "measure": "miou_org"}
    expected = metrics[(metrics[list(key)] == key).all(axis=1)]["value"].iloc[0]
    found = table[(table["ensemble"] == "unet") & (table["region"] == "test") & (table["predictor"] == "top2")]
    assert found.set_index("measure")["value"]["miou_org"] == expected
