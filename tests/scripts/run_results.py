"""For tests: a small results folder as jobs leave it, with sidecars and run records, without running any."""

import json

import yaml

from densecell import files

CONFIG = "0123456789abcdef"
FACTS = {
    "wall_s": 4.5,
    "cpu_s": 3.25,
    "peak_memory_bytes": 90_000_000,
    "host": "secret-host",
    "platform": "Linux",
    "device": "cpu",
    "threads": 1,
    "python": "3.11.7",
    "packages": {"numpy": "2.4.6"},
    "config_hash": CONFIG,
    "git_commit": "c0ffee",
    "git_dirty": False,
}


def result(folder, path, script, content, parents, second, **facts):
    """Write a text file, or a store where `content` is None, as `script` would; returns its place."""
    place, of = folder / path, files.content_id if script != "import_volume" else files.foreign_content_id
    record = {"params": {}, "code": "1234", "parents": {str(p): of(p) for p in parents}}
    if content is None:
        with files.writing(place, record, folder=True) as partial:
            (partial / "zarr.json").write_text(path)
    else:
        files.write_text(place, content, record)
    started = f"2026-11-21T10:00:{second:02d}Z"
    told = {
        **FACTS,
        "output": str(place),
        "record": files.read_sidecar(place),
        "script": script,
        "started": started,
        **facts,
    }
    files.run_record_path(place).write_text(json.dumps(told))
    return place


def small_run(tmp_path):
    """results/small below `tmp_path`: raw stack -> imported -> aligned volume and shifts -> a metrics table -> a figure."""
    raw, folder = tmp_path / "private" / "stack.tif", tmp_path / "results" / "small"
    raw.parent.mkdir(parents=True)
    raw.write_bytes(b"voxels")
    imported = result(folder, "imported/s1/image.ome.zarr", "import_volume", None, [raw], 0)
    aligned = result(folder, "aligned/s1/image.ome.zarr", "align_volume", None, [imported], 5)
    shifts = result(folder, "aligned/s1/shifts.csv", "align_volume", "slice,y,x\n0,0,0\n", [imported], 5)
    metrics = result(folder, "tables/metrics.csv", "compute_metrics", "measure,value\niou,0.5\n", [aligned, shifts], 10)
    result(folder, "figures/ranking.png", "plot_ranking", "not really a picture", [metrics], 15)
    (folder / "run").mkdir()
    config = {"results_dir": "results/small", "volumes": [{"name": "s1", "path": str(raw)}], "seeds_scale": 1}
    (folder / "run" / f"config.{CONFIG}.yaml").write_text(yaml.safe_dump(config))
    (folder / "logs").mkdir()
    (folder / "logs/x.log").write_text(str(raw))
    return folder
