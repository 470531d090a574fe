"""Labels of kind instance on their way through the scripts: unlabelled and none stay apart, and targets are those of masks."""

import json

import label_chain as chain
import numpy as np
import pytest
import tifffile

import draw_sparse_labels
from densecell import io
from densecell.classes import UNLABELLED_INSTANCE as U
from densecell.contours import contour_target

Z, Y, X = chain.SHAPE
CELLS = {"kind": "instance", "annotates": ["cell"], "slices": "by_name"}


def scene():
    """Numbers of two touching cells and a lone one, (Z, Y, X) uint32."""
    numbers = np.zeros(chain.SHAPE, np.uint32)
    numbers[:, 2:20, 3:12] = 7
    numbers[:, 2:20, 12:18] = 70_000
    numbers[:, 8:14, 21:25] = 3
    return numbers


def aligned(folder):
    """The only store of aligned labels below `folder`."""
    (path,) = (folder / "aligned").glob("labels_*.ome.zarr")
    return io.open_volume(path)


def test_unlabelled_and_no_object_are_two_things(tmp_path):
    empty = np.zeros((Y, X), np.uint32)
    files = chain.save_slices(tmp_path / "cells", {1: scene()[1], 4: empty})
    region = chain.through(tmp_path / "run", {"cells": (files, CELLS)})
    found = aligned(tmp_path / "run")
    expected = np.full(chain.SHAPE, U, np.uint32)
    expected[1], expected[4] = scene()[1], 0
    np.testing.assert_array_equal(found[:], expected)
    assert (found.dtype, found.fill_value) == (np.uint32, U)
    assert found.attributes == {"kind": "instance", "annotates": ["cell"], "slices": [1, 4]}
    assert region.target("cell").attributes["labelled_slices"] == [1, 4]


@pytest.mark.parametrize(("factors", "applied"), [((1, 1, 1), None), ((1, 2, 2), [[0, 0], [1, 0], [1, -1], [0, 2], [0, 0], [0, 1]])])  # fmt: skip
def test_targets_of_objects_are_those_of_masks(tmp_path, factors, applied):
    numbers = scene()
    slices = (1, 3, 4)
    objects = chain.save_slices(tmp_path / "objects", {z: numbers[z] for z in slices})
    masks = chain.save_slices(tmp_path / "masks", {z: (numbers[z] > 0).astype(np.uint8) * 255 for z in slices})
    of_objects = chain.through(tmp_path / "a", {"cells": (objects, CELLS)}, factors, applied)
    of_masks = chain.through(tmp_path / "b", {"cells": (masks, {"annotates": ["cell"], "slices": "by_name"})}, factors, applied)  # fmt: skip
    for name in ("cell", "nucleus"):
        found, expected = of_objects.target(name), of_masks.target(name)
        np.testing.assert_array_equal(found[:], expected[:])
        assert found.attributes == expected.attributes
    np.testing.assert_array_equal(of_objects.labels()[:], of_masks.labels()[:])


def test_the_boundary_is_the_contour_of_the_aligned_numbers(tmp_path):
    applied = [[0, 0], [1, 0], [1, -1], [0, 2], [0, 0], [0, 1]]
    files = chain.save_slices(tmp_path / "cells", {z: scene()[z] for z in (0, 2, 3)})
    nuclei = chain.save_slices(tmp_path / "nuclei", {z: np.zeros((Y, X), np.uint8) for z in (0, 2)})
    sources = {"cells": (files, CELLS), "nuclei": (nuclei, {"annotates": ["nucleus"], "slices": [0, 2]})}
    region = chain.through(tmp_path / "run", sources, (1, 2, 2), applied, box=[[0, 4], [1, 9], [0, 10]])
    whole = io.open_volume(tmp_path / "run/aligned/labels_cells.ome.zarr")
    found = region.boundary("cell_boundary", "cell", 3)
    for z in range(4):
        expected = contour_target(whole[z : z + 1][0], 3)[1:9, :10]
        np.testing.assert_array_equal(found[z : z + 1][0], expected)
    assert found.attributes["labelled_slices"] == [0, 2, 3]
    assert found.attributes["counts"] == [int((found[:] == value).sum()) for value in (0, 1)]
    assert found.attributes["counts"][1] > 0


def test_of_an_incomplete_slice_what_is_not_drawn_is_unknown(tmp_path):
    files = chain.save_slices(tmp_path / "cells", {1: scene()[1], 2: scene()[2]})
    region = chain.through(tmp_path / "run", {"cells": (files, {**CELLS, "incomplete_slices": [2]})})
    assert (aligned(tmp_path / "run")[2] == np.where(scene()[2] > 0, scene()[2], U)).all()
    cell = region.target("cell")
    np.testing.assert_array_equal(cell[2], np.where(scene()[2] > 0, 1, 255))
    boundary = region.boundary("border", "cell", 1)
    assert (cell.attributes["incomplete_slices"], boundary.attributes["incomplete_slices"]) == ([2], [2])
    assert (boundary[2][5:17, 11:13] == 1).all()  # two drawn cells touch there
    assert boundary[2][11, 20] == 255  # nobody said what lies beside the lone one


def test_boxes_and_values_can_say_unlabelled(tmp_path):
    numbers = scene()
    numbers[:, :, 25:] = 999
    files = chain.save_slices(tmp_path / "cells", dict(enumerate(numbers)))
    options = {"kind": "instance", "annotates": ["cell"], "boxes": [{"z": [1, 3], "y": [0, 15]}]}
    options["values"] = [{"class": "unlabelled", "values": [999]}]
    chain.through(tmp_path / "run", {"cells": (files, options)})
    expected = np.full(chain.SHAPE, U, np.uint32)
    expected[1:3, :15, :25] = scene()[1:3, :15, :25]
    np.testing.assert_array_equal(aligned(tmp_path / "run")[:], expected)


def test_objects_of_no_class_tell_a_region_nothing(tmp_path):
    files = chain.save_slices(tmp_path / "cells", dict(enumerate(scene())))
    region = chain.through(tmp_path / "run", {"cells": (files, {"kind": "instance"})})
    with pytest.raises(
        ValueError, match=r"labels\.cells\.annotates: expected the one class whose objects are numbered, found None"
    ):
        region.target("cell")


def test_a_boundary_needs_numbered_objects(tmp_path):
    masks = chain.save_slices(tmp_path / "masks", {1: (scene()[1] > 0).astype(np.uint8)})
    region = chain.through(tmp_path / "run", {"masks": (masks, {"annotates": ["cell"], "slices": [1]})}, role="train")
    with pytest.raises(
        ValueError, match=r"boundaries\.border: expected labels with kind: instance and annotates: \[cell\]"
    ):
        region.boundary("border", "cell", 5)
    nothing = chain.save_slices(tmp_path / "empty", {1: np.zeros((Y, X), np.uint32)})
    region = chain.through(tmp_path / "other", {"cells": (nothing, CELLS)}, role="train")
    with pytest.raises(ValueError, match="empty target: expected voxels of cell in a train region"):
        region.boundary("border", "cell", 5)


# ------------------------------------------------------------------------------------------------------- of phantoms
def test_numbers_of_cells_are_drawn_in_some_slices(tmp_path):
    numbers = scene()
    io.write_tiff(tmp_path / "cells.tif", [numbers], numbers.shape, numbers.dtype, (5, 5, 5), {})
    drawn = {"name": "cells", "values": "cells", "slices": [1, 4], "incomplete_slices": [2]}
    words = ["--labels", tmp_path / "cells.tif", "--voxel-size-nm", "[5, 5, 5]", "--drawn", json.dumps(drawn)]
    draw_sparse_labels.main([*map(str, words), "--output-folder", str(tmp_path / "sparse")])
    assert sorted(p.name for p in (tmp_path / "sparse").glob("*.tif")) == ["z0001.tif", "z0002.tif", "z0004.tif"]
    for z in (1, 4):
        np.testing.assert_array_equal(tifffile.imread(tmp_path / f"sparse/z{z:04d}.tif")[0], numbers[z])
    some = tifffile.imread(tmp_path / "sparse/z0002.tif")[0]
    assert some.dtype == np.uint32
    np.testing.assert_array_equal(some, np.where(numbers[2] == 70_000, 0, numbers[2]))  # every other one, by size
