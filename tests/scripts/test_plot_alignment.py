import json

import numpy as np
import pandas as pd
import picture_inputs as made_up
import pytest

import plot_alignment


def arguments(tmp_path, n_truth):
    rng = np.random.default_rng(0)
    before = rng.integers(0, 255, (10, 20, 40)).astype(np.uint8)
    positions = rng.normal(size=(10, 2)).cumsum(axis=0)
    flags = [""] * 9 + ["blank"]
    shifts = pd.DataFrame({"z": range(10), "y_nm": positions[:, 0] * 10, "x_nm": positions[:, 1] * 10, "flag": flags})
    truth = pd.DataFrame(positions.repeat(2, axis=0)[:n_truth] * 2, columns=["dy_px", "dx_px"])
    truth.insert(0, "z", range(len(truth)))
    given = ["--shifts", made_up.write_table(tmp_path / "shifts.csv", shifts)]
    given += ["--before", made_up.write_volume(tmp_path / "before.ome.zarr", before)]
    after = made_up.write_volume(tmp_path / "after.ome.zarr", before[:, 3:-3, 3:-3], origin_nm=(0, 30, 30))
    given += ["--after", after, "--title", "v", "--binning", json.dumps([2, 2, 2])]
    return given, ["--truth", made_up.write_table(tmp_path / "truth.csv", truth)]


def test_draws_with_and_without_truth(tmp_path):
    given, truth = arguments(tmp_path, 20)
    made_up.check_picture(plot_alignment.main, given, tmp_path / "without.png")
    made_up.check_picture(plot_alignment.main, given + truth, tmp_path / "with.png")


def test_known_positions_of_binned_slices_in_nm():
    truth = pd.DataFrame({"z": [0, 1, 2, 3], "dy_px": [0, 2, 4, 6], "dx_px": [1, 1, 3, 3]})
    known_nm = plot_alignment.known_positions_nm(truth, (2, 2, 4), (100, 20, 40))
    assert known_nm.tolist() == [[10, 10], [50, 30]]


def test_refuses_a_truth_of_another_length(tmp_path):
    given, truth = arguments(tmp_path, 12)
    with pytest.raises(ValueError, match=r"truth.csv: expected 10 slices after binning, found 6"):
        plot_alignment.main([*given, *truth, "--output", str(tmp_path / "x.png")])
