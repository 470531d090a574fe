import numpy as np
import pandas as pd
import picture_inputs as made_up
from test_sweep_small_regions import swept

import plot_small_regions


def test_draws(tmp_path):
    table = swept(tmp_path, made_up.labels(), made_up.labels(wrong=0.1, seed=1), [20, 100])
    path = made_up.write_table(tmp_path / "all.csv", pd.concat([table, table.assign(region="test")]))
    arguments = ["--scores", path, "--colors", made_up.COLORS, "--classes", made_up.CLASSES]
    made_up.check_picture(plot_small_regions.main, arguments, tmp_path / "x.png")


def test_changes_are_in_points_or_in_percent_of_the_value():
    rows = pd.DataFrame({"measure": "iou", "class": "cell", "min_size_voxels": [50, 0], "value": [0.6, 0.5]})
    sizes, change = plot_small_regions.changes(rows, "iou", "cell", False)
    assert sizes.tolist() == [0, 50] and np.allclose(change, [0, 10])
    assert np.allclose(plot_small_regions.changes(rows, "iou", "cell", True)[1], [0, 20])
    rows["value"] = [0.1, 0.0]
    assert np.isnan(plot_small_regions.changes(rows, "iou", "cell", True)[1]).all(), "nothing to relate it to"
