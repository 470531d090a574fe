import picture_inputs
import sparse_inputs as made_up

import plot_label_budget
import summarize_draws


def tables(tmp_path, paths):
    names = {name: str(tmp_path / f"{name}.csv") for name in ("metrics", "budget")}
    summarize_draws.main(["--overlap", *paths, "--output", names["metrics"], "--budget", names["budget"]])
    return [word for name, path in names.items() for word in (f"--{name}", path)]


def test_columns_are_classes_and_colors_experiments(tmp_path):
    arguments = tables(tmp_path, made_up.write_overlap(tmp_path))
    picture_inputs.check_picture(plot_label_budget.main, arguments, tmp_path / "budget.png")


def test_one_draw_of_one_number_of_slices_is_drawn_too(tmp_path):
    arguments = tables(tmp_path, made_up.write_overlap(tmp_path, draws=(1,))[:1])
    picture_inputs.check_picture(plot_label_budget.main, arguments, tmp_path / "budget.png")


def test_scores_that_are_not_defined_are_left_out(tmp_path):
    nothing = {name: 0 * array for name, array in made_up.probabilities(1, 1).items()}
    for draw in (1, 2):
        q = nothing if draw == 1 else None
        made_up.io.write_table(tmp_path / f"{draw}.csv", made_up.overlap_of("unet_n3", draw, q=q), {})
    arguments = tables(tmp_path, [str(tmp_path / f"{draw}.csv") for draw in (1, 2)])
    picture_inputs.check_picture(plot_label_budget.main, arguments, tmp_path / "budget.png")
