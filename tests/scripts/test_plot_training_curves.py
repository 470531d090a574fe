import numpy as np
import pandas as pd
import picture_inputs as made_up

import plot_training_curves


def write_history(path, experiment, seed, n_evaluations):
    rows = []
    for step in range(100, 100 * n_evaluations + 1, 100):
        for measure, value in (("training_loss", np.exp(-step / 300)), ("eval_miou", 1 - np.exp(-step / 200))):
            rows.append((experiment, seed, step, 1, measure, "all", value, "1"))
        rows.append((experiment, seed, step, 1, "eval_iou", "cell", 0.5, "1"))
    columns = ["experiment", "seed", "step", "epoch", "measure", "class", "value", "unit"]
    return made_up.write_table(path, pd.DataFrame(rows, columns=columns))


def test_draws_runs_of_one_and_of_many_evaluations(tmp_path):
    runs = [("hybrid", 1, 8), ("hybrid", 2, 8), ("unet", 1, 1)]
    paths = [write_history(tmp_path / f"{e}{s}.csv", e, s, n) for e, s, n in runs]
    made_up.check_picture(plot_training_curves.main, ["--histories", *paths], tmp_path / "x.png")
