"""export_panoptic.py: image, classes and objects in one OME-Zarr store that readers of the format open."""

import json

import numpy as np
import ome_zarr.io
import ome_zarr.reader
import pytest
import zarr
from ome_zarr_models.v05.image import Image
from ome_zarr_models.v05.labels import Labels

import export_panoptic
from densecell import files, io

RECORD = {"params": {}, "code": "", "parents": {}}
CLASSES = [{"name": "resin", "group": "background"}, {"name": "cell", "group": "cell"}]
COLORS = {"resin": "#000000", "cell": "#006400"}
GRID = ((50, 10, 10), (100, 0, 0))


@pytest.fixture
def volumes(tmp_path):
    rng = np.random.default_rng(0)
    arrays = {
        "image": rng.integers(0, 255, (21, 30, 40)).astype(np.uint8),
        "map": rng.integers(0, 2, (21, 30, 40)).astype(np.uint8),
        "cells": rng.integers(0, 70_000, (21, 30, 40)).astype(np.uint32),
        "granules": np.zeros((21, 30, 40), np.uint32),
    }
    for name, array in arrays.items():
        io.write_volume(tmp_path / f"{name}.ome.zarr", array, *GRID, record=RECORD)
    return tmp_path, arrays


def run(folder, output="all.ome.zarr", names=("cells", "granules")):
    given = ["--image", folder / "image.ome.zarr", "--labels", folder / "map.ome.zarr"]
    given += ["--instances", *(folder / f"{name}.ome.zarr" for name in names), "--names", json.dumps(names)]
    given += ["--classes", json.dumps(CLASSES), "--colors", json.dumps(COLORS), "--output", folder / output]
    export_panoptic.main([str(word) for word in given])
    return folder / output


def test_the_store_fits_the_models_of_the_format(volumes):
    group = zarr.open_group(run(volumes[0]), mode="r")
    image = Image.from_zarr(group)
    assert image.attributes.ome.version == "0.5" and image.labels.attributes.ome.labels == [
        "classes",
        "cells",
        "granules",
    ]
    labels = Labels.from_zarr(group["labels"])
    found = labels.get_image_labels_group("classes").attributes.ome.image_label
    assert found.source.image == "../../" and [p.label_value for p in found.properties] == [0, 1]


def test_ome_zarr_py_finds_the_image_and_its_labels(volumes):
    folder, arrays = volumes
    nodes = list(ome_zarr.reader.Reader(ome_zarr.io.parse_url(run(folder)))())
    found = {node.zarr.path: node for node in nodes if node.data}
    assert len(found) == 4
    by_name = {path.rstrip("/").split("/")[-1]: np.asarray(node.data[0]) for path, node in found.items()}
    np.testing.assert_array_equal(by_name["cells"], arrays["cells"])
    np.testing.assert_array_equal(by_name["classes"], arrays["map"])
    assert any(np.array_equal(array, arrays["image"]) for array in by_name.values())


def test_no_voxel_is_copied_and_densecell_reads_it(volumes):
    folder, arrays = volumes
    store = run(folder)
    first = next((folder / "cells.ome.zarr" / "0" / "c").rglob("0"))
    while first.is_dir():
        first = first / "0"
    twin = store / "labels" / "cells" / first.relative_to(folder / "cells.ome.zarr")
    assert twin.samefile(first)
    np.testing.assert_array_equal(io.open_volume(store)[:], arrays["image"])
    assert files.without_aside(files.hash_store(store)) == files.read_sidecar(store)["content"]


def test_twice_gives_the_same(volumes):
    first, second = (files.read_sidecar(run(volumes[0], name))["content"] for name in ("a.ome.zarr", "b.ome.zarr"))
    assert first == second


def test_volumes_of_another_place_and_damaged_ones_are_refused(volumes):
    folder, arrays = volumes
    io.write_volume(folder / "cells.ome.zarr", arrays["cells"], GRID[0], (0, 0, 0), record=RECORD)
    with pytest.raises(
        ValueError, match=r"cells.ome.zarr: expected the size, voxel size and place of .*image.ome.zarr"
    ):
        run(folder)
    shard = next(p for p in (folder / "granules.ome.zarr" / "0").rglob("*") if p.is_file() and p.name == "zarr.json")
    shard.write_bytes(shard.read_bytes() + b" ")
    with pytest.raises(ValueError, match="damaged"):
        run(folder, names=("granules",))
    assert not (folder / "all.ome.zarr").exists()
