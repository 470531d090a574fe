"""Small made-up inputs that the tests of the figure scripts share."""

import json

import numpy as np
import pandas as pd

from densecell import files, io, raw_formats
from densecell.metrics import confusion_counts, confusion_table, metrics_table

RECORDS = [
    {"name": "background", "group": "background"},
    {"name": "cell", "group": "cell"},
    {"name": "granule", "group": "organelle"},
    {"name": "dense_core", "group": "organelle"},
]
NAMES = [record["name"] for record in RECORDS]
CLASSES = json.dumps(RECORDS)
COLORS = json.dumps({"background": "#000000", "cell": "#006400", "granule": "#00008b", "dense_core": "#8b0000"})
VOXEL_NM = (50, 10, 10)
EXPERIMENTS = {"hybrid": 0.05, "unet": 0.2}  # share of wrong voxels


def labels(shape=(6, 30, 40), wrong=0.0, seed=0):
    """Nested boxes of the four classes, with a share of wrong voxels."""
    volume = np.zeros(shape, np.uint8)
    for number, margin in ((1, 4), (2, 8), (3, 11)):
        volume[:, margin:-margin, margin:-margin] = number
    rng = np.random.default_rng(seed)
    return np.where(rng.random(shape) < wrong, rng.integers(0, 4, shape), volume).astype(np.uint8)


def write_volume(path, array, **options):
    io.write_volume(path, array, VOXEL_NM, record={}, **options)
    return str(path)


def write_table(path, table):
    io.write_table(path, table, {})
    return str(path)


def write_chosen(folder, k=2):
    """chosen.json of both ensembles."""
    paths = []
    for name in EXPERIMENTS:
        paths.append(str(folder / f"{name}.json"))
        members = [{"experiment": name, "seed": seed} for seed in (2, 1)[:k]]
        files.write_json(paths[-1], {"name": name, "k": k, "members": members, "experiments": [name]}, {})
    return paths


def confusion():
    """Confusion table of eval, test and compare regions with two seeds, top1 and top2, and two annotators."""
    tables = []

    def count(region, role, reference, experiment, predictor, first, second):
        keys = {"volume": "v", "region": region, "reference": reference, "experiment": experiment}
        counts = confusion_counts(first, second, len(NAMES))
        tables.append(confusion_table(counts, NAMES, **keys, predictor=predictor, role=role))

    for role in ("eval", "test", "compare"):
        for experiment, wrong in EXPERIMENTS.items():
            for i, predictor in enumerate(("seed1", "seed2", "top1", "top2")):
                predicted = labels(wrong=wrong * (1 - 0.1 * i), seed=i)
                count(role, role, "reference", experiment, predictor, labels(), predicted)
    people = {"reference": labels(), "annotator_1": labels(wrong=0.1, seed=8), "annotator_2": labels(wrong=0.1, seed=9)}
    for reference, first in people.items():
        for predictor, second in people.items():
            if predictor != reference:
                count("compare", "compare", reference, "annotation", predictor, first, second)
    return pd.concat(tables, ignore_index=True)


def metrics():
    return metrics_table(confusion(), NAMES, [0, 1, 2, 2])


def ranking():
    rows = [
        ("hybrid", 2, 1, 0.8, False),
        ("hybrid", 1, 2, 0.7, False),
        ("unet", 1, 1, 0.6, False),
        ("unet", 2, 2, 0.1, True),
    ]
    return pd.DataFrame(rows, columns=["experiment", "seed", "rank", "eval_miou", "collapsed"])


def fractions():
    """Volume fractions of the test region, with two margins, and of a whole volume."""
    rows = []

    def add(region, reference, experiment, predictor, margin_nm, denominator, factor):
        for name, value in (("granule", 0.1), ("dense_core", 0.01)):
            keys = ("v", region, reference, experiment, predictor, margin_nm, denominator, name)
            rows.append((*keys, "volume_fraction", value * factor, "1"))

    nan = float("nan")
    add("test", "reference", "annotation", "reference", nan, "reference cell", 1)
    for experiment in EXPERIMENTS:
        for i, predictor in enumerate(("seed1", "seed2", "top1", "top2")):
            for margin_nm in (50.0, 100.0):
                factor = 0.8 + 0.1 * i + margin_nm / 1000
                add("test", "reference", experiment, predictor, margin_nm, "predicted cell within margin", factor)
    add("", "", "hybrid", "chosen", nan, "labelled tissue", 1.1)
    columns = ["volume", "region", "reference", "experiment", "predictor", "margin_nm", "denominator", "class"]
    return pd.DataFrame(rows, columns=[*columns, "measure", "value", "unit"])


def check_picture(main, arguments, path):
    """Draw twice; the picture must be of sane size, not blank, and equal both times. Returns its (height, width)."""
    contents = []
    for _ in range(2):
        main([*arguments, "--dpi", "60", "--output", str(path)])
        contents.append(path.read_bytes())
    assert contents[0] == contents[1], "drawing twice gave different bytes"
    picture = raw_formats.read_png(path)
    assert 150 < picture.shape[0] < 3000 and 150 < picture.shape[1] < 3000
    assert picture[..., :3].std() > 5
    assert files.read_sidecar(path)["content"] == files.hash_file(path)
    return picture.shape[:2]
