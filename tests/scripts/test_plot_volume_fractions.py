import picture_inputs as made_up
import pytest

import plot_volume_fractions


def arguments(tmp_path, margin_nm):
    given = ["--fractions", made_up.write_table(tmp_path / "fractions.csv", made_up.fractions())]
    given += ["--chosen", *made_up.write_chosen(tmp_path), "--classes", made_up.CLASSES]
    return [*given, "--margin-nm", str(margin_nm)]


def test_draws(tmp_path):
    made_up.check_picture(plot_volume_fractions.main, arguments(tmp_path, 100), tmp_path / "x.png")


def test_bars_are_people_first_then_ensembles_with_their_seeds():
    table = made_up.fractions()
    bars = plot_volume_fractions.bars_of_region(table[table["region"] == "test"], {"hybrid": 2, "unet": 1})
    assert [(name, experiment) for name, experiment, *_ in bars] == [
        ("reference", None),
        ("hybrid", "hybrid"),
        ("unet", "unet"),
    ]
    assert set(bars[1][2]["predictor"]) == {"top2"} and set(bars[2][2]["predictor"]) == {"top1"}
    assert set(bars[1][3]["predictor"]) == {"seed1", "seed2"}


def test_refuses_a_margin_that_was_not_computed(tmp_path):
    with pytest.raises(ValueError, match=r"margin_nm: expected one of \[50.0, 100.0\], found 70"):
        plot_volume_fractions.main([*arguments(tmp_path, 70), "--output", str(tmp_path / "x.png")])
