import json

import numpy as np
import pytest
import stacks

import compare_instances
from densecell import io
from densecell.classes import UNLABELLED_INSTANCE

KEYS = {"volume": "a", "objects": "cells", "class": "cell", "reference": "drawn", "combination": "mask"}


def run(tmp_path, objects, reference, labelled=(), threads=1, left_out=None, **more):
    attributes = {"labelled_slices": list(labelled), **more} if labelled or more else {}
    made = stacks.save(tmp_path / "objects.ome.zarr", objects.astype(np.uint32), attributes=attributes)
    known = stacks.save(tmp_path / "reference.ome.zarr", reference.astype(np.uint32))
    arguments = ["--objects", made, "--reference", known, "--keys", json.dumps(KEYS), "--threads", threads]
    if left_out is not None:
        facts = {"left_out_slices": list(left_out)}
        arguments += ["--image", stacks.save(tmp_path / "image.ome.zarr", reference.astype(np.uint8), attributes=facts)]
    compare_instances.main([str(a) for a in [*arguments, "--output", tmp_path / "metrics.csv"]])
    return io.read_table(tmp_path / "metrics.csv")


def value(table, measure, instance=0):
    return table[(table["measure"] == measure) & (table["instance"] == instance)]["value"].iloc[0]


def volumes():
    reference = np.zeros((20, 8, 9), int)
    reference[:, 1:4, 1:8], reference[:, 5:8, 1:8] = 1, 2
    objects = reference.copy()
    objects[10:, 5:8] = 0
    return objects, reference


def test_every_row_tells_what_was_compared(tmp_path):
    table = run(tmp_path, *volumes())
    assert table.columns.tolist() == [*KEYS, "instance", "threshold", "measure", "value", "unit"]
    assert (table[list(KEYS)] == list(KEYS.values())).all(axis=None)
    assert (value(table, "dice_by_id", 1), value(table, "dice_by_id", 2)) == (1, 2 / 3)


def test_slices_that_the_objects_were_made_with_do_not_count(tmp_path):
    objects, reference = volumes()
    assert value(run(tmp_path, objects, reference, labelled=range(10)), "dice_by_id", 2) == 0
    assert value(run(tmp_path, objects, reference, labelled=range(10, 20)), "dice_by_id", 2) == 1


def test_unlabelled_slices_do_not_count(tmp_path):
    objects, reference = volumes()
    reference[10:] = UNLABELLED_INSTANCE
    table = run(tmp_path, objects, reference, threads=2)
    assert value(table, "mean_dice_by_id") == 1 and value(table, "n_voxels") == 10 * 72


def test_nothing_to_compare_is_told(tmp_path):
    objects, reference = volumes()
    with pytest.raises(ValueError, match=r"expected a labelled voxel .* outside of the 20 slices"):
        run(tmp_path, objects, reference, labelled=range(20))
    with pytest.raises(ValueError, match="expected a labelled voxel"):
        run(tmp_path, objects, np.full(reference.shape, UNLABELLED_INSTANCE))


def test_another_size_is_refused(tmp_path):
    objects, reference = volumes()
    with pytest.raises(ValueError, match=r"expected the size of .*, \(20, 8, 9\), found \(19, 8, 9\)"):
        run(tmp_path, objects, reference[1:])


def test_slices_that_the_alignment_left_out_do_not_count(tmp_path):
    objects, reference = volumes()
    assert value(run(tmp_path, objects, reference, left_out=range(10, 20)), "dice_by_id", 2) == 1
    assert value(run(tmp_path, objects, reference, left_out=[]), "dice_by_id", 2) == 2 / 3
    with pytest.raises(ValueError, match=r"outside of the 20 slices that the .* or that the alignment left out"):
        run(tmp_path, objects, reference, labelled=range(10), left_out=range(10, 20))


def test_an_orphan_is_not_the_known_object_with_its_number(tmp_path):
    objects, reference = volumes()
    assert value(run(tmp_path, objects, reference, first_orphan=2), "dice_by_id", 2) == 0
