import json

import numpy as np
import pytest
import stacks
import tifffile

import build_weight_map
import compare_weight_maps
import import_weight_map
from densecell import io

SETTINGS = {
    "class_weight_power": 1, "edge_amplitude": 0.882, "edge_sigma_px": 3, "edge_threshold": 0.25, "edge_scale": 1, "floor": 0.01,
}  # fmt: skip
LABELS = np.zeros((5, 40, 44), np.uint8)
LABELS[:, 6:34, 6:38], LABELS[1:4, 12:20, 12:20], LABELS[0, :3] = 1, 2, 255


def build(tmp_path, name, labels, **settings):
    path = str(tmp_path / f"{name}.ome.zarr")
    record = json.dumps({"name": name, **SETTINGS, **settings})
    given = ["--labels", labels, "--all-labels", labels, "--settings", record, "--classes", stacks.CLASSES_JSON]
    build_weight_map.main([*given, "--output", path])
    return path


@pytest.fixture
def paths(tmp_path):
    """Labels, the computed map, and one imported from a file without a floor whose edges are 2.25 times as strong."""
    counts = np.bincount(LABELS.ravel())[:3].tolist()
    labels = stacks.save(tmp_path / "labels.ome.zarr", LABELS, fill_value=255, attributes={"class_counts": counts})
    computed = build(tmp_path, "paper", labels)
    stored = io.open_volume(build(tmp_path, "stored", labels, edge_scale=2.25, floor=0))[:]
    tifffile.imwrite(tmp_path / "stored.tif", stored, photometric="minisblack")
    box = [[0, n] for n in LABELS.shape]
    image = stacks.save(tmp_path / "image.ome.zarr", np.zeros(LABELS.shape, np.float32), attributes={"box": box})
    imported = str(tmp_path / "released.ome.zarr")
    given = ["--weights", str(tmp_path / "stored.tif"), "--volume", image, "--image", image, "--labels", labels]
    import_weight_map.main([*given, "--floor", "0.02", "--output", imported])
    return {"labels": labels, "computed": computed, "imported": imported}


def run(tmp_path, paths):
    given = ["--labels", paths["labels"], "--all-labels", paths["labels"]]
    given += ["--computed", paths["computed"], "--imported", paths["imported"]]
    given += ["--computed-settings", json.dumps([{"name": "paper", "floor": 0.01, "class_weight_power": 1}])]
    given += ["--imported-settings", json.dumps([{"name": "released", "floor": 0.02}])]
    given += ["--regions", json.dumps([{"name": "train", "volume": "v"}]), "--output", str(tmp_path / "table.csv")]
    compare_weight_maps.main(given)
    return io.read_table(tmp_path / "table.csv")


def test_stored_weights_with_edges_of_known_strength_give_that_strength(tmp_path, paths):
    table = run(tmp_path, paths)
    assert list(table.columns) == compare_weight_maps.COLUMNS
    assert set(table["region"]) == {"train"} and set(table["weight_map"]) == {"released"}
    pooled = table[table["z"].astype(str) == ""].set_index("measure")["value"]
    assert pooled["edge_scale"] == pytest.approx(2.25, rel=1e-5)
    computed, imported = io.open_volume(paths["computed"])[:], io.open_volume(paths["imported"])[:]
    valid = LABELS != 255
    assert pooled["pearson"] == pytest.approx(np.corrcoef(computed[valid], imported[valid])[0, 1], rel=1e-6)
    slices = table[table["z"].astype(str) != ""]
    assert len(slices) == 2 * len(LABELS)
    assert slices[slices["measure"] == "edge_scale"]["value"].to_numpy() == pytest.approx(2.25, rel=1e-5)


def test_maps_of_different_shapes_are_refused(tmp_path, paths):
    paths["imported"] = stacks.save(tmp_path / "small.ome.zarr", np.ones((5, 40, 40), np.float32))
    with pytest.raises(ValueError, match=r"small.ome.zarr: expected the shape of the labels, \(5, 40, 44\)"):
        run(tmp_path, paths)
