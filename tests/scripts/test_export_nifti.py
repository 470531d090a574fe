"""export_nifti.py: the same numbers, with their voxel size, for programs that read NIfTI."""

import nibabel
import numpy as np
import pytest

import export_nifti
from densecell import io
from densecell.classes import UNLABELLED_INSTANCE
from densecell.objects import count_objects

RECORD = {"params": {}, "code": "", "parents": {}}


def exported(folder, objects, name="a.nii.gz"):
    store, table = folder / "labels.ome.zarr", folder / "objects.csv"
    io.write_volume(store, objects, (50, 10, 10), (100, 0, 5), record=RECORD)
    io.write_table(table, count_objects(io.open_volume(store)), RECORD)
    export_nifti.main(["--instances", str(store), "--objects", str(table), "--output", str(folder / name)])
    return folder / name


@pytest.mark.parametrize(("largest", "dtype"), [(2, np.uint16), (70_000, np.uint32)])
def test_a_volume_of_three_slabs(tmp_path, largest, dtype):
    objects = np.zeros((21, 30, 40), np.uint32)
    objects[2:5, 3:9, 4:8], objects[18:, 20:, 30:] = 1, largest
    found = nibabel.load(exported(tmp_path, objects))
    assert found.get_data_dtype() == dtype and found.shape == (40, 30, 21)
    np.testing.assert_array_equal(np.asarray(found.dataobj).T, objects)
    np.testing.assert_allclose(found.affine[:3, 3], (0.005, 0, 0.1))


def test_equal_objects_give_equal_bytes_whatever_the_name(tmp_path):
    objects = np.ones((3, 4, 5), np.uint32)
    first, second = (exported(tmp_path, objects, name).read_bytes() for name in ("a.nii.gz", "b.nii.gz"))
    assert first == second


def test_what_nobody_labelled_is_0(tmp_path):
    objects = np.array([[[0, 3, UNLABELLED_INSTANCE]]], np.uint32)
    found = nibabel.load(exported(tmp_path, objects))
    assert found.get_data_dtype() == np.uint16 and np.asarray(found.dataobj).ravel().tolist() == [0, 3, 0]


def test_a_number_above_those_of_the_table_is_refused(tmp_path):
    exported(tmp_path, np.full((1, 2, 3), 3, np.uint32))
    store, table = tmp_path / "labels.ome.zarr", tmp_path / "objects.csv"
    io.write_volume(store, np.full((1, 2, 3), 70_001, np.uint32), (50, 10, 10), record=RECORD)
    with pytest.raises(ValueError, match=r"labels.ome.zarr: expected numbers up to 3, .*objects.csv, found 70001"):
        export_nifti.main(["--instances", str(store), "--objects", str(table), "--output", str(tmp_path / "b.nii.gz")])
    assert not (tmp_path / "b.nii.gz").exists()


def test_no_object_at_all(tmp_path):
    found = nibabel.load(exported(tmp_path, np.zeros((3, 4, 5), np.uint32)))
    assert not np.asarray(found.dataobj).any()
