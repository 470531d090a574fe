import json

import numpy as np
import pytest
import tifffile

import draw_sparse_labels
from densecell import files, io
from densecell.sparse_drawing import draw_mask


def test_a_mask_is_255_where_a_value_is_drawn():
    labels = np.array([[0, 2, 3], [2, 1, 0]])
    assert draw_mask(labels, [2, 3]).tolist() == [[0, 255, 255], [255, 0, 0]]


def test_of_an_incomplete_slice_every_other_object_is_drawn_the_largest_first():
    labels = np.zeros((5, 12), np.uint8)
    labels[0, 0], labels[0:2, 3:6], labels[0:2, 8:10] = 7, 7, 7  # 1, 6 and 4 pixels
    drawn = draw_mask(labels, [7], complete=False)
    assert (drawn > 0).sum() == 7 and drawn[0, 0] and drawn[0, 3] and not drawn[0, 8]


def run(tmp_path, drawn):
    labels = np.zeros((4, 6, 8), np.uint8)
    labels[:, 1:3, 1:3], labels[:, 2, 2] = 2, 3
    io.write_tiff(tmp_path / "labels.tif", [labels], labels.shape, labels.dtype, (5, 5, 5), {"params": {}})
    arguments = ["--labels", str(tmp_path / "labels.tif"), "--voxel-size-nm", "[5, 5, 5]"]
    draw_sparse_labels.main([*arguments, "--drawn", json.dumps(drawn), "--output-folder", str(tmp_path / "nucleus")])
    return tmp_path / "nucleus"


def test_writes_one_mask_per_slice_named_by_it(tmp_path):
    drawn = {"name": "nucleus", "values": [2, 3], "slices": [0, 2], "incomplete_slices": [3]}
    (tmp_path / "nucleus").mkdir()
    (tmp_path / "nucleus" / "z0001.tif").write_text("of another run")
    folder = run(tmp_path, drawn)
    assert sorted(p.name for p in folder.glob("*.tif")) == ["z0000.tif", "z0002.tif", "z0003.tif"]
    mask = tifffile.imread(folder / "z0002.tif")
    assert mask.shape == (6, 8) and mask.dtype == np.uint8 and (mask > 0).sum() == 4
    assert files.read_sidecar(folder / "z0002.tif")["params"]["drawn"] == drawn


def test_a_slice_that_is_not_there_is_refused_by_name(tmp_path):
    drawn = {"name": "nucleus", "values": [2], "slices": [0, 4], "incomplete_slices": []}
    with pytest.raises(ValueError, match=r"phantom\[\]\.sparse 'nucleus': expected slices of 0 to 3, found 4"):
        run(tmp_path, drawn)
