import json

import numpy as np
import pytest

import measure_texture
from densecell import io, texture
from densecell.objects import count_objects

VOXEL_NM = (8, 8, 8)
KEYS = {"volume": "v", "objects": "nuclei", "source": "main", "class": "nucleus"}
SETTINGS = {
    "levels": 8,
    "range": "object",
    "connectivity": 26,
    "resample_above": 1.5,
    "spectrum": {"element": "cube", "n_max": 2},
    "max_voxels": 10**6,
}


@pytest.fixture
def objects(tmp_path):
    """An image, and in it: 1 within the volume, 2 at its border, 5 of four voxels, 9 an orphan, which has the brightest voxel."""
    image = np.random.default_rng(0).integers(0, 100, (20, 24, 28)).astype(np.uint8)
    labels = np.zeros(image.shape, np.uint32)
    labels[4:12, 4:12, 4:12] = 1
    labels[4:12, 4:12, 20:28] = 2
    labels[15, 15, 3:7] = 5
    labels[15:19, 16:22, 10:18] = 9
    image[16, 17, 11] = 255
    io.write_volume(tmp_path / "image.ome.zarr", image, VOXEL_NM, record={})
    io.write_volume(tmp_path / "labels.ome.zarr", labels, VOXEL_NM, record={})
    io.write_table(tmp_path / "objects.csv", count_objects(io.open_volume(tmp_path / "labels.ome.zarr"), 9), {})
    return tmp_path, image, labels


def measured(folder, settings=SETTINGS, threads=1):
    names = {"instances": "labels.ome.zarr", "objects": "objects.csv", "image": "image.ome.zarr"}
    arguments = [word for name, file in names.items() for word in (f"--{name}", str(folder / file))]
    arguments += ["--keys", json.dumps(KEYS), "--settings", json.dumps(settings), "--threads", str(threads)]
    measure_texture.main([*arguments, "--output", str(folder / f"texture{threads}.csv")])
    return io.read_table(folder / f"texture{threads}.csv")


def test_each_object_is_measured_in_its_box(objects):
    folder, image, labels = objects
    table = measured(folder)
    assert list(table.columns) == measure_texture.COLUMNS
    assert table["instance"].unique().tolist() == [1, 2, 5]
    assert set(table["objects"]) == {"nuclei"} and set(table["class"]) == {"nucleus"} and set(table["volume"]) == {"v"}
    expected = texture.measure(image, labels == 1, VOXEL_NM, SETTINGS)
    found = table[table["instance"] == 1].set_index("measure")["value"].to_dict()
    assert found == pytest.approx(expected)
    of_one = image[labels == 1]
    assert (found["gray_low"], found["gray_high"]) == (of_one.min(), of_one.max())
    assert set(table[table["measure"] == "gray_high"]["unit"]) == {"gray value"}


def test_objects_at_the_border_and_too_small_ones_are_flagged(objects):
    table = measured(objects[0])
    flags = table.groupby("instance")["flag"].unique().str[0].to_dict()
    assert flags == {1: "", 2: "touches_border", 5: "few_voxels"}
    small = table[table["instance"] == 5].set_index("measure")["value"]
    assert small["voxels"] == 4 and small.drop(["voxels", "voxel_nm"]).isna().all()


def test_a_global_range_is_that_of_all_objects(objects):
    folder, image, labels = objects
    table = measured(folder, {**SETTINGS, "range": "global"})
    among = image[(labels > 0) & (labels < 9)]
    expected = texture.measure(image, labels == 2, VOXEL_NM, SETTINGS, (among.min(), among.max()))
    found = table[table["instance"] == 2].set_index("measure")["value"].to_dict()
    assert found == pytest.approx(expected)
    assert (found["gray_low"], found["gray_high"]) == (among.min(), among.max())


def test_a_large_object_is_measured_in_larger_voxels(objects, monkeypatch):
    folder, image, _ = objects
    image[4:12, 4:12, 4:12] //= 2
    io.write_volume(folder / "image.ome.zarr", image, VOXEL_NM, record={})
    table = measured(folder, {**SETTINGS, "max_voxels": 300})
    one = table[table["instance"] == 1]
    assert set(one["flag"]) == {"reduced"}
    found = one.set_index("measure")["value"]
    assert (found["voxels"], found["voxel_nm"]) == (64, 16)
    blocks = image[4:12, 4:12, 4:12].reshape(4, 2, 4, 2, 4, 2).mean(axis=(1, 3, 5))
    expected = texture.measure(blocks, np.ones((4, 4, 4), bool), (16, 16, 16), SETTINGS)
    assert found.to_dict() == pytest.approx(expected)
    monkeypatch.setattr(measure_texture, "SLAB_VOXELS", 1)  # slices in pairs
    assert measured(folder, {**SETTINGS, "max_voxels": 300}).equals(table)


def test_threads_change_nothing(objects):
    measured(objects[0], threads=1)
    measured(objects[0], threads=3)
    assert (objects[0] / "texture1.csv").read_bytes() == (objects[0] / "texture3.csv").read_bytes()


def test_without_objects_there_are_columns_only(tmp_path):
    for name, array in (("image", np.ones((3, 4, 5), np.uint8)), ("labels", np.zeros((3, 4, 5), np.uint32))):
        io.write_volume(tmp_path / f"{name}.ome.zarr", array, VOXEL_NM, record={})
    io.write_table(tmp_path / "objects.csv", count_objects(io.open_volume(tmp_path / "labels.ome.zarr")), {})
    for how in ("object", "global"):
        table = measured(tmp_path, {**SETTINGS, "range": how})
        assert list(table.columns) == measure_texture.COLUMNS and not len(table)


def test_an_image_of_another_shape_is_refused(objects):
    io.write_volume(objects[0] / "image.ome.zarr", np.ones((3, 4, 5), np.uint8), VOXEL_NM, record={})
    with pytest.raises(ValueError, match=r"image.ome.zarr: expected the shape of the objects .* found \(3, 4, 5\)"):
        measured(objects[0])
