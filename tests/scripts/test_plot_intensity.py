import numpy as np
import pandas as pd
import picture_inputs as made_up
import pytest

import correct_intensity
import plot_intensity

LAYOUT = {"binning": [1, 1, 1], "left_out_slices": [2]}


@pytest.mark.parametrize("n", [1, 2, 12])
def test_draws_stacks_of_any_depth_with_flagged_slices(tmp_path, n):
    image = np.random.default_rng(0).integers(0, 200, (n, 30, 40)).astype(np.uint8)
    if n > 5:
        image[4], image[7, :20] = 9, 230
    before = made_up.write_volume(tmp_path / "before.ome.zarr", image, attributes=LAYOUT)
    after, slices = str(tmp_path / "after.ome.zarr"), str(tmp_path / "slices.csv")
    correct_intensity.main(["--image", before, "--method", "equalize", "--output", after, "--slices", slices])
    given = ["--slices", slices, "--before", before, "--after", after, "--method", "equalize", "--title", "v"]
    made_up.check_picture(plot_intensity.main, given, tmp_path / "x.png")


def test_the_darkest_the_middle_the_brightest_and_the_most_unlike_are_shown():
    table = pd.DataFrame(
        {"z": range(6), "mean_before": [5.0, 1, 9, 3, 7, 99], "ks_shape": [0.1, 0.1, 0.1, 0.4, 0.1, np.nan]}
    )
    table["flag"], table["left_out"] = ["", "", "", "unlike", "", "constant"], 0
    assert plot_intensity.chosen_slices(table) == {1: "darkest", 2: "brightest", 3: "most unlike", 4: "middle"}
    table["left_out"] = 1
    assert plot_intensity.chosen_slices(table)[3] == "most unlike"
