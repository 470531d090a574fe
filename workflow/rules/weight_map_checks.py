"""What a configuration says about weight maps that come from a file (weight_maps: path)."""

import headers
import public_datasets
from config_checks import by_name, unknown_name
from config_schema import Finding, show
from data_checks import check_source


def check_weight_maps(config, shapes):
    """Their files exist, fit the train regions' volume voxel by voxel, and are compared with computed ones."""
    volumes, computed = by_name(config, "volumes"), [w["name"] for w in config["weight_maps"] if not w["path"]]
    train = [r["volume"] for r in config["regions"] if r["role"] == "train" and r["volume"] in volumes]
    for i, record in enumerate(config["weight_maps"]):
        where, path = f"weight_maps[{i}]", record["path"]
        yield from unknown_name(f"{where}.compare_with", record["compare_with"], "weight_maps (computed)", computed)
        if not path:
            continue
        if public_datasets.is_downloadable(path, config["data_root"]):
            shape = public_datasets.stack_shape(path, record["axes"], config["data_root"])
        elif headers.is_series(path):
            yield Finding(f"{where}.path", show(path), "one file", "Give a single stack of weights.")
            continue
        else:
            shape = yield from check_source(where, record)
        yield from _check_volumes(f"{where}.path", [volumes[name] for name in dict.fromkeys(train)], shape, shapes)


def _check_volumes(where, volumes, shape, shapes):
    """Findings where the stored weights can't lie voxel on voxel on the regions."""
    if len(volumes) > 1:
        found = f"train regions in {', '.join(v['name'] for v in volumes)}"
        hint = "Use computed weights (path: null), or train on regions of one volume."
        yield Finding(where, found, "train regions of one volume, on which the stored weights lie", hint)
        return
    for volume in volumes:
        method, binning = volume["alignment"]["method"], volume["binning"]
        if binning != [1, 1, 1] or method != "none":
            found = f"volume '{volume['name']}' with binning {show(binning)} and alignment {method}"
            expected = "binning [1, 1, 1] and alignment none: stored weights are neither binned nor moved"
            hint = "Use computed weights (path: null), or give the volume as it was when the weights were made."
            yield Finding(where, found, expected, hint)
        whole = shapes.get(("volumes", volume["name"]))
        if shape and whole and list(shape) != list(whole):
            expected = f"{show(list(whole))}, the size of volume '{volume['name']}'"
            yield Finding(where, f"(z, y, x) size {show(list(shape))}", expected, "Correct path or axes.")
