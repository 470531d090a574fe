import picture_inputs as made_up

import compare_networks
from densecell import io


def compare(tmp_path, name="a"):
    arguments = ["--ranking", made_up.write_table(tmp_path / "ranking.csv", made_up.ranking())]
    arguments += ["--metrics", made_up.write_table(tmp_path / "metrics.csv", made_up.metrics())]
    arguments += ["--experiment-of", '{"hybrid": "hybrid", "unet": "unet"}', "--n-bootstrap", "200"]
    outputs = tmp_path / f"{name}.csv", tmp_path / f"{name}_text.csv"
    compare_networks.main([*arguments, "--output", str(outputs[0]), "--text", str(outputs[1])])
    return outputs


def test_compares_eval_and_test_scores_and_says_so(tmp_path):
    table, text = map(io.read_table, compare(tmp_path))
    assert set(table["score"]) == {"eval_miou_all", "test_miou_org", "test_miou_all"}
    eval_rows = table[table["score"] == "eval_miou_all"].set_index(["experiment", "other", "measure"])
    assert eval_rows.at[("unet", "", "n_collapsed"), "value"] == 1
    assert eval_rows.at[("hybrid", "unet", "superiority"), "value"] == 1
    assert len(text) == 9 and text.loc[text["other"] == "unet", "sentence"].str.contains("can't tell").all()


def test_twice_the_same(tmp_path):
    assert compare(tmp_path)[0].read_bytes() == compare(tmp_path, "b")[0].read_bytes()
