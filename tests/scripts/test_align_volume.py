import json

import numpy as np
import pandas as pd
import pytest
import stacks

import align_volume
from densecell import files, io

STEPS = np.array(
    [(0, 0), (2, -1), (3, -3), (1, -2), (0, 1), (-2, 3), (-1, 2), (1, 0), (2, 0), (0, -1)]
)  # content positions


def run(tmp_path, stack, truth=None, threads=1, **settings):
    attributes = {"binning": settings.pop("binning", [1, 1, 1])}
    image = stacks.save(tmp_path / "binned.ome.zarr", stack, origin_nm=(0, 100, 200), attributes=attributes)
    arguments = ["--image", image, "--settings", json.dumps({"method": "global", **settings})]
    arguments += ["--shifts", str(tmp_path / "shifts.csv"), "--score", str(tmp_path / "score.csv")]
    if truth is not None:
        io.write_table(tmp_path / "truth.csv", truth, {})
        arguments += ["--truth", str(tmp_path / "truth.csv")]
    arguments += ["--threads", str(threads), "--output", str(tmp_path / "aligned.ome.zarr")]
    align_volume.main(arguments)
    score = io.read_table(tmp_path / "score.csv").set_index("measure")["value"]
    return io.open_volume(tmp_path / "aligned.ome.zarr"), io.read_table(tmp_path / "shifts.csv"), score


def truth_table(positions, bad=()):
    flag = ["destroyed" if z in bad else "" for z in range(len(positions))]
    return pd.DataFrame({"z": range(len(positions)), "dy_px": positions[:, 0], "dx_px": positions[:, 1], "flag": flag})


def test_known_whole_pixel_steps_are_undone_exactly(tmp_path):
    stack = stacks.textured_stack(len(STEPS), (80, 96), STEPS)
    aligned, shifts, score = run(tmp_path, stack, truth_table(STEPS))
    np.testing.assert_array_equal(shifts[["applied_y_px", "applied_x_px"]], -STEPS)
    np.testing.assert_allclose(shifts[["y_nm", "x_nm"]], 10 * STEPS, atol=1.25)  # sums of steps of 0.5 nm
    y0, y1, x0, x1 = 2, 77, 3, 93  # content went 3 px down and 2 px up, 3 px right and 3 px left
    assert shifts.loc[0, ["crop_y0", "crop_y1", "crop_x0", "crop_x1"]].tolist() == [y0, y1, x0, x1]
    assert aligned.attributes == {"binning": [1, 1, 1], "crop": [[y0, y1], [x0, x1]], "left_out_slices": []}
    assert aligned.origin_nm == (0, 100 + 10 * y0, 200 + 10 * x0)
    for z, (y, x) in enumerate(STEPS):
        np.testing.assert_array_equal(aligned[z : z + 1][0], stack[z, y0 + y : y1 + y, x0 + x : x1 + x])
    assert score["pair_error_max"] < 0.2
    assert score["drift_error_max"] < 0.3
    assert score[["n_slices", "n_left_out", "flagged_right", "flagged_missed", "flagged_false"]].tolist() == [
        10,
        0,
        0,
        0,
        0,
    ]


def test_threads_change_neither_voxels_nor_sidecars(tmp_path):
    stack = stacks.textured_stack(20, (80, 96), np.resize(STEPS, (20, 2)))  # three slabs
    found = []
    for threads in (1, 2, 3):
        run(tmp_path, stack, threads=threads)
        found.append([files.read_sidecar(tmp_path / name) for name in ("aligned.ome.zarr", "shifts.csv")])
    assert found[0] == found[1] == found[2]
    assert len([name for name in found[0][0]["content"] if name.startswith("0/c/")]) == 3


def test_method_none_moves_nothing_and_still_flags(tmp_path):
    stack = stacks.textured_stack(10, (80, 96), 0 * STEPS)
    stack[4] = 9
    stack[7] = stack[6]
    aligned, shifts, _ = run(tmp_path, stack, method="none")
    np.testing.assert_array_equal(aligned[:], stack)
    assert shifts["flag"].tolist()[4:8] == ["blank", "", "", "duplicate"]
    assert aligned.attributes["left_out_slices"] == [4, 7]
    assert shifts["left_out"].sum() == 2


def test_flagged_slices_are_scored_as_right_missed_and_false(tmp_path):
    stack = stacks.textured_stack(len(STEPS), (80, 96), STEPS)
    stack[4] = np.random.default_rng(1).integers(0, 255, stack[4].shape)  # destroyed
    stack[8] = 9  # blank, but the truth doesn't say so
    _, shifts, score = run(tmp_path, stack, truth_table(STEPS, bad=[2, 4]))
    assert shifts["flag"][4] == "destroyed"
    assert score[["n_left_out", "flagged_right", "flagged_missed", "flagged_false"]].tolist() == [2, 1, 1, 1]


def test_truth_in_raw_pixels_is_binned_first():
    truth = truth_table(np.array([(0, 0), (2, 4), (4, 8), (6, 12), (6, 12)]), bad=[4])
    positions, is_sound = align_volume.true_positions(truth, [2, 2, 4], 3)
    np.testing.assert_array_equal(positions, [(0.5, 0.5), (2.5, 2.5), (3, 3)])
    assert is_sound.tolist() == [True, True, False]
    with pytest.raises(ValueError, match="one row for each raw slice of 5 slices binned by 2, found 5"):
        align_volume.true_positions(truth, [2, 2, 4], 5)


def test_pair_errors_and_their_bias_by_hand():
    table = pd.DataFrame({"dy_px": [0, 1, 1, 1.0], "dx_px": 0.0, "y_px": [0, 1, 2, 3.0], "x_px": 0.0, "left_out": 0})
    truth = truth_table(np.array([(0, 0), (0, 0), (2, 0), (2, 0)]))
    score = {measure: value for measure, value, _ in align_volume.score_rows(table, truth, [1, 1, 1])}
    assert score["pair_error_median"] == 1  # errors 1, -1, 1
    assert score["pair_bias"] == pytest.approx(1 / 3)
    assert score["drift_error_max"] == 1
    assert score["true_drift_max"] == 2


def test_a_single_slice_and_a_volume_without_truth(tmp_path):
    stack = stacks.textured_stack(1, (40, 40), STEPS[:1])
    aligned, shifts, score = run(tmp_path, stack)
    np.testing.assert_array_equal(aligned[:], stack)
    assert len(shifts) == 1
    assert score.to_dict() == {"n_slices": 1, "n_left_out": 0}


def test_unknown_method_is_refused(tmp_path):
    with pytest.raises(
        ValueError, match=r"unknown alignment method 'x' \(alignment\.method\); known: global, tiles, none"
    ):
        run(tmp_path, stacks.random_image((3, 20, 20)), method="x")


def test_zarr_gets_the_threads_of_the_job(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(io, "use_threads", given.append)
    run(tmp_path, stacks.textured_stack(2, (40, 40), STEPS[:2]), threads=3)
    assert given == [3]
