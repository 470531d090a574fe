import numpy as np
import picture_inputs as made_up

import plot_confusion

CHOSEN = {"hybrid": "top2", "unet": "top1"}


def test_one_panel_per_region_and_ensemble_and_per_pair_of_annotators():
    selected = plot_confusion.select_comparisons(made_up.confusion(), CHOSEN)
    rows = plot_confusion.arrange(selected, made_up.NAMES)
    panels = [[(at["region"], at["reference"], at["predictor"]) for at, _ in row] for row in rows]
    assert panels == [
        [("test", "reference", "top2"), ("test", "reference", "top1")],
        [("compare", "reference", "top2"), ("compare", "reference", "top1")],
        [
            ("compare", "reference", "annotator_1"),
            ("compare", "reference", "annotator_2"),
            ("compare", "annotator_2", "annotator_1"),
        ],
    ]
    assert all(counts.sum() == made_up.labels().size for row in rows for _, counts in row)


def test_rows_add_up_to_one_and_an_absent_class_stays_empty():
    _, ((axes,),) = plot_confusion.new_figure(3, 3)
    shown = plot_confusion.draw_matrix(axes, np.array([[3, 1], [0, 0]]), ["a", "b"])
    assert np.ma.filled(shown.get_array(), np.nan)[0].tolist() == [0.75, 0.25]
    assert [text.get_text() for text in axes.texts] == ["0.75", "0.25", "–", "–"]


def test_draws(tmp_path):
    arguments = ["--confusion", made_up.write_table(tmp_path / "confusion.csv", made_up.confusion())]
    arguments += ["--chosen", *made_up.write_chosen(tmp_path), "--classes", made_up.CLASSES]
    made_up.check_picture(plot_confusion.main, arguments, tmp_path / "x.png")


def test_draws_without_test_regions(tmp_path):
    confusion = made_up.confusion()
    confusion = confusion[confusion["role"] == "eval"]
    arguments = ["--confusion", made_up.write_table(tmp_path / "confusion.csv", confusion)]
    arguments += ["--chosen", *made_up.write_chosen(tmp_path), "--classes", made_up.CLASSES]
    plot_confusion.main([*arguments, "--output", str(tmp_path / "x.png")])
    assert (tmp_path / "x.png").exists()
