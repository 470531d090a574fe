import numpy as np
import pandas as pd
import pytest
import stacks

import extract_labels
from densecell import io

LABELS = np.random.default_rng(0).integers(0, 3, (20, 12, 14)).astype(np.uint8)
BOX = [[2, 19], [3, 11], [0, 14]]
INNER = [[1, 18], [0, 8], [0, 14]]


def run(tmp_path, labels=LABELS, left_out=(), role="train"):
    path = stacks.save(tmp_path / "aligned.ome.zarr", labels, fill_value=255)
    attributes = {"box": BOX, "inner": INNER}
    image = stacks.save(
        tmp_path / "image.ome.zarr", stacks.random_image((19, 8, 14)), origin_nm=(50, 30, 0), attributes=attributes
    )
    table = pd.DataFrame({"z": range(20), "left_out": [int(z in left_out) for z in range(20)]})
    io.write_table(tmp_path / "shifts.csv", table, {})
    output = str(tmp_path / "labels.ome.zarr")
    arguments = ["--labels", path, "--image", image, "--shifts", str(tmp_path / "shifts.csv"), "--role", role]
    extract_labels.main([*arguments, "--classes", stacks.CLASSES_JSON, "--output", output])
    return io.open_volume(output)


def test_cuts_the_region_without_its_context(tmp_path):
    volume = run(tmp_path)
    expected = LABELS[2:19, 3:11]
    np.testing.assert_array_equal(volume[:], expected)
    assert volume.origin_nm == (100, 30, 0)
    assert volume.attributes == {"class_counts": [int((expected == c).sum()) for c in range(3)]}


def test_slices_left_out_are_unlabelled_and_not_counted(tmp_path):
    volume = run(tmp_path, left_out=[0, 4, 18])
    expected = LABELS[2:19, 3:11].copy()
    expected[[2, 16]] = 255
    np.testing.assert_array_equal(volume[:], expected)
    assert sum(volume.attributes["class_counts"]) == (expected != 255).sum()


def test_an_empty_class_is_an_error_in_training_only(tmp_path):
    labels = np.where(LABELS == 2, np.uint8(255), LABELS)
    with pytest.raises(
        ValueError, match="empty class: expected voxels of every class in a train region, found none of granule"
    ):
        run(tmp_path, labels)
    assert run(tmp_path, labels, role="test").attributes["class_counts"][2] == 0


def test_a_region_without_labels_is_always_an_error(tmp_path):
    with pytest.raises(ValueError, match="expected labelled voxels, found none"):
        run(tmp_path, np.full_like(LABELS, 255), role="test")


def test_an_unknown_class_is_refused(tmp_path):
    with pytest.raises(ValueError, match="labels 0 to 2 or 255"):
        run(tmp_path, np.full_like(LABELS, 3), role="test")
