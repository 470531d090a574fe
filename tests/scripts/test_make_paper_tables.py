import json

import paper_inputs
import picture_inputs as made_up
import pytest

import make_paper_tables
from densecell import io

OUTPUTS = ("table_s1", "every_k", "poster_table", "text_numbers")


@pytest.fixture
def arguments(tmp_path):
    folder = paper_inputs.write_run(tmp_path)
    checkpoint = paper_inputs.write_checkpoint(folder / "best.safetensors", {"a.weight": (3, 4), "a.bias": (3,)})
    given = ["--metrics", f"{folder}/metrics.csv", "--chosen", f"{folder}/hybrid.json", f"{folder}/unet.json"]
    given += [
        "--checkpoints",
        checkpoint,
        "--counted",
        '["hybrid"]',
        "--places",
        paper_inputs.PLACES,
        "--main",
        "hybrid",
    ]
    given += ["--parts", json.dumps({"a": ["hybrid", "unet"], "b": ["hybrid"], "c": ["unet"]}), "--poster", '["unet"]']
    for name in OUTPUTS:
        given += [f"--{name.replace('_', '-')}", f"{folder}/{name}.csv"]
    return folder, given


def test_writes_four_tables_that_agree_with_the_scores(arguments):
    folder, given = arguments
    make_paper_tables.main(given)
    s1, every_k, poster, text = (io.read_table(folder / f"{name}.csv") for name in OUTPUTS)
    rows = made_up.metrics().set_index(["region", "reference", "experiment", "predictor", "class", "measure"])["value"]
    ours = s1[(s1["part"] == "a") & (s1["experiment"] == "hybrid") & (s1["role"] == "test")].iloc[0]
    assert ours["value"] == rows["test", "reference", "hybrid", "top2", "organelles", "miou_org"]
    assert s1.loc[s1["measure"] == "n_parameters", "value"].tolist() == [15]
    assert len(every_k) == 2 * 2 * 3 and set(poster["experiment"]) == {"unet"}
    assert text["measure"].tolist() == ["relative_gain_miou_org"]
    assert s1["published"].isna().all()


def test_published_numbers_stand_beside(arguments):
    folder, given = arguments
    published = paper_inputs.write_published(folder / "published.csv")
    make_paper_tables.main([*given, "--published", published, "--algorithms", '{"hybrid": "hybrid_2d3d_333"}'])
    s1 = io.read_table(folder / "table_s1.csv")
    row = s1[s1["published"].notna()].iloc[0]
    assert row["published_row"] == "Top-4 net" and row["difference"] == pytest.approx(row["value"] - 0.446)


def test_the_published_numbers_that_come_with_densecell_can_be_read(arguments):
    folder, given = arguments
    shipped = made_up.__file__.replace("tests/scripts/picture_inputs.py", "workflow/published/guay_2021.csv")
    algorithms = '{"hybrid": "hybrid_2d3d_333", "unet": "unet_2d"}'
    make_paper_tables.main([*given, "--published", shipped, "--algorithms", algorithms])
    s1 = io.read_table(folder / "table_s1.csv").set_index(["part", "experiment", "role", "measure"])["published"]
    assert s1["a", "hybrid", "test", "miou_org"] == 0.446 and s1["c", "unet", "eval", "miou_all"] == 0.626
    assert s1["b", "hybrid", "", "n_parameters"] == 10_300_000


def test_refuses_a_checkpoint_without_a_header(arguments, tmp_path):
    folder, _ = arguments
    (folder / "best.safetensors").write_bytes(b"\xff" * 20)
    with pytest.raises(ValueError, match=r"best.safetensors: expected a safetensors file"):
        make_paper_tables.parameters_of(folder / "best.safetensors")
