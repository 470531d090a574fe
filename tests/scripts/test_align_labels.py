import numpy as np
import pandas as pd
import pytest
import stacks

import align_labels
from densecell import io

APPLIED = np.array([(0, 0), (-2, 1), (1, -1)])  # shifts of three slices
CROP = (1, 18, 1, 19)  # y0, y1, x0, x1 of slices of 20 x 20


def run(tmp_path, labels, frame="raw", origin=(0, 0, 0), depth=3, threads=1):
    path = stacks.imported_labels(tmp_path / "labels.ome.zarr", labels, (3, 20, 20), origin=origin, frame=frame)
    image = stacks.save(tmp_path / "image.ome.zarr", stacks.random_image((depth, 17, 18)), origin_nm=(0, 10, 10))
    table = pd.DataFrame(APPLIED, columns=["applied_y_px", "applied_x_px"])
    table[["crop_y0", "crop_y1", "crop_x0", "crop_x1"]] = CROP
    io.write_table(tmp_path / "shifts.csv", table, {})
    output = str(tmp_path / "aligned.ome.zarr")
    align_labels.main(
        [
            "--labels",
            path,
            "--image",
            image,
            "--shifts",
            str(tmp_path / "shifts.csv"),
            "--frame",
            frame,
            "--output",
            output,
            "--threads",
            str(threads),
        ]
    )
    return io.open_volume(output)


def moved(plane, shift, fill):
    """A (20, 20) slice moved by whole pixels and cropped, the slow way."""
    result = np.full((17, 18), fill, plane.dtype)
    for y in range(17):
        for x in range(18):
            from_y, from_x = y + CROP[0] - shift[0], x + CROP[2] - shift[1]
            if 0 <= from_y < 20 and 0 <= from_x < 20:
                result[y, x] = plane[from_y, from_x]
    return result


@pytest.mark.parametrize(("dtype", "fill"), [(np.uint8, 255), (np.uint32, 2**32 - 1)])
def test_labels_move_like_their_slices(tmp_path, dtype, fill):
    labels = np.random.default_rng(0).integers(0, 3, (3, 20, 20)).astype(dtype)
    volume = run(tmp_path, labels)
    np.testing.assert_array_equal(volume[:], [moved(plane, shift, fill) for plane, shift in zip(labels, APPLIED)])
    assert (volume.fill_value, volume.origin_nm) == (fill, (0, 10, 10))


def test_a_block_is_surrounded_by_unlabelled_voxels(tmp_path):
    block = np.random.default_rng(0).integers(0, 3, (1, 12, 19)).astype(np.uint8)
    whole = np.full((3, 20, 20), 255, np.uint8)
    whole[1:2, 8:20, 0:19] = block
    expected = [moved(plane, shift, 255) for plane, shift in zip(whole, APPLIED)]
    np.testing.assert_array_equal(run(tmp_path, block, origin=(1, 8, 0))[:], expected)


def test_a_block_that_the_crop_removes_leaves_nothing(tmp_path):
    assert (run(tmp_path, np.zeros((3, 1, 1), np.uint8), origin=(0, 19, 19))[:] == 255).all()


def test_labels_of_the_aligned_stack_stay_where_they_are(tmp_path):
    block = np.random.default_rng(0).integers(0, 3, (2, 5, 6)).astype(np.uint8)
    volume = run(tmp_path, block, frame="aligned", origin=(1, 12, 12))
    expected = np.full((3, 17, 18), 255, np.uint8)
    expected[1:3, 12:17, 12:18] = block
    np.testing.assert_array_equal(volume[:], expected)


def test_labels_beyond_the_aligned_volume_are_refused(tmp_path):
    block = np.zeros((2, 5, 6), np.uint8)
    with pytest.raises(
        ValueError,
        match=r"within the aligned volume of \(3, 17, 18\) voxels \(z, y, x\), found \(2, 5, 6\) at origin \(1, 13, 12\)",
    ):
        run(tmp_path, block, frame="aligned", origin=(1, 13, 12))
    with pytest.raises(ValueError, match=r"at origin \(2, 0, 0\)"):
        run(tmp_path, block, origin=(2, 0, 0))


def test_threads_change_nothing_over_several_slabs(tmp_path):
    block = np.random.default_rng(0).integers(0, 3, (21, 5, 6)).astype(np.uint8)
    one, two = (run(tmp_path, block, "aligned", (5, 1, 2), depth=30, threads=n)[:] for n in (1, 2))
    expected = np.full((30, 17, 18), 255, np.uint8)
    expected[5:26, 1:6, 2:8] = block
    np.testing.assert_array_equal(one, expected)
    np.testing.assert_array_equal(two, expected)


def test_zarr_gets_the_threads_of_the_job(tmp_path, monkeypatch):
    given = []
    monkeypatch.setattr(io, "use_threads", given.append)
    run(tmp_path, np.zeros((3, 20, 20), np.uint8), threads=3)
    assert given == [3]
