import json

import picture_inputs
import pytest
import sparse_inputs as made_up

import plot_held_out_comparison
import summarize_draws


@pytest.fixture
def metrics(tmp_path):
    path = str(tmp_path / "metrics.csv")
    summarize_draws.main(["--overlap", *made_up.write_overlap(tmp_path), "--output", path])
    return ["--metrics", path]


@pytest.mark.parametrize(("words", "title"), [(("resunet", "unet"), "network"), ((2048, 512), "context (raw pixels)")])
def test_words_and_numbers_side_by_side(metrics, tmp_path, words, title):
    values = {f"{name}_n{n}": word for name, word in zip(("resunet", "unet"), words) for n in (3, 6)}
    arguments = [*metrics, "--values", json.dumps(values), "--title", title]
    picture_inputs.check_picture(plot_held_out_comparison.main, arguments, tmp_path / "c.png")


def test_numbers_are_in_order_and_words_as_they_come():
    assert plot_held_out_comparison.places([2048, 512, 1024]) == {512: 0, 1024: 1, 2048: 2}
    assert plot_held_out_comparison.places(["unet", "resunet", "unet"]) == {"unet": 0, "resunet": 1}


def test_experiments_without_scores_are_refused(metrics, tmp_path):
    with pytest.raises(ValueError, match="expected one of the experiments other, found none of them"):
        plot_held_out_comparison.main([*metrics, "--values", '{"other": 1}', "--output", str(tmp_path / "c.png")])
