"""A small run that the tests of the paper's scripts share: regions, predictions, rankings and tables on disk."""

import json

import numpy as np
import pandas as pd
import picture_inputs as made_up

from densecell import files

LOOK = ["--colors", made_up.COLORS, "--classes", made_up.CLASSES]
PLACES = json.dumps({"eval": ["eval", "reference"], "test": ["test", "reference"]})


def write_run(folder):
    """Region `test` with context around it, and the predictions of both networks; the chosen member lists."""
    image = np.random.default_rng(0).normal(size=(8, 34, 44)).astype(np.float32)
    inner = {"inner": [[1, 7], [2, 32], [2, 42]]}
    made_up.write_volume(folder / "image.ome.zarr", image, attributes=inner)
    made_up.write_volume(folder / "reference.ome.zarr", made_up.labels())
    for name in made_up.EXPERIMENTS:
        for i, predictor in enumerate(("seed1", "seed2", "top1", "top2")):
            path = folder / name / f"{predictor}.ome.zarr"
            made_up.write_volume(path, made_up.labels(wrong=0.1, seed=i))
    made_up.write_chosen(folder)
    made_up.write_table(folder / "metrics.csv", made_up.metrics())
    made_up.write_table(folder / "ranking.csv", made_up.ranking().query("experiment == 'hybrid'"))
    return folder


def place(root, **options):
    paths = {"image": f"{root}/image.ome.zarr", "reference": f"{root}/reference.ome.zarr"}
    return {"letter": "a", "title": "a title", **paths, "mask": False, "z": None, **options}


def algorithm(folder, name, kind, **options):
    return place(folder, folder=f"{folder}/{name}", chosen=f"{folder}/{name}.json", kind=kind, **options)


def write_checkpoint(path, shapes):
    """A safetensors file with these tensors of zeros: its header is all that is read."""
    header, start = {}, 0
    for name, shape in shapes.items():
        stop = start + 4 * int(np.prod(shape))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [start, stop]}
        start = stop
    text = json.dumps(header).encode()
    with files.writing(path, {}) as partial:
        partial.write_bytes(len(text).to_bytes(8, "little") + text + bytes(start))
    return str(path)


def write_published(path):
    columns = ["table", "row", "algorithm", "kind", "k", "role", "measure", "value", "unit", "source"]
    rows = [("S1a", "Top-4 net", "hybrid_2d3d_333", "ensemble", 4, "test", "miou_org", 0.446, "1", "x")]
    return made_up.write_table(path, pd.DataFrame(rows, columns=columns))
