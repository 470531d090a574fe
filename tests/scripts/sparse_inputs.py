"""Small made-up inputs of sparse labels that several tests share: a nucleus with its nucleolus, scored on held-out slices."""

import json

import numpy as np
import pandas as pd

from densecell import io, overlap

TARGETS = ["nucleus", "nucleolus"]
RECORDS = [
    {"name": "background", "group": "background"},
    {"name": "nucleus", "group": "cell"},
    {"name": "nucleolus", "group": "organelle", "inside": "nucleus"},
]
CLASSES = json.dumps(RECORDS)
COLORS = json.dumps({"background": "#ffffff", "nucleus": "#1b7837", "nucleolus": "#d95f02"})
VOXEL_NM = (20, 16, 16)
SHAPE = (14, 60, 80)
LABELLED = [1, 3, 5, 6, 8, 10, 12]
DISTANCES = dict(zip(LABELLED, (1, 2, 4, 1, 2, 4, 1)))
EXPERIMENTS = {"resunet_n3": 1.0, "resunet_n6": 0.5, "unet_n3": 1.6, "unet_n6": 1.0}  # how wrong they are


def distance_maps(shape=SHAPE):
    """{target: (Z, Y, X) signed distance, px, positive inside}: a ball, and a smaller one in it, off its center."""
    z, y, x = np.indices(shape, float)
    z = 1.5 * (z - shape[0] / 2)
    ball = 24 - np.sqrt(z**2 + (y - 30) ** 2 + (x - 38) ** 2)
    return {"nucleus": ball, "nucleolus": 8 - np.sqrt(z**2 + (y - 26) ** 2 + (x - 44) ** 2)}


def target_maps(shape=SHAPE, labelled=LABELLED):
    """{target: (Z, Y, X) uint8}: 1 inside, 0 outside, 255 where a slice is not labelled."""
    found = {}
    for name, distance in distance_maps(shape).items():
        found[name] = np.full(shape, 255, np.uint8)
        found[name][labelled] = distance[labelled] > 0
    return found


def image(shape=SHAPE, seed=0):
    """(Z, Y, X) float32 in which both can be seen."""
    noise = np.random.default_rng(seed).normal(0, 0.4, shape)
    return (noise + sum((d > 0) * 1.0 for d in distance_maps(shape).values())).astype(np.float32)


def probabilities(wrong, draw, shape=SHAPE):
    """{target: (Z, Y, X) uint8 q}: the truth with borders moved by up to some pixels, and a false object."""
    generator = np.random.default_rng([draw, round(10 * wrong)])
    found = {}
    for name, distance in distance_maps(shape).items():
        _, y, x = np.indices(shape)
        wave = 2 * wrong * np.sin(x / 5 + generator.uniform(0, 6)) + wrong * generator.normal(0, 1)
        false = wrong * 5 - np.hypot(y - 10, x - 70)
        found[name] = np.rint(255 / (1 + np.exp(-np.maximum(distance + wave, false)))).astype(np.uint8)
    return found


def overlap_of(experiment, draw, slices=DISTANCES, maps=None, q=None):
    """The overlap table of one draw of an experiment of EXPERIMENTS."""
    n = int(experiment.split("_n")[1])
    keys = {
        "volume": "v",
        "region": "r",
        "reference": "reference",
        "experiment": experiment,
        "predictor": f"seed{draw}",
    }
    maps, q = maps or target_maps(), q or probabilities(EXPERIMENTS[experiment], draw)
    parts = []
    for z, distance in slices.items():
        for name in TARGETS:
            sums = overlap.slice_sums(maps[name][z], q[name][z], q[name][z] >= 128)
            about = {"n_slices": n, "draw": draw, "z": z, "distance": distance, "threshold": 0.5, "class": name}
            parts.append(overlap.overlap_table(sums, **keys, **about))
    return pd.concat(parts, ignore_index=True)


def write_overlap(folder, draws=(1, 2, 3)):
    """Overlap tables of all experiments and draws; their paths."""
    paths = []
    for name in EXPERIMENTS:
        for draw in draws:
            paths.append(str(folder / f"{name}_seed{draw}.csv"))
            io.write_table(paths[-1], overlap_of(name, draw), {})
    return paths


def write_stores(folder, maps, **attributes):
    """Volumes {name: (Z, Y, X)} as stores; {name: path}."""
    paths = {name: str(folder / f"{name}.ome.zarr") for name in maps}
    for name, array in maps.items():
        io.write_volume(paths[name], array, VOXEL_NM, record={}, attributes=attributes)
    return paths


def write_held_out(folder, experiment="resunet_n3", draws=(1, 2, 3), inner=False):
    """What the scoring of an experiment leaves: arguments of plot_held_out_slices.py."""
    picture, inside = image(), {}
    if inner:  # stored with context around it
        picture = np.pad(picture, ((1, 0), (2, 2), (3, 0)), mode="reflect")
        inside = {"inner": [[1, 15], [2, 62], [3, 83]]}
    (picture,) = write_stores(folder, {"image": picture}, **inside).values()
    maps = write_stores(folder, target_maps())
    tables, folders = [], []
    for draw in draws:
        tables.append(str(folder / f"seed{draw}.csv"))
        io.write_table(tables[-1], overlap_of(experiment, draw), {})
        folders.append(str(folder / f"seed{draw}"))
        q = probabilities(EXPERIMENTS[experiment], draw)
        for stack in q.values():
            stack[[z for z in range(SHAPE[0]) if z not in LABELLED]] = 0
        write_stores(folder / f"seed{draw}", q)
    arguments = ["--overlap", *tables, "--predictions", *folders, "--images", picture, "--targets", *maps.values()]
    names = {"--seeds": list(draws), "--regions": ["r"], "--names": TARGETS}
    arguments += [word for key, value in names.items() for word in (key, json.dumps(value))]
    return [*arguments, "--classes", CLASSES, "--colors", COLORS]
