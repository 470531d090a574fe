import json

import matplotlib.image
import numpy as np
import paper_inputs
import picture_inputs as made_up

import plot_paper_panels
from densecell import files


def test_draws_images_labels_predictions_and_pictures(tmp_path):
    folder = paper_inputs.write_run(tmp_path)
    about = {"scene_box_px": [0, 5, 40, 25], "um_per_px": 0.01, "note": "core: none predicted"}
    with files.writing(folder / "rendering.png", {"picture": about}) as partial:
        matplotlib.image.imsave(partial, np.random.default_rng(0).random((36, 40)), format="png")
    place = paper_inputs.place(folder)
    rows = [
        [place, {**place, "labels": place["reference"]}],
        [paper_inputs.algorithm(folder, "unet", "single"), {**place, "picture": f"{folder}/rendering.png"}],
    ]
    arguments = ["--panels", json.dumps(rows), *paper_inputs.LOOK]
    tall = made_up.check_picture(plot_paper_panels.main, arguments, tmp_path / "x.png")
    parents = files.read_sidecar(tmp_path / "x.png")["parents"]
    assert f"{folder}/unet/seed2.ome.zarr" in parents and f"{folder}/rendering.png" in parents
    one = ["--panels", json.dumps(rows[:1]), "--equal", "1", *paper_inputs.LOOK]
    assert made_up.check_picture(plot_paper_panels.main, one, tmp_path / "y.png")[0] < tall[0]
