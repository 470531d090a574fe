"""A small made-up results folder with sidecars and run records: raw data, a volume of it, runs with seeds, a table."""

import json

import numpy as np

from densecell import files, io

RUN = {
    "started": "2026-01-01T10:00:00Z",
    "wall_s": 2.0,
    "cpu_s": 1.5,
    "peak_memory_bytes": 3_000_000,
    "host": "desk",
    "platform": "Linux",
    "device": "cpu",
    "threads": 1,
    "python": "3.11.7",
    "packages": {"numpy": "2.4.6"},
    "config_hash": "abcd",
    "git_commit": "1" * 40,
    "git_dirty": False,
}
TRAINING = {"steps": 8, "batch_size": 1, "optimizer": "adamw", "learning_rate": 0.003}


def run_record(root, path, script, **more):
    """Write the run record of an output at `path`, which is told with the folder `root` it was started in."""
    record = {"output": path.relative_to(root).as_posix(), "script": script, "record": files.read_sidecar(path)}
    files.run_record_path(path).write_text(json.dumps({**record, **RUN, **more}))


def parents_of(root, *paths):
    return {p.relative_to(root).as_posix(): files.content_id(p) for p in paths}


def record_of(root, params, *parents, **more):
    return {"params": params, "code": "c0de", "parents": {**parents_of(root, *parents), **more}}


def text_output(root, path, text, script, params, *parents, run=None, **more):
    """A text file as an output of `script`, made of `parents` (and raw data, path: hash, in `more`)."""
    files.write_text(path, text, record_of(root, params, *parents, **more.pop("raw", {})))
    if script:
        run_record(root, path, script, **(run or {}))
    return path


def small_results(root, n_seeds=3):
    """Write results below `root`/results/r of raw data `root`/data/raw.tif; returns the results folder."""
    folder, raw = root / "results/r", root / "data/raw.tif"
    (folder / "run").mkdir(parents=True)
    (folder / "run/config.abcd.yaml").write_text("a: 1\n")
    raw.parent.mkdir()
    raw.write_bytes(b"gray values")
    image = folder / "imported/brain/image.ome.zarr"
    params = {"axes": "zyx", "voxel_size_nm": [50, 10, 10]}
    record = {"params": params, "code": "c0de", "parents": {"data/raw.tif": files.hash_file(raw)}}
    io.write_volume(image, np.arange(2 * 4 * 4, dtype=np.uint8).reshape(2, 4, 4), (50, 10, 10), record=record)
    run_record(root, image, "import_volume")
    histories = []
    for seed in range(1, n_seeds + 1):
        settings = {"network": "unet_2d", "window": [1, 4, 4], "training": TRAINING}
        params = {"experiment": "unet", "seed": seed, "settings": settings}
        path = folder / f"models/unet/seed{seed}/history.csv"
        run = {"precision": "float32", "started": f"2026-01-01T11:00:{seed:02d}Z"}
        histories.append(text_output(root, path, f"loss\n{seed}\n", "train_network", params, image, run=run))
    text_output(root, folder / "tables/ranking.csv", "rank\n1\n", "rank_networks", {}, *histories)
    return folder
