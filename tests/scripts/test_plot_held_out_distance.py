import picture_inputs
import sparse_inputs as made_up

import plot_held_out_distance
import summarize_draws
from densecell import io


def test_a_row_for_each_experiment(tmp_path):
    heights = []
    for name, paths in (("two", made_up.write_overlap(tmp_path)), ("one", made_up.write_overlap(tmp_path)[:6])):
        scores = str(tmp_path / f"{name}.csv")
        summarize_draws.main(["--overlap", *paths, "--output", str(tmp_path / "m.csv"), "--by-distance", scores])
        path = tmp_path / f"{name}.png"
        heights.append(picture_inputs.check_picture(plot_held_out_distance.main, ["--scores", scores], path)[0])
    assert heights[0] > heights[1]


def test_regions_without_a_training_slice_have_no_distance(tmp_path):
    table = made_up.overlap_of("unet_n3", 1)
    table.loc[table["z"] < 6, "distance"] = float("nan")
    io.write_table(tmp_path / "o.csv", table, {})
    scores = str(tmp_path / "d.csv")
    summarize_draws.main(
        ["--overlap", str(tmp_path / "o.csv"), "--output", str(tmp_path / "m.csv"), "--by-distance", scores]
    )
    picture_inputs.check_picture(plot_held_out_distance.main, ["--scores", scores], tmp_path / "d.png")
