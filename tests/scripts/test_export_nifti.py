"""export_nifti.py: the same numbers, with their voxel size, for programs that read NIfTI."""

import nibabel
import numpy as np
import pytest

import export_nifti
from densecell import io
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


def test_no_object_at_all(tmp_path):
    found = nibabel.load(exported(tmp_path, np.zeros((3, 4, 5), np.uint32)))
    assert not np.asarray(found.dataobj).any()
