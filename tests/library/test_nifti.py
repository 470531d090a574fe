import nibabel
import numpy as np
import pytest

from densecell.nifti import header, label_dtype


@pytest.mark.parametrize(("largest", "name"), [(0, "uint16"), (65_535, "uint16"), (65_536, "uint32")])
def test_numbers_take_16_bits_where_they_fit(largest, name):
    assert label_dtype(largest) == np.dtype(name)


def test_nibabel_reads_voxels_positions_and_units(tmp_path):
    volume = np.arange(2 * 3 * 4, dtype=np.uint16).reshape(2, 3, 4)
    path = tmp_path / "a.nii"
    path.write_bytes(header(volume.shape, volume.dtype, (50, 10, 8), (1000, 0, 16)) + volume.tobytes())
    found = nibabel.load(path)
    assert found.shape == (4, 3, 2) and found.header.get_xyzt_units()[0] == "micron"
    np.testing.assert_array_equal(np.asarray(found.dataobj).T, volume)
    np.testing.assert_allclose(found.header.get_zooms(), (0.008, 0.01, 0.05), rtol=1e-6)
    np.testing.assert_allclose(found.affine @ [1, 2, 1, 1], [0.016 + 0.008, 0.02, 1.05, 1], rtol=1e-6)


def test_a_side_of_more_than_32767_voxels_makes_it_nifti_2():
    assert len(header((2, 3, 32_767), "uint16", (1, 1, 1))) == 352
    wide = header((2, 3, 32_768), "uint16", (1, 1, 1))
    assert len(wide) == 544
    assert nibabel.Nifti2Header(wide[:540]).get_data_shape() == (32_768, 3, 2)
