import numpy as np
import pandas as pd
import picture_inputs as made_up
import pytest

import compare_annotators
import plot_annotators
from densecell import files, raw_formats
from densecell.metrics import confusion_counts, confusion_table, metrics_table

PEOPLE = {"reference": 0.0, "annotator_1": 0.1, "annotator_2": 0.12}
ENSEMBLES = {"hybrid": (0.2, 0.8), "unet": (0.3, 0.7)}  # share of wrong voxels, eval score


def volume_fractions(reference, experiment, predictor, margin_nm, denominator):
    keys = ("v", "compare", reference, experiment, predictor, margin_nm, denominator)
    rows = [(*keys, name, "volume_fraction", 0.1, "1") for name in ("granule", "dense_core")]
    columns = ["volume", "region", "reference", "experiment", "predictor", "margin_nm", "denominator"]
    return pd.DataFrame(rows, columns=[*columns, "class", "measure", "value", "unit"])


def inputs(tmp_path, people=tuple(PEOPLE)):
    """Arguments for a region that these people labelled and both ensembles predicted."""
    confusion, fractions, chosen = [], [], []
    volumes = {name: made_up.labels(wrong=PEOPLE[name], seed=i) for i, name in enumerate(people)}
    for reference in people:
        others = [("annotation", name, volumes[name]) for name in people if name != reference]
        others += [(e, "top2", made_up.labels(wrong=wrong, seed=9)) for e, (wrong, _) in ENSEMBLES.items()]
        for experiment, predictor, labels in others:
            keys = {"volume": "v", "region": "compare", "reference": reference, "experiment": experiment}
            counts = confusion_counts(volumes[reference], labels, len(made_up.NAMES))
            confusion.append(confusion_table(counts, made_up.NAMES, **keys, predictor=predictor, role="compare"))
            near = (100.0, "predicted cell within margin")
            fractions.append(volume_fractions(reference, experiment, predictor, *near))
        fractions.append(volume_fractions(reference, "annotation", reference, np.nan, "reference cell"))
    for name, (_, score) in ENSEMBLES.items():
        chosen.append(str(tmp_path / f"{name}.json"))
        files.write_json(chosen[-1], {"name": name, "k": 2, "eval_miou_of_k": {"1": 0.9, "2": score}}, {})
    confusion = pd.concat(confusion, ignore_index=True)
    metrics = metrics_table(confusion, made_up.NAMES, [0, 1, 2, 2])
    agreement = str(tmp_path / "agreement.csv")
    metrics_path = made_up.write_table(tmp_path / "metrics.csv", metrics)
    compare_annotators.main(["--metrics", metrics_path, "--chosen", *chosen, "--output", agreement])
    arguments = ["--agreement", agreement, "--chosen", *chosen, "--region", "compare", "--classes", made_up.CLASSES]
    arguments += ["--confusion", made_up.write_table(tmp_path / "confusion.csv", confusion)]
    arguments += ["--fractions", made_up.write_table(tmp_path / "fractions.csv", pd.concat(fractions))]
    return [*arguments, "--confusion-output", str(tmp_path / "confusion.png")]


@pytest.mark.parametrize("people", [tuple(PEOPLE), ("annotator_1", "annotator_2"), ("reference", "annotator_1")])
def test_draws_both_pictures(tmp_path, people):
    made_up.check_picture(plot_annotators.main, inputs(tmp_path, people), tmp_path / "x.png")
    picture = raw_formats.read_png(tmp_path / "confusion.png")
    assert min(picture.shape[:2]) > 150 and picture[..., :3].std() > 5


def test_bars_are_of_the_chosen_k_at_the_margin_around_the_first_source(tmp_path):
    table = pd.concat(
        [
            volume_fractions("annotator_1", "annotation", "annotator_1", np.nan, "reference cell"),
            volume_fractions("annotator_1", "hybrid", "top2", 100.0, "predicted cell within margin"),
            volume_fractions("annotator_1", "hybrid", "top1", 100.0, "predicted cell within margin"),
            volume_fractions("annotator_1", "hybrid", "top2", 50.0, "predicted cell within margin"),
            volume_fractions("annotator_2", "hybrid", "top2", 100.0, "predicted cell within margin"),
        ]
    )
    bars = plot_annotators.bars_of(table, ["annotator_1"], {"hybrid": "top2"}, "annotator_1", 100.0)
    assert {name: len(rows) for name, rows in bars.items()} == {"annotator_1": 2, "hybrid": 2}
    assert plot_annotators.percent(bars["hybrid"], "granule") == 10
    assert np.isnan(plot_annotators.percent(bars["hybrid"], "absent"))


def test_refuses_a_region_with_one_source(tmp_path):
    arguments = inputs(tmp_path)
    arguments[arguments.index("--region") + 1] = "test"
    with pytest.raises(ValueError, match=r"expected two label sources or more in test, found \[\]"):
        plot_annotators.main([*arguments, "--output", str(tmp_path / "x.png")])
