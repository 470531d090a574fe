"""The header of a NIfTI file, for ITK-SNAP, 3D Slicer and their like; nibabel (the reference implementation) fills it in.

NIfTI stores x fastest, which is the order of a (Z, Y, X) array in memory, so a volume is the header followed by its slices. Lengths
are in micrometers, the smallest unit that the format knows; x, y and z grow with the columns, rows and slices.
"""

import io

import nibabel
import numpy as np

LARGEST_SIDE = 2**15 - 1  # of NIfTI-1; larger volumes are NIfTI-2
LARGEST_LABEL = 2**16 - 1  # ITK-SNAP's labels have 16 bits


def label_dtype(largest):
    """The smallest type for object numbers up to `largest` that ITK-SNAP reads: uint16, or uint32 for more."""
    return np.dtype(np.uint16 if largest <= LARGEST_LABEL else np.uint32)


def header(shape, dtype, voxel_size_nm, origin_nm=(0, 0, 0)):
    """The bytes before the voxels of a volume.

    shape (Z, Y, X), dtype; voxel_size_nm, origin_nm: (z, y, x), the origin is the center of voxel 0.
    """
    kind = nibabel.Nifti1Header if max(shape) <= LARGEST_SIDE else nibabel.Nifti2Header
    made = kind()
    made.set_data_shape(shape[::-1])
    made.set_data_dtype(dtype)
    affine = np.diag([*(size / 1000 for size in voxel_size_nm[::-1]), 1.0])
    affine[:3, 3] = np.array(origin_nm[::-1]) / 1000
    made.set_qform(affine, code="scanner")
    made.set_sform(affine, code="scanner")
    made.set_xyzt_units("micron")
    made["descrip"] = b"densecell: numbers of objects"
    made.set_data_offset(made.single_vox_offset)
    written = io.BytesIO()
    made.write_to(written)
    return written.getvalue().ljust(made.single_vox_offset, b"\0")
