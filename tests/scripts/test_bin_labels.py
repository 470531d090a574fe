import json

import numpy as np
import pytest
import stacks

import bin_labels
from densecell import binning, io


def run(tmp_path, array, factors, image_shape=None, **options):
    path = stacks.imported_labels(tmp_path / "labels.ome.zarr", array, image_shape or array.shape, **options)
    output = str(tmp_path / "binned.ome.zarr")
    bin_labels.main(
        ["--labels", path, "--binning", json.dumps(factors), "--classes", stacks.CLASSES_JSON, "--output", output]
    )
    return io.open_volume(output)


def test_majority_with_ties_to_the_rarer_class(tmp_path):
    labels = np.array([[[0, 0, 1, 0, 0, 255], [0, 1, 1, 0, 0, 0]]], np.uint8)
    volume = run(tmp_path, labels, [1, 2, 2])
    np.testing.assert_array_equal(volume[:], [[[0, 1, 255]]])
    assert (volume.voxel_size_nm, volume.origin_nm) == ((50, 20, 20), (0, 5, 5))


def test_a_tie_is_decided_by_the_whole_source_not_by_its_slab(tmp_path):
    labels = np.zeros((40, 2, 2), np.uint8)
    labels[0, 0] = 1  # a tie in the first slab, where 1 is rare
    labels[30:] = 1
    np.testing.assert_array_equal(run(tmp_path, labels, [1, 2, 2])[0], [[1]])
    labels[10:] = 1  # now 0 is the rarer one
    np.testing.assert_array_equal(run(tmp_path, labels, [1, 2, 2])[0], [[0]])


def test_slab_by_slab_equals_the_whole(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, (43, 9, 10)).astype(np.uint8)
    counts = [(labels == c).sum() for c in range(3)]
    np.testing.assert_array_equal(run(tmp_path, labels, [3, 2, 2])[:], binning.bin_labels(labels, [3, 2, 2], counts))


def test_a_block_keeps_its_place(tmp_path):
    volume = run(tmp_path, np.ones((4, 4, 4), np.uint8), [2, 2, 1], image_shape=(20, 20, 20), origin=(2, 4, 5))
    assert volume.attributes["origin_voxels"] == [1, 2, 5]
    np.testing.assert_array_equal(volume[:], np.ones((2, 2, 4)))


def test_an_origin_between_blocks_is_refused(tmp_path):
    with pytest.raises(
        ValueError,
        match=r"origin \(labels: origin\) divisible by the binning \[2, 2, 1\] \(z, y, x\), found \[2, 3, 5\]",
    ):
        run(tmp_path, np.ones((4, 4, 4), np.uint8), [2, 2, 1], image_shape=(20, 20, 20), origin=(2, 3, 5))


def test_blocks_that_reach_beyond_the_source_are_unlabelled_unless_the_stack_ends_there(tmp_path):
    ones = np.ones((3, 5, 5), np.uint8)
    np.testing.assert_array_equal(run(tmp_path, ones, [2, 2, 2])[:], np.ones((2, 3, 3)))
    expected = np.ones((2, 3, 3))
    expected[1], expected[:, 2] = 255, 255
    np.testing.assert_array_equal(run(tmp_path, ones, [2, 2, 2], image_shape=(4, 6, 5))[:], expected)


def test_labels_of_the_aligned_stack_are_copied(tmp_path):
    labels = np.random.default_rng(0).integers(0, 3, (4, 5, 6)).astype(np.uint8)
    volume = run(tmp_path, labels, [2, 2, 2], frame="aligned", origin=(1, 1, 1))
    np.testing.assert_array_equal(volume[:], labels)
    assert volume.voxel_size_nm == (100, 20, 20)


def test_object_numbers_are_kept_or_the_one_with_most_of_a_block_wins(tmp_path):
    cells = np.arange(24, dtype=np.uint32).reshape(2, 3, 4) * 1000
    volume = run(tmp_path, cells, [1, 1, 1])
    np.testing.assert_array_equal(volume[:], cells)
    assert volume.fill_value == 2**32 - 1
    cells = np.array([[[7, 7, 0, 0, 7, 8], [7, 9, 0, 9, 8, 7]]], np.uint32)
    np.testing.assert_array_equal(run(tmp_path, cells, [1, 2, 2])[:], [[[7, 0, 7]]])


def test_of_object_numbers_cut_blocks_and_those_with_an_unlabelled_voxel_are_unlabelled(tmp_path):
    cells = np.full((3, 5, 5), 3, np.uint32)
    cells[0, 0, 0] = 2**32 - 1
    expected = np.full((2, 3, 3), 3, np.uint32)
    expected[0, 0, 0] = expected[1] = expected[:, 2] = 2**32 - 1
    np.testing.assert_array_equal(run(tmp_path, cells, [2, 2, 2], image_shape=(4, 6, 5))[:], expected)
